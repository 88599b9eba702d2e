"""How much a guest may take: an embedder's ceilings over what the module itself declares."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ARRAY_CEILING",
    "CALLS",
    "ELEMENT",
    "MEMORY32_CEILING",
    "Account",
    "ResourceLimitError",
    "ResourceLimits",
    "allowed_calls",
    "enter_guest",
    "leave_guest",
]

MEMORY32_CEILING = 1 << 31
"""Bytes no memory addressed by i32 exceeds: so generated code knows an address in range to have no sign bit."""

ARRAY_CEILING = 1 << 27
"""Elements no array exceeds: one Python list item each, so a gigabyte."""

CALLS = 16_000
"""Calls a guest may have open at once before "call stack exhausted", unless the embedder sets Python's own limit."""

_HOST_CALLS = 400
"""Python's own limit counts the host's frames too."""


_DEFAULT_LIMIT = 1000
"""Python's limit, where no one has chosen another."""


class _CallDepth:
    """Python's recursion limit, which belongs to the process: raised while a guest runs, set back afterwards.

    Frames of generated code take no C stack, so any limit is safe. A finalizer could not set it back: garbage may be
    collected in the guest's deepest frame, where Python has no frame left for a finalizer.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # a signal's handler may call a guest while this thread holds the lock
        self._running = 0
        self._allowed: list[int] = []
        self._before = _DEFAULT_LIMIT
        self._set = _DEFAULT_LIMIT

    def enter(self) -> None:
        """Allow `CALLS` until `leave`; a limit that the embedder or a run has set is left alone."""
        with self._lock:
            self._running += 1
            if self._running == 1 and not self._allowed:
                self._before = sys.getrecursionlimit()
                if self._before == _DEFAULT_LIMIT:
                    self._apply()

    def leave(self) -> None:
        """End what `enter` began."""
        with self._lock:
            self._running -= 1
            if not self._running:
                self._apply()

    @contextmanager
    def allowed(self, calls: int) -> Iterator[None]:
        """Allow so many calls inside of the block. Of several blocks at once, on any threads, the highest counts."""
        with self._lock:
            if not self._allowed and not self._running:
                self._before = sys.getrecursionlimit()
            self._allowed.append(max(calls, 1))
            self._apply()
        try:
            yield
        finally:
            with self._lock:
                self._allowed.remove(max(calls, 1))
                self._apply()

    def _apply(self) -> None:
        if self._allowed:
            calls = max(self._allowed)
        else:
            calls = CALLS if self._running and self._before == _DEFAULT_LIMIT else 0
        if not calls and sys.getrecursionlimit() != self._set:
            return  # other code has set it meanwhile
        self._set = calls + _HOST_CALLS if calls else self._before
        try:
            sys.setrecursionlimit(self._set)
        except RecursionError:  # this thread itself is deeper at this moment
            return


_depth = _CallDepth()
enter_guest, leave_guest, allowed_calls = _depth.enter, _depth.leave, _depth.allowed


ELEMENT = 8
"""Bytes an element of a table, of an array, or of a list of callables counts for."""


class Account:
    """What the instances of one store may take together; charged before anything is taken.

    Args:
        limit: bytes.

    Attributes:
        taken: bytes.
    """

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    def take(self, count: int) -> bool:
        """Charge bytes; whether they may be taken. What may not is not charged."""
        if self.taken + count > self.limit:
            return False
        self.taken += count
        return True

    def give(self, count: int) -> None:
        """Give bytes back."""
        self.taken -= count


class ResourceLimitError(UnsupportedError):
    """The module needs more resources to start than its limits allow."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Ceilings for one instance. Growing beyond one fails as the specification allows (-1), starting beyond one raises.

    Args:
        memory_bytes: for each memory of the instance; 2 GiB by default, and never more where it is addressed by i32.
        table_elements: for each table of the instance.
        account: for all memories, tables and large arrays of the instances that share it; None for no account.
    """

    memory_bytes: int = 1 << 31
    table_elements: int = 10_000_000
    account: Account | None = None

    def take(self, count: int) -> bool:
        """Charge the account, where there is one."""
        return self.account is None or self.account.take(count)

    def give(self, count: int) -> None:
        """Give back to it."""
        if self.account is not None:
            self.account.give(count)
