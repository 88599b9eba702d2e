"""Number literals. Spec: core, text format, values (6.3)."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm2oci.engine.text.numbers import F32, F64, NumberError, float_bits, float_text, integer, unsigned


def bits64(value: float) -> int:
    return int.from_bytes(struct.pack(">d", value), "big")


def nearest32(value: Fraction) -> int:
    """The bits of the 32-bit float nearest to a fraction that is in range and not negative, by search."""
    low, high = 0, F32.infinity - 1

    def exact(bits: int) -> Fraction:
        return Fraction(struct.unpack(">f", bits.to_bytes(4, "big"))[0])

    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if exact(middle) <= value else (low, middle)
    below, above = value - exact(low), exact(high) - value
    if below == above:
        return low if low % 2 == 0 else high
    return low if below < above else high


@pytest.mark.parametrize(
    ("literal", "bits", "value"),
    [
        ("0", 32, 0),
        ("-1", 32, -1),
        ("4294967295", 32, -1),
        ("-2147483648", 32, -2147483648),
        ("0xffff_FFFF", 32, -1),
        ("1_000", 32, 1000),
        ("+7", 64, 7),
        ("-0x8000000000000000", 64, -(1 << 63)),
        ("255", 8, -1),
        ("-128", 8, -128),
        ("0" * 10_000 + "12", 32, 12),
    ],
)
def test_integers(literal: str, bits: int, value: int) -> None:
    assert integer(literal, bits) == value


@pytest.mark.parametrize(
    ("literal", "bits"),
    [
        ("4294967296", 32),
        ("-2147483649", 32),
        ("256", 8),
        ("1__0", 32),
        ("_1", 32),
        ("1_", 32),
        ("0x", 32),
        ("0x_1", 32),
        ("0b1", 32),
        ("0o7", 32),
        ("", 32),
        ("1.0", 32),
        ("\N{ARABIC-INDIC DIGIT ONE}", 32),
        ("1" * 1_000_000, 64),
        ("0x" + "f" * 1_000_000, 64),
    ],
)
def test_what_is_no_integer_or_does_not_fit(literal: str, bits: int) -> None:
    with pytest.raises(NumberError):
        integer(literal, bits)


def test_unsigned_integers_have_no_sign() -> None:
    assert unsigned("4294967295") == 0xFFFFFFFF
    for literal in ("-1", "+1", "4294967296", "x", "\N{ARABIC-INDIC DIGIT ONE}"):
        with pytest.raises(NumberError):
            unsigned(literal)


@pytest.mark.parametrize(
    ("literal", "bits"),
    [
        ("0x1p-149", 1),
        ("0x1p-150", 0),  # a tie: to even
        ("0x1.000001p-150", 1),
        ("0x1.fffffefffffffffffffp127", 0x7F7FFFFF),
        ("340282356779733661637539395458142568447.9", 0x7F7FFFFF),
        ("1.00000005960464477539062500000000000000000000000001", 0x3F800001),  # just above a tie
        ("1.000000059604644775390625", 0x3F800000),  # a tie: to even
        ("1.00000017881393432617187499", 0x3F800001),  # just below one
        ("1.000000059604644775390625" + "0" * 100_000 + "1", 0x3F800001),
        ("0." + "0" * 100_000 + "1e100001", 0x3F800000),
        ("nan:0x1", 0x7F800001),
        ("-nan", 0xFFC00000),
        ("-inf", 0xFF800000),
        ("1e-" + "9" * 100_000, 0),
        ("0e" + "9" * 100_000, 0),
    ],
)
def test_single_precision_is_rounded_once(literal: str, bits: int) -> None:
    assert float_bits(literal, F32) == bits


@pytest.mark.parametrize("form", [F32, F64])
@pytest.mark.parametrize(
    "literal",
    [
        "1e999",
        "-1e999",
        "0x1p1024",
        "1e" + "9" * 100_000,
        "0x1p" + "9" * 100_000,
        "nan:0x0",
        "nan:0x80_0000_0000_0000",
        "nan:canonical",
        "nan:1",
        "0x",
        "1e",
        "1e+",
        ".5",
        "1._5",
        "0x1.8p0x1",
        "infinity",
        "",
    ],
)
def test_what_is_no_float_or_does_not_fit(literal: str, form: object) -> None:
    with pytest.raises(NumberError):
        float_bits(literal, F32 if form == F32 else F64)


def test_the_largest_value_of_single_precision_is_not_passed() -> None:
    with pytest.raises(NumberError, match="out of range"):
        float_bits("0x1.ffffffp127", F32)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_and_hexadecimal_literals_of_doubles_are_exact(value: float) -> None:
    assert float_bits(repr(value), F64) == bits64(value)
    assert float_bits(value.hex(), F64) == bits64(value)
    assert float_bits(float_text(bits64(value), F64), F64) == bits64(value)


@given(st.integers(0, 2**32 - 1))
def test_every_single_precision_value_is_read_as_it_is_written(bits: int) -> None:
    assert float_bits(float_text(bits, F32), F32) == bits


@given(st.integers(0, 10**25), st.integers(-60, 10))
def test_single_precision_is_the_nearest_value(digits: int, exponent: int) -> None:
    value = Fraction(digits) * Fraction(10) ** exponent
    assert float_bits(f"{digits}e{exponent}", F32) == nearest32(value)


@given(st.integers(0, F32.infinity - 2))
def test_ties_of_single_precision_go_to_even(bits: int) -> None:
    below, above = (Fraction(struct.unpack(">f", each.to_bytes(4, "big"))[0]) for each in (bits, bits + 1))
    tie = (below + above) / 2
    numerator, power = tie.numerator, tie.denominator.bit_length() - 1
    assert tie.denominator == 1 << power
    decimal = f"{numerator * 5**power}e-{power}"
    assert float_bits(decimal, F32) == bits + bits % 2
    assert float_bits(f"{numerator:#x}p-{power}", F32) == bits + bits % 2
    assert not math.isnan(float(tie))
