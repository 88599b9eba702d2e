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

from wasm2oci.cli.declare import Argument, Group, Option
from wasm2oci.cli.options import Reporting
from wasm2oci.cli.output import Output
from wasm2oci.cli.terminal import Terminal
from wasm2oci.client import Client, ConnectOptions, Reference
from wasm2oci.errors import UnsupportedError

__all__ = ["Level", "NotaryError", "OldOptions", "pull", "push", "reorder"]

_VALUED: Final = {"--server", "--tlscacert", "-d", "--dir", "--log", "-t", "--timeout"}


class NotaryError(UnsupportedError):
    """Notary v1 was asked for."""

    def __init__(self, flag: str) -> None:
        super().__init__(
            f"{flag} is not supported: it belongs to Docker Notary v1, which has been retired",
            hint="leave it out, and sign what push prints: wasm2oci sign REF --key KEY",
        )


class Level(StrEnum):
    """How much is printed."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"


class OldOptions(NamedTuple):
    """The flags that both commands of the old tool had."""

    insecure: bool = False
    use_http: bool = False
    log: Level = Level.INFO
    directory: str | None = None
    timeout: str | None = None
    sign: bool = False
    server: str | None = None
    tlscacert: str | None = None

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            NotaryError: a flag of Notary v1 was given.
        """
        for flag, given in (("--sign", self.sign), ("--server", self.server), ("--tlscacert", self.tlscacert)):
            if given:
                raise NotaryError(flag)

    def output(self, terminal: Terminal) -> Output:
        """Where things are printed: `debug` prints more; `warn` and above hide the three lines, as they always did."""
        return terminal.output(
            Reporting(verbose=self.log is Level.DEBUG, quiet=self.log not in {Level.DEBUG, Level.INFO})
        )

    def client(self, terminal: Terminal, output: Output) -> Client:
        """The library, with the registry reached as the flags have it."""
        return terminal.client(output, ConnectOptions(plain_http=self.use_http, insecure=self.insecure))


_Old = Annotated[
    OldOptions,
    Group(
        "Global options",
        insecure=Option("--insecure", help="Do not check the registry's certificate."),
        use_http=Option("--use-http", help="Use plain http instead of https."),
        log=Option("--log", help="How much is printed."),
        directory=Option("--dir", "-d", metavar="DIR", help="Taken and not used."),
        timeout=Option("--timeout", "-t", metavar="TIME", help="Taken and not used."),
        sign=Option("--sign", help="Refused: Notary v1 is retired."),
        server=Option("--server", metavar="URL", help="Refused: Notary v1 is retired."),
        tlscacert=Option("--tlscacert", metavar="FILE", help="Refused: it was for Notary v1 only."),
    ),
]
_ReferenceArgument = Annotated[str, Argument("REFERENCE", "HOST/NAME:TAG.")]


def push(
    terminal: Terminal,
    *,
    module: Annotated[str, Argument("MODULE", "The file to push.")],
    reference: _ReferenceArgument,
    old: _Old,
) -> None:
    """Pushes a WASM module to an OCI registry."""
    old.check()
    output = old.output(terminal)
    with old.client(terminal, output) as client:
        # The title is the argument exactly as it was typed: the old tool's bytes depend on it.
        result = client.push(module, str(Reference.parse(reference)), profile="wasm-to-oci", title=module)
    output.result(result, [f"Pushed: {reference}", f"Size: {result.module.size}", f"Digest: {result.manifest.digest}"])


def pull(
    terminal: Terminal,
    *,
    reference: _ReferenceArgument,
    out: Annotated[Path, Option("--out", "-o", metavar="FILE", help="Name of the output module.")] = Path(
        "module.wasm"
    ),
    old: _Old,
) -> None:
    """Pulls a WASM module from an OCI registry."""
    old.check()
    output = old.output(terminal)
    with old.client(terminal, output) as client:
        result = client.pull(str(Reference.parse(reference)), out, mode=0o777)
    output.result(result, [f"Pulled: {reference}", f"Size: {result.module.size}", f"Digest: {result.module.digest}"])


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
