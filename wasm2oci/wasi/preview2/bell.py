"""What a thread is woken by when something happened on another one, beside the descriptors that it waits for."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.descriptors import set_blocking, wait_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.waiting import Waiter

__all__ = ["Bell"]

_MOST: Final = 4096
_NEVER: Final = threading.Event()


class Bell:
    """A descriptor that can be read after `ring`. Held by every thread that may ring it, and closed by the last one.

    `ring` takes no lock: a guest's thread may be broken off anywhere.
    """

    __slots__ = ("_holders", "_lock", "_read", "_rung", "_write")

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        set_blocking(self._read, False)
        set_blocking(self._write, False)
        self._rung = False
        self._holders = 1
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """What to wait for."""
        return self._read

    def ring(self) -> None:
        """Wake the thread that waits, or let it not wait the next time."""
        if not self._rung:
            self._rung = True
            with suppress(OSError):
                os.write(self._write, b"!")

    def quiet(self) -> None:
        """Begin to look what happened: what happens from here on rings again."""
        with suppress(OSError):
            os.read(self._read, _MOST)
        self._rung = False  # in this order: a ring between the two is of something that is looked at next

    def wait(self, waiter: Waiter, happened: Callable[[], bool], timeout_ns: int | None = None) -> bool:
        """Wait until something has happened; whether it has.

        Args:
            waiter: how waiting is done.
            happened: says so; made true by threads that ring then.
            timeout_ns: how long one wait may take; None for ever.
        """
        while True:
            self.quiet()
            if happened():
                return True
            if not waiter.wait((self._read,), (), timeout_ns)[0]:
                return happened()

    def wait_here(self, happened: Callable[[], bool], seconds: float) -> bool:
        """Wait on a thread of the host until something has happened, or for so many seconds; whether it has."""
        end = time.monotonic() + seconds
        while True:
            self.quiet()
            left = end - time.monotonic()
            if happened() or left <= 0:
                return happened()
            wait_ready((), (), self._read, _NEVER, left)

    def hold(self) -> Self:
        """Have one more thread that may ring."""
        with self._lock:
            self._holders += 1
        return self

    def close(self) -> None:
        """Have one thread less."""
        with self._lock:
            self._holders -= 1
            last = not self._holders
        if last:
            os.close(self._read)
            os.close(self._write)
