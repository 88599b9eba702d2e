"""The type section, and the canonical identity of defined types. Spec: core, 5.3 and 5.5.4; rolling up types, 3.1.4.

Within a recursion group a type is named by its place, outside it by its id. A group written that way has one text; the
digest of that text is the group's identity, and makes its members' ids. So a type's id says all about the type, however
and wherever it was declared, and two equal ids mean two equal types.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.limits import (
    MAX_PARAMS,
    MAX_RESULTS,
    MAX_STRUCT_FIELDS,
    MAX_SUBTYPING_DEPTH,
    MAX_TYPES,
)
from wasm2oci.engine.syntax.types import (
    EXN,
    EXTERN,
    FUNC,
    I8,
    I16,
    NOEXN,
    REF,
    REF_NULL,
    V128,
    ArrayType,
    CompositeType,
    DefType,
    FieldType,
    FuncType,
    StructType,
)

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader

__all__ = ["TypeReader", "host_function"]

_FINAL, _NOT_FINAL, _REC = 0x4F, 0x50, 0x4E
_ARRAY, _STRUCT, _FUNC = 0x5E, 0x5F, 0x60
_ID_BIT = (
    1 << 148
)  # above the digest (128 bits) and the place in the group (20 bits): ids never meet abstract heap types

_RawType = tuple[bool, tuple[int, ...], CompositeType, int]
"""Final, indices of supertypes, composite type, offset; heap types within the group are ~place."""


class TypeReader:
    """Reads types, and knows those declared so far.

    Attributes:
        types: the defined type of each type index.
        defs: the same by id.
        groups: first index and past-the-last index of each recursion group.
        supers: the declared supertypes of each type, as indices.
        features: where each feature was seen first.
    """

    def __init__(self, features: dict[Feature, int]) -> None:
        self.types: list[DefType] = []
        self.defs: dict[int, DefType] = {}
        self.groups: list[tuple[int, int]] = []
        self.supers: list[tuple[int, ...]] = []
        self.features = features
        self._group_start = 0
        self._group_end = 0
        self._recursive = False

    # --- the type section -----------------------------------------------------------------------------------

    def section(self, reader: Reader) -> None:
        """Reads the contents of a type section."""
        for _ in range(reader.count(MAX_TYPES, "types", 2)):
            self.group(reader)

    def group(self, reader: Reader) -> list[DefType]:
        """Reads a recursion group, or a type alone, and declares it."""
        offset = reader.pos
        count = 1
        if reader.pos < reader.end and reader.data[reader.pos] == _REC:
            reader.pos += 1
            count = reader.count(MAX_TYPES, "types", 2)
            self.features.setdefault(Feature.GC, offset)
        start = len(self.types)
        if start + count > MAX_TYPES:
            raise MalformedError(f"too many types: this engine's limit is {MAX_TYPES}", offset)
        self._group_start, self._group_end = start, start + count
        self._recursive = False
        raw = [self._subtype(reader, start + place) for place in range(count)]
        self._close(raw)
        self._group_start = self._group_end = 0
        return self.types[start:]

    def defined(self, index: int, offset: int) -> DefType:  # noqa: ARG002 - a component has other core types, too
        """The defined type of an index that exists."""
        return self.types[index]

    def _subtype(self, reader: Reader, index: int) -> _RawType:
        offset = reader.pos
        final, supers = True, tuple[int, ...]()
        byte = reader.byte()
        if byte in {_FINAL, _NOT_FINAL}:
            self.features.setdefault(Feature.GC, offset)
            final = byte == _FINAL
            supers = reader.indices(reader.count(1 << 32, "supertypes"))
            for super_ in supers:
                if super_ >= index:
                    raise InvalidModuleError(f"unknown type: supertype {super_} of type {index}", offset)
                if super_ < self._group_start:
                    self.defined(super_, offset)
            if len(supers) > 1:
                raise InvalidModuleError("more than one supertype", offset)
            byte = reader.byte()
        if byte == _FUNC:
            return final, supers, self._func(reader), offset
        self.features.setdefault(Feature.GC, offset)
        if byte == _STRUCT:
            fields = range(reader.count(MAX_STRUCT_FIELDS, "fields", 2))
            return final, supers, StructType(tuple([self._field(reader) for _ in fields])), offset
        if byte == _ARRAY:
            return final, supers, ArrayType(self._field(reader)), offset
        raise MalformedError("malformed composite type", reader.pos - 1)

    def _func(self, reader: Reader) -> FuncType:
        params = self.results(reader, MAX_PARAMS, "parameters")
        offset = reader.pos
        results = self.results(reader, MAX_RESULTS, "results")
        if len(results) > 1:
            self.features.setdefault(Feature.MULTIVALUE, offset)
        return FuncType(params, results)

    def results(self, reader: Reader, limit: int, what: str) -> tuple[int, ...]:
        """A vector of value types."""
        return tuple([self.value(reader) for _ in range(reader.count(limit, what))])

    def _field(self, reader: Reader) -> FieldType:
        if reader.pos < reader.end and reader.data[reader.pos] in {I8, I16}:
            storage = reader.byte()
        else:
            storage = self.value(reader)
        return FieldType(storage, self.mutability(reader))

    @staticmethod
    def mutability(reader: Reader) -> bool:
        """Whether a global or field may be set."""
        byte = reader.byte()
        if byte > 1:
            raise MalformedError("malformed mutability", reader.pos - 1)
        return byte == 1

    # --- types that refer to defined ones -------------------------------------------------------------------

    def value(self, reader: Reader) -> int:
        """A value type."""
        offset = reader.pos
        byte = reader.byte()
        if byte > V128:
            if byte > 0x7F:
                raise MalformedError("malformed value type", offset)
            return byte
        if byte == V128:
            self.features.setdefault(Feature.SIMD, offset)
            return byte
        reader.pos = offset
        return self.reference(reader)

    def reference(self, reader: Reader) -> int:
        """A reference type."""
        offset = reader.pos
        byte = reader.byte()
        if byte in {REF, REF_NULL}:
            self.features.setdefault(Feature.FUNCTION_REFERENCES, offset)
            return self.heap(reader) << 8 | byte
        if EXN <= byte <= NOEXN:
            self._abstract(byte, offset)
            return byte << 8 | REF_NULL
        raise MalformedError("malformed reference type", offset)

    def heap(self, reader: Reader) -> int:
        """A heap type: an abstract one, or the id of a defined type (within its own group: ~place)."""
        offset = reader.pos
        number = reader.s33()
        if number >= 0:
            if number < self._group_start or (not self._group_end and number < len(self.types)):
                return self.defined(number, offset).id
            if number < self._group_end:
                self._recursive = True
                return ~(number - self._group_start)
            raise InvalidModuleError(f"unknown type {number}", offset)
        byte = number & 0x7F
        if number < -64 or not EXN <= byte <= NOEXN:
            raise MalformedError("malformed heap type", offset)
        self._abstract(byte, offset)
        return byte

    def _abstract(self, heap: int, offset: int) -> None:
        if heap in {FUNC, EXTERN}:
            self.features.setdefault(Feature.REFERENCE_TYPES, offset)
        elif heap in {EXN, NOEXN}:
            self.features.setdefault(Feature.EXCEPTIONS, offset)
        else:
            self.features.setdefault(Feature.GC, offset)

    def index(self, reader: Reader) -> int:
        """The index of a type that exists."""
        offset = reader.pos
        index = reader.u32()
        if index >= len(self.types):
            raise InvalidModuleError(f"unknown type {index}", offset)
        self.defined(index, offset)
        return index

    # --- identity ---------------------------------------------------------------------------------------------

    def _close(self, group: list[_RawType]) -> None:
        """Gives the members of a recursion group their ids, and declares them."""
        start = self._group_start
        written = [
            (
                final,
                tuple([~(super_ - start) if super_ >= start else self.types[super_].id for super_ in supers]),
                _written(composite),
            )
            for final, supers, composite, _ in group
        ]
        first = _identity(written)
        for place, (final, supers, raw, offset) in enumerate(group):
            id_ = first | place
            self.supers.append(supers)
            known = self.defs.get(id_)
            if known is None:
                parent = self.types[supers[0]] if supers else None
                if parent and parent.depth >= MAX_SUBTYPING_DEPTH:
                    raise InvalidModuleError(
                        f"sub type hierarchy too deep: this engine's limit is {MAX_SUBTYPING_DEPTH}", offset
                    )
                composite = _resolved(raw, first) if self._recursive else raw
                known = self.defs[id_] = DefType(id_, composite, parent, final=final)
            self.types.append(known)
        self.groups.append((start, self._group_end))


def host_function(function: FuncType) -> DefType:
    """The defined type of a function no module declares: alone in its group, final, without supertypes."""
    return DefType(_identity([(True, (), _written(function))]), function, None, final=True)


def _identity(group: list[tuple[bool, tuple[int, ...], tuple[object, ...]]]) -> int:
    """The id of the first member of a recursion group; the others follow it."""
    digest = blake2b(repr(group).encode(), digest_size=16).digest()
    return _ID_BIT | int.from_bytes(digest, "big") << 20


def _written(composite: CompositeType) -> tuple[object, ...]:
    """A composite type as what its identity is made of."""
    if isinstance(composite, FuncType):
        return ("func", composite.params, composite.results)
    if isinstance(composite, StructType):
        return ("struct", tuple([(field.storage, field.mutable) for field in composite.fields]))
    return ("array", composite.element.storage, composite.element.mutable)


def _resolved(composite: CompositeType, first: int) -> CompositeType:
    """The composite type with every place in the group replaced by the id it got."""

    def value(type_: int) -> int:
        return (first | ~(type_ >> 8)) << 8 | type_ & 0xFF if type_ < 0 else type_

    if isinstance(composite, FuncType):
        return FuncType(tuple(map(value, composite.params)), tuple(map(value, composite.results)))
    if isinstance(composite, StructType):
        return StructType(tuple([FieldType(value(field.storage), field.mutable) for field in composite.fields]))
    return ArrayType(FieldType(value(composite.element.storage), composite.element.mutable))
