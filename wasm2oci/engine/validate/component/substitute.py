"""Types with other resource types, and under other names: what instantiation makes of a component's type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component.types import Component, Function, Instance, NamedResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.validate.component.types import Entity, Path, Resource, Work

__all__ = ["Substitution"]


class Substitution:
    """What takes the place of each resource type, and of each name.

    Args:
        work: counts the steps.
        offset: where the substitution is asked for.

    Attributes:
        resources: the resource type to put in the place of each.
    """

    def __init__(self, work: Work, offset: int) -> None:
        self.resources: dict[Resource, Resource] = {}
        self._known: dict[Any, Any] = {}
        self._work = work
        self._offset = offset

    def rename(self, wanted: Entity, given: Entity) -> None:
        """Puts the names of what is given in the place of those of what is wanted, exports of instances included."""
        self._work.step(self._offset)
        if wanted.sort == "type" and isinstance(wanted.type, NamedResource | ValueType):
            self._known.setdefault(wanted.type, given.type)
        elif isinstance(wanted.type, Instance) and isinstance(given.type, Instance):
            for name, entity in wanted.type.exports.items():
                if name in given.type.exports:
                    self.rename(entity, given.type.exports[name])

    def entity(self, entity: Entity) -> Entity:
        """The type of an item."""
        return entity._replace(type=self.type(entity.type))

    def entities(self, entities: Mapping[str, Entity]) -> dict[str, Entity]:
        """The types of items by name."""
        return {name: self.entity(entity) for name, entity in entities.items()}

    def paths(self, paths: Mapping[Resource, Path]) -> dict[Resource, Path]:
        """Where resource types stand."""
        return {self.resources.get(resource, resource): path for resource, path in paths.items()}

    def type(self, type_: Any) -> Any:
        """A type; the same object where nothing in it changes."""
        if not isinstance(type_, NamedResource | ValueType | Function | Instance | Component):
            return type_
        known = self._known.get(type_)
        if known is None:
            self._work.step(self._offset)
            known = self._known[type_] = self._changed(type_)
        return known

    def _changed(self, type_: Any) -> Any:
        if isinstance(type_, NamedResource):
            resource = self.resources.get(type_.resource)
            return type_ if resource is None else NamedResource(resource)
        if isinstance(type_, ValueType):
            types = tuple([self.type(each) for each in type_.types])
            return type_ if _same(types, type_.types) else type_.again(types)
        if isinstance(type_, Function):
            params = tuple([self.type(each) for each in type_.params])
            result = self.type(type_.result)
            if _same(params, type_.params) and result is type_.result:
                return type_
            return Function(type_.labels, params, result, is_async=type_.is_async)
        exports = self.entities(type_.exports)
        if isinstance(type_, Instance):
            if _unchanged(exports, type_.exports):
                return type_
            return Instance(exports, type_.defined, self.paths(type_.explicit))
        imports = self.entities(type_.imports)
        if _unchanged(exports, type_.exports) and _unchanged(imports, type_.imports):
            return type_
        return Component(imports, exports, type_.imported, type_.defined, self.paths(type_.explicit))


def _same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return all(x is y for x, y in zip(a, b, strict=True))


def _unchanged(new: Mapping[str, Entity], old: Mapping[str, Entity]) -> bool:
    return all(entity.type is old[name].type for name, entity in new.items())
