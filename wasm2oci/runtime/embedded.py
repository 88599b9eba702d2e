"""Running a core module on the embedded engine, with our WASI."""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine import Engine, Linker, Module
from wasm2oci.engine.binary import decode_names
from wasm2oci.engine.preview1 import host_functions
from wasm2oci.engine.runtime.limits import Account, ResourceLimits, allowed_calls
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException
from wasm2oci.engine.syntax.types import DefType, FuncType
from wasm2oci.engine.translate.traps import thrown
from wasm2oci.errors import ExitCode
from wasm2oci.runtime.child import free_memory
from wasm2oci.runtime.preflight import INITIALIZE, TABLE_ELEMENT
from wasm2oci.runtime.request import (
    Ending,
    EngineChoice,
    RunOutcome,
    StackFrame,
    TrapReport,
    exit_status,
)
from wasm2oci.runtime.streams import bound_calls, open_wasi
from wasm2oci.runtime.supervise import TimedOut, supervise
from wasm2oci.runtime.timings import timed
from wasm2oci.runtime.values import format_value, parse_values
from wasm2oci.wasi.endings import Interrupted, ProcExit
from wasm2oci.wasi.functions import functions_of
from wasm2oci.wasi.waiting import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wasm2oci.engine.runtime.trap import Frame
    from wasm2oci.engine.syntax.module import Import
    from wasm2oci.runtime.preflight import Preflight
    from wasm2oci.runtime.request import (
        FunctionTime,
        RunLimits,
        RunRequest,
    )

__all__ = ["ceilings", "engine_for", "guarded", "held_calls", "run_module"]

_MUCH_CODE: Final = 1 << 20
"""Bytes of code from which on a body is validated when it is called first: that of a megabyte takes 0.1 seconds."""
_FRAME = 128
"""Bytes of a compiled program's stack that count for one call here."""


def run_module(request: RunRequest, preflight: Preflight, why: str) -> RunOutcome:
    """Run a core module.

    Raises:
        ModuleError: the module is malformed or invalid.
        GuestSetupError: it cannot be started.
        UsageError: the values of an invoked function do not fit.
    """
    values = [] if request.invoke is None else parse_values(request.invoke, preflight.type, request.values)
    rows: list[FunctionTime] = []
    with Interrupt() as interrupt:
        return guarded(request, why, interrupt, lambda: _call(request, preflight, values, interrupt, rows), rows)


def engine_for(request: RunRequest) -> Engine:
    """The engine, with the request's cache and fuel."""
    cache = None if request.cache is None else request.cache / "embedded"
    deferred = _MUCH_CODE if request.deferred else None
    return Engine(cache=cache, fuel=request.limits.fuel is not None, deferred=deferred)


def ceilings(limits: RunLimits) -> ResourceLimits:
    """What memories and tables may have, on one account."""
    most = limits.max_memory
    return ResourceLimits(most, most // TABLE_ELEMENT, Account(most))


def held_calls(limits: RunLimits) -> contextlib.AbstractContextManager[object]:
    """Has the guest's calls nested no deeper than its stack allows."""
    return allowed_calls(limits.max_stack // _FRAME)


def guarded(
    request: RunRequest,
    why: str,
    interrupt: Interrupt,
    call: Callable[[], tuple[str, ...]],
    rows: Sequence[FunctionTime] = (),
) -> RunOutcome:
    """Run a guest's code within its limits, and say how it ended.

    Args:
        request: what is asked.
        why: why this engine.
        interrupt: ends every wait of the guest.
        call: runs it; gives the texts of what it returned.
        rows: where time went, once it has run.
    """

    def end(ending: Ending, code: int, **more: Any) -> RunOutcome:
        return RunOutcome(
            ending=ending, exit_code=code, engine=EngineChoice.EMBEDDED, why=why, timings=tuple(rows), **more
        )

    try:
        results = supervise(call, interrupt, _kick, request.limits.timeout_s)
    except ProcExit as exit_:
        return end(Ending.EXITED, exit_status(exit_.code))
    except TimedOut:
        return end(Ending.TIMED_OUT, ExitCode.TIMED_OUT)
    except (KeyboardInterrupt, Interrupted):
        return end(Ending.INTERRUPTED, ExitCode.INTERRUPTED)
    except MemoryError:
        free_memory()
        return end(Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY)
    except Trap as trap:
        free_memory()
        report = TrapReport(str(trap), _shown(trap.frames))
        if trap.kind is TrapKind.OUT_OF_MEMORY:
            return end(Ending.OUT_OF_MEMORY, ExitCode.OUT_OF_MEMORY, trap=report)
        return end(Ending.TRAPPED, ExitCode.TRAP, trap=report)
    except WasmException as error:
        return end(Ending.TRAPPED, ExitCode.TRAP, trap=TrapReport("uncaught exception", _shown(thrown(error))))
    return end(Ending.EXITED, ExitCode.OK, results=results)


def _shown(frames: Iterable[Frame]) -> tuple[StackFrame, ...]:
    return tuple(StackFrame(frame.function, frame.name, frame.offset) for frame in frames)


def _kick(thread: int) -> None:
    """Have `Interrupted` raised in the guest's thread between two steps of its generated code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Interrupted))


def _call(
    request: RunRequest, preflight: Preflight, values: list[Any], interrupt: Interrupt, rows: list[FunctionTime]
) -> tuple[str, ...]:
    limits = request.limits
    with contextlib.ExitStack() as held:
        held.enter_context(held_calls(limits))
        wasi = held.enter_context(open_wasi(request, interrupt))
        engine = engine_for(request)
        module = Module(engine, request.module, digest=request.sha256)
        held.callback(module.code.save)  # in a child process nothing comes after this
        linker = Linker(engine)
        for offered in {item.module for item in module.syntax.imports}:
            functions = functions_of(offered)
            for name, function in host_functions(bound_calls(wasi, request, functions), functions).items():
                linker.define(offered, name, function)
        for item in preflight.missing:
            _define_missing(linker, item)
        with timed(rows, decode_names(module.syntax).functions if request.timings else None):
            instance = linker.instantiate(module, limits=ceilings(limits), fuel=limits.fuel)
            if preflight.initialize:
                instance.function(INITIALIZE).invoke()
            value: Any = None if preflight.entry is None else instance.function(preflight.entry).invoke(*values)
    types = preflight.type.results
    made = value if len(types) > 1 else [value] if types else []
    return tuple(format_value(one, type_) for one, type_ in zip(made, types, strict=True))


def _define_missing(linker: Linker, item: Import) -> None:
    signature = item.type.func if isinstance(item.type, DefType) else FuncType((), ())

    def missing(*_: Any) -> None:
        raise Trap(TrapKind.UNREACHABLE, f"the guest called {item.module}.{item.name}, which is not provided")

    linker.define_function(item.module, item.name, signature.params, signature.results, missing, raw=True)
