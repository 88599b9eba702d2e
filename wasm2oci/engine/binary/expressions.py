"""Constant expressions: what initialises globals, tables and segments. Spec: core, expressions (3.4.13, 5.4.10).

They are few and short, so they are decoded to tuples here and typed in `validate`. An instruction that exists and is
not constant makes the module invalid; one that does not exist makes it malformed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.binary.types import TypeReader
from wasm2oci.engine.errors import InvalidModuleError, MalformedError
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.limits import MAX_ARRAY_NEW_FIXED
from wasm2oci.engine.syntax.module import ConstExpr

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import ConstOp

__all__ = ["const_expr"]

_Immediates = Callable[[Reader, TypeReader], tuple[int, ...]]


def _bits(count: int) -> _Immediates:
    return lambda reader, _: (int.from_bytes(reader.take(count), "little"),)


def _none(_reader: Reader, _types: TypeReader) -> tuple[int, ...]:
    return ()


def _index(reader: Reader, _types: TypeReader) -> tuple[int, ...]:
    return (reader.u32(),)


def _fixed(reader: Reader, _types: TypeReader) -> tuple[int, ...]:
    type_, offset = reader.u32(), reader.pos
    count = reader.u32()
    if count > MAX_ARRAY_NEW_FIXED:
        raise InvalidModuleError(f"array too long: this engine's limit is {MAX_ARRAY_NEW_FIXED}", offset)
    return (type_, count)


# Code -> its immediates, and the feature it needs in a constant expression.
_CONSTANT: dict[int, tuple[_Immediates, Feature]] = {
    0x23: (_index, Feature.MVP),  # global.get
    0x41: (lambda reader, _: (reader.s32() & 0xFFFFFFFF,), Feature.MVP),  # i32.const
    0x42: (lambda reader, _: (reader.s64() & 0xFFFFFFFFFFFFFFFF,), Feature.MVP),  # i64.const
    0x43: (_bits(4), Feature.MVP),  # f32.const
    0x44: (_bits(8), Feature.MVP),  # f64.const
    0xD0: (lambda reader, types: (types.heap(reader),), Feature.REFERENCE_TYPES),  # ref.null
    0xD2: (_index, Feature.REFERENCE_TYPES),  # ref.func
    **dict.fromkeys((0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E), (_none, Feature.EXTENDED_CONST)),  # add, sub, mul
    **dict.fromkeys((0xFB0000, 0xFB0001, 0xFB0006, 0xFB0007), (_index, Feature.GC)),  # struct.new, array.new
    0xFB0008: (_fixed, Feature.GC),  # array.new_fixed
    **dict.fromkeys((0xFB001A, 0xFB001B, 0xFB001C), (_none, Feature.GC)),  # any.convert_extern, ..., ref.i31
    0xFD000C: (_bits(16), Feature.SIMD),  # v128.const
}


def const_expr(reader: Reader, types: TypeReader) -> ConstExpr:
    """Reads a constant expression and its final `end`."""
    start = reader.pos
    data, end = reader.data, reader.end
    if end - start > 6 and data[start] == 0x41:  # where a segment goes: an i32.const alone, within six bytes
        pos, value, shift = start + 1, 0, 0
        while (byte := data[pos]) >= 0x80 and shift < 21:
            value |= (byte & 0x7F) << shift
            shift += 7
            pos += 1
        if byte < 0x80 and data[pos + 1] == 0x0B:
            value |= byte << shift
            if byte & 0x40:
                value -= 0x80 << shift
            reader.pos = pos + 2
            return ConstExpr(((0x41, value & 0xFFFFFFFF),), start, pos + 2, ())
    ops: list[ConstOp] = []
    offsets: list[int] = []
    while True:
        offset = reader.pos
        code = reader.byte()
        if code == 0x0B:
            return ConstExpr(tuple(ops), start, reader.pos, tuple(offsets) if len(offsets) > 1 else ())
        if code in {0xFB, 0xFC, 0xFD, 0xFE}:
            code = code << 16 | min(reader.u32(), 0xFFFF)  # no instruction has that number
        row = _CONSTANT.get(code)
        if row is None:
            raise _not_constant(code, offset)
        immediates, feature = row
        if feature:
            types.features.setdefault(feature, offset)
        ops.append((code, *immediates(reader, types)))
        offsets.append(offset)


def _not_constant(code: int, offset: int) -> MalformedError | InvalidModuleError:
    from wasm2oci.engine.syntax.opcodes import OPCODES  # noqa: PLC0415 - 575 rows only a faulty module needs

    if code in OPCODES:
        return InvalidModuleError(f"constant expression required: {OPCODES[code].mnemonic} is not constant", offset)
    return MalformedError(f"illegal opcode {code:#04x}", offset)
