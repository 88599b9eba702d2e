"""Running a core module on wasmtime.

WASI is wasmtime's own, traced or not, except that with sockets ours is put in its place. Compilation and the guest run
in a supervised thread; the guest's own code is stopped through wasmtime's epoch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import wasmtime

from wasm2oci.base.descriptors import DIRECTORY
from wasm2oci.errors import ExitCode, InvalidInputError, Remedy, RemedyKind
from wasm2oci.runtime.child import free_memory
from wasm2oci.runtime.compiled import CompiledCode
from wasm2oci.runtime.pump import Pump
from wasm2oci.runtime.request import (
    DirectoryError,
    Ending,
    EngineChoice,
    GuestSetupError,
    RunOutcome,
    exit_status,
)
from wasm2oci.runtime.supervise import TimedOut, supervise
from wasm2oci.runtime.wasmtime_traps import OUT_OF_MEMORY, GuestTrappedError, calling, cause, instantiating
from wasm2oci.wasi.endings import Interrupted, ProcExit
from wasm2oci.wasi.waiting import Interrupt, SystemWaiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wasm2oci.runtime.preflight import Preflight
    from wasm2oci.runtime.request import (
        RunRequest,
    )

__all__ = ["WasmtimeRefusedError", "WasmtimeRoomError", "WasmtimeSession", "guarded", "run_known", "run_module"]

_MODULE: Final = "wasi_snapshot_preview1"
_PREVIEW0_MODULE: Final = "wasi_unstable"
_START: Final = "_start"
_INITIALIZE: Final = "_initialize"
_DEFAULT: Final = ""
_TABLE_ELEMENT: Final = 8
_ASYNC_EXTRA: Final = 1 << 20
_GUEST: Final = "guest"
_NO_ROOM: Final = "Cannot allocate memory"


class WasmtimeRoomError(GuestSetupError):
    """The system does not give wasmtime the memory or address space that it needs to start the module."""


class WasmtimeRefusedError(InvalidInputError):
    """wasmtime rejects the module or component."""


def _build() -> str:
    """What tells one installation of wasmtime from another; wasmtime itself refuses code of another version."""
    status = Path(wasmtime._bindings.__file__).stat()  # noqa: SLF001 - the file that changes with every version
    return f"{status.st_size} {status.st_mtime_ns}"


def _set_stack(config: wasmtime.Config, size: int) -> None:
    """Let the guest's stack have so many bytes.

    wasmtime ends the process where its stacks for asynchronous calls, which are never made here, are smaller than that.
    """
    wasmtime._bindings.wasmtime_config_async_stack_size_set(config.ptr(), size + _ASYNC_EXTRA)  # noqa: SLF001
    config.max_wasm_stack = size


class WasmtimeSession:
    """An engine and a store set up for one request, and what stops them.

    Args:
        request: what is asked for.
        interrupt: ends blocking calls.
    """

    def __init__(self, request: RunRequest, interrupt: Interrupt) -> None:
        self.request = request
        self.interrupt = interrupt
        self.sha256 = request.sha256 or hashlib.sha256(request.module).hexdigest()
        config = wasmtime.Config()
        config.epoch_interruption = True
        config.consume_fuel = request.limits.fuel is not None
        config.shared_memory = True
        _set_stack(config, request.limits.max_stack)
        self.engine = wasmtime.Engine(config)
        self.code = CompiledCode(
            None if request.cache is None else request.cache / "wasmtime",
            # Code kept for a program is only ever of a module whose start was looked at: `run_known` relies on it.
            f"{_build()} fuel={request.limits.fuel is not None} program={request.invoke is None}",
        )

    def load_module(self, path: str) -> wasmtime.Module:
        """A module from the code that was kept in a file."""
        return wasmtime.Module.deserialize_file(self.engine, path)

    def kick(self, _thread: int) -> None:
        """Make the guest's code stop at its next check."""
        self.engine.increment_epoch()

    def store(self) -> wasmtime.Store:
        """A store within the request's limits.

        Raises:
            Interrupted: the run was broken off meanwhile.
        """
        store = wasmtime.Store(self.engine)
        limits = self.request.limits
        store.set_limits(memory_size=limits.max_memory, table_elements=limits.max_memory // _TABLE_ELEMENT)
        store.set_epoch_deadline(1)
        self.interrupt.check()  # a kick before the deadline was set went unnoticed
        if limits.fuel is not None:
            store.set_fuel(limits.fuel)
        return store

    def set_wasi(self, store: wasmtime.Store, held: contextlib.ExitStack) -> None:
        """Give the store wasmtime's own WASI; what must be released after the run is put into `held`.

        Raises:
            GuestSetupError: a directory cannot be opened, or an argument is not text.
        """
        request = self.request
        config = wasmtime.WasiConfig()
        if (odd := request.not_text) is not None:
            raise GuestSetupError(
                f"{odd!r} is not UTF-8, which wasmtime requires", remedy=Remedy(RemedyKind.USE_EMBEDDED)
            )
        config.argv = [arg.decode() for arg in request.args]
        config.env = [(name.decode(), value.decode()) for name, value in request.environment]
        for preopen in request.preopens:
            try:
                os.close(os.open(preopen.host, os.O_RDONLY | DIRECTORY))  # wasmtime does not say what is wrong
                config.preopen_dir(str(preopen.host), preopen.guest, not preopen.read_only)
            except (OSError, wasmtime.WasmtimeError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise DirectoryError(preopen.host, reason or "it cannot be opened") from error
        if isinstance(request.stdin, bytes):
            if request.stdin:
                import tempfile  # noqa: PLC0415 - slow to import

                with tempfile.NamedTemporaryFile() as file:
                    file.write(request.stdin)
                    file.flush()
                    config.stdin_file = file.name
        elif request.stdin == 0:
            config.inherit_stdin()
        else:
            config.stdin_file = f"/dev/fd/{request.stdin}"
        if request.stdout == 1:
            config.inherit_stdout()
        else:
            config.stdout_file = self._pumped(held, request.stdout)
        if request.stderr == 2:
            config.inherit_stderr()
        else:
            config.stderr_file = self._pumped(held, request.stderr)
        store.set_wasi(config)

    def _pumped(self, held: contextlib.ExitStack, target: int | Callable[[bytes], object]) -> str:
        take = _writer(target, self.interrupt) if isinstance(target, int) else target
        return held.enter_context(Pump(take)).path


def _writer(fd: int, interrupt: Interrupt) -> Callable[[bytes], object]:
    from wasm2oci.wasi.streams import HostStream  # noqa: PLC0415 - only for other descriptors than 1 and 2

    stream, waiter = HostStream(fd), SystemWaiter(interrupt)

    def write(data: bytes) -> None:
        done = 0
        while done < len(data):
            done += stream.write(data[done:], waiter, block=True)

    return write


def _functions(module: wasmtime.Module, wanted: set[str]) -> set[str]:
    """Which of the names are exported functions."""
    exports = [export for export in module.exports if export.name in wanted]
    return {export.name for export in exports if isinstance(export.type, wasmtime.FuncType)}


def run_known(request: RunRequest, why: str) -> RunOutcome | None:
    """Run a program whose code is kept: it was looked at before that was made, and need not be again.

    None when its code is not kept.

    Raises:
        GuestSetupError: it cannot be linked or started.
    """
    with Interrupt() as interrupt:
        session = WasmtimeSession(request, interrupt)
        module = session.code.load(session.sha256, session.load_module)
        if module is None:
            return None

        def work() -> tuple[str, ...]:
            names = _functions(module, {_DEFAULT, _START, _INITIALIZE})
            entry = next((name for name in (_DEFAULT, _START) if name in names), None)
            _call(session, module, entry, initialize=_INITIALIZE in names)
            return ()

        return guarded(session, work, why)


def run_module(request: RunRequest, preflight: Preflight, why: str) -> RunOutcome:
    """Run a core module.

    Raises:
        WasmtimeRefusedError: wasmtime finds the module invalid.
        GuestSetupError: it cannot be linked or started.
        UsageError: the values of an invoked function do not fit.
    """
    from wasm2oci.runtime.values import format_value, parse_values  # noqa: PLC0415 - `run_known` needs none

    values = [] if request.invoke is None else parse_values(request.invoke, preflight.type, request.values)
    types = preflight.type.results
    with Interrupt() as interrupt:
        session = WasmtimeSession(request, interrupt)

        def work() -> tuple[str, ...]:
            module = _module(session)
            value = _call(session, module, preflight.entry, values, initialize=preflight.initialize)
            made = value if len(types) > 1 else [value] if types else []
            return tuple(format_value(one, type_) for one, type_ in zip(made, types, strict=True))

        return guarded(session, work, why)


def guarded(session: WasmtimeSession, work: Callable[[], tuple[str, ...]], why: str) -> RunOutcome:
    """Run `work` under supervision and say how it ended."""

    def end(ending: Ending, code: int, **more: Any) -> RunOutcome:
        return RunOutcome(ending=ending, exit_code=code, engine=EngineChoice.WASMTIME, why=why, **more)

    limits = session.request.limits
    try:
        results = supervise(work, session.interrupt, session.kick, limits.timeout_s, stack=limits.max_stack)
    except ProcExit as exit_:
        return end(Ending.EXITED, exit_status(exit_.code))
    except wasmtime.ExitTrap as exit_:
        return end(Ending.EXITED, exit_status(exit_.code))
    except TimedOut:
        return end(Ending.TIMED_OUT, ExitCode.TIMED_OUT)
    except (KeyboardInterrupt, Interrupted):
        return end(Ending.INTERRUPTED, ExitCode.INTERRUPTED)
    except GuestTrappedError as trapped:
        if OUT_OF_MEMORY in trapped.report.reason:
            return end(Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY, trap=trapped.report)
        return end(Ending.TRAPPED, ExitCode.TRAP, trap=trapped.report)
    except MemoryError:
        free_memory()
        return end(Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY)
    except wasmtime.WasmtimeError as error:
        if any(text in str(error) for text in (OUT_OF_MEMORY, _NO_ROOM)):
            raise WasmtimeRoomError(
                f"wasmtime cannot allocate memory for the module: {cause(error)}",
                remedy=Remedy(RemedyKind.USE_EMBEDDED),
            ) from error
        raise GuestSetupError(cause(error)) from error
    return end(Ending.EXITED, ExitCode.OK, results=results)


def _call(
    session: WasmtimeSession,
    module: wasmtime.Module,
    entry: str | None,
    values: Sequence[Any] = (),
    *,
    initialize: bool = False,
) -> Any:
    request = session.request
    store = session.store()
    linker = wasmtime.Linker(session.engine)
    with contextlib.ExitStack() as held:
        imported = {item.module for item in module.imports}
        if request.listeners or _PREVIEW0_MODULE in imported:
            _define_our_wasi(session, linker, held, imported)
        else:
            session.set_wasi(store, held)
            _define_wasi(session, linker)
        if request.missing_as_traps:
            linker.define_unknown_imports_as_traps(module)
        with instantiating():
            instance = linker.instantiate(store, module)
        # An instance's own list of exports is made in quadratic time.
        exports = wasmtime.Linker(session.engine)
        exports.define_instance(store, _GUEST, instance)
        with calling():
            if initialize:
                _function(exports, store, _INITIALIZE)(store)
            return None if entry is None else _function(exports, store, entry)(store, *values)


def _module(session: WasmtimeSession) -> wasmtime.Module:
    data = session.request.module
    module = session.code.load(session.sha256, session.load_module)
    if module is None:
        try:
            module = wasmtime.Module(session.engine, data)
        except wasmtime.WasmtimeError as error:
            raise WasmtimeRefusedError(f"wasmtime rejects the module: {cause(error)}") from error
        session.code.keep(session.sha256, module)
    return module


def _function(exports: wasmtime.Linker, store: wasmtime.Store, name: str) -> Callable[..., Any]:
    found = exports.get(store, _GUEST, name)
    assert isinstance(found, wasmtime.Func)  # noqa: S101 - `look` saw that it is one
    return found


def _exit(code: int) -> None:
    raise ProcExit(code & 0xFFFF_FFFF)


def _define_our_wasi(
    session: WasmtimeSession, linker: wasmtime.Linker, held: contextlib.ExitStack, imported: Iterable[str]
) -> None:
    """Put our own WASI into the linker: wasmtime's takes no sockets, and its binding has no preview 0."""
    from wasm2oci.runtime.streams import bound_calls, open_wasi  # noqa: PLC0415 - only for the above
    from wasm2oci.runtime.wasmtime_wasi import offer_wasi  # noqa: PLC0415 - the same
    from wasm2oci.wasi.functions import functions_of  # noqa: PLC0415 - the same

    wasi = held.enter_context(open_wasi(session.request, session.interrupt))
    for module in imported:
        functions = functions_of(module)
        offer_wasi(linker, bound_calls(wasi, session.request, functions), module, functions)


def _define_wasi(session: WasmtimeSession, linker: wasmtime.Linker) -> None:
    """Put wasmtime's WASI into the linker, traced where a trace is wanted."""
    trace = session.request.trace
    native = linker if trace is None else wasmtime.Linker(session.engine)
    native.define_wasi()
    # wasmtime takes exit codes above 125 for mistakes; here every code is the guest's to choose.
    native.allow_shadowing = True
    native.define_func(_MODULE, "proc_exit", wasmtime.FuncType([wasmtime.ValType.i32()], []), _exit)
    if trace is not None:
        from wasm2oci.runtime.wasmtime_wasi import offer_traced  # noqa: PLC0415 - only for traces
        from wasm2oci.wasi.trace import LineTracer  # noqa: PLC0415 - the same

        offer_traced(linker, native, session.engine, LineTracer(trace))
