"""`wasm-to-oci`: the command line of engineerd/wasm-to-oci 0.1.2, done by this tool.

Same commands, same flags, same bytes in the registry, same three lines. The differences, each on purpose:

* The lines go to standard output as plain text; the old tool logged them to standard error with a time stamp.
* Errors have this tool's exit codes; the old tool ended in 1, or crashed, or ended in 0 without writing the file.
* Notary v1 (`--sign`, `--server`, `--tlscacert`) is refused: it has been retired.
* `--dir` and `--timeout` only ever concerned Notary; they are taken and change nothing.

What `Digest:` means differs between the two commands, as it always did: after a push it is the manifest's digest, after
a pull the layer's, which is the module's own.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from wasm2oci.cli.declare import option_group
from wasm2oci.cli.loader import PARSER_SETTINGS, make_command
from wasm2oci.cli.options import Connection, Reporting
from wasm2oci.cli.output import Output
from wasm2oci.cli.session import Session
from wasm2oci.errors import UnsupportedError

__all__ = ["DropInGroup", "Level", "NotaryError", "OldOptions", "pull", "push", "reorder", "root"]

_VALUED: Final = {"--server", "--tlscacert", "-d", "--dir", "--log", "-t", "--timeout"}


class NotaryError(UnsupportedError):
    """Notary v1 was asked for."""

    def __init__(self, flag: str) -> None:
        super().__init__(
            f"{flag} is not supported: it belongs to Docker Notary v1, which has been retired",
            hint="leave it out; sign the digest that push prints with cosign or notation instead",
        )


class Level(StrEnum):
    """How much is said."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"


@option_group("Global options")
class OldOptions(NamedTuple):
    """The flags that both commands of the old tool had."""

    insecure: Annotated[bool, typer.Option("--insecure", help="Do not check the registry's certificate.")] = False
    use_http: Annotated[bool, typer.Option("--use-http", help="Use plain http instead of https.")] = False
    log: Annotated[Level, typer.Option("--log", help="How much is said.")] = Level.INFO
    directory: Annotated[
        str | None, typer.Option("--dir", "-d", metavar="DIR", help="Taken and not used.", show_default=False)
    ] = None
    timeout: Annotated[
        str | None, typer.Option("--timeout", "-t", metavar="TIME", help="Taken and not used.", show_default=False)
    ] = None
    sign: Annotated[bool, typer.Option("--sign", help="Refused: Notary v1 is retired.")] = False
    server: Annotated[str | None, typer.Option("--server", metavar="URL", help="Refused: Notary v1 is retired.")] = None
    tlscacert: Annotated[
        str | None, typer.Option("--tlscacert", metavar="FILE", help="Refused: it was for Notary v1 only.")
    ] = None

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            NotaryError: a flag of Notary v1 was given.
        """
        for flag, given in (("--sign", self.sign), ("--server", self.server), ("--tlscacert", self.tlscacert)):
            if given:
                raise NotaryError(flag)

    def connection(self) -> Connection:
        """How the registry is reached."""
        return Connection(plain_http=self.use_http, insecure=self.insecure)

    def output(self, session: Session) -> Output:
        """Where things are said: `debug` says more; `warn` and above hide the three lines, as they always did."""
        return session.output(
            Reporting(verbose=self.log is Level.DEBUG, quiet=self.log not in {Level.DEBUG, Level.INFO})
        )


def push(
    session: Session,
    *,
    module: Annotated[str, typer.Argument(metavar="MODULE", help="The file to push.", show_default=False)],
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="HOST/NAME:TAG.", show_default=False)],
    old: OldOptions,
) -> None:
    """Pushes a WASM module to an OCI registry."""
    from wasm2oci.oci.reference import Reference
    from wasm2oci.operations.push import PushRequest
    from wasm2oci.operations.push import push as push_module

    old.check()
    output = old.output(session)
    # The title is the argument exactly as it was typed: the old tool's bytes depend on it.
    request = PushRequest(Path(module), Reference.parse(reference), profile="wasm-to-oci", title=module)
    result = push_module(request, session.environment(output, old.connection()))
    output.result({}, [f"Pushed: {reference}", f"Size: {result.module.size}", f"Digest: {result.manifest.digest}"])


def pull(
    session: Session,
    *,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="HOST/NAME:TAG.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Name of the output module.")] = Path(
        "module.wasm"
    ),
    old: OldOptions,
) -> None:
    """Pulls a WASM module from an OCI registry."""
    from wasm2oci.oci.reference import Reference
    from wasm2oci.operations.pull import PullRequest
    from wasm2oci.operations.pull import pull as pull_module

    old.check()
    output = old.output(session)
    request = PullRequest(Reference.parse(reference), output=out, mode=0o777)
    result = pull_module(request, session.environment(output, old.connection()))
    output.result({}, [f"Pulled: {reference}", f"Size: {result.module.size}", f"Digest: {result.module.digest}"])


class DropInGroup(TyperGroup):
    """The root command of `wasm-to-oci`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The two commands there are."""
        del ctx
        return ["pull", "push"]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # type: ignore[override]
        """The command of this name."""
        del ctx
        if cmd_name == "push":
            return make_command("push", push)
        return make_command("pull", pull) if cmd_name == "pull" else None


def root() -> DropInGroup:
    """The whole of `wasm-to-oci` as one typer command."""
    return DropInGroup(
        name="wasm-to-oci",
        help="Push and pull WebAssembly modules; the same tool as wasm2oci, under its predecessor's name and flags.",
        rich_markup_mode=None,
        context_settings=dict(PARSER_SETTINGS),
    )


def reorder(arguments: Sequence[str]) -> list[str]:
    """Put the command first: the old tool took its global flags before the command's name as well as after it."""
    position = 0
    while position < len(arguments) and arguments[position].startswith("-") and arguments[position] != "--":
        position += 2 if arguments[position] in _VALUED else 1
    if not arguments:
        return ["--help"]
    if position >= len(arguments):
        return list(arguments)
    return [arguments[position], *arguments[:position], *arguments[position + 1 :]]
