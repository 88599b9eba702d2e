"""The tables of the fast path, made from the opcode table. `fast` reads them, and explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import ADDRESS, OPCODES, Immediate
from wasm2oci.engine.syntax.types import (
    EXN,
    EXNREF,
    EXTERN,
    EXTERNREF,
    F32,
    F64,
    FUNC,
    FUNCREF,
    I32,
    I64,
    REF,
    V128,
)

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.syntax.types import (
        FuncType,
    )

__all__ = [
    "ALIGNMENT",
    "BINARY",
    "BINARY_I32",
    "BLOCK",
    "BLOCK_FRAMES",
    "BR",
    "BR_IF",
    "BULK_MEMORY",
    "CATCH",
    "CATCH_ALL",
    "CATCH_ALL_OPCODE",
    "CATCH_OPCODE",
    "CLASSES",
    "DELEGATE_OPCODE",
    "EMPTY",
    "END",
    "EXCEPTIONS",
    "EXN_REFS",
    "I64_CONST",
    "IF",
    "IF_FRAMES",
    "KINDS",
    "LAST_OF_S32",
    "LAST_OF_S64",
    "LEGACY",
    "LEGACY_EXCEPTIONS",
    "LOAD",
    "LOOP_FRAMES",
    "MULTIVALUE",
    "NONE",
    "NONTRAPPING_FPTOINT",
    "NOT_SURE",
    "ONE_BYTE",
    "PARAM",
    "REFERENCE_TYPES",
    "RELAXED_SIMD",
    "RESULT",
    "RETHROW_OPCODE",
    "SATURATING",
    "SET",
    "SIGN_EXT",
    "SIGN_EXTEND",
    "SIMD",
    "STORE",
    "TRY",
    "TRY_OPCODE",
    "UNARY",
    "VALUE_FEATURES",
    "VALUE_TYPES",
    "VECTOR",
    "VECTORS",
    "V_LANE",
    "V_LANES",
    "V_MEMARG",
    "V_MEMARG_LANE",
    "V_NOT_SURE",
    "Frame",
    "signature",
]

NONE = -2  # in place of a local, global or type that is not there; never on the stack
ONE_BYTE = 0x80
NOT_SURE = -1
IF = 1  # the frame of an if without its else
TRY, CATCH, CATCH_ALL = -1, -2, -3  # frames of the legacy exceptions
KINDS = {0x04: IF, 0x06: TRY}
TRY_OPCODE, CATCH_OPCODE, RETHROW_OPCODE, DELEGATE_OPCODE, CATCH_ALL_OPCODE = LEGACY = (0x06, 0x07, 0x09, 0x18, 0x19)

Frame = tuple[list[int], list[int], int, list[int]]
"""An open block: what its label carries, what it leaves, whether it is an if, what it took."""

Signature = tuple[int, int, list[int], int, int, list[int]]
"""How many parameters, the last of them, all of them; the same of the results."""

# Classes of opcodes, in the order `settles` asks for them: what is common first.
(
    BR_IF,
    BINARY_I32,
    END,
    TEE,
    LOAD,
    SET,
    BLOCK,
    CALL,
    STORE,
    I64_CONST,
    BR,
    UNARY,
    BINARY,
    VECTOR,
    OTHER,
) = range(15)


def _classes() -> bytes:
    """The class of each one-byte opcode."""
    classes = bytearray([OTHER]) * 256
    named = {0x0D: BR_IF, 0x0B: END, 0x22: TEE, 0x21: SET, 0x02: BLOCK, 0x10: CALL, 0x42: I64_CONST, 0x0C: BR}
    named[0xFD] = VECTOR
    for code, class_ in named.items():
        classes[code] = class_
    for row in _plain(Immediate.MEMARG):
        classes[row.code] = LOAD if row.results else STORE
    for row in _plain():
        if row.params == (I32, I32) and row.results == (I32,):
            classes[row.code] = BINARY_I32
        elif row.params is not None and row.results is not None and len(row.results) == 1:
            if len(row.params) == 1:
                classes[row.code] = UNARY
            elif len(row.params) == 2 and row.params[0] == row.params[1]:
                classes[row.code] = BINARY
    return bytes(classes)


def _plain(*immediates: Immediate) -> list[Opcode]:
    """The rows of version 1 with a one-byte opcode, a signature of numbers, and just these immediates."""
    return [
        row
        for row in OPCODES.values()
        if row.code < 0x100 and row.immediates == immediates and row.params is not None and row.feature == Feature.MVP
    ]


def _column(pick: int) -> list[int]:
    """For each one-byte opcode one type of its signature: 0 the last parameter, 1 the result."""
    column = [NONE] * 256
    for row in OPCODES.values():
        types = row.results if pick else row.params
        if row.code < 0x100 and types:
            column[row.code] = types[-1]
    return column


def _alignments() -> list[int]:
    """For each one-byte opcode the largest alignment its access may state, as an exponent."""
    return [OPCODES[code].width.bit_length() - 1 if code in OPCODES else -1 for code in range(256)]


# How the immediates of a vector instruction are read.
V_NONE, V_MEMARG, V_LANE, V_MEMARG_LANE, V_BYTES, V_LANES, V_NOT_SURE = range(7)
_VECTOR_IMMEDIATES = {
    (): V_NONE,
    (Immediate.MEMARG,): V_MEMARG,
    (Immediate.LANE,): V_LANE,
    (Immediate.MEMARG, Immediate.LANE): V_MEMARG_LANE,
    (Immediate.V128,): V_BYTES,
    (Immediate.LANES16,): V_LANES,
}
Vector = tuple[int, int, int, int, list[int], list[int]]
"""Immediates, largest alignment, lanes, how many parameters and what (memories have 32-bit addresses here), results."""


def _vectors() -> list[Vector]:
    """The vector instructions by the number after their prefix."""
    table: list[Vector] = [(V_NOT_SURE, 0, 0, 0, [], [])] * 0x114
    for row in OPCODES.values():
        if row.code >> 16 == 0xFD and row.params is not None and row.results is not None:
            params = [I32 if type_ == ADDRESS else type_ for type_ in row.params]
            lanes = 0
            if Immediate.LANE in row.immediates:
                lanes = 16 // row.width if row.width else int(row.mnemonic.split(".")[0].split("x")[1])
            entry = (
                _VECTOR_IMMEDIATES[row.immediates],
                row.width.bit_length() - 1,
                lanes,
                len(params),
                params,
                list(row.results),
            )
            table[row.code & 0xFFFF] = entry
    return table


CLASSES = _classes()
PARAM = _column(0)
RESULT = _column(1)
ALIGNMENT = _alignments()
VECTORS = _vectors()
SIGN_EXTEND = {0xC0: I32, 0xC1: I32, 0xC2: I64, 0xC3: I64, 0xC4: I64}
SATURATING = [(row.params or (0,), row.results or (0,)) for row in map(OPCODES.__getitem__, range(0xFC0000, 0xFC0008))]
VALUE_TYPES = {type_: type_ for type_ in (I32, I64, F32, F64, V128)}
VALUE_TYPES |= {FUNC: FUNCREF, EXTERN: EXTERNREF, EXN: EXNREF}
# As plain ints: a flag joined with NOT_SURE would be no negative number any more.
SIGN_EXT = int(Feature.SIGN_EXT)
NONTRAPPING_FPTOINT = int(Feature.NONTRAPPING_FPTOINT)
MULTIVALUE = int(Feature.MULTIVALUE)
BULK_MEMORY = int(Feature.BULK_MEMORY)
REFERENCE_TYPES = int(Feature.REFERENCE_TYPES)
SIMD = int(Feature.SIMD)
RELAXED_SIMD = int(Feature.RELAXED_SIMD)
EXCEPTIONS = int(Feature.EXCEPTIONS)
LEGACY_EXCEPTIONS = int(Feature.LEGACY_EXCEPTIONS)
VALUE_FEATURES = {V128: SIMD, FUNC: REFERENCE_TYPES, EXTERN: REFERENCE_TYPES, EXN: EXCEPTIONS}
EXN_REFS = (EXNREF, EXN << 8 | REF)
EMPTY: list[int] = []
LAST_OF_S32 = frozenset({*range(0x08), *range(0x78, 0x80)})  # what the fifth byte of an i32 may be
LAST_OF_S64 = frozenset({0x00, 0x7F})  # what the tenth byte of an i64 may be


def _frames(kind: int, *, loop: bool = False) -> list[Frame | None]:
    """The frame a block opens by the byte its type is written with; None where that says nothing."""
    frames: list[Frame | None] = [None] * 256
    frames[0x40] = (EMPTY, EMPTY, kind, EMPTY)
    for byte in (I32, I64, F32, F64):
        results = [byte]
        frames[byte] = (EMPTY if loop else results, results, kind, EMPTY)
    return frames


BLOCK_FRAMES = _frames(0)
LOOP_FRAMES = _frames(0, loop=True)
IF_FRAMES = _frames(IF)


def signature(type_: FuncType) -> Signature:
    """A function type as the fast path wants it."""
    params, results = list(type_.params), list(type_.results)
    return (len(params), params[-1] if params else 0, params, len(results), results[-1] if results else 0, results)
