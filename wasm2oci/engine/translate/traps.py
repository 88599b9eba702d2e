"""From a Python exception that left generated code back to the trap it means, and to where in the module it was.

Generated functions have no handlers for traps: an index out of range or a division by zero simply leaves them, at no
cost to the code that does not trap. Only exceptions raised by a generated frame itself are the guest's; one that comes
out of a host function stays what it is.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from wasm2oci.engine.runtime.trap import Frame, Trap, TrapKind
from wasm2oci.engine.translate.loader import FILE_PREFIX, Loader
from wasm2oci.engine.translate.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from wasm2oci.engine.runtime.trap import WasmException
    from wasm2oci.engine.translate.places import Place

__all__ = ["explain"]

MAX_FRAMES: Final = 200
"""Frames of a trap that are kept, innermost first."""

_found: Final[WeakKeyDictionary[Loader, dict[Place, int]]] = WeakKeyDictionary()
"""What was found out for earlier traps, as long as the instance lives."""

_ATTRIBUTES: Final = {
    "items": TrapKind.NULL_ARRAY,
    "call": TrapKind.NULL_FUNCTION,
    "above": TrapKind.CAST,
}


_WRITES: Final = frozenset(("STORE_SUBSCR", "STORE_ATTR"))
_READS: Final = frozenset(("BINARY_SUBSCR", "BINARY_OP", "LOAD_ATTR"))  # since 3.14 a subscript is an operation


def explain(error: Exception) -> Trap | None:
    """The trap an exception means.

    Returns:
        `error` itself, with its frames filled in, where it is a trap; a new one where generated code raised it; None
        where it is the host's own.
    """
    tracebacks = list(_tracebacks(error.__traceback__))
    if not tracebacks:
        return error if isinstance(error, Trap) else None
    inner = tracebacks[-1]
    trap: Trap | None
    if isinstance(error, Trap):
        trap = error
    elif isinstance(error, RecursionError):
        # Wherever the last frame was: the guest's frames are what filled the stack.
        trap = Trap(TrapKind.CALL_STACK) if any(map(_generated, tracebacks)) else None
    elif _generated(inner):
        kind = _kind(error, inner)
        trap = None if kind is None else Trap(kind)
    else:
        trap = None
    if trap is not None and not trap.frames:
        trap.frames = tuple(_frames(tracebacks, trap.kind))
    return trap


def thrown(error: WasmException) -> tuple[Frame, ...]:
    """The guest's functions that an exception passed through since it was last thrown, innermost first."""
    seen: set[int] = set()
    tracebacks = []
    for traceback in _tracebacks(error.__traceback__):
        if id(traceback.tb_frame) in seen:
            break  # where it had been caught before it was thrown again
        seen.add(id(traceback.tb_frame))
        tracebacks.append(traceback)
    return tuple(_frames(tracebacks, None))


def _tracebacks(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _generated(traceback: TracebackType) -> bool:
    return traceback.tb_frame.f_code.co_filename.startswith(FILE_PREFIX)


def _kind(error: Exception, traceback: TracebackType) -> TrapKind | None:
    if isinstance(error, ZeroDivisionError):
        return TrapKind.DIVIDE_BY_ZERO
    if isinstance(error, (struct.error, OverflowError)):
        return TrapKind.MEMORY
    if isinstance(error, IndexError):
        return _subscript(traceback)
    if isinstance(error, AttributeError):
        return _ATTRIBUTES.get(error.name or "", TrapKind.NULL_STRUCTURE)
    if isinstance(error, MemoryError):
        return TrapKind.OUT_OF_MEMORY
    return None


def _subscript(traceback: TracebackType) -> TrapKind:
    """What was indexed: the container is loaded where the failing subscript begins in its line."""
    code = traceback.tb_frame.f_code
    if not any(name == "items" or name.startswith("t") for name in code.co_names):
        return TrapKind.MEMORY

    import dis  # noqa: PLC0415 - slow to import, rarely needed

    instructions = list(dis.get_instructions(code))
    failing = next((i for i in instructions if i.offset == traceback.tb_lasti), None)
    if failing is None or failing.positions is None:
        return TrapKind.MEMORY
    start = (failing.positions.lineno, failing.positions.col_offset)
    for instruction in instructions:
        where = instruction.positions
        if where is None or (where.lineno, where.col_offset) != start or instruction.offset >= failing.offset:
            continue
        if instruction.opname == "LOAD_ATTR" and instruction.argval == "items":
            return TrapKind.ARRAY
        if instruction.opname == "LOAD_GLOBAL" and str(instruction.argval).startswith("t"):
            return TrapKind.UNDEFINED_ELEMENT
    return TrapKind.MEMORY


def _writes(traceback: TracebackType) -> bool | None:
    """Whether a write failed, or a read; None where that cannot be known."""
    from opcode import opname  # noqa: PLC0415 - rarely needed

    name = opname[traceback.tb_frame.f_code.co_code[traceback.tb_lasti]] if _generated(traceback) else ""
    return True if name in _WRITES else False if name in _READS else None


def _frames(tracebacks: list[TracebackType], kind: TrapKind | None) -> Iterator[Frame]:
    kept = 0
    places: dict[Loader, Places] = {}
    for traceback in reversed(tracebacks):
        if kept == MAX_FRAMES:
            return
        if not _generated(traceback):
            continue
        origin: Any = traceback.tb_frame.f_globals.get("ORIGIN")
        if not isinstance(origin, Loader):
            continue
        index = int(traceback.tb_frame.f_code.co_name[1:])
        offsets = origin.lines(index)
        line = traceback.tb_lineno
        offset = offsets[line - 1] if offsets and 0 < line <= len(offsets) else None
        if offset is not None:
            if origin not in places:
                places[origin] = Places(origin.instance.module, _found.setdefault(origin, {}))
            found = places[origin]
            if kept:
                offset = found.caller(index, offset)
            else:
                offset = found.trapped(index, offset, kind, writes=_writes(tracebacks[-1]))
        yield Frame(index, origin.function_name(index), offset)
        kept += 1
