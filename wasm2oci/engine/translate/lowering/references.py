"""Lowerings of reference, aggregate and exception-free GC instructions.

Reaching into null is Python's `AttributeError`, the trap when it leaves the guest. Packed fields are stored masked.

Names: `R3` function 3 as a reference, `S2` the class of type 2, `ELEMS`, `DATAS` the segments, `T0` a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasm2oci.engine.syntax.types import (
    ANY,
    EXN,
    EXTERN,
    FUNC,
    I8,
    I16,
    NOEXN,
    NOEXTERN,
    NOFUNC,
    NONE,
    ArrayType,
    StructType,
    unpacked,
)
from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.lowering.memory import statement_call
from wasm2oci.engine.translate.lowering.operands import call
from wasm2oci.engine.translate.ranges import type_mask
from wasm2oci.engine.translate.value import EFFECT, M32, PURE, READ, V, boolean, mask, paren

__all__ = ["REFERENCES", "test_text"]

Lowering = Callable[[Emitter, Any], None]

_PACKED: Final = {I8: 0xFF, I16: 0xFFFF}
_TOPS: Final = frozenset({ANY, FUNC, EXTERN, EXN})
_BOTTOMS: Final = frozenset({NONE, NOFUNC, NOEXTERN, NOEXN})  # only null inhabits them


def _name(text: str) -> V:
    return V(text, 0, 1, 0)


def _null(e: Emitter, _: Any) -> None:
    v = V("None", 0, 1, 0)
    v.lit = True
    e.stack.append(v)


def _is_null(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    text = paren(v, 8)
    e.push(boolean(f"{text} is None", 9, f"{text} is not None", 9, v))


def _func(e: Emitter, index: Any) -> None:
    v = V(f"R{index}", 0, 1, 0)
    v.lit = True
    e.stack.append(v)


def _as_non_null(e: Emitter, _: Any) -> None:
    call(e, "ref_as_non_null", [e.stack.pop()], EFFECT, 0)


def _eq(e: Emitter, _: Any) -> None:
    b = e.stack.pop()
    a = e.stack.pop()
    call(e, "ref_eq", [a, b], PURE, 1)


def _storage(e: Emitter, type_index: int, field: int = -1) -> int:
    composite = e.module.types[type_index].composite
    if isinstance(composite, StructType):
        return composite.fields[field].storage
    if isinstance(composite, ArrayType):
        return composite.element.storage
    raise AssertionError("a function has no fields")


def _stored(e: Emitter, v: V, storage: int) -> V:
    """A value as a field of this storage type holds it."""
    m = _PACKED.get(storage) or type_mask(unpacked(storage))
    return e.exact(mask(v, m)) if m else e.exact(v)


def _pushed(e: Emitter, text: str, p: int, storage: int, sign: str, *parts: V) -> None:
    """Pushes what was read from a field."""
    m = _PACKED.get(storage, 0)
    deps = cls = d = 0
    for part in parts:
        deps |= part.deps
        cls = max(cls, part.cls)
        d = max(d, part.d)
    if m and sign == "s":
        half = m + 1 >> 1
        v = V(f"({text}^{half})-{half}", 4, -half, half - 1, deps, max(cls, READ), d + 2)
        v.m = M32
    else:
        top = m or type_mask(storage)
        v = V(text, p, 0, top, deps, max(cls, READ), d + 1) if top else V(text, p, 1, 0, deps, max(cls, READ), d + 1)
    e.push(v)


def _struct_new(e: Emitter, type_index: Any) -> None:
    composite = e.module.types[type_index].composite
    if not isinstance(composite, StructType):
        raise AssertionError("not a structure")  # noqa: TRY004 - validation saw to it
    values = e.popn(len(composite.fields))
    arguments = [_stored(e, v, f.storage) for v, f in zip(values, composite.fields, strict=True)]
    call(e, f"S{type_index}", arguments, READ, 0)


def _struct_new_default(e: Emitter, type_index: Any) -> None:
    call(e, f"S{type_index}.default", [], READ, 0)


def _struct_get(sign: str) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        type_index, field = imm
        v = e.stack.pop()
        _pushed(e, f"{paren(v, 0)}.f{field}", 0, _storage(e, type_index, field), sign, v)

    return lower


def _struct_set(e: Emitter, imm: Any) -> None:
    type_index, field = imm
    if e.stack[-2].cls and e.stack[-1].cls:  # Python evaluates the value first
        e.flush(READ)
    value = _stored(e, e.stack.pop(), _storage(e, type_index, field))
    v = e.stack.pop()
    e.flush(READ)
    e.line(f"{paren(v, 0)}.f{field}={value.s}")


def _array_new(e: Emitter, type_index: Any) -> None:
    count = e.exact(mask(e.stack.pop(), M32))
    value = _stored(e, e.stack.pop(), _storage(e, type_index))
    call(e, "array_new", [_name(f"S{type_index}"), value, count], EFFECT, 0)


def _array_new_default(e: Emitter, type_index: Any) -> None:
    count = e.exact(mask(e.stack.pop(), M32))
    storage = _storage(e, type_index)
    zero = "None" if storage > 0xFF else "0.0" if storage in {0x7C, 0x7D} else "0"
    call(e, "array_new", [_name(f"S{type_index}"), _name(zero), count], EFFECT, 0)


def _array_new_fixed(e: Emitter, imm: Any) -> None:
    type_index, count = imm
    storage = _storage(e, type_index)
    values = [_stored(e, v, storage) for v in e.popn(count)]
    deps = cls = d = 0
    for v in values:
        deps, cls, d = deps | v.deps, max(cls, v.cls), max(d, v.d)
    text = f"S{type_index}([{','.join(v.s for v in values)}])"
    e.push(V(text, 0, 1, 0, deps, max(cls, READ), d + 2))


def _array_new_segment(helper: str, segments: str) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        type_index, segment = imm
        e.flush_arguments(2)
        start, count = (e.exact(mask(v, M32)) for v in e.popn(2))
        call(e, helper, [_name(f"S{type_index}"), _name(f"{segments}[{segment}]"), start, count], EFFECT, 0)

    return lower


def _array_get(sign: str) -> Lowering:
    def lower(e: Emitter, type_index: Any) -> None:
        if e.stack[-1].cls:  # Python finds out about null before it evaluates the index
            e.flush(READ)
        index = e.exact(mask(e.stack.pop(), M32))
        array = e.stack.pop()
        _pushed(e, f"{paren(array, 0)}.items[{index.s}]", 0, _storage(e, type_index), sign, array, index)

    return lower


def _array_set(e: Emitter, type_index: Any) -> None:
    array, index, value = e.stack[-3:]
    if index.cls or (array.cls and value.cls):  # Python evaluates the value first, and the index last
        e.flush(READ)
    value = _stored(e, e.stack.pop(), _storage(e, type_index))
    index = e.exact(mask(e.stack.pop(), M32))
    array = e.stack.pop()
    e.flush(READ)
    e.line(f"{paren(array, 0)}.items[{index.s}]={value.s}")


def _array_len(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    e.push(V(f"len({paren(v, 0)}.items)", 0, 0, M32, v.deps, max(READ, v.cls), v.d + 1))


def _array_fill(e: Emitter, type_index: Any) -> None:
    array, start, value, count = e.popn(4)
    value = _stored(e, value, _storage(e, type_index))
    statement_call(e, "array_fill", [], [array, mask(start, M32), value, mask(count, M32)])


def _array_copy(e: Emitter, _: Any) -> None:
    to, at, source, start, count = e.popn(5)
    statement_call(e, "array_copy", [], [to, mask(at, M32), source, mask(start, M32), mask(count, M32)])


def _array_init(helper: str, segments: str) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        _, segment = imm
        e.flush_arguments(4)
        array, at, start, count = e.popn(4)
        values = [array, mask(at, M32), _name(f"{segments}[{segment}]"), mask(start, M32), mask(count, M32)]
        statement_call(e, helper, [], values)

    return lower


def test_text(v: V, heap: int, *, nullable: bool) -> V:
    """The condition that a reference, a name, matches a type."""
    name = v.s
    if heap in _TOPS:
        return (
            boolean("True", 0, "False", 0) if nullable else boolean(f"{name} is not None", 9, f"{name} is None", 9, v)
        )
    if heap in _BOTTOMS:
        return (
            boolean(f"{name} is None", 9, f"{name} is not None", 9, v) if nullable else boolean("False", 0, "True", 0)
        )
    if nullable:
        text = f"{name} is None or {heap} in {name}.above"
        return boolean(text, 12, f"not({text})", 10, v)
    text = f"{name} is not None and {heap} in {name}.above"
    return boolean(text, 11, f"not({text})", 10, v)


def _ref_test(*, nullable: bool) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        (heap,) = imm
        v = e.hold()
        e.push(test_text(v, heap, nullable=nullable))

    return lower


def _ref_cast(*, nullable: bool) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        (heap,) = imm
        v = e.stack.pop()
        if heap in _TOPS:
            if nullable:
                e.stack.append(v)
            else:
                call(e, "ref_cast_null", [v], EFFECT, 0)
            return
        if heap in _BOTTOMS:
            call(e, "ref_cast_bottom", [v, _name(str(int(nullable)))], EFFECT, 0)
            return
        call(e, "ref_cast", [v, _name(str(heap)), _name(str(int(nullable)))], EFFECT, 0)

    return lower


def _convert(helper: str) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        call(e, helper, [e.stack.pop()], PURE, 0)

    return lower


def _i31(e: Emitter, _: Any) -> None:
    v = e.exact(mask(e.stack.pop(), M32))
    call(e, "ref_i31", [v], PURE, 0)


def _i31_get(helper: str) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        call(e, helper, [e.stack.pop()], EFFECT, M32)

    return lower


REFERENCES: Final[dict[str, Lowering]] = {
    "ref.null": _null,
    "ref.is_null": _is_null,
    "ref.func": _func,
    "ref.as_non_null": _as_non_null,
    "ref.eq": _eq,
    "struct.new": _struct_new,
    "struct.new_default": _struct_new_default,
    "struct.get": _struct_get(""),
    "struct.get_s": _struct_get("s"),
    "struct.get_u": _struct_get("u"),
    "struct.set": _struct_set,
    "array.new": _array_new,
    "array.new_default": _array_new_default,
    "array.new_fixed": _array_new_fixed,
    "array.new_data": _array_new_segment("array_new_data", "DATAS"),
    "array.new_elem": _array_new_segment("array_new_elem", "ELEMS"),
    "array.get": _array_get(""),
    "array.get_s": _array_get("s"),
    "array.get_u": _array_get("u"),
    "array.set": _array_set,
    "array.len": _array_len,
    "array.fill": _array_fill,
    "array.copy": _array_copy,
    "array.init_data": _array_init("array_init_data", "DATAS"),
    "array.init_elem": _array_init("array_init_elem", "ELEMS"),
    "ref.test": _ref_test(nullable=False),
    "ref.test_null": _ref_test(nullable=True),
    "ref.cast": _ref_cast(nullable=False),
    "ref.cast_null": _ref_cast(nullable=True),
    "any.convert_extern": _convert("any_convert_extern"),
    "extern.convert_any": _convert("extern_convert_any"),
    "ref.i31": _i31,
    "i31.get_s": _i31_get("i31_get_s"),
    "i31.get_u": _i31_get("i31_get_u"),
}
"""Mnemonic to lowering."""
