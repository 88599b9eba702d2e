"""Sorts of things in a component, and names of imports and exports with their attributes.

Spec: component model, Binary.md, sorts, import and export definitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.sorts import NAME_ATTRIBUTES, sort_of

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader

__all__ = ["read_name", "read_sort"]

_WITH_ATTRIBUTES = 2


def read_sort(reader: Reader, *, core: bool = False) -> str:
    """A sort.

    Args:
        reader: at its first byte.
        core: whether it is one of the core sorts, in one byte.
    """
    offset = reader.pos
    byte = reader.byte()
    sort = sort_of(bytes([0, byte]) if core else bytes([0, reader.byte()]) if byte == 0 else bytes([byte]))
    if sort is None:
        raise MalformedError("malformed sort", offset)
    return sort


def read_name(reader: Reader) -> tuple[str, dict[str, str]]:
    """The name of an import or export, and its attributes.

    Raises:
        MalformedError: it is malformed, an attribute is unknown, or one is given twice.
    """
    offset = reader.pos
    form = reader.byte()
    if form > _WITH_ATTRIBUTES:
        raise MalformedError("malformed import or export name", offset)
    name = reader.name(limits.MAX_STRING_SIZE)
    attributes: dict[str, str] = {}
    if form == _WITH_ATTRIBUTES:
        for _ in range(reader.count(limits.MAX_TYPES, "name attributes", 2)):
            offset = reader.pos
            code = reader.byte()
            if code >= len(NAME_ATTRIBUTES):
                raise MalformedError("malformed name attribute", offset)
            if NAME_ATTRIBUTES[code] in attributes:
                raise MalformedError(f"duplicate name attribute {NAME_ATTRIBUTES[code]}", offset)
            attributes[NAME_ATTRIBUTES[code]] = reader.name(limits.MAX_STRING_SIZE)
    return name, attributes
