"""`NamedTuple` as `typing` has it, for modules that every command loads.

Python's own compiles each annotation that is written as text, which all are below `from __future__ import
annotations`: that took 7 ms of a small push. Here they stay text until `get_type_hints` reads them.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    _OF_THE_CLASS = frozenset({"__annotations__", "__dict__", "__module__", "__qualname__", "__weakref__"})

    class _Maker(type):
        """Makes a named tuple of a class's annotations; what else the class has is added to it."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            kinds = body.get("__annotations__", {})
            given = [field for field in kinds if field in body]
            if given != list(kinds)[len(kinds) - len(given) :]:
                raise TypeError(f"{name} has a field without a default after one with a default")
            defaults = [body[field] for field in given]
            made = collections.namedtuple(name, kinds, defaults=defaults, module=body["__module__"])  # noqa: PYI024
            made.__annotations__ = made.__new__.__annotations__ = kinds
            made.__qualname__ = body["__qualname__"]
            for attribute, value in body.items():
                if attribute not in kinds and attribute not in _OF_THE_CLASS:
                    setattr(made, attribute, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """See the module."""
