"""Every scalar numeric instruction as a function of run-time values.

Representation: an i32 or i64 is an unsigned Python int below 2**32 or 2**64; an f64 is a float; an f32 is the float of
equal value, and an f32 NaN is the float NaN whose payload begins with the f32's 23 bits (its other 29 are zero).
A signalling NaN is kept as such by everything that moves or reinterprets bits, and made quiet by arithmetic.

Generated code has the frequent ones inlined and calls the others here; constant folding and tests use all of them.

Spec: core, Execution, Numerics.
"""

from __future__ import annotations

import math
from ctypes import c_float
from struct import Struct
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.runtime.trap import Trap, TrapKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NUMERIC", "f32_bits", "f32_from_bits", "f64_bits", "f64_from_bits", "round_to_f32", "signed32", "signed64"]

M32: Final = 0xFFFFFFFF
M64: Final = 0xFFFFFFFFFFFFFFFF
S32: Final = 0x80000000
S64: Final = 0x8000000000000000

_pack_f32 = Struct("<f").pack
_unpack_f32 = Struct("<f").unpack
_pack_f64 = Struct("<d").pack
_unpack_f64 = Struct("<d").unpack
_pack_u32 = Struct("<I").pack
_unpack_u32 = Struct("<I").unpack
_pack_u64 = Struct("<Q").pack
_unpack_u64 = Struct("<Q").unpack


# --- bits and floats ---------------------------------------------------------------------------
def signed32(x: int) -> int:
    """The signed reading of an i32."""
    return (x ^ S32) - S32


def signed64(x: int) -> int:
    """The signed reading of an i64."""
    return (x ^ S64) - S64


def f64_bits(x: float) -> int:
    """The 64 bits of an f64."""
    return _unpack_u64(_pack_f64(x))[0]  # type: ignore[no-any-return] # struct's tuples are untyped


def f64_from_bits(bits: int) -> float:
    """The f64 with these 64 bits, signalling NaNs included."""
    return _unpack_f64(_pack_u64(bits))[0]  # type: ignore[no-any-return] # struct's tuples are untyped


def f32_bits(x: float) -> int:
    """The 32 bits of an f32, given as the float that represents it."""
    if x != x:  # noqa: PLR0124 -- a NaN: converting would make it quiet
        bits = f64_bits(x)
        return (bits >> 32) & S32 | 0x7F800000 | (bits >> 29) & 0x7FFFFF
    return _unpack_u32(_pack_f32(x))[0]  # type: ignore[no-any-return] # struct's tuples are untyped


def f32_from_bits(bits: int) -> float:
    """The float that represents the f32 with these 32 bits."""
    if bits & 0x7FFFFFFF > 0x7F800000:
        return f64_from_bits((bits & S32) << 32 | 0x7FF0000000000000 | (bits & 0x7FFFFF) << 29)
    return _unpack_f32(_pack_u32(bits))[0]  # type: ignore[no-any-return] # struct's tuples are untyped


def round_to_f32(x: float) -> float:
    """The f32 nearest to a float, ties to even, overflow to infinity; for a NaN, its payload's first 23 bits.

    ctypes converts as C does and keeps nothing between calls, so threads cannot meet here; `struct` refuses overflow.
    """
    return c_float(x).value


# --- i32 ---------------------------------------------------------------------------------------
def i32_clz(x: int) -> int:
    return 32 - x.bit_length()


def i32_ctz(x: int) -> int:
    return (x & -x).bit_length() - 1 if x else 32


def i32_popcnt(x: int) -> int:
    return x.bit_count()


def i32_add(a: int, b: int) -> int:
    return (a + b) & M32


def i32_sub(a: int, b: int) -> int:
    return (a - b) & M32


def i32_mul(a: int, b: int) -> int:
    return (a * b) & M32


def i32_div_s(a: int, b: int) -> int:
    if b == 0:
        raise Trap(TrapKind.DIVIDE_BY_ZERO)
    if a == S32 and b == M32:
        raise Trap(TrapKind.INTEGER_OVERFLOW)
    x = (a ^ S32) - S32
    y = (b ^ S32) - S32
    return (abs(x) // abs(y) if (x < 0) == (y < 0) else -(abs(x) // abs(y))) & M32


def i32_div_u(a: int, b: int) -> int:
    if b == 0:
        raise Trap(TrapKind.DIVIDE_BY_ZERO)
    return a // b


def i32_rem_s(a: int, b: int) -> int:
    if b == 0:
        raise Trap(TrapKind.DIVIDE_BY_ZERO)
    x = (a ^ S32) - S32
    y = abs((b ^ S32) - S32)
    return x % y if x >= 0 else -(-x % y) & M32


def i32_rem_u(a: int, b: int) -> int:
    if b == 0:
        raise Trap(TrapKind.DIVIDE_BY_ZERO)
    return a % b


def i32_and(a: int, b: int) -> int:
    return a & b


def i32_or(a: int, b: int) -> int:
    return a | b


def i32_xor(a: int, b: int) -> int:
    return a ^ b


def i32_shl(a: int, b: int) -> int:
    return a << (b & 31) & M32


def i32_shr_s(a: int, b: int) -> int:
    return (a ^ S32) - S32 >> (b & 31) & M32


def i32_shr_u(a: int, b: int) -> int:
    return a >> (b & 31)


def i32_rotl(a: int, b: int) -> int:
    b &= 31
    return (a << b | a >> 32 - b) & M32


def i32_rotr(a: int, b: int) -> int:
    b &= 31
    return (a >> b | a << 32 - b) & M32


def i32_eqz(a: int) -> int:
    return 0 if a else 1


def i32_eq(a: int, b: int) -> int:
    return 1 if a == b else 0


def i32_ne(a: int, b: int) -> int:
    return 1 if a != b else 0


def i32_lt_s(a: int, b: int) -> int:
    return 1 if a ^ S32 < b ^ S32 else 0


def i32_lt_u(a: int, b: int) -> int:
    return 1 if a < b else 0


def i32_gt_s(a: int, b: int) -> int:
    return 1 if a ^ S32 > b ^ S32 else 0


def i32_gt_u(a: int, b: int) -> int:
    return 1 if a > b else 0


def i32_le_s(a: int, b: int) -> int:
    return 1 if a ^ S32 <= b ^ S32 else 0


def i32_le_u(a: int, b: int) -> int:
    return 1 if a <= b else 0


def i32_ge_s(a: int, b: int) -> int:
    return 1 if a ^ S32 >= b ^ S32 else 0


def i32_ge_u(a: int, b: int) -> int:
    return 1 if a >= b else 0


def i32_extend8_s(a: int) -> int:
    return ((a & 0xFF) ^ 0x80) - 0x80 & M32


def i32_extend16_s(a: int) -> int:
    return ((a & 0xFFFF) ^ 0x8000) - 0x8000 & M32


# --- i64 ---------------------------------------------------------------------------------------
def i64_clz(x: int) -> int:
    return 64 - x.bit_length()


def i64_ctz(x: int) -> int:
    return (x & -x).bit_length() - 1 if x else 64


def i64_add(a: int, b: int) -> int:
    return (a + b) & M64


def i64_sub(a: int, b: int) -> int:
    return (a - b) & M64


def i64_mul(a: int, b: int) -> int:
    return (a * b) & M64


def i64_div_s(a: int, b: int) -> int:
    if b == 0:
        raise Trap(TrapKind.DIVIDE_BY_ZERO)
    if a == S64 and b == M64:
        raise Trap(TrapKind.INTEGER_OVERFLOW)
    x = (a ^ S64) - S64
    y = (b ^ S64) - S64
    return (abs(x) // abs(y) if (x < 0) == (y < 0) else -(abs(x) // abs(y))) & M64


def i64_rem_s(a: int, b: int) -> int:
    if b == 0:
        raise Trap(TrapKind.DIVIDE_BY_ZERO)
    x = (a ^ S64) - S64
    y = abs((b ^ S64) - S64)
    return x % y if x >= 0 else -(-x % y) & M64


def i64_shl(a: int, b: int) -> int:
    return a << (b & 63) & M64


def i64_shr_s(a: int, b: int) -> int:
    return (a ^ S64) - S64 >> (b & 63) & M64


def i64_shr_u(a: int, b: int) -> int:
    return a >> (b & 63)


def i64_rotl(a: int, b: int) -> int:
    b &= 63
    return (a << b | a >> 64 - b) & M64


def i64_rotr(a: int, b: int) -> int:
    b &= 63
    return (a >> b | a << 64 - b) & M64


def i64_lt_s(a: int, b: int) -> int:
    return 1 if a ^ S64 < b ^ S64 else 0


def i64_gt_s(a: int, b: int) -> int:
    return 1 if a ^ S64 > b ^ S64 else 0


def i64_le_s(a: int, b: int) -> int:
    return 1 if a ^ S64 <= b ^ S64 else 0


def i64_ge_s(a: int, b: int) -> int:
    return 1 if a ^ S64 >= b ^ S64 else 0


def i64_extend8_s(a: int) -> int:
    return ((a & 0xFF) ^ 0x80) - 0x80 & M64


def i64_extend16_s(a: int) -> int:
    return ((a & 0xFFFF) ^ 0x8000) - 0x8000 & M64


def i64_extend32_s(a: int) -> int:
    return ((a & M32) ^ S32) - S32 & M64


# What looks at whole values only is the same for both widths.
i64_popcnt = i32_popcnt
i64_div_u = i32_div_u
i64_rem_u = i32_rem_u
i64_and = i32_and
i64_or = i32_or
i64_xor = i32_xor
i64_eqz = i32_eqz
i64_eq = i32_eq
i64_ne = i32_ne
i64_lt_u = i32_lt_u
i64_gt_u = i32_gt_u
i64_le_u = i32_le_u
i64_ge_u = i32_ge_u


# --- f64 ---------------------------------------------------------------------------------------
def f64_add(a: float, b: float) -> float:
    return a + b


def f64_sub(a: float, b: float) -> float:
    return a - b


def f64_mul(a: float, b: float) -> float:
    return a * b


def f64_div(a: float, b: float) -> float:
    if b:
        return a / b
    # Python refuses to divide by zero: NaN for 0/0 and NaN/0, else an infinity with the product of the signs.
    return a * math.copysign(math.inf, b)


def f64_min(a: float, b: float) -> float:
    if a < b:
        return a
    if b < a:
        return b
    if a == b:
        return a if math.copysign(1.0, a) < 0 else b
    return a + b  # at least one NaN


def f64_max(a: float, b: float) -> float:
    if a > b:
        return a
    if b > a:
        return b
    if a == b:
        return b if math.copysign(1.0, a) < 0 else a
    return a + b  # at least one NaN


def f64_copysign(a: float, b: float) -> float:
    return math.copysign(a, b)


def f64_abs(x: float) -> float:
    return math.fabs(x)


def f64_neg(x: float) -> float:
    return -x


def f64_sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else math.nan if x < 0.0 else x + x


def f64_ceil(x: float) -> float:
    # From 2**52 on every value is an integer; what is left over are NaNs, made quiet by the addition.
    if -4503599627370496.0 < x < 4503599627370496.0:
        return math.copysign(float(math.ceil(x)), x)
    return x + 0.0


def f64_floor(x: float) -> float:
    if -4503599627370496.0 < x < 4503599627370496.0:
        return math.copysign(float(math.floor(x)), x)
    return x + 0.0


def f64_trunc(x: float) -> float:
    if -4503599627370496.0 < x < 4503599627370496.0:
        return math.copysign(float(int(x)), x)
    return x + 0.0


def f64_nearest(x: float) -> float:
    if -4503599627370496.0 < x < 4503599627370496.0:
        return math.copysign(float(round(x)), x)
    return x + 0.0


def f64_eq(a: float, b: float) -> int:
    return 1 if a == b else 0


def f64_ne(a: float, b: float) -> int:
    return 1 if a != b else 0


def f64_lt(a: float, b: float) -> int:
    return 1 if a < b else 0


def f64_gt(a: float, b: float) -> int:
    return 1 if a > b else 0


def f64_le(a: float, b: float) -> int:
    return 1 if a <= b else 0


def f64_ge(a: float, b: float) -> int:
    return 1 if a >= b else 0


# --- f32: the f64 operation, rounded once more. For + - * / and sqrt that is exact, since 53 >= 2 * 24 + 2 -------
def f32_add(a: float, b: float) -> float:
    return c_float(a + b).value


def f32_sub(a: float, b: float) -> float:
    return c_float(a - b).value


def f32_mul(a: float, b: float) -> float:
    return c_float(a * b).value


def f32_div(a: float, b: float) -> float:
    return c_float(f64_div(a, b)).value


def f32_sqrt(x: float) -> float:
    return c_float(f64_sqrt(x)).value


# These give back one of their operands or an integer an f32 can hold, so nothing is left to round.
f32_min = f64_min
f32_max = f64_max
f32_copysign = f64_copysign
f32_abs = f64_abs
f32_neg = f64_neg
f32_ceil = f64_ceil
f32_floor = f64_floor
f32_trunc = f64_trunc
f32_nearest = f64_nearest
f32_eq = f64_eq
f32_ne = f64_ne
f32_lt = f64_lt
f32_gt = f64_gt
f32_le = f64_le
f32_ge = f64_ge


# --- conversions -------------------------------------------------------------------------------
def i32_wrap_i64(x: int) -> int:
    return x & M32


def i64_extend_i32_s(x: int) -> int:
    return (x ^ S32) - S32 & M64


def i64_extend_i32_u(x: int) -> int:
    return x


def i32_trunc_f64_s(x: float) -> int:
    if -2147483649.0 < x < 2147483648.0:
        return int(x) & M32
    raise Trap(TrapKind.INTEGER_OVERFLOW if x == x else TrapKind.INVALID_CONVERSION)  # noqa: PLR0124 -- tells a NaN


def i32_trunc_f64_u(x: float) -> int:
    if -1.0 < x < 4294967296.0:
        return int(x)
    raise Trap(TrapKind.INTEGER_OVERFLOW if x == x else TrapKind.INVALID_CONVERSION)  # noqa: PLR0124 -- tells a NaN


def i64_trunc_f64_s(x: float) -> int:
    if -9223372036854775808.0 <= x < 9223372036854775808.0:
        return int(x) & M64
    raise Trap(TrapKind.INTEGER_OVERFLOW if x == x else TrapKind.INVALID_CONVERSION)  # noqa: PLR0124 -- tells a NaN


def i64_trunc_f64_u(x: float) -> int:
    if -1.0 < x < 18446744073709551616.0:
        return int(x)
    raise Trap(TrapKind.INTEGER_OVERFLOW if x == x else TrapKind.INVALID_CONVERSION)  # noqa: PLR0124 -- tells a NaN


def i32_trunc_sat_f64_s(x: float) -> int:
    if -2147483649.0 < x < 2147483648.0:
        return int(x) & M32
    return 0x7FFFFFFF if x > 0 else S32 if x < 0 else 0


def i32_trunc_sat_f64_u(x: float) -> int:
    if -1.0 < x < 4294967296.0:
        return int(x)
    return M32 if x > 0 else 0


def i64_trunc_sat_f64_s(x: float) -> int:
    if -9223372036854775808.0 <= x < 9223372036854775808.0:
        return int(x) & M64
    return 0x7FFFFFFFFFFFFFFF if x > 0 else S64 if x < 0 else 0


def i64_trunc_sat_f64_u(x: float) -> int:
    if -1.0 < x < 18446744073709551616.0:
        return int(x)
    return M64 if x > 0 else 0


i32_trunc_f32_s = i32_trunc_f64_s
i32_trunc_f32_u = i32_trunc_f64_u
i64_trunc_f32_s = i64_trunc_f64_s
i64_trunc_f32_u = i64_trunc_f64_u
i32_trunc_sat_f32_s = i32_trunc_sat_f64_s
i32_trunc_sat_f32_u = i32_trunc_sat_f64_u
i64_trunc_sat_f32_s = i64_trunc_sat_f64_s
i64_trunc_sat_f32_u = i64_trunc_sat_f64_u


def f64_convert_i32_s(x: int) -> float:
    return float((x ^ S32) - S32)


def f64_convert_i32_u(x: int) -> float:
    return float(x)


def f64_convert_i64_s(x: int) -> float:
    return float((x ^ S64) - S64)


f64_convert_i64_u = f64_convert_i32_u


def f32_convert_i32_s(x: int) -> float:
    return c_float((x ^ S32) - S32).value


def f32_convert_i32_u(x: int) -> float:
    return c_float(x).value


def f32_convert_i64_s(x: int) -> float:
    x = (x ^ S64) - S64
    return f32_convert_i64_u(x) if x >= 0 else -f32_convert_i64_u(-x)


def f32_convert_i64_u(x: int) -> float:
    # Rounding to 53 bits and then to 24 could round twice. Its low 11 bits folded into one sticky bit, any number
    # of 64 bits is exact as a double, and still lies on the same side of every f32 tie.
    if x >> 53:
        x = x & ~0x7FF | (0x800 if x & 0x7FF else 0)
    return c_float(x).value


def f32_demote_f64(x: float) -> float:
    return c_float(x).value


def f64_promote_f32(x: float) -> float:
    return x if x == x else x + x  # noqa: PLR0124 -- a NaN becomes quiet


i32_reinterpret_f32 = f32_bits
i64_reinterpret_f64 = f64_bits
f32_reinterpret_i32 = f32_from_bits
f64_reinterpret_i64 = f64_from_bits


NUMERIC: Final[dict[str, Callable[..., int | float]]] = {
    name.replace("_", ".", 1): value
    for name, value in list(globals().items())
    if name.startswith(("i32_", "i64_", "f32_", "f64_"))
    and name not in {"f32_bits", "f32_from_bits", "f64_bits", "f64_from_bits"}
}
"""Mnemonic -> function, for every instruction above."""
