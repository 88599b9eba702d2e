"""The functions of preview 1 as callables that work on one run's state, traced or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from wasm2oci.wasi.abi import Errno, WasiError, errno_of
from wasm2oci.wasi.functions import FUNCTIONS
from wasm2oci.wasi.memory import MemoryFaultError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.wasi.functions import WasiFunction
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.state import Wasi

__all__ = ["Call", "CallOutcome", "Tracer", "bind"]

Call = Callable[..., int | None]
"""A bound function: takes the memory and the raw numbers, returns the error code."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call went, for a trace.

    Attributes:
        args: the decoded values, fewer than parameters where decoding itself failed.
        errno: what the guest got; None when the call did not return.
        results: what was written back.
        elapsed_ns: how long it took.
    """

    args: tuple[Any, ...]
    errno: Errno | None
    results: tuple[Any, ...]
    elapsed_ns: int


class Tracer(Protocol):
    """Called after every call of a guest."""

    def __call__(self, function: WasiFunction, outcome: CallOutcome) -> None:
        """Take note."""


def bind(wasi: Wasi, tracer: Tracer | None = None, functions: Iterable[WasiFunction] = FUNCTIONS) -> dict[str, Call]:
    """Every function of a table by name, working on one run's state.

    Each takes the memory and the core values, and returns the error code (None for `proc_exit`, which raises).
    `ProcExit`, `Interrupted` and `KeyboardInterrupt` pass through.
    """
    return {function.name: _bound(function, wasi, tracer) for function in functions}


def _bound(function: WasiFunction, wasi: Wasi, tracer: Tracer | None) -> Call:
    plan = []
    at = 0
    for _, kind in function.params:
        plan.append((kind.decode, at, at + len(kind.core)))
        at += len(kind.core)
    results = [(at + index, result.pack) for index, (_, result) in enumerate(function.results)]
    work = function.work
    single = len(results) == 1

    def run(memory: GuestMemory, raw: tuple[int, ...], args: list[Any]) -> tuple[Any, ...]:
        for decode, start, end in plan:
            args.append(decode(memory, *raw[start:end]))
        made = work(wasi, memory, *args)
        values = (made,) if single else made or ()
        for (place, pack), value in zip(results, values, strict=True):
            memory.write(raw[place] & 0xFFFF_FFFF, pack(value))
        return values

    def call(memory: GuestMemory, *raw: int) -> int:
        try:
            run(memory, raw, [])
        except (WasiError, OSError, MemoryFaultError) as error:
            return _errno(error)
        return 0

    def traced(memory: GuestMemory, *raw: int) -> int:
        args: list[Any] = []
        errno: Errno | None = None
        values: tuple[Any, ...] = ()
        start = time.perf_counter_ns()
        try:
            values = run(memory, raw, args)
            errno = Errno.SUCCESS
        except (WasiError, OSError, MemoryFaultError) as error:
            errno = _errno(error)
        finally:
            if tracer is not None:
                tracer(function, CallOutcome(tuple(args), errno, values, time.perf_counter_ns() - start))
        return errno or 0

    return call if tracer is None else traced


def _errno(error: WasiError | OSError | MemoryFaultError) -> Errno:
    match error:
        case WasiError():
            return error.errno
        case OSError():
            return errno_of(error)
        case _:
            return Errno.FAULT
