"""Which instruction a trap came from.

A line of generated code is a statement of several instructions, and its offset is that of the one that ended
it. The instruction that trapped is that one or the nearest before it, in the same statement, that can trap in this way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.runtime.trap import TrapKind
from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate, Opcode
from wasm2oci.engine.translate.codes import BLOCK, CONTROL, END
from wasm2oci.engine.translate.instructions import decode_body

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import Module

__all__ = ["Place", "Places"]

_Test = Callable[[Opcode], bool]


def _named(*starts: str) -> _Test:
    return lambda row: row.mnemonic.startswith(starts)


def _holding(*parts: str) -> _Test:
    return lambda row: any(part in row.mnemonic for part in parts)


def _memory(row: Opcode) -> bool:
    return Immediate.MEMARG in row.immediates or row.mnemonic in {
        "memory.copy",
        "memory.fill",
        "memory.init",
        "array.new_data",
        "array.init_data",
    }


_THROWS: Final = _named("throw")
_CALLS: Final = _holding("call")
_INDIRECT: Final = _holding("call_indirect")
_CAN: Final[dict[TrapKind, _Test]] = {
    TrapKind.UNREACHABLE: _named("unreachable"),
    TrapKind.MEMORY: _memory,
    TrapKind.UNALIGNED: _holding("atomic."),
    TrapKind.UNSHARED: _named("memory.atomic.wait"),
    TrapKind.TABLE: _holding("table.", "array.new_elem", "array.init_elem"),
    TrapKind.ARRAY: _named("array."),
    TrapKind.DIVIDE_BY_ZERO: _holding(".div_", ".rem_"),
    TrapKind.INTEGER_OVERFLOW: _holding(".div_s", ".trunc_f"),
    TrapKind.INVALID_CONVERSION: _holding(".trunc_f"),
    TrapKind.UNDEFINED_ELEMENT: _INDIRECT,
    TrapKind.UNINITIALIZED_ELEMENT: _INDIRECT,
    TrapKind.INDIRECT_CALL: _INDIRECT,
    TrapKind.NULL_REFERENCE: _named("ref.as_non_null"),
    TrapKind.NULL_FUNCTION: _holding("call_ref"),
    TrapKind.NULL_STRUCTURE: _named("struct."),
    TrapKind.NULL_ARRAY: _named("array."),
    TrapKind.NULL_I31: _named("i31."),
    TrapKind.NULL_EXCEPTION: _named("throw_ref"),
    TrapKind.CAST: _named("ref.cast"),
    TrapKind.CALL_STACK: _CALLS,
    TrapKind.CANONICAL_ABI: _CALLS,
    TrapKind.OUT_OF_MEMORY: _named("array.new"),
}
_TOLD: Final = frozenset((TrapKind.MEMORY, TrapKind.NULL_STRUCTURE))
_stores: Final = _holding(".store", "struct.set")
_ENDS_A_STATEMENT: Final = CONTROL - {BLOCK, END}


Place = tuple[int, int, TrapKind | str | None, bool | None]
"""A function, a statement's offset in it, and what happened there: a trap, an exception (None), or a call."""


class Places:
    """The instructions of the functions a trap went through, each decoded once.

    Args:
        module: the functions' module.
        known: what was found before, and what will be.
    """

    def __init__(self, module: Module, known: dict[Place, int]) -> None:
        self._module = module
        self._bodies: dict[int, list[tuple[int, Any, int]]] = {}
        self._known = known

    def caller(self, index: int, offset: int) -> int:
        """The offset of the call in a function that called the one the trap was in, or one on the way to it.

        Args:
            index: of the function.
            offset: of the statement.
        """
        place = (index, offset, "call", None)
        known = self._known.get(place)  # a recursive function is in the backtrace thousands of times
        if known is None:
            found = self._find(index, offset, _CALLS)
            known = self._known[place] = offset if found is None else found
        return known

    def trapped(self, index: int, offset: int, kind: TrapKind | None, *, writes: bool | None = None) -> int:
        """The offset of the instruction that trapped.

        Args:
            index: of the function.
            offset: of the statement.
            kind: of the trap; None for an exception.
            writes: whether it was an instruction that stores or one that loads, where that is known.
        """
        can = _THROWS if kind is None else _CAN.get(kind)
        if can is None:
            return offset
        place = (index, offset, kind, writes)
        known = self._known.get(place)
        if known is None:
            told = writes is not None and kind in _TOLD
            found = self._find(index, offset, lambda row: can(row) and (not told or _stores(row) == writes))
            known = self.caller(index, offset) if found is None else found  # a host function's, then
            self._known[place] = known
        return known

    def _find(self, index: int, offset: int, can: _Test) -> int | None:
        code = self._bodies.get(index)
        if code is None:
            code = self._bodies[index] = decode_body(self._module, index).code
        start = bisect_right(code, offset, key=itemgetter(2)) - 1
        if start < 0 or code[start][2] != offset:
            return None
        for place in range(start, -1, -1):
            op, item, at = code[place]
            row = OPCODES.get(op)
            if row is not None and can(row):
                return at
            if place < start and (op in _ENDS_A_STATEMENT or (op == END and item.kind in {"loop", "if"})):
                break
        return None
