"""Binaries that are components, or claim to be, and are as large, deep or false as they can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.wasm_sections import section, uleb
from wasm2oci.engine.text import assemble

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HOSTILE_STRUCTURES"]

_HEADER: Final = b"\0asm\x0d\0\1\0"


def _types(*types: bytes, count: int | None = None) -> bytes:
    return section(7, uleb(len(types) if count is None else count) + b"".join(types))


def _nested(depth: int) -> bytes:
    """Components in components, made from the innermost one outwards."""
    heads = []
    size = len(_HEADER)
    for _ in range(depth):
        heads.append(_HEADER + b"\x04" + uleb(size))
        size += len(heads[-1])
    return b"".join(reversed(heads)) + _HEADER


def _nested_types(depth: int, kind: bytes) -> bytes:
    """A type of components or instances, with another as its only declaration, and so on."""
    return _types(kind + b"\x01\x01" + (kind + b"\x01\x01") * depth + b"\x7d")


def _label(text: str) -> bytes:
    return uleb(len(text)) + text.encode()


_DOUBLED: Final = "(component $a0) " + " ".join(
    [
        f"""(component $a{depth} (alias outer 1 $a{depth - 1} (component $inner))
      (instance (instantiate $inner)) (instance (instantiate $inner)))"""
        for depth in range(1, 40)
    ]
)

HOSTILE_STRUCTURES: Final[dict[str, tuple[Callable[[], bytes], bool]]] = {
    "components nested a million deep": (lambda: _nested(1_000_000), False),
    "component types nested 100,000 deep": (lambda: _HEADER + _nested_types(100_000, b"\x41"), False),
    "instance types nested 100,000 deep": (lambda: _HEADER + _nested_types(100_000, b"\x42"), False),
    "a thousand types": (lambda: _HEADER + _types(*[b"\x6f\x02\x7d\x73"] * 1000), True),
    "100,000 types": (lambda: _HEADER + _types(*[b"\x70\x7d"] * 100_000), True),
    "lists of lists, 100,000 deep": (
        lambda: _HEADER + _types(b"\x70\x7d", *[b"\x70" + uleb(index) for index in range(99_999)]),
        False,
    ),
    "tuples of the one before, twice": (
        lambda: _HEADER + _types(b"\x6f\x02\x7d\x7d", *[b"\x6f\x02" + uleb(index) * 2 for index in range(60)]),
        False,
    ),
    "a type of itself": (lambda: _HEADER + _types(b"\x70\x00"), False),
    "two types of each other": (lambda: _HEADER + _types(b"\x70\x01", b"\x70\x00"), False),
    "an alias of itself": (lambda: _HEADER + section(6, b"\x01\x03\x02\x00\x00"), False),
    "an alias of 4,294,967,295 components outwards": (
        lambda: _HEADER + section(6, b"\x01\x03\x02\xff\xff\xff\xff\x0f\x00"),
        False,
    ),
    "a count that lies": (lambda: _HEADER + _types(b"\x70\x7d", count=0xFFFF_FFFF), False),
    "a section that lies": (lambda: _HEADER + b"\x07\xff\xff\xff\xff\x0f\x00", False),
    "a name that lies": (lambda: _HEADER + section(10, b"\x01\x00\xff\xff\xff\xff\x0fa\x01\x00"), False),
    "a record of 200,000 fields": (
        lambda: (
            _HEADER
            + _types(b"\x72" + uleb(200_000) + b"".join([_label(f"a{number}") + b"\x7d" for number in range(200_000)]))
        ),
        True,
    ),
    "flags without labels": (lambda: _HEADER + _types(b"\x6e\x00"), False),
    "33 flags": (
        lambda: _HEADER + _types(b"\x6e\x21" + b"".join([_label(f"a{number}") for number in range(33)])),
        False,
    ),
    "a list of 4,294,967,295 elements": (lambda: _HEADER + _types(b"\x67\x7d\xff\xff\xff\xff\x0f"), False),
    "instances doubled 39 times": (lambda: assemble(f"(component {_DOUBLED} (instance (instantiate $a39)))"), True),
    "100,000 imports": (
        lambda: (
            _HEADER
            + _types(b"\x40\x00\x01\x00")
            + section(10, uleb(100_000) + b"".join([b"\0" + _label(f"f{n}") + b"\x01\x00" for n in range(100_000)]))
        ),
        True,
    ),
    "a name of 90,000 characters in 270,000 places": (
        lambda: assemble(f"""(component (import "{"a" * 90_000}" (type $long (sub resource)))
          (type $f (func {" ".join([f'(param "p{n}" (own $long))' for n in range(900)])}))
          {" ".join([f'(import "f{n}" (func (type $f)))' for n in range(300)])})"""),
        True,
    ),
}
"""By name: the bytes, and whether they are a valid component."""
