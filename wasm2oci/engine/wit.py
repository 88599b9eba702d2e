"""The world of a component, or the interfaces and worlds of a package, as WIT. Spec: component model, WIT.md.

The types are those that validation found. A type with a name is an object of its own, and knows which one it was made
from: so a name that an interface took from another one is written as a `use` of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.text import printable
from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component.outside import component_type
from wasm2oci.engine.validate.component.types import Component, Function, Instance, NamedResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.validate.component.types import Entity, Resource

__all__ = ["wit_text"]

_INTERFACE: Final = re.compile(r"([^/@:]+(?::[^/@:]+)+)/([^@]+)(@.+)?")
_METHOD: Final = re.compile(r"\[(constructor|method|static)\]([^.]+)(?:\.(.+))?")
_KEYWORDS: Final = re.compile(
    "as|async|bool|borrow|char|constructor|enum|error-context|export|f32|f64|flags|from|func|future|import|include|"
    "interface|list|map|option|own|package|record|resource|result|s16|s32|s64|s8|static|stream|string|tuple|type|u16|"
    "u32|u64|u8|use|variant|with|world"
)


def wit_text(data: bytes) -> str:
    """The WIT of a component or of a package.

    Raises:
        ModuleError: it is malformed, or its types are invalid.
    """
    return _Document().text(component_type(data))


def _name(label: str) -> str:
    return label if _KEYWORDS.fullmatch(label) is None else f"%{label}"


def _package(interface: str) -> str | None:
    """The package of an interface with its version, or None for what is none of a package."""
    found = _INTERFACE.fullmatch(interface)
    return None if found is None else f"{found[1]}{found[3] or ''}"


def _short(interface: str) -> str:
    found = _INTERFACE.fullmatch(interface)
    return interface if found is None else _name(found[2])


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else line for line in lines]


class _Document:
    """What was found so far: where types have their names, and the text of interfaces by package."""

    def __init__(self) -> None:
        self.types: dict[ValueType, tuple[str, str]] = {}
        self.resources: dict[Resource, tuple[str, str]] = {}
        self._packages: dict[str, dict[str, list[str]]] = {}
        self.main = "root:component"

    def text(self, component: Component) -> str:
        """All of it."""
        exports = component.exports
        if exports and not component.imports and all(isinstance(each.type, Component) for each in exports.values()):
            lines = self._whole_package(exports)
        else:
            lines = self._world("root", component)
        parts = [f"package {self.main};", "", *lines]
        for package, interfaces in self._packages.items():
            if package != self.main:
                inside = [line for text in interfaces.values() for line in [*text, ""]][:-1]
                parts += ["", f"package {package} {{", *_indented(inside), "}"]
        # The URL of a dependency is a name as well, and may hold any character.
        return "\n".join(map(printable, parts)) + "\n"

    def _whole_package(self, exports: Mapping[str, Entity]) -> list[str]:
        worlds = list[str]()
        for entity in exports.values():
            outer = entity.type
            if not isinstance(outer, Component):
                continue
            for name, entity_inside in outer.exports.items():
                self.main = _package(name) or self.main
                if isinstance(entity_inside.type, Component):
                    worlds += ["", *self._world(_short(name), entity_inside.type)]
                elif isinstance(entity_inside.type, Instance):
                    self._dependencies(outer)
                    self._interface(name, entity_inside.type)
        inside = [line for text in self._packages.get(self.main, {}).values() for line in ["", *text]]
        return [*inside, *worlds][1:]

    def _dependencies(self, component: Component) -> None:
        for name, entity in component.imports.items():
            if isinstance(entity.type, Instance) and _package(name) is not None:
                self._interface(name, entity.type)

    # --- worlds -------------------------------------------------------------------------------------------------------

    def _world(self, name: str, component: Component) -> list[str]:
        scope = _Scope(self, "")
        lines: list[str] = []
        for word, entities in (("import", component.imports), ("export", component.exports)):
            plain = {label: entity for label, entity in entities.items() if not isinstance(entity.type, Instance)}
            found: list[str] = []
            for label, entity in entities.items():
                if not isinstance(entity.type, Instance):
                    continue
                if _package(label) is None:
                    inside = _Scope(self, label).lines(entity.type.exports)
                    found += [f"{word} {_name(label)}: interface {{", *_indented(inside), "}"]
                else:
                    self._interface(label, entity.type)
                    found.append(f"{word} {_short(label) if _package(label) == self.main else label};")
            found += scope.lines(plain, word)
            lines += ["", *found] if lines and found else found
        return [f"world {name} {{", *_indented(lines), "}"]

    def _interface(self, name: str, instance: Instance) -> None:
        """Writes an interface, unless it is written; names its types in any case."""
        texts = self._packages.setdefault(_package(name) or "", {})
        lines = _Scope(self, name).lines(instance.exports)
        if name not in texts:
            texts[name] = [f"interface {_short(name)} {{", *_indented(lines), "}"]


class _Scope:
    """The names inside of an interface or a world.

    Args:
        document: where other interfaces have theirs.
        interface: its full name; empty for a world.
    """

    def __init__(self, document: _Document, interface: str) -> None:
        self._document = document
        self._interface = interface
        self._types: dict[ValueType, str] = {}
        self._resources: dict[Resource, str] = {}
        self._aliases: dict[str, str] = {}
        self._handles: dict[NamedResource, str] = {}

    def lines(self, entities: Mapping[str, Entity], word: str = "") -> list[str]:
        """The definitions: what is used from elsewhere, types, functions.

        Args:
            entities: by name.
            word: `import` or `export`, in a world.
        """
        uses: dict[str, list[str]] = {}
        defined = [name for name, entity in entities.items() if self._names(name, entity, uses)]
        methods: dict[str, list[tuple[str, str, Function]]] = {}
        functions: list[str] = []
        for name, entity in entities.items():
            found, type_ = _METHOD.fullmatch(name), entity.type
            if isinstance(type_, Function) and found is not None:
                methods.setdefault(found[2], []).append((found[1], found[3] or "", type_))
            elif isinstance(type_, Function):
                functions.append(f"{word} {_name(name)}: {self._function(type_)};".lstrip())
            elif entity.sort != "type":
                functions.append(f"// {word or 'export'} {name}: {entity.sort}")
        types: list[str] = []
        for name in defined:
            types += self._definition(name, entities[name].type, methods.get(name, []))
        used = [f"use {self._path(home)}.{{{', '.join(names)}}};" for home, names in uses.items()]
        blocks = [block for block in (used, types, functions) if block]
        return [line for block in blocks for line in ["", *block]][1:]

    def _path(self, interface: str) -> str:
        if self._interface and _package(interface) == _package(self._interface):
            return _short(interface)
        return interface

    def _take(self, name: str, home: tuple[str, str], uses: dict[str, list[str]]) -> None:
        """Uses a name of another interface."""
        interface, other = home
        uses.setdefault(interface, []).append(_name(other) if other == name else f"{_name(other)} as {_name(name)}")

    def _elsewhere(self, home: tuple[str, str] | None) -> bool:
        return home is not None and home[0] != self._interface and _package(home[0]) is not None

    # --- types --------------------------------------------------------------------------------------------------------

    def _names(self, name: str, entity: Entity, uses: dict[str, list[str]]) -> bool:
        """Gives a type its name here; whether it has to be defined here, and is not used from another interface."""
        type_ = entity.type
        if isinstance(type_, NamedResource):
            home = self._document.resources.setdefault(type_.resource, (self._interface, name))
            known = type_.resource in self._resources
            self._resources.setdefault(type_.resource, _name(name))
            self._handles[type_] = _name(name)
        elif isinstance(type_, ValueType) and entity.sort == "type":
            origin = self._origin(type_)
            home = self._document.types.setdefault(type_, self._document.types.get(origin, (self._interface, name)))
            known = origin in self._types
            if known:
                self._aliases[name] = self._types[origin]
            self._types[type_] = _name(name)
        else:
            return entity.sort == "type"
        if not known and home != (self._interface, name) and self._elsewhere(home):
            self._take(name, home, uses)
            return False
        return True

    def _origin(self, type_: ValueType) -> ValueType:
        """The nearest type that this one is another name for and that has a name, here or elsewhere; else itself."""
        origin: ValueType | None = type_
        while origin is not None:
            if origin in self._types or origin in self._document.types:
                return origin
            origin = origin.origin
        return type_

    def _method(self, kind: str, label: str, function: Function) -> str:
        if kind == "constructor":
            result = function.result
            own = isinstance(result, ValueType) and result.kind == "own"
            return f"constructor({self._params(function, 0)}){'' if own else self._result(result)};"
        static = "static " if kind == "static" else ""
        return f"{_name(label)}: {static}{self._function(function, 0 if static else 1)};"

    def _definition(self, label: str, type_: Any, methods: list[tuple[str, str, Function]]) -> list[str]:
        """A definition of a type."""
        name = _name(label)
        if isinstance(type_, NamedResource):
            own = self._resources[type_.resource]
            if own != name:
                return [f"type {name} = {own};"]
            inside = [self._method(kind, each, function) for kind, each, function in methods]
            return [f"resource {name} {{", *_indented(inside), "}"] if inside else [f"resource {name};"]
        if isinstance(type_, str) or label in self._aliases:
            return [f"type {name} = {self._aliases.get(label, type_)};"]
        if type_.kind == "record":
            pairs = zip(type_.labels, type_.types, strict=True)
            inside = [f"{_name(each)}: {self._type(field)}," for each, field in pairs]
        elif type_.kind == "variant":
            cases = zip(type_.labels, type_.types, strict=True)
            inside = [f"{_name(each)}{'' if case is None else f'({self._type(case)})'}," for each, case in cases]
        elif type_.kind in {"enum", "flags"}:
            inside = [f"{_name(each)}," for each in type_.labels]
        else:
            return [f"type {name} = {self._structure(type_)};"]
        return [f"{type_.kind} {name} {{", *_indented(inside), "}"]

    def _type(self, type_: Any) -> str:
        """A mention of a type."""
        if isinstance(type_, str):
            return type_
        if type_ is None:
            return "_"
        if isinstance(type_, NamedResource):
            return self._handles.get(type_) or self._resources.get(type_.resource) or self._foreign(type_.resource)
        return self._types.get(type_) or self._structure(type_)

    def _foreign(self, resource: Resource) -> str:
        """A resource that has no name here, which WIT cannot say."""
        interface, name = self._document.resources.get(resource, ("another interface", "resource"))
        return f"{_name(name)} /* of {interface or 'the world'} */"

    def _structure(self, type_: ValueType) -> str:
        """A type without a name."""
        kind, types = type_.kind, type_.types
        if kind == "own":
            return self._type(types[0])
        if kind == "result":
            good, bad = types
            if bad is None:
                return "result" if good is None else f"result<{self._type(good)}>"
            return f"result<{self._type(good)}, {self._type(bad)}>"
        inner = [self._type(each) for each in types if each is not None]
        if type_.length is not None:
            inner.append(str(type_.length))
        return f"{kind}<{', '.join(inner)}>" if inner else str(kind)

    def _params(self, function: Function, skipped: int) -> str:
        pairs = list(zip(function.labels, function.params, strict=True))[skipped:]
        return ", ".join([f"{_name(label)}: {self._type(type_)}" for label, type_ in pairs])

    def _result(self, result: Any) -> str:
        return "" if result is None else f" -> {self._type(result)}"

    def _function(self, function: Function, skipped: int = 0) -> str:
        word = "async func" if function.is_async else "func"
        return f"{word}({self._params(function, skipped)}){self._result(function.result)}"
