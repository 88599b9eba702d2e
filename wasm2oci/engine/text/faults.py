"""Pieces of text that are no tokens: which they are, and what exactly is wrong with them and where.

The lexer takes a string that is not closed as far as it goes, and any character as a token when nothing else fits, so
it never stops; what it took that way is found here, once for each different token.
"""

from __future__ import annotations

import re
from typing import Final

from wasm2oci.engine.text.errors import TextError
from wasm2oci.engine.text.patterns import ANNOTATIONS, CHARACTERS, HEX_DIGITS, ID, STRING, atom_places, atoms
from wasm2oci.engine.text.strings import string_bytes

__all__ = ["annotation_head", "fault_at", "is_fault"]

_ID_CHARACTER: Final = re.compile(f"[{ID}]")
_RESERVED: Final = frozenset(",;[]{}")
_STRING: Final = re.compile(STRING)
_PLAIN: Final = re.compile(CHARACTERS)
_CHARACTER: Final = re.compile(rf"\\u\{{({HEX_DIGITS})\}}")
_HEX: Final = re.compile(HEX_DIGITS)
_LAST_SCALAR: Final = 0x10FFFF


def is_fault(token: str, *, annotated: bool = False) -> bool:
    """Whether what the lexer took is no token.

    Args:
        token: as the lexer gives it.
        annotated: it is within an annotation, where more is a token.
    """
    first = token[:1]
    if first == '"':
        found = _STRING.match(token)
        return found is None or _bad_scalar(token) is not None or (found.end() < len(token) and not annotated)
    if annotated:
        return not (first in "()" or first in _RESERVED or _ID_CHARACTER.match(token))
    if first == "(":
        return token != "(" and token not in ANNOTATIONS
    if first in {")", ""}:
        return False
    if not _ID_CHARACTER.match(token):
        return True
    return ('"' in token or "$" in token) and any(_atom_fault(atom) for atom in atoms(token))


def annotation_head(token: str) -> str:
    """An annotation's head with its id written plainly: `(@"name"` is `(@name`; "" where it has none."""
    if token[2:3] != '"':
        return token if len(token) > 2 else ""
    try:
        id_ = string_bytes(token[2:]).decode()
    except ValueError:  # not UTF-8, or no scalar value of Unicode
        return ""
    return f"(@{id_}" if id_ else ""


def _atom_fault(atom: str) -> str | None:
    """What is wrong with an atom: a string may be part of one only as an identifier."""
    if atom in {"$", '$""'}:
        return "empty identifier"
    if '"' not in atom:
        return None
    if not _STRING.fullmatch(atom, 1) or atom[0] != "$":
        return "unexpected token: a string must stand apart"
    if _bad_scalar(atom) is not None:
        return "invalid unicode scalar value"
    try:
        string_bytes(atom[1:]).decode()
    except UnicodeDecodeError:
        return "malformed UTF-8 encoding"
    return None


def fault_at(text: str, offset: int, token: str) -> TextError:
    """What is wrong with a token, and with which character of it.

    Args:
        text: the whole text.
        offset: where the token starts.
        token: as the lexer gives it.
    """
    first = token[0]
    if first == '"' and _STRING.match(token):
        place = _bad_scalar(token)
        if place is None:
            return TextError("unexpected token: a string must stand apart", text, offset)
        return TextError("invalid unicode scalar value", text, offset + place)
    if first == '"':
        return _string_fault(text, offset + 1)
    if first == "(":
        if token in {"(@", '(@""'}:
            return TextError("empty annotation id", text, offset)
        return TextError("unclosed annotation" if annotation_head(token) else "malformed UTF-8 encoding", text, offset)
    if not _ID_CHARACTER.match(token):
        what = "unexpected" if first in _RESERVED else "illegal"
        shown = first if first.isprintable() else f"\\u{{{ord(first):x}}}"
        return TextError(f"{what} character '{shown}'", text, offset)
    for atom, start in atom_places(token):
        fault = _atom_fault(atom)
        if fault:
            return TextError(fault, text, offset + start)
    raise AssertionError(token)


def _bad_scalar(token: str) -> int | None:
    """Where in a string or identifier an escape is that is no character: at its last digit, or the one too many."""
    if "\\u{" not in token:
        return None
    for found in _CHARACTER.finditer(token):
        digits = found[1].replace("_", "").lstrip("0")
        if len(digits) > 8:
            return found.end(1) - len(digits) + 8
        value = int(digits or "0", 16)
        if value > _LAST_SCALAR or 0xD800 <= value < 0xE000:
            return found.end(1) - 1
    return None


def _string_fault(text: str, start: int) -> TextError:
    """Why the string whose first character is at `start` does not end."""
    found = _PLAIN.match(text, start)
    place = start if found is None else found.end()

    def expected(what: str, offset: int) -> TextError:
        if offset >= len(text):
            return TextError("unexpected end-of-file: unclosed string", text, len(text))
        return TextError(f"{what} {text[offset]!r}", text, offset)

    if text[place : place + 1] != "\\":
        return expected("unclosed string: invalid character in string", place)
    escape = text[place + 1 : place + 2]
    if escape == "u":
        if text[place + 2 : place + 3] != "{":
            return expected("malformed escape: expected '{' but found", place + 2)
        digits = _HEX.match(text, place + 3)
        if digits is None:
            return expected("malformed escape: invalid hex digit", place + 3)
        if text[digits.end() : digits.end() + 1] == "_":
            return TextError("malformed escape: bare underscore in numeric literal", text, digits.end())
        return expected("malformed escape: expected '}' but found", digits.end())
    if escape and escape in "0123456789abcdefABCDEF":
        return expected("malformed escape: invalid hex digit", place + 2)
    return expected("invalid string escape", place + 1)
