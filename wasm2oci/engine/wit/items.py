"""The imports and exports of a component or of a WIT package, each with its functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component.outside import component_type
from wasm2oci.engine.validate.component.types import Component, Function, Instance, NamedResource
from wasm2oci.engine.wit import Member
from wasm2oci.engine.wit.scope import Names, Scope

if TYPE_CHECKING:
    from wasm2oci.engine.validate.component.types import Entity

__all__ = ["Item", "items"]


class Item(NamedTuple):
    """An import or export of a component.

    Attributes:
        type: of a function, as WIT has it after the word `func`; of a type, what it is: `record`, `resource`, ...; of
            what a WIT package exports, `interface NAME` or `world NAME`; else None.
        members: the functions of an interface; the imports and exports of a world.
    """

    type: str | None
    members: tuple[Member, ...]


def items(data: bytes, most: int) -> tuple[dict[str, Item], dict[str, Item]]:
    """The imports and the exports, by name.

    Args:
        data: the bytes of the component.
        most: characters of all texts and names together.

    Raises:
        ModuleError: it is malformed, its types are invalid, or their text is too large.
    """
    component = component_type(data)
    names = Names(most)
    scope = Scope(names, "")
    found = []
    for entities in (component.imports, component.exports):
        scope.named(entities)
        found.append({name: _item(name, entity, scope, names) for name, entity in entities.items()})
    return found[0], found[1]


def _item(name: str, entity: Entity, scope: Scope, names: Names) -> Item:
    type_ = entity.type
    if isinstance(type_, Function):
        return Item(scope.signature(type_), ())
    if isinstance(type_, Instance):
        return Item(None, _functions(name, type_, names))
    if isinstance(type_, Component) and len(type_.exports) == 1:
        ((inner_name, inner),) = type_.exports.items()
        if isinstance(inner.type, Instance):
            for dependency, imported in type_.imports.items():
                if isinstance(imported.type, Instance):
                    Scope(names, dependency).named(imported.type.exports)
            return Item(f"interface {names.counted(inner_name)}", _functions(inner_name, inner.type, names))
        if isinstance(inner.type, Component):
            return Item(f"world {names.counted(inner_name)}", _world(inner.type, names))
    if entity.sort == "type":
        kind = "resource" if isinstance(type_, NamedResource) else type_.kind if isinstance(type_, ValueType) else None
        return Item(kind, ())
    return Item(None, ())


def _functions(name: str, instance: Instance, names: Names) -> tuple[Member, ...]:
    scope = Scope(names, name)
    scope.named(instance.exports)
    return tuple(
        [
            Member(names.counted(label), "func", scope.signature(entity.type))
            for label, entity in instance.exports.items()
            if isinstance(entity.type, Function)
        ]
    )


def _world(world: Component, names: Names) -> tuple[Member, ...]:
    scope = Scope(names, "")
    members = []
    for word, entities in (("import", world.imports), ("export", world.exports)):
        scope.named(entities)
        for label, entity in entities.items():
            text = scope.signature(entity.type) if isinstance(entity.type, Function) else None
            members.append(Member(names.counted(label), word, text))
    return tuple(members)
