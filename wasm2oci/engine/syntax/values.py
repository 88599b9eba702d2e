"""Types of component values with what they refer to, and how the canonical ABI lays them out.

A *value type* is a `str`, the name of a primitive type, or a `ValueType`. Spec: component model, CanonicalABI.md:
despecialization, alignment, element size, flattening.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.types import F32, F64, I32, I64

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MAX_FLAT_ASYNC_PARAMS",
    "MAX_FLAT_PARAMS",
    "MAX_FLAT_RESULTS",
    "Val",
    "ValueType",
    "cases_of",
    "contains_pointer",
    "discriminant_size",
    "flatten",
    "flatten_all",
    "holds_handles",
    "kind_of",
    "layout",
    "parts_of",
]

MAX_FLAT_PARAMS: Final = 16
MAX_FLAT_ASYNC_PARAMS: Final = 4
MAX_FLAT_RESULTS: Final = 1
"""How many core values are passed as such; more go through memory."""

_SIZES: Final = {
    "bool": 1,
    "s8": 1,
    "u8": 1,
    "s16": 2,
    "u16": 2,
    "s32": 4,
    "u32": 4,
    "s64": 8,
    "u64": 8,
    "f32": 4,
    "f64": 8,
    "char": 4,
    "error-context": 4,
}
_FLAT: Final = {"s64": I64, "u64": I64, "f32": F32, "f64": F64}


class ValueType:
    """A type of values that has a definition. Two are the same type when they are alike; `is` tells names apart.

    Args:
        kind: `record`, `list`, ..., or the name of a primitive type.
        labels: of fields, cases, flags, or of an enum.
        types: of fields, cases (None: without one), elements; for `own` and `borrow`, the resource type.
        length: of a list of fixed length, else None.

    Attributes:
        depth: how many types it is nested in itself, 1 for one that contains none.
        cost: how many types it consists of, each counted as often as it occurs.
        borrows: whether it contains a `borrow`.
        points: whether some of a value lies elsewhere in memory.
        origin: the type that it is another name for, or was before other types were put into it.
    """

    __slots__ = (
        "_codecs",
        "_flat",
        "_layouts",
        "borrows",
        "cost",
        "depth",
        "kind",
        "labels",
        "length",
        "origin",
        "points",
        "types",
    )

    def __init__(
        self, kind: str, labels: tuple[str, ...] = (), types: tuple[Any, ...] = (), length: int | None = None
    ) -> None:
        self.kind = kind
        self.labels = labels
        self.types = types
        self.length = length
        inner = [type_ for type_ in types if isinstance(type_, ValueType)]
        self.depth: int = 1 + max([type_.depth for type_ in inner], default=0)
        self.cost: int = 1 + sum([type_.cost for type_ in inner])
        self.borrows: bool = kind == "borrow" or any(type_.borrows for type_ in inner)
        self.points: bool = kind not in {"stream", "future"} and (
            kind in {"map", "string"}
            or (kind == "list" and length is None)
            or "string" in types
            or any(type_.points for type_ in inner)
        )
        # A component may have a million types, so what few of them need is made when it is needed.
        self._layouts: dict[int, tuple[int, int]] | None = None
        self._flat: dict[int, tuple[int, ...] | None] | None = None
        self._codecs: dict[str, Any] | None = None
        self.origin: ValueType | None = None

    @property
    def codecs(self) -> dict[str, Any]:
        """What running components made of it, by name."""
        if self._codecs is None:
            self._codecs = {}
        return self._codecs

    def again(self, types: tuple[Any, ...] | None = None) -> ValueType:
        """Another of the same kind: under a name of its own, or made of other types."""
        made = ValueType(self.kind, self.labels, self.types if types is None else types, self.length)
        made.origin = self
        return made


Val = str | ValueType
"""A value type."""


def kind_of(type_: Val) -> str:
    """The kind of a value type: `u32`, `record`, ..."""
    return type_ if isinstance(type_, str) else type_.kind


def parts_of(type_: Val) -> tuple[Val | None, ...]:
    """What a value type is made of, except resource types."""
    if isinstance(type_, str) or type_.kind in {"own", "borrow"}:
        return ()
    return type_.types


def cases_of(type_: Val) -> tuple[tuple[str, Val | None], ...] | None:
    """Labels and types of the cases of what is laid out as a variant; None for what is not."""
    if isinstance(type_, str):
        return None
    if type_.kind == "variant":
        return tuple(zip(type_.labels, type_.types, strict=True))
    if type_.kind == "enum":
        return tuple([(label, None) for label in type_.labels])
    if type_.kind == "option":
        return (("none", None), ("some", type_.types[0]))
    if type_.kind == "result":
        return (("ok", type_.types[0]), ("error", type_.types[1]))
    return None


def discriminant_size(cases: int) -> int:
    """Bytes of the number of a case."""
    return 1 if cases <= 1 << 8 else 2 if cases <= 1 << 16 else 4


def layout(type_: Val, pointer: int = 4) -> tuple[int, int]:
    """Alignment and size in memory, bytes.

    Args:
        type_: the type.
        pointer: bytes of an address: 4, or 8 for memories of 64 bits.
    """
    kind = kind_of(type_)
    if kind in _SIZES:
        return _SIZES[kind], _SIZES[kind]
    if kind == "string":
        return pointer, 2 * pointer
    assert isinstance(type_, ValueType)  # noqa: S101 - primitive types are all above
    if type_._layouts is None:  # noqa: SLF001 - its cache
        type_._layouts = {}  # noqa: SLF001
    known = type_._layouts.get(pointer)  # noqa: SLF001
    if known is None:
        known = type_._layouts[pointer] = _layout(type_, pointer)  # noqa: SLF001
    return known


def _layout(type_: ValueType, pointer: int) -> tuple[int, int]:
    kind = type_.kind
    if kind == "map" or (kind == "list" and type_.length is None):
        return pointer, 2 * pointer
    if kind == "list":
        alignment, size = layout(type_.types[0], pointer)
        return alignment, size * (type_.length or 0)
    if kind in {"own", "borrow", "stream", "future"}:
        return 4, 4
    if kind == "flags":
        size = 1 if len(type_.labels) <= 8 else 2 if len(type_.labels) <= 16 else 4
        return size, size
    cases = cases_of(type_)
    if cases is None:
        alignment, size = 1, 0
        for field in type_.types:
            its_alignment, its_size = layout(field, pointer)
            size = _up(size, its_alignment) + its_size
            alignment = max(alignment, its_alignment)
        return alignment, _up(size, alignment)
    inner = [layout(case, pointer) for _, case in cases if case is not None]
    discriminant = discriminant_size(len(cases))
    most = max([alignment for alignment, _ in inner], default=1)
    size = _up(discriminant, most) + max([size for _, size in inner], default=0)
    alignment = max(most, discriminant)
    return alignment, _up(size, alignment)


def _up(position: int, alignment: int) -> int:
    return (position + alignment - 1) // alignment * alignment


def flatten(type_: Val, pointer: int = 4) -> tuple[int, ...] | None:
    """The core values that one is passed as; None where those are more than `MAX_FLAT_PARAMS`."""
    kind = kind_of(type_)
    address = I32 if pointer == 4 else I64
    if kind in _SIZES:
        return (_FLAT.get(kind, I32),)
    if kind == "string":
        return (address, address)
    assert isinstance(type_, ValueType)  # noqa: S101 - primitive types are all above
    if type_._flat is None:  # noqa: SLF001 - its cache
        type_._flat = {}  # noqa: SLF001
    if pointer not in type_._flat:  # noqa: SLF001
        type_._flat[pointer] = _flatten(type_, pointer, address)  # noqa: SLF001
    return type_._flat[pointer]  # noqa: SLF001


def _flatten(type_: ValueType, pointer: int, address: int) -> tuple[int, ...] | None:
    kind = type_.kind
    if kind == "map" or (kind == "list" and type_.length is None):
        return (address, address)
    if kind in {"own", "borrow", "stream", "future", "flags"}:
        return (I32,)
    cases = cases_of(type_)
    if cases is None:
        count = type_.length or 1
        return None if count > MAX_FLAT_PARAMS else flatten_all(type_.types * count, MAX_FLAT_PARAMS, pointer)
    out: list[int] = []
    for _, case in cases:
        flat = () if case is None else flatten(case, pointer)
        if flat is None or len(flat) >= MAX_FLAT_PARAMS:
            return None
        for place, core in enumerate(flat):
            if place < len(out):
                out[place] = _join(out[place], core)
            else:
                out.append(core)
    return (I32, *out)


def flatten_all(types: Iterable[Val], most: int, pointer: int = 4) -> tuple[int, ...] | None:
    """The core values that several are passed as, one after the other; None where those are more than `most`."""
    out: list[int] = []
    for type_ in types:
        flat = flatten(type_, pointer)
        if flat is None or len(out) + len(flat) > most:
            return None
        out += flat
    return tuple(out)


def _join(a: int, b: int) -> int:
    """A core type that holds values of both."""
    return a if a == b else I32 if {a, b} == {I32, F32} else I64


def holds_handles(type_: Val) -> bool:
    """Whether values have handles in them: of resources, streams, futures or error contexts."""
    if isinstance(type_, str):
        return type_ == "error-context"
    return type_.kind in {"own", "borrow", "stream", "future", "error-context"} or any(
        holds_handles(part) for part in parts_of(type_) if part is not None
    )


def contains_pointer(type_: Val) -> bool:
    """Whether some of a value lies elsewhere in memory."""
    return type_ == "string" if isinstance(type_, str) else type_.points
