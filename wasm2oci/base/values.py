"""Values that check themselves: made once, never changed, and equal when they are of one class with equal fields.

What `dataclass(frozen=True, slots=True)` gives, without the code that it writes and compiles for each class: that took
4 ms of a small push. A class declares its fields, names them in `__slots__`, and sets them in its `__init__`:

    class Port(Value):
        __slots__ = ("number",)
        number: int

        def __init__(self, number: int) -> None:
            check(number)
            self._set(number=number)
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self

__all__ = ["Value"]


class Value:
    """Base of such classes; `_fields` and `_replace` are those of a named tuple."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)  # in the order of `__init__`, which that of the slots need not be

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._fields])

    def _replace(self, **changed: Any) -> Self:
        """The same value with other fields, checked as every new one."""
        return type(self)(**dict(zip(self._fields, self._values(), strict=True)) | changed)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        # Bytes are left out: they may be megabytes.
        shown = zip(self._fields, self._values(), strict=True)
        parts = ", ".join(f"{name}={value!r}" for name, value in shown if not isinstance(value, bytes))
        return f"{type(self).__qualname__}({parts})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__qualname__}.{name} cannot be set: a value is not changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__qualname__}.{name} cannot be deleted: a value is not changed")

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), dict(zip(self._fields, self._values(), strict=True)))


def _remade(kind: type[Value], fields: dict[str, Any]) -> Value:
    return kind(**fields)
