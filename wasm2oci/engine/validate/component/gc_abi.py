"""Core types that values are passed as where a component chose those of the garbage collector (`gc`).

Each parameter and the result is one core value: a record is a reference to a structure of its fields, a list one to an
array, a string one to an array of code units, handles are `externref`. Spec: component model, CanonicalABI.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.types import (
    EXTERN,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    ArrayType,
    StructType,
    heap_of,
    is_ref,
    type_text,
)
from wasm2oci.engine.syntax.values import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.engine.syntax.types import (
        CompositeType,
        DefType,
        FuncType,
    )
    from wasm2oci.engine.syntax.values import Val, ValueType
    from wasm2oci.engine.validate.component.types import Function, Work

__all__ = ["gc_signature"]

_NUMBERS: Final = {
    "bool": (I8, I32),
    "u8": (I8, I32),
    "s8": (I8, I32),
    "u16": (I16, I32),
    "s16": (I16, I32),
    "u32": (I32, I32),
    "s32": (I32, I32),
    "char": (I32, I32),
    "u64": (I64, I64),
    "s64": (I64, I64),
    "f32": (F32, F32),
    "f64": (F64, F64),
    "enum": (I32, I32),
    "flags": (I32, I32),
}
"""For each kind: the type of a field or element, and that of a value."""

_HANDLES: Final = frozenset({"own", "borrow", "stream", "future", "error-context"})
_OPAQUE: Final = frozenset({"variant", "option", "result"})


def gc_signature(
    function: Function, core: FuncType, defs: Mapping[int, DefType], work: Work, offset: int, *, encoding: str
) -> FuncType:
    """The core type of a function whose values are of garbage-collected types.

    Args:
        function: the component's function.
        core: the core type it is given.
        defs: every core type that occurs, by id.
        work: counts the steps.
        offset: where this is asked for.
        encoding: of strings: `utf8`, `utf16`, `latin1+utf16`.

    Returns:
        `core`, as far as its parameters and results are values of the function.

    Raises:
        InvalidModuleError: a value cannot be passed as the core type that is there.
    """
    checker = _Checker(I16 if encoding == "utf16" else I8, defs, work, offset)
    results = () if function.result is None else (function.result,)
    for has, wants in ((core.params, function.params), (core.results, results)):
        for type_, value in zip(has, wants, strict=False):
            checker.check(value, type_, stored=False)
    if (len(core.params), len(core.results)) != (len(function.params), len(results)):
        raise InvalidModuleError("the core type has another number of parameters or results than the function", offset)
    return core


class _Checker:
    def __init__(self, unit: int, defs: Mapping[int, DefType], work: Work, offset: int) -> None:
        self._unit = unit
        self._defs = defs
        self._work = work
        self._offset = offset

    def check(self, value: Val, core: int, *, stored: bool) -> None:
        """Checks that a value type may be passed as a core type.

        Args:
            value: the value type.
            core: the core type, of a value or of a field.
            stored: whether it is that of a field or an element.
        """
        self._work.step(self._offset)
        kind = kind_of(value)
        if kind in _NUMBERS:
            wanted = _NUMBERS[kind][0 if stored else 1]
            packed = stored and kind in {"enum", "flags"} and core in {I8, I16}
            if core != wanted and not packed:
                self._refuse(kind, type_text(wanted), core)
        elif kind in _HANDLES:
            if not is_ref(core) or heap_of(core) != EXTERN:
                self._refuse(kind, "(ref null? extern)", core)
        elif kind in _OPAQUE:
            pointee = self._pointee(core)
            if not isinstance(pointee, StructType) or pointee.fields:
                self._refuse(kind, "(ref null? (struct))", core)
        elif kind == "string":
            pointee = self._pointee(core)
            if not isinstance(pointee, ArrayType) or pointee.element.storage != self._unit:
                self._refuse(kind, f"(ref null? (array (mut? {type_text(self._unit)})))", core)
        else:
            self._aggregate(kind, value, core)  # type: ignore[arg-type]

    def _aggregate(self, kind: str, value: ValueType, core: int) -> None:
        pointee = self._pointee(core)
        if kind in {"list", "map"}:
            if not isinstance(pointee, ArrayType):
                self._refuse(kind, "(ref null? (array ...))", core)
            elif kind == "list":
                self.check(value.types[0], pointee.element.storage, stored=True)
            return
        if not isinstance(pointee, StructType):
            self._refuse(kind, "(ref null? (struct ...))", core)
            return
        if len(pointee.fields) != len(value.types):
            raise InvalidModuleError(
                f"core `struct` has {len(pointee.fields)} fields, but component `{kind}` has {len(value.types)} fields",
                self._offset,
            )
        for field, type_ in zip(pointee.fields, value.types, strict=True):
            self.check(type_, field.storage, stored=True)

    def _pointee(self, core: int) -> CompositeType | None:
        """What a reference type points to."""
        type_ = self._defs.get(heap_of(core)) if is_ref(core) else None
        return None if type_ is None else type_.composite

    def _refuse(self, kind: str, wanted: str, core: int) -> None:
        raise InvalidModuleError(
            f"expected to lower component `{kind}` type to core `{wanted}` type, found `{type_text(core)}`",
            self._offset,
        )
