"""How one thread wakes another that waits for descriptors."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.descriptors import Wake, wait_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.waiting import Waiter

__all__ = ["Bell"]

_NEVER: Final = threading.Event()


class Bell:
    """A descriptor that can be read after `ring`. Held by every thread that may ring it, and closed by the last one.

    `ring` takes no lock: a guest's thread may be broken off anywhere.
    """

    __slots__ = ("_holders", "_lock", "_rung", "_wake")

    def __init__(self) -> None:
        self._wake = Wake()
        self._rung = False
        self._holders = 1
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """What to wait for."""
        return self._wake.fileno()

    def ring(self) -> None:
        """Wake the thread that waits; if none does, the next wait returns at once."""
        if not self._rung:
            self._rung = True
            self._wake.send()

    def quiet(self) -> None:
        """Reset the bell, before the caller looks what has happened: what happens later rings it again."""
        self._wake.clear()
        self._rung = False  # in this order: what rings between the two is something that the caller is about to see

    def wait(self, waiter: Waiter, happened: Callable[[], bool]) -> None:
        """Wait until something has happened.

        Args:
            waiter: how waiting is done.
            happened: says so; made true by threads that ring then.
        """
        while True:
            self.quiet()
            if happened():
                return
            waiter.wait((self._wake.fileno(),), (), None)

    def wait_here(self, happened: Callable[[], bool], seconds: float) -> bool:
        """Wait on a thread of the host until something has happened, or for so many seconds; whether it has."""
        end = time.monotonic() + seconds
        while True:
            self.quiet()
            left = end - time.monotonic()
            if happened() or left <= 0:
                return happened()
            wait_ready((), (), self._wake.fileno(), _NEVER, left)

    def hold(self) -> Self:
        """Count one more thread that may ring the bell."""
        with self._lock:
            self._holders += 1
        return self

    def close(self) -> None:
        """Count one thread less; the last one closes the descriptor."""
        with self._lock:
            self._holders -= 1
            last = not self._holders
        if last:
            self._wake.close()
