"""What can be wrong with a module or component in the text format, and how it is shown.

x.wat: error: unknown local $count (line 3, column 14)
    local.get $count
              ^
"""

from __future__ import annotations

import unicodedata

from wasm2oci.errors import InvalidInputError

__all__ = ["TextError"]

_BEFORE, _AFTER = 60, 40
"""Characters of a long line that are shown before and after the place."""


class TextError(InvalidInputError):
    """The text is neither a module nor a component. Spec: core, text format (ch. 6).

    Args:
        reason: what is wrong, in the specification's words where it has some.
        text: the whole text.
        offset: where, in characters from the start of the text.

    Attributes:
        line: counted from 1.
        column: in characters, counted from 1.
    """

    def __init__(self, reason: str, text: str, offset: int) -> None:
        before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        self.reason = reason
        self.offset = offset
        self.line = before.count("\n") + 1
        self.column = len(before) - before.rfind("\n")
        super().__init__(f"{reason} (line {self.line}, column {self.column})")
        end = min((place for place in (text.find("\n", offset), text.find("\r", offset)) if place >= 0), default=None)
        self._shown = _excerpt(text[offset - self.column + 1 : end], self.column - 1)

    @property
    def detail(self) -> str:
        """The line, cut where it is long, and a caret under the place."""
        return self._shown

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders, so they pickle with all their parts."""
        return (_rebuild, (self.message, self.__dict__))


def _excerpt(line: str, column: int) -> str:
    start = max(0, column - _BEFORE)
    shown = "".join(char if char.isprintable() else " " for char in line[start : column + _AFTER])
    return f"{shown}\n{' ' * sum(map(_cells, shown[: column - start]))}^"


def _cells(char: str) -> int:
    """How many places of a terminal a character takes."""
    if char.isascii():
        return 1
    return 0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _rebuild(message: str, parts: dict[str, object]) -> TextError:
    error = TextError.__new__(TextError)
    Exception.__init__(error, message)
    error.__dict__.update(parts)
    return error
