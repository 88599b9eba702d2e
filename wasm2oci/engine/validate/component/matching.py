"""Which types match which. Spec: component model, Subtyping.md.

Functions and values match only what is the same, as in the tools of this field; instances may export more than is
wanted, components import less. Two resource types match when they are one and the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.component import ModuleType
from wasm2oci.engine.syntax.matching import matches_global, matches_memory, matches_table
from wasm2oci.engine.syntax.types import DefType, GlobalType, MemoryType, TableType, TagType, extern_text
from wasm2oci.engine.syntax.values import ValueType, kind_of
from wasm2oci.engine.validate.component.substitute import Substitution
from wasm2oci.engine.validate.component.types import (
    Component,
    Function,
    Instance,
    NamedResource,
    sort_of_type,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.syntax.types import ExternType
    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.types import (
        Entity,
        Path,
        Resource,
        Work,
    )

__all__ = ["Matching"]

_LABELS = {
    "record": "field name",
    "variant": "case named",
    "flags": "flag",
    "enum": "case",
}


class Matching:
    """Checks of types against others.

    Args:
        defs: every core type that occurs, by id.
        work: counts the steps.
        offset: where the check is asked for.
    """

    def __init__(self, defs: Mapping[int, DefType], work: Work, offset: int) -> None:
        self._defs = defs
        self._work = work
        self._offset = offset
        self._same: set[tuple[Any, Any]] = set()

    def _error(self, message: str) -> InvalidModuleError:
        return InvalidModuleError(message, self._offset)

    # --- items ------------------------------------------------------------------------------------------------------

    def entity(self, given: Entity, wanted: Entity) -> None:
        """Checks an item.

        Raises:
            InvalidModuleError: what is given does not match what is wanted.
        """
        self._work.step(self._offset)
        if given.sort != wanted.sort:
            raise self._error(f"expected {wanted.sort}, found {given.sort}")
        if wanted.sort == "value":
            self.value(given.type, wanted.type)
        elif isinstance(given.type, ModuleType) and isinstance(wanted.type, ModuleType):
            self._module(given.type, wanted.type)
        else:
            self._type(given.type, wanted.type)

    def _type(self, given: Any, wanted: Any) -> None:
        if sort_of_type(given) != sort_of_type(wanted):
            raise self._error(f"expected {sort_of_type(wanted)}, found {sort_of_type(given)}")
        if given is wanted or (given, wanted) in self._same:
            return
        if isinstance(given, NamedResource):
            if given.resource is not wanted.resource:
                raise self._error("resource types are not the same")
        elif isinstance(given, Function):
            self.function(given, wanted)
        elif isinstance(given, Instance):
            self._named("instance export", given.exports, wanted.exports)
        elif isinstance(given, Component):
            self._component(given, wanted)
        else:
            self.value(given, wanted)
        self._same.add((given, wanted))

    def _named(self, what: str, given: Mapping[str, Entity], wanted: Mapping[str, Entity]) -> None:
        """Checks that every item that is wanted is given."""
        for name, entity in wanted.items():
            if name not in given:
                raise self._error(f"missing expected export `{name}`")
            try:
                self.entity(given[name], entity)
            except InvalidModuleError as error:
                raise self._error(f"type mismatch in {what} `{name}`: {error.reason}") from error

    # --- components -----------------------------------------------------------------------------------------------

    def supply(
        self, given: Mapping[str, Entity], wanted: Mapping[str, Entity], resources: Mapping[Resource, Path], what: str
    ) -> Substitution:
        """Checks that items fit a component's imports (or exports), and finds what they make of its resource types.

        Args:
            given: items by name.
            wanted: imports or exports.
            resources: the resource types among these, and where.
            what: `import` or `export`, for messages.

        Returns:
            The substitution of what is wanted by what is given.
        """
        meant = Substitution(self._work, self._offset)
        for resource, path in resources.items():
            found = _at(given, path)
            if isinstance(found, NamedResource):
                meant.resources[resource] = found.resource
        named = "missing import named `{name}`" if what == "import" else "missing expected export `{name}`"
        for name, entity in wanted.items():
            if name not in given:
                raise self._error(named.format(name=name))
            try:
                self.entity(given[name], meant.entity(entity))
            except InvalidModuleError as error:
                raise self._error(f"type mismatch for {what} `{name}`: {error.reason}") from error
        substitution = Substitution(self._work, self._offset)
        substitution.resources = meant.resources
        for name, entity in wanted.items():
            substitution.rename(entity, given[name])
        return substitution

    def _component(self, given: Component, wanted: Component) -> None:
        """Match two components: the given one imports no more than the wanted one, and exports no less."""
        substitution = self.supply(wanted.imports, given.imports, given.imported, "import")
        exports = substitution.entities(given.exports)
        self.supply(exports, wanted.exports, wanted.defined, "export")

    # --- core modules -----------------------------------------------------------------------------------------------

    def _module(self, given: ModuleType, wanted: ModuleType) -> None:
        for (module, name), type_ in given.imports.items():
            offered = wanted.imports.get((module, name))
            if offered is None:
                raise self._error(f"missing expected import `{module}::{name}`")
            self.core(offered, type_, f"import `{module}::{name}`")
        for name, type_ in wanted.exports.items():
            exported = given.exports.get(name)
            if exported is None:
                raise self._error(f"missing expected export `{name}`")
            self.core(exported, type_, f"export `{name}`")

    def core(self, given: ExternType, wanted: ExternType, what: str) -> None:
        """Checks a core item.

        Args:
            given: its type.
            wanted: the type to match.
            what: which one it is, for messages.
        """
        self._work.step(self._offset)
        if isinstance(wanted, DefType):
            fits = isinstance(given, DefType) and given.matches(wanted.id)
        elif isinstance(wanted, TableType):
            fits = isinstance(given, TableType) and matches_table(given, wanted)
        elif isinstance(wanted, MemoryType):
            fits = isinstance(given, MemoryType) and matches_memory(given, wanted)
        elif isinstance(wanted, GlobalType):
            fits = isinstance(given, GlobalType) and matches_global(given, wanted, self._defs)
        else:
            fits = isinstance(given, TagType) and given.type.id == wanted.type.id
        if not fits:
            raise self._error(
                f"type mismatch in {what}: {extern_text(given)} is given where {extern_text(wanted)} is expected"
            )

    # --- functions and values -----------------------------------------------------------------------------------------

    def function(self, given: Function, wanted: Function) -> None:
        """Checks a function: the same parameters under the same labels, and the same result."""
        if given.is_async != wanted.is_async:
            raise self._error("expected one of an async and a sync function, found the other")
        if len(given.params) != len(wanted.params):
            raise self._error(f"expected {len(wanted.params)} parameters, found {len(given.params)}")
        for label, type_, wanted_label, wanted_type in zip(
            given.labels, given.params, wanted.labels, wanted.params, strict=True
        ):
            if label != wanted_label:
                raise self._error(f"expected parameter named `{wanted_label}`, found `{label}`")
            self._part(type_, wanted_type, f"function parameter `{label}`")
        if (given.result is None) != (wanted.result is None):
            raise self._error(f"expected {'a' if given.result is None else 'no'} result, found {_none(given.result)}")
        if given.result is not None:
            self._part(given.result, wanted.result, "result type")

    def _part(self, given: Any, wanted: Any, what: str) -> None:
        try:
            self.value(given, wanted)
        except InvalidModuleError as error:
            raise self._error(f"type mismatch in {what}: {error.reason}") from error

    def value(self, given: Any, wanted: Any) -> None:
        """Checks a value type."""
        self._work.step(self._offset)
        if given is wanted or (given, wanted) in self._same:
            return
        kind, wanted_kind = kind_of(given), kind_of(wanted)
        if kind != wanted_kind:
            raise self._error(f"expected {_said(wanted)}, found {_said(given)}")
        if isinstance(given, ValueType) and isinstance(wanted, ValueType):
            self._composite(kind, given, wanted)
            self._same.add((given, wanted))

    def _composite(self, kind: str, given: ValueType, wanted: ValueType) -> None:
        if kind in {"own", "borrow"}:
            if given.types[0].resource is not wanted.types[0].resource:
                raise self._error("resource types are not the same")
            return
        if len(given.types) != len(wanted.types) or len(given.labels) != len(wanted.labels):
            counted = {"record": "fields", "variant": "cases", "tuple": "types"}.get(kind)
            if counted:
                raise self._error(f"expected {len(wanted.types)} {counted}, found {len(given.types)}")
            raise self._error(f"mismatch in {kind} elements")
        if given.length != wanted.length:
            raise self._error(f"expected a list of length {wanted.length}, found one of {given.length}")
        for label, wanted_label in zip(given.labels, wanted.labels, strict=True):
            if label != wanted_label:
                if kind in {"flags", "enum"}:
                    raise self._error(f"mismatch in {kind} elements")
                raise self._error(f"expected {_LABELS[kind]} `{wanted_label}`, found `{label}`")
        for place, (type_, wanted_type) in enumerate(zip(given.types, wanted.types, strict=True)):
            what = _what(kind, given, place)
            if (type_ is None) != (wanted_type is None):
                raise self._error(f"expected {what} to have {_none(wanted_type)}, found {_none(type_)}")
            if type_ is not None:
                self._part(type_, wanted_type, what)


def _at(entities: Mapping[str, Entity], path: Path) -> object:
    """The type of the item at a path, or None."""
    for name in path[:-1]:
        entity = entities.get(name)
        if entity is None or not isinstance(entity.type, Instance):
            return None
        entities = entity.type.exports
    last = entities.get(path[-1])
    return None if last is None else last.type


def _what(kind: str, type_: ValueType, place: int) -> str:
    """Which part of a type it is."""
    if type_.labels:
        return f"{kind} {'case' if kind == 'variant' else 'field'} `{type_.labels[place]}`"
    if kind == "result":
        return ("ok", "err")[place] + " variant"
    return f"{kind} field {place}" if kind == "tuple" else f"{kind} element"


def _said(type_: Val) -> str:
    kind = kind_of(type_)
    return f"primitive `{kind}`" if isinstance(type_, str) else kind


def _none(type_: object) -> str:
    return "none" if type_ is None else "a type"
