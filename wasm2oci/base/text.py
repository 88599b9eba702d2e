"""Text from outside made fit to be shown: printable, on one line, bounded."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["masked", "one_line", "printable"]

_LINE_MAX: Final = 300
_UNPRINTABLE: Final = r"[^\x20-\x7e\xa0-\u2027\u202f-\u2065\u2070-\ud7ff\uf900-\ufffd]+"
"""Compiled when it is first needed: that takes milliseconds, and most commands end well."""


def printable(text: str, longest: int | None = None) -> str:
    """The text with every character that is not printable written as an escape; spaces and tabs stay.

    Args:
        text: from any source.
        longest: the most characters to return, so that a megabyte that a peer sent is not shown; None for all.
    """
    shown = text if longest is None else text[: longest + 1]
    if not shown.isprintable():
        shown = "".join(
            char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in shown
        )
    return shown if longest is None or len(shown) <= longest else f"{shown[: longest - 3]}..."


def masked(text: str, also: str = "") -> str:
    """The text with one `?` for every character that is not printable, so that columns stay.

    Args:
        text: from any source.
        also: characters that are kept though they are not printable.
    """
    return "".join(char if char.isprintable() or char in also else "?" for char in text)


def one_line(text: str, limit: int = _LINE_MAX) -> str:
    """A peer's text as part of a message: one line of at most `limit` printable characters, blanks joined."""
    line = " ".join(re.sub(_UNPRINTABLE, " ", text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
