"""Rules of instructions on structures and arrays. Spec: core, 3.4.8."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from wasm2oci.engine.syntax.limits import MAX_ARRAY_NEW_FIXED
from wasm2oci.engine.syntax.matching import matches_value
from wasm2oci.engine.syntax.types import (
    ARRAYREF,
    I8,
    I16,
    I32,
    REF,
    REF_NULL,
    ArrayType,
    StructType,
    is_defaultable,
    unpacked,
)
from wasm2oci.engine.validate.algorithm import FunctionValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.types import (
        FieldType,
    )

__all__ = ["RULES"]

_V = FunctionValidator
_T = TypeVar("_T", StructType, ArrayType)
_PACKED = frozenset({I8, I16})


# --- structures ---------------------------------------------------------------------------------------------------


def _composite(v: _V, kind: type[_T], name: str) -> tuple[int, _T]:
    """A type of this kind that the instruction names: its id and itself."""
    index = v.reader.u32()
    types = v.context.types
    if index >= len(types):
        raise v.invalid(f"unknown type {index}")
    composite = types[index].composite
    if not isinstance(composite, kind):
        raise v.invalid(f"type mismatch: type {index} is not {name} type")
    return types[index].id, composite


def _struct(v: _V) -> tuple[int, StructType]:
    return _composite(v, StructType, "a structure")


def _struct_new(v: _V) -> None:
    id_, type_ = _struct(v)
    v.pop_vals(v.context.field_values(id_, type_))
    v.push_val(id_ << 8 | REF)


def _struct_new_default(v: _V) -> None:
    id_, type_ = _struct(v)
    if not v.context.all_defaultable(id_, type_):
        raise v.invalid("type mismatch: a field has no default value")
    v.push_val(id_ << 8 | REF)


def _field(v: _V) -> tuple[int, FieldType]:
    """A structure's id, and one of its fields."""
    id_, type_ = _struct(v)
    field = v.reader.u32()
    if field >= len(type_.fields):
        raise v.invalid(f"unknown field {field}")
    return id_, type_.fields[field]


def _struct_get(v: _V) -> None:
    id_, field = _field(v)
    _unpacked_only(v, field)
    v.pop_val(id_ << 8 | REF_NULL)
    v.push_val(field.storage)


def _struct_get_packed(v: _V) -> None:
    id_, field = _field(v)
    _packed_only(v, field)
    v.pop_val(id_ << 8 | REF_NULL)
    v.push_val(I32)


def _struct_set(v: _V) -> None:
    id_, field = _field(v)
    if not field.mutable:
        raise v.invalid("immutable field")
    v.pop_val(unpacked(field.storage))
    v.pop_val(id_ << 8 | REF_NULL)


def _unpacked_only(v: _V, field: FieldType) -> None:
    if field.storage in _PACKED:
        raise v.invalid("type mismatch: a packed field is read with _s or _u")


def _packed_only(v: _V, field: FieldType) -> None:
    if field.storage not in _PACKED:
        raise v.invalid("type mismatch: only a packed field is read with _s or _u")


# --- arrays -------------------------------------------------------------------------------------------------------


def _array(v: _V) -> tuple[int, FieldType]:
    """An array's id, and what its elements are."""
    id_, array = _composite(v, ArrayType, "an array")
    return id_, array.element


def _mutable_array(v: _V) -> tuple[int, FieldType]:
    id_, element = _array(v)
    if not element.mutable:
        raise v.invalid("immutable array")
    return id_, element


def _array_new(v: _V) -> None:
    id_, element = _array(v)
    v.pop_val(I32)
    v.pop_val(unpacked(element.storage))
    v.push_val(id_ << 8 | REF)


def _array_new_default(v: _V) -> None:
    id_, element = _array(v)
    if not is_defaultable(element.storage):
        raise v.invalid("type mismatch: the elements have no default value")
    v.pop_val(I32)
    v.push_val(id_ << 8 | REF)


def _array_new_fixed(v: _V) -> None:
    id_, element = _array(v)
    count = v.reader.u32()
    if count > MAX_ARRAY_NEW_FIXED:
        raise v.invalid(f"array too long: this engine's limit is {MAX_ARRAY_NEW_FIXED}")
    v.pop_vals((unpacked(element.storage),) * count)
    v.push_val(id_ << 8 | REF)


def _array_new_data(v: _V) -> None:
    id_, element = _array(v)
    v.data_index()
    _numbers_only(v, element)
    v.pop_val(I32)
    v.pop_val(I32)
    v.push_val(id_ << 8 | REF)


def _array_new_elem(v: _V) -> None:
    id_, element = _array(v)
    _elements_match(v, element)
    v.pop_val(I32)
    v.pop_val(I32)
    v.push_val(id_ << 8 | REF)


def _numbers_only(v: _V, element: FieldType) -> None:
    if element.storage > 0xFF:
        raise v.invalid("type mismatch: array type is not numeric or vector")


def _elements_match(v: _V, element: FieldType) -> None:
    segment = v.elem_index()
    if not matches_value(v.context.module.elements[segment].type, element.storage, v.defs):
        raise v.invalid("type mismatch: the segment holds other references than the array")


def _array_get(v: _V) -> None:
    id_, element = _array(v)
    _unpacked_only(v, element)
    v.pop_val(I32)
    v.pop_val(id_ << 8 | REF_NULL)
    v.push_val(element.storage)


def _array_get_packed(v: _V) -> None:
    id_, element = _array(v)
    _packed_only(v, element)
    v.pop_val(I32)
    v.pop_val(id_ << 8 | REF_NULL)
    v.push_val(I32)


def _array_set(v: _V) -> None:
    id_, element = _mutable_array(v)
    v.pop_val(unpacked(element.storage))
    v.pop_val(I32)
    v.pop_val(id_ << 8 | REF_NULL)


def _array_len(v: _V) -> None:
    v.pop_val(ARRAYREF)
    v.push_val(I32)


def _array_fill(v: _V) -> None:
    id_, element = _mutable_array(v)
    v.pop_val(I32)
    v.pop_val(unpacked(element.storage))
    v.pop_val(I32)
    v.pop_val(id_ << 8 | REF_NULL)


def _array_copy(v: _V) -> None:
    target_id, target = _mutable_array(v)
    source_id, source = _array(v)
    if not matches_value(source.storage, target.storage, v.defs):
        raise v.invalid("array types do not match")
    v.pop_val(I32)
    v.pop_val(I32)
    v.pop_val(source_id << 8 | REF_NULL)
    v.pop_val(I32)
    v.pop_val(target_id << 8 | REF_NULL)


def _array_init_data(v: _V) -> None:
    id_, element = _mutable_array(v)
    v.data_index()
    _numbers_only(v, element)
    _init_operands(v, id_)


def _array_init_elem(v: _V) -> None:
    id_, element = _mutable_array(v)
    _elements_match(v, element)
    _init_operands(v, id_)


def _init_operands(v: _V, id_: int) -> None:
    v.pop_val(I32)
    v.pop_val(I32)
    v.pop_val(I32)
    v.pop_val(id_ << 8 | REF_NULL)


RULES: dict[str, Callable[[FunctionValidator], None]] = {
    "struct.new": _struct_new,
    "struct.new_default": _struct_new_default,
    "struct.get": _struct_get,
    "struct.get_s": _struct_get_packed,
    "struct.get_u": _struct_get_packed,
    "struct.set": _struct_set,
    "array.new": _array_new,
    "array.new_default": _array_new_default,
    "array.new_fixed": _array_new_fixed,
    "array.new_data": _array_new_data,
    "array.new_elem": _array_new_elem,
    "array.get": _array_get,
    "array.get_s": _array_get_packed,
    "array.get_u": _array_get_packed,
    "array.set": _array_set,
    "array.len": _array_len,
    "array.fill": _array_fill,
    "array.copy": _array_copy,
    "array.init_data": _array_init_data,
    "array.init_elem": _array_init_elem,
}
