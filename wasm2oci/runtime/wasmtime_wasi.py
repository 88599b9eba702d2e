"""WASI functions of ours for guests on wasmtime: our own WASI, or a trace around wasmtime's.

A trace must not change what a program does, so it calls wasmtime's functions. They find the caller's memory by asking
the calling instance for its export `memory`. Called from Python there is no such instance; so between the two is
a small module that imports the guest's memory, exports it again, and passes calls on. It is made at the first call.
"""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import _ffi

from wasm2oci.runtime.wasmtime_traps import PASSING
from wasm2oci.wasi.abi import Errno
from wasm2oci.wasi.binding import CallOutcome
from wasm2oci.wasi.functions import FUNCTIONS, MODULE, core_type
from wasm2oci.wasi.memory import MemoryFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wasm2oci.wasi.binding import Call, Tracer
    from wasm2oci.wasi.functions import WasiFunction

__all__ = ["offer_traced", "offer_wasi"]

_TYPES: Final = {"i32": wasmtime.ValType.i32, "i64": wasmtime.ValType.i64}


class _CallerMemory:
    """The memory of the instance that calls, for the length of one call."""

    __slots__ = ("_caller", "_memory")

    def __init__(self, caller: wasmtime.Caller) -> None:
        self._caller = caller
        memory = caller.get("memory")
        self._memory = memory if isinstance(memory, wasmtime.Memory | wasmtime.SharedMemory) else None

    def _at(self, address: int, size: int) -> int:
        """Where a range of it lies in this process."""
        memory = self._memory
        if memory is None:
            raise MemoryFaultError
        if isinstance(memory, wasmtime.SharedMemory):
            start, length = memory.data_ptr(), memory.data_len()
        else:
            start, length = memory.data_ptr(self._caller), memory.data_len(self._caller)
        if address + size > length:
            raise MemoryFaultError
        return ctypes.addressof(start.contents) + address

    def read(self, address: int, size: int) -> bytes:
        """See `wasi.GuestMemory`."""
        start = self._at(address, size)
        return ctypes.string_at(start, size) if size else b""

    def write(self, address: int, data: bytes) -> None:
        """See `wasi.GuestMemory`."""
        start = self._at(address, len(data))
        if data:
            ctypes.memmove(start, data, len(data))


class _SharedMemory(wasmtime.SharedMemory):
    """A shared memory that can be imported: wasmtime's binding (50) passes a pointer to the expected pointer."""

    def _as_extern(self) -> _ffi.wasmtime_extern_t:
        union = _ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return _ffi.wasmtime_extern_t(_ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


def offer_wasi(
    linker: wasmtime.Linker,
    calls: Mapping[str, Call],
    module: str = MODULE,
    functions: Iterable[WasiFunction] = FUNCTIONS,
) -> None:
    """Offer the functions of our WASI to what a linker links, under a module's name."""
    for function in functions:
        linker.define_func(module, function.name, _type(function), _host(calls[function.name]), access_caller=True)


def _type(function: WasiFunction) -> wasmtime.FuncType:
    params, results = core_type(function)
    return wasmtime.FuncType([_TYPES[name]() for name in params], [_TYPES[name]() for name in results])


def _host(call: Call) -> Callable[..., int | None]:
    return lambda caller, *raw: call(_CallerMemory(caller), *raw)


def offer_traced(linker: wasmtime.Linker, native: wasmtime.Linker, engine: wasmtime.Engine, tracer: Tracer) -> None:
    """Offer wasmtime's functions, with a tracer that is called after each call.

    Args:
        linker: links the guest.
        native: has wasmtime's functions.
        engine: of both.
        tracer: called after each call.
    """
    passing = _Passing(native, engine)
    for function in FUNCTIONS:
        call = _traced(function, passing, tracer)
        linker.define_func(MODULE, function.name, _type(function), call, access_caller=True)


def _traced(function: WasiFunction, passing: _Passing, tracer: Tracer) -> Callable[..., int | None]:
    def call(caller: wasmtime.Caller, *raw: int) -> int | None:
        memory = _CallerMemory(caller)
        arguments = function.arguments(memory, raw)
        errno: Errno | None = None
        values: tuple[Any, ...] = ()
        start = time.perf_counter_ns()
        try:
            returned = passing.function(caller, function.name)(caller, *raw)
            if returned is not None:
                errno = Errno(returned)
                values = function.written(memory, raw) if errno is Errno.SUCCESS else ()
        finally:
            tracer(function, CallOutcome(arguments, errno, values, time.perf_counter_ns() - start))
        return returned

    return call


class _Passing:
    """The instance that passes calls on to wasmtime's functions, with the guest's memory."""

    def __init__(self, native: wasmtime.Linker, engine: wasmtime.Engine) -> None:
        self._native = native
        self._engine = engine
        self._exports: wasmtime._instance.InstanceExports | None = None

    def function(self, caller: wasmtime.Caller, name: str) -> Callable[..., int | None]:
        """One of its functions."""
        if self._exports is None:
            memory = caller.get("memory")
            text = ""
            if isinstance(memory, wasmtime.Memory | wasmtime.SharedMemory):
                text = _memory_text(memory, caller)
                if isinstance(memory, wasmtime.SharedMemory):
                    memory = _SharedMemory._from_ptr(memory._consume())  # noqa: SLF001 - the binding's fault
                self._native.define(caller, "guest", "memory", memory)
            module = wasmtime.Module(self._engine, _passing_text(text))
            self._exports = self._native.instantiate(caller, module).exports(caller)
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)  # noqa: S101 - the text below exports nothing else
        return function


def _memory_text(memory: wasmtime.Memory | wasmtime.SharedMemory, caller: wasmtime.Caller) -> str:
    """An import that any memory like this one matches."""
    type_ = memory.type(caller) if isinstance(memory, wasmtime.Memory) else memory.type()
    address = "i64 " if type_.is_64 else ""
    limits = "0 65536 shared" if type_.is_shared else "0"
    return f'(memory (export "memory") (import "guest" "memory") {address}{limits})'


def _passing_text(memory: str) -> str:
    imports, functions = [], []
    for function in FUNCTIONS:
        params, results = core_type(function)
        signature = f"(param {' '.join(params)}) (result {' '.join(results)})"
        imports.append(f'(import "{MODULE}" "{function.name}" (func ${function.name} {signature}))')
        values = " ".join(f"(local.get {index})" for index in range(len(params)))
        functions.append(f'(func (export "{function.name}") {signature} (call ${function.name} {values}))')
    return "\n".join([f"(module ${PASSING}", *imports, memory, *functions, ")"])
