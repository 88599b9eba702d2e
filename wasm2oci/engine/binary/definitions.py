"""Components, every definition of them. Spec: component model, Binary.md.

Definitions are read in order and kept as they are written; only core types are resolved at once, since their canonical
form needs the types they refer to. For what a component imports and exports alone, `component` reads less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.component_names import read_sort
from wasm2oci.engine.binary.core_types import CoreTypeReader
from wasm2oci.engine.binary.definition_types import extern_desc, extern_name, results, type_definition
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE, ModuleKind, nested_preamble, preamble
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax import component as syntax
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.canon import BUILTINS, BY_CODE, OPTION_SORTS, OPTIONS
from wasm2oci.engine.syntax.sorts import EXPORTED_BY_CORE
from wasm2oci.engine.syntax.types import I32, I64

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.features import Feature

__all__ = ["decode_definitions"]

_CUSTOM, _CORE_MODULE, _COMPONENT, _START = 0, 1, 4, 9
_OUTER_SORTS: Final = frozenset({"core module", "core type", "type", "component"})
_INSTANCE: Final = 0x12


def decode_definitions(data: bytes, features: dict[Feature, int] | None = None) -> syntax.ComponentDefinition:
    """Decodes a component whole; core modules within it stay spans.

    Args:
        data: the component's bytes, preamble included.
        features: gets those that core types use, with the offset where each was seen first.

    Raises:
        MalformedError: the bytes are no component.
        InvalidModuleError: a core type refers to what does not exist.
    """
    data = bytes(data)
    if preamble(data) is not ModuleKind.COMPONENT:
        raise MalformedError("unknown binary version: this is a core module, not a component", 4)
    return _Decoder(data, {} if features is None else features).component(0, len(data))


class _Decoder:
    """The state of decoding: the core types of each component or type around the place that is read."""

    def __init__(self, data: bytes, features: dict[Feature, int]) -> None:
        self._data = data
        self._features = features
        self._scopes: list[CoreTypeReader] = []

    def component(self, start: int, end: int) -> syntax.ComponentDefinition:
        """Reads a component from its preamble on."""
        self._enter(start)
        definitions: list[syntax.Definition] = []
        reader = Reader(self._data, start + PREAMBLE_SIZE, end)
        while reader.pos < end:
            offset = reader.pos
            id_ = reader.byte()
            if id_ != _CUSTOM and id_ not in _SECTIONS and id_ not in _WHOLE:
                raise MalformedError(f"malformed section id {id_}", offset)
            size = reader.u32()
            if size > end - reader.pos:
                raise MalformedError("length out of bounds: the section is longer than the component", reader.pos)
            inner = Reader(self._data, reader.pos, reader.pos + size)
            reader.pos = inner.end
            if id_ == _CUSTOM:
                inner.name(limits.MAX_STRING_SIZE)
                continue
            if id_ in _WHOLE:
                definitions.append(_WHOLE[id_](self, inner))
            else:
                read = _SECTIONS[id_]
                definitions += [read(self, inner) for _ in range(inner.count(limits.MAX_IMPORTS, "items"))]
            if inner.pos != inner.end:
                raise MalformedError("section size mismatch: unexpected data at its end", inner.pos)
        self._scopes.pop()
        return syntax.ComponentDefinition((start, end), tuple(definitions), start)

    def _enter(self, offset: int) -> None:
        if len(self._scopes) > limits.MAX_COMPONENT_NESTING:
            limit = limits.MAX_COMPONENT_NESTING
            raise MalformedError(f"components or types nested too deep: this engine's limit is {limit}", offset)
        self._scopes.append(CoreTypeReader(self._features))

    # --- modules, components, instances -----------------------------------------------------------------------

    def core_module(self, reader: Reader) -> syntax.ModuleDefinition:
        """A core module, stepped over."""
        nested_preamble(reader, ModuleKind.MODULE)
        span = reader.pos, reader.end
        reader.pos = reader.end
        return syntax.ModuleDefinition(span, span[0])

    def nested(self, reader: Reader) -> syntax.ComponentDefinition:
        """A component within this one."""
        nested_preamble(reader, ModuleKind.COMPONENT)
        component = self.component(reader.pos, reader.end)
        reader.pos = reader.end
        return component

    def core_instance(self, reader: Reader) -> syntax.CoreInstantiation | syntax.CoreExports:
        """A core instance."""
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            module = reader.u32()
            arguments = [self._core_argument(reader) for _ in range(reader.count(limits.MAX_IMPORTS, "arguments", 3))]
            return syntax.CoreInstantiation(module, tuple(arguments), offset)
        if form == 1:
            exports = [self._core_export(reader) for _ in range(reader.count(limits.MAX_EXPORTS, "exports", 3))]
            return syntax.CoreExports(tuple(exports), offset)
        raise MalformedError("malformed core instance", offset)

    @staticmethod
    def _core_argument(reader: Reader) -> tuple[str, int]:
        name = reader.name(limits.MAX_STRING_SIZE)
        if reader.byte() != _INSTANCE:
            raise MalformedError("malformed argument: it is no core instance", reader.pos - 1)
        return name, reader.u32()

    @staticmethod
    def _core_export(reader: Reader) -> tuple[str, str, int]:
        name, offset = reader.name(limits.MAX_STRING_SIZE), reader.pos
        sort = read_sort(reader, core=True)
        if sort not in EXPORTED_BY_CORE:
            raise MalformedError(f"malformed core export: a core instance exports no {sort}", offset)
        return name, sort, reader.u32()

    def instance(self, reader: Reader) -> syntax.Instantiation | syntax.InstanceExports:
        """An instance."""
        offset = reader.pos
        form = reader.byte()
        if form == 0:
            component = reader.u32()
            count = reader.count(limits.MAX_IMPORTS, "arguments", 3)
            arguments = [(reader.name(limits.MAX_STRING_SIZE), *self._item(reader)) for _ in range(count)]
            return syntax.Instantiation(component, tuple(arguments), offset)
        if form == 1:
            count = reader.count(limits.MAX_EXPORTS, "exports", 4)
            return syntax.InstanceExports(
                tuple([(extern_name(reader), *self._item(reader)) for _ in range(count)]), offset
            )
        raise MalformedError("malformed instance", offset)

    @staticmethod
    def _item(reader: Reader) -> tuple[str, int]:
        offset = reader.pos
        sort = read_sort(reader)
        if sort.startswith("core ") and sort != "core module":
            raise MalformedError("malformed argument or export: a component has none of this sort", offset)
        return sort, reader.u32()

    # --- types, aliases, imports, exports -----------------------------------------------------------------------

    def core_type(self, reader: Reader) -> syntax.CoreTypes:
        """A core type, or those of a recursion group."""
        offset = reader.pos
        types, defs = self._scopes[-1].core_type(reader, self._scopes)
        return syntax.CoreTypes(types, defs, offset)

    def type(self, reader: Reader) -> syntax.TypeDefinition:
        """A type."""
        offset = reader.pos
        code = reader.byte()
        if code not in {0x41, 0x42}:
            return syntax.TypeDefinition(type_definition(reader, code, self._scopes[-1]), offset)
        self._enter(offset)
        kind = "component" if code == 0x41 else "instance"
        count = reader.count(limits.MAX_TYPES, "declarations", 2)
        declarations = tuple([self._declaration(reader, kind) for _ in range(count)])
        self._scopes.pop()
        return syntax.TypeDefinition(syntax.DeclaredType(kind, declarations), offset)

    def _declaration(self, reader: Reader, kind: str) -> syntax.Definition:
        offset = reader.pos
        code = reader.byte()
        if code == 3 and kind == "instance":
            raise MalformedError("malformed declaration: an instance type imports nothing", offset)
        if code == 4:
            return syntax.ExportDeclaration(extern_name(reader), extern_desc(reader), offset)
        read = _DECLARATIONS.get(code)
        if read is None:
            raise MalformedError("malformed declaration", offset)
        return read(self, reader)

    def alias(self, reader: Reader) -> syntax.Alias:
        """An alias; one of a core type is resolved here, too."""
        offset = reader.pos
        sort = read_sort(reader)
        form = reader.byte()
        if form == 0 and (sort == "core module" or not sort.startswith("core ")):
            return syntax.Alias(sort, "export", reader.u32(), reader.name(limits.MAX_STRING_SIZE), offset)
        if form == 1 and sort in EXPORTED_BY_CORE:
            return syntax.Alias(sort, "core export", reader.u32(), reader.name(limits.MAX_STRING_SIZE), offset)
        if form != 2 or sort not in _OUTER_SORTS:
            raise MalformedError(f"malformed alias of a {sort}", offset)
        count, index = reader.u32(), reader.u32()
        if sort == "core type":
            if count >= len(self._scopes):
                raise InvalidModuleError(f"invalid outer alias count of {count}", offset)
            entries = self._scopes[-1 - count].entries
            if index >= len(entries):
                raise InvalidModuleError(f"type index out of bounds: there is no core type {index}", offset)
            self._scopes[-1].declare(entries[index])
        return syntax.Alias(sort, "outer", count, index, offset)

    def import_(self, reader: Reader) -> syntax.Import:
        """An import."""
        offset = reader.pos
        return syntax.Import(extern_name(reader), extern_desc(reader), offset)

    def export(self, reader: Reader) -> syntax.Export:
        """An export."""
        offset = reader.pos
        name = extern_name(reader)
        sort, index = self._item(reader)
        ascribed = reader.byte()
        if ascribed > 1:
            raise MalformedError("malformed export: the type it is given is neither absent nor present", reader.pos - 1)
        return syntax.Export(name, sort, index, extern_desc(reader) if ascribed else None, offset)

    # --- functions ------------------------------------------------------------------------------------------------

    def canon(self, reader: Reader) -> syntax.CanonFunction:
        """A canonical function."""
        offset = reader.pos
        code = reader.byte()
        keyword = "lift" if code == 0 else BY_CODE.get(code)
        if keyword is None:
            raise MalformedError(f"malformed canonical function {code:#x}", offset)
        if code < 2 and reader.byte():
            raise MalformedError(f"malformed canonical function: {keyword} of no function", reader.pos - 1)
        options: tuple[tuple[str, int | None], ...] = ()
        operands: dict[str, syntax.CaseType | bool] = {}
        for operand in ("core-func options type" if code == 0 else BUILTINS[keyword].operands).split():
            if operand == "options":
                count = reader.count(limits.MAX_PARAMS, "options")
                options = tuple([self._option(reader) for _ in range(count)])
            elif operand == "slot":
                operands["slot type"] = self._slot_type(reader)
                operands[operand] = reader.u32()
            elif operand == "result":
                operands[operand] = results(reader)
            elif operand in {"async", "cancellable"}:
                operands[operand] = reader.flag(f"{operand} flag of a canonical function")
            else:
                operands[operand] = reader.u32()
        return syntax.CanonFunction(keyword, operands, syntax.CanonOptions(options), offset)

    @staticmethod
    def _slot_type(reader: Reader) -> int:
        byte = reader.byte()
        if byte not in {I32, I64}:
            raise MalformedError("malformed type of a context slot: it is i32 or i64", reader.pos - 1)
        return byte

    @staticmethod
    def _option(reader: Reader) -> tuple[str, int | None]:
        offset = reader.pos
        code = reader.byte()
        if code >= len(OPTIONS):
            raise MalformedError("malformed canonical option", offset)
        keyword = OPTIONS[code]
        return keyword, reader.u32() if keyword in OPTION_SORTS else None

    def start(self, reader: Reader) -> syntax.Start:
        """The start function."""
        offset = reader.pos
        function = reader.u32()
        arguments = reader.indices(reader.count(limits.MAX_PARAMS, "arguments"))
        given = reader.u32()
        if given > limits.MAX_RESULTS:
            raise MalformedError(f"too many results: this engine's limit is {limits.MAX_RESULTS}", reader.pos)
        return syntax.Start(function, arguments, given, offset)


_WHOLE: Final[dict[int, Callable[[_Decoder, Reader], syntax.Definition]]] = {
    _CORE_MODULE: _Decoder.core_module,
    _COMPONENT: _Decoder.nested,
    _START: _Decoder.start,
}
_SECTIONS: Final[dict[int, Callable[[_Decoder, Reader], syntax.Definition]]] = {
    2: _Decoder.core_instance,
    3: _Decoder.core_type,
    5: _Decoder.instance,
    6: _Decoder.alias,
    7: _Decoder.type,
    8: _Decoder.canon,
    10: _Decoder.import_,
    11: _Decoder.export,
}
_DECLARATIONS: Final[dict[int, Callable[[_Decoder, Reader], syntax.Definition]]] = {
    0: _Decoder.core_type,
    1: _Decoder.type,
    2: _Decoder.alias,
    3: _Decoder.import_,
}
