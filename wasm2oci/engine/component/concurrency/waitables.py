"""What a guest can wait for, and sets of it. Spec: component model, CanonicalABI.md, waitable state."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.handles import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NO_EVENT", "TASK_CANCELLED", "Event", "EventCode", "Waitable", "WaitableSet"]


class EventCode(IntEnum):
    """What an event is about."""

    NONE = 0
    SUBTASK = 1
    STREAM_READ = 2
    STREAM_WRITE = 3
    FUTURE_READ = 4
    FUTURE_WRITE = 5
    TASK_CANCELLED = 6


Event = tuple[int, int, int]
"""A code of `EventCode`, the index of the waitable, and what happened to it."""

NO_EVENT: Event = (EventCode.NONE, 0, 0)
TASK_CANCELLED: Event = (EventCode.TASK_CANCELLED, 0, 0)


class Waitable(Entry):
    """Something that has events: a subtask, or an end of a stream or future.

    Attributes:
        set: the set that it is in.
        awaited: whether guest code waits for it on its stack, so that it may not be moved into a set.
    """

    __slots__ = ("_pending", "awaited", "set")

    what = "waitable"

    def __init__(self) -> None:
        self._pending: Callable[[], Event] | None = None
        self.set: WaitableSet | None = None
        self.awaited = False

    @property
    def has_event(self) -> bool:
        """Whether something happened that the guest has not learnt yet."""
        return self._pending is not None

    def happen(self, event: Callable[[], Event]) -> None:
        """Notes that something happened, in the place of what the guest has not learnt yet.

        Args:
            event: called when the guest learns it; gives the event as it is then.
        """
        self._pending = event
        if self.set is not None:
            self.set.note(self)

    def take_event(self) -> Event:
        """The event, which the guest learns now."""
        pending = self._pending
        assert pending is not None  # noqa: S101 - the caller has asked
        self._pending = None
        if self.set is not None:
            self.set.forget(self)
        return pending()

    def join(self, set_: WaitableSet | None) -> None:
        """Moves it into a set, or out of all."""
        if self.set is not None:
            self.set.leave(self)
        self.set = set_
        if set_ is not None:
            set_.enter(self)


class WaitableSet(Entry):
    """A set of waitables.

    Attributes:
        waiting: how many threads wait for it.
    """

    __slots__ = ("_members", "_ready", "waiting")

    what = "waitable set"

    def __init__(self) -> None:
        self._members = 0
        self._ready: dict[Waitable, None] = {}
        self.waiting = 0

    @property
    def has_event(self) -> bool:
        """Whether one of them has an event."""
        return bool(self._ready)

    def take_event(self) -> Event:
        """The event that has waited longest."""
        return next(iter(self._ready)).take_event()

    def enter(self, waitable: Waitable) -> None:
        """Has one more member; see `Waitable.join`."""
        self._members += 1
        if waitable.has_event:
            self._ready[waitable] = None

    def leave(self, waitable: Waitable) -> None:
        """Has one member less; see `Waitable.join`."""
        self._members -= 1
        self._ready.pop(waitable, None)

    def note(self, waitable: Waitable) -> None:
        """A member has an event."""
        self._ready[waitable] = None

    def forget(self, waitable: Waitable) -> None:
        """A member has no event any more."""
        self._ready.pop(waitable, None)

    def check_drop(self) -> None:
        """See `Entry.check_drop`."""
        trap_if(self._members, "cannot drop waitable set with waitables in it")
        trap_if(self.waiting, "cannot drop waitable set with waiters")
