"""Numbers: their literals to values and bits, exactly, and back. Spec: core, text format, values (6.3).

A literal may have a million digits and costs no more than a look at each of them: what is out of range is known by the
number of digits and the exponent before any big number is made.
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal
from typing import Final, NamedTuple

from wasm2oci.engine.text.patterns import DIGITS, HEX_DIGITS

__all__ = [
    "F32",
    "F64",
    "FloatFormat",
    "NumberError",
    "decimal_text",
    "float_bits",
    "float_text",
    "integer",
    "unsigned",
]

_INTEGER: Final = re.compile(rf"([+-]?)(?:0x({HEX_DIGITS})|({DIGITS}))")
_FLOAT: Final = re.compile(
    rf"([+-]?)(?:(inf)|(nan)(?::(?:0x({HEX_DIGITS})|(canonical|arithmetic)))?"
    rf"|0x({HEX_DIGITS})(?:\.({HEX_DIGITS})?)?(?:[pP]([+-]?{DIGITS}))?"
    rf"|({DIGITS})(?:\.({DIGITS})?)?(?:[eE]([+-]?{DIGITS}))?)"
)
_MANY: Final = 24  # digits: more than any integer of 64 bits has, and any exponent that means something
_FAR: Final = 10**9  # an exponent beyond all range, whatever the digits: a text has fewer


class NumberError(Exception):
    """The literal is none, or out of range; what is wrong is the only argument."""


class FloatFormat(NamedTuple):
    """A binary floating-point format: the widths of exponent and significand, in bits."""

    exponent: int
    significand: int

    @property
    def infinity(self) -> int:
        """The bits of positive infinity."""
        return ((1 << self.exponent) - 1) << self.significand

    @property
    def size(self) -> int:
        """Bytes of a value."""
        return (1 + self.exponent + self.significand) // 8


F32: Final = FloatFormat(8, 23)
F64: Final = FloatFormat(11, 52)


def integer(literal: str, bits: int) -> int:
    """The value of an integer literal, signed or not, as a signed number of `bits` bits.

    Raises:
        NumberError: it is no integer, or does not fit.
    """
    found = _INTEGER.fullmatch(literal)
    if found is None:
        raise NumberError("unknown operator: expected an integer")
    value = _value(found[2], found[3])
    if found[1] == "-":
        value = -value
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise NumberError(f"i{bits} constant out of range")
    return value - (1 << bits) if value >> bits - 1 > 0 else value


def unsigned(literal: str, bits: int = 32) -> int:
    """The value of an unsigned integer literal.

    Raises:
        NumberError: it is no unsigned integer, or does not fit.
    """
    if literal.isascii() and literal.isdigit() and len(literal) < _MANY:
        value = int(literal)
    else:
        found = _INTEGER.fullmatch(literal)
        if found is None or found[1]:
            raise NumberError("unknown operator: expected an unsigned integer")
        value = _value(found[2], found[3])
    if value >> bits:
        raise NumberError(f"i{bits} constant out of range")
    return value


def _value(hexadecimal: str | None, decimal: str | None) -> int:
    """The value of digits; of more than any number here may have, one that is out of every range."""
    digits = (hexadecimal or decimal or "").replace("_", "").lstrip("0")
    return int(digits[:_MANY] or "0", 16 if hexadecimal else 10)


def float_bits(literal: str, form: FloatFormat) -> int:
    """The bits of a floating-point literal, rounded to the nearest value, ties to even.

    Raises:
        NumberError: it is no such literal, or rounds to infinity, or is a NaN whose payload does not fit.
    """
    found = _FLOAT.fullmatch(literal)
    if found is None or found[5]:
        raise NumberError("unknown operator: expected a float")
    sign = (found[1] == "-") << form.exponent + form.significand
    if found[2]:
        return sign | form.infinity
    if found[3]:
        payload = _value(found[4], None) if found[4] else 1 << form.significand - 1
        if not 0 < payload < 1 << form.significand:
            raise NumberError("constant out of range: the payload of a NaN")
        return sign | form.infinity | payload
    if found[6]:
        fraction = (found[7] or "").replace("_", "")
        digits, exponent = int(found[6].replace("_", "") + fraction, 16), _exponent(found[8]) - 4 * len(fraction)
        return sign | _rounded(digits, exponent, 0, form)
    return sign | _decimal(f"{found[9]}.{found[10] or '0'}", _exponent(found[11]), form)


def _exponent(literal: str | None) -> int:
    if literal is None:
        return 0
    digits = literal.replace("_", "").lstrip("+-0")
    value = int(digits or "0") if len(digits) < _MANY else _FAR
    value = min(value, _FAR)
    return -value if literal[0] == "-" else value


def _decimal(digits: str, exponent: int, form: FloatFormat) -> int:
    digits = digits.replace("_", "")
    written = f"{digits}e{exponent}"
    value = float(written)
    if value == float("inf"):
        raise NumberError("constant out of range")
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    if form is F64:
        return bits
    # From 64 bits to fewer: a second rounding is wrong only at a tie, and then the digits decide.
    biased, significand = bits >> F64.significand, bits & (1 << F64.significand) - 1
    if biased:
        significand |= 1 << F64.significand
    beyond = Decimal(written).compare(Decimal(value)) if _is_near_tie(significand) else 0
    return _rounded(significand, max(biased, 1) - 1075, int(beyond), form)


def _is_near_tie(significand: int) -> bool:
    """Whether rounding to any shorter format might meet a tie: the low bits are those of one half."""
    return not significand & (1 << F64.significand - F32.significand - 1) - 1


def _rounded(digits: int, exponent: int, beyond: int, form: FloatFormat) -> int:
    """The bits of `digits * 2**exponent`, rounded.

    Args:
        digits: not negative.
        exponent: of any size.
        beyond: whether the true value is a little more (1) or less (-1) than that.
        form: what to round to.
    """
    if not digits:
        return 0
    bias = (1 << form.exponent - 1) - 1
    top = digits.bit_length() - 1 + exponent  # of the leading bit
    if top > bias:
        raise NumberError("constant out of range")
    unit = max(top, 1 - bias) - form.significand  # the exponent of the last bit that is kept
    drop = unit - exponent
    if drop <= 0:
        kept = digits << -drop
    elif drop > digits.bit_length() + 1:
        kept = 0
    else:
        kept, rest = digits >> drop, digits & (1 << drop) - 1
        half = 1 << drop - 1
        if rest > half or (rest == half and (beyond > 0 or (beyond == 0 and kept & 1))):
            kept += 1
    # A significand that overflowed by rounding carries into the exponent by itself.
    bits = kept if top < 1 - bias else kept + ((top + bias - 1) << form.significand)
    if bits >= form.infinity:
        raise NumberError("constant out of range")
    return bits


def float_text(bits: int, form: FloatFormat) -> str:
    """The literal of a floating-point value: hexadecimal, so that it is exact."""
    width = form.exponent + form.significand
    sign = "-" if bits >> width else ""
    biased = bits >> form.significand & (1 << form.exponent) - 1
    fraction = bits & (1 << form.significand) - 1
    bias = (1 << form.exponent - 1) - 1
    if biased == (1 << form.exponent) - 1:
        if not fraction:
            return f"{sign}inf"
        return f"{sign}nan" if fraction == 1 << form.significand - 1 else f"{sign}nan:{fraction:#x}"
    if not biased and not fraction:
        return f"{sign}0x0p+0"
    exponent = biased - bias
    if not biased:  # subnormal: written as if it were normal
        shift = form.significand + 1 - fraction.bit_length()
        exponent = 1 - bias - shift
        fraction = fraction << shift & (1 << form.significand) - 1
    digits = -(-form.significand // 4)
    written = f"{fraction << 4 * digits - form.significand:0{digits}x}".rstrip("0")
    return f"{sign}0x1{'.' if written else ''}{written}p{exponent:+d}"


def decimal_text(bits: int, form: FloatFormat) -> str:
    """The shortest decimal number that is this value, without an exponent; for readers."""
    if bits & form.infinity == form.infinity and bits & (1 << form.significand) - 1:
        return "NaN"
    if form is F64:
        shown = repr(struct.unpack("<d", bits.to_bytes(8, "little"))[0])
    else:
        value = struct.unpack("<f", bits.to_bytes(4, "little"))[0]
        digits = (f"{value:.{count}e}" for count in range(9))
        shown = next((text for text in digits if bits == _single(text)), repr(value))
    if shown.endswith("inf"):
        return shown
    text = f"{Decimal(shown):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _single(text: str) -> int:
    try:
        return float_bits(text, F32) if text.lstrip("-")[0].isdigit() else -1
    except NumberError:
        return -1
