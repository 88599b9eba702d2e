"""Types, as integers where they are compared often. Spec: core, types (2.3, 5.3).

A *value type* is one int:

    numbers and vectors   their byte in the binary format: I32 0x7F, I64 0x7E, F32 0x7D, F64 0x7C, V128 0x7B
    references            heap << 8 | 0x63 (nullable) or heap << 8 | 0x64 (not null): above 0xFF, `is_ref(t)`
    packed (fields only)  I8 0x78, I16 0x77
    BOT                   0: any type, known to validation only (the stack of unreachable code)

A *heap type* is an int too: an abstract one is its byte (FUNC 0x70, ...), a concrete one is the id of a defined type.

The *id* of a defined type is a digest of its recursion group in canonical form and its place in that group. Two types
are equal exactly when their ids are, in whatever module, process or code cache they appear; there is no global table.
A `DefType` also knows all its supertypes, so subtyping at run time is one test for membership: `heap in type.above`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "ABOVE",
    "ANY",
    "ANYREF",
    "ARRAY",
    "ARRAYREF",
    "BOT",
    "EQ",
    "EQREF",
    "EXN",
    "EXNREF",
    "EXTERN",
    "EXTERNREF",
    "F32",
    "F64",
    "FUNC",
    "FUNCREF",
    "HEAP_BOT",
    "I8",
    "I16",
    "I31",
    "I31REF",
    "I32",
    "I64",
    "NOEXN",
    "NOEXTERN",
    "NOFUNC",
    "NONE",
    "REF",
    "REF_BOT",
    "REF_NULL",
    "STRUCT",
    "STRUCTREF",
    "V128",
    "ArrayType",
    "CompositeType",
    "DefType",
    "DefTypes",
    "ExternKind",
    "ExternType",
    "FieldType",
    "FuncType",
    "GlobalType",
    "Limits",
    "MemoryType",
    "StructType",
    "TableType",
    "TagType",
    "extern_text",
    "heap_of",
    "heap_text",
    "is_defaultable",
    "is_ref",
    "ref",
    "type_text",
    "unpacked",
]

BOT = 0
I32 = 0x7F
I64 = 0x7E
F32 = 0x7D
F64 = 0x7C
V128 = 0x7B
I8 = 0x78
I16 = 0x77

# Heap types. Each of the four hierarchies has a top, and a bottom that only null inhabits.
NOEXN = 0x74
NOFUNC = 0x73
NOEXTERN = 0x72
NONE = 0x71
FUNC = 0x70
EXTERN = 0x6F
ANY = 0x6E
EQ = 0x6D
I31 = 0x6C
STRUCT = 0x6B
ARRAY = 0x6A
EXN = 0x69
HEAP_BOT = 1  # validation only: below every heap type

REF_NULL = 0x63  # the low byte of a nullable reference type
REF = 0x64  # the low byte of one that excludes null

FUNCREF = FUNC << 8 | REF_NULL
EXTERNREF = EXTERN << 8 | REF_NULL
ANYREF = ANY << 8 | REF_NULL
EQREF = EQ << 8 | REF_NULL
I31REF = I31 << 8 | REF_NULL
STRUCTREF = STRUCT << 8 | REF_NULL
ARRAYREF = ARRAY << 8 | REF_NULL
EXNREF = EXN << 8 | REF_NULL
REF_BOT = HEAP_BOT << 8 | REF

_ABSTRACT_NAMES = {
    NOEXN: "noexn",
    NOFUNC: "nofunc",
    NOEXTERN: "noextern",
    NONE: "none",
    FUNC: "func",
    EXTERN: "extern",
    ANY: "any",
    EQ: "eq",
    I31: "i31",
    STRUCT: "struct",
    ARRAY: "array",
    EXN: "exn",
    HEAP_BOT: "bot",
}
_NUMBER_NAMES = {I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128", I8: "i8", I16: "i16", BOT: "bot"}
_NULL_SHORTHANDS = {NONE: "nullref", NOFUNC: "nullfuncref", NOEXTERN: "nullexternref", NOEXN: "nullexnref"}

# The abstract heap types at or above each abstract one. Concrete ones add those of their composite type's kind.
ABOVE: dict[int, frozenset[int]] = {
    NOEXN: frozenset({NOEXN, EXN}),
    NOFUNC: frozenset({NOFUNC, FUNC}),
    NOEXTERN: frozenset({NOEXTERN, EXTERN}),
    NONE: frozenset({NONE, I31, STRUCT, ARRAY, EQ, ANY}),
    FUNC: frozenset({FUNC}),
    EXTERN: frozenset({EXTERN}),
    ANY: frozenset({ANY}),
    EQ: frozenset({EQ, ANY}),
    I31: frozenset({I31, EQ, ANY}),
    STRUCT: frozenset({STRUCT, EQ, ANY}),
    ARRAY: frozenset({ARRAY, EQ, ANY}),
    EXN: frozenset({EXN}),
}


def ref(heap: int, *, nullable: bool) -> int:
    """The reference type to `heap`."""
    return heap << 8 | (REF_NULL if nullable else REF)


def is_ref(type_: int) -> bool:
    """Whether a value type is a reference type."""
    return type_ > 0xFF


def heap_of(type_: int) -> int:
    """The heap type a reference type points to."""
    return type_ >> 8


def is_defaultable(type_: int) -> bool:
    """Whether a value type has a default value: zero or null."""
    return type_ & 0xFF != REF or type_ <= 0xFF


def unpacked(storage: int) -> int:
    """The value type a field's storage type is read as."""
    return I32 if storage in {I8, I16} else storage


class ExternKind(IntEnum):
    """What an import or export is; the values are the binary format's."""

    FUNC = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


@dataclass(frozen=True, slots=True)
class FuncType:
    """Parameters to results, each a tuple of value types."""

    params: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FieldType:
    """A struct's field or an array's element: a value type or `I8`/`I16`, and whether it may be set."""

    storage: int
    mutable: bool


@dataclass(frozen=True, slots=True)
class StructType:
    """A structure: its fields in order, a supertype's first."""

    fields: tuple[FieldType, ...]


@dataclass(frozen=True, slots=True)
class ArrayType:
    """An array: what each element is."""

    element: FieldType


CompositeType = FuncType | StructType | ArrayType


class DefType:
    """A defined type, closed and canonical. Equal to another exactly when `id` is.

    What grows with the depth of the hierarchy (`supers`, `above`) is made when asked for: a module may declare a
    million types in a few bytes each.

    Args:
        id_: the canonical id, an int above every abstract heap type; the concrete heap type itself.
        composite: function, structure or array.
        parent: the declared supertype, or None.
        final: whether it may have no subtypes.
    """

    __slots__ = ("_above", "composite", "depth", "final", "id", "parent")

    def __init__(self, id_: int, composite: CompositeType, parent: DefType | None, *, final: bool) -> None:
        self.id = id_
        self.composite = composite
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        self.final = final
        self._above: frozenset[int] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefType) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"DefType({heap_text(self.id)}, {self.composite})"

    @property
    def kind(self) -> int:
        """The abstract heap type right above: FUNC, STRUCT or ARRAY."""
        composite = self.composite
        return FUNC if isinstance(composite, FuncType) else STRUCT if isinstance(composite, StructType) else ARRAY

    @property
    def supers(self) -> tuple[int, ...]:
        """Ids of all supertypes from the root of the hierarchy down to and including this type."""
        chain, type_ = [self.id], self.parent
        while type_ is not None:
            chain.append(type_.id)
            type_ = type_.parent
        return tuple(reversed(chain))

    @property
    def above(self) -> frozenset[int]:
        """Every heap type, abstract or concrete, that this one matches."""
        if self._above is None:
            self._above = ABOVE[self.kind].union(self.supers)
        return self._above

    def matches(self, heap: int) -> bool:
        """Whether this type is a subtype of a heap type; what `heap in above` says, without making that set."""
        if heap <= NOEXN:
            return heap in ABOVE[self.kind]
        type_: DefType | None = self
        while type_ is not None:
            if type_.id == heap:
                return True
            type_ = type_.parent
        return False

    @property
    def func(self) -> FuncType:
        """The function type; only for types known to be one."""
        if not isinstance(self.composite, FuncType):
            raise AssertionError("not a function type")  # noqa: TRY004 - a bug of ours, not a wrong argument
        return self.composite


DefTypes = Mapping[int, DefType]
"""Defined types by id: those of one module, or of several."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many elements or pages, from `minimum` to `maximum` (None: no limit stated); `is64`: indexed by i64."""

    minimum: int
    maximum: int | None = None
    is64: bool = False

    @property
    def address(self) -> int:
        """The value type of an index: I32 or I64."""
        return I64 if self.is64 else I32


@dataclass(frozen=True, slots=True)
class TableType:
    """A table: the reference type of its elements, and how many."""

    element: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class MemoryType:
    """A memory: how many pages of `1 << page_bits` bytes (16 unless custom-page-sizes), and whether it is shared."""

    limits: Limits
    shared: bool = False
    page_bits: int = 16


@dataclass(frozen=True, slots=True)
class GlobalType:
    """A global: its value type, and whether it may be set."""

    value: int
    mutable: bool


@dataclass(frozen=True, slots=True)
class TagType:
    """A tag: the defined function type whose parameters an exception carries."""

    type: DefType


ExternType = DefType | TableType | MemoryType | GlobalType | TagType
"""What an import asks for or an export offers; a function's is its `DefType`."""


# --- text -------------------------------------------------------------------------------------------------------


def extern_text(type_: ExternType, indices: Mapping[int, int] | None = None) -> str:
    """What an import asks for or an export offers, as the text format writes it: `func (param i32) (result i64)`."""
    if isinstance(type_, TagType):
        return "tag" + extern_text(type_.type, indices).removeprefix("func")
    if isinstance(type_, DefType):
        parts = (("param", type_.func.params), ("result", type_.func.results))
        texts = [f"({word} {' '.join(type_text(each, indices) for each in types)})" for word, types in parts if types]
        return " ".join(["func", *texts])
    if isinstance(type_, GlobalType):
        value = type_text(type_.value, indices)
        return f"global (mut {value})" if type_.mutable else f"global {value}"
    limits = type_.limits
    text = f"{'i64 ' if limits.is64 else ''}{limits.minimum}{'' if limits.maximum is None else f' {limits.maximum}'}"
    if isinstance(type_, MemoryType):
        return f"memory {text} shared" if type_.shared else f"memory {text}"
    return f"table {text} {type_text(type_.element, indices)}"


def heap_text(heap: int, indices: Mapping[int, int] | None = None) -> str:
    """A heap type as the text format writes it; `indices` gives a defined type's index in the module at hand."""
    name = _ABSTRACT_NAMES.get(heap)
    if name is None:
        index = (indices or {}).get(heap)
        name = f"type#{heap & 0xFFFFFFFF:08x}" if index is None else str(index)
    return name


def type_text(type_: int, indices: Mapping[int, int] | None = None) -> str:
    """A value type as the text format writes it: `i32`, `funcref`, `(ref null 3)`."""
    if type_ <= 0xFF:
        return _NUMBER_NAMES.get(type_, f"{type_:#x}")
    heap = type_ >> 8
    if type_ & 0xFF == REF_NULL and heap in _ABSTRACT_NAMES:
        return _NULL_SHORTHANDS.get(heap, f"{_ABSTRACT_NAMES[heap]}ref")
    return f"(ref {'null ' if type_ & 0xFF == REF_NULL else ''}{heap_text(heap, indices)})"
