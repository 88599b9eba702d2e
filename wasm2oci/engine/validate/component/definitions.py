"""Validation of a component, definition by definition. Spec: component model, Explainer.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax import component as syntax
from wasm2oci.engine.syntax.component import ModuleType
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.types import I32, I64, FuncType, MemoryType, TableType
from wasm2oci.engine.syntax.values import ValueType
from wasm2oci.engine.validate.component import canon
from wasm2oci.engine.validate.component.defined import defined_type, function_type
from wasm2oci.engine.validate.component.matching import Matching
from wasm2oci.engine.validate.component.naming import Externs
from wasm2oci.engine.validate.component.scope import Scope
from wasm2oci.engine.validate.component.types import (
    Component,
    Entity,
    Function,
    Instance,
    NamedResource,
    Resource,
    Work,
    checked,
    free_resources,
    renamed,
)
from wasm2oci.engine.validate.limits import check_memory, check_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.engine.syntax.component import ExternDesc
    from wasm2oci.engine.syntax.module import Module, Span
    from wasm2oci.engine.syntax.types import DefType, ExternType
    from wasm2oci.engine.syntax.values import Val

__all__ = ["validate_component"]

_IN_TYPES: Final = frozenset({("export", "type"), ("export", "instance"), ("outer", "type"), ("outer", "core type")})
_WANTED: Final = {
    "func": (Function, "a function type"),
    "instance": (Instance, "an instance type"),
    "component": (Component, "a component type"),
}


def validate_component(
    component: syntax.ComponentDefinition, modules: Mapping[Span, Module], features: dict[Feature, int]
) -> Component:
    """Validates a component; its core modules are valid already.

    Args:
        component: as decoded.
        modules: the core modules in it, by where they stand.
        features: gets those of WebAssembly that the component itself uses, with the offset of the first use.

    Returns:
        Its type.

    Raises:
        InvalidModuleError: it is not valid.
    """
    return _Validator(modules, features).component(component)


class _Validator:
    """The state of validation: the components and types around the place that is looked at."""

    def __init__(self, modules: Mapping[Span, Module], features: dict[Feature, int]) -> None:
        self._modules = modules
        self._features = features
        self._scopes: list[Scope] = []
        self._work = Work()
        self._defs: dict[int, DefType] = {}
        for module in modules.values():
            self._defs.update(module.defs)

    @property
    def _scope(self) -> Scope:
        return self._scopes[-1]

    def _matching(self, offset: int) -> Matching:
        return Matching(self._defs, self._work, offset)

    def component(self, component: syntax.ComponentDefinition) -> Component:
        """Validates a component and what is nested in it."""
        self._scopes.append(Scope("component", self._work))
        for definition in component.definitions:
            _VALIDATORS[type(definition)](self, definition)
        type_ = self._scope.component(component.span[1])
        self._scopes.pop()
        return type_

    # --- core modules and instances -----------------------------------------------------------------------------------

    def module(self, definition: syntax.ModuleDefinition) -> None:
        module = self._modules[definition.span]
        imports: dict[tuple[str, str], ExternType] = {}
        for item in module.imports:
            key = item.module, item.name
            if key in imports:
                raise InvalidModuleError(
                    f"duplicate import name `{item.module}:{item.name}`", definition.span[0] + item.offset
                )
            imports[key] = item.type
        exports = {item.name: module.extern_type(item.kind, item.index) for item in module.exports}
        self._scope.push("core module", ModuleType(imports, exports))

    def core_instantiation(self, definition: syntax.CoreInstantiation) -> None:
        offset, scope = definition.offset, self._scope
        module = scope.at("core module", definition.module, offset)
        arguments: dict[str, Mapping[str, ExternType]] = {}
        for name, index in definition.arguments:
            if name in arguments:
                raise InvalidModuleError(f"duplicate module instantiation argument named `{name}`", offset)
            arguments[name] = scope.at("core instance", index, offset)
        matching = self._matching(offset)
        for (name, item), wanted in module.imports.items():
            if name not in arguments:
                raise InvalidModuleError(f"missing module instantiation argument named `{name}`", offset)
            if item not in arguments[name]:
                raise InvalidModuleError(
                    f"module instantiation argument `{name}` does not export an item named `{item}`", offset
                )
            what = f"export `{item}` of module instantiation argument `{name}`"
            matching.core(arguments[name][item], wanted, what)
        scope.push("core instance", module.exports)

    def core_exports(self, definition: syntax.CoreExports) -> None:
        exports: dict[str, ExternType] = {}
        for name, sort, index in definition.exports:
            if name in exports:
                raise InvalidModuleError(
                    f"duplicate instantiation export name `{name}` already defined", definition.offset
                )
            exports[name] = self._scope.at(sort, index, definition.offset)
            self._core_sort(sort, definition.offset)
        self._scope.push("core instance", exports)

    def _core_sort(self, sort: str, offset: int) -> None:
        if sort == "core tag":
            self._features.setdefault(Feature.EXCEPTIONS, offset)

    def core_types(self, definition: syntax.CoreTypes) -> None:
        for type_ in definition.types:
            if isinstance(type_, ModuleType):
                for item in (*type_.imports.values(), *type_.exports.values()):
                    if isinstance(item, MemoryType):
                        check_memory(item, definition.offset)
                    elif isinstance(item, TableType):
                        check_table(item, definition.offset)
            self._scope.push("core type", type_)
        self._defs.update(definition.defs)

    # --- components and instances -------------------------------------------------------------------------------------

    def nested(self, definition: syntax.ComponentDefinition) -> None:
        self._scope.push("component", self.component(definition))

    def instantiation(self, definition: syntax.Instantiation) -> None:
        offset, scope = definition.offset, self._scope
        component: Component = scope.at("component", definition.component, offset)
        arguments: dict[str, Entity] = {}
        for name, sort, index in definition.arguments:
            if name in arguments:
                raise InvalidModuleError(
                    f"instantiation argument `{name}` conflicts with previous argument `{name}`", offset
                )
            arguments[name] = scope.entity(sort, index, offset)
        substitution = self._matching(offset).supply(arguments, component.imports, component.imported, "import")
        for resource in component.defined:
            new = substitution.resources[resource] = Resource()
            scope.defined[new] = None
        exports = substitution.entities(component.exports)
        scope.push("instance", checked(Instance(exports, (), substitution.paths(component.explicit)), offset))

    def instance_exports(self, definition: syntax.InstanceExports) -> None:
        exports, offset = Externs("export"), definition.offset
        explicit: dict[Resource, tuple[str, ...]] = {}
        for name, sort, index in definition.exports:
            entity = self._scope.entity(sort, index, offset)
            if isinstance(entity.type, NamedResource):
                explicit[entity.type.resource] = (name.name,)
            elif sort == "instance" and isinstance(entity.type, Instance):
                explicit |= {resource: (name.name, *path) for resource, path in entity.type.explicit.items()}
            exports.add(name, entity, offset)
        self._scope.push("instance", checked(Instance(exports.entities, (), explicit), offset))

    # --- aliases ------------------------------------------------------------------------------------------------------

    def alias(self, definition: syntax.Alias) -> None:
        scope, sort, offset = self._scope, definition.sort, definition.offset
        if scope.kind != "component" and (definition.form, sort) not in _IN_TYPES:
            raise InvalidModuleError(
                "aliases in a component or instance type may only refer to types or instances", offset
            )
        if definition.form == "outer":
            scope.push(sort, self._outer(definition))
        elif definition.form == "export":
            scope.push(sort, self._exported(definition))
        else:
            scope.push(sort, self._core_exported(definition))

    def _outer(self, definition: syntax.Alias) -> Any:
        sort, offset, count = definition.sort, definition.offset, definition.owner
        if count >= len(self._scopes):
            raise InvalidModuleError(f"invalid outer alias count of {count}", offset)
        item = self._scopes[-1 - count].at(sort, int(definition.target), offset)
        crossed = self._scopes[len(self._scopes) - count :]
        if (
            sort == "type"
            and any(scope.kind == "component" for scope in crossed)
            and free_resources([item], self._work, offset)
        ):
            raise InvalidModuleError(
                "cannot alias outer type which transitively refers to resources not defined in the current component",
                offset,
            )
        return item

    def _exported(self, definition: syntax.Alias) -> Any:
        offset, name, index = definition.offset, str(definition.target), definition.owner
        exports = self._scope.at("instance", index, offset).exports
        if name not in exports:
            raise InvalidModuleError(f"instance {index} has no export named `{name}`", offset)
        if exports[name].sort != definition.sort:
            noun = definition.sort.removeprefix("core ")
            raise InvalidModuleError(f"export `{name}` for instance {index} is not a {noun}", offset)
        return exports[name].type

    def _core_exported(self, definition: syntax.Alias) -> Any:
        offset, name, index = definition.offset, str(definition.target), definition.owner
        exports = self._scope.at("core instance", index, offset)
        if name not in exports:
            raise InvalidModuleError(f"core instance {index} has no export named `{name}`", offset)
        if canon.core_sort(exports[name]) != definition.sort:
            noun = definition.sort.removeprefix("core ")
            raise InvalidModuleError(f"export `{name}` for core instance {index} is not a {noun}", offset)
        self._core_sort(definition.sort, offset)
        return exports[name]

    # --- types --------------------------------------------------------------------------------------------------------

    def type_definition(self, definition: syntax.TypeDefinition) -> None:
        self._scope.push("type", self._defined(definition))

    def _defined(self, definition: syntax.TypeDefinition) -> Any:
        type_, offset = definition.type, definition.offset
        if isinstance(type_, syntax.DefinedType):
            return defined_type(self._scope, type_, offset)
        if isinstance(type_, syntax.FunctionType):
            return function_type(self._scope, type_, offset)
        if isinstance(type_, syntax.ResourceType):
            return self._resource(type_, offset)
        self._scopes.append(Scope(f"{type_.kind} type", self._work))
        for declaration in type_.declarations:
            _VALIDATORS[type(declaration)](self, declaration)
        scope = self._scopes.pop()
        return scope.instance(offset) if type_.kind == "instance" else scope.component(offset)

    def _resource(self, type_: syntax.ResourceType, offset: int) -> NamedResource:
        scope = self._scope
        if scope.kind != "component":
            raise InvalidModuleError("resources can only be defined within a concrete component", offset)
        if type_.rep not in {I32, I64}:
            raise InvalidModuleError("resources can only be represented by `i32` or `i64`", offset)
        if type_.destructor is not None:
            destructor = scope.at("core func", type_.destructor, offset)
            if destructor.func != FuncType((type_.rep,), ()):
                raise InvalidModuleError("wrong signature for a destructor", offset)
        resource = Resource()
        scope.defined[resource] = type_.rep
        return NamedResource(resource)

    # --- imports and exports ------------------------------------------------------------------------------------------

    def _described(self, desc: ExternDesc, offset: int) -> Entity:
        """The type of an import or export as it is written."""
        scope, type_ = self._scope, desc.type
        if desc.sort == "type":
            if type_ is None:
                return Entity("type", NamedResource(Resource()), fresh=True)
            return Entity("type", renamed(scope.at("type", int(type_), offset)))
        if desc.sort == "value":
            return Entity("value", self._value(type_, offset))
        if desc.sort == "core module":
            module = scope.at("core type", int(type_ or 0), offset)
            if not isinstance(module, ModuleType):
                raise InvalidModuleError(f"core type index {type_} is not a module type", offset)
            return Entity(desc.sort, module)
        return Entity(desc.sort, scope.typed(int(type_ or 0), *_WANTED[desc.sort], offset))

    def _value(self, type_: Any, offset: int) -> Val:
        if isinstance(type_, str):
            return type_
        found: Val = self._scope.typed(type_, ValueType, "a defined type", offset)
        return found

    def import_(self, definition: syntax.Import) -> None:
        self._scope.add_import(definition.name, self._described(definition.desc, definition.offset), definition.offset)

    def declared_export(self, definition: syntax.ExportDeclaration) -> None:
        self._scope.add_export(definition.name, self._described(definition.desc, definition.offset), definition.offset)

    def export(self, definition: syntax.Export) -> None:
        offset = definition.offset
        entity = self._scope.entity(definition.sort, definition.item, offset)
        if entity.sort == "type":
            entity = entity._replace(type=renamed(self._scope.at("type", definition.item, offset)))
        if definition.desc is not None:
            ascribed = self._described(definition.desc, offset)
            try:
                self._matching(offset).entity(entity, ascribed)
            except InvalidModuleError as error:
                raise InvalidModuleError(
                    f"ascribed type of export is not compatible with item's type: {error.reason}", offset
                ) from error
            entity = ascribed
        self._scope.add_export(definition.name, entity, offset)

    # --- functions ----------------------------------------------------------------------------------------------------

    def canonical(self, definition: syntax.CanonFunction) -> None:
        canon.canonical_function(self._scope, definition, self._defs, self._work)

    def start(self, definition: syntax.Start) -> None:
        offset, scope = definition.offset, self._scope
        if scope.started:
            raise InvalidModuleError("component cannot have more than one start function", offset)
        function: Function = scope.at("func", definition.function, offset)
        given = len(definition.arguments)
        if len(function.params) != given:
            raise InvalidModuleError(
                f"component start function requires {len(function.params)} arguments but was given {given}", offset
            )
        if definition.results != (function.result is not None):
            raise InvalidModuleError("component start function has another number of results than its type", offset)
        matching = self._matching(offset)
        for place, (index, wanted) in enumerate(zip(definition.arguments, function.params, strict=True)):
            try:
                matching.value(scope.use_value(index, offset), wanted)
            except InvalidModuleError as error:
                raise InvalidModuleError(
                    f"value type mismatch for component start function argument {place}: {error.reason}", offset
                ) from error
        if function.result is not None:
            scope.push("value", function.result)
        scope.started = True


_VALIDATORS: Final[dict[type, Callable[[_Validator, Any], None]]] = {
    syntax.ModuleDefinition: _Validator.module,
    syntax.ComponentDefinition: _Validator.nested,
    syntax.CoreInstantiation: _Validator.core_instantiation,
    syntax.CoreExports: _Validator.core_exports,
    syntax.CoreTypes: _Validator.core_types,
    syntax.Instantiation: _Validator.instantiation,
    syntax.InstanceExports: _Validator.instance_exports,
    syntax.Alias: _Validator.alias,
    syntax.TypeDefinition: _Validator.type_definition,
    syntax.CanonFunction: _Validator.canonical,
    syntax.Start: _Validator.start,
    syntax.Import: _Validator.import_,
    syntax.ExportDeclaration: _Validator.declared_export,
    syntax.Export: _Validator.export,
}
