"""Modules from bytes: every section but the contents of function bodies and data. Spec: core, modules (5.5).

One reader for each section, in the table `_SECTIONS`; the order of the table is the order sections must have. Bodies
are left as spans: `validate` decodes them while it types them, so an engine that only wants imports and exports never
touches them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.binary.expressions import const_expr
from wasm2oci.engine.binary.externs import ExternReader
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE, ModuleKind, preamble
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.binary.types import TypeReader
from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.module import (
    CustomSection,
    DataSegment,
    DataSegments,
    ElementSegment,
    Export,
    Global,
    Import,
    Module,
    Section,
    SectionId,
    SegmentMode,
    Table,
)
from wasm2oci.engine.syntax.types import (
    FUNC,
    FUNCREF,
    REF,
    ExternKind,
    FuncType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.module import (
        ConstExpr,
        Span,
    )
    from wasm2oci.engine.syntax.types import (
        ExternType,
        MemoryType,
        TagType,
    )

__all__ = ["decode_module"]

_PASSIVE, _EXPLICIT, _EXPRESSIONS = 1, 2, 4  # bits of the segments' flags


def decode_module(data: bytes, *, segments: bool = True) -> Module:
    """Decodes a core module; bodies and data stay spans, and nothing is type-checked.

    Args:
        data: the module's bytes, preamble included.
        segments: False leaves element and data segments out, of which Go writes tens of thousands: enough for a look
            at imports and exports, not for validation.

    Raises:
        MalformedError: the bytes are no module, as far as they were read (bodies were not), or a component.
        InvalidModuleError: a type refers to one that does not exist, or a constant expression is not constant.
    """
    data = bytes(data)
    if len(data) > limits.MAX_MODULE_SIZE:
        raise MalformedError(f"module too big: this engine's limit is {limits.MAX_MODULE_SIZE} bytes", 0)
    if preamble(data) is not ModuleKind.MODULE:
        raise MalformedError("unknown binary version: this is a component, not a core module", 4)
    return _ModuleDecoder(data).module(segments=segments)


class _ModuleDecoder:
    """The state of decoding: index spaces that grow section by section."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.features: dict[Feature, int] = {}
        self.types = TypeReader(self.features)
        self.externs = ExternReader(self.types)
        self.imports: list[Import] = []
        self.func_types: list[int] = []
        self.tables: list[Table] = []
        self.mems: list[MemoryType] = []
        self.globals: list[Global] = []
        self.tags: list[TagType] = []
        self.exports: list[Export] = []
        self.start: int | None = None
        self.elements: list[ElementSegment] = []
        self.datas = DataSegments()
        self.codes: list[Span] = []
        self.data_count: int | None = None
        self.customs: list[CustomSection] = []
        self.sections: list[Section] = []
        self.imported = dict.fromkeys(ExternKind, 0)
        self.declared = 0  # functions in the function section
        self.has_data = False

    def module(self, *, segments: bool) -> Module:
        """Reads all sections."""
        data = self.data
        pos, last = PREAMBLE_SIZE, 0
        while pos < len(data):
            reader = Reader(data, pos)
            id_ = reader.byte()
            if id_ > len(_SECTIONS):
                raise MalformedError(f"malformed section id {id_}", pos)
            size = reader.u32()
            if size > len(data) - reader.pos:
                raise MalformedError("length out of bounds: the section is longer than the module", reader.pos)
            reader.end = reader.pos + size
            section = SectionId(id_)
            self.sections.append(Section(section, reader.pos, reader.end))
            if section is SectionId.CUSTOM:
                self.customs.append(CustomSection(reader.name(limits.MAX_STRING_SIZE), reader.pos, reader.end))
            else:
                order = _ORDER[section]
                if order <= last:
                    raise MalformedError(f"unexpected content after last section: {section.name.lower()} section", pos)
                last = order
                if not segments and section in _SEGMENTS:
                    pos = reader.end
                    continue
                _SECTIONS[section](self, reader)
                if reader.pos != reader.end:
                    raise MalformedError("section size mismatch", reader.pos)
            pos = reader.end
        if self.declared != len(self.codes):
            raise MalformedError("function and code section have inconsistent lengths", len(data))
        if segments and self.data_count is not None and self.data_count != len(self.datas):
            raise MalformedError("data count and data section have inconsistent lengths", len(data))
        types = self.types
        return Module(
            data=data,
            types=tuple(types.types),
            defs=types.defs,
            rec_groups=tuple(types.groups),
            supers=tuple(types.supers),
            imports=tuple(self.imports),
            func_types=tuple(self.func_types),
            tables=tuple(self.tables),
            mems=tuple(self.mems),
            globals=tuple(self.globals),
            tags=tuple(self.tags),
            exports=tuple(self.exports),
            start=self.start,
            elements=tuple(self.elements),
            datas=self.datas,
            codes=tuple(self.codes),
            data_count=self.data_count,
            customs=tuple(self.customs),
            sections=tuple(self.sections),
            features=self.features,
            imported_funcs=self.imported[ExternKind.FUNC],
            imported_tables=self.imported[ExternKind.TABLE],
            imported_mems=self.imported[ExternKind.MEMORY],
            imported_globals=self.imported[ExternKind.GLOBAL],
            imported_tags=self.imported[ExternKind.TAG],
        )

    def _needs(self, feature: Feature, offset: int) -> None:
        self.features.setdefault(feature, offset)

    # --- sections -----------------------------------------------------------------------------------------------

    def read_types(self, reader: Reader) -> None:
        self.types.section(reader)

    def read_imports(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_IMPORTS, "imports", 4)):
            offset = reader.pos
            module = reader.name(limits.MAX_STRING_SIZE)
            name = reader.name(limits.MAX_STRING_SIZE)
            place = reader.pos
            byte = reader.byte()
            if byte > ExternKind.TAG:
                raise MalformedError(f"malformed import kind {byte:#x}", place)
            kind = ExternKind(byte)
            type_: ExternType
            if kind is ExternKind.FUNC:
                index, type_index = len(self.func_types), self.types.index(reader)
                type_ = self.types.types[type_index]
                if not isinstance(type_.composite, FuncType):
                    raise InvalidModuleError(f"unknown type: type {type_index} is not a function type", place)
                self.func_types.append(type_index)
            elif kind is ExternKind.TABLE:
                index, type_ = len(self.tables), self.externs.table(reader)
                self.tables.append(Table(type_, None, place))
            elif kind is ExternKind.MEMORY:
                index, type_ = len(self.mems), self.externs.memory(reader)
                self.mems.append(type_)
            elif kind is ExternKind.GLOBAL:
                index, type_ = len(self.globals), self.externs.global_(reader)
                self.globals.append(Global(type_, None, place))
            else:
                index, type_ = len(self.tags), self.externs.tag(reader)
                self.tags.append(type_)
            self.imported[kind] += 1
            self.imports.append(Import(module, name, kind, type_, index, offset))

    def read_functions(self, reader: Reader) -> None:
        offset = reader.pos
        count = reader.count(limits.MAX_FUNCTIONS - len(self.func_types), "functions")
        indices = reader.indices(count)
        types = self.types.types
        for index in set(indices):
            if index >= len(types):
                raise InvalidModuleError(f"unknown type {index}", offset)
            if not isinstance(types[index].composite, FuncType):
                raise InvalidModuleError(f"type mismatch: type {index} is not a function type", offset)
        self.func_types += indices
        self.declared = count

    def read_tables(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_TABLES, "tables", 3)):
            offset, init = reader.pos, None
            if self.data[offset : offset + 1] == b"\x40":
                self.features.setdefault(Feature.FUNCTION_REFERENCES, offset)
                reader.pos += 1
                if reader.byte() != 0:
                    raise MalformedError("zero byte expected", reader.pos - 1)
                type_ = self.externs.table(reader)
                init = const_expr(reader, self.types)
            else:
                type_ = self.externs.table(reader)
            self.tables.append(Table(type_, init, offset))

    def read_memories(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_MEMORIES, "memories", 2)):
            self.mems.append(self.externs.memory(reader))

    def read_tags(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_TAGS, "tags", 2)):
            self.tags.append(self.externs.tag(reader))

    def read_globals(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_GLOBALS, "globals", 3)):
            offset = reader.pos
            type_ = self.externs.global_(reader)
            self.globals.append(Global(type_, const_expr(reader, self.types), offset))

    def read_exports(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_EXPORTS, "exports", 3)):
            offset = reader.pos
            name = reader.name(limits.MAX_STRING_SIZE)
            kind = reader.byte()
            if kind > ExternKind.TAG:
                raise MalformedError(f"malformed export kind {kind:#x}", reader.pos - 1)
            self.exports.append(Export(name, ExternKind(kind), reader.u32(), offset))

    def read_start(self, reader: Reader) -> None:
        self.start = reader.u32()

    def read_elements(self, reader: Reader) -> None:
        for _ in range(reader.count(limits.MAX_ELEMENT_SEGMENTS, "element segments", 2)):
            offset = reader.pos
            flags = reader.u32()
            if flags > (_PASSIVE | _EXPLICIT | _EXPRESSIONS):
                raise MalformedError(f"malformed elements segment kind {flags:#x}", offset)
            if flags:
                self.features.setdefault(Feature.REFERENCE_TYPES if flags & ~_PASSIVE else Feature.BULK_MEMORY, offset)
            mode, table, start = SegmentMode.ACTIVE, 0, None
            if flags & _PASSIVE:
                mode = SegmentMode.DECLARATIVE if flags & _EXPLICIT else SegmentMode.PASSIVE
            else:
                table = reader.u32() if flags & _EXPLICIT else 0
                start = const_expr(reader, self.types)
            type_ = FUNCREF if flags & _EXPRESSIONS else FUNC << 8 | REF
            if flags & (_PASSIVE | _EXPLICIT):
                if flags & _EXPRESSIONS:
                    type_ = self.types.reference(reader)
                elif reader.byte() != 0:
                    raise MalformedError("malformed element kind", reader.pos - 1)
            count = reader.count(limits.MAX_ELEMENT_SEGMENTS, "elements")
            funcs: tuple[int, ...] | None = None
            exprs: tuple[ConstExpr, ...] | None = None
            if flags & _EXPRESSIONS:
                exprs = tuple([const_expr(reader, self.types) for _ in range(count)])
            else:
                funcs = reader.indices(count)
            self.elements.append(ElementSegment(mode, type_, table, start, funcs, exprs, offset))

    def read_data_count(self, reader: Reader) -> None:
        self.features.setdefault(Feature.BULK_MEMORY, reader.pos)
        self.data_count = reader.u32()

    def read_codes(self, reader: Reader) -> None:
        start = reader.pos
        count = reader.count(limits.MAX_FUNCTIONS, "functions")
        if count != self.declared:
            raise MalformedError("function and code section have inconsistent lengths", start)
        data, pos, end = self.data, reader.pos, reader.end
        append = self.codes.append
        for _ in range(count):
            if pos + 1 < end and data[pos] < 0x80:
                size = data[pos]
                pos += 1
            elif pos + 2 < end and data[pos + 1] < 0x80:
                size = data[pos] & 0x7F | data[pos + 1] << 7
                pos += 2
            else:
                reader.pos = pos
                size = reader.u32()
                pos = reader.pos
            if size > end - pos:
                raise MalformedError("length out of bounds: the body is longer than its section", pos)
            if size > limits.MAX_BODY_SIZE:
                raise MalformedError(f"body too long: this engine's limit is {limits.MAX_BODY_SIZE} bytes", pos)
            append((pos, pos + size))
            pos += size
        reader.pos = pos

    def read_datas(self, reader: Reader) -> None:
        data, end = self.data, reader.end
        plain = self.datas.plain
        for _ in range(reader.count(limits.MAX_DATA_SEGMENTS, "data segments", 2)):
            offset = reader.pos
            # Nearly all of them: for memory 0, at an i32.const of at most four bytes, of a length of at most two.
            if end - offset > 16 and not data[offset] and data[offset + 1] == 0x41:
                pos, address, shift = offset + 2, 0, 0
                while (byte := data[pos]) >= 0x80 and shift < 21:
                    address |= (byte & 0x7F) << shift
                    shift += 7
                    pos += 1
                if byte < 0x80 and data[pos + 1] == 0x0B:
                    address |= byte << shift
                    if byte & 0x40:
                        address = address - (0x80 << shift) & 0xFFFFFFFF
                    after = pos + 2
                    length = data[after]
                    pos = after + 1
                    if length >= 0x80:
                        length = length & 0x7F | data[pos] << 7
                        pos += 1
                    if length < 0x4000 and length <= end - pos:
                        plain += (offset, after, address, pos, pos + length)
                        reader.pos = pos + length
                        continue
            self._read_data(reader, offset)

    def _read_data(self, reader: Reader, offset: int) -> None:
        flags = reader.u32()
        if flags > _EXPLICIT:
            raise MalformedError(f"malformed data segment kind {flags:#x}", offset)
        mode, memory, start = SegmentMode.ACTIVE, 0, None
        if flags & _PASSIVE:
            mode = SegmentMode.PASSIVE
            self.features.setdefault(Feature.BULK_MEMORY, offset)
        else:
            if flags & _EXPLICIT:
                memory = reader.u32()
            start = const_expr(reader, self.types)
        length = reader.u32()
        pos = reader.pos
        if length > reader.end - pos:
            raise MalformedError("length out of bounds: the data is longer than its section", pos)
        reader.pos = pos + length
        self.datas.add(DataSegment(mode, memory, start, (pos, pos + length), offset))


_SECTIONS: dict[SectionId, Callable[[_ModuleDecoder, Reader], None]] = {
    SectionId.TYPE: _ModuleDecoder.read_types,
    SectionId.IMPORT: _ModuleDecoder.read_imports,
    SectionId.FUNCTION: _ModuleDecoder.read_functions,
    SectionId.TABLE: _ModuleDecoder.read_tables,
    SectionId.MEMORY: _ModuleDecoder.read_memories,
    SectionId.TAG: _ModuleDecoder.read_tags,
    SectionId.GLOBAL: _ModuleDecoder.read_globals,
    SectionId.EXPORT: _ModuleDecoder.read_exports,
    SectionId.START: _ModuleDecoder.read_start,
    SectionId.ELEMENT: _ModuleDecoder.read_elements,
    SectionId.DATA_COUNT: _ModuleDecoder.read_data_count,
    SectionId.CODE: _ModuleDecoder.read_codes,
    SectionId.DATA: _ModuleDecoder.read_datas,
}
_SEGMENTS = frozenset({SectionId.ELEMENT, SectionId.DATA})
_ORDER = {section: place for place, section in enumerate(_SECTIONS, 1)}
