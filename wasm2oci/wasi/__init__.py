"""WASI preview 1 host functions over a Memory protocol.

abi          the numbers and records of the specification
context      what a guest is given of the world; waiting, streams: how it waits and talks
paths        resolving a path below a directory without leaving it
descriptors  the kinds of descriptors and their rights; descriptor_table: their numbers
calls        what each function does
functions    THE TABLE: every function's parameters, results and worker; kinds: of parameters and results
preview0     the rows that preview 0 (`wasi_unstable`) has otherwise
binding      callables from the table
trace        a line per call
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.lazy import lazily

if TYPE_CHECKING:
    from wasm2oci.wasi.binding import bind
    from wasm2oci.wasi.context import Clock, Preopen, SystemClock, WasiContext
    from wasm2oci.wasi.endings import Interrupted, ProcExit
    from wasm2oci.wasi.functions import FUNCTIONS, MODULE, PREVIEW0_MODULE, WasiFunction, core_type, functions_of
    from wasm2oci.wasi.memory import GuestMemory, MemoryFaultError
    from wasm2oci.wasi.state import PreopenError, Wasi
    from wasm2oci.wasi.streams import BytesSource, FunctionSink, HostStream
    from wasm2oci.wasi.trace import LineTracer
    from wasm2oci.wasi.waiting import Interrupt, SystemWaiter

__all__ = [
    "FUNCTIONS",
    "MODULE",
    "PREVIEW0_MODULE",
    "BytesSource",
    "Clock",
    "FunctionSink",
    "GuestMemory",
    "HostStream",
    "Interrupt",
    "Interrupted",
    "LineTracer",
    "MemoryFaultError",
    "Preopen",
    "PreopenError",
    "ProcExit",
    "SystemClock",
    "SystemWaiter",
    "Wasi",
    "WasiContext",
    "WasiFunction",
    "bind",
    "core_type",
    "functions_of",
]

if not TYPE_CHECKING:  # a type checker would take any name for one of the package
    __getattr__ = lazily(
        __name__,
        {
            "binding": ("bind",),
            "context": ("Clock", "Preopen", "SystemClock", "WasiContext"),
            "endings": ("Interrupted", "ProcExit"),
            "functions": ("FUNCTIONS", "MODULE", "PREVIEW0_MODULE", "WasiFunction", "core_type", "functions_of"),
            "memory": ("GuestMemory", "MemoryFaultError"),
            "state": ("PreopenError", "Wasi"),
            "streams": ("BytesSource", "FunctionSink", "HostStream"),
            "trace": ("LineTracer",),
            "waiting": ("Interrupt", "SystemWaiter"),
        },
    )
