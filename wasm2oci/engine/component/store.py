"""A component that is run: its core modules, what the host offers, and the instances that come into being."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.binary.definitions import decode_definitions
from wasm2oci.engine.component.functions import ComponentFunction
from wasm2oci.engine.component.instance import ComponentInstance
from wasm2oci.engine.component.unsupported import check_supported
from wasm2oci.engine.embed import Linker, Module
from wasm2oci.engine.runtime.limits import ResourceLimitError
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.validate.component.definitions import validate_component

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.engine.component.concurrency.threads import Loop
    from wasm2oci.engine.component.host import Host, HostCall
    from wasm2oci.engine.embed import Engine
    from wasm2oci.engine.runtime.instance import Extern
    from wasm2oci.engine.runtime.limits import ResourceLimits
    from wasm2oci.engine.syntax.component import CanonFunction
    from wasm2oci.engine.syntax.features import Feature
    from wasm2oci.engine.syntax.module import Span
    from wasm2oci.engine.validate.component.types import Function

__all__ = ["LoadedComponent", "Store"]

_MOST_INSTANCES: Final = 10_000
"""Instances of components, and as many of core modules (wasmtime)."""
_MOST_DEFINITIONS: Final = 1_000_000


class LoadedComponent:
    """A valid component: decoded once, for any number of stores, on any threads.

    Args:
        engine: its settings apply.
        data: the component.

    Attributes:
        syntax: its definitions.
        modules: its core modules, by where they stand.
        concurrent: whether it uses asynchronous functions, streams or futures.
        type: what it imports and exports.

    Raises:
        ModuleError: it is malformed or invalid.
        ComponentUnsupportedError: it uses what is not run here.
    """

    def __init__(self, engine: Engine, data: bytes) -> None:
        self.engine = engine
        features: dict[Feature, int] = {}
        self.syntax = decode_definitions(data, features)
        self.concurrent = check_supported(self.syntax.definitions)
        self.modules: dict[Span, Module] = {}
        for start, end in self.syntax.all_modules():
            self.modules[start, end] = Module(engine, data[start:end], start=start)
        self.type = validate_component(
            self.syntax, {span: module.syntax for span, module in self.modules.items()}, features
        )

    def save(self) -> None:
        """Keeps generated code in the engine's cache."""
        for module in self.modules.values():
            module.code.save()


class Store:
    """Instances of a component that belong together.

    Args:
        component: what is instantiated.
        host: what it may import.
        limits: ceilings for all memories and tables together.
        fuel: what all code together may use, on an engine with `fuel`.
        missing_as_traps: offer what the host does not have as functions that trap.
        watch: gets each call of the host (interface and name, function) and gives what is called instead; None to leave
            it.

    Attributes:
        instances: every component instance, in the order of their making.
        loop: runs the tasks of a component that is concurrent; None for another.
    """

    def __init__(
        self,
        component: LoadedComponent,
        host: Host,
        *,
        limits: ResourceLimits | None = None,
        fuel: int | None = None,
        missing_as_traps: bool = False,
        watch: Callable[[tuple[str, str], HostCall], Callable[..., Any]] | None = None,
    ) -> None:
        self.host = host
        self.instances: list[ComponentInstance] = []
        self.missing_as_traps = missing_as_traps
        self._core_instances = 0
        self._definitions = 0
        self._component = component
        self._limits = limits
        self._watch = watch
        self.loop: Loop | None = None
        if component.concurrent:
            from wasm2oci.engine.component.concurrency.threads import new_loop  # noqa: PLC0415 - few components need it

            self.loop = new_loop(host.wait)
        self._linker = Linker(component.engine)
        if fuel is not None:
            self._linker.fuel = fuel

    def instantiate(self) -> ComponentInstance:
        """Makes an instance; imports are the host's.

        Raises:
            UnlinkableError: the host does not offer what is imported, or something else by that name.
            Trap: a start function of a core module trapped.
        """
        return ComponentInstance(self, None, None).define(self._component.syntax)

    def evaluate(self, definitions: int) -> None:
        """Counts a component instance and its definitions: components in components may ask for very many of both.

        Raises:
            ResourceLimitError: there are too many.
        """
        self._count(len(self.instances))
        self._definitions += definitions
        if self._definitions > _MOST_DEFINITIONS:
            raise ResourceLimitError(f"the component evaluates more than {_MOST_DEFINITIONS:,} definitions")

    @staticmethod
    def _count(instances: int) -> None:
        if instances > _MOST_INSTANCES:
            raise ResourceLimitError(f"the component makes more than {_MOST_INSTANCES:,} instances")

    def instantiate_core(
        self, instance: ComponentInstance, span: Span, given: Mapping[str, Mapping[str, Extern]]
    ) -> Mapping[str, Extern]:
        """Makes an instance of a core module in one of a component; gives its exports."""
        self._core_instances += 1
        self._count(self._core_instances)
        linker = Linker(self._component.engine, shares=self._linker)
        for module, items in given.items():
            for name, item in items.items():
                linker.define(module, name, item)
        loaded = self._component.modules[span]
        if self.loop is None:
            return linker.instantiate(loaded, limits=self._limits).exports
        from wasm2oci.engine.component.concurrency.functions import starting  # noqa: PLC0415 - few components need it

        with starting(self.loop, instance):
            return linker.instantiate(loaded, limits=self._limits).exports

    def canonical(self, instance: ComponentInstance, definition: CanonFunction) -> tuple[str, Any]:
        """The function of a definition in a component that is concurrent, and its sort."""
        from wasm2oci.engine.component.concurrency.builtins import canonical  # noqa: PLC0415 - as above
        from wasm2oci.engine.component.concurrency.scope import BuiltinScope  # noqa: PLC0415 - as above

        assert self.loop is not None  # noqa: S101 - the caller has asked
        return canonical(BuiltinScope(self.loop, instance, definition))

    def called(self, name: tuple[str, str], offered: HostCall) -> Callable[..., Any]:
        """What is called for a function of the host."""
        return offered.call if self._watch is None else self._watch(name, offered)

    @staticmethod
    def missing(type_: Function, shown: str) -> ComponentFunction:
        """A function that traps."""

        def call(*_: Any) -> None:
            raise Trap(TrapKind.UNREACHABLE, f"the guest called {shown}, which is not provided")

        return ComponentFunction(type_, call, shown)

    def close(self) -> None:
        """Gives up tasks that have not ended, and what the host's resources hold that the guest did not drop."""
        if self.loop is not None:
            self.loop.close()
        for instance in self.instances:
            for handle in instance.handles.owned():
                if handle.type.owner is None and handle.type.destructor is not None:
                    handle.type.destructor(handle.rep)
