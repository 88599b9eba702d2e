"""Values out of memory. Spec: component model, CanonicalABI.md, loading."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from wasm2oci.engine.component.abi import INTEGERS, MAX_BYTES, MAX_ELEMENTS, aligned, canonical, char, made, trap_if
from wasm2oci.engine.component.handles import ErrorContext
from wasm2oci.engine.syntax.values import ValueType, cases_of, discriminant_size, kind_of, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.abi import Context
    from wasm2oci.engine.syntax.values import Val

__all__ = ["elements", "load_string", "loader", "unpack_flags"]

_PAIR = struct.Struct("<II")
_FLOATS = {"f32": struct.Struct("<f"), "f64": struct.Struct("<d")}
_WIDE = 1 << 31


@made
def loader(type_: Val) -> Callable[[Context, int], Any]:
    """A function (context, address) -> value."""
    if isinstance(type_, str):
        return _primitive(type_)
    kind = type_.kind
    if kind == "map" or (kind == "list" and type_.length is None):
        read = elements(element_of(type_))
        return lambda context, at: read(context, *_PAIR.unpack_from(context.data, at))
    if kind == "list":
        return _fixed_list(type_)
    if kind in {"own", "borrow"}:
        resource = type_.types[0]
        if kind == "own":
            return lambda context, at: context.handles.lift_own(_u32(context, at), resource)
        return lambda context, at: context.handles.lift_borrow(_u32(context, at), resource, context.lenders)
    if kind in {"stream", "future"}:
        return lambda context, at: context.handles.lift_end(_u32(context, at), type_)
    if kind == "flags":
        size = layout(type_)[1]
        return lambda context, at: unpack_flags(type_, int.from_bytes(context.data[at : at + size], "little"))
    if cases_of(type_) is not None:
        return _variant(type_)
    return _record(type_)


def _u32(context: Context, at: int) -> int:
    return int.from_bytes(context.data[at : at + 4], "little")


def _primitive(type_: str) -> Callable[[Context, int], Any]:
    if type_ == "bool":
        return lambda context, at: context.data[at] != 0
    if type_ in INTEGERS:
        size, signed = INTEGERS[type_]
        return lambda context, at: int.from_bytes(context.data[at : at + size], "little", signed=signed)
    if type_ in _FLOATS:
        unpack = _FLOATS[type_].unpack_from
        return lambda context, at: canonical(unpack(context.data, at)[0])
    if type_ == "char":
        return lambda context, at: char(_u32(context, at))
    if type_ == "error-context":
        return lambda context, at: context.handles.entry(_u32(context, at), ErrorContext)
    return lambda context, at: load_string(context, *_PAIR.unpack_from(context.data, at))


def element_of(type_: ValueType) -> Val:
    """The type of the elements of a list; a map is a list of pairs."""
    if type_.kind != "map":
        element: Val = type_.types[0]
        return element
    pair = type_.codecs.get("pair")
    if pair is None:
        pair = type_.codecs["pair"] = ValueType("tuple", (), type_.types)
    return pair


@made
def elements(type_: Val) -> Callable[[Context, int, int], Any]:
    """A function (context, address, count) -> the elements of a list."""
    alignment, size = layout(type_)
    load = loader(type_)
    octets = kind_of(type_) == "u8"

    def read(context: Context, at: int, count: int) -> Any:
        trap_if(count * size > MAX_BYTES, "list too long")
        trap_if(count > MAX_ELEMENTS and not octets, "list of more elements than this engine keeps")
        context.check(at, count * size, alignment, "list pointer/length")
        context.charge(count * size, 0 if octets else count)
        if octets:
            return bytes(context.data[at : at + count])
        return [load(context, place) for place in range(at, at + size * count, size)]

    return read


def _fixed_list(type_: ValueType) -> Callable[[Context, int], Any]:
    size, load, count = layout(type_.types[0])[1], loader(type_.types[0]), type_.length or 0

    def read(context: Context, at: int) -> list[Any]:
        trap_if(count > MAX_ELEMENTS, "list of more elements than this engine keeps")
        context.charge(0, count)
        return [load(context, place) for place in range(at, at + size * count, size)]

    return read


def _record(type_: ValueType) -> Callable[[Context, int], Any]:
    parts, offset = [], 0
    for field in type_.types:
        alignment, size = layout(field)
        offset = aligned(offset, alignment)
        parts.append((loader(field), offset))
        offset += size
    labels = type_.labels
    if type_.kind == "record":
        return lambda context, at: {
            label: load(context, at + place) for label, (load, place) in zip(labels, parts, strict=True)
        }
    return lambda context, at: tuple([load(context, at + place) for load, place in parts])


def _variant(type_: ValueType) -> Callable[[Context, int], Any]:
    cases = cases_of(type_) or ()
    size = discriminant_size(len(cases))
    offset = aligned(size, max([1, *[layout(case)[0] for _, case in cases if case is not None]]))
    loads = [(label, None if case is None else loader(case)) for label, case in cases]

    def load(context: Context, at: int) -> Any:
        number = int.from_bytes(context.data[at : at + size], "little")
        trap_if(number >= len(loads), "invalid variant discriminant")
        label, inner = loads[number]
        return label, None if inner is None else inner(context, at + offset)

    return load


def unpack_flags(type_: ValueType, bits: int) -> frozenset[str]:
    """The labels whose bits are set."""
    return frozenset(label for place, label in enumerate(type_.labels) if bits >> place & 1)


def load_string(context: Context, at: int, units: int) -> str:
    """A string of so many code units."""
    encoding, wide = context.encoding, context.encoding == "utf16"
    if encoding == "latin1+utf16":
        wide = bool(units & _WIDE)
        units &= _WIDE - 1
    size = units * (2 if wide else 1)
    trap_if(size > MAX_BYTES, "string too long")
    context.check(at, size, 1 if encoding == "utf8" else 2, "string pointer/length")
    context.charge(size)
    codec = "utf-16-le" if wide else "utf-8" if encoding == "utf8" else "latin-1"
    try:
        return bytes(context.data[at : at + size]).decode(codec)
    except UnicodeDecodeError:
        trap_if(condition=True, why=f"invalid {codec.removesuffix('-le')} encoding")
        raise
