"""Results to standard output, everything else to standard error.

One result a run: `result` prints it as text, as JSON, or (with `-q`) as the one line that scripts want. Warnings, notes
and status lines go to standard error, so that a pipe only ever sees results. Text from outside is made printable
first: a title or a tag must not be able to drive the terminal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from wasm2oci.base.text import printable
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from wasm2oci.engine.facts import Extern
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.operations.module_info import ModuleInfo

__all__ = ["Output", "StandardOutputError", "descriptor_document", "fields", "module_document", "size_text"]


class StandardOutputError(LocalIOError):
    """Standard output does not take the result: the disk behind it is full, or it is closed."""


class Output:
    """The two streams, and how much goes to them."""

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        *,
        as_json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        bars: bool = True,
        color: bool = True,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.bars = bars
        self.color = color
        self._warned: set[str] = set()

    @property
    def interactive(self) -> bool:
        """Whether progress may be drawn: standard error is a terminal that understands it, and nobody said no."""
        return self.bars and not self.quiet and self.stderr.isatty()

    def result(
        self, document: Mapping[str, Any], lines: Iterable[str], *, quiet: str | Sequence[str] | None = None
    ) -> None:
        """Print the result of the command, and see that it went out.

        Args:
            document: the result for machines; printed with `--format json`.
            lines: the same for people.
            quiet: the one line (or the lines) that `-q` leaves; None leaves nothing.

        Raises:
            StandardOutputError: standard output does not take it.
        """
        if self.as_json:
            import json

            text = json.dumps(document, indent=2) + "\n"
        else:
            if self.quiet:
                lines = () if quiet is None else (quiet,) if isinstance(quiet, str) else quiet
            text = "".join(printable(line) + "\n" for line in lines)
        with _standard_output():
            self.stdout.write(text)
            self.stdout.flush()

    def raw(self, data: bytes) -> None:
        """Print these bytes as the result of the command.

        Raises:
            StandardOutputError: standard output does not take them.
        """
        with _standard_output():
            self.stdout.flush()
            self.stdout.buffer.write(data)
            self.stdout.buffer.flush()

    def flush(self) -> None:
        """Let both streams have what was written, before something else writes to what is behind them."""
        self.stdout.flush()
        self.stderr.flush()

    def line(self, text: str) -> None:
        """Say what is going on, unless quiet."""
        if not self.quiet:
            self._say(text)

    def note(self, text: str) -> None:
        """Say what only a curious user wants to know (`-v`)."""
        if self.verbose:
            self._say(text)

    def warn(self, text: str) -> None:
        """Say what may need attention, each text once."""
        if text not in self._warned:
            self._warned.add(text)
            self._say(f"warning: {text}")

    def _say(self, text: str) -> None:
        try:
            self.stderr.write(printable(text) + "\n")
        except BrokenPipeError:
            raise
        except OSError:
            return  # a remark that cannot be written is no reason to end a transfer


@contextmanager
def _standard_output() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StandardOutputError(f"cannot write standard output: {error.strerror}") from error


def fields(*pairs: tuple[str, object]) -> list[str]:
    """Lines `Name: value` with the values in one column; pairs whose value is None are left out.

    A value that is a list or tuple takes one line an item.
    """
    shown = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0) + 2
    lines = []
    for name, value in shown:
        items = value if isinstance(value, list | tuple) else [value]
        for number, item in enumerate(items):
            lines.append(f"{name + ':' if number == 0 else '':{width}}{item}".rstrip())
    return lines


def descriptor_document(descriptor: "Descriptor") -> dict[str, Any]:
    """What the JSON form of a result says about a manifest: mediaType, digest, size, artifactType."""
    document: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.artifact_type is not None:
        document["artifactType"] = descriptor.artifact_type
    return document


def module_document(module: "ModuleInfo") -> dict[str, Any]:
    """What the JSON form of a result says about a module: digest and size, and what it declares where that is known."""
    document: dict[str, Any] = {"digest": str(module.digest), "size": module.size}
    if module.facts is not None:
        facts = module.facts
        document |= {
            "kind": facts.kind,
            "imports": [_extern(extern) for extern in facts.imports],
            "exports": [_extern(extern) for extern in facts.exports],
            "functions": facts.functions,
            "features": list(facts.features),
            "producers": {field: dict(values) for field, values in facts.producers.items()},
        }
    return document


def _extern(extern: "Extern") -> dict[str, str | None]:
    document: dict[str, str | None] = {} if extern.module is None else {"module": extern.module}
    return {**document, "name": extern.name, "kind": extern.kind, "type": extern.type}


def size_text(size: int) -> str:
    """A size for people: `1,624,962 bytes`."""
    return f"{size:,} byte{'' if size == 1 else 's'}"
