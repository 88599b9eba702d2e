"""Types of memories, tables, globals and tags. Spec: core, binary format, types (5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.types import (
    FUNCREF,
    FuncType,
    GlobalType,
    Limits,
    MemoryType,
    TableType,
    TagType,
)

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader
    from wasm2oci.engine.binary.types import TypeReader

__all__ = ["ExternReader"]

_HAS_MAX, _SHARED, _IS_64, _PAGE_SIZE = 1, 2, 4, 8  # bits of the limits' flags


class ExternReader:
    """Reads types of what modules import and export.

    Args:
        types: the types declared so far.
    """

    def __init__(self, types: TypeReader) -> None:
        self._types = types

    def limits(self, reader: Reader, *, memory: bool) -> tuple[Limits, int]:
        """Limits, and the flags they were written with."""
        offset = reader.pos
        flags = reader.byte()
        if flags > (_HAS_MAX | _SHARED | _IS_64 | _PAGE_SIZE if memory else _HAS_MAX | _IS_64) or (
            not memory and flags & _SHARED
        ):
            raise MalformedError(f"malformed limits flags {flags:#x}", offset)
        if flags & _IS_64:
            self._types.features.setdefault(Feature.MEMORY64, offset)
        if flags & _SHARED:
            self._types.features.setdefault(Feature.THREADS, offset)
        # Both are u64 whatever the index type; one too large for it is for validation to refuse.
        minimum = reader.u64()
        return Limits(minimum, reader.u64() if flags & _HAS_MAX else None, bool(flags & _IS_64)), flags

    def memory(self, reader: Reader) -> MemoryType:
        """The type of a memory."""
        offset = reader.pos
        limits_, flags = self.limits(reader, memory=True)
        page_bits = 16
        if flags & _PAGE_SIZE:
            self._types.features.setdefault(Feature.CUSTOM_PAGE_SIZES, offset)
            page_bits = reader.u32()
            if page_bits >= 64:
                raise MalformedError("invalid custom page size", offset)
            if page_bits not in {0, 16}:
                raise InvalidModuleError("invalid custom page size", offset)
        return MemoryType(limits_, bool(flags & _SHARED), page_bits)

    def table(self, reader: Reader) -> TableType:
        """The type of a table."""
        if reader.data[reader.pos : reader.pos + 1] == b"\x70":  # funcref: the one element type of 1.0, no feature
            reader.byte()
            element = FUNCREF
        else:
            element = self._types.reference(reader)
        return TableType(element, self.limits(reader, memory=False)[0])

    def global_(self, reader: Reader) -> GlobalType:
        """The type of a global."""
        return GlobalType(self._types.value(reader), self._types.mutability(reader))

    def tag(self, reader: Reader) -> TagType:
        """The type of a tag."""
        offset = reader.pos
        if reader.byte() != 0:
            raise MalformedError("malformed tag attribute", offset)
        type_ = self._types.types[self._types.index(reader)]
        if not isinstance(type_.composite, FuncType):
            raise InvalidModuleError("type mismatch: a tag's type must be a function type", offset)
        return TagType(type_)
