"""The index spaces of a component, or of the type of a component or an instance; what it imports and exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.sorts import SORTS
from wasm2oci.engine.validate.component.naming import Externs, Visible
from wasm2oci.engine.validate.component.substitute import Substitution
from wasm2oci.engine.validate.component.types import (
    MAX_COST,
    Component,
    Entity,
    Instance,
    NamedResource,
    Resource,
    checked,
    cost_of,
    free_resources,
)

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.component import ExternName
    from wasm2oci.engine.validate.component.types import Path, Work

__all__ = ["Scope"]


class Scope:
    """A component, or the type of one.

    Args:
        kind: `component`, `component type` or `instance type`.
        work: counts the steps.

    Attributes:
        imports: what it imports.
        exports: what it exports.
        imported: resource types that come from imports, and where they stand.
        defined: resource types that come into being here, and the core type that represents each, where that is known.
        explicit: where each resource type is exported.
        slot: the core type of the context's slots, once it is known.
        started: whether there is a start function.
    """

    def __init__(self, kind: str, work: Work) -> None:
        self.kind = kind
        self.imports = Externs("import")
        self.exports = Externs("export")
        self.imported: dict[Resource, Path] = {}
        self.defined: dict[Resource, int | None] = {}
        self.explicit: dict[Resource, Path] = {}
        self.slot: int | None = None
        self.started = False
        self._work = work
        self._spaces: dict[str, list[Any]] = {sort: [] for sort in SORTS}
        self._visible = {"import": Visible(work), "export": Visible(work)}
        self._values_used: list[bool] = []
        self._cost = 0

    # --- index spaces -------------------------------------------------------------------------------------------------

    def push(self, sort: str, item: Any) -> None:
        """Gives an item the next index of its sort."""
        self._spaces[sort].append(item)
        if sort == "value":
            self._values_used.append(False)

    def at(self, sort: str, index: int, offset: int) -> Any:
        """The item at an index."""
        space = self._spaces[sort]
        if index >= len(space):
            noun = {"func": "function", "core func": "function"}.get(sort, sort.removeprefix("core "))
            raise InvalidModuleError(f"unknown {sort} {index}: {noun} index out of bounds", offset)
        return space[index]

    def typed(self, index: int, wanted: type | tuple[type, ...], noun: str, offset: int) -> Any:
        """The type at an index, which is to be of a kind."""
        type_ = self.at("type", index, offset)
        if not isinstance(type_, wanted):
            raise InvalidModuleError(f"type index {index} is not {noun}", offset)
        return type_

    def use_value(self, index: int, offset: int) -> Any:
        """The type of a value that is used here, and nowhere else."""
        type_ = self.at("value", index, offset)
        if self._values_used[index]:
            raise InvalidModuleError(f"value {index} cannot be used more than once", offset)
        self._values_used[index] = True
        return type_

    def entity(self, sort: str, index: int, offset: int) -> Entity:
        """The item at an index, as an argument or export."""
        if sort == "value":
            return Entity(sort, self.use_value(index, offset))
        return Entity(sort, self.at(sort, index, offset))

    # --- imports and exports ------------------------------------------------------------------------------------------

    def add_import(self, name: ExternName, entity: Entity, offset: int) -> None:
        """Adds an import."""
        if isinstance(entity.type, Instance) and entity.sort == "instance":
            entity = entity._replace(type=self._imported_instance(entity.type, name.name, offset))
        elif entity.fresh and isinstance(entity.type, NamedResource):
            self.imported[entity.type.resource] = (name.name,)
        self.push(entity.sort, entity.type)
        self._add(self.imports, name, entity, offset)

    def add_export(self, name: ExternName, entity: Entity, offset: int) -> None:
        """Adds an export."""
        if isinstance(entity.type, Instance) and entity.sort == "instance":
            entity = entity._replace(type=self._exported_instance(entity.type, name.name, offset))
        elif entity.sort == "type" and isinstance(entity.type, NamedResource):
            if entity.fresh:
                self.defined[entity.type.resource] = None
            self.explicit[entity.type.resource] = (name.name,)
        self.push(entity.sort, entity.type)
        if entity.sort == "value":
            self._values_used[-1] = True
        self._add(self.exports, name, entity, offset)

    def _add(self, externs: Externs, name: ExternName, entity: Entity, offset: int) -> None:
        if entity.sort == "type":
            externs.name_resource(entity.type, name.name)
        if self.kind != "instance type" and not self._register(externs.kind, entity, offset):
            raise InvalidModuleError(f"{entity.sort} not valid to be used as {externs.kind}", offset)
        externs.add(name, entity, offset)
        self._cost += cost_of(entity.type)
        if self._cost > MAX_COST:
            raise InvalidModuleError(f"effective type size exceeds the limit of {MAX_COST}", offset)

    def _register(self, kind: str, entity: Entity, offset: int) -> bool:
        """Whether an item mentions only what the outside has names for; gives names to the types it brings."""
        visible = self._visible[kind]
        if entity.sort == "type":
            if not visible.admits(entity.type, offset):
                return False
            visible.add(entity.type)
            self._visible["export"].add(entity.type)
            return True
        if entity.sort == "value":
            return visible.mentions(entity.type, offset)
        if isinstance(entity.type, Instance):
            return all(self._register(kind, each, offset) for each in entity.type.exports.values())
        return visible.admits(entity.type, offset)

    def _imported_instance(self, type_: Instance, name: str, offset: int) -> Instance:
        """An instance of a type that is imported: its own resource types become imports."""
        if not type_.defined:
            return type_
        substitution = Substitution(self._work, offset)
        for resource in type_.defined:
            new = substitution.resources[resource] = Resource()
            self.imported[new] = (name, *type_.explicit[resource])
        return Instance(substitution.entities(type_.exports), (), substitution.paths(type_.explicit))

    def _exported_instance(self, type_: Instance, name: str, offset: int) -> Instance:
        """An instance of a type that is exported: its own resource types become those of this component."""
        if type_.defined:
            substitution = Substitution(self._work, offset)
            for resource in type_.defined:
                new = substitution.resources[resource] = Resource()
                self.defined[new] = None
            type_ = Instance(substitution.entities(type_.exports), (), substitution.paths(type_.explicit))
        for resource, path in type_.explicit.items():
            self.explicit[resource] = (name, *path)
        return type_

    # --- the end ------------------------------------------------------------------------------------------------------

    def component(self, offset: int) -> Component:
        """The type of the component that ends here."""
        if self.kind == "component" and not all(self._values_used):
            index = self._values_used.index(False)
            raise InvalidModuleError(
                f"value index {index} was not used as part of an instantiation, start function, or export", offset
            )
        imports, exports = self.imports.entities, self.exports.entities
        asked = free_resources([entity.type for entity in imports.values()], self._work, offset)
        if not asked.isdisjoint(self.defined):
            raise InvalidModuleError("local resource type found in imports", offset)
        given = free_resources([entity.type for entity in exports.values()], self._work, offset)
        defined: dict[Resource, Path] = {}
        for resource in self.defined:
            if resource in given:
                if resource not in self.explicit:
                    raise InvalidModuleError("local resource type found in export but not exported itself", offset)
                defined[resource] = self.explicit[resource]
        return checked(Component(imports, exports, self.imported, defined, self.explicit), offset)

    def instance(self, offset: int) -> Instance:
        """The type of the instances whose type ends here."""
        return checked(Instance(self.exports.entities, tuple(self.defined), self.explicit), offset)
