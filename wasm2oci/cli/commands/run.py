"""`wasm2oci run`."""

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TextIO

import typer

from wasm2oci.cli.declare import option_group
from wasm2oci.cli.options import Connection, Reporting
from wasm2oci.cli.running import descriptor, report
from wasm2oci.cli.session import Session

__all__ = ["CONTEXT_SETTINGS", "command", "rewrite"]

CONTEXT_SETTINGS: Final[dict[str, Any]] = {"allow_interspersed_args": False}


class Engine(StrEnum):
    """The engines."""

    AUTO = "auto"
    EMBEDDED = "embedded"
    WASMTIME = "wasmtime"


class Pull(StrEnum):
    """When the registry is asked."""

    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


@option_group("What the guest gets")
class World(NamedTuple):
    """What the guest gets; nothing else is let in."""

    env: Annotated[
        list[str] | None,
        typer.Option("--env", "-e", metavar="K[=V]", help="A variable; without a value, your own is passed on."),
    ] = None
    env_file: Annotated[
        list[Path] | None, typer.Option("--env-file", metavar="FILE", help="Variables, one K=V a line.")
    ] = None
    dir: Annotated[
        list[str] | None,
        typer.Option("--dir", metavar="HOST[::GUEST][:ro]", help="A directory, under its own or another name."),
    ] = None
    invoke: Annotated[
        str | None,
        typer.Option("--invoke", metavar="NAME", help="Call this function; the arguments are its typed values."),
    ] = None
    trap_missing: Annotated[
        bool, typer.Option("--trap-missing", help="Start although imports are missing; calling one traps.")
    ] = False


@option_group("Limits")
class Bounds(NamedTuple):
    """What it may use."""

    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Stop it after 30s, 500ms, 2m; exit 124.")
    ] = None
    fuel: Annotated[
        int | None, typer.Option("--fuel", metavar="N", min=1, help="Stop it after about N instructions.")
    ] = None
    max_memory: Annotated[
        str, typer.Option("--max-memory", metavar="SIZE", help="What a memory of it may grow to.")
    ] = "1GiB"


@option_group("Fetching")
class Choosing(NamedTuple):
    """Which module, and how it is fetched."""

    pull: Annotated[Pull, typer.Option("--pull", help="When to ask the registry.")] = Pull.MISSING
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="DIGEST", help="Run nothing but this module, or this manifest's."),
    ] = None
    module: Annotated[
        str | None,
        typer.Option("--module", metavar="NAME", help="Which one, if there are several: title, path, digest."),
    ] = None
    platform: Annotated[str | None, typer.Option("--platform", metavar="OS/ARCH", help="Which entry of an index.")] = (
        None
    )


@option_group("Engine options")
class Watching(NamedTuple):
    """How it is run, and looked at while it runs."""

    engine: Annotated[Engine, typer.Option("--engine", help="What runs it; auto takes wasmtime if it can.")] = (
        Engine.AUTO
    )
    trace: Annotated[
        bool, typer.Option("--trace", help="A line for each WASI call on standard error; --trace=FILE: into a file.")
    ] = False
    trace_file: Annotated[str | None, typer.Option("--trace-file", metavar="FILE", hidden=True)] = None
    profile: Annotated[bool, typer.Option("--profile", help="Say at the end where time went (embedded engine).")] = (
        False
    )
    no_code_cache: Annotated[
        bool, typer.Option("--no-code-cache", help="Neither keep nor use code made from modules.")
    ] = False


def rewrite(arguments: list[str]) -> list[str]:
    """`--trace=FILE` as the parser takes it; only before the module, for what follows is the guest's."""
    return [f"--trace-file={word[8:]}" if word.startswith("--trace=") else word for word in arguments]


def command(
    session: Session,
    *,
    subject: Annotated[
        str,
        typer.Argument(metavar="REF|FILE", help="HOST/NAME:TAG, ...@DIGEST, oci-layout:DIR:TAG, or a file."),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS...]", help="The guest's own.", show_default=False)
    ] = None,
    world: World,
    bounds: Bounds,
    choosing: Choosing,
    watching: Watching,
    reporting: Reporting,
    connection: Connection,
) -> int:
    """Fetch a module, verify it and run it.

    It sees no files, no variables and no network but what you give it. Everything
    after REF is the guest's, options too. The exit code is the guest's own; 124
    when its time was over, 125 when it could not be started, 134 when it trapped.

      wasm2oci run ghcr.io/me/tool:v1 --its-own-flag

      wasm2oci run --dir .::/data:ro --env LANG app.wasm /data/in.txt
    """
    from wasm2oci.oci.digest import Digest
    from wasm2oci.operations.fetch_module import FetchPolicy
    from wasm2oci.operations.fetch_module import Pull as PullPolicy
    from wasm2oci.operations.run import GuestRequest, run
    from wasm2oci.operations.run_options import parse_directory, parse_duration, parse_environment, parse_size
    from wasm2oci.operations.subject import parse_subject
    from wasm2oci.runtime import EngineChoice, Limits

    if world.invoke is not None and (arguments or [])[:1] == ["--"]:
        arguments = (arguments or [])[1:]  # no value looks so: a habit of those who give negative ones
    output = session.output(reporting)
    environment = session.environment(output, connection)
    with _trace_lines(watching, session.stderr) as trace:
        session.stdout.flush()
        session.stderr.flush()
        result = run(
            GuestRequest(
                subject=parse_subject(subject),
                args=tuple(arguments or ()),
                policy=FetchPolicy(
                    pull=PullPolicy(choosing.pull.value),
                    digest=None if choosing.digest is None else Digest.parse(choosing.digest),
                    wanted=choosing.module,
                    platform=choosing.platform,
                ),
                environment=parse_environment(world.env or (), world.env_file or (), session.variables),
                preopens=tuple(parse_directory(text) for text in world.dir or ()),
                stdin=descriptor(session.stdin, session.stdin.read),
                stdout=descriptor(session.stdout.buffer, session.stdout.buffer.write),
                stderr=descriptor(session.stderr.buffer, session.stderr.buffer.write),
                invoke=world.invoke,
                limits=Limits(
                    timeout_s=None if bounds.timeout is None else parse_duration(bounds.timeout, "--timeout"),
                    fuel=bounds.fuel,
                    max_memory=parse_size(bounds.max_memory, "--max-memory"),
                ),
                engine=EngineChoice(watching.engine.value),
                missing_as_traps=world.trap_missing,
                trace=trace,
                profile=watching.profile,
                cached=not watching.no_code_cache,
            ),
            environment,
        )
    outcome = result.outcome
    if world.invoke is not None and not outcome.exit_code:
        document = {"function": world.invoke, "results": list(outcome.results), "engine": outcome.engine.value}
        output.result(document, outcome.results, quiet="\n".join(outcome.results) or None)
    report(outcome, output, bounds.timeout)
    return outcome.exit_code


@contextlib.contextmanager
def _trace_lines(watching: Watching, stderr: TextIO) -> Iterator[Callable[[str], object] | None]:
    """What takes the lines of a trace, if one is wanted."""
    from wasm2oci.errors import LocalIOError

    if watching.trace_file is not None:
        try:
            file = Path(watching.trace_file).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed below
        except OSError as error:
            raise LocalIOError(f"{watching.trace_file}: {error.strerror}") from error
        with file:
            yield file.write
    elif watching.trace:

        def write(line: str) -> None:
            stderr.write(line)
            stderr.flush()

        yield write
    else:
        yield None
