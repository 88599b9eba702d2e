"""Components in outline: imports, exports, custom sections, nested modules and components.

A component's types, instances and canonical functions are stepped over by their sections' sizes. Imports and exports
are read whole: names such as `wasi:cli/run@0.2.0` say what a component needs and offers, which is what a registry and
a runtime ask about.

Spec: component model, Binary.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wasm2oci.engine.binary.component_names import read_name, read_sort
from wasm2oci.engine.binary.component_types import alias, declared_name
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE, ModuleKind, nested_preamble, preamble
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.module import CustomSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.engine.syntax.module import Span

__all__ = ["Component", "ComponentExtern", "decode_component"]

_CUSTOM, _CORE_MODULE, _COMPONENT, _ALIAS, _TYPE, _IMPORT, _EXPORT, _LAST = 0, 1, 4, 6, 7, 10, 11, 12

_TYPE_SORT = 3


@dataclass(frozen=True, slots=True)
class ComponentExtern:
    """An import or export of a component.

    Attributes:
        name: as written: `wasi:cli/run@0.2.0`, `add`, ...
        kind: `func`, `value`, `type`, `component`, `instance`, or `core module`.
        offset: of its name.
        id: the name by which everybody knows it: where a WIT package exports an interface or world under a short name
            (`types`), its full one (`wasi:http/types@0.2.0`); else `name`.
    """

    name: str
    kind: str
    offset: int
    id: str


@dataclass(frozen=True, slots=True)
class Component:
    """A component in outline. Spans count from the start of the outermost file.

    Attributes:
        span: of the component, preamble included.
        imports: in order.
        exports: in order.
        modules: spans of the core modules directly in it, preambles included.
        components: the components directly in it.
        customs: custom sections in order.
    """

    span: Span
    imports: tuple[ComponentExtern, ...]
    exports: tuple[ComponentExtern, ...]
    modules: tuple[Span, ...]
    components: tuple[Component, ...]
    customs: tuple[CustomSection, ...]

    def all_modules(self) -> Iterator[Span]:
        """The spans of all core modules in it, however deep, outer ones first."""
        yield from self.modules
        for component in self.components:
            yield from component.all_modules()


def decode_component(data: bytes) -> Component:
    """Decodes a component's outline.

    Args:
        data: the component's bytes, preamble included.

    Raises:
        MalformedError: the bytes are no component, as far as they were read, or a core module.
    """
    data = bytes(data)
    if preamble(data) is not ModuleKind.COMPONENT:
        raise MalformedError("unknown binary version: this is a core module, not a component", 4)
    return _component(data, 0, len(data), 0)


def _component(data: bytes, start: int, end: int, depth: int) -> Component:
    if depth > limits.MAX_COMPONENT_NESTING:
        raise MalformedError(
            f"components nested too deep: this engine's limit is {limits.MAX_COMPONENT_NESTING}", start
        )
    imports: list[ComponentExtern] = []
    exports: list[ComponentExtern] = []
    modules: list[Span] = []
    components: list[Component] = []
    customs: list[CustomSection] = []
    typed: list[tuple[int, Span]] = []  # the sections that say what types there are
    reader = Reader(data, start + PREAMBLE_SIZE, end)
    while reader.pos < end:
        offset = reader.pos
        id_ = reader.byte()
        if id_ > _LAST:
            raise MalformedError(f"malformed section id {id_}", offset)
        size = reader.u32()
        if size > end - reader.pos:
            raise MalformedError("length out of bounds: the section is longer than the component", reader.pos)
        inner = Reader(data, reader.pos, reader.pos + size)
        reader.pos = inner.end
        if id_ in {_ALIAS, _TYPE, _IMPORT, _EXPORT}:
            typed.append((id_, (inner.pos, inner.end)))
        if id_ == _CUSTOM:
            customs.append(CustomSection(inner.name(limits.MAX_STRING_SIZE), inner.pos, inner.end))
        elif id_ == _CORE_MODULE:
            nested_preamble(inner, ModuleKind.MODULE)
            modules.append((inner.pos, inner.end))
        elif id_ == _COMPONENT:
            nested_preamble(inner, ModuleKind.COMPONENT)
            components.append(_component(data, inner.pos, inner.end, depth + 1))
        elif id_ in {_IMPORT, _EXPORT}:
            read, into = (_import, imports) if id_ == _IMPORT else (_export, exports)
            into += [read(inner) for _ in range(inner.count(limits.MAX_IMPORTS, "imports or exports", 3))]
            if inner.pos != inner.end:
                raise MalformedError("section size mismatch", inner.pos)
    if any(extern.kind == "type" for extern in exports):
        exports = _with_ids(data, exports, typed)
    return Component((start, end), tuple(imports), tuple(exports), tuple(modules), tuple(components), tuple(customs))


def _import(reader: Reader) -> ComponentExtern:
    offset = reader.pos
    name, _ = read_name(reader)
    return ComponentExtern(name, _type(reader), offset, name)


def _export(reader: Reader) -> ComponentExtern:
    offset = reader.pos
    name, _ = read_name(reader)
    kind = read_sort(reader)
    reader.u32()  # the index of what is exported
    ascribed = reader.byte()
    if ascribed > 1:
        raise MalformedError("malformed export: the ascribed type is neither absent nor present", reader.pos - 1)
    if ascribed:
        _type(reader)
    return ComponentExtern(name, kind, offset, name)


def _with_ids(data: bytes, exports: list[ComponentExtern], typed: list[tuple[int, Span]]) -> list[ComponentExtern]:
    """The exports, with full names for those that are the types of a WIT package."""
    names: list[str | None] = []  # of each type, by its index
    ids: dict[int, str] = {}
    try:
        for section, (start, end) in typed:
            reader = Reader(data, start, end)
            for _ in range(reader.count(limits.MAX_IMPORTS, "items")):
                if section == _TYPE:
                    names.append(declared_name(reader))
                elif section == _ALIAS:
                    if alias(reader) == _TYPE_SORT:
                        names.append(None)
                elif section == _IMPORT:
                    if _import(reader).kind == "type":
                        names.append(None)
                else:
                    offset = reader.pos
                    read_name(reader)
                    if read_sort(reader) == "type":
                        index = reader.u32()
                        name = names[index] if index < len(names) else None
                        ids[offset] = name or ""
                        names.append(name)
                    reader.pos = offset
                    _export(reader)
    except MalformedError:
        return exports  # types this reader does not know: the outline is kept, without full names
    return [replace(extern, id=ids.get(extern.offset) or extern.name) for extern in exports]


def _type(reader: Reader) -> str:
    """Steps over the type of an import or export (`externdesc`), and says its kind."""
    offset = reader.pos
    kind = read_sort(reader)
    if kind.startswith("core ") and kind != "core module":
        raise MalformedError("malformed import or export type", offset)
    if kind == "value":
        reader.s33()  # a value type as tools write it: a primitive or an index, without the bound of Binary.md
    elif kind == "type":
        bound = reader.byte()
        if bound > 1:
            raise MalformedError("malformed type bound", reader.pos - 1)
        if bound == 0:
            reader.u32()
    else:
        reader.u32()
    return kind
