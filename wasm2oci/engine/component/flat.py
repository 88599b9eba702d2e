"""Values as core values. Spec: component model, CanonicalABI.md, flat lifting and flat lowering."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from wasm2oci.engine.component.abi import INTEGERS, canonical, char, made, trap_if
from wasm2oci.engine.component.handles import ErrorContext
from wasm2oci.engine.component.load import element_of, elements, load_string, unpack_flags
from wasm2oci.engine.component.put import lower_handle, pack_flags, put_list, put_string
from wasm2oci.engine.syntax.types import F32, F64, I32
from wasm2oci.engine.syntax.values import cases_of, flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.engine.component.abi import Context
    from wasm2oci.engine.syntax.values import Val, ValueType

__all__ = ["lifter", "lowerer"]

_MASK = 0xFFFFFFFF


@made
def lifter(type_: Val) -> Callable[[Context, Iterator[Any]], Any]:
    """A function (context, core values) -> value."""
    if isinstance(type_, str):
        return _lift_primitive(type_)
    kind = type_.kind
    if kind == "map" or (kind == "list" and type_.length is None):
        read = elements(element_of(type_))
        return lambda context, flat: read(context, next(flat), next(flat))
    if kind == "own":
        return lambda context, flat: context.handles.lift_own(next(flat), type_.types[0])
    if kind == "borrow":
        return lambda context, flat: context.handles.lift_borrow(next(flat), type_.types[0], context.lenders)
    if kind in {"stream", "future"}:
        return lambda context, flat: context.handles.lift_end(next(flat), type_)
    if kind == "flags":
        return lambda _, flat: unpack_flags(type_, next(flat))
    if cases_of(type_) is not None:
        return _lift_variant(type_)
    parts = [lifter(field) for field in type_.types * (type_.length or 1)]
    if kind == "record":
        labels = type_.labels
        return lambda context, flat: {label: lift(context, flat) for label, lift in zip(labels, parts, strict=True)}
    make = tuple if kind == "tuple" else list
    return lambda context, flat: make([lift(context, flat) for lift in parts])


def _lift_primitive(type_: str) -> Callable[[Context, Iterator[Any]], Any]:
    if type_ == "bool":
        return lambda _, flat: next(flat) & _MASK != 0
    if type_ in INTEGERS:
        size, signed = INTEGERS[type_]
        mask, half = (1 << 8 * size) - 1, 1 << 8 * size - 1
        if signed:
            return lambda _, flat: ((next(flat) & mask) ^ half) - half
        return lambda _, flat: next(flat) & mask
    if type_ in {"f32", "f64"}:
        return lambda _, flat: canonical(next(flat))
    if type_ == "char":
        return lambda _, flat: char(next(flat))
    if type_ == "error-context":
        return lambda context, flat: context.handles.entry(next(flat), ErrorContext)
    return lambda context, flat: load_string(context, next(flat), next(flat))


def _lift_variant(type_: ValueType) -> Callable[[Context, Iterator[Any]], Any]:
    whole = (flatten(type_) or ())[1:]
    cases = [
        (label, None if case is None else lifter(case), () if case is None else flatten(case) or ())
        for label, case in cases_of(type_) or ()
    ]

    def lift(context: Context, flat: Iterator[Any]) -> Any:
        number = next(flat)
        trap_if(number >= len(cases), "invalid variant discriminant")
        given = [next(flat) for _ in whole]
        label, inner, wanted = cases[number]
        if inner is None:
            return label, None
        joined = zip(given, whole, wanted, strict=False)
        return label, inner(context, iter([_narrowed(value, has, wants) for value, has, wants in joined]))

    return lift


def _narrowed(value: Any, has: int, wants: int) -> Any:
    """A core value that was widened so that several cases share it."""
    if has == wants:
        return value
    if wants == F32:
        return struct.unpack("<f", struct.pack("<I", value & _MASK))[0]
    if wants == F64:
        return struct.unpack("<d", struct.pack("<Q", value))[0]
    return value & _MASK if wants == I32 else value


def _widened(value: Any, has: int, wants: int) -> Any:
    """A core value that shares its place with those of other cases."""
    if has == wants:
        return value
    if has == F32:
        return int.from_bytes(struct.pack("<f", value), "little")
    return int.from_bytes(struct.pack("<d", value), "little") if has == F64 else value


@made
def lowerer(type_: Val) -> Callable[[Context, Any, list[Any]], None]:
    """A function (context, value, list that gets core values)."""
    if isinstance(type_, str):
        return _lower_primitive(type_)
    kind = type_.kind
    if kind == "map" or (kind == "list" and type_.length is None):
        put = put_list(element_of(type_))
        return lambda context, value, out: out.extend(put(context, value))
    if kind in {"own", "borrow"}:
        return lambda context, value, out: out.append(lower_handle(context, value, type_))
    if kind in {"stream", "future"}:
        return lambda context, value, out: out.append(context.handles.add(value.readable(type_)))
    if kind == "flags":
        return lambda _, value, out: out.append(pack_flags(type_, value))
    if cases_of(type_) is not None:
        return _lower_variant(type_)
    parts = [lowerer(field) for field in type_.types * (type_.length or 1)]
    labels = type_.labels

    def lower(context: Context, value: Any, out: list[Any]) -> None:
        values = [value[label] for label in labels] if kind == "record" else value
        for one, part in zip(values, parts, strict=True):
            part(context, one, out)

    return lower


def _lower_primitive(type_: str) -> Callable[[Context, Any, list[Any]], None]:
    if type_ in INTEGERS:
        mask = (1 << 64) - 1 if INTEGERS[type_][0] == 8 else _MASK
        return lambda _, value, out: out.append(int(value) & mask)
    if type_ in {"f32", "f64"}:
        return lambda _, value, out: out.append(canonical(value))
    if type_ == "char":
        return lambda _, value, out: out.append(ord(value))
    if type_ == "error-context":
        return lambda context, value, out: out.append(context.handles.add(value))
    return lambda context, value, out: out.extend(put_string(context, value))


def _lower_variant(type_: ValueType) -> Callable[[Context, Any, list[Any]], None]:
    whole = (flatten(type_) or ())[1:]
    cases = {
        label: (number, None if case is None else lowerer(case), () if case is None else flatten(case) or ())
        for number, (label, case) in enumerate(cases_of(type_) or ())
    }

    def lower(context: Context, value: Any, out: list[Any]) -> None:
        number, inner, has = cases[value[0]]
        mine: list[Any] = []
        if inner is not None:
            inner(context, value[1], mine)
        out.append(number)
        out += [_widened(one, its, wants) for one, its, wants in zip(mine, has, whole, strict=False)]
        out += [0.0 if core in {F32, F64} else 0 for core in whole[len(mine) :]]

    return lower
