"""Values of core WebAssembly as people write them on a command line.

    i32, i64     decimal or 0x..., signed or unsigned: -1 and 4294967295 are the same i32
    f32, f64     as Python reads floats, hexadecimal ones too; inf, nan
    v128         0x and up to 32 digits
    references   null

Results are printed signed, floats so that reading them gives the same value back.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.types import F32, F64, I32, I64, V128, is_ref, type_text
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.types import FuncType

__all__ = ["format_float", "format_value", "parse_values"]

_BITS: Final = {I32: 32, I64: 64, V128: 128}


def parse_values(name: str, signature: FuncType, texts: tuple[str, ...]) -> list[int | float | None]:
    """The arguments of a call: integers unsigned.

    Raises:
        UsageError: too many, too few, or not of their types.
    """
    types = [type_text(type_) for type_ in signature.params]
    if len(texts) != len(types):
        raise UsageError(
            f"{name!r} takes {len(types)} {'value' if len(types) == 1 else 'values'}, {len(texts)} given",
            hint=f"its parameters are ({', '.join(types)})",
        )
    return [_parse(text, type_) for text, type_ in zip(texts, signature.params, strict=True)]


def _parse(text: str, type_: int) -> int | float | None:
    try:
        if type_ in {F32, F64}:
            value = float.fromhex(text) if "0x" in text.lower() else float(text)
            return struct.unpack("<f", struct.pack("<f", value))[0] if type_ == F32 else value
        if type_ in _BITS:
            bits = _BITS[type_]
            number = int(text, 0)
            if -(1 << (bits - 1)) <= number < 1 << bits:
                return number & ((1 << bits) - 1)
        elif is_ref(type_) and text == "null":
            return None
    except (ValueError, OverflowError):
        pass
    hint = "only null can be given" if is_ref(type_) else "integers like -1 or 0xff, floats like 1.5, inf, nan"
    raise UsageError(f"{text!r} is not a value of type {type_text(type_)}", hint=hint)


def format_value(value: object, type_: int) -> str:
    """The text of a result; integers may come signed or unsigned."""
    match value:
        case int() if type_ == V128:
            return f"{value:#034x}"
        case int() if type_ in _BITS:
            bits = _BITS[type_]
            value &= (1 << bits) - 1
            return str(value - (1 << bits) if value >> (bits - 1) else value)
        case float() | int() if type_ in {F32, F64}:
            return format_float(float(value), single=type_ == F32)
        case None:
            return "null"
        case _:
            return type_text(type_)


def format_float(value: float, *, single: bool) -> str:
    """The shortest text that reads as the same float."""
    if not math.isfinite(value):
        return str(value)
    if single:
        for digits in range(1, 10):
            short = float(f"{value:.{digits}g}")
            if _single(short) == value:
                return repr(short)
    return repr(value)


def _single(value: float) -> float:
    """The nearest single."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]  # type: ignore[no-any-return]
    except OverflowError:  # the largest single, with fewer digits, may be more than that
        return math.copysign(math.inf, value)
