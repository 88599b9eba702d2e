"""Components, from binary to text, section by section and as they stand. Spec: component model, Binary.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.component_names import read_sort
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE, ModuleKind, nested_preamble
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.canon import BUILTINS, BY_CODE, OPTION_SORTS, OPTIONS
from wasm2oci.engine.text.printing.component_types import (
    alias,
    core_type,
    extern_name,
    extern_type,
    type_definition,
    value_type,
)
from wasm2oci.engine.text.printing.custom import producers
from wasm2oci.engine.text.printing.identifiers import identifier, quoted
from wasm2oci.engine.text.printing.line import Line
from wasm2oci.engine.text.printing.module import ModulePrinter
from wasm2oci.engine.text.printing.scopes import PrintScope, read_names
from wasm2oci.engine.text.strings import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ComponentPrinter"]

_CUSTOM, _CORE_MODULE, _COMPONENT, _START, _LAST = 0, 1, 4, 9, 11


class ComponentPrinter:
    """Prints one component.

    Args:
        data: the bytes.
        start: where the component's preamble begins.
        end: where the component ends.
        folded: whether instructions hold their operands.
        depth: how many components are around it.
    """

    def __init__(self, data: bytes, start: int, end: int, *, folded: bool = False, depth: int = 0) -> None:
        if depth > limits.MAX_COMPONENT_NESTING:
            limit = limits.MAX_COMPONENT_NESTING
            raise MalformedError(f"components nested too deep: this engine's limit is {limit}", start)
        self._data = data
        self._folded = folded
        self._depth = depth
        self._sections = list(self._find(start, end))
        self.name: str | None = None
        names: dict[str, dict[int, str]] = {}
        for id_, reader, name in self._sections:
            if id_ == _CUSTOM and name == "component-name":
                self.name, names = read_names(data, reader.pos, reader.end)
        self._scope = PrintScope(names)

    def _find(self, start: int, end: int) -> Iterator[tuple[int, Reader, str]]:
        """Number, contents and (of a custom section) name of each section."""
        reader = Reader(self._data, start + PREAMBLE_SIZE, end)
        while reader.pos < end:
            offset = reader.pos
            id_ = reader.byte()
            if id_ > _LAST:
                raise MalformedError(f"malformed section id {id_}", offset)
            size = reader.u32()
            if size > end - reader.pos:
                raise MalformedError("length out of bounds: the section is longer than the component", reader.pos)
            inner = Reader(self._data, reader.pos, reader.pos + size)
            reader.pos = inner.end
            yield id_, inner, inner.name(limits.MAX_STRING_SIZE) if id_ == _CUSTOM else ""

    @property
    def head(self) -> str:
        """What follows `component`: its name, with a blank before it."""
        return "" if self.name is None else f" {identifier(self.name)}" if self.name else ' (@name "")'

    def fields(self) -> Iterator[Line]:
        """The fields of the component, in the order of its sections."""
        for id_, reader, name in self._sections:
            offset = reader.pos
            if id_ == _CUSTOM:
                yield from self._custom(reader, name)
                continue
            if id_ == _CORE_MODULE:
                yield from self._nested(reader, "core module", ModuleKind.MODULE)
            elif id_ == _COMPONENT:
                yield from self._nested(reader, "component", ModuleKind.COMPONENT)
            elif id_ == _START:
                yield Line(1, self._start(reader), offset)
            else:
                for _ in range(reader.count(limits.MAX_IMPORTS, "items")):
                    offset = reader.pos
                    for line in _SECTIONS[id_](self, reader):
                        yield Line(1, line, offset)
            if reader.pos != reader.end:
                raise MalformedError("section size mismatch", reader.pos)

    def function(self, wanted: str) -> Iterator[Line]:
        """One function by its name, from the first of the component's modules that has it; nothing where none has."""
        for id_, reader, _ in self._sections:
            found: Iterator[Line] = iter(())
            if id_ == _CORE_MODULE:
                found = ModulePrinter(self._data, reader.pos, reader.end, folded=self._folded).function(wanted)
            elif id_ == _COMPONENT:
                nested = ComponentPrinter(
                    self._data, reader.pos, reader.end, folded=self._folded, depth=self._depth + 1
                )
                found = nested.function(wanted)
            first = next(found, None)
            if first is not None:
                yield first
                yield from found
                return

    def _nested(self, reader: Reader, sort: str, kind: ModuleKind) -> Iterator[Line]:
        """A core module or component."""
        start = reader.pos
        nested_preamble(reader, kind)
        printer: ModulePrinter | ComponentPrinter
        if kind is ModuleKind.MODULE:
            printer = ModulePrinter(self._data, start, reader.end, folded=self._folded)
        else:
            printer = ComponentPrinter(self._data, start, reader.end, folded=self._folded, depth=self._depth + 1)
        yield Line(1, f"({sort} {self._scope.declare(sort, printer.name)}".rstrip(), start)
        for depth, text, offset in printer.fields():
            yield Line(depth + 1, text, offset)
        yield Line(1, ")")
        reader.pos = reader.end

    # --- instances ------------------------------------------------------------------------------------------------

    def core_instance(self, reader: Reader) -> list[str]:
        """A core instance."""
        scope, offset = self._scope, reader.pos
        form = reader.byte()
        if form == 0:
            parts = [f"(instantiate {scope.use('core module', reader.u32())}"]
            for _ in range(reader.count(limits.MAX_IMPORTS, "arguments", 3)):
                name, place = quoted(reader.name(limits.MAX_STRING_SIZE)), reader.pos
                if reader.byte() != 0x12:
                    raise MalformedError("malformed argument", place)
                parts.append(f"(with {name} (instance {scope.use('core instance', reader.u32())}))")
            written = " ".join(parts) + ")"
        elif form == 1:
            written = " ".join([self._core_export(reader) for _ in range(reader.count(limits.MAX_EXPORTS, "exports"))])
        else:
            raise MalformedError("malformed core instance", offset)
        return [f"(core instance {scope.declare('core instance')}{written}".rstrip() + ")"]

    def _core_export(self, reader: Reader) -> str:
        name = quoted(reader.name(limits.MAX_STRING_SIZE))
        sort = read_sort(reader, core=True)
        return f"(export {name} ({sort.removeprefix('core ')} {self._scope.use(sort, reader.u32())}))"

    def instance(self, reader: Reader) -> list[str]:
        """An instance."""
        scope, offset = self._scope, reader.pos
        form = reader.byte()
        if form == 0:
            parts = [f"(instantiate {scope.use('component', reader.u32())}"]
            for _ in range(reader.count(limits.MAX_IMPORTS, "arguments", 3)):
                name = quoted(reader.name(limits.MAX_STRING_SIZE))
                parts.append(f"(with {name} {self._item(reader)})")
            written = " ".join(parts) + ")"
        elif form == 1:
            exports = range(reader.count(limits.MAX_EXPORTS, "exports", 3))
            written = " ".join([f"(export {extern_name(reader)} {self._item(reader)})" for _ in exports])
        else:
            raise MalformedError("malformed instance", offset)
        return [f"(instance {scope.declare('instance')}{written}".rstrip() + ")"]

    def _item(self, reader: Reader) -> str:
        sort = read_sort(reader)
        return f"({sort} {self._scope.use(sort, reader.u32())})"

    # --- types, aliases, imports, exports -------------------------------------------------------------------------

    def core_type(self, reader: Reader) -> list[str]:
        """A core type."""
        return core_type(reader, self._scope)

    def type(self, reader: Reader) -> list[str]:
        """A type."""
        lines = type_definition(reader, self._scope)
        lines[0] = f"(type {self._scope.declare('type')}{lines[0]}"
        lines[-1] += ")"
        return lines

    def alias(self, reader: Reader) -> list[str]:
        """An alias."""
        return [alias(reader, self._scope)]

    def import_(self, reader: Reader) -> list[str]:
        """An import."""
        name = extern_name(reader)
        sort, written = extern_type(reader, self._scope)
        return [f"(import {name} ({sort} {self._scope.declare(sort)}{written}))"]

    def export(self, reader: Reader) -> list[str]:
        """An export."""
        name = extern_name(reader)
        sort = read_sort(reader)
        item = f"({sort} {self._scope.use(sort, reader.u32())})"
        ascribed = reader.byte()
        if ascribed > 1:
            raise MalformedError("malformed export", reader.pos - 1)
        if ascribed:
            kind, written = extern_type(reader, self._scope)
            item += f" ({kind} {written})"
        return [f"(export {self._scope.declare(sort)}{name} {item})"]

    # --- functions ------------------------------------------------------------------------------------------------

    def canon(self, reader: Reader) -> list[str]:
        """A canonical function."""
        scope, offset = self._scope, reader.pos
        code = reader.byte()
        if code == 0:
            if reader.byte():
                raise MalformedError("malformed canonical function", offset)
            function = scope.use("core func", reader.u32())
            options = self._options(reader)
            type_ = scope.use("type", reader.u32())
            lifted = " ".join([f"(canon lift (core func {function})", *options])
            return [f"(func {scope.declare('func')}(type {type_}) {lifted}))"]
        if code not in BY_CODE:
            raise MalformedError("malformed canonical function", offset)
        keyword = BY_CODE[code]
        if keyword == "lower" and reader.byte():
            raise MalformedError("malformed canonical function", offset)
        parts = [f"(canon {keyword}"]
        for operand in BUILTINS[keyword].operands.split():
            parts += self._options(reader) if operand == "options" else self._operand(reader, operand)
        return [f"(core func {scope.declare('core func')}{' '.join(parts)}))"]

    def _operand(self, reader: Reader, operand: str) -> list[str]:
        scope, offset = self._scope, reader.pos
        if operand == "func":
            return [f"(func {scope.use('func', reader.u32())})"]
        if operand == "type":
            return [scope.use("type", reader.u32())]
        if operand == "core-type":
            return [scope.use("core type", reader.u32())]
        if operand in {"memory", "table"}:
            return [f"({operand} {scope.use(f'core {operand}', reader.u32())})"]
        byte = reader.byte()
        if operand in {"async", "cancellable"} and byte < 2:
            return [operand] * byte
        if operand == "slot" and byte in {0x7E, 0x7F}:
            return ["i64" if byte == 0x7E else "i32", str(reader.u32())]
        if operand == "result" and byte == 0:
            return [f"(result {value_type(reader, scope)})"]
        if operand == "result" and byte == 1 and not reader.byte():
            return []
        raise MalformedError("malformed canonical function", offset)

    def _options(self, reader: Reader) -> list[str]:
        scope, out = self._scope, []
        for _ in range(reader.count(limits.MAX_IMPORTS, "options")):
            offset = reader.pos
            code = reader.byte()
            if code >= len(OPTIONS):
                raise MalformedError("malformed canonical option", offset)
            keyword = OPTIONS[code]
            sort = OPTION_SORTS.get(keyword)
            if sort is None:
                out.append(keyword)
            else:
                used = scope.use(sort, reader.u32())
                out.append(f"({keyword} {used})" if sort != "core func" else f"({keyword} (func {used}))")
        return out

    def _start(self, reader: Reader) -> str:
        scope = self._scope
        parts = [f"(start {scope.use('func', reader.u32())}"]
        arguments = reader.indices(reader.count(limits.MAX_PARAMS, "arguments"))
        parts += [f"(value {scope.use('value', argument)})" for argument in arguments]
        count = reader.u32()
        if count > limits.MAX_RESULTS:
            raise MalformedError(f"too many results: this engine's limit is {limits.MAX_RESULTS}", reader.pos)
        parts += [f"(result (value {scope.declare('value').rstrip()}))" for _ in range(count)]
        return " ".join(parts) + ")"

    # --- custom sections ------------------------------------------------------------------------------------------

    def _custom(self, reader: Reader, name: str) -> Iterator[Line]:
        offset = reader.pos
        if name == "component-name":
            return
        if name == "producers":
            lines = producers(Reader(self._data, offset, reader.end))
            if lines is not None:
                yield from (Line(depth, text, offset) for depth, text in lines)
                return
        yield Line(1, f"(@custom {quoted(name)} {escaped(reader.take(reader.end - offset))})", offset)


_SECTIONS: Final[dict[int, Callable[[ComponentPrinter, Reader], list[str]]]] = {
    2: ComponentPrinter.core_instance,
    3: ComponentPrinter.core_type,
    5: ComponentPrinter.instance,
    6: ComponentPrinter.alias,
    7: ComponentPrinter.type,
    8: ComponentPrinter.canon,
    10: ComponentPrinter.import_,
    11: ComponentPrinter.export,
}
