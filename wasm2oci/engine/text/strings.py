"""String literals. Spec: core, text format, strings (6.3.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text.patterns import HEX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["escaped", "string_bytes"]

_BYTE: Final = r"\\[0-9a-fA-F]{2}"
_ESCAPE: Final = re.compile(rf"""({_BYTE}(?:{_BYTE}|)*+)|\\([tnr"'\\])|\\u\{{({HEX_DIGITS})\}}""".encode())
_NOT_HEX: Final = re.compile(rb"\\[^0-9a-fA-F]")
_MEANING: Final = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b'"': b'"', b"'": b"'", b"\\": b"\\"}


def string_bytes(literal: str) -> bytes:
    """The bytes of a string literal that the lexer took, quotes included."""
    raw = literal[1:-1].encode()
    if b"\\" not in raw:
        return raw
    if _NOT_HEX.search(raw):
        return _ESCAPE.sub(_meaning, raw)
    # Python's own escapes are read at the speed of C; here every backslash begins one of two digits.
    return raw.replace(b"\\", b"\\x").decode("unicode_escape").encode("latin-1")


def _meaning(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes.fromhex(found[1].replace(b"\\", b"").decode())
    if found[2]:
        return _MEANING[found[2]]
    return chr(int(found[3].replace(b"_", b""), 16)).encode()


def escaped(data: Iterable[int]) -> str:
    """A string literal of these bytes, quotes included."""
    return '"' + "".join(map(_WRITTEN.__getitem__, data)) + '"'


_WRITTEN: Final = tuple(
    chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:02x}" for byte in range(256)
)
