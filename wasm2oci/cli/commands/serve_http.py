"""`wasm2oci serve-http`."""

from typing import TYPE_CHECKING, Annotated, Final

from wasm2oci.cli.declare import Option
from wasm2oci.cli.guest_options import (
    ENGINE,
    LIMITS,
    AllowNetOption,
    DigestOption,
    DirectoriesOption,
    EnvFileOption,
    EnvOption,
    NoCodeCacheOption,
    PullOption,
    TraceOption,
)
from wasm2oci.cli.guest_streams import sink_of, trace_lines
from wasm2oci.cli.options import ModuleOption, PlatformOption, SubjectArgument, TrustGroup
from wasm2oci.cli.output import Output
from wasm2oci.cli.signals import wait_for_signal
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, EngineChoice, Pull

if TYPE_CHECKING:
    from wasm2oci.client import ServedHttp

__all__ = ["command"]

_SERVER: Final = "Server options"


def command(
    output: Output,
    terminal: Terminal,
    client: Client,
    *,
    subject: SubjectArgument,
    listen: Annotated[
        str,
        Option("--listen", metavar="HOST:PORT", help="Address to listen at; port 0 picks a free one.", title=_SERVER),
    ] = "127.0.0.1:8080",
    allow_host: Annotated[
        list[str] | None,
        Option(
            "--allow-host",
            metavar="NAME",
            help="Answer to this name too; addresses and localhost always work.",
            title=_SERVER,
        ),
    ] = None,
    reuse: Annotated[bool, Option("--reuse", help="Use an instance for further requests.", title=_SERVER)] = False,
    env: EnvOption = None,
    env_file: EnvFileOption = None,
    directories: DirectoriesOption = None,
    allow_net: AllowNetOption = None,
    timeout: Annotated[
        str, Option("--timeout", metavar="TIME", help="Limit of the time for one request.", title=LIMITS)
    ] = "60s",
    max_memory: Annotated[
        str, Option("--max-memory", metavar="SIZE", help="Limit of the memory of each instance.", title=LIMITS)
    ] = "1GiB",
    concurrency: Annotated[
        int, Option("--concurrency", metavar="N", help="Requests answered at once.", minimum=1, title=LIMITS)
    ] = 8,
    pull: PullOption = Pull.AUTO,
    digest: DigestOption = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    engine: Annotated[
        EngineChoice, Option("--engine", help="Engine to use; only the embedded one can serve.", title=ENGINE)
    ] = EngineChoice.AUTO,
    trace: TraceOption = None,
    no_code_cache: NoCodeCacheOption = False,
    trust: TrustGroup,
) -> int:
    """Run a component as an HTTP server on this machine, for development.

    The component exports wasi:http/incoming-handler. Each request gets an instance of its own, unless --reuse is given;
    bodies are streamed both ways. The component sees only the files, variables and hosts that you name. What it
    prints goes to standard error, as does a line for each request.

    Example: wasm2oci serve-http ghcr.io/me/hello-http:v1 --listen 127.0.0.1:8080
    """
    from wasm2oci.cli.run_options import (
        parse_directory,
        parse_duration,
        parse_environment,
        parse_memory_size,
        parse_network,
    )

    def log(text: str) -> None:
        for line in text.splitlines():
            output.line(line)
        terminal.stderr.flush()

    with trace_lines(trace, output) as write_trace:
        serving = client.serve_http(
            terminal.read_subject(subject),
            listen,
            hosts=tuple(allow_host or ()),
            environment=parse_environment(env or (), env_file or (), terminal.variables),
            directories=[parse_directory(text) for text in directories or ()],
            network=[parse_network(text) for text in allow_net or ()],
            output=sink_of(terminal.stderr.buffer),
            reuse=reuse,
            concurrency=concurrency,
            timeout=parse_duration(timeout, "--timeout"),
            max_memory=parse_memory_size(max_memory, "--max-memory"),
            engine=engine,
            pull=pull,
            digest=digest,
            module=module,
            platform=platform,
            trace=write_trace,
            cached=not no_code_cache,
            trust=trust,
            log=log,
        )
        with serving as served:
            wait_for_signal(lambda: _announce(output, served))
    output.line("stopped")
    return 0


def _announce(output: Output, served: "ServedHttp") -> None:
    if served.exposed:
        output.warn("other machines can reach this server, which is made for development")
    output.result(served, [f"{served.subject} answers at {served.url}   (Ctrl-C stops)"], quiet=served.url)
