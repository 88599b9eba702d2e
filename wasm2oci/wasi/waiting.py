"""Waiting for descriptors and time in a way that can be broken off from outside.

A guest may block for ever: in `poll_oneoff`, reading standard input, accepting a connection, writing to a full pipe.
Every such call waits here first, on its own descriptors and on the one of an `Interrupt`, so that a time limit or
Ctrl-C ends it at once, whichever thread it blocks.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Protocol, Self

from wasm2oci.base.descriptors import Wake, wait_ready
from wasm2oci.wasi.endings import Interrupted

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

__all__ = ["Interrupt", "SystemWaiter", "Waiter"]

_BLOCK_NS: Final = 3600 * 10**9


class Interrupt:
    """A switch thrown once, from any thread, that ends every wait. A context manager: it holds two descriptors."""

    __slots__ = ("_wake", "thrown")

    def __init__(self) -> None:
        self._wake = Wake()
        self.thrown = threading.Event()

    @property
    def fired(self) -> bool:
        """Whether the switch was thrown."""
        return self.thrown.is_set()

    def fileno(self) -> int:
        """A host descriptor that becomes readable when the switch is thrown."""
        return self._wake.fileno()

    def fire(self) -> None:
        """Throw the switch."""
        if not self.thrown.is_set():
            self.thrown.set()
            self._wake.send()

    def check(self) -> None:
        """Raise if the switch was thrown.

        Raises:
            Interrupted: it was.
        """
        if self.fired:
            raise Interrupted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.close()


class Waiter(Protocol):
    """How the guest waits: the one place where time passes."""

    def wait(
        self, readable: Collection[int], writable: Collection[int], timeout_ns: int | None
    ) -> tuple[set[int], set[int]]:
        """The descriptors of the host that became readable and writable, both empty after `timeout_ns` (None: never).

        Raises:
            Interrupted: the run is broken off.
        """


class SystemWaiter:
    """Waits as the system does.

    Args:
        interrupt: what ends every wait.
    """

    __slots__ = ("_interrupt",)

    def __init__(self, interrupt: Interrupt) -> None:
        self._interrupt = interrupt

    def wait(
        self, readable: Collection[int], writable: Collection[int], timeout_ns: int | None
    ) -> tuple[set[int], set[int]]:
        """See `Waiter.wait`."""
        end = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while True:
            self._interrupt.check()
            left = _BLOCK_NS if end is None else min(max(0, end - time.monotonic_ns()), _BLOCK_NS)
            found = self._once(readable, writable, left)
            self._interrupt.check()
            if found[0] or found[1] or (end is not None and time.monotonic_ns() >= end):
                return found

    def _once(self, readable: Collection[int], writable: Collection[int], left_ns: int) -> tuple[set[int], set[int]]:
        interrupt = self._interrupt
        return wait_ready(readable, writable, interrupt.fileno(), interrupt.thrown, left_ns / 1e9)
