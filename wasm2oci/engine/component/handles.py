"""Resource types, and the tables of handles to resources. Spec: component model, CanonicalABI.md, runtime state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from wasm2oci.engine.component.abi import trap_if

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.engine.syntax.values import ValueType

__all__ = ["Entry", "ErrorContext", "Handle", "HandleTable", "ResourceType", "Scope"]

_MOST: Final = 1 << 18
"""Handles of one instance; a table of the specification may have 2**28, which is more than a host wants to keep."""


class ResourceType:
    """A resource type: a new one wherever a definition of one is evaluated.

    Args:
        name: for people, and to tell the host's types apart.
        owner: the component instance that defines it; None for the host's.
        destructor: gets what represents a resource when its last handle is dropped; None without one.
    """

    __slots__ = ("destructor", "name", "owner")

    def __init__(self, name: str, owner: ComponentInstance | None, destructor: Callable[[Any], object] | None) -> None:
        self.name = name
        self.owner = owner
        self.destructor = destructor


class Scope:
    """One call of a function: how many handles it was lent and has not dropped."""

    __slots__ = ("borrows",)

    def __init__(self) -> None:
        self.borrows = 0


class Handle:
    """A handle.

    Attributes:
        type: the resource type.
        rep: what represents the resource.
        scope: of a handle that was lent, the call it was lent to; None for one that owns.
        lends: how many calls it is lent to.
    """

    __slots__ = ("lends", "rep", "scope", "type")

    def __init__(self, type_: ResourceType, rep: Any, scope: Scope | None = None) -> None:
        self.type = type_
        self.rep = rep
        self.scope = scope
        self.lends = 0


class Entry:
    """What a table has beside handles to resources: what asynchronous functions work with."""

    __slots__ = ()

    what: ClassVar[str] = "value"
    """For people."""
    type: Any = None
    """That of a stream or future; no entry has a resource type."""

    def check_drop(self) -> None:
        """Traps where it cannot be dropped."""

    def lifted(self, type_: ValueType) -> Any:
        """The value that it is an end of, on its way out of the table."""
        trap_if(condition=True, why=f"a {self.what} is used as a {type_.kind}")


class ErrorContext(Entry):
    """What went wrong, for people.

    Args:
        message: the text.
    """

    __slots__ = ("message",)

    what = "error context"

    def __init__(self, message: str) -> None:
        self.message = message


_E = TypeVar("_E", bound=Entry)


class HandleTable:
    """The handles of one component instance, by index from 1; the index freed last is used again first."""

    def __init__(self) -> None:
        self._items: list[Handle | Entry | None] = [None]
        self._free: list[int] = []

    def add(self, handle: Handle | Entry) -> int:
        """Gives a handle an index."""
        if self._free:
            index = self._free.pop()
            self._items[index] = handle
            return index
        trap_if(len(self._items) > _MOST, "too many handles")
        self._items.append(handle)
        return len(self._items) - 1

    def get(self, index: int, type_: ResourceType) -> Handle:
        """The handle at an index, which is to be one of a type."""
        handle = self._items[index] if index < len(self._items) else None
        trap_if(handle is None, f"unknown handle index {index}")
        assert handle is not None  # noqa: S101 - the line above
        trap_if(handle.type is not type_, f"handle index {index} used with the wrong type")
        return handle  # type: ignore[return-value]  # entries of other kinds have no resource type

    def remove(self, index: int, type_: ResourceType) -> Handle:
        """Takes a handle out, unless it is lent."""
        handle = self.get(index, type_)
        trap_if(handle.lends, "cannot remove owned resource while borrowed")
        self._items[index] = None
        self._free.append(index)
        return handle

    def owned(self) -> list[Handle]:
        """Every handle that owns."""
        return [handle for handle in self._items if isinstance(handle, Handle) and handle.scope is None]

    # --- entries that are no handles --------------------------------------------------------------------------------

    def entry(self, index: int, kind: type[_E]) -> _E:
        """The entry at an index, which is to be of a class."""
        found = self._items[index] if index < len(self._items) else None
        trap_if(found is None, f"unknown handle index {index}")
        trap_if(not isinstance(found, kind), f"handle index {index} is no {kind.what}")
        assert isinstance(found, kind)  # noqa: S101 - the line above
        return found

    def drop(self, index: int, kind: type[_E]) -> _E:
        """Takes an entry out, if it can be dropped."""
        found = self.entry(index, kind)
        found.check_drop()
        self._items[index] = None
        self._free.append(index)
        return found

    def lift_end(self, index: int, type_: ValueType) -> Any:
        """A stream or future on its way out."""
        value = self.entry(index, Entry).lifted(type_)
        self._items[index] = None
        self._free.append(index)
        return value

    # --- values -----------------------------------------------------------------------------------------------------

    def lift_own(self, index: int, type_: ResourceType) -> Any:
        """An `own` on its way out."""
        handle = self.get(index, type_)
        trap_if(handle.scope is not None, "cannot lift own from a borrow handle")
        return self.remove(index, type_).rep

    def lift_borrow(self, index: int, type_: ResourceType, lenders: list[Handle] | None) -> Any:
        """A `borrow` on its way out; who lends it is noted for the time of the call."""
        handle = self.get(index, type_)
        if lenders is not None:
            handle.lends += 1
            lenders.append(handle)
        return handle.rep

    def lower_borrow(self, rep: Any, type_: ResourceType, scope: Scope) -> int:
        """A `borrow` on its way in."""
        scope.borrows += 1
        return self.add(Handle(type_, rep, scope))
