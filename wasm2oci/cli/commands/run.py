"""`wasm2oci run`."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

from wasm2oci.base.text import printable
from wasm2oci.cli.declare import Argument, Option
from wasm2oci.cli.guest_options import (
    ENGINE,
    GUEST_GETS,
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
from wasm2oci.cli.guest_streams import sink_of, source_of, trace_lines
from wasm2oci.cli.options import ConnectGroup, ModuleOption, PlatformOption, SubjectArgument, TrustGroup
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, Ending, EngineChoice, Pull
from wasm2oci.errors import AccessError, NotFoundError, RegistryError, RemedyKind

if TYPE_CHECKING:
    from wasm2oci.client import FunctionTime, Ran

__all__ = ["command"]

_SHOWN_ROWS: Final = 25
_SHOWN_CHARACTERS: Final = 500


def command(
    output: Output,
    terminal: Terminal,
    client: Client,
    *,
    subject: SubjectArgument,
    arguments: Annotated[list[str] | None, Argument("[ARGS...]", "Arguments of the program.", rest=True)] = None,
    env: EnvOption = None,
    env_file: EnvFileOption = None,
    directories: DirectoriesOption = None,
    allow_net: AllowNetOption = None,
    invoke: Annotated[
        str | None,
        Option(
            "--invoke",
            metavar="NAME",
            empty=True,
            help="Call this function; ARGS are its typed values.",
            title=GUEST_GETS,
        ),
    ] = None,
    trap_missing: Annotated[
        bool, Option("--trap-missing", help="Start even if imports are missing; a call of one traps.", title=GUEST_GETS)
    ] = False,
    timeout: Annotated[
        str | None,
        Option(
            "--timeout",
            metavar="TIME",
            help="Stop it after 30s, 500ms, 2m; exit 124.",
            setting="run.timeout",
            title=LIMITS,
        ),
    ] = None,
    fuel: Annotated[
        int | None, Option("--fuel", metavar="N", help="Stop it after about N instructions.", minimum=1, title=LIMITS)
    ] = None,
    max_memory: Annotated[
        str,
        Option(
            "--max-memory",
            metavar="SIZE",
            help="Limit of all memory that the program takes.",
            setting="run.max-memory",
            title=LIMITS,
        ),
    ] = "1GiB",
    max_stack: Annotated[
        str, Option("--max-stack", metavar="SIZE", help="Limit of the program's call stack.", title=LIMITS)
    ] = "2MiB",
    pull: PullOption = Pull.AUTO,
    digest: DigestOption = None,
    module: ModuleOption = None,
    platform: PlatformOption = None,
    engine: Annotated[
        EngineChoice,
        Option("--engine", help="Engine to use; auto takes wasmtime where it can.", setting="run.engine", title=ENGINE),
    ] = EngineChoice.AUTO,
    trace: TraceOption = None,
    timings: Annotated[
        bool, Option("--timings", help="Show at the end how long each function took (embedded).", title=ENGINE)
    ] = False,
    no_code_cache: NoCodeCacheOption = False,
    trust: TrustGroup,
) -> int:
    """Fetch a module, verify it and run it.

    The program sees only the files, variables and hosts that you name. Everything
    after REF is an argument of the program, options too. The exit code is that of the
    program; 124 if it exceeded the time limit, 125 if it could not be started, 134 if it
    trapped, 137 if it ran out of memory. With --format json standard output gets a
    report of the run, and the program's own output goes to standard error.

      wasm2oci run ghcr.io/me/tool:v1 --its-own-flag

      wasm2oci run --dir .::/data:ro --env LANG app.wasm /data/in.txt
    """
    from wasm2oci.cli.run_options import (
        parse_directory,
        parse_duration,
        parse_environment,
        parse_memory_size,
        parse_network,
        parse_stack_size,
    )

    words = arguments or []
    if invoke is not None and words[:1] == ["--"]:
        words = words[1:]  # no value looks so: a habit of those who give negative ones
    _warn_of_late(words, _names(TrustGroup), subject, output)
    stdout, stderr = sink_of(terminal.stdout.buffer), sink_of(terminal.stderr.buffer)
    with trace_lines(trace, output) as write_trace, _late_explained(words, subject, output):
        output.flush()
        ran = client.run(
            terminal.read_subject(subject),
            words,
            environment=parse_environment(env or (), env_file or (), terminal.variables),
            directories=[parse_directory(text) for text in directories or ()],
            network=[parse_network(text) for text in allow_net or ()],
            stdin=source_of(terminal.stdin),
            stdout=stderr if output.as_json else stdout,
            stderr=stderr,
            invoke=invoke,
            timeout=None if timeout is None else parse_duration(timeout, "--timeout"),
            fuel=fuel,
            max_memory=parse_memory_size(max_memory, "--max-memory"),
            max_stack=parse_stack_size(max_stack, "--max-stack"),
            engine=engine,
            pull=pull,
            digest=digest,
            module=module,
            platform=platform,
            trap_missing=trap_missing,
            trace=write_trace,
            timings=timings,
            cached=not no_code_cache,
            trust=trust,
            isolated=True,
        )
    if output.as_json or (invoke is not None and not ran.exit_code):
        output.result(ran, ran.results, quiet=ran.results)
    _report(ran, output, timeout, max_memory)
    return ran.exit_code


def _warn_of_late(words: list[str], names: frozenset[str], subject: str, output: Output) -> None:
    """Warn of one of these options among the guest's own words."""
    late = next((word for word in words if word.partition("=")[0] in names), None)
    if late is not None:
        output.warn(f"{late} after {subject} goes to the guest; write it before {subject} if it is for wasm2oci")


@contextlib.contextmanager
def _late_explained(words: list[str], subject: str, output: Output) -> Iterator[None]:
    """When an option would have prevented an error, say if it went to the guest instead."""
    try:
        yield
    except (AccessError, RegistryError):
        _warn_of_late(words, _names(ConnectGroup), subject, output)
        raise
    except NotFoundError as error:
        if error.remedy is not None and error.remedy.kind is RemedyKind.INVOKE:
            _warn_of_late(words, frozenset({"--invoke"}), subject, output)
        raise


def _names(group: Any) -> frozenset[str]:
    names: frozenset[str] = get_args(group)[1].names
    return names


def _report(ran: "Ran", output: Output, timeout: str | None, max_memory: str) -> None:
    """Write to standard error how the guest ended, unless it ended by itself."""
    # Names that a guest chose are shown without control characters, and cut.
    if ran.ending is Ending.OUT_OF_MEMORY:
        output.stderr.write(f"error: the guest ran out of memory: it may have {max_memory} (--max-memory)\n")
    elif ran.trap is not None:
        output.stderr.write(f"error: the guest trapped: {printable(ran.trap.reason, _SHOWN_CHARACTERS)}\n")
    if ran.trap is not None:
        output.stderr.write("".join(f"  {printable(line, _SHOWN_CHARACTERS)}\n" for line in ran.trap.backtrace))
    if ran.ending is Ending.TIMED_OUT:
        output.stderr.write(f"error: the guest was stopped after {timeout}\n")
    if ran.timings:
        output.stderr.write(_timings_table(ran.timings))


def _timings_table(rows: "tuple[FunctionTime, ...]") -> str:
    lines = ["      own ms   total ms      calls  function\n"]
    lines += [
        f"{row.own_s * 1000:>12.3f} {row.total_s * 1000:>10.3f} {row.calls:>10}  "
        f"{printable(row.name, _SHOWN_CHARACTERS)}\n"
        for row in rows[:_SHOWN_ROWS]
    ]
    if len(rows) > _SHOWN_ROWS:
        rest = sum(row.own_s for row in rows[_SHOWN_ROWS:]) * 1000
        lines.append(f"{rest:>12.3f} {'':>21}  {len(rows) - _SHOWN_ROWS} more\n")
    return "".join(lines)
