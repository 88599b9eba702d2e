"""Structures, arrays, scalars and casts."""

import pytest

from wasm2oci.engine.binary.types import host_function
from wasm2oci.engine.runtime import gc
from wasm2oci.engine.runtime.function import Function
from wasm2oci.engine.runtime.limits import ARRAY_CEILING
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.syntax.types import (
    ANY,
    ARRAY,
    EQ,
    EXTERN,
    F32,
    F64,
    FUNC,
    I8,
    I16,
    I31,
    I32,
    I64,
    NOEXTERN,
    NONE,
    STRUCT,
    ArrayType,
    DefType,
    FieldType,
    FuncType,
    StructType,
)

POINT = DefType(1000, StructType((FieldType(I32, mutable=True), FieldType(F64, mutable=False))), None, final=False)
SPOT = DefType(1001, StructType((*POINT.composite.fields, FieldType(I8, mutable=True))), POINT, final=True)  # type: ignore[union-attr] # a structure
BYTES, SHORTS, LONGS, FLOATS = (
    DefType(1010 + place, ArrayType(FieldType(storage, mutable=True)), None, final=True)
    for place, storage in enumerate((I8, I16, I64, F32))
)


def test_a_structure_matches_its_type_and_all_above() -> None:
    point, spot = gc.aggregate_class(POINT)(1, 2.0), gc.aggregate_class(SPOT)(1, 2.0, 3)
    assert (spot.f0, spot.f1, spot.f2) == (1, 2.0, 3)
    assert [gc.ref_test(spot, heap, 0) for heap in (1001, 1000, STRUCT, EQ, ANY, ARRAY, I31, NONE)] == [1] * 5 + [0] * 3
    assert gc.ref_test(point, 1001, 0) == 0
    assert gc.ref_cast(spot, 1000, 0) is spot
    with pytest.raises(Trap) as caught:
        gc.ref_cast(point, 1001, 1)
    assert caught.value.kind is TrapKind.CAST


def test_null_matches_nullable_types_only() -> None:
    assert [gc.ref_test(None, heap, nullable) for heap in (1000, NONE, NOEXTERN) for nullable in (0, 1)] == [0, 1] * 3


def test_default_structures_are_zero_and_null() -> None:
    made = gc.aggregate_class(SPOT).default()  # type: ignore[attr-defined] # classes of structures have it
    assert (made.f0, made.f1, made.f2) == (0, 0.0, 0)


def test_functions_and_externs_are_tested_in_their_own_hierarchies() -> None:
    type_ = host_function(FuncType((), ()))
    function = Function(type_, lambda: None)
    assert gc.matches(function, type_.id, nullable=False)
    assert gc.matches(function, FUNC, nullable=False)
    assert gc.matches("anything", EXTERN, nullable=False)
    assert not gc.matches("anything", NOEXTERN, nullable=False)


def test_scalars_are_equal_by_number_and_sign_extend() -> None:
    low, high = gc.ref_i31(5), gc.ref_i31(0xFFFFFFFF)
    assert gc.ref_eq(low, gc.ref_i31(5 | 1 << 31)) == 1
    assert gc.ref_eq(low, high) == 0
    assert gc.ref_eq(gc.aggregate_class(POINT)(0, 0.0), gc.aggregate_class(POINT)(0, 0.0)) == 0
    assert (gc.i31_get_u(high), gc.i31_get_s(high)) == (0x7FFFFFFF, 0xFFFFFFFF)
    with pytest.raises(Trap):
        gc.i31_get_s(None)


def test_host_objects_pass_through_the_any_hierarchy() -> None:
    thing = object()
    inner = gc.any_convert_extern(thing)
    assert gc.ref_test(inner, ANY, 0) == 1
    assert gc.ref_test(inner, EQ, 0) == 0
    assert gc.extern_convert_any(inner) is thing
    scalar = gc.ref_i31(1)
    assert gc.any_convert_extern(gc.extern_convert_any(scalar)) is scalar
    assert gc.any_convert_extern(None) is None


def test_arrays_are_read_from_data_by_their_element() -> None:
    data = bytes(range(1, 17))
    assert gc.array_new_data(gc.aggregate_class(BYTES), data, 2, 3).items == [3, 4, 5]
    assert gc.array_new_data(gc.aggregate_class(SHORTS), data, 0, 2).items == [0x0201, 0x0403]
    assert gc.array_new_data(gc.aggregate_class(LONGS), data, 8, 1).items == [0x100F0E0D0C0B0A09]
    assert gc.array_new_data(gc.aggregate_class(FLOATS), b"\0\0\x80\x3f", 0, 1).items == [1.0]
    with pytest.raises(Trap) as caught:
        gc.array_new_data(gc.aggregate_class(LONGS), data, 9, 1)
    assert caught.value.kind is TrapKind.MEMORY


def test_ranges_of_arrays_are_checked_before_anything_is_written() -> None:
    array = gc.aggregate_class(BYTES)([0, 1, 2, 3])
    gc.array_copy(array, 1, array, 0, 3)
    assert array.items == [0, 0, 1, 2]
    for act in (
        lambda: gc.array_fill(array, 2, 9, 3),
        lambda: gc.array_copy(array, 0, array, 2, 3),
        lambda: gc.array_copy(array, 2, array, 0, 3),
        lambda: gc.array_init_elem(array, 3, [1, 2], 0, 2),
        lambda: gc.array_get(array, 4),
        lambda: gc.array_set(array, 4, 0),
    ):
        with pytest.raises(Trap) as caught:
            act()
        assert caught.value.kind is TrapKind.ARRAY
    assert array.items == [0, 0, 1, 2]
    with pytest.raises(Trap) as caught:
        gc.array_get(None, 0)
    assert caught.value.kind is TrapKind.NULL_ARRAY


def test_a_gigantic_array_is_a_trap_before_it_is_made() -> None:
    with pytest.raises(Trap) as caught:
        gc.array_new(gc.aggregate_class(BYTES), 0, ARRAY_CEILING + 1)
    assert caught.value.kind is TrapKind.OUT_OF_MEMORY
