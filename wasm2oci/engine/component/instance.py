"""Instances of components: their definitions, one after the other. Spec: component model, Explainer.md.

The component is valid. Types are evaluated as they are met, because every instance has resource types of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.component.functions import (
    ComponentFunction,
    Options,
    lift,
    lower,
    resource_drop,
    resource_new,
    resource_rep,
)
from wasm2oci.engine.component.handles import HandleTable, ResourceType
from wasm2oci.engine.component.host import HostCall, signature
from wasm2oci.engine.component.unsupported import ComponentUnsupportedError
from wasm2oci.engine.errors import UnlinkableError
from wasm2oci.engine.syntax import component as syntax
from wasm2oci.engine.syntax.sorts import SORTS
from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component.types import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wasm2oci.engine.component.concurrency.tasks import Task
    from wasm2oci.engine.component.store import Store
    from wasm2oci.engine.syntax.component import ExternDesc

__all__ = ["ComponentInstance", "Item"]

Item = tuple[str, Any]
"""Something a component instance exports or is given: its sort, and itself."""


class _Closure:
    """A component, or the type of an instance, with the scope around it."""

    __slots__ = ("scope", "what")

    def __init__(self, what: Any, scope: _Scope) -> None:
        self.what = what
        self.scope = scope


class _Scope:
    """Index spaces."""

    def __init__(self, parent: _Scope | None) -> None:
        self.parent = parent
        self._spaces: dict[str, list[Any]] = {sort: [] for sort in SORTS}

    def push(self, sort: str, item: Any) -> None:
        """Gives an item the next index of its sort."""
        self._spaces[sort].append(item)

    def at(self, sort: str, index: int) -> Any:
        """The item at an index."""
        return self._spaces[sort][index]

    def outer(self, count: int) -> _Scope:
        """The scope so many components further out."""
        scope = self
        for _ in range(count):
            assert scope.parent is not None  # noqa: S101 - the component is valid
            scope = scope.parent
        return scope

    # --- types --------------------------------------------------------------------------------------------------------

    def value(self, type_: syntax.CaseType) -> Any:
        """A value type."""
        return self.at("type", type_) if isinstance(type_, int) else type_

    def evaluate(self, type_: Any, owner: ComponentInstance | None) -> Any:
        """The type of a definition."""
        if isinstance(type_, syntax.DefinedType):
            types = tuple([self.value(each) for each in type_.types])
            return ValueType(type_.kind, type_.labels, types, type_.length)
        if isinstance(type_, syntax.FunctionType):
            params = tuple([self.value(each) for each in type_.params])
            return Function(type_.labels, params, self.value(type_.result), is_async=type_.is_async)
        if isinstance(type_, syntax.ResourceType):
            destructor = None if type_.destructor is None else self.at("core func", type_.destructor).invoke
            return ResourceType("resource", owner, destructor)
        return _Closure(type_, self)

    def alias(self, definition: syntax.Alias) -> None:
        """Gives something that exists another index."""
        sort, target = definition.sort, definition.target
        if definition.form == "outer":
            item = self.outer(definition.owner).at(sort, int(target))
        elif definition.form == "export":
            item = self.at("instance", definition.owner)[target][1]
        else:
            item = self.at("core instance", definition.owner)[target]
        self.push(sort, item)


class ComponentInstance(_Scope):
    """An instance of a component.

    Attributes:
        handles: its handles.
        exports: by name.
        entered: whether one of its functions runs.
        may_leave: whether it may call other components and the host.
        broken: whether it trapped, and is not entered any more.
        exclusive, backpressure, waiting_to_enter, waits_on_stack: of asynchronous functions: the task that no other one
            of its kind runs beside; how often the instance asked for no more; how many tasks wait to enter; and whether
            its code may wait on the stack.
    """

    def __init__(self, store: Store, parent: _Scope | None, arguments: Mapping[str, Item] | None) -> None:
        super().__init__(parent)
        self._store = store
        self._arguments = arguments
        self.handles = HandleTable()
        self.exports: dict[str, Item] = {}
        self.entered = False
        self.may_leave = True
        self.broken = False
        self.exclusive: Task | None = None
        self.backpressure = 0
        self.waiting_to_enter = 0
        self.waits_on_stack = False
        store.instances.append(self)

    def around(self) -> Iterator[ComponentInstance]:
        """This instance, and those it is nested in."""
        scope: _Scope | None = self
        while scope is not None:
            if isinstance(scope, ComponentInstance):
                yield scope
            scope = scope.parent

    def define(self, component: syntax.ComponentDefinition) -> ComponentInstance:
        """Evaluates the definitions of a component."""
        self._store.evaluate(len(component.definitions))
        for definition in component.definitions:
            _DEFINITIONS[type(definition)](self, definition)
        return self

    # --- core ---------------------------------------------------------------------------------------------------------

    def module(self, definition: syntax.ModuleDefinition) -> None:
        """A core module."""
        self.push("core module", definition.span)

    def core_types(self, definition: syntax.CoreTypes) -> None:
        """Core types."""
        for type_ in definition.types:
            self.push("core type", type_)

    def core_instantiation(self, definition: syntax.CoreInstantiation) -> None:
        """An instance of a core module."""
        given = {name: self.at("core instance", index) for name, index in definition.arguments}
        span = self.at("core module", definition.module)
        self.push("core instance", self._store.instantiate_core(self, span, given))

    def core_exports(self, definition: syntax.CoreExports) -> None:
        """A core instance made of items."""
        self.push("core instance", {name: self.at(sort, index) for name, sort, index in definition.exports})

    # --- components ---------------------------------------------------------------------------------------------------

    def component(self, definition: syntax.ComponentDefinition) -> None:
        """A component."""
        self.push("component", _Closure(definition, self))

    def instantiation(self, definition: syntax.Instantiation) -> None:
        """An instance of a component."""
        closure = self.at("component", definition.component)
        given = {name: (sort, self.at(sort, index)) for name, sort, index in definition.arguments}
        self.push("instance", ComponentInstance(self._store, closure.scope, given).define(closure.what).exports)

    def instance_exports(self, definition: syntax.InstanceExports) -> None:
        """An instance made of items."""
        exports = {name.name: (sort, self.at(sort, index)) for name, sort, index in definition.exports}
        self.push("instance", exports)

    def type_definition(self, definition: syntax.TypeDefinition) -> None:
        """A type."""
        self.push("type", self.evaluate(definition.type, self))

    def export(self, definition: syntax.Export) -> None:
        """An export."""
        item = self.at(definition.sort, definition.item)
        self.exports[definition.name.name] = (definition.sort, item)
        self.push(definition.sort, item)

    def import_(self, definition: syntax.Import) -> None:
        """An import: an argument, or the host's."""
        sort, name = definition.desc.sort, definition.name.name
        if self._arguments is not None:
            self.push(sort, self._arguments[name][1])
        elif sort == "type" and definition.desc.type is not None:
            self.push(sort, self.value(definition.desc.type))
        elif sort == "instance":
            type_ = self.at("type", int(definition.desc.type or 0))
            self.push(sort, _host_instance(self._store, type_, name))
        else:
            raise UnlinkableError(f"the component imports the {sort} {name!r}, which is not provided")

    def canon(self, definition: syntax.CanonFunction) -> None:
        """A canonical function."""
        keyword, operands = definition.keyword, definition.operands
        if self._store.loop is not None:
            self.push(*self._store.canonical(self, definition))
        elif keyword == "lift":
            core = self.at("core func", int(operands["core-func"] or 0))
            type_ = self.at("type", int(operands["type"] or 0))
            self.push("func", lift(self, core, self.options(definition), type_))
        elif keyword == "lower":
            function = self.at("func", int(operands["func"] or 0))
            self.push("core func", lower(self, function, self.options(definition)))
        else:
            self.push("core func", _RESOURCES[keyword](self, self.at("type", int(operands["type"] or 0))))

    def options(self, definition: syntax.CanonFunction) -> Options:
        """The options of a canonical function."""
        given = {keyword.partition("=")[0]: (keyword, index) for keyword, index in definition.options.given}

        def function(option: str) -> Any:
            return self.at("core func", given[option][1] or 0).invoke if option in given else None

        memory = self.at("core memory", given["memory"][1] or 0) if "memory" in given else None
        if memory is not None and memory.type.limits.is64:
            raise ComponentUnsupportedError(
                "the component passes values in a memory of 64 bits, which the embedded engine does not run"
            )
        encoding = given["string-encoding"][0].partition("=")[2] if "string-encoding" in given else "utf8"
        callback = function("callback")
        return Options(memory, function("realloc"), function("post-return"), encoding, "async" in given, callback)


# --- what the host offers -------------------------------------------------------------------------------------------


def _host_instance(store: Store, type_: _Closure, name: str) -> dict[str, Item]:
    """The exports of an instance that the host offers, as far as the component declares them."""
    offered = store.host.interface(name)
    scope, exports = _Scope(type_.scope), dict[str, Item]()
    for declaration in type_.what.declarations:
        if isinstance(declaration, syntax.TypeDefinition):
            scope.push("type", scope.evaluate(declaration.type, None))
        elif isinstance(declaration, syntax.CoreTypes):
            for core in declaration.types:
                scope.push("core type", core)
        elif isinstance(declaration, syntax.Alias):
            scope.alias(declaration)
        elif isinstance(declaration, syntax.ExportDeclaration):
            label = declaration.name.name
            item = _host_item(
                store, scope, declaration.desc, None if offered is None else offered.get(label), (name, label)
            )
            scope.push(declaration.desc.sort, item)
            exports[label] = (declaration.desc.sort, item)
    return exports


def _host_item(store: Store, scope: _Scope, desc: ExternDesc, offered: Any, name: tuple[str, str]) -> Any:
    if desc.sort == "type" and desc.type is not None:
        return scope.value(desc.type)
    shown = f"{name[0]} {name[1]!r}"
    if desc.sort == "type":
        if offered is None and store.missing_as_traps:
            return ResourceType(name[1], None, None)
        if not isinstance(offered, ResourceType):
            raise UnlinkableError(f"the component imports the resource {shown}, which is not provided")
        return offered
    if desc.sort != "func":
        raise UnlinkableError(f"the component imports the {desc.sort} {shown}, which is not provided")
    type_ = scope.at("type", int(desc.type or 0))
    if offered is None and store.missing_as_traps:
        return store.missing(type_, shown)
    if not isinstance(offered, HostCall):
        raise UnlinkableError(f"the component imports the function {shown}, which is not provided")
    wanted = signature(type_)
    if wanted != offered.signature:
        raise UnlinkableError(
            f"the component imports {shown} as {wanted[:500]}, and what is offered is {offered.signature[:500]}"
        )
    return ComponentFunction(type_, store.called(name, offered), f"{name[0]}#{name[1]}")


_RESOURCES: Final = {"resource.new": resource_new, "resource.rep": resource_rep, "resource.drop": resource_drop}
_DEFINITIONS: Final[dict[type, Callable[[ComponentInstance, Any], None]]] = {
    syntax.ModuleDefinition: ComponentInstance.module,
    syntax.CoreTypes: ComponentInstance.core_types,
    syntax.CoreInstantiation: ComponentInstance.core_instantiation,
    syntax.CoreExports: ComponentInstance.core_exports,
    syntax.ComponentDefinition: ComponentInstance.component,
    syntax.Instantiation: ComponentInstance.instantiation,
    syntax.InstanceExports: ComponentInstance.instance_exports,
    syntax.Alias: ComponentInstance.alias,
    syntax.TypeDefinition: ComponentInstance.type_definition,
    syntax.CanonFunction: ComponentInstance.canon,
    syntax.Import: ComponentInstance.import_,
    syntax.Export: ComponentInstance.export,
}
