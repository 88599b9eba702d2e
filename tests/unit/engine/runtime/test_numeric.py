"""Scalar instructions: what the suite's asserts, run one by one elsewhere, cannot show in general."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.numeric import NUMERIC
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.syntax.types import F32, F64, I32, I64

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)


def test_every_scalar_numeric_instruction_has_its_function() -> None:
    scalar = {I32, I64, F32, F64}
    wanted = {
        row.mnemonic
        for row in OPCODES.values()
        if row.params and row.results and not row.immediates and {*row.params, *row.results} <= scalar
    }
    assert {name for name in wanted if "128" not in name and "_wide" not in name} == set(NUMERIC)


@given(U32)
def test_every_f32_survives_being_held_as_a_float(bits: int) -> None:
    assert numeric.f32_bits(numeric.f32_from_bits(bits)) == bits


@given(U64)
def test_every_f64_survives_being_held_as_a_float(bits: int) -> None:
    assert numeric.f64_bits(numeric.f64_from_bits(bits)) == bits


@given(U64)
def test_converting_i64_to_f32_rounds_once(x: int) -> None:
    got = numeric.f32_convert_i64_u(x)
    below = Fraction(math.nextafter(got, -math.inf)) if got else Fraction(0)
    error = abs(Fraction(got) - x)
    bits = numeric.f32_bits(got)
    for neighbour in (bits - 1, bits + 1):
        if 0 <= neighbour < 0x7F800000:
            other = abs(Fraction(numeric.f32_from_bits(neighbour)) - x)
            assert error < other or (error == other and bits % 2 == 0), below


@given(U32, U32)
def test_f32_arithmetic_rounds_to_the_nearest(a_bits: int, b_bits: int) -> None:
    a, b = numeric.f32_from_bits(a_bits), numeric.f32_from_bits(b_bits)
    for name, exact in (("f32.add", a + b), ("f32.sub", a - b), ("f32.mul", a * b)):
        got = NUMERIC[name](a, b)
        if math.isnan(exact):
            assert numeric.f32_bits(got) & 0x7FC00000 == 0x7FC00000
        elif math.isfinite(got):
            assert struct.unpack("<f", struct.pack("<f", exact))[0] == got


@given(U32, U32)
def test_signed_division_truncates(a: int, b: int) -> None:
    x, y = numeric.signed32(a), numeric.signed32(b)
    if y == 0 or (x, y) == (-(2**31), -1):
        with pytest.raises(Trap) as caught:
            NUMERIC["i32.div_s"](a, b)
        assert caught.value.kind is (TrapKind.INTEGER_OVERFLOW if y else TrapKind.DIVIDE_BY_ZERO)
        return
    quotient = math.trunc(Fraction(x, y))
    assert NUMERIC["i32.div_s"](a, b) == quotient % 2**32
    assert NUMERIC["i32.rem_s"](a, b) == (x - quotient * y) % 2**32


def test_a_signalling_nan_is_moved_as_it_is_and_made_quiet_by_arithmetic() -> None:
    signalling = numeric.f32_from_bits(0x7F800001)
    assert numeric.f32_bits(NUMERIC["f32.neg"](signalling)) == 0xFF800001
    assert numeric.f32_bits(NUMERIC["f32.copysign"](signalling, -1.0)) == 0xFF800001
    for name in ("f32.sqrt", "f32.ceil", "f32.floor", "f32.trunc", "f32.nearest", "f64.promote_f32"):
        assert NUMERIC[name](signalling) != 0
        assert numeric.f64_bits(NUMERIC[name](signalling)) & 1 << 51, name
    for name in ("f32.add", "f32.min", "f32.max", "f32.div"):
        assert numeric.f32_bits(NUMERIC[name](signalling, 1.0)) & 1 << 22, name
