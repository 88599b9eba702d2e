"""A module as decoded: what the binary holds, with offsets, unchanged and unjudged. Spec: core, modules (2.5).

Index spaces start with imports, as in the specification: `func_types[i]`, `tables[i]`, `mems[i]`, `globals[i]` and
`tags[i]` describe item `i` whether it is imported or defined. Bodies, data and custom sections are not copied: they are
pairs of offsets into `data`. Offsets count from the first byte of `data`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final, overload

from wasm2oci.base.records import NamedTuple
from wasm2oci.engine.syntax.types import (
    ExternKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.engine.syntax.types import (
        DefType,
        ExternType,
        FuncType,
        GlobalType,
        MemoryType,
        TableType,
        TagType,
    )

__all__ = [
    "ConstExpr",
    "ConstOp",
    "CustomSection",
    "DataSegment",
    "DataSegments",
    "ElementSegment",
    "Export",
    "Global",
    "Import",
    "Module",
    "Names",
    "Section",
    "SectionId",
    "SegmentMode",
    "Span",
    "Table",
]

Span = tuple[int, int]
"""Where something is in `Module.data`: its first byte, and the one after its last."""

ConstOp = tuple[int, ...]
"""An instruction of a constant expression: its code, then its immediates.

Immediates are ints: `i32.const` and `i64.const` their value modulo 2**32 or 2**64, `f32.const`, `f64.const` and
`v128.const` their bits, `ref.null` a heap type (see `types`), all others indices. The final `end` is left out.
"""


class SectionId(IntEnum):
    """Sections by their number; their order in a module is that of the table in `binary.module`."""

    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12
    TAG = 13


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section's contents stand (its id and size come before `start`)."""

    id: SectionId
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CustomSection:
    """A custom section: its name, and where the bytes after the name stand."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Import:
    """What a module asks for. `index` is its place in the index space of its kind."""

    module: str
    name: str
    kind: ExternKind
    type: ExternType
    index: int
    offset: int


@dataclass(frozen=True, slots=True)
class Export:
    """What a module offers: item `index` of the index space of `kind`."""

    name: str
    kind: ExternKind
    index: int
    offset: int


class ConstExpr(NamedTuple):
    """A constant expression: its instructions, and where they stand (`end` is past the final `end` opcode).

    Like `DataSegment` a named tuple and no dataclass: there may be many, and these are made faster.
    """

    ops: tuple[ConstOp, ...]
    start: int
    end: int
    offsets: tuple[int, ...]  # of each instruction, where there is more than the one at `start`


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `init` fills a defined one (None: with null, or it is imported)."""

    type: TableType
    init: ConstExpr | None
    offset: int


@dataclass(frozen=True, slots=True)
class Global:
    """A global; `init` is None exactly when it is imported."""

    type: GlobalType
    init: ConstExpr | None
    offset: int


class SegmentMode(IntEnum):
    """When a segment is copied: at instantiation, by an instruction, or (elements only) never."""

    ACTIVE = 0
    PASSIVE = 1
    DECLARATIVE = 2


@dataclass(frozen=True, slots=True)
class ElementSegment:
    """An element segment: function indices (`funcs`) or constant expressions (`exprs`), whichever it was written as."""

    mode: SegmentMode
    type: int
    table: int
    start: ConstExpr | None  # where in the table, active ones only
    funcs: tuple[int, ...] | None
    exprs: tuple[ConstExpr, ...] | None
    offset: int

    def __len__(self) -> int:
        return len(self.funcs if self.funcs is not None else self.exprs or ())


class DataSegment(NamedTuple):
    """A data segment: its bytes are `data[content[0]:content[1]]` of the module."""

    mode: SegmentMode
    memory: int
    start: ConstExpr | None  # where in the memory, active ones only
    content: Span
    offset: int


class DataSegments(Sequence[DataSegment]):
    """The data segments, those that are nothing special as numbers: Go writes tens of thousands of them.

    A plain segment is active, for memory 0, and starts at an `i32.const`. It becomes a `DataSegment` when asked for.

    Attributes:
        plain: five numbers for each segment: `offset`, the end of its constant expression, the address, and the
            `content`; zeros for a segment that is not plain.
        others: the segments that are not plain, by index, in order.
    """

    WIDTH: Final = 5

    __slots__ = ("others", "plain")

    def __init__(self) -> None:
        self.plain: list[int] = []
        self.others: dict[int, DataSegment] = {}

    def add(self, segment: DataSegment) -> None:
        """Appends a segment that is not plain."""
        self.others[len(self)] = segment
        self.plain += (0,) * self.WIDTH

    def __len__(self) -> int:
        return len(self.plain) // self.WIDTH

    @overload
    def __getitem__(self, index: int) -> DataSegment: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[DataSegment]: ...

    def __getitem__(self, index: int | slice) -> DataSegment | Sequence[DataSegment]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(len(self))[index])
        number = range(len(self))[index]
        other = self.others.get(number)
        if other is not None:
            return other
        offset, after, address, start, end = self.plain[number * self.WIDTH : (number + 1) * self.WIDTH]
        expression = ConstExpr(((0x41, address),), offset + 1, after, ())
        return DataSegment(SegmentMode.ACTIVE, 0, expression, (start, end), offset)

    def __iter__(self) -> Iterator[DataSegment]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True, slots=True)
class Names:
    """The `name` section, as far as it is readable (a malformed name section is no error). Spec: core, A.4."""

    module: str | None = None
    functions: Mapping[int, str] = field(default_factory=dict)
    locals: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    types: Mapping[int, str] = field(default_factory=dict)
    tables: Mapping[int, str] = field(default_factory=dict)
    memories: Mapping[int, str] = field(default_factory=dict)
    globals: Mapping[int, str] = field(default_factory=dict)
    tags: Mapping[int, str] = field(default_factory=dict)
    fields: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    labels: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    elements: Mapping[int, str] = field(default_factory=dict)
    datas: Mapping[int, str] = field(default_factory=dict)
    params: Mapping[int, Mapping[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Module:
    """A decoded module.

    Attributes:
        data: the module's bytes.
        types: the defined type of each type index.
        defs: the same by canonical id: what the functions of `types` want as `defs`.
        rec_groups: for each recursion group its first type index and the one after its last.
        supers: for each type index the indices of its declared supertypes (at most one is valid).
        imports: in order.
        func_types: the type index of each function, imported ones first.
        tables, mems, globals, tags: the index spaces, imported ones first. A tag is a `TagType`.
        exports: in order.
        start: the start function's index, or None.
        elements: element segments.
        datas: data segments.
        codes: for each defined function the span of its code, from its locals to past its `end`.
        data_count: what the data count section says, or None.
        customs: custom sections in order.
        sections: every section in order, custom ones too.
        features: features seen so far (not those of bodies), each with the offset where it was seen first.
    """

    data: bytes
    types: tuple[DefType, ...]
    defs: Mapping[int, DefType]
    rec_groups: tuple[tuple[int, int], ...]
    supers: tuple[tuple[int, ...], ...]
    imports: tuple[Import, ...]
    func_types: tuple[int, ...]
    tables: tuple[Table, ...]
    mems: tuple[MemoryType, ...]
    globals: tuple[Global, ...]
    tags: tuple[TagType, ...]
    exports: tuple[Export, ...]
    start: int | None
    elements: tuple[ElementSegment, ...]
    datas: DataSegments
    codes: tuple[Span, ...]
    data_count: int | None
    customs: tuple[CustomSection, ...]
    sections: tuple[Section, ...]
    features: Mapping[Feature, int]
    imported_funcs: int
    imported_tables: int
    imported_mems: int
    imported_globals: int
    imported_tags: int

    def func_type(self, index: int) -> FuncType:
        """The signature of function `index` of a valid module."""
        return self.types[self.func_types[index]].func

    def extern_type(self, kind: ExternKind, index: int) -> ExternType:
        """The type of item `index` of a kind, as an import of it would state it."""
        if kind is ExternKind.FUNC:
            return self.types[self.func_types[index]]
        if kind is ExternKind.TABLE:
            return self.tables[index].type
        if kind is ExternKind.MEMORY:
            return self.mems[index]
        if kind is ExternKind.GLOBAL:
            return self.globals[index].type
        return self.tags[index]

    def type_indices(self) -> dict[int, int]:
        """The first type index of each canonical id: what `types.type_text` wants as `indices`."""
        indices: dict[int, int] = {}
        for index, type_ in enumerate(self.types):
            indices.setdefault(type_.id, index)
        return indices

    def custom(self, name: str) -> bytes | None:
        """The contents of the first custom section of that name, or None."""
        for section in self.customs:
            if section.name == name:
                return self.data[section.start : section.end]
        return None
