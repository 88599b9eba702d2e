"""WASI preview 1 host functions over a Memory protocol.

abi          the numbers and records of the specification
context      what a guest is given of the world; waiting, streams: how it waits and talks
paths        resolving a path below a directory without leaving it
descriptors  the descriptor table and rights
calls        what each function does
functions    THE TABLE: every function's parameters, results and worker; `bind` makes callables of it
trace        a line per call
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wasm2oci.wasi.context import Clock, Preopen, SystemClock, WasiContext
    from wasm2oci.wasi.endings import Interrupted, ProcExit
    from wasm2oci.wasi.functions import FUNCTIONS, MODULE, Function, bind, core_type
    from wasm2oci.wasi.memory import Memory, MemoryFaultError
    from wasm2oci.wasi.state import PreopenError, Wasi
    from wasm2oci.wasi.streams import BytesSource, FunctionSink, HostStream
    from wasm2oci.wasi.trace import LineTracer
    from wasm2oci.wasi.waiting import Interrupt, SystemWaiter

__all__ = [
    "FUNCTIONS",
    "MODULE",
    "BytesSource",
    "Clock",
    "Function",
    "FunctionSink",
    "HostStream",
    "Interrupt",
    "Interrupted",
    "LineTracer",
    "Memory",
    "MemoryFaultError",
    "Preopen",
    "PreopenError",
    "ProcExit",
    "SystemClock",
    "SystemWaiter",
    "Wasi",
    "WasiContext",
    "bind",
    "core_type",
]

_HOMES: Final = {
    "Clock": "context",
    "Preopen": "context",
    "SystemClock": "context",
    "WasiContext": "context",
    "Interrupted": "endings",
    "ProcExit": "endings",
    "FUNCTIONS": "functions",
    "MODULE": "functions",
    "Function": "functions",
    "bind": "functions",
    "core_type": "functions",
    "Memory": "memory",
    "MemoryFaultError": "memory",
    "PreopenError": "state",
    "Wasi": "state",
    "BytesSource": "streams",
    "FunctionSink": "streams",
    "HostStream": "streams",
    "LineTracer": "trace",
    "Interrupt": "waiting",
    "SystemWaiter": "waiting",
}


def __getattr__(name: str) -> Any:
    """What is imported from here, loaded with its module when it is first asked for: start-up is a feature."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
