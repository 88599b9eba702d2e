"""Component types, stepped over; only the name a WIT package gives an interface or world is kept.

A WIT package is a component that exports a type for each interface and world, under a short name (`types`). The type
is a component type whose one export has the full name (`wasi:http/types@0.2.0`), which is the name everybody uses.

Spec: component model, Binary.md, type definitions; WIT.md, package format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.binary.component_names import read_name
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader

__all__ = ["alias", "declared_name"]

_PRIMITIVES = frozenset({*range(0x73, 0x80), 0x64})
_MANY = 1_000_000  # entries of any vector here: as many as a module may have types


def declared_name(reader: Reader, depth: int = 0) -> str | None:
    """Steps over one type definition.

    Returns:
        The last export's name where it is a component type, else None.

    Raises:
        MalformedError: it is malformed, or something this reader does not know.
    """
    if depth > limits.MAX_COMPONENT_NESTING:
        limit = limits.MAX_COMPONENT_NESTING
        raise MalformedError(f"types nested too deep: this engine's limit is {limit}", reader.pos)
    offset = reader.pos
    byte = reader.byte()
    if byte == 0x41:
        return _declarations(reader, depth)
    if byte == 0x42:
        _declarations(reader, depth)
    elif byte in {0x40, 0x43}:  # functions, synchronous and not
        _labelled(reader)
        if reader.byte() == 0:
            _value(reader)
        else:
            reader.byte()
    elif byte == 0x3F:  # a resource: what represents it, and perhaps a destructor
        reader.byte()
        if reader.byte():
            reader.u32()
    elif byte not in _PRIMITIVES:
        _composite(reader, byte, offset)
    return None


def _declarations(reader: Reader, depth: int) -> str | None:
    """The declarations of a component or instance type; gives the last export's name."""
    name = None
    for _ in range(reader.count(_MANY, "declarations", 2)):
        offset = reader.pos
        kind = reader.byte()
        if kind == 0x01:
            declared_name(reader, depth + 1)
        elif kind == 0x02:
            alias(reader)
        elif kind in {0x03, 0x04}:
            text, _ = read_name(reader)
            _extern_type(reader)
            if kind == 0x04:
                name = text
        else:
            raise MalformedError("unknown declaration", offset)
    return name


def alias(reader: Reader) -> int:
    """Steps over an alias; gives its sort (0: one of the core sorts)."""
    sort = reader.byte()
    if sort == 0:
        reader.byte()
    target = reader.byte()
    reader.u32()
    if target == 0x02:
        reader.u32()
    else:
        reader.name(limits.MAX_STRING_SIZE)
    return sort


def _extern_type(reader: Reader) -> None:
    sort = reader.byte()
    if sort == 0:
        reader.byte()
        reader.u32()
    elif sort == 0x02:
        _value(reader)
    elif sort == 0x03:
        if not reader.byte():
            reader.u32()
    else:
        reader.u32()


def _value(reader: Reader) -> None:
    reader.s33()  # a primitive (negative) or an index


def _optional(reader: Reader) -> None:
    if reader.byte():
        _value(reader)


def _labelled(reader: Reader) -> None:
    for _ in range(reader.count(_MANY, "labels", 2)):
        reader.name(limits.MAX_STRING_SIZE)
        _value(reader)


def _composite(reader: Reader, byte: int, offset: int) -> None:
    """Steps over a value type that is made of others."""
    if byte == 0x72:  # record
        _labelled(reader)
    elif byte == 0x71:  # variant
        for _ in range(reader.count(_MANY, "cases", 3)):
            reader.name(limits.MAX_STRING_SIZE)
            _optional(reader)
            reader.byte()
    elif byte in {0x70, 0x6B}:  # list, option
        _value(reader)
    elif byte == 0x67:  # list of fixed length
        _value(reader)
        reader.u32()
    elif byte == 0x6F:  # tuple
        for _ in range(reader.count(_MANY, "types")):
            _value(reader)
    elif byte in {0x6E, 0x6D}:  # flags, enum
        for _ in range(reader.count(_MANY, "labels")):
            reader.name(limits.MAX_STRING_SIZE)
    elif byte == 0x6A:  # result
        _optional(reader)
        _optional(reader)
    elif byte in {0x69, 0x68}:  # own, borrow
        reader.u32()
    elif byte in {0x66, 0x65}:  # stream, future
        _optional(reader)
    elif byte == 0x63:  # map
        _value(reader)
        _value(reader)
    else:
        raise MalformedError("unknown type", offset)
