"""Matching of types: `a` matches `b` when a value of type `a` may stand where `b` is asked for. Spec: core, 3.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.types import (
    ABOVE,
    ANY,
    BOT,
    EXN,
    EXTERN,
    FUNC,
    HEAP_BOT,
    NOEXN,
    NOFUNC,
    NONE,
    REF,
    REF_NULL,
    ArrayType,
    FuncType,
    StructType,
)

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.types import (
        CompositeType,
        DefTypes,
        FieldType,
        GlobalType,
        Limits,
        MemoryType,
        TableType,
    )

__all__ = [
    "matches_composite",
    "matches_func",
    "matches_global",
    "matches_heap",
    "matches_limits",
    "matches_memory",
    "matches_table",
    "matches_value",
    "top_of",
]


def matches_heap(a: int, b: int, defs: DefTypes) -> bool:
    """Whether heap type `a` is a subtype of `b`; `defs` knows every concrete type that occurs. Spec: core, 3.3.3."""
    if a in (b, HEAP_BOT):
        return True
    above = ABOVE.get(a)
    if above is None:
        return defs[a].matches(b)
    if b in above:
        return True
    if a in {NONE, NOFUNC} and b > NOEXN:
        return (a == NOFUNC) == (defs[b].kind == FUNC)
    return False


def matches_value(a: int, b: int, defs: DefTypes) -> bool:
    """Whether value type `a` is a subtype of `b`. Spec: core, 3.3.4."""
    if a in (b, BOT):
        return True
    if a <= 0xFF or b <= 0xFF:
        return False
    if a & 0xFF == REF_NULL and b & 0xFF == REF:
        return False
    return matches_heap(a >> 8, b >> 8, defs)


def matches_func(a: FuncType, b: FuncType, defs: DefTypes) -> bool:
    """Whether function type `a` is a structural subtype of `b`: parameters the other way round. Spec: core, 3.3.6."""
    return (
        len(a.params) == len(b.params)
        and len(a.results) == len(b.results)
        and all(matches_value(y, x, defs) for x, y in zip(a.params, b.params, strict=True))
        and all(matches_value(x, y, defs) for x, y in zip(a.results, b.results, strict=True))
    )


def _matches_field(a: FieldType, b: FieldType, defs: DefTypes) -> bool:
    if a.mutable != b.mutable:
        return False
    if a.mutable:  # both read and written: the same type, or each a subtype of the other
        return a.storage == b.storage
    return matches_value(a.storage, b.storage, defs)


def matches_composite(a: CompositeType, b: CompositeType, defs: DefTypes) -> bool:
    """Whether composite type `a` may be declared a subtype of `b`. Spec: core, 3.3.7."""
    if isinstance(a, FuncType) and isinstance(b, FuncType):
        return matches_func(a, b, defs)
    if isinstance(a, StructType) and isinstance(b, StructType):
        return len(a.fields) >= len(b.fields) and all(
            _matches_field(x, y, defs) for x, y in zip(a.fields, b.fields, strict=False)
        )
    if isinstance(a, ArrayType) and isinstance(b, ArrayType):
        return _matches_field(a.element, b.element, defs)
    return False


def matches_limits(a: Limits, b: Limits) -> bool:
    """Whether what has limits `a` may be imported as `b`. Spec: core, 3.3.10."""
    return (
        a.is64 == b.is64
        and a.minimum >= b.minimum
        and (b.maximum is None or (a.maximum is not None and a.maximum <= b.maximum))
    )


def matches_table(a: TableType, b: TableType) -> bool:
    """Whether a table of type `a` may be imported as `b`; elements are invariant. Spec: core, 3.3.12."""
    return a.element == b.element and matches_limits(a.limits, b.limits)


def matches_memory(a: MemoryType, b: MemoryType) -> bool:
    """Whether a memory of type `a` may be imported as `b`. Spec: core, 3.3.11."""
    return a.shared == b.shared and a.page_bits == b.page_bits and matches_limits(a.limits, b.limits)


def matches_global(a: GlobalType, b: GlobalType, defs: DefTypes) -> bool:
    """Whether a global of type `a` may be imported as `b`: invariant when mutable. Spec: core, 3.3.13."""
    if a.mutable != b.mutable:
        return False
    return a.value == b.value if a.mutable else matches_value(a.value, b.value, defs)


def top_of(heap: int, defs: DefTypes) -> int:
    """The top of the hierarchy a heap type is in: ANY, FUNC, EXTERN or EXN."""
    above = ABOVE.get(heap) or ABOVE[defs[heap].kind]
    return next(top for top in (ANY, FUNC, EXTERN, EXN) if top in above)
