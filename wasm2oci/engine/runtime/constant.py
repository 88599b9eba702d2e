"""Constant expressions: what initialises globals, tables and segments.

They are validated before, and few instructions may occur in them, so this is a plain stack machine.

Spec: core, Validation, Constant expressions; Execution, Instantiation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.runtime import gc, numeric
from wasm2oci.engine.syntax.opcodes import BY_MNEMONIC
from wasm2oci.engine.syntax.types import I8, I16, ArrayType, StructType

if TYPE_CHECKING:
    from wasm2oci.engine.runtime.instance import ModuleInstance
    from wasm2oci.engine.syntax.module import ConstExpr

__all__ = ["evaluate", "pack"]


def pack(storage: int, value: Any) -> Any:
    """A value as a field keeps it: masked to the width of a packed one."""
    return value & 0xFF if storage == I8 else value & 0xFFFF if storage == I16 else value


def _code(mnemonic: str) -> int:
    return BY_MNEMONIC[mnemonic].code


_FLOATS: Final = {_code("f32.const"): numeric.f32_from_bits, _code("f64.const"): numeric.f64_from_bits}
_CONSTANTS: Final = frozenset({_code("i32.const"), _code("i64.const"), _code("v128.const")})
_BINARY: Final = {
    _code(mnemonic): numeric.NUMERIC[mnemonic]
    for mnemonic in ("i32.add", "i32.sub", "i32.mul", "i64.add", "i64.sub", "i64.mul")
}
_UNARY: Final = {
    _code("ref.i31"): gc.ref_i31,
    _code("any.convert_extern"): gc.any_convert_extern,
    _code("extern.convert_any"): gc.extern_convert_any,
}
_REF_NULL: Final = _code("ref.null")
_REF_FUNC: Final = _code("ref.func")
_GLOBAL_GET: Final = _code("global.get")
_STRUCT_NEW: Final = _code("struct.new")
_STRUCT_NEW_DEFAULT: Final = _code("struct.new_default")
_ARRAY_NEW: Final = _code("array.new")
_ARRAY_NEW_DEFAULT: Final = _code("array.new_default")
_ARRAY_NEW_FIXED: Final = _code("array.new_fixed")


def evaluate(expression: ConstExpr, instance: ModuleInstance) -> Any:
    """The value of a constant expression.

    Args:
        expression: validated.
        instance: its functions all exist, and the globals the expression may read.

    Raises:
        Trap: an array asked for is too large to make.
    """
    stack: list[Any] = []
    for code, *immediates in expression.ops:
        if code in _CONSTANTS:
            stack.append(immediates[0])
        elif code in _FLOATS:
            stack.append(_FLOATS[code](immediates[0]))
        elif code in _BINARY:
            right = stack.pop()
            stack.append(_BINARY[code](stack.pop(), right))
        elif code in _UNARY:
            stack.append(_UNARY[code](stack.pop()))
        elif code == _GLOBAL_GET:
            stack.append(instance.globals[immediates[0]].value)
        elif code == _REF_FUNC:
            stack.append(instance.funcs[immediates[0]])
        elif code == _REF_NULL:
            stack.append(None)
        else:
            _aggregate(code, immediates, stack, instance)
    return stack.pop()


def _aggregate(code: int, immediates: list[int], stack: list[Any], instance: ModuleInstance) -> None:
    class_ = instance.class_of(immediates[0])
    composite = instance.module.types[immediates[0]].composite
    if isinstance(composite, StructType):
        if code == _STRUCT_NEW_DEFAULT:
            stack.append(class_(*[gc.default_value(field.storage) for field in composite.fields]))
            return
        if code == _STRUCT_NEW:
            start = len(stack) - len(composite.fields)
            values = [pack(field.storage, value) for field, value in zip(composite.fields, stack[start:], strict=True)]
            stack[start:] = [class_(*values)]
            return
    elif isinstance(composite, ArrayType):
        storage = composite.element.storage
        if code == _ARRAY_NEW_DEFAULT:
            stack.append(gc.array_new(class_, gc.default_value(storage), stack.pop()))
            return
        if code == _ARRAY_NEW:
            count = stack.pop()
            stack.append(gc.array_new(class_, pack(storage, stack.pop()), count))
            return
        if code == _ARRAY_NEW_FIXED:
            start = len(stack) - immediates[1]
            stack[start:] = [class_([pack(storage, value) for value in stack[start:]])]
            return
    raise AssertionError(f"instruction {code:#x} is not constant")
