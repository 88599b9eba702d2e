"""Text from outside: made fit to be shown (printable, on one line, bounded), and taken from callers as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "encoded",
    "encoded_args",
    "error_line",
    "is_visible",
    "masked",
    "must_be_text",
    "one_line",
    "printable",
]

_LINE_MAX: Final = 300
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159\U00016fe4"
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""Letters and marks that Unicode counts as printable and that show nothing: fillers, joiners, variation selectors."""


def is_visible(text: str) -> bool:
    """Whether all of the text can be seen where it is printed; a blank counts as seen."""
    return text.isprintable() and (text.isascii() or _INVISIBLE.isdisjoint(text))


def printable(text: str, longest: int | None = None) -> str:
    """The text with every character that cannot be seen written as an escape; spaces and tabs stay.

    Args:
        text: from any source.
        longest: the most characters to return, so that a megabyte that a peer sent is not shown; None for all.
    """
    shown = text if longest is None else text[: longest + 1]
    if not is_visible(shown):
        shown = "".join(
            char if is_visible(char) or char == "\t" else char.encode("unicode_escape").decode() for char in shown
        )
    return shown if longest is None or len(shown) <= longest else f"{shown[: longest - 3]}..."


def masked(text: str, also: str = "") -> str:
    """The text with one `?` for every character that cannot be seen, so that columns stay.

    Args:
        text: from any source.
        also: characters that are kept though they cannot be seen.
    """
    return "".join(char if is_visible(char) or char in also else "?" for char in text)


def one_line(text: str, limit: int = _LINE_MAX) -> str:
    """A peer's text as part of a message: one line of at most `limit` printable characters, blanks joined."""
    line = " ".join("".join(char if is_visible(char) else " " for char in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def error_line(error: BaseException, limit: int = _LINE_MAX) -> str:
    """What the error of a foreign library says, as `one_line`; its kind when it says nothing."""
    return one_line(str(error), limit) or type(error).__name__


def must_be_text(value: object, what: str) -> None:
    """Refuse what a caller of the library gives in the place of text, where it comes in.

    Raises:
        TypeError: it is no `str`.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}: {value!r:.80}")


def encoded(text: str) -> bytes:
    """Text of a command line or a variable as the bytes that it was. Raises as `must_be_text`."""
    must_be_text(text, "an argument or a variable")
    return text.encode("utf-8", "surrogateescape")


def encoded_args(args: Iterable[str]) -> tuple[bytes, ...]:
    """Each of several arguments as the bytes that it was.

    Raises:
        TypeError: one is no `str`, or all of them are one, which would be an argument for each character.
    """
    if isinstance(args, str):
        raise TypeError(f"args is a sequence of str, not a str: {args!r:.80}")
    return tuple(map(encoded, args))
