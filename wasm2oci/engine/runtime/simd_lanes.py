"""Instructions on v128 that move lanes: splat, extract, replace, shuffle, swizzle, narrow, extend.

`bytes.translate` looks sixteen bytes up in a table of 256 in one call. With the operands as the table, followed by
zeros, it is a swizzle; with constant indices it is a shuffle; with the index 255 for "zero" it is an extension.

Operands come first, lane immediates after them. The table `SIMD_LANES` has an entry for each mnemonic.

Spec: core, Execution, Instructions, vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.runtime.numeric import f32_bits, f32_from_bits, f64_bits, f64_from_bits
from wasm2oci.engine.runtime.simd_integer import SHAPES, SIMD_INTEGER

if TYPE_CHECKING:
    from wasm2oci.engine.runtime.simd_integer import Lanes

__all__ = ["SIMD_LANES", "extend"]

VectorOp = Callable[..., Any]


def _i8x16_shuffle(a: int, b: int, lanes: bytes) -> int:
    """Sixteen bytes of the thirty-two of `a` and `b`; `lanes` are the indices."""
    return int.from_bytes(lanes.translate((b << 128 | a).to_bytes(256, "little")), "little")


def _i8x16_swizzle(a: int, b: int) -> int:
    return int.from_bytes(b.to_bytes(16, "little").translate(a.to_bytes(256, "little")), "little")


def _integer_lanes(shape: Lanes) -> dict[str, VectorOp]:
    bits, lane, ones = shape.bits, shape.lane, shape.ones
    top = 1 << (bits - 1)

    def splat(x: int) -> int:
        return (x & lane) * ones

    def extract_lane_u(a: int, index: int) -> int:
        return a >> index * bits & lane

    def extract_lane_s(a: int, index: int) -> int:
        return ((a >> index * bits & lane) ^ top) - top & 0xFFFFFFFF

    def replace_lane(a: int, x: int, index: int) -> int:
        index *= bits
        return a ^ (a >> index & lane ^ x & lane) << index

    extract: dict[str, VectorOp] = (
        {"extract_lane_s": extract_lane_s, "extract_lane_u": extract_lane_u}
        if bits < 32
        else {"extract_lane": extract_lane_u}
    )
    table: dict[str, VectorOp] = {"splat": splat, "replace_lane": replace_lane, **extract}
    return {f"i{bits}x{shape.count}.{name}": value for name, value in table.items()}


def _f32x4_splat(x: float) -> int:
    return f32_bits(x) * SHAPES[32].ones


def _f64x2_splat(x: float) -> int:
    return f64_bits(x) * SHAPES[64].ones


def _f32x4_extract_lane(a: int, index: int) -> float:
    return f32_from_bits(a >> index * 32 & 0xFFFFFFFF)


def _f64x2_extract_lane(a: int, index: int) -> float:
    return f64_from_bits(a >> index * 64 & 0xFFFFFFFFFFFFFFFF)


def _f32x4_replace_lane(a: int, x: float, index: int) -> int:
    index *= 32
    return a ^ (a >> index & 0xFFFFFFFF ^ f32_bits(x)) << index


def _f64x2_replace_lane(a: int, x: float, index: int) -> int:
    index *= 64
    return a ^ (a >> index & 0xFFFFFFFFFFFFFFFF ^ f64_bits(x)) << index


# --- widths: to half, to double ----------------------------------------------------------------
def extend(a: int, bits: int, *, signed: bool, half: int) -> int:
    """Half of the lanes of `a`, each made twice as wide.

    Args:
        a: the vector; 64 bits of it are used.
        bits: the width of its lanes.
        signed: whether to extend with the sign.
        half: 0 for the low lanes, 1 for the high ones.
    """
    low = int.from_bytes(_WIDEN[bits, half].translate(a.to_bytes(256, "little")), "little")
    # A sign bit s of a narrow lane, times 2 ** (bits + 1) - 2, is the ones above it, and stays inside the wide lane.
    return low | (low & _SIGNS[bits]) * ((2 << bits) - 2) if signed else low


def _widening(bits: int, half: int) -> bytes:
    size = bits // 8
    return b"".join(bytes(range(start, start + size)) + b"\xff" * size for start in range(8 * half, 8 * half + 8, size))


_WIDEN: Final = {(bits, half): _widening(bits, half) for bits in (8, 16, 32) for half in (0, 1)}
_SIGNS: Final = {bits: SHAPES[2 * bits].ones << (bits - 1) for bits in (8, 16, 32)}
_EVEN_BYTES: Final = {
    16: bytes(range(0, 32, 2)),
    32: bytes(index for start in range(0, 32, 4) for index in (start, start + 1)),
}


def _narrow(shape: Lanes) -> dict[str, VectorOp]:
    # Wide lanes are clamped to what a narrow lane holds; their lower halves are then picked from both operands.
    bits = shape.bits
    name = f"i{bits}x{shape.count}"
    least, greatest = SIMD_INTEGER[f"{name}.max_s"], SIMD_INTEGER[f"{name}.min_s"]
    half = bits // 2
    low_s = shape.ones * (shape.lane ^ (1 << half - 1) - 1)
    high_s = shape.ones * ((1 << half - 1) - 1)
    high_u = shape.ones * ((1 << half) - 1)
    picked = _EVEN_BYTES[bits]

    def narrow_s(a: int, b: int) -> int:
        return _i8x16_shuffle(greatest(least(a, low_s), high_s), greatest(least(b, low_s), high_s), picked)

    def narrow_u(a: int, b: int) -> int:
        return _i8x16_shuffle(greatest(least(a, 0), high_u), greatest(least(b, 0), high_u), picked)

    to = f"i{half}x{shape.count * 2}"
    return {f"{to}.narrow_{name}_s": narrow_s, f"{to}.narrow_{name}_u": narrow_u}


def _widen(narrow: Lanes) -> dict[str, VectorOp]:
    bits = narrow.bits
    wide = SHAPES[2 * bits]
    lane = wide.lane
    even = wide.ones * narrow.lane
    signs = _SIGNS[bits]
    ones_above = (2 << bits) - 2

    def make(*, signed: bool, half: int) -> tuple[VectorOp, VectorOp]:
        def extended(a: int) -> int:
            return extend(a, bits, signed=signed, half=half)

        split = narrow.split_signed if signed else narrow.split
        start = half * wide.count
        stop = start + wide.count

        def extmul(a: int, b: int) -> int:
            pairs = zip(split(a)[start:stop], split(b)[start:stop], strict=True)
            return wide.join(*[x * y & lane for x, y in pairs])

        return extended, extmul

    def pairwise_u(a: int) -> int:
        return (a & even) + (a >> bits & even)

    def pairwise_s(a: int) -> int:
        low, high = a & even, a >> bits & even
        return wide.add(low | (low & signs) * ones_above, high | (high & signs) * ones_above)

    name, to = f"i{bits}x{narrow.count}", f"i{2 * bits}x{wide.count}"
    table: dict[str, VectorOp] = {}
    for half, side in enumerate(("low", "high")):
        for signed, sign in ((True, "s"), (False, "u")):
            table[f"{to}.extend_{side}_{name}_{sign}"], table[f"{to}.extmul_{side}_{name}_{sign}"] = make(
                signed=signed, half=half
            )
    if bits < 32:
        table[f"{to}.extadd_pairwise_{name}_s"] = pairwise_s
        table[f"{to}.extadd_pairwise_{name}_u"] = pairwise_u
    return table


SIMD_LANES: Final[dict[str, VectorOp]] = {
    "i8x16.shuffle": _i8x16_shuffle,
    "i8x16.swizzle": _i8x16_swizzle,
    "i8x16.relaxed_swizzle": _i8x16_swizzle,
    **{name: value for shape in SHAPES.values() for name, value in _integer_lanes(shape).items()},
    "f32x4.splat": _f32x4_splat,
    "f64x2.splat": _f64x2_splat,
    "f32x4.extract_lane": _f32x4_extract_lane,
    "f64x2.extract_lane": _f64x2_extract_lane,
    "f32x4.replace_lane": _f32x4_replace_lane,
    "f64x2.replace_lane": _f64x2_replace_lane,
    **_narrow(SHAPES[16]),
    **_narrow(SHAPES[32]),
    **_widen(SHAPES[8]),
    **_widen(SHAPES[16]),
    **_widen(SHAPES[32]),
}
"""Mnemonic -> function, for the instructions that move lanes."""
