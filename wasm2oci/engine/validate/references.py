"""Rules of reference instructions and casts. Spec: core, 3.4.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax.matching import matches_value, top_of
from wasm2oci.engine.syntax.types import (
    ANY,
    ANYREF,
    BOT,
    EXTERN,
    EXTERNREF,
    I8,
    I16,
    I32,
    REF,
    REF_NULL,
    ref,
)
from wasm2oci.engine.validate.algorithm import FunctionValidator

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RULES"]

_V = FunctionValidator
_PACKED = frozenset({I8, I16})
_SOURCE_NULL, _TARGET_NULL = 1, 2  # bits of the cast flags


def _not_null(type_: int) -> int:
    return type_ & ~0xFF | REF


def _ref_null(v: _V) -> None:
    v.push_val(v.types.heap(v.reader) << 8 | REF_NULL)


def _ref_func(v: _V) -> None:
    index = v.reader.u32()
    context = v.context
    if index >= len(context.funcs):
        raise v.invalid(f"unknown function {index}")
    if index not in context.refs:
        raise v.invalid(f"undeclared function reference {index}")
    v.push_val(context.types[context.funcs[index]].id << 8 | REF)


def _ref_is_null(v: _V) -> None:
    v.pop_ref()
    v.push_val(I32)


def _ref_as_non_null(v: _V) -> None:
    v.push_val(_not_null(v.pop_ref()))


def _br_on_null(v: _V) -> None:
    label = v.label(v.reader.u32())
    type_ = v.pop_ref()
    v.pop_vals(label)
    v.push_vals(label)
    v.push_val(_not_null(type_))


def _br_on_non_null(v: _V) -> None:
    label = v.label(v.reader.u32())
    if not label or label[-1] <= 0xFF:
        raise v.invalid("type mismatch: the label takes no reference")
    type_ = v.pop_ref()
    if not matches_value(_not_null(type_), label[-1], v.defs):
        raise v.invalid(f"type mismatch: expected {v.context.text(label[-1])}, found {v.context.text(type_)}")
    v.pop_vals(label[:-1])
    v.push_vals(label[:-1])


# --- casts ------------------------------------------------------------------------------------------------------


def _test(v: _V) -> None:
    heap = v.types.heap(v.reader)
    v.pop_val(ref(top_of(heap, v.defs), nullable=True))
    v.push_val(I32)


def _cast(v: _V) -> None:
    _cast_to(v, REF)


def _cast_null(v: _V) -> None:
    _cast_to(v, REF_NULL)


def _cast_to(v: _V, null: int) -> None:
    heap = v.types.heap(v.reader)
    v.pop_val(ref(top_of(heap, v.defs), nullable=True))
    v.push_val(heap << 8 | null)


def _br_on_cast(v: _V) -> None:
    label, source, target, rest = _cast_branch(v)
    _branch(v, label, source, taken=target, kept=rest)


def _br_on_cast_fail(v: _V) -> None:
    label, source, target, rest = _cast_branch(v)
    _branch(v, label, source, taken=rest, kept=target)


def _cast_branch(v: _V) -> tuple[tuple[int, ...], int, int, int]:
    """The label's types, the source type, the target type, and what is left of the source without the target."""
    reader = v.reader
    flags = reader.byte()
    if flags > (_SOURCE_NULL | _TARGET_NULL):
        raise MalformedError("malformed br_on_cast flags", v.at)
    label = v.label(reader.u32())
    source = ref(v.types.heap(reader), nullable=bool(flags & _SOURCE_NULL))
    target = ref(v.types.heap(reader), nullable=bool(flags & _TARGET_NULL))
    if not matches_value(target, source, v.defs):
        raise v.invalid("type mismatch: the target of the cast is no subtype of its source")
    return label, source, target, _not_null(source) if flags & _TARGET_NULL else source


def _branch(v: _V, label: tuple[int, ...], source: int, *, taken: int, kept: int) -> None:
    if not label or not matches_value(taken, label[-1], v.defs):
        raise v.invalid("type mismatch: the label does not take what is cast")
    v.pop_val(source)
    v.pop_vals(label[:-1])
    v.push_vals(label[:-1])
    v.push_val(kept)


def _any_convert_extern(v: _V) -> None:
    _convert(v, EXTERNREF, ANY)


def _extern_convert_any(v: _V) -> None:
    _convert(v, ANYREF, EXTERN)


def _convert(v: _V, source: int, heap: int) -> None:
    actual = v.pop_val(source)
    v.push_val(heap << 8 | (REF if actual == BOT else actual & 0xFF))


RULES: dict[str, Callable[[FunctionValidator], None]] = {
    "ref.null": _ref_null,
    "ref.func": _ref_func,
    "ref.is_null": _ref_is_null,
    "ref.as_non_null": _ref_as_non_null,
    "br_on_null": _br_on_null,
    "br_on_non_null": _br_on_non_null,
    "ref.test": _test,
    "ref.test_null": _test,
    "ref.cast": _cast,
    "ref.cast_null": _cast_null,
    "br_on_cast": _br_on_cast,
    "br_on_cast_fail": _br_on_cast_fail,
    "any.convert_extern": _any_convert_extern,
    "extern.convert_any": _extern_convert_any,
}
