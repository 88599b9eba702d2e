"""Structures, arrays and the other references of the `any` hierarchy.

Every reference of that hierarchy, and every function, has an attribute `above`: the heap types it matches, abstract
and concrete. Ids of concrete types are the same in all modules, so a cast is one test for membership, wherever the
object was made. Null is None and has no attributes; reaching into it is an `AttributeError`, which generated code
turns into the trap.

A structure is an instance of a class made for its type, with slots `f0`, `f1`, ... for its fields; an array holds a
list. Packed fields are kept as unsigned numbers of their width.

Spec: core, Execution, Runtime structure, Structures and Arrays; Instructions, Aggregate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.runtime.limits import ARRAY_CEILING, ELEMENT, ResourceLimits
from wasm2oci.engine.runtime.trap import Trap, TrapKind
from wasm2oci.engine.syntax.types import (
    ANY,
    ARRAY,
    EQ,
    EXN,
    EXTERN,
    F32,
    F64,
    I8,
    I16,
    I31,
    I32,
    I64,
    NOEXN,
    NOEXTERN,
    NOFUNC,
    NONE,
    STRUCT,
    V128,
    ArrayType,
    FuncType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.types import DefType, StructType

__all__ = [
    "ArrayObject",
    "HeapReference",
    "HostObject",
    "I31Object",
    "StructObject",
    "aggregate_class",
    "any_convert_extern",
    "array_copy",
    "array_fill",
    "array_get",
    "array_init_data",
    "array_init_elem",
    "array_new",
    "array_new_data",
    "array_new_elem",
    "array_set",
    "default_value",
    "extern_convert_any",
    "i31_get_s",
    "i31_get_u",
    "matches",
    "ref_cast",
    "ref_eq",
    "ref_i31",
    "ref_test",
]

LARGE: Final = 1024
"""Elements from which on an array is charged to its instance's account; counting smaller ones would cost too much."""

_UNPACKERS: Final[dict[int, tuple[int, Callable[[bytes], Any]]]] = {
    I8: (1, lambda raw: raw[0]),
    I16: (2, lambda raw: int.from_bytes(raw, "little")),
    I32: (4, lambda raw: int.from_bytes(raw, "little")),
    I64: (8, lambda raw: int.from_bytes(raw, "little")),
    F32: (4, lambda raw: numeric.f32_from_bits(int.from_bytes(raw, "little"))),
    F64: (8, lambda raw: numeric.f64_from_bits(int.from_bytes(raw, "little"))),
    V128: (16, lambda raw: int.from_bytes(raw, "little")),
}

_UNDIVIDED: Final = frozenset({EXTERN, EXN})  # tops without types between them and their bottoms: no `above` is asked
_UNINHABITED: Final = frozenset({NONE, NOFUNC, NOEXTERN, NOEXN})


class HeapReference:
    """Anything but null that an `anyref` can be."""

    __slots__ = ()

    above: ClassVar[frozenset[int]] = frozenset({ANY})


class I31Object(HeapReference):
    """An unboxed scalar. Two are the same reference when their numbers are equal.

    Args:
        value: 31 bits, unsigned.
    """

    __slots__ = ("value",)

    above = frozenset({I31, EQ, ANY})

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, I31Object) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"<i31 {self.value}>"


class HostObject(HeapReference):
    """A host's object, brought into the `any` hierarchy by `any.convert_extern`.

    Args:
        value: what the `externref` was.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"<host object {self.value!r}>"


class StructObject(HeapReference):
    """A structure; its class is made by `aggregate_class` and knows the type."""

    __slots__ = ()

    above = frozenset({STRUCT, EQ, ANY})
    type_: ClassVar[DefType]

    def __repr__(self) -> str:
        return f"<struct of {len(self.__slots__)}>"


class ArrayObject(HeapReference):
    """An array; its class is made by `aggregate_class` and knows the type.

    Args:
        items: its elements; owned by the array from now on.
    """

    __slots__ = ("items",)

    above = frozenset({ARRAY, EQ, ANY})
    type_: ClassVar[DefType]

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<array of {len(self.items)}>"


def default_value(storage: int) -> Any:
    """The default of a storage or value type: zero, or null."""
    return 0.0 if storage in {F32, F64} else None if storage > 0xFF else 0


def aggregate_class(type_: DefType, limits: ResourceLimits | None = None) -> Callable[..., Any]:
    """The class of a structure or array type.

    Args:
        type_: defined in some module.
        limits: whose account large arrays are charged to.

    Returns:
        For a structure, a class to call with the fields' values; its attribute `default` is a callable that makes one
        with default values, where the type has them. For an array, a class to call with the list of elements.
    """
    composite = type_.composite
    if isinstance(composite, FuncType):
        raise AssertionError("functions have no class")  # noqa: TRY004 -- a bug here, not of a caller
    if isinstance(composite, ArrayType):
        return _array_class(type_, limits or ResourceLimits())
    return _struct_class(type_, composite)


def _array_class(type_: DefType, limits: ResourceLimits) -> Callable[..., Any]:
    common = {"__slots__": (), "above": type_.above, "type_": type_, "limits": limits}

    def give_back(array: ArrayObject) -> None:
        limits.give(len(array.items) * ELEMENT)

    created = type("Array", (ArrayObject,), dict(common))
    created.large = type("LargeArray", (ArrayObject,), {**common, "__del__": give_back})  # type: ignore[attr-defined]
    return created


def _struct_class(type_: DefType, composite: StructType) -> Callable[..., Any]:
    # A constructor with the fields spelled out is several times faster than one that loops over them.
    fields = [f"f{i}" for i in range(len(composite.fields))]
    defaults: dict[str, Any] = {}
    body = "".join(f"\n self.{field} = {field}" for field in fields) or "\n pass"
    parameters = "".join(f", {field}" for field in fields)
    exec(f"def __init__(self{parameters}):{body}", {"__builtins__": {}}, defaults)  # noqa: S102 -- only field numbers
    created = type(
        "Struct",
        (StructObject,),
        {"__slots__": tuple(fields), "above": type_.above, "type_": type_, "__init__": defaults["__init__"]},
    )
    values = [default_value(field.storage) for field in composite.fields]
    created.default = staticmethod(lambda: created(*values))  # type: ignore[attr-defined] # classes made here have it
    return created


# --- references --------------------------------------------------------------------------------
def matches(reference: Any, heap: int, *, nullable: bool) -> bool:
    """Whether a reference matches a reference type of its own hierarchy."""
    if reference is None:
        return nullable
    if heap in _UNDIVIDED:
        return True
    if heap in _UNINHABITED:
        return False
    above: frozenset[int] = reference.above
    return heap in above


def ref_test(reference: Any, heap: int, nullable: int) -> int:
    """1 if a reference matches, else 0. Spec: ref.test."""
    return 1 if matches(reference, heap, nullable=bool(nullable)) else 0


def ref_cast(reference: Any, heap: int, nullable: int) -> Any:
    """The reference, if it matches. Spec: ref.cast."""
    if matches(reference, heap, nullable=bool(nullable)):
        return reference
    raise Trap(TrapKind.CAST)


def ref_eq(a: Any, b: Any) -> int:
    """1 if two references are the same, else 0. Spec: ref.eq."""
    return 1 if a is b or (a.__class__ is I31Object and a == b) else 0


def ref_i31(value: int) -> I31Object:
    """A scalar of the low 31 bits. Spec: ref.i31."""
    return I31Object(value & 0x7FFFFFFF)


def i31_get_u(reference: I31Object | None) -> int:
    """The scalar, zero-extended. Spec: i31.get_u."""
    if reference is None:
        raise Trap(TrapKind.NULL_I31)
    return reference.value


def i31_get_s(reference: I31Object | None) -> int:
    """The scalar, sign-extended. Spec: i31.get_s."""
    if reference is None:
        raise Trap(TrapKind.NULL_I31)
    return reference.value | (reference.value & 0x40000000) << 1


def any_convert_extern(reference: Any) -> Any:
    """The inner reference of an external one. Spec: any.convert_extern."""
    return reference if reference is None or isinstance(reference, HeapReference) else HostObject(reference)


def extern_convert_any(reference: Any) -> Any:
    """The external reference of an inner one. Spec: extern.convert_any."""
    return reference.value if reference.__class__ is HostObject else reference


# --- arrays ------------------------------------------------------------------------------------
def array_new(class_: Callable[..., Any], value: Any, count: int) -> ArrayObject:
    """A new array of one value; a packed one comes masked. Spec: array.new, array.new_default."""
    if count > ARRAY_CEILING:
        raise Trap(TrapKind.OUT_OF_MEMORY, f"an array of {count} elements")
    if count < LARGE:
        made: ArrayObject = class_([value] * count)
        return made
    return _large(class_, count, lambda: [value] * count)


def _large(class_: Callable[..., Any], count: int, items: Callable[[], list[Any]]) -> ArrayObject:
    """An array that is charged to the account of its instance, and gives back when it is collected."""
    limits: ResourceLimits = class_.limits  # type: ignore[attr-defined] # the classes of `aggregate_class` have it
    if not limits.take(count * ELEMENT):
        raise Trap(TrapKind.OUT_OF_MEMORY, f"an array of {count} elements")
    try:
        made: ArrayObject = class_.large(items())  # type: ignore[attr-defined] # the same
    except MemoryError:
        limits.give(count * ELEMENT)
        raise
    return made


def _items(array: ArrayObject | None) -> list[Any]:
    if array is None:
        raise Trap(TrapKind.NULL_ARRAY)
    return array.items


def array_get(array: ArrayObject | None, index: int) -> Any:
    """An element as stored. Spec: array.get."""
    items = _items(array)
    if index >= len(items):
        raise Trap(TrapKind.ARRAY)
    return items[index]


def array_set(array: ArrayObject | None, index: int, value: Any) -> None:
    """Replaces an element; a packed one comes masked. Spec: array.set."""
    items = _items(array)
    if index >= len(items):
        raise Trap(TrapKind.ARRAY)
    items[index] = value


def array_fill(array: ArrayObject | None, start: int, value: Any, count: int) -> None:
    """Sets a range to one value; a packed one comes masked. Spec: array.fill."""
    items = _items(array)
    if start + count > len(items):
        raise Trap(TrapKind.ARRAY)
    items[start : start + count] = [value] * count


def array_copy(to: ArrayObject | None, at: int, source: ArrayObject | None, start: int, count: int) -> None:
    """Copies a range between arrays, perhaps the same. Spec: array.copy."""
    target, origin = _items(to), _items(source)
    if at + count > len(target) or start + count > len(origin):
        raise Trap(TrapKind.ARRAY)
    target[at : at + count] = origin[start : start + count]


def _element_type(type_: DefType) -> int:
    if not isinstance(type_.composite, ArrayType):
        raise AssertionError("not an array type")  # noqa: TRY004 -- a bug here, not of a caller
    return type_.composite.element.storage


def _decode(storage: int, segment: bytes | memoryview, start: int, count: int) -> list[Any]:
    size, unpack = _UNPACKERS[storage]
    if start + count * size > len(segment):
        raise Trap(TrapKind.MEMORY)
    raw = bytes(segment[start : start + count * size])
    return list(raw) if size == 1 else [unpack(raw[i : i + size]) for i in range(0, len(raw), size)]


def array_new_data(class_: Callable[..., Any], segment: bytes | memoryview, start: int, count: int) -> ArrayObject:
    """A new array, its elements decoded from a data segment. Spec: array.new_data."""
    type_: DefType = class_.type_  # type: ignore[attr-defined] # the classes of `aggregate_class` have it
    if start + count * _UNPACKERS[_element_type(type_)][0] > len(segment):
        raise Trap(TrapKind.MEMORY)
    if count < LARGE:
        made: ArrayObject = class_(_decode(_element_type(type_), segment, start, count))
        return made
    return _large(class_, count, lambda: _decode(_element_type(type_), segment, start, count))


def array_new_elem(class_: Callable[..., Any], segment: list[Any], start: int, count: int) -> ArrayObject:
    """A new array of references from an element segment. Spec: array.new_elem."""
    if start + count > len(segment):
        raise Trap(TrapKind.TABLE)
    if count < LARGE:
        made: ArrayObject = class_(segment[start : start + count])
        return made
    return _large(class_, count, lambda: segment[start : start + count])


def array_init_data(array: ArrayObject | None, at: int, segment: bytes | memoryview, start: int, count: int) -> None:
    """Overwrites a range with elements decoded from a data segment. Spec: array.init_data."""
    items = _items(array)
    if at + count > len(items) or array is None:
        raise Trap(TrapKind.ARRAY)
    items[at : at + count] = _decode(_element_type(array.type_), segment, start, count)


def array_init_elem(array: ArrayObject | None, at: int, segment: list[Any], start: int, count: int) -> None:
    """Overwrites a range with references from an element segment. Spec: array.init_elem."""
    items = _items(array)
    if at + count > len(items):
        raise Trap(TrapKind.ARRAY)
    if start + count > len(segment):
        raise Trap(TrapKind.TABLE)
    items[at : at + count] = segment[start : start + count]
