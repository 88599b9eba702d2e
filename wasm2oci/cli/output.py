"""Results to standard output, everything else to standard error.

One result a run: `result` prints it as text, as JSON, or (with `-q`) as the one line that scripts want. Warnings, notes
and status lines go to standard error, so that a pipe only ever sees results. Text from outside is made printable
first: a title or a tag must not be able to drive the terminal.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from wasm2oci.base.records import NamedTuple
from wasm2oci.base.text import printable
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Field", "Output", "StandardOutputError", "fields", "size_text"]

_INDENT: Final = 2
"""Columns before a value that is below its name."""


class StandardOutputError(LocalIOError):
    """Standard output cannot be written: its disk is full, or it is closed."""


class Field(NamedTuple):
    """A named value of a result.

    Args:
        name: what the value is.
        values: one line each.
        column: where the values of this result begin, counted from 0.
    """

    name: str
    values: tuple[str, ...]
    column: int

    def lines(self, columns: int | None) -> list[str]:
        """Lines no wider than `columns`, where the words allow it; None for no limit.

        A value that is too wide for the column of its result comes right after its name, else below it.
        """
        room = None if columns is None else columns - max(map(len, self.values), default=0)
        label = f"{self.name}:"
        if room is None or room >= self.column or (len(self.values) == 1 and room > len(label)):
            column = self.column if room is None or room >= self.column else len(label) + 1
            values = self.values or ("",)
            return [f"{label if number == 0 else '':{column}}{text}".rstrip() for number, text in enumerate(values)]
        import textwrap

        wrap = textwrap.TextWrapper(
            columns or 0,
            initial_indent=" " * _INDENT,
            subsequent_indent=" " * 2 * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [label, *(line for text in self.values for line in wrap.wrap(text))]


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
        columns: int | None = None,
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.bars = bars
        self.color = color
        self.columns = columns
        self._warned: set[str] = set()

    @property
    def interactive(self) -> bool:
        """Whether progress may be drawn: standard error is a terminal, and progress is not switched off."""
        return self.bars and not self.quiet and self.stderr.isatty()

    def result(
        self, result: object, lines: Iterable[str | Field], *, quiet: str | Sequence[str] = (), empty: str = ""
    ) -> None:
        """Print the result of the command, and flush it.

        Args:
            result: printed as a JSON document with `--format json`; see `wasm2oci.document`.
            lines: the same for people.
            quiet: the line or the lines that `-q` leaves.
            empty: the status line for a result without lines.

        Raises:
            StandardOutputError: standard output does not take it.
        """
        if self.as_json:
            self.document(result)
        elif self.quiet:
            self.text((quiet,) if isinstance(quiet, str) else quiet)
        else:
            shown = list(lines)
            self.text(shown)
            if not shown and empty:
                self.line(empty)

    def document(self, result: object) -> None:
        """Print a result as a JSON document. Raises as `result`."""
        import json

        from wasm2oci.client import document

        self._write(json.dumps(document(result), indent=2) + "\n")

    def text(self, lines: Iterable[str | Field]) -> None:
        """Print lines and fields, without what would drive the terminal. Raises as `result`."""
        self._write("".join(printable(line) + "\n" for line in self._plain(lines)))

    def text_aside(self, lines: Iterable[str | Field]) -> None:
        """The same on standard error, unless quiet: where standard output belongs to something else."""
        for line in self._plain(lines):
            self.line(line)

    def _plain(self, lines: Iterable[str | Field]) -> Iterator[str]:
        for line in lines:
            yield from [line] if isinstance(line, str) else line.lines(self.columns)

    def _write(self, text: str) -> None:
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
        """Flush both streams, before another writer uses the same files or terminal."""
        self.stdout.flush()
        self.stderr.flush()

    def line(self, text: str) -> None:
        """Write a status line to standard error, unless quiet."""
        if not self.quiet:
            self._say(text)

    def note(self, text: str) -> None:
        """Write a line that explains something, with `-v` only."""
        if self.verbose:
            self._say(text)

    def warn(self, text: str) -> None:
        """Write a warning, each text once."""
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


def fields(*pairs: tuple[str, object]) -> list[str | Field]:
    """Fields `Name: value` with the values in one column; pairs whose value is None are left out.

    A value that is a list or tuple takes one line an item.
    """
    shown = [(name, value) for name, value in pairs if value is not None]
    column = max((len(name) for name, _ in shown), default=0) + 2
    return [
        Field(name, tuple(map(str, value if isinstance(value, list | tuple) else [value])), column)
        for name, value in shown
    ]


def size_text(size: int) -> str:
    """A size for people: `1,624,962 bytes`."""
    return f"{size:,} byte{'' if size == 1 else 's'}"
