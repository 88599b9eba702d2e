"""The world of a component, or the interfaces and worlds of a package, as WIT. Spec: component model, WIT.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import printable
from wasm2oci.engine.validate.component.outside import component_type
from wasm2oci.engine.validate.component.types import Component, Instance
from wasm2oci.engine.wit.scope import Names, Scope, indented, package_of, short_name, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.validate.component.types import Entity

__all__ = ["wit_text"]

_MAX_TEXT: Final = 64 << 20
"""Characters of a WIT: every mention of a type repeats its name, and names may have 100,000 characters."""


def wit_text(data: bytes) -> str:
    """The WIT of a component or of a package.

    Raises:
        ModuleError: it is malformed, its types are invalid, or their text is too large.
    """
    return _Document().text(component_type(data))


class _Document:
    """The text of interfaces by package, so far."""

    def __init__(self) -> None:
        self._names = Names(_MAX_TEXT)
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
                parts += ["", f"package {package} {{", *indented(inside), "}"]
        # The URL of a dependency is a name as well, and may hold any character.
        return "\n".join(map(printable, parts)) + "\n"

    def _whole_package(self, exports: Mapping[str, Entity]) -> list[str]:
        worlds = list[str]()
        for entity in exports.values():
            outer = entity.type
            if not isinstance(outer, Component):
                continue
            for name, entity_inside in outer.exports.items():
                self.main = package_of(name) or self.main
                if isinstance(entity_inside.type, Component):
                    worlds += ["", *self._world(short_name(name), entity_inside.type)]
                elif isinstance(entity_inside.type, Instance):
                    self._dependencies(outer)
                    self._interface(name, entity_inside.type)
        inside = [line for text in self._packages.get(self.main, {}).values() for line in ["", *text]]
        return [*inside, *worlds][1:]

    def _dependencies(self, component: Component) -> None:
        for name, entity in component.imports.items():
            if isinstance(entity.type, Instance) and package_of(name) is not None:
                self._interface(name, entity.type)

    # --- worlds -------------------------------------------------------------------------------------------------------

    def _world(self, name: str, component: Component) -> list[str]:
        scope = Scope(self._names, "")
        lines: list[str] = []
        for word, entities in (("import", component.imports), ("export", component.exports)):
            plain = {label: entity for label, entity in entities.items() if not isinstance(entity.type, Instance)}
            found: list[str] = []
            for label, entity in entities.items():
                if not isinstance(entity.type, Instance):
                    continue
                if package_of(label) is None:
                    inside = Scope(self._names, label).lines(entity.type.exports)
                    found += [f"{word} {written(label)}: interface {{", *indented(inside), "}"]
                else:
                    self._interface(label, entity.type)
                    found.append(f"{word} {short_name(label) if package_of(label) == self.main else label};")
            found += scope.lines(plain, word)
            lines += ["", *found] if lines and found else found
        return [f"world {name} {{", *indented(lines), "}"]

    def _interface(self, name: str, instance: Instance) -> None:
        """Writes an interface, unless it is written; names its types in any case."""
        texts = self._packages.setdefault(package_of(name) or "", {})
        lines = Scope(self._names, name).lines(instance.exports)
        if name not in texts:
            texts[name] = [f"interface {short_name(name)} {{", *indented(lines), "}"]
