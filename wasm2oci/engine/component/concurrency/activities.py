"""What the host does while guests go on: generators that give what they wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from wasm2oci.engine.component.abi import trap_if

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

__all__ = ["Activities", "Activity", "Cancelled", "GuestWait", "Outside"]

_MOST: Final = 1 << 12
"""Activities of a store at once: each may have a descriptor of the host's, and is asked in each turn of the loop."""


class Cancelled:
    """What a call gives that is cancelled, in the place of a result."""


class GuestWait:
    """What an activity gives when it waits for a guest, and not for the world outside.

    Args:
        ready: whether it need not wait any longer.
    """

    __slots__ = ("ready",)

    def __init__(self, ready: Callable[[], bool]) -> None:
        self.ready = ready


class Outside(Protocol):
    """Waits for the world outside."""

    def __call__(self, waits: Sequence[Any], *, block: bool) -> Sequence[int]:
        """The places of those that are ready, of what activities gave; waits until there is one where it may."""


class Activity:
    """One activity.

    Args:
        steps: gives what it waits for, each time: a `GuestWait`, or what `Outside` knows; returns the result.
        over: gets the result.
        others: the activities that are not over.
    """

    __slots__ = ("_others", "_over", "_steps", "ended", "waits_for")

    def __init__(
        self, steps: Generator[Any, None, Any], over: Callable[[Any], object], others: dict[Activity, None]
    ) -> None:
        self._steps = steps
        self._others = others
        self._over = over
        self.waits_for: Any = None
        self.ended = False

    def proceed(self) -> None:
        """Goes on until it waits, or is over."""
        try:
            self.waits_for = next(self._steps)
        except StopIteration as stop:
            self.ended = True
            self._over(stop.value)

    def request_cancellation(self) -> None:
        """Gives it up, so that it has no result."""
        if not self.ended:
            self.close()
            self._others.pop(self, None)
            self._over(Cancelled)

    def close(self) -> None:
        """Gives it up."""
        self.ended = True
        self._steps.close()


class Activities:
    """The activities of a store.

    Args:
        outside: waits for the world outside.
    """

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._all: dict[Activity, None] = {}

    def start(self, steps: Generator[Any, None, Any], over: Callable[[Any], object]) -> Activity:
        """Begins an activity, and goes on with it until it first waits."""
        activity = Activity(steps, over, self._all)
        activity.proceed()
        if not activity.ended:
            trap_if(len(self._all) >= _MOST, f"the host does more than {_MOST:,} things at once")
            self._all[activity] = None
        return activity

    def proceed(self, *, block: bool) -> bool:
        """Goes on with every activity that can; whether there was one.

        Args:
            block: whether to wait for the world outside, where nothing else can go on.
        """
        if not self._all:
            return False
        found = [each for each in self._all if isinstance(each.waits_for, GuestWait) and each.waits_for.ready()]
        outside = [each for each in self._all if not isinstance(each.waits_for, GuestWait)]
        if outside:
            places = self._outside([each.waits_for for each in outside], block=block and not found)
            found += [outside[place] for place in places]
        for activity in found:
            if not activity.ended:
                activity.proceed()
            if activity.ended:
                self._all.pop(activity, None)
        return bool(found)

    def settle(self) -> None:
        """Goes on with what need not wait: what guests have given is used before they are left."""
        while self.proceed(block=False):
            pass

    def close(self) -> None:
        """Gives up those that are not over."""
        for activity in self._all:
            activity.close()
        self._all.clear()
