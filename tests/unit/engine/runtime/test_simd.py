"""Vector instructions against the definition: split into lanes, apply the scalar function, join."""

import operator
import random
from collections.abc import Callable

import pytest

from wasm2oci.engine.runtime.simd_float import SIMD_FLOAT
from wasm2oci.engine.runtime.simd_integer import SHAPES, SIMD_INTEGER
from wasm2oci.engine.runtime.simd_lanes import SIMD_LANES
from wasm2oci.engine.runtime.simd_memory import SIMD_MEMORY
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import OPCODES


def test_every_vector_instruction_has_its_function() -> None:
    wanted = {row.mnemonic for row in OPCODES.values() if row.feature in {Feature.SIMD, Feature.RELAXED_SIMD}}
    tables = (SIMD_INTEGER, SIMD_FLOAT, SIMD_LANES, SIMD_MEMORY)
    assert wanted - {"v128.const"} == {name for table in tables for name in table}
    assert sum(map(len, tables)) == len(wanted) - 1


def _clamp(low: int, high: int) -> Callable[[int], int]:
    return lambda x: min(max(x, low), high)


def _negated(compare: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    return lambda x, y: -compare(x, y)


def _model(bits: int) -> dict[str, tuple[bool, Callable[[int, int], int]]]:
    """Name -> whether lanes are read as signed, and what happens to a pair of them."""
    lane = 2**bits - 1
    signed = _clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    unsigned = _clamp(0, lane)
    table: dict[str, tuple[bool, Callable[[int, int], int]]] = {
        "add": (False, operator.add),
        "sub": (False, operator.sub),
        "mul": (False, operator.mul),
        "add_sat_s": (True, lambda x, y: signed(x + y)),
        "add_sat_u": (False, lambda x, y: unsigned(x + y)),
        "sub_sat_s": (True, lambda x, y: signed(x - y)),
        "sub_sat_u": (False, lambda x, y: unsigned(x - y)),
        "min_s": (True, min),
        "min_u": (False, min),
        "max_s": (True, max),
        "max_u": (False, max),
        "avgr_u": (False, lambda x, y: (x + y + 1) // 2),
        "eq": (False, lambda x, y: -(x == y)),
        "ne": (False, lambda x, y: -(x != y)),
    }
    for name, compare in (("lt", operator.lt), ("gt", operator.gt), ("le", operator.le), ("ge", operator.ge)):
        for sign in (True, False):
            table[f"{name}_{'s' if sign else 'u'}"] = sign, _negated(compare)
    return table


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integer_lanes_do_what_one_lane_does(bits: int) -> None:
    source = random.Random(bits)
    shape = SHAPES[bits]
    corners = [0, 1, shape.lane, shape.lane >> 1, (shape.lane >> 1) + 1]
    tested = 0
    for name, (is_signed, scalar) in _model(bits).items():
        vector = SIMD_INTEGER.get(f"i{bits}x{shape.count}.{name}")
        if vector is None:
            continue
        tested += 1
        split = shape.split_signed if is_signed else shape.split
        for _ in range(300):
            a, b = (
                shape.join(*[source.choice([*corners, source.getrandbits(bits)]) for _ in range(shape.count)])
                for _ in range(2)
            )
            expected = [scalar(x, y) & shape.lane for x, y in zip(split(a), split(b), strict=True)]
            assert shape.split(vector(a, b)) == tuple(expected), (name, hex(a), hex(b))
    assert tested >= 8


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_shifts_take_their_count_modulo_the_width(bits: int) -> None:
    source = random.Random(bits)
    shape = SHAPES[bits]
    name = f"i{bits}x{shape.count}"
    for count in range(2 * bits + 1):
        a = source.getrandbits(128)
        k = count % bits
        lanes, signed = shape.split(a), shape.split_signed(a)
        assert shape.split(SIMD_INTEGER[f"{name}.shl"](a, count)) == tuple(x << k & shape.lane for x in lanes)
        assert shape.split(SIMD_INTEGER[f"{name}.shr_u"](a, count)) == tuple(x >> k for x in lanes)
        assert shape.split(SIMD_INTEGER[f"{name}.shr_s"](a, count)) == tuple(x >> k & shape.lane for x in signed)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_a_bitmask_gathers_the_signs(bits: int) -> None:
    source = random.Random(bits)
    shape = SHAPES[bits]
    for _ in range(1000):
        a = source.getrandbits(128) & source.getrandbits(128)
        expected = sum(1 << i for i, x in enumerate(shape.split_signed(a)) if x < 0)
        assert SIMD_INTEGER[f"i{bits}x{shape.count}.bitmask"](a) == expected


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_widening_and_narrowing(bits: int) -> None:
    source = random.Random(bits)
    shape, wide = SHAPES[bits], SHAPES[2 * bits]
    name, to = f"i{bits}x{shape.count}", f"i{2 * bits}x{wide.count}"
    for _ in range(300):
        a, b = source.getrandbits(128), source.getrandbits(128)
        for sign, split in (("s", shape.split_signed), ("u", shape.split)):
            for half, side in enumerate(("low", "high")):
                part = slice(half * wide.count, (half + 1) * wide.count)
                extended = SIMD_LANES[f"{to}.extend_{side}_{name}_{sign}"](a)
                assert wide.split(extended) == tuple(x & wide.lane for x in split(a)[part])
                products = [x * y & wide.lane for x, y in zip(split(a)[part], split(b)[part], strict=True)]
                assert wide.split(SIMD_LANES[f"{to}.extmul_{side}_{name}_{sign}"](a, b)) == tuple(products)
            if bits < 32:
                low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign == "s" else (0, shape.lane)
                clamped = [min(max(x, low), high) & shape.lane for x in (*wide.split_signed(a), *wide.split_signed(b))]
                assert shape.split(SIMD_LANES[f"{name}.narrow_{to}_{sign}"](a, b)) == tuple(clamped)
                sums = [split(a)[2 * i] + split(a)[2 * i + 1] & wide.lane for i in range(wide.count)]
                assert wide.split(SIMD_LANES[f"{to}.extadd_pairwise_{name}_{sign}"](a)) == tuple(sums)


def test_swizzle_gives_zero_beyond_the_vector() -> None:
    a = int.from_bytes(bytes(range(100, 116)), "little")
    indices = bytes([0, 15, 16, 255, 128, 7, *range(10)])
    got = SIMD_LANES["i8x16.swizzle"](a, int.from_bytes(indices, "little")).to_bytes(16, "little")
    assert list(got) == [100 + i if i < 16 else 0 for i in indices]
