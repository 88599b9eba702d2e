"""Lane-wise integer instructions on v128, as functions of 128-bit ints.

A v128 is one unsigned int; lane 0 is its lowest bits. Python adds 128-bit ints about as fast as short ones, so most
instructions work on all lanes at once inside one int ("SIMD within a register"), with three constants for each shape:

    ones   the lowest bit of every lane          rest   all bits of every lane but the highest
    tops   the highest bit of every lane         lane   all bits of one lane

A sum of two values with their top bits cleared cannot carry into the next lane; the top bits are put in by xor. A
difference cannot borrow from the next lane if the top bits of the minuend are set. A comparison comes out as top bits,
and `spread` makes whole lanes of ones from them. Multiplication has no such form and goes lane by lane.

The table `SIMD_INTEGER` has an entry for each mnemonic.

Spec: core, Execution, Numerics, vector operations.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

__all__ = ["ALL", "SHAPES", "SIMD_INTEGER", "Lanes"]

VectorOp = Callable[..., int]

ALL: Final = (1 << 128) - 1


class Lanes:
    """The constants and the elementary operations of one integer shape.

    Args:
        bits: the width of a lane: 8, 16, 32 or 64.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.count = 128 // bits
        self.lane = lane = (1 << bits) - 1
        self.ones = ones = ALL // lane
        self.tops = tops = ones << (bits - 1)
        self.rest = rest = ALL ^ tops
        shift = bits - 1

        def add(a: int, b: int) -> int:
            return (a & rest) + (b & rest) ^ (a ^ b) & tops

        def sub(a: int, b: int) -> int:
            return (a | tops) - (b & rest) ^ (a ^ ~b) & tops

        def spread(top: int) -> int:
            return top - (top >> shift) | top

        def below(a: int, b: int) -> int:
            # The borrow out of every lane of a - b, as top bits.
            difference = (a | tops) - (b & rest) ^ (a ^ ~b) & tops
            return (~a & b | ~(a ^ b) & difference) & tops

        def differs(a: int, b: int) -> int:
            x = a ^ b
            return ((x & rest) + rest | x) & tops

        self.add, self.sub, self.spread, self.below, self.differs = add, sub, spread, below, differs
        code = {8: "B", 16: "H", 32: "I", 64: "Q"}[bits]
        unsigned = Struct(f"<{self.count}{code}")
        signed = Struct(f"<{self.count}{code.lower()}")

        def split(x: int) -> tuple[int, ...]:
            return unsigned.unpack(x.to_bytes(16, "little"))

        def split_signed(x: int) -> tuple[int, ...]:
            return signed.unpack(x.to_bytes(16, "little"))

        def join(*lanes: int) -> int:
            return int.from_bytes(unsigned.pack(*lanes), "little")

        self.split, self.split_signed, self.join = split, split_signed, join


SHAPES: Final = {bits: Lanes(bits) for bits in (8, 16, 32, 64)}


def _arithmetic(shape: Lanes) -> dict[str, VectorOp]:
    lane, ones, tops, rest, bits = shape.lane, shape.ones, shape.tops, shape.rest, shape.bits
    add, sub, spread, below, split, join = (
        shape.add,
        shape.sub,
        shape.spread,
        shape.below,
        shape.split,
        shape.join,
    )
    shift = bits - 1

    def neg(a: int) -> int:
        return sub(0, a)

    def absolute(a: int) -> int:
        negative = a & tops
        return add(a ^ spread(negative), negative >> shift)

    def mul(a: int, b: int) -> int:
        return join(*[x * y & lane for x, y in zip(split(a), split(b), strict=True)])

    def add_sat_u(a: int, b: int) -> int:
        total = add(a, b)
        # A lane overflowed if its sum is below an operand.
        return total | spread(below(total, a))

    def sub_sat_u(a: int, b: int) -> int:
        return sub(a, b) & ~spread(below(a, b))

    def add_sat_s(a: int, b: int) -> int:
        total = add(a, b)
        over = spread(~(a ^ b) & (a ^ total) & tops)
        return total ^ (total ^ rest + ((a & tops) >> shift)) & over

    def sub_sat_s(a: int, b: int) -> int:
        total = sub(a, b)
        over = spread((a ^ b) & (a ^ total) & tops)
        return total ^ (total ^ rest + ((a & tops) >> shift)) & over

    def min_u(a: int, b: int) -> int:
        return b ^ (a ^ b) & spread(below(a, b))

    def max_u(a: int, b: int) -> int:
        return a ^ (a ^ b) & spread(below(a, b))

    def min_s(a: int, b: int) -> int:
        return b ^ (a ^ b) & spread(below(a ^ tops, b ^ tops))

    def max_s(a: int, b: int) -> int:
        return a ^ (a ^ b) & spread(below(a ^ tops, b ^ tops))

    def avgr_u(a: int, b: int) -> int:
        return (a | b) - ((a ^ b) >> 1 & rest)

    def shl(a: int, count: int) -> int:
        count &= shift
        return a << count & ones * (lane << count & lane)

    def shr_u(a: int, count: int) -> int:
        count &= shift
        return a >> count & ones * (lane >> count)

    def shr_s(a: int, count: int) -> int:
        count &= shift
        kept = lane >> count
        return a >> count & ones * kept | spread(a & tops) & ones * (lane ^ kept)

    return {
        "add": add,
        "sub": sub,
        "neg": neg,
        "abs": absolute,
        "mul": mul,
        "add_sat_u": add_sat_u,
        "sub_sat_u": sub_sat_u,
        "add_sat_s": add_sat_s,
        "sub_sat_s": sub_sat_s,
        "min_u": min_u,
        "max_u": max_u,
        "min_s": min_s,
        "max_s": max_s,
        "avgr_u": avgr_u,
        "shl": shl,
        "shr_u": shr_u,
        "shr_s": shr_s,
    }


def _comparisons(shape: Lanes) -> dict[str, VectorOp]:
    tops, spread, below, differs = shape.tops, shape.spread, shape.below, shape.differs

    def eq(a: int, b: int) -> int:
        return spread(differs(a, b) ^ tops)

    def ne(a: int, b: int) -> int:
        return spread(differs(a, b))

    def lt_u(a: int, b: int) -> int:
        return spread(below(a, b))

    def gt_u(a: int, b: int) -> int:
        return spread(below(b, a))

    def le_u(a: int, b: int) -> int:
        return spread(below(b, a) ^ tops)

    def ge_u(a: int, b: int) -> int:
        return spread(below(a, b) ^ tops)

    def lt_s(a: int, b: int) -> int:
        return spread(below(a ^ tops, b ^ tops))

    def gt_s(a: int, b: int) -> int:
        return spread(below(b ^ tops, a ^ tops))

    def le_s(a: int, b: int) -> int:
        return spread(below(b ^ tops, a ^ tops) ^ tops)

    def ge_s(a: int, b: int) -> int:
        return spread(below(a ^ tops, b ^ tops) ^ tops)

    def all_true(a: int) -> int:
        return 1 if differs(a, 0) == tops else 0

    return {
        "eq": eq,
        "ne": ne,
        "lt_u": lt_u,
        "gt_u": gt_u,
        "le_u": le_u,
        "ge_u": ge_u,
        "lt_s": lt_s,
        "gt_s": gt_s,
        "le_s": le_s,
        "ge_s": ge_s,
        "all_true": all_true,
    }


# --- whole vectors -----------------------------------------------------------------------------
def _v128_not(a: int) -> int:
    return a ^ ALL


def _v128_and(a: int, b: int) -> int:
    return a & b


def _v128_andnot(a: int, b: int) -> int:
    return a & ~b


def _v128_or(a: int, b: int) -> int:
    return a | b


def _v128_xor(a: int, b: int) -> int:
    return a ^ b


def _v128_bitselect(a: int, b: int, mask: int) -> int:
    return b ^ (a ^ b) & mask


def _v128_any_true(a: int) -> int:
    return 1 if a else 0


# --- single shapes -----------------------------------------------------------------------------
_BITS_1: Final = SHAPES[8].ones * 0x55
_BITS_2: Final = SHAPES[8].ones * 0x33
_BITS_4: Final = SHAPES[8].ones * 0x0F
_LOW_HALF: Final = (1 << 64) - 1


def _i8x16_popcnt(a: int) -> int:
    a -= a >> 1 & _BITS_1
    a = (a & _BITS_2) + (a >> 2 & _BITS_2)
    return a + (a >> 4) & _BITS_4


def _i8x16_bitmask(a: int) -> int:
    # In each half, one product brings the bits at 8 * i to 56 + i; no two terms of it meet below or there.
    a = (a & SHAPES[8].tops) >> 7
    low = (a & _LOW_HALF) * 0x0102040810204080 >> 56 & 0xFF
    return (a >> 64) * 0x0102040810204080 >> 48 & 0xFF00 | low


def _i16x8_bitmask(a: int) -> int:
    a = (a & SHAPES[16].tops) >> 15
    return a * 0x200040008001000200040008001 >> 105 & 0xFF


def _i32x4_bitmask(a: int) -> int:
    return a >> 31 & 1 | a >> 62 & 2 | a >> 93 & 4 | a >> 124 & 8


def _i64x2_bitmask(a: int) -> int:
    return a >> 63 & 1 | a >> 126 & 2


def _i64x2_mul(a: int, b: int) -> int:
    return a * b & _LOW_HALF | ((a >> 64) * (b >> 64) & _LOW_HALF) << 64


def _i16x8_q15mulr_sat_s(a: int, b: int) -> int:
    shape = SHAPES[16]
    products = [x * y + 0x4000 >> 15 for x, y in zip(shape.split_signed(a), shape.split_signed(b), strict=True)]
    return shape.join(*[0x7FFF if p > 0x7FFF else p & 0xFFFF for p in products])


def _i32x4_dot_i16x8_s(a: int, b: int) -> int:
    x, y = SHAPES[16].split_signed(a), SHAPES[16].split_signed(b)
    return SHAPES[32].join(*[x[i] * y[i] + x[i + 1] * y[i + 1] & 0xFFFFFFFF for i in (0, 2, 4, 6)])


def _i16x8_relaxed_dot_i8x16_i7x16_s(a: int, b: int) -> int:
    x, y = SHAPES[8].split_signed(a), SHAPES[8].split_signed(b)
    return SHAPES[16].join(*[x[i] * y[i] + x[i + 1] * y[i + 1] & 0xFFFF for i in range(0, 16, 2)])


def _i32x4_relaxed_dot_i8x16_i7x16_add_s(a: int, b: int, c: int) -> int:
    pairs = SHAPES[16].split_signed(_i16x8_relaxed_dot_i8x16_i7x16_s(a, b))
    return SHAPES[32].join(
        *[pairs[2 * i] + pairs[2 * i + 1] + z & 0xFFFFFFFF for i, z in enumerate(SHAPES[32].split(c))]
    )


_COMPARE_SIGNED = ("eq", "ne", "lt_s", "gt_s", "le_s", "ge_s", "all_true")
_COMPARE = (*_COMPARE_SIGNED, "lt_u", "gt_u", "le_u", "ge_u")
_PLAIN = ("abs", "neg", "add", "sub", "shl", "shr_s", "shr_u")
_MIN_MAX = ("min_s", "min_u", "max_s", "max_u")
_SATURATING = ("add_sat_s", "add_sat_u", "sub_sat_s", "sub_sat_u", "avgr_u")

# What each shape has of the operations all of them could have. Spec: core, Syntax, vector instructions.
_OFFERED: Final = {
    8: (*_COMPARE, *_PLAIN, *_MIN_MAX, *_SATURATING),
    16: (*_COMPARE, *_PLAIN, *_MIN_MAX, *_SATURATING, "mul"),
    32: (*_COMPARE, *_PLAIN, *_MIN_MAX, "mul"),
    64: (*_COMPARE_SIGNED, *_PLAIN),
}

SIMD_INTEGER: Final[dict[str, VectorOp]] = {
    "v128.not": _v128_not,
    "v128.and": _v128_and,
    "v128.andnot": _v128_andnot,
    "v128.or": _v128_or,
    "v128.xor": _v128_xor,
    "v128.bitselect": _v128_bitselect,
    "v128.any_true": _v128_any_true,
    "i8x16.popcnt": _i8x16_popcnt,
    "i8x16.bitmask": _i8x16_bitmask,
    "i16x8.bitmask": _i16x8_bitmask,
    "i32x4.bitmask": _i32x4_bitmask,
    "i64x2.bitmask": _i64x2_bitmask,
    "i64x2.mul": _i64x2_mul,
    "i16x8.q15mulr_sat_s": _i16x8_q15mulr_sat_s,
    "i32x4.dot_i16x8_s": _i32x4_dot_i16x8_s,
    # The relaxed instructions may give any of several results; these are the ones of the deterministic profile.
    "i8x16.relaxed_laneselect": _v128_bitselect,
    "i16x8.relaxed_laneselect": _v128_bitselect,
    "i32x4.relaxed_laneselect": _v128_bitselect,
    "i64x2.relaxed_laneselect": _v128_bitselect,
    "i16x8.relaxed_q15mulr_s": _i16x8_q15mulr_sat_s,
    "i16x8.relaxed_dot_i8x16_i7x16_s": _i16x8_relaxed_dot_i8x16_i7x16_s,
    "i32x4.relaxed_dot_i8x16_i7x16_add_s": _i32x4_relaxed_dot_i8x16_i7x16_add_s,
    **{
        f"i{bits}x{shape.count}.{name}": {**_arithmetic(shape), **_comparisons(shape)}[name]
        for bits, shape in SHAPES.items()
        for name in _OFFERED[bits]
    },
}
"""Mnemonic -> function, for the instructions on integer lanes and whole vectors."""
