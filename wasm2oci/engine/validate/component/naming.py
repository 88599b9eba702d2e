"""Which names the outside of a component has: for the types that imports and exports mention, and for resources.

Records, variants, flags, enums and resources may only be mentioned in an import when they have been imported, in an
export when they have been imported or exported; other types need no name. A name such as `[method]file.read` has to be
that of a function of the resource `file`. Spec: component model, Explainer.md, external visibility of types; Binary.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component.names import parse_name
from wasm2oci.engine.validate.component.types import Function, Instance, NamedResource

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.component import ExternName
    from wasm2oci.engine.validate.component.names import ComponentName
    from wasm2oci.engine.validate.component.types import Entity, Work

__all__ = ["Externs", "Visible"]

_NAMED = frozenset({"record", "variant", "flags", "enum"})


class Visible:
    """The types that have a name on one side, imports or exports.

    Args:
        work: counts the steps.
    """

    def __init__(self, work: Work) -> None:
        self._names: set[object] = set()
        self._work = work

    def add(self, type_: object) -> None:
        """Gives a type a name."""
        self._names.add(type_)

    def admits(self, type_: Any, offset: int) -> bool:
        """Whether a type mentions only types that have names; it itself needs none."""
        self._work.step(offset)
        if isinstance(type_, ValueType):
            if type_.kind in {"own", "borrow"}:
                return type_.types[0] in self._names
            return all(self.mentions(part, offset) for part in type_.types)
        if isinstance(type_, Function):
            return all(self.mentions(part, offset) for part in type_.values())
        if isinstance(type_, Instance):
            return all(self.admits(entity.type, offset) for entity in type_.exports.values())
        return True  # components and modules mention no outer types; a resource is itself what gets a name

    def mentions(self, type_: Any, offset: int) -> bool:
        """Whether a type may be mentioned."""
        if not isinstance(type_, ValueType):
            return True
        if type_.kind in _NAMED:
            return type_ in self._names
        return self.admits(type_, offset)


class Externs:
    """The imports or the exports of a component, an instance or a type of one.

    Args:
        kind: `import` or `export`.

    Attributes:
        entities: by name.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.entities: dict[str, Entity] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._resources: dict[object, str] = {}  # the name of each resource that has one
        self._resource_names: set[str] = set()

    def name_resource(self, type_: object, name: str) -> None:
        """Notes the name of a resource."""
        if isinstance(type_, NamedResource):
            self._resources[type_] = name
            self._resource_names.add(name)

    def add(self, extern: ExternName, entity: Entity, offset: int) -> None:
        """Adds an item.

        Raises:
            InvalidModuleError: the name is malformed, too much like another, or wrong for what it names.
        """
        name = parse_name(extern, self.kind, offset)
        self._attributes(extern, name, entity, offset)
        try:
            self._check_function(name, entity)
        except ValueError as error:
            raise InvalidModuleError(f"{self.kind} name `{extern.name}` is not valid: {error}", offset) from error
        previous = self._keys.get(name.key)
        if previous is not None:
            raise InvalidModuleError(
                f"{self.kind} name `{extern.name}` conflicts with previous name `{previous}`", offset
            )
        self._keys[name.key] = extern.name
        self.entities[extern.name] = entity

    def _attributes(self, extern: ExternName, name: ComponentName, entity: Entity, offset: int) -> None:
        implements = extern.attributes.get("implements")
        if implements is None:
            return
        if name.kind != "label":
            raise InvalidModuleError(f"name `{extern.name}` is not valid with `implements`", offset)
        if entity.sort != "instance":
            raise InvalidModuleError("only instances can have an `implements`", offset)
        if parse_name(extern._replace(name=implements), self.kind, offset).kind != "interface":
            raise InvalidModuleError(f"name `{implements}` must be an interface", offset)

    def _check_function(self, name: ComponentName, entity: Entity) -> None:
        """Checks that a constructor, method or static function is one."""
        if name.resource is None:
            return
        function = entity.type
        if not isinstance(function, Function):
            raise ValueError("item is not a func")  # noqa: TRY004 - what is wrong is the component
        if name.kind == "static":
            if name.resource not in self._resource_names:
                raise ValueError("static resource name is not known in this context")
            return
        if name.kind == "constructor":
            handle, wanted = _made(function), "function should return `(own $T)` or `(result (own $T))`"
        else:
            if not function.params:
                raise ValueError("function should have at least one argument")
            if function.labels[0] != "self":
                raise ValueError("function should have a first argument called `self`")
            handle, wanted = function.params[0], "function should take a first argument of `(borrow $T)`"
        if not isinstance(handle, ValueType) or handle.kind != ("own" if name.kind == "constructor" else "borrow"):
            raise ValueError(wanted)
        expected = self._resources.get(handle.types[0])
        if expected is None:
            raise ValueError("resource used in function does not have a name in this context")
        if expected != name.resource:
            raise ValueError(f"function does not match expected resource name `{expected}`")


def _made(function: Function) -> object:
    """What a constructor makes."""
    if function.is_async:
        raise ValueError("constructor function cannot be async")
    if function.result is None:
        raise ValueError("function should return one value")
    result = function.result
    return result.types[0] if isinstance(result, ValueType) and result.kind == "result" else result
