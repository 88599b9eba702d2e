"""Modules, from binary to text, section by section and as they stand; nothing is validated. Spec: core, 6.6."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.names import names_in
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.module import Names
from wasm2oci.engine.text.printing.body import body, constant, hint_text
from wasm2oci.engine.text.printing.context import PrintContext
from wasm2oci.engine.text.printing.custom import branch_hints, producers
from wasm2oci.engine.text.printing.identifiers import identifier, quoted
from wasm2oci.engine.text.printing.instructions import InstructionPrinter
from wasm2oci.engine.text.printing.line import Line
from wasm2oci.engine.text.printing.sections import EXACT_FUNC, SECTION_NAMES, all_counts, extern_sort, sections
from wasm2oci.engine.text.strings import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.engine.text.printing.body import Instruction

__all__ = ["ModulePrinter"]

_CUSTOM, _START = 0, 8
_PASSIVE, _EXPLICIT, _EXPRESSIONS = 1, 2, 4


class ModulePrinter:
    """Prints one module.

    Args:
        data: the bytes.
        start: where the module's preamble begins.
        end: where the module ends.
        folded: whether instructions hold their operands.
    """

    def __init__(self, data: bytes, start: int, end: int, *, folded: bool = False) -> None:
        self._data = data
        self._end = end
        self._folded = folded
        self._sections = list(sections(data, start, end))
        self._names = Names()
        self._hints: dict[int, dict[int, bytes]] = {}
        for id_, reader, name in self._sections:
            if id_ == _CUSTOM and name == "name":
                self._names = names_in(data, reader.pos, reader.end)
            elif id_ == _CUSTOM and name == "metadata.code.branch_hint":
                self._hints = branch_hints(Reader(data, reader.pos, reader.end))
        self._context = PrintContext(self._names, all_counts(self._sections))
        self._counts = dict.fromkeys(("func", "table", "memory", "global", "tag", "elem", "data"), 0)
        self._declared: list[int] = []  # types of defined functions

    def fields(self) -> Iterator[Line]:
        """The fields of the module, in the order of its sections."""
        place = "before first"
        last = max(
            (number for number, (id_, reader, _) in enumerate(self._sections) if self._is_written(id_, reader)),
            default=-1,
        )
        for number, (id_, reader, name) in enumerate(self._sections):
            if id_ == _CUSTOM:
                lines = self._producers(reader) if name == "producers" and number > last else None
                if lines is None:
                    yield from self._custom(reader, name, place)
                else:
                    yield from lines
                    place = "after last"  # the assembler puts producers there
                continue
            if self._is_written(id_, reader):
                place = f"after {SECTION_NAMES[id_]}"
            yield from _SECTIONS[id_](self, reader)
            if reader.pos != reader.end:
                raise MalformedError("section size mismatch", reader.pos)
        if self._declared and all(id_ != 10 for id_, _, _ in self._sections):
            raise MalformedError("function and code section have inconsistent lengths", self._end)

    def _is_written(self, id_: int, reader: Reader) -> bool:
        """Whether a section is made again by the assembler: not one that is empty."""
        return id_ != _CUSTOM and (id_ == _START or self._data[reader.pos : reader.pos + 1] != b"\0")

    @property
    def name(self) -> str | None:
        """The module's name."""
        return self._names.module

    @property
    def head(self) -> str:
        """What follows `module`: its name, with a blank before it."""
        name = self.name
        return "" if name is None else f" {identifier(name)}" if name else ' (@name "")'

    def function(self, wanted: str) -> Iterator[Line]:
        """One function, by its name, the name of an export, or its index; nothing where there is none."""
        found = self._function_index(wanted)
        for id_, reader, _ in self._sections:
            if id_ == 10 and found is not None:
                yield from self._bodies(reader, found)
            elif id_ in {1, 2, 3}:
                for _ in _SECTIONS[id_](self, reader):
                    pass

    def _function_index(self, wanted: str) -> int | None:
        for index, name in self._names.functions.items():
            if name == wanted:
                return index
        for id_, section, _ in self._sections:
            if id_ == 7:
                reader = Reader(self._data, section.pos, section.end)
                for _ in range(reader.count(limits.MAX_EXPORTS, "exports", 3)):
                    name, sort, index = reader.name(limits.MAX_STRING_SIZE), reader.byte(), reader.u32()
                    if sort == 0 and name == wanted:
                        return index
        return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else None

    # --- types, imports, exports ----------------------------------------------------------------------------------

    def _next(self, sort: str) -> int:
        self._counts[sort] += 1
        return self._counts[sort] - 1

    def types(self, reader: Reader) -> Iterator[Line]:
        """The type section."""
        for _ in range(reader.count(limits.MAX_TYPES, "types", 2)):
            offset = reader.pos
            for line in self._context.types.group(reader):
                yield Line(1, line, offset)

    def imports(self, reader: Reader) -> Iterator[Line]:
        """The import section."""
        for _ in range(reader.count(limits.MAX_IMPORTS, "imports", 4)):
            offset = reader.pos
            module, name = reader.name(limits.MAX_STRING_SIZE), reader.name(limits.MAX_STRING_SIZE)
            yield Line(1, f"(import {quoted(module)} {quoted(name)} ({self._extern(reader)}))", offset)

    def _extern(self, reader: Reader) -> str:
        """The sort, identifier and type of an import."""
        context, types = self._context, self._context.types
        place = reader.pos
        sort = extern_sort(Reader(self._data, place, reader.end), context)
        index = self._next(sort)
        declared = f"{sort} {dict(context.sorts)[sort].declare(index)}"
        exact = reader.byte() == EXACT_FUNC
        if sort == "func":
            type_ = reader.u32()
            context.func_types.append(type_)
            use = types.use(type_, context.locals(index, len(types.composite(type_).params)))
            return declared + (f"(exact {use})" if exact else use)
        if sort == "table":
            return declared + types.table(reader)
        if sort == "memory":
            return declared + types.limits(reader)
        if sort == "global":
            return declared + types.global_(reader)
        return declared + self._tag_type(reader)

    def _tag_type(self, reader: Reader) -> str:
        if reader.byte():
            raise MalformedError("malformed tag attribute", reader.pos - 1)
        type_ = reader.u32()
        self._context.tag_types.append(type_)
        return self._context.types.use(type_)

    def functions(self, reader: Reader) -> Iterator[Line]:
        """The function section: nothing of its own is printed."""
        self._declared += reader.indices(reader.count(limits.MAX_FUNCTIONS, "functions"))
        self._context.func_types += self._declared
        yield from ()

    def exports(self, reader: Reader) -> Iterator[Line]:
        """The export section."""
        for _ in range(reader.count(limits.MAX_EXPORTS, "exports", 3)):
            offset = reader.pos
            name, place = reader.name(limits.MAX_STRING_SIZE), reader.pos
            code = reader.byte()
            if code >= len(self._context.sorts):
                raise MalformedError(f"malformed export kind {code:#x}", place)
            sort, identifiers = self._context.sorts[code]
            yield Line(1, f"(export {quoted(name)} ({sort} {identifiers.use(reader.u32())}))", offset)

    def start(self, reader: Reader) -> Iterator[Line]:
        """The start section."""
        offset = reader.pos
        yield Line(1, f"(start {self._context.funcs.use(reader.u32())})", offset)

    # --- tables, memories, tags, globals --------------------------------------------------------------------------

    def tables(self, reader: Reader) -> Iterator[Line]:
        """The table section."""
        for _ in range(reader.count(limits.MAX_TABLES, "tables", 3)):
            offset, init = reader.pos, ""
            explicit = reader.end > offset and self._data[offset] == 0x40
            if explicit:
                reader.pos += 1
                if reader.byte():
                    raise MalformedError("zero byte expected", reader.pos - 1)
            type_ = self._context.types.table(reader)
            if explicit:
                init = "".join([f" {each}" for each in constant(self._context, reader)])
            yield Line(1, f"(table {self._context.tables.declare(self._next('table'))}{type_}{init})", offset)

    def memories(self, reader: Reader) -> Iterator[Line]:
        """The memory section."""
        for _ in range(reader.count(limits.MAX_MEMORIES, "memories", 2)):
            offset = reader.pos
            declared = self._context.memories.declare(self._next("memory"))
            yield Line(1, f"(memory {declared}{self._context.types.limits(reader)})", offset)

    def tags(self, reader: Reader) -> Iterator[Line]:
        """The tag section."""
        for _ in range(reader.count(limits.MAX_TAGS, "tags", 2)):
            offset = reader.pos
            yield Line(1, f"(tag {self._context.tags.declare(self._next('tag'))}{self._tag_type(reader)})", offset)

    def globals(self, reader: Reader) -> Iterator[Line]:
        """The global section."""
        for _ in range(reader.count(limits.MAX_GLOBALS, "globals", 3)):
            offset = reader.pos
            declared = self._context.globals.declare(self._next("global"))
            type_ = self._context.types.global_(reader)
            init = " ".join([type_, *constant(self._context, reader)])
            yield Line(1, f"(global {declared}{init})", offset)

    # --- segments -------------------------------------------------------------------------------------------------

    def elements(self, reader: Reader) -> Iterator[Line]:
        """The element section."""
        context = self._context
        for _ in range(reader.count(limits.MAX_ELEMENT_SEGMENTS, "element segments", 2)):
            offset = reader.pos
            flags = reader.u32()
            if flags > _PASSIVE | _EXPLICIT | _EXPRESSIONS:
                raise MalformedError(f"malformed elements segment kind {flags:#x}", offset)
            parts = [f"(elem {context.elems.declare(self._next('elem'))}".rstrip()]
            if flags & _PASSIVE:
                parts += ["declare"] * bool(flags & _EXPLICIT)
            else:
                if flags & _EXPLICIT:
                    parts.append(f"(table {context.tables.use(reader.u32())})")
                parts.append(self._offset(reader))
            if flags & _EXPRESSIONS:
                parts.append(context.types.element(reader) if flags & 3 else "funcref")
                count = reader.count(limits.MAX_ELEMENT_SEGMENTS, "elements")
                parts += [self._item(reader) for _ in range(count)]
            else:
                if flags & 3 and reader.byte():
                    raise MalformedError("malformed element kind", reader.pos - 1)
                parts.append("func")
                count = reader.count(limits.MAX_ELEMENT_SEGMENTS, "elements")
                parts += [context.funcs.use(index) for index in reader.indices(count)]
            yield Line(1, " ".join(parts) + ")", offset)

    def _item(self, reader: Reader) -> str:
        return _parenthesised("item", constant(self._context, reader))

    def _offset(self, reader: Reader) -> str:
        return _parenthesised("offset", constant(self._context, reader))

    def datas(self, reader: Reader) -> Iterator[Line]:
        """The data section."""
        context = self._context
        for _ in range(reader.count(limits.MAX_DATA_SEGMENTS, "data segments", 2)):
            offset = reader.pos
            flags = reader.u32()
            if flags > _EXPLICIT:
                raise MalformedError(f"malformed data segment kind {flags:#x}", offset)
            parts = [f"(data {context.datas.declare(self._next('data'))}".rstrip()]
            if flags == _EXPLICIT and (memory := reader.u32()):
                parts.append(f"(memory {context.memories.use(memory)})")
            if flags != _PASSIVE:
                parts.append(self._offset(reader))
            parts.append(escaped(reader.take(reader.u32())))
            yield Line(1, " ".join(parts) + ")", offset)

    def data_count(self, reader: Reader) -> Iterator[Line]:
        """The data count section: the assembler makes it where it is needed."""
        reader.u32()
        yield from ()

    # --- code -------------------------------------------------------------------------------------------------------

    def codes(self, reader: Reader) -> Iterator[Line]:
        """The code section."""
        yield from self._bodies(reader, None)

    def _bodies(self, reader: Reader, wanted: int | None) -> Iterator[Line]:
        """All functions, or the one with index `wanted`."""
        count = reader.count(limits.MAX_FUNCTIONS, "functions")
        if count != len(self._declared):
            raise MalformedError("function and code section have inconsistent lengths", reader.pos)
        for type_ in self._declared:
            offset = reader.pos
            size = reader.u32()
            if size > reader.end - reader.pos:
                raise MalformedError("length out of bounds: the body is longer than its section", reader.pos)
            index = self._next("func")
            inner = Reader(self._data, reader.pos, reader.pos + size)
            reader.pos = inner.end
            if wanted is None or wanted == index:
                yield from self._function(inner, index, type_, offset)

    def _function(self, reader: Reader, index: int, type_: int, offset: int) -> Iterator[Line]:
        context, start = self._context, reader.pos
        types: list[str] = []
        for _ in range(reader.count(limits.MAX_LOCALS, "locals", 2)):
            many = reader.u32()
            if len(types) + many > limits.MAX_LOCALS:
                raise MalformedError(f"too many locals: this engine's limit is {limits.MAX_LOCALS}", reader.pos)
            types += [context.types.value(reader)] * many
        params = len(context.types.composite(type_).params)
        locals_ = context.locals(index, params + len(types))
        declared = f"(func {context.funcs.declare(index)}{context.types.use(type_, locals_)}"
        printer = InstructionPrinter(context, reader, locals_)
        instructions = body(printer, context.labels(index), self._hints.get(index, {}), start)
        first = next(instructions)
        if not types and first[2] == "end" and not first[1]:
            yield Line(1, f"{declared})", offset)
            next(instructions, None)
            return
        yield Line(1, declared, offset)
        if types:
            row = context.types.locals(types, locals_, params)
            yield Line(2, row.lstrip(), start)
        if self._folded:
            from wasm2oci.engine.text.printing.folded import folded  # noqa: PLC0415 - flat is the rule

            yield from folded(context, self._data, type_, chain((first,), instructions))
        else:
            yield from _flat(chain((first,), instructions))
        yield Line(1, ")", reader.end - 1)

    # --- custom sections --------------------------------------------------------------------------------------------

    def _producers(self, reader: Reader) -> list[Line] | None:
        """The lines of a `producers` section, or None where it has no form of its own."""
        lines = producers(Reader(self._data, reader.pos, reader.end))
        return None if lines is None else [Line(depth, text, reader.pos) for depth, text in lines]

    def _custom(self, reader: Reader, name: str, place: str) -> Iterator[Line]:
        if name in {"name", "metadata.code.branch_hint"}:
            return
        offset = reader.pos
        yield Line(1, f"(@custom {quoted(name)} ({place}) {escaped(reader.take(reader.end - offset))})", offset)


def _flat(instructions: Iterator[Instruction]) -> Iterator[Line]:
    """A line for each instruction but the last, which is the function's `end`."""
    last: Line | None = None
    for offset, depth, text, _, hint, _ in instructions:
        if last is not None:
            yield last
        if hint is not None:
            yield Line(2 + depth, hint_text(hint), offset)
        last = Line(2 + depth, text, offset)


def _parenthesised(keyword: str, expression: list[str]) -> str:
    """An expression of one instruction in parentheses, any other after a keyword."""
    return f"({expression[0]})" if len(expression) == 1 else f"({' '.join([keyword, *expression])})"


_SECTIONS: Final = {
    1: ModulePrinter.types,
    2: ModulePrinter.imports,
    3: ModulePrinter.functions,
    4: ModulePrinter.tables,
    5: ModulePrinter.memories,
    6: ModulePrinter.globals,
    7: ModulePrinter.exports,
    8: ModulePrinter.start,
    9: ModulePrinter.elements,
    10: ModulePrinter.codes,
    11: ModulePrinter.datas,
    12: ModulePrinter.data_count,
    13: ModulePrinter.tags,
}
