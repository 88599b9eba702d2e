"""Types of components, instances and functions with what they refer to.

A resource type is a `Resource`, an object like no other. A name for one is a `NamedResource`: what is exported or
imported may only mention types by names that the outside has, so names are objects, too, compared by `is`. Value types
are those of `syntax.values`, likewise. Spec: component model, Explainer.md, external visibility of types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.component import ModuleType
from wasm2oci.engine.syntax.types import DefType
from wasm2oci.engine.syntax.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wasm2oci.engine.syntax.values import Val

__all__ = [
    "MAX_COST",
    "MAX_DEPTH",
    "AnyType",
    "Component",
    "Entity",
    "Function",
    "Instance",
    "NamedResource",
    "Path",
    "Resource",
    "Work",
    "checked",
    "cost_of",
    "free_resources",
    "renamed",
    "sort_of_type",
]

MAX_COST: Final = 1_000_000
"""How many types one type may consist of, each counted as often as it occurs (wasmparser)."""
MAX_DEPTH: Final = 100
"""How deep types may be nested in types (wasmtime)."""
_STEPS: Final = 400_000  # the components of this field take some thousand

Path = tuple[str, ...]
"""Names from the outside to an item: of an import or export, then of exports of instances."""


class Work:
    """How much checking types may cost: a component of a few bytes may ask for much, so steps are counted."""

    def __init__(self) -> None:
        self._left = _STEPS

    def step(self, offset: int) -> None:
        """Counts one step."""
        self._left -= 1
        if self._left < 0:
            raise InvalidModuleError(
                f"the types are too large: this engine's limit is {_STEPS} steps to check them", offset
            )


class Resource:
    """A resource type."""

    __slots__ = ()


class NamedResource:
    """A name of a resource type."""

    __slots__ = ("resource",)

    def __init__(self, resource: Resource) -> None:
        self.resource = resource


class Function:
    """A type of functions: labels and types of the parameters, and the result."""

    __slots__ = ("cost", "depth", "is_async", "labels", "params", "result")

    def __init__(self, labels: tuple[str, ...], params: tuple[Val, ...], result: Val | None, *, is_async: bool) -> None:
        self.labels = labels
        self.params = params
        self.result = result
        self.is_async = is_async
        inner = [*params, *([] if result is None else [result])]
        self.cost: int = 1 + sum(map(cost_of, inner))
        self.depth: int = 1 + max(map(_depth_of, inner), default=0)

    def values(self) -> tuple[Val, ...]:
        """The types of parameters and result."""
        return self.params if self.result is None else (*self.params, self.result)


class Instance:
    """A type of instances.

    Attributes:
        exports: by name.
        defined: resource types that each instance of this type has of its own.
        explicit: where each resource type is exported.
    """

    __slots__ = ("cost", "defined", "depth", "explicit", "exports")

    def __init__(
        self, exports: Mapping[str, Entity], defined: tuple[Resource, ...], explicit: Mapping[Resource, Path]
    ) -> None:
        self.exports = exports
        self.defined = defined
        self.explicit = explicit
        self.cost: int = 1 + sum([cost_of(entity.type) for entity in exports.values()])
        self.depth: int = 1 + max([_depth_of(entity.type) for entity in exports.values()], default=0)


class Component:
    """A type of components.

    Attributes:
        imports: by name.
        exports: by name.
        imported: the place of each imported resource type among the imports.
        defined: resource types that each instance has of its own, and where they stand among the exports.
        explicit: where each resource type is exported.
    """

    __slots__ = ("cost", "defined", "depth", "explicit", "exports", "imported", "imports")

    def __init__(
        self,
        imports: Mapping[str, Entity],
        exports: Mapping[str, Entity],
        imported: Mapping[Resource, Path],
        defined: Mapping[Resource, Path],
        explicit: Mapping[Resource, Path],
    ) -> None:
        self.imports = imports
        self.exports = exports
        self.imported = imported
        self.defined = defined
        self.explicit = explicit
        inner = [entity.type for entity in (*imports.values(), *exports.values())]
        self.cost: int = 1 + sum(map(cost_of, inner))
        self.depth: int = 1 + max(map(_depth_of, inner), default=0)


_Sized = TypeVar("_Sized", ValueType, Function, Instance, Component)

AnyType = NamedResource | ValueType | Function | Instance | Component
"""The type of an index of types."""


class Entity(NamedTuple):
    """The type of an item that is imported or exported.

    Attributes:
        sort: `func`, `value`, `type`, `component`, `instance` or `core module`.
        type: its type; of a type, that type itself.
        fresh: of a type, whether it is a resource type that exists from here on.
    """

    sort: str
    type: AnyType | ModuleType | Val
    fresh: bool = False


def cost_of(type_: object) -> int:
    """How many types a type consists of."""
    if isinstance(type_, ValueType | Function | Instance | Component):
        return type_.cost
    if isinstance(type_, ModuleType):
        return 1 + len(type_.imports) + len(type_.exports)
    return 1


def _depth_of(type_: object) -> int:
    return type_.depth if isinstance(type_, ValueType | Function | Instance | Component) else 0


def checked(type_: _Sized, offset: int) -> _Sized:
    """A new type, unless it is too large or nested too deep."""
    if type_.cost > MAX_COST:
        raise InvalidModuleError(f"effective type size exceeds the limit of {MAX_COST}", offset)
    if type_.depth > MAX_DEPTH:
        raise InvalidModuleError(f"type nesting is too deep: this engine's limit is {MAX_DEPTH}", offset)
    return type_


def sort_of_type(type_: object) -> str:
    """What kind of type it is, for messages."""
    if isinstance(type_, NamedResource):
        return "resource"
    if isinstance(type_, ValueType | str):
        return "defined type"
    if isinstance(type_, Function):
        return "func"
    return "instance" if isinstance(type_, Instance) else "component" if isinstance(type_, Component) else "core type"


def renamed(type_: AnyType) -> AnyType:
    """The same type under a name of its own."""
    if isinstance(type_, NamedResource):
        return NamedResource(type_.resource)
    return type_.again() if isinstance(type_, ValueType) else type_


def free_resources(types: Iterable[object], work: Work, offset: int) -> set[Resource]:
    """The resource types that types mention and do not bring themselves."""
    found, bound = set[Resource](), set[Resource]()
    seen: dict[object, None] = {}
    left = list(types)
    while left:
        type_ = left.pop()
        work.step(offset)
        if isinstance(type_, NamedResource):
            found.add(type_.resource)
        elif isinstance(type_, str | DefType | ModuleType) or type_ is None or type_ in seen:
            continue
        elif isinstance(type_, ValueType):
            seen[type_] = None
            left += type_.types
        elif isinstance(type_, Function):
            seen[type_] = None
            left += type_.values()
        elif isinstance(type_, Instance):
            seen[type_] = None
            bound.update(type_.defined)
            left += [entity.type for entity in type_.exports.values()]
        elif isinstance(type_, Component):
            seen[type_] = None
            bound.update(type_.imported, type_.defined)
            left += [entity.type for entity in (*type_.imports.values(), *type_.exports.values())]
    return found - bound
