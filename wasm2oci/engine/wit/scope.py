"""The names that types have in an interface or a world, and the text of its definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component.types import Function, NamedResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.validate.component.types import Entity, Resource

__all__ = ["Names", "Scope", "indented", "package_of", "short_name", "written"]

_INTERFACE: Final = re.compile(r"([^/@:]+(?::[^/@:]+)+)/([^@]+)(@.+)?")
_METHOD: Final = re.compile(r"\[(constructor|method|static)\]([^.]+)(?:\.(.+))?")
_KEYWORDS: Final = re.compile(
    "as|async|bool|borrow|char|constructor|enum|error-context|export|f32|f64|flags|from|func|future|import|include|"
    "interface|list|map|option|own|package|record|resource|result|s16|s32|s64|s8|static|stream|string|tuple|type|u16|"
    "u32|u64|u8|use|variant|with|world"
)


def written(label: str) -> str:
    """A name in a WIT: with a percent sign where it is a keyword."""
    return label if _KEYWORDS.fullmatch(label) is None else f"%{label}"


def package_of(interface: str) -> str | None:
    """The package of an interface with its version, or None for what is none of a package."""
    found = _INTERFACE.fullmatch(interface)
    return None if found is None else f"{found[1]}{found[3] or ''}"


def short_name(interface: str) -> str:
    """The name of an interface in its package."""
    found = _INTERFACE.fullmatch(interface)
    return interface if found is None else written(found[2])


def indented(lines: list[str]) -> list[str]:
    """Lines inside of brackets."""
    return [f"  {line}" if line else line for line in lines]


class Names:
    """Where types have their names: interface and name; and how much text there may be.

    Args:
        most: characters that lines and mentions of types may have in all.
    """

    def __init__(self, most: int) -> None:
        self.types: dict[ValueType, tuple[str, str]] = {}
        self.resources: dict[Resource, tuple[str, str]] = {}
        self._most = self._left = most

    def counted(self, text: str) -> str:
        """A part of the text.

        Raises:
            InvalidModuleError: there is too much of it.
        """
        self._left -= len(text)
        if self._left < 0:
            raise InvalidModuleError(f"the types are too large: their text has more than {self._most:,} characters", 0)
        return text


class Scope:
    """The names inside of an interface or a world.

    Args:
        names: where other interfaces have theirs.
        interface: its full name; empty for a world.
    """

    def __init__(self, names: Names, interface: str) -> None:
        self._names = names
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
        defined = [name for name, entity in entities.items() if self._defines(name, entity, uses)]
        methods: dict[str, list[tuple[str, str, Function]]] = {}
        functions: list[str] = []
        for name, entity in entities.items():
            found, type_ = _METHOD.fullmatch(name), entity.type
            if isinstance(type_, Function) and found is not None:
                methods.setdefault(found[2], []).append((found[1], found[3] or "", type_))
            elif isinstance(type_, Function):
                functions.append(f"{word} {written(name)}: {self._function(type_)};".lstrip())
            elif entity.sort != "type":
                functions.append(f"// {word or 'export'} {name}: {entity.sort}")
        types: list[str] = []
        for name in defined:
            types += self._definition(name, entities[name].type, methods.get(name, []))
        used = [f"use {self._path(home)}.{{{', '.join(names)}}};" for home, names in uses.items()]
        blocks = [block for block in (used, types, functions) if block]
        return [self._names.counted(line) for block in blocks for line in ["", *block]][1:]

    def named(self, entities: Mapping[str, Entity]) -> None:
        """Gives the types among these their names."""
        for name, entity in entities.items():
            self._defines(name, entity, {})

    def signature(self, function: Function) -> str:
        """The type of a function, as it is after the word `func`; `async` comes first where it is asynchronous."""
        return self._function(function).replace("func", "", 1)

    def _path(self, interface: str) -> str:
        if self._interface and package_of(interface) == package_of(self._interface):
            return short_name(interface)
        return interface

    def _take(self, name: str, home: tuple[str, str], uses: dict[str, list[str]]) -> None:
        """Uses a name of another interface."""
        interface, other = home
        uses.setdefault(interface, []).append(
            written(other) if other == name else f"{written(other)} as {written(name)}"
        )

    def _elsewhere(self, home: tuple[str, str] | None) -> bool:
        return home is not None and home[0] != self._interface and package_of(home[0]) is not None

    # --- types --------------------------------------------------------------------------------------------------------

    def _defines(self, name: str, entity: Entity, uses: dict[str, list[str]]) -> bool:
        """Gives a type its name here; whether it has to be defined here, and is not used from another interface."""
        type_ = entity.type
        if isinstance(type_, NamedResource):
            home = self._names.resources.setdefault(type_.resource, (self._interface, name))
            known = type_.resource in self._resources
            self._resources.setdefault(type_.resource, written(name))
            self._handles[type_] = written(name)
        elif isinstance(type_, ValueType) and entity.sort == "type":
            origin = self._origin(type_)
            home = self._names.types.setdefault(type_, self._names.types.get(origin, (self._interface, name)))
            known = origin in self._types
            if known:
                self._aliases[name] = self._types[origin]
            self._types[type_] = written(name)
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
            if origin in self._types or origin in self._names.types:
                return origin
            origin = origin.origin
        return type_

    def _method(self, kind: str, label: str, function: Function) -> str:
        if kind == "constructor":
            result = function.result
            own = isinstance(result, ValueType) and result.kind == "own"
            return f"constructor({self._params(function, 0)}){'' if own else self._result(result)};"
        static = "static " if kind == "static" else ""
        return f"{written(label)}: {static}{self._function(function, 0 if static else 1)};"

    def _definition(self, label: str, type_: Any, methods: list[tuple[str, str, Function]]) -> list[str]:
        """A definition of a type."""
        name = written(label)
        if isinstance(type_, NamedResource):
            own = self._resources[type_.resource]
            if own != name:
                return [f"type {name} = {own};"]
            inside = [self._method(kind, each, function) for kind, each, function in methods]
            return [f"resource {name} {{", *indented(inside), "}"] if inside else [f"resource {name};"]
        if isinstance(type_, str) or label in self._aliases:
            return [f"type {name} = {self._aliases.get(label, type_)};"]
        if type_.kind == "record":
            pairs = zip(type_.labels, type_.types, strict=True)
            inside = [f"{written(each)}: {self._type(field)}," for each, field in pairs]
        elif type_.kind == "variant":
            cases = zip(type_.labels, type_.types, strict=True)
            inside = [f"{written(each)}{'' if case is None else f'({self._type(case)})'}," for each, case in cases]
        elif type_.kind in {"enum", "flags"}:
            inside = [f"{written(each)}," for each in type_.labels]
        else:
            return [f"type {name} = {self._structure(type_)};"]
        return [f"{type_.kind} {name} {{", *indented(inside), "}"]

    def _type(self, type_: Any) -> str:
        """A mention of a type."""
        return self._names.counted(self._mention(type_))

    def _mention(self, type_: Any) -> str:
        if isinstance(type_, str):
            return type_
        if type_ is None:
            return "_"
        if isinstance(type_, NamedResource):
            return self._handles.get(type_) or self._resources.get(type_.resource) or self._foreign(type_.resource)
        return self._types.get(type_) or self._structure(type_)

    def _foreign(self, resource: Resource) -> str:
        """A resource that has no name here, which WIT cannot say."""
        interface, name = self._names.resources.get(resource, ("another interface", "resource"))
        return f"{written(name)} /* of {interface or 'the world'} */"

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
        counted = self._names.counted
        return ", ".join([f"{counted(written(label))}: {self._type(type_)}" for label, type_ in pairs])

    def _result(self, result: Any) -> str:
        return "" if result is None else f" -> {self._type(result)}"

    def _function(self, function: Function, skipped: int = 0) -> str:
        word = "async func" if function.is_async else "func"
        return f"{word}({self._params(function, skipped)}){self._result(function.result)}"
