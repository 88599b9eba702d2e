"""How a guest on wasmtime was stopped, in the specification's words and with a backtrace.

wasmtime says so in two ways. A core module's own trap is a `Trap` with a code and frames. A trap of a component, and
one raised by a function of the host, is an error whose text has the backtrace and, innermost, the cause.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

import wasmtime

from wasm2oci.runtime.request import StackFrame, TrapReport

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OUT_OF_MEMORY", "PASSING", "GuestTrappedError", "calling", "cause", "instantiating"]

OUT_OF_MEMORY: Final = "out of memory"
"""What wasmtime says, among other words, when the guest's heap, tables or memories are refused more."""
PASSING: Final = "wasm2oci-trace"
"""The name of the module that passes traced calls on; it is no part of the guest's backtrace."""

_TRAPS: Final = {
    wasmtime.TrapCode.STACK_OVERFLOW: "call stack exhausted",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "out of bounds memory access",
    wasmtime.TrapCode.HEAP_MISALIGNED: "unaligned atomic",
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: "out of bounds table access",
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: "uninitialized element",
    wasmtime.TrapCode.BAD_SIGNATURE: "indirect call type mismatch",
    wasmtime.TrapCode.INTEGER_OVERFLOW: "integer overflow",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "integer divide by zero",
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: "invalid conversion to integer",
    wasmtime.TrapCode.UNREACHABLE: "unreachable",
    wasmtime.TrapCode.INTERRUPT: "interrupted",
    wasmtime.TrapCode.OUT_OF_FUEL: "out of fuel",
    wasmtime.TrapCode.NULL_REFERENCE: "null reference",
    wasmtime.TrapCode.ARRAY_OUT_OF_BOUNDS: "out of bounds array access",
    wasmtime.TrapCode.CAST_FAILURE: "cast failure",
    wasmtime.TrapCode.UNCAUGHT_EXCEPTION: "uncaught exception",
    wasmtime.TrapCode.ATOMIC_WAIT_NON_SHARED_MEMORY: "expected shared memory",
    wasmtime.TrapCode.ALLOCATION_TOO_LARGE: "out of memory",
}
_TEXTS: Final = {
    "wasm `unreachable` instruction executed": "unreachable",
    "all fuel consumed by WebAssembly": "out of fuel",
    "undefined element: out of bounds table access": "out of bounds table access",
    "thrown Wasm exception": "uncaught exception",
}
_MISSING: Final = ("unknown import: `", "` has not been defined")
_NO_OFFSET: Final = 1 << 32
_BACKTRACE: Final = "error while executing at wasm backtrace:"
_TRAP: Final = "wasm trap: "
_FRAME: Final = re.compile(r" *[0-9]{1,6}: +(?:(0x[0-9a-f]{1,16}) - )?(.*)")
_UNNAMED: Final = re.compile(r"<wasm function ([0-9]{1,9})>")


class GuestTrappedError(Exception):
    """The guest trapped.

    Args:
        report: why and where.
    """

    def __init__(self, report: TrapReport) -> None:
        super().__init__(report.reason)
        self.report = report


@contextlib.contextmanager
def calling() -> Iterator[None]:
    """Around a call of the guest: whatever wasmtime raises but an exit is a trap.

    Raises:
        GuestTrappedError: it trapped, or a result it gave cannot be.
    """
    try:
        yield
    except wasmtime.ExitTrap:
        raise
    except wasmtime.Trap as trap:
        raise GuestTrappedError(_from_trap(trap)) from trap
    except wasmtime.WasmtimeError as error:
        raise GuestTrappedError(_from_error(error)) from error


@contextlib.contextmanager
def instantiating() -> Iterator[None]:
    """Around an instantiation: its start function may trap, as may its segments; other errors pass.

    Raises:
        GuestTrappedError: it trapped.
    """
    try:
        yield
    except wasmtime.ExitTrap:
        raise
    except wasmtime.Trap as trap:
        raise GuestTrappedError(_from_trap(trap)) from trap
    except wasmtime.WasmtimeError as error:
        text = str(error)
        if not text.startswith(_BACKTRACE) and _TRAP not in text:
            raise
        raise GuestTrappedError(_from_error(error)) from error


def _from_trap(trap: wasmtime.Trap) -> TrapReport:
    code = trap.trap_code
    reason = _TRAPS.get(code, code.name.lower().replace("_", " ")) if code else cause(trap)
    frames = [
        StackFrame(frame.func_index, frame.func_name, offset if (offset := frame.module_offset) < _NO_OFFSET else None)
        for frame in trap.frames
    ]
    return TrapReport(_TEXTS.get(reason, reason), tuple(frames))


def _from_error(error: wasmtime.WasmtimeError) -> TrapReport:
    reason = cause(error).removeprefix(_TRAP)
    frames = []
    for line in str(error).splitlines()[1:]:
        match = _FRAME.fullmatch(line)
        if match is None:
            break
        module, _, name = match[2].rpartition("!")
        if module == PASSING:
            continue
        unnamed = _UNNAMED.fullmatch(name)
        offset = int(match[1], 16) if match[1] else None
        frames.append(StackFrame(int(unnamed[1]) if unnamed else -1, None if unnamed else name, offset))
    if reason.startswith(_MISSING[0]) and reason.endswith(_MISSING[1]):
        module, _, name = reason.removeprefix(_MISSING[0]).removesuffix(_MISSING[1]).rpartition("::")
        reason = f"unreachable: the guest called {module}.{name}, which is not provided"
    return TrapReport(_TEXTS.get(reason, reason), tuple(frames))


def cause(error: Exception) -> str:
    """The innermost cause of an error of wasmtime, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Caused by:" not in lines:
        return lines[0] if lines else "wasmtime failed"
    number, colon, text = lines[-1].partition(": ")
    innermost = text if colon and number.isdigit() else lines[-1]
    return innermost if lines[0].startswith("error while executing") else f"{lines[0]}: {innermost}"
