"""Values at the border between a guest and its host.

Inside, an integer is unsigned. A Python host writes -1 and expects -1, so on the way in both readings of an integer
are accepted, and on the way out it gets the signed one. Everything else is the same on both sides:

    i32, i64      int
    f32, f64      float; an f32 is rounded on the way in
    v128          int below 2**128, lane 0 in its lowest bits; `bytes` of 16 are accepted
    null          None
    funcref       `Function`
    externref     any object but None
    anyref, ...   `StructObject`, `ArrayObject`, `I31Object`, `HostObject`
    exnref        `WasmException`

Several results are a tuple, none are None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.gc import matches
from wasm2oci.engine.runtime.trap import WasmException
from wasm2oci.engine.syntax.types import (
    ANYREF,
    ARRAYREF,
    EQREF,
    EXN,
    EXNREF,
    EXTERN,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I31REF,
    I32,
    I64,
    NOEXN,
    NOEXTERN,
    REF_NULL,
    STRUCTREF,
    V128,
    type_text,
)
from wasm2oci.errors import InvalidInputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.engine.syntax.types import (
        FuncType,
    )

__all__ = [
    "VALUE_TYPES",
    "ValueTypeError",
    "checked_results",
    "default",
    "from_wasm",
    "host_arguments",
    "host_results",
    "to_wasm",
    "value_type",
    "wasm_arguments",
]

VALUE_TYPES: Final = {
    "i32": I32,
    "i64": I64,
    "f32": F32,
    "f64": F64,
    "v128": V128,
    "funcref": FUNCREF,
    "externref": EXTERNREF,
    "anyref": ANYREF,
    "eqref": EQREF,
    "i31ref": I31REF,
    "structref": STRUCTREF,
    "arrayref": ARRAYREF,
    "exnref": EXNREF,
}
"""The value types that have names, by them."""


class ValueTypeError(InvalidInputError):
    """A value given to or by the guest is not of the type its signature says."""


def value_type(type_: int | str) -> int:
    """A value type from its name, or itself."""
    if isinstance(type_, int):
        return type_
    found = VALUE_TYPES.get(type_)
    if found is None:
        raise UsageError(f"no value type is called {type_!r}", hint="one of " + ", ".join(VALUE_TYPES))
    return found


def default(type_: int) -> Any:
    """What a local or global of a type starts as: zero, or null."""
    return 0.0 if type_ in {F32, F64} else None if type_ > 0xFF else 0


# --- in ----------------------------------------------------------------------------------------
def to_wasm(type_: int, value: Any) -> Any:
    """A host's value as the guest keeps it.

    Raises:
        ValueTypeError: it is not of that type, or out of range.
    """
    if type_ == I32:
        if isinstance(value, int) and -0x80000000 <= value <= 0xFFFFFFFF:
            return value & 0xFFFFFFFF
    elif type_ == I64:
        if isinstance(value, int) and -0x8000000000000000 <= value <= 0xFFFFFFFFFFFFFFFF:
            return value & 0xFFFFFFFFFFFFFFFF
    elif type_ in {F32, F64}:
        if isinstance(value, int | float):
            return _float(type_, value)
    elif type_ == V128:
        if isinstance(value, bytes) and len(value) == 16:
            return int.from_bytes(value, "little")
        if isinstance(value, int) and 0 <= value < 1 << 128:
            return value
    elif _is_reference(type_, value):
        return value
    raise ValueTypeError(f"{value!r} is not a value of type {type_text(type_)}")


def _float(type_: int, value: float) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueTypeError(f"{value!r} is too large for {type_text(type_)}") from error
    if type_ == F32:
        # A NaN keeps its bits: only numbers are rounded.
        is_nan = number != number  # noqa: PLR0124 -- `math` would be imported for this
        return numeric.f32_from_bits(numeric.f32_bits(number)) if is_nan else numeric.round_to_f32(number)
    return number


def _is_reference(type_: int, value: Any) -> bool:
    heap, nullable = type_ >> 8, type_ & 0xFF == REF_NULL
    if value is None:
        return nullable
    if heap == EXTERN:
        return True
    if heap in {NOEXTERN, NOEXN}:
        return False
    if heap == EXN:
        return isinstance(value, WasmException)
    return hasattr(value, "above") and matches(value, heap, nullable=nullable)


def wasm_arguments(type_: FuncType, values: Sequence[Any]) -> list[Any]:
    """A host's arguments as a guest's function takes them.

    Raises:
        ValueTypeError: too few, too many, or one of the wrong type.
    """
    if len(values) != len(type_.params):
        raise ValueTypeError(f"the function takes {len(type_.params)} arguments, {len(values)} were given")
    return [to_wasm(param, value) for param, value in zip(type_.params, values, strict=True)]


def checked_results(type_: FuncType, returned: Any) -> Any:
    """What a host function returned, as the guest takes it.

    Raises:
        ValueTypeError: it is not what the function's type says.
    """
    results = type_.results
    if len(results) == 1:
        return to_wasm(results[0], returned)
    if not results:
        if returned is None:
            return None
        raise ValueTypeError(f"the host function has no results, and returned {returned!r}")
    if not isinstance(returned, tuple | list) or len(returned) != len(results):
        raise ValueTypeError(f"the host function has {len(results)} results, and returned {returned!r}")
    return tuple([to_wasm(result, value) for result, value in zip(results, returned, strict=True)])


# --- out ---------------------------------------------------------------------------------------
def from_wasm(type_: int, value: Any) -> Any:
    """A guest's value as its host reads it."""
    if type_ == I32:
        return (value ^ 0x80000000) - 0x80000000
    if type_ == I64:
        return (value ^ 0x8000000000000000) - 0x8000000000000000
    return value


def host_results(type_: FuncType, returned: Any) -> Any:
    """What a guest's function returned, as its host reads it."""
    results = type_.results
    if len(results) == 1:
        return from_wasm(results[0], returned)
    if not results:
        return None
    return tuple([from_wasm(result, value) for result, value in zip(results, returned, strict=True)])


def host_arguments(type_: FuncType, values: Sequence[Any]) -> list[Any]:
    """A guest's arguments as a host function takes them."""
    return [from_wasm(param, value) for param, value in zip(type_.params, values, strict=True)]
