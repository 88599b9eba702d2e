"""Lane-wise floating-point instructions on v128, and conversions between lanes of numbers.

Lanes are split off, worked on by the scalar instructions (so that there is one definition of each), and joined again.
What only moves bits or chooses between operands stays inside the 128-bit int and keeps every NaN as it is.

The table `SIMD_FLOAT` has an entry for each mnemonic.

Spec: core, Execution, Numerics, vector operations.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from struct import Struct
from typing import Final

from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.simd_integer import SHAPES

__all__ = ["SIMD_FLOAT", "join_f32", "join_f64", "split_f32", "split_f64"]

VectorOp = Callable[..., int]

_F32X4: Final = Struct("<4f")
_F64X2: Final = Struct("<2d")


def split_f32(x: int) -> tuple[float, ...]:
    """The four f32 lanes as floats; a signalling NaN comes out quiet."""
    return _F32X4.unpack(x.to_bytes(16, "little"))


def split_f64(x: int) -> tuple[float, ...]:
    """The two f64 lanes."""
    return _F64X2.unpack(x.to_bytes(16, "little"))


def join_f32(lanes: list[float]) -> int:
    """Four floats, each rounded to the nearest f32 (`array` converts as C does, where `struct` refuses overflow)."""
    return int.from_bytes(array("f", lanes).tobytes(), "little")


def join_f64(lanes: list[float]) -> int:
    """Two floats."""
    return int.from_bytes(_F64X2.pack(*lanes), "little")


def _bitwise(bits: int) -> dict[str, VectorOp]:
    tops, rest = SHAPES[bits].tops, SHAPES[bits].rest

    def absolute(a: int) -> int:
        return a & rest

    def neg(a: int) -> int:
        return a ^ tops

    return {"abs": absolute, "neg": neg}


def _lanewise(
    prefix: str, split: Callable[[int], tuple[float, ...]], join: Callable[[list[float]], int]
) -> dict[str, VectorOp]:
    def unary(scalar: Callable[[float], float]) -> VectorOp:
        def apply(a: int) -> int:
            return join([scalar(x) for x in split(a)])

        return apply

    def binary(scalar: Callable[[float, float], float]) -> VectorOp:
        def apply(a: int, b: int) -> int:
            return join([scalar(x, y) for x, y in zip(split(a), split(b), strict=True)])

        return apply

    def add(a: int, b: int) -> int:
        return join([x + y for x, y in zip(split(a), split(b), strict=True)])

    def sub(a: int, b: int) -> int:
        return join([x - y for x, y in zip(split(a), split(b), strict=True)])

    def mul(a: int, b: int) -> int:
        return join([x * y for x, y in zip(split(a), split(b), strict=True)])

    def multiply_add(a: int, b: int, c: int) -> int:
        return add(mul(a, b), c)

    def negative_multiply_add(a: int, b: int, c: int) -> int:
        return sub(c, mul(a, b))

    # Joining rounds, so the f64 instruction serves both widths.
    minimum, maximum = binary(numeric.f64_min), binary(numeric.f64_max)
    table: dict[str, VectorOp] = {
        "add": add,
        "sub": sub,
        "mul": mul,
        "div": binary(numeric.f64_div),
        "min": minimum,
        "max": maximum,
        "sqrt": unary(numeric.f64_sqrt),
        "ceil": unary(numeric.f64_ceil),
        "floor": unary(numeric.f64_floor),
        "trunc": unary(numeric.f64_trunc),
        "nearest": unary(numeric.f64_nearest),
        "relaxed_min": minimum,
        "relaxed_max": maximum,
        "relaxed_madd": multiply_add,
        "relaxed_nmadd": negative_multiply_add,
    }
    return {f"{prefix}.{name}": value for name, value in table.items()}


def _comparisons(prefix: str, split: Callable[[int], tuple[float, ...]], bits: int) -> dict[str, VectorOp]:

    lane = (1 << bits) - 1

    def mask(truths: list[bool]) -> int:
        result = 0
        for true in reversed(truths):
            result = result << bits | (lane if true else 0)
        return result

    def eq(a: int, b: int) -> int:
        return mask([x == y for x, y in zip(split(a), split(b), strict=True)])

    def ne(a: int, b: int) -> int:
        return mask([x != y for x, y in zip(split(a), split(b), strict=True)])

    def lt(a: int, b: int) -> int:
        return mask([x < y for x, y in zip(split(a), split(b), strict=True)])

    def gt(a: int, b: int) -> int:
        return mask([x > y for x, y in zip(split(a), split(b), strict=True)])

    def le(a: int, b: int) -> int:
        return mask([x <= y for x, y in zip(split(a), split(b), strict=True)])

    def ge(a: int, b: int) -> int:
        return mask([x >= y for x, y in zip(split(a), split(b), strict=True)])

    def pmin(a: int, b: int) -> int:
        return a ^ (a ^ b) & lt(b, a)

    def pmax(a: int, b: int) -> int:
        return a ^ (a ^ b) & lt(a, b)

    table: dict[str, VectorOp] = {
        "eq": eq,
        "ne": ne,
        "lt": lt,
        "gt": gt,
        "le": le,
        "ge": ge,
        "pmin": pmin,
        "pmax": pmax,
    }
    return {f"{prefix}.{name}": value for name, value in table.items()}


# --- conversions -------------------------------------------------------------------------------
def _f32x4_convert_i32x4_s(a: int) -> int:
    return join_f32([float(x) for x in SHAPES[32].split_signed(a)])


def _f32x4_convert_i32x4_u(a: int) -> int:
    return join_f32([float(x) for x in SHAPES[32].split(a)])


def _f64x2_convert_low_i32x4_s(a: int) -> int:
    return join_f64([float(x) for x in SHAPES[32].split_signed(a)[:2]])


def _f64x2_convert_low_i32x4_u(a: int) -> int:
    return join_f64([float(x) for x in SHAPES[32].split(a)[:2]])


def _f32x4_demote_f64x2_zero(a: int) -> int:
    return join_f32([*split_f64(a), 0.0, 0.0])


def _f64x2_promote_low_f32x4(a: int) -> int:
    return join_f64([*split_f32(a)[:2]])


def _i32x4_trunc_sat_f32x4_s(a: int) -> int:
    return SHAPES[32].join(*[numeric.i32_trunc_sat_f64_s(x) for x in split_f32(a)])


def _i32x4_trunc_sat_f32x4_u(a: int) -> int:
    return SHAPES[32].join(*[numeric.i32_trunc_sat_f64_u(x) for x in split_f32(a)])


def _i32x4_trunc_sat_f64x2_s_zero(a: int) -> int:
    return SHAPES[32].join(*[numeric.i32_trunc_sat_f64_s(x) for x in split_f64(a)], 0, 0)


def _i32x4_trunc_sat_f64x2_u_zero(a: int) -> int:
    return SHAPES[32].join(*[numeric.i32_trunc_sat_f64_u(x) for x in split_f64(a)], 0, 0)


SIMD_FLOAT: Final[dict[str, VectorOp]] = {
    **{f"f32x4.{name}": value for name, value in _bitwise(32).items()},
    **{f"f64x2.{name}": value for name, value in _bitwise(64).items()},
    **_lanewise("f32x4", split_f32, join_f32),
    **_lanewise("f64x2", split_f64, join_f64),
    **_comparisons("f32x4", split_f32, 32),
    **_comparisons("f64x2", split_f64, 64),
    "f32x4.convert_i32x4_s": _f32x4_convert_i32x4_s,
    "f32x4.convert_i32x4_u": _f32x4_convert_i32x4_u,
    "f64x2.convert_low_i32x4_s": _f64x2_convert_low_i32x4_s,
    "f64x2.convert_low_i32x4_u": _f64x2_convert_low_i32x4_u,
    "f32x4.demote_f64x2_zero": _f32x4_demote_f64x2_zero,
    "f64x2.promote_low_f32x4": _f64x2_promote_low_f32x4,
    "i32x4.trunc_sat_f32x4_s": _i32x4_trunc_sat_f32x4_s,
    "i32x4.trunc_sat_f32x4_u": _i32x4_trunc_sat_f32x4_u,
    "i32x4.trunc_sat_f64x2_s_zero": _i32x4_trunc_sat_f64x2_s_zero,
    "i32x4.trunc_sat_f64x2_u_zero": _i32x4_trunc_sat_f64x2_u_zero,
    "i32x4.relaxed_trunc_f32x4_s": _i32x4_trunc_sat_f32x4_s,
    "i32x4.relaxed_trunc_f32x4_u": _i32x4_trunc_sat_f32x4_u,
    "i32x4.relaxed_trunc_f64x2_s_zero": _i32x4_trunc_sat_f64x2_s_zero,
    "i32x4.relaxed_trunc_f64x2_u_zero": _i32x4_trunc_sat_f64x2_u_zero,
}
"""Mnemonic -> function, for the instructions on floating-point lanes and the conversions."""
