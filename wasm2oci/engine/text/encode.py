"""Values of the binary format, as bytes. Spec: core, binary format, values (5.2) and modules (5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["name", "section", "sized", "sleb", "uleb", "vector"]

_SMALL: Final = tuple(bytes([value]) for value in range(0x80))


def uleb(value: int) -> bytes:
    """An unsigned integer in LEB128."""
    if value < 0x80:
        return _SMALL[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sleb(value: int) -> bytes:
    """A signed integer in LEB128."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def vector(items: Sequence[bytes]) -> bytes:
    """How many there are, and all of them."""
    return uleb(len(items)) + b"".join(items)


def sized(data: bytes) -> bytes:
    """How long it is, and the bytes."""
    return uleb(len(data)) + data


def name(text: str) -> bytes:
    """A name: UTF-8 and its length."""
    return sized(text.encode())


def section(id_: int, contents: bytes) -> bytes:
    """A section."""
    return bytes([id_]) + sized(contents)
