"""The engine for people who embed it.

    from wasm2oci.engine import Engine, HostFunction, Linker, Module

    engine = Engine()
    module = Module(engine, Path("add.wasm").read_bytes())
    instance = Linker(engine).instantiate(module)
    instance.call("add", 2, 3)

An `Engine` is settings; a `Module` is decoded and validated once and can be instantiated often; a `Linker` holds what
modules import: host functions, and exports of other instances; an `Instance` offers its exports. What crosses the
border, and how values look on both sides: see `runtime.values`. What a host makes itself: see `host`.

Nothing here is shared between threads: use a linker and its instances from one thread at a time. The exception is
`Linker.interrupt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from wasm2oci.engine.host import Caller, HostFunction
from wasm2oci.engine.loaded import Engine, ExportType, ImportType, Module
from wasm2oci.engine.runtime.function import Function, Global, Tag
from wasm2oci.engine.runtime.instantiate import allocate, initialise, match_imports
from wasm2oci.engine.runtime.memory import Memory
from wasm2oci.engine.runtime.table import Table
from wasm2oci.engine.runtime.trap import TrapKind
from wasm2oci.engine.translate import prepare
from wasm2oci.engine.translate.traps import explain
from wasm2oci.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wasm2oci.engine.preview1 import WasiHost
    from wasm2oci.engine.runtime.instance import Extern, ModuleInstance
    from wasm2oci.engine.runtime.limits import ResourceLimits
    from wasm2oci.engine.runtime.trap import Trap
    from wasm2oci.wasi.context import Preopen

__all__ = ["Engine", "ExportNotFoundError", "ExportType", "ImportType", "Instance", "Linker", "Module"]


E = TypeVar("E", Function, Memory, Table, Global, Tag)


class ExportNotFoundError(NotFoundError):
    """The instance has no export of that name, or it is of another kind."""


class Instance:
    """An instance of a module; `Linker.instantiate` makes them.

    Attributes:
        module: what it is an instance of.
        exports: by name. A `Function` can be called; a `Memory`, `Table` or `Global` has `read` and `write`.
    """

    def __init__(self, module: Module, runtime: ModuleInstance) -> None:
        self.module = module
        self.runtime = runtime
        self.exports: Mapping[str, Extern] = runtime.exports

    def function(self, name: str) -> Function:
        """The exported function of that name.

        Raises:
            ExportNotFoundError: there is none.
        """
        return self._export(name, Function, "function")

    def memory(self, name: str = "memory") -> Memory:
        """The exported memory of that name. Raises as `function`."""
        return self._export(name, Memory, "memory")

    def table(self, name: str) -> Table:
        """The exported table of that name. Raises as `function`."""
        return self._export(name, Table, "table")

    def global_(self, name: str) -> Global:
        """The exported global of that name. Raises as `function`."""
        return self._export(name, Global, "global")

    def tag(self, name: str) -> Tag:
        """The exported tag of that name. Raises as `function`."""
        return self._export(name, Tag, "tag")

    def _export(self, name: str, kind: type[E], word: str) -> E:
        item = self.exports.get(name)
        if isinstance(item, kind):
            return item
        there = [key for key, value in self.exports.items() if isinstance(value, kind)]
        hint = "it exports " + (", ".join(there[:10]) if there else f"no {word} at all")
        raise ExportNotFoundError(f"the module exports no {word} {name!r}", hint=hint)

    def call(self, name: str, *arguments: Any) -> Any:
        """Calls an exported function with a host's values.

        Returns:
            None, the result, or a tuple of several.

        Raises:
            ExportNotFoundError: there is no such function.
            ValueTypeError: the arguments do not fit its type.
            Trap: it trapped.
            WasmException: it threw.
        """
        return self.function(name)(*arguments)


class Linker:
    """What modules may import, by module name and item name.

    Args:
        engine: its settings apply to what is instantiated.
        shares: another linker of this engine, whose fuel and interrupts are also those of this one.
    """

    def __init__(self, engine: Engine, *, shares: Linker | None = None) -> None:
        self.engine = engine
        self._items: dict[tuple[str, str], Extern | HostFunction] = {}
        self._fuel: list[int] = [0] if shares is None else shares._fuel  # noqa: SLF001 - of the same class
        self._interrupt: list[int] = [0] if shares is None else shares._interrupt  # noqa: SLF001
        self._wasi: WasiHost | None = None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def define(self, module: str, name: str, item: Extern | HostFunction) -> None:
        """Offers an item: a host function, or an export or a memory, table, global or tag of the host's own.

        A name defined before is defined anew.

        Raises:
            UsageError: it is nothing that can be imported.
        """
        given: object = item
        if not isinstance(given, HostFunction | Function | Memory | Table | Global | Tag):
            hint = "wrap it in HostFunction, or use define_function" if callable(given) else None
            raise UsageError(f"{given!r} cannot be imported", hint=hint)
        if isinstance(item, HostFunction) and not item.caller:
            # One function instance for all importers, so that references to it are the same.
            item = item.bind(Caller(), name)
        self._items[module, name] = item

    def define_function(
        self,
        module: str,
        name: str,
        params: Sequence[int | str],
        results: Sequence[int | str],
        call: Callable[..., Any],
        *,
        raw: bool = False,
        caller: bool = False,
    ) -> None:
        """Offers a Python callable; the arguments are those of `HostFunction`."""
        self.define(module, name, HostFunction(params, results, call, raw=raw, caller=caller))

    def define_instance(self, module: str, instance: Instance) -> None:
        """Offers all exports of an instance under a module name."""
        for name, item in instance.exports.items():
            self.define(module, name, item)

    def define_wasi(
        self,
        *,
        args: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        directories: Sequence[Preopen] = (),
        stdin: int | bytes = b"",
        stdout: int | Callable[[bytes], object] = 1,
        stderr: int | Callable[[bytes], object] = 2,
        trace: Callable[[str], object] | None = None,
    ) -> WasiHost:
        """Offers all functions of WASI preview 1 and of preview 0 (`wasi_unstable`).

        Use what it returns as a context manager: it holds descriptors.

            with linker.define_wasi(args=["hello"], stdout=output.append) as wasi:
                exit_code = wasi.start(linker.instantiate(module))

        Args:
            args: the guest's command line, the program's name first.
            environment: its variables; it gets none of this process's.
            directories: what it may use of the file system.
            stdin: bytes, or a descriptor of this process.
            stdout: what takes its bytes, or a descriptor of this process.
            stderr: the same.
            trace: takes a line for each call.

        Raises:
            UsageError: a text has a NUL in it.
            LocalIOError: a directory cannot be opened.
        """
        from wasm2oci.engine.preview1 import WasiHost  # noqa: PLC0415 - not every guest gets it

        host = WasiHost(
            args=args,
            environment=environment or {},
            directories=directories,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            trace=trace,
        )
        for module_name, name, function in host.functions():
            self.define(module_name, name, function)
        self._wasi = host
        return host

    def instantiate(
        self,
        module: Module,
        *,
        limits: ResourceLimits | None = None,
        fuel: int | None = None,
        before_start: Callable[[Instance], None] | None = None,
    ) -> Instance:
        """Makes an instance: fills in its imports, copies its segments and runs its start function.

        Args:
            module: of this engine.
            limits: ceilings for its memories and tables.
            fuel: what `fuel` is set to first, or None to leave it.
            before_start: called with the instance when its exports exist and none of its code has run.

        Raises:
            UnlinkableError: an import is missing or of another type.
            ResourceLimitError: it starts with more memory or a larger table than allowed.
            Trap: a segment does not fit, or the start function trapped.
        """
        if module.engine != self.engine:
            raise UsageError("the module was made for another engine")
        if fuel is not None:
            self.fuel = fuel
        caller = Caller()
        offered = {
            key: item.bind(caller, key[1]) if isinstance(item, HostFunction) else item
            for key, item in self._items.items()
        }
        imported = match_imports(module.syntax, offered)
        runtime = allocate(module.syntax, imported, lambda runtime: self._prepare(runtime, module), limits)
        instance = Instance(module, runtime)
        memory = runtime.exports.get("memory")
        caller.instance = instance
        caller.memory = memory if isinstance(memory, Memory) else runtime.mems[0] if runtime.mems else None
        if before_start is not None:
            before_start(instance)
        initialise(runtime)
        return instance

    def _prepare(self, runtime: ModuleInstance, module: Module) -> None:
        runtime.explain = self._explain
        prepare(runtime, module.options, module.code, module.check)
        # All instances draw on the linker's fuel and look at its flag.
        runtime.namespace["F"] = self._fuel
        runtime.namespace["I"] = self._interrupt

    def _explain(self, error: Exception) -> Trap | None:
        trap = explain(error)
        if trap is not None and trap.kind is TrapKind.INTERRUPT:
            self._interrupt[0] = 0
        return trap

    # --- stopping ----------------------------------------------------------------------------
    @property
    def fuel(self) -> int:
        """How many instructions the instances of this linker may still execute, on an engine with `fuel`.

        A basic block is paid for when it is entered, and the account is looked at where a function or a loop starts;
        so the same run always stops at the same place, and may end a little below zero.
        """
        return self._fuel[0]

    @fuel.setter
    def fuel(self, instructions: int) -> None:
        self._fuel[0] = instructions

    def interrupt(self) -> None:
        """Stops the guest code that runs, or else what runs next, with `TrapKind.INTERRUPT`; from any thread.

        Takes an engine that is `interruptible`; a WASI call that waits ends on every engine.
        """
        self._interrupt[0] = 1
        if self._wasi is not None:
            self._wasi.interrupt()
