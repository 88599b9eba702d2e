"""Values of components as wasmtime's Python binding takes and gives them.

The binding writes a variant, option or result without the name of its case where the Python classes of all cases
differ, and as a `Variant` elsewhere. It looks for the first case whose class fits, so some values would arrive as
another case than the one that is meant: those are refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasmtime.component import Record, Variant

from wasm2oci.engine.component.abi import made
from wasm2oci.engine.syntax.values import ValueType, cases_of, kind_of, parts_of
from wasm2oci.errors import Remedy, RemedyKind, UnsupportedError

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.values import Val

__all__ = ["WasmtimeValueError", "check_type", "from_wasmtime", "to_wasmtime"]

_PLAIN: Final[dict[str, type]] = {
    "bool": bool,
    **{f"{sign}{bits}": int for sign in "su" for bits in (8, 16, 32, 64)},
    "f32": float,
    "f64": float,
    "char": str,
    "string": str,
    "record": Record,
    "tuple": tuple,
    "flags": set,
    "enum": str,
}
"""Kinds of values and their classes, where the kind alone decides."""
_DEEPEST: Final = 12
"""How deep types may be nested: the binding's work doubles with each option in an option."""
_CASE_NAMES: Final = {"error": "err"}


class WasmtimeValueError(UnsupportedError):
    """wasmtime's Python binding cannot pass the value."""

    def __init__(self, what: str) -> None:
        super().__init__(f"wasmtime's Python binding cannot pass {what}", remedy=Remedy(RemedyKind.USE_EMBEDDED))


def check_type(type_: Val) -> None:
    """Refuses a type whose values cannot be passed.

    Raises:
        WasmtimeValueError: it is one of those.
    """
    if isinstance(type_, ValueType) and type_.depth > _DEEPEST:
        raise WasmtimeValueError(f"types that are nested more than {_DEEPEST} deep")
    kind = kind_of(type_)
    if kind not in _PLAIN and kind != "list" and _variant(type_) is None:
        raise WasmtimeValueError(f"values of type {kind}")
    if isinstance(type_, ValueType) and type_.length is not None:
        raise WasmtimeValueError("lists of fixed length")
    for part in parts_of(type_):
        if part is not None:
            check_type(part)


def _variant(type_: Val) -> tuple[tuple[str, Val | None], ...] | None:
    """The cases of a variant, option or result."""
    return None if kind_of(type_) == "enum" else cases_of(type_)


@made
def _classes(type_: Val) -> frozenset[type]:
    """The classes of a type's values; `object` for None."""
    cases = _variant(type_)
    if cases is not None:
        return frozenset({Variant}) if _tagged(type_) else frozenset().union(*map(_case_classes, cases))
    if isinstance(type_, ValueType) and type_.kind == "list":
        return frozenset({bytes if kind_of(type_.types[0]) == "u8" else list})
    return frozenset({_PLAIN[kind_of(type_)]})


def _case_classes(case: tuple[str, Val | None]) -> frozenset[type]:
    return frozenset({object}) if case[1] is None else _classes(case[1])


@made
def _tagged(type_: Val) -> bool:
    """Whether a value has the name of its case with it: two cases have a class in common."""
    seen = [one for case in _variant(type_) or () for one in _case_classes(case)]
    return len(seen) != len(set(seen))


def to_wasmtime(value: Any, type_: Val) -> Any:
    """A value of the embedded engine, as the binding takes it.

    Raises:
        WasmtimeValueError: it would be taken for another.
    """
    cases = _variant(type_)
    if cases is not None:
        label, payload = value
        inner = dict(cases)[label]
        given = None if inner is None else to_wasmtime(payload, inner)
        if _tagged(type_):
            return Variant(_CASE_NAMES.get(label, label) if kind_of(type_) == "result" else label, given)
        if next(case for case, part in cases if _is_taken(given, part)) != label:
            raise WasmtimeValueError(f"this case of a {kind_of(type_)}: {label}")
        return given
    if not isinstance(type_, ValueType):
        return value
    if type_.kind == "list":
        return value if isinstance(value, bytes) else [to_wasmtime(one, type_.types[0]) for one in value]
    if type_.kind == "tuple":
        return tuple([to_wasmtime(one, part) for one, part in zip(value, type_.types, strict=True)])
    if type_.kind == "record":
        record = Record()
        for label, part in zip(type_.labels, type_.types, strict=True):
            setattr(record, label, to_wasmtime(value[label], part))
        return record
    if type_.kind == "flags":
        return set(value)
    return value[0] if type_.kind == "enum" else value


def _is_taken(given: Any, part: Val | None) -> bool:
    """Whether the binding takes a value without a name for one of this case."""
    return given is None if part is None else isinstance(given, tuple(_classes(part)))


def from_wasmtime(value: Any, type_: Val) -> Any:
    """What the binding gives, as a value of the embedded engine."""
    cases = _variant(type_)
    if cases is not None:
        if _tagged(type_):
            names = {_CASE_NAMES.get(label, label): label for label, _ in cases} if kind_of(type_) == "result" else {}
            label, payload = names.get(value.tag, value.tag), value.payload
        else:
            its_class = object if value is None else type(value)
            label = next(case[0] for case in cases if its_class in _case_classes(case))
            payload = value
        inner = dict(cases)[label]
        return label, None if inner is None else from_wasmtime(payload, inner)
    if not isinstance(type_, ValueType):
        return value
    if type_.kind == "list":
        return value if isinstance(value, bytes) else [from_wasmtime(one, type_.types[0]) for one in value]
    if type_.kind == "tuple":
        return tuple([from_wasmtime(one, part) for one, part in zip(value, type_.types, strict=True)])
    if type_.kind == "record":
        pairs = zip(type_.labels, type_.types, strict=True)
        return {label: from_wasmtime(getattr(value, label), part) for label, part in pairs}
    if type_.kind == "flags":
        return frozenset(value)
    return (value, None) if type_.kind == "enum" else value
