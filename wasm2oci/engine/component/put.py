"""Values into memory. Spec: component model, CanonicalABI.md, storing."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from wasm2oci.engine.component.abi import INTEGERS, MAX_BYTES, aligned, canonical, made, trap_if
from wasm2oci.engine.component.handles import Handle
from wasm2oci.engine.component.load import element_of
from wasm2oci.engine.syntax.values import cases_of, discriminant_size, kind_of, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.abi import Context
    from wasm2oci.engine.syntax.values import Val, ValueType

__all__ = ["lower_handle", "pack_flags", "put_elements", "put_list", "put_string", "storer"]

_PAIR = struct.Struct("<II")
_FLOATS = {"f32": struct.Struct("<f"), "f64": struct.Struct("<d")}
_WIDE = 1 << 31

Store = "Callable[[Context, Any, int], None]"


@made
def storer(type_: Val) -> Callable[[Context, Any, int], None]:
    """A function (context, value, address)."""
    if isinstance(type_, str):
        return _primitive(type_)
    kind = type_.kind
    if kind == "map" or (kind == "list" and type_.length is None):
        put = put_list(element_of(type_))
        return lambda context, value, at: _PAIR.pack_into(context.data, at, *put(context, value))
    if kind == "list":
        return _fixed_list(type_)
    if kind in {"own", "borrow"}:
        return lambda context, value, at: _put(context, lower_handle(context, value, type_), at, 4)
    if kind in {"stream", "future"}:
        return lambda context, value, at: _put(context, context.handles.add(value.readable(type_)), at, 4)
    if kind == "flags":
        size = layout(type_)[1]
        return lambda context, value, at: _put(context, pack_flags(type_, value), at, size)
    if cases_of(type_) is not None:
        return _variant(type_)
    return _record(type_)


def _put(context: Context, number: int, at: int, size: int) -> None:
    context.data[at : at + size] = number.to_bytes(size, "little")


def _primitive(type_: str) -> Callable[[Context, Any, int], None]:
    if type_ in INTEGERS:
        size = INTEGERS[type_][0]
        mask = (1 << 8 * size) - 1
        return lambda context, value, at: _put(context, int(value) & mask, at, size)
    if type_ in _FLOATS:
        pack = _FLOATS[type_].pack_into
        return lambda context, value, at: pack(context.data, at, canonical(value))
    if type_ == "char":
        return lambda context, value, at: _put(context, ord(value), at, 4)
    if type_ == "error-context":
        return lambda context, value, at: _put(context, context.handles.add(value), at, 4)
    return lambda context, value, at: _PAIR.pack_into(context.data, at, *put_string(context, value))


def _fixed_list(type_: ValueType) -> Callable[[Context, Any, int], None]:
    size, store, count = layout(type_.types[0])[1], storer(type_.types[0]), type_.length or 0

    def put(context: Context, value: Any, at: int) -> None:
        for place, one in zip(range(at, at + size * count, size), value, strict=True):
            store(context, one, place)

    return put


def _record(type_: ValueType) -> Callable[[Context, Any, int], None]:
    parts, offset = [], 0
    for field in type_.types:
        alignment, size = layout(field)
        offset = aligned(offset, alignment)
        parts.append((storer(field), offset))
        offset += size
    labels = type_.labels
    if type_.kind != "record":

        def put_tuple(context: Context, value: Any, at: int) -> None:
            for one, (store, place) in zip(value, parts, strict=True):
                store(context, one, at + place)

        return put_tuple

    def put_record(context: Context, value: Any, at: int) -> None:
        for label, (store, place) in zip(labels, parts, strict=True):
            store(context, value[label], at + place)

    return put_record


def _variant(type_: ValueType) -> Callable[[Context, Any, int], None]:
    cases = cases_of(type_) or ()
    size = discriminant_size(len(cases))
    offset = aligned(size, max([1, *[layout(case)[0] for _, case in cases if case is not None]]))
    stores = {label: (number, None if case is None else storer(case)) for number, (label, case) in enumerate(cases)}

    def put(context: Context, value: Any, at: int) -> None:
        number, inner = stores[value[0]]
        _put(context, number, at, size)
        if inner is not None:
            inner(context, value[1], at + offset)

    return put


def pack_flags(type_: ValueType, value: Any) -> int:
    """Flags as bits."""
    return sum(1 << place for place, label in enumerate(type_.labels) if label in value)


def lower_handle(context: Context, rep: Any, type_: ValueType) -> int:
    """The index of a new handle; for a `borrow` of its own resource type a component gets what represents it."""
    resource = type_.types[0]
    if type_.kind == "own":
        return context.handles.add(Handle(resource, rep))
    if resource.owner is not None and resource.owner.handles is context.handles:
        return int(rep)
    assert context.scope is not None  # noqa: S101 - borrows are parameters only, and calls have a scope
    return context.handles.lower_borrow(rep, resource, context.scope)


@made
def put_list(type_: Val) -> Callable[[Context, Any], tuple[int, int]]:
    """A function (context, elements) -> address and count."""
    alignment, size = layout(type_)
    store = put_elements(type_)
    octets = kind_of(type_) == "u8"

    def put(context: Context, value: Any) -> tuple[int, int]:
        trap_if(len(value) * size > MAX_BYTES, "list too long")
        at = context.allocate(len(value) * size, alignment)
        if octets and isinstance(value, bytes | bytearray):
            context.data[at : at + len(value)] = value
        else:
            store(context, value, at)
        return at, len(value)

    return put


@made
def put_elements(type_: Val) -> Callable[[Context, Any, int], None]:
    """A function (context, elements, address) that stores one element after the other."""
    size = layout(type_)[1]
    store = storer(type_)
    octets = kind_of(type_) == "u8"

    def put(context: Context, value: Any, at: int) -> None:
        if octets and isinstance(value, bytes | bytearray):
            context.data[at : at + len(value)] = value
        else:
            for place, one in enumerate(value):
                store(context, one, at + place * size)

    return put


def put_string(context: Context, value: str) -> tuple[int, int]:
    """A string: its address, and how many code units it has."""
    encoding = context.encoding
    if encoding == "utf8":
        raw, unit, alignment = value.encode("utf-8", "replace"), 1, 1
    elif encoding == "utf16":
        raw, unit, alignment = value.encode("utf-16-le", "replace"), 2, 2
    else:
        alignment = 2
        try:
            raw, unit = value.encode("latin-1"), 1
        except UnicodeEncodeError:
            raw, unit = value.encode("utf-16-le", "replace"), 2
    trap_if(len(raw) > MAX_BYTES, "string too long")
    at = context.allocate(len(raw), alignment)
    context.data[at : at + len(raw)] = raw
    units = len(raw) // unit
    return at, units | _WIDE if encoding == "latin1+utf16" and unit == 2 else units
