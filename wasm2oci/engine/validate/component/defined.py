"""Types of values and functions, with their indices resolved. Spec: component model, Explainer.md, type definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.limits import MAX_PARAMS
from wasm2oci.engine.syntax.values import ValueType, kind_of, layout
from wasm2oci.engine.validate.component.names import check_labels
from wasm2oci.engine.validate.component.types import Function, NamedResource, checked

if TYPE_CHECKING:
    from wasm2oci.engine.syntax import component as syntax
    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.scope import Scope

__all__ = ["MAX_VALUE_SIZE", "defined_type", "function_type"]

MAX_VALUE_SIZE: Final = (1 << 28) - 1
"""Bytes of one value in memory. Spec: component model, CanonicalABI.md, element size."""

_MAX_FLAGS: Final = 32
_MAX_FIXED_LENGTH: Final = 1 << 30
_LABELLED: Final = {
    "record": ("record field", "record type must have at least one field"),
    "variant": ("variant case", "variant type must have at least one case"),
    "flags": ("flag", "flags must have at least one entry"),
    "enum": ("enum tag", "enum type must have at least one variant"),
}


def _value(scope: Scope, type_: Any, offset: int) -> Val | None:
    """A value type with its index resolved."""
    if type_ is None or isinstance(type_, str):
        return type_
    found: ValueType = scope.typed(type_, ValueType, "a defined type", offset)
    return found


def defined_type(scope: Scope, type_: syntax.DefinedType, offset: int) -> ValueType:
    """A type of values."""
    kind = type_.kind
    if kind in _LABELLED:
        noun, empty = _LABELLED[kind]
        if not type_.labels:
            raise InvalidModuleError(empty, offset)
        if kind == "flags" and len(type_.labels) > _MAX_FLAGS:
            raise InvalidModuleError(f"cannot have more than {_MAX_FLAGS} flags", offset)
        check_labels(type_.labels, noun, offset)
    elif kind == "tuple" and not type_.types:
        raise InvalidModuleError("tuple type must have at least one type", offset)
    if kind in {"own", "borrow"}:
        resource = scope.typed(int(type_.types[0] or 0), NamedResource, "a resource type", offset)
        return ValueType(kind, (), (resource,))
    types = tuple([_value(scope, each, offset) for each in type_.types])
    if kind == "stream" and types[0] is not None and kind_of(types[0]) == "char":
        raise InvalidModuleError("`stream<char>` is not valid at this time: take `stream<u8>`", offset)
    if kind in {"stream", "future"} and isinstance(types[0], ValueType) and types[0].borrows:
        raise InvalidModuleError(f"a {kind} cannot contain a `borrow` type", offset)
    if type_.length is not None:
        _check_length(type_.length, offset)
    made = checked(ValueType(kind, type_.labels, types, type_.length), offset)
    if layout(made, 8)[1] > MAX_VALUE_SIZE:
        raise InvalidModuleError(f"the type exceeds maximum byte size of {MAX_VALUE_SIZE}", offset)
    return made


def _check_length(length: int, offset: int) -> None:
    if not length:
        raise InvalidModuleError("fixed-length lists must have more than zero elements", offset)
    if length > _MAX_FIXED_LENGTH:
        raise InvalidModuleError(f"fixed-length list element count exceeds limit of {_MAX_FIXED_LENGTH}", offset)


def function_type(scope: Scope, type_: syntax.FunctionType, offset: int) -> Function:
    """A type of functions."""
    if len(type_.params) > MAX_PARAMS:
        raise InvalidModuleError(f"too many parameters: this engine's limit is {MAX_PARAMS}", offset)
    check_labels(type_.labels, "function parameter", offset)
    params = [_value(scope, each, offset) for each in type_.params]
    result = _value(scope, type_.result, offset)
    if isinstance(result, ValueType) and result.borrows:
        raise InvalidModuleError("function result cannot contain a `borrow` type", offset)
    made = Function(type_.labels, tuple([each for each in params if each is not None]), result, is_async=type_.is_async)
    return checked(made, offset)
