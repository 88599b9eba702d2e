"""Which bits of a value are ever used, so that constants need no others.

A compiler for 32-bit machines widens constants at no cost: a 16-bit checksum is exclusive-ored with 0xffffa001 before
its low half is used. In Python that makes a number of two digits, which every later operation pays for. Stretches of
straight code are gone through backwards; where control meets, every bit counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.translate.codes import (
    BITWISE,
    DROP,
    END,
    INTEGER_CONSTANTS,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_TEE,
    RETURN,
    code,
    codes,
)
from wasm2oci.engine.translate.value import M32, M64, SMALL

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body

__all__ = ["narrow_constants"]

ALL: Final = -1
_AND: Final = codes(".and")
_SELECTS: Final = codes("select", "select_t")
_SUMS: Final = codes(".add", ".sub", ".mul")
_SHL: Final = {code("i32.shl"): M32, code("i64.shl"): M64}
_SHR_U: Final = {code("i32.shr_u"): M32, code("i64.shr_u"): M64}
_STORES: Final = {
    code("i32.store"): M32,
    code("i64.store"): M64,
    code("i32.store8"): 0xFF,
    code("i32.store16"): 0xFFFF,
    code("i64.store8"): 0xFF,
    code("i64.store16"): 0xFFFF,
    code("i64.store32"): M32,
}
_KEEPS_LOCALS: Final = codes(
    *("call", "call_indirect", "return_call", "return_call_indirect", "call_ref"),
    *("global.get", "global.set", "table.get", "table.set"),
)
"""Instructions not typed by a table that leave locals alone."""


def narrow_constants(body: Body) -> None:
    """Takes bits that nothing reads from operands of `and`, `or` and `xor` of more than one digit."""
    instructions = body.code
    if not any(
        op in INTEGER_CONSTANTS and item > SMALL and instructions[i][0] in BITWISE
        for i, (op, item, _) in enumerate(instructions, 1)
    ):
        return
    stack: list[int] = []  # what is demanded of operands, those pushed last on top
    locals_: dict[int, int] = {}
    others = 0  # what is demanded of any other local: nothing at the end of the function
    for index in range(len(instructions) - 1, -1, -1):
        op, item, offset = instructions[index]
        if op == LOCAL_GET:
            locals_[item] = locals_.get(item, others) | (stack.pop() if stack else ALL)
        elif op == LOCAL_SET:
            stack.append(locals_.get(item, others))
            locals_[item] = 0
        elif op == LOCAL_TEE:
            demanded = locals_.get(item, others) | (stack.pop() if stack else ALL)
            stack.append(demanded)
            locals_[item] = 0
        elif op in INTEGER_CONSTANTS:
            demanded = stack.pop() if stack else ALL
            if item > SMALL and demanded != ALL and item & demanded <= SMALL and instructions[index + 1][0] in BITWISE:
                instructions[index] = (op, item & demanded, offset)
        elif op in BITWISE or op in _SUMS or op in _SHL or op in _SHR_U:
            demanded = stack.pop() if stack else ALL
            before, k, _ = instructions[index - 1]
            left = right = demanded
            if op in _SUMS:
                left = right = demanded if demanded < 0 else (1 << demanded.bit_length()) - 1
            elif op in _AND:
                if before in INTEGER_CONSTANTS:
                    left = demanded & k
            elif op in _SHL or op in _SHR_U:
                m = _SHL.get(op) or _SHR_U[op]
                left = right = ALL
                if before in INTEGER_CONSTANTS and demanded >= 0:
                    shift = k & (m.bit_length() - 1)
                    left = demanded >> shift if op in _SHL else demanded << shift & m
            stack.append(left)
            stack.append(right)
        elif op in _SELECTS:
            demanded = stack.pop() if stack else ALL
            stack += (demanded, demanded, ALL)
        elif op == DROP:
            stack.append(0)
        elif op in _STORES:
            stack += (ALL, _STORES[op])
        elif op == RETURN or (op == END and item.kind == "function"):
            stack.clear()
            locals_.clear()
            others = 0
        else:
            row = OPCODES[op]
            if row.params is None or row.results is None:
                stack.clear()
                if op not in _KEEPS_LOCALS:
                    locals_.clear()
                    others = ALL
                continue
            del stack[len(stack) - min(len(stack), len(row.results)) :]
            stack += [ALL] * len(row.params)
