"""Which bits of a value are ever looked at, so that constants need not have others.

A compiler for 32-bit machines widens constants at no cost: a 16-bit checksum is exclusive-ored with 0xffffa001 before
its low half is used. In Python that makes a number of two digits, which every later operation pays for. Stretches of
straight code are gone through backwards; where control meets, every bit counts.
"""

from typing import Final

from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.translate.instructions import Body
from wasm2oci.engine.translate.value import M32, M64, SMALL

__all__ = ["BITWISE", "narrow_constants"]

ALL: Final = -1
_END, _RETURN, _DROP, _SELECT, _SELECT_T = 0x0B, 0x0F, 0x1A, 0x1B, 0x1C
_GET, _SET, _TEE = 0x20, 0x21, 0x22
_CONSTANTS: Final = frozenset((0x41, 0x42))
_AND: Final = frozenset((0x71, 0x83))
BITWISE: Final = frozenset((0x71, 0x72, 0x73, 0x83, 0x84, 0x85))
_SUMS: Final = frozenset((0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E))
_SHL: Final = {0x74: M32, 0x86: M64}
_SHR_U: Final = {0x76: M32, 0x88: M64}
_STORES: Final = {0x36: M32, 0x37: M64, 0x3A: 0xFF, 0x3B: 0xFFFF, 0x3C: 0xFF, 0x3D: 0xFFFF, 0x3E: M32}


def narrow_constants(body: Body) -> None:
    """Takes bits nobody looks at from operands of `and`, `or` and `xor` of more than one digit."""
    code = body.code
    if not any(op in _CONSTANTS and item > SMALL and code[i][0] in BITWISE for i, (op, item, _) in enumerate(code, 1)):
        return
    stack: list[int] = []  # what is demanded of operands, those pushed last on top
    locals_: dict[int, int] = {}
    others = 0  # what is demanded of any other local: nothing at the end of the function
    for index in range(len(code) - 1, -1, -1):
        op, item, offset = code[index]
        if op == _GET:
            locals_[item] = locals_.get(item, others) | (stack.pop() if stack else ALL)
        elif op == _SET:
            stack.append(locals_.get(item, others))
            locals_[item] = 0
        elif op == _TEE:
            demanded = locals_.get(item, others) | (stack.pop() if stack else ALL)
            stack.append(demanded)
            locals_[item] = 0
        elif op in _CONSTANTS:
            demanded = stack.pop() if stack else ALL
            if item > SMALL and demanded != ALL and item & demanded <= SMALL and code[index + 1][0] in BITWISE:
                code[index] = (op, item & demanded, offset)
        elif op in BITWISE or op in _SUMS or op in _SHL or op in _SHR_U:
            demanded = stack.pop() if stack else ALL
            before, k, _ = code[index - 1]
            left = right = demanded
            if op in _SUMS:
                left = right = demanded if demanded < 0 else (1 << demanded.bit_length()) - 1
            elif op in _AND:
                if before in _CONSTANTS:
                    left = demanded & k
            elif op in _SHL or op in _SHR_U:
                m = _SHL.get(op) or _SHR_U[op]
                left = right = ALL
                if before in _CONSTANTS and demanded >= 0:
                    shift = k & (m.bit_length() - 1)
                    left = demanded >> shift if op in _SHL else demanded << shift & m
            stack.append(left)
            stack.append(right)
        elif op in {_SELECT, _SELECT_T}:
            demanded = stack.pop() if stack else ALL
            stack += (demanded, demanded, ALL)
        elif op == _DROP:
            stack.append(0)
        elif op in _STORES:
            stack += (ALL, _STORES[op])
        elif op == _RETURN or (op == _END and item.kind == "function"):
            stack.clear()
            locals_.clear()
            others = 0
        else:
            row = OPCODES[op]
            if row.params is None or row.results is None:
                stack.clear()
                if not (0x10 <= op <= 0x14 or 0x23 <= op <= 0x26):  # calls, globals and tables leave locals alone
                    locals_.clear()
                    others = ALL
                continue
            del stack[len(stack) - min(len(stack), len(row.results)) :]
            stack += [ALL] * len(row.params)
