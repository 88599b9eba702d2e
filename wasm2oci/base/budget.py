"""What others may make us spend: a budget of bytes, entries and seconds, handed down and charged before it is spent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.errors import Wasm2OciError

__all__ = ["Budget"]


class Budget:
    """A budget for one thing that comes from outside, however many parts it has. For one thread.

    Args:
        what: the thing, for the message ("layers of the image").
        error: made from that message when more would be spent.
        size: bytes, or None for as many as there are.
        entries: parts of any kind that cost time or memory each, or None.
        seconds: from now on, or None.
        clock: seconds that only grow.
    """

    __slots__ = ("_clock", "_entries", "_error", "_limits", "_seconds", "_size", "_until", "_what")

    def __init__(
        self,
        what: str,
        error: Callable[[str], Wasm2OciError],
        *,
        size: int | None = None,
        entries: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._error, self._clock = what, error, clock
        self._limits = (size, entries)
        self._size, self._entries = size or 0, entries or 0
        self._seconds = seconds
        self._until = None if seconds is None else clock() + seconds

    def charge(self, size: int = 0, entries: int = 0) -> None:
        """Take so much of it.

        Raises:
            Wasm2OciError: as `error` makes it: more than is left, or the time is over.
        """
        self._size -= size
        self._entries -= entries
        most_size, most_entries = self._limits
        if self._size < 0 and most_size is not None:
            raise self._error(f"{self._what}: more than {most_size:,} bytes")
        if self._entries < 0 and most_entries is not None:
            raise self._error(f"{self._what}: more than {most_entries:,} entries")
        if self._until is not None and self._clock() > self._until:
            raise self._error(f"{self._what}: more than {self._seconds:g} seconds")

    def left(self) -> float | None:
        """Seconds that are left (0 when none are), or None when they are not counted."""
        return None if self._until is None else max(0.0, self._until - self._clock())
