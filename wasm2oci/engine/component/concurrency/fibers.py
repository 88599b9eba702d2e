"""Stacks for guest code that waits: a thread of the host each, of which one runs at a time, handed the turn."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import TYPE_CHECKING, Final

from wasm2oci.base.threads import start_with_stack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fiber"]

_LOOK_S: Final = 0.05
"""How often the one that waits for its turn looks up, so that it can be broken off."""
_KICKS: Final = 20
_STACK: Final = 16 << 20
"""Bytes of a fiber's stack; only reserved, not used, until calls nest that deep."""


class _AbandonedError(BaseException):
    """Unwinds the stack of guest code that is given up."""


class Fiber:
    """A stack that runs between `start` or `resume` and `park`, while what resumed it waits.

    Attributes:
        ended: whether what it runs has ended.
    """

    __slots__ = ("_error", "_given", "_returned", "_thread", "_unwind", "ended")

    def __init__(self) -> None:
        self._given = threading.Lock()
        self._returned = threading.Lock()
        self._given.acquire()
        self._returned.acquire()
        self._error: BaseException | None = None
        self._unwind = False
        self._thread: threading.Thread | None = None
        self.ended = False

    def start(self, run: Callable[[], None]) -> None:
        """Runs something until it parks, or ends; raises what it raises.

        Raises:
            MemoryError: the host has no thread for it.
        """

        def body() -> None:
            try:
                run()
            except _AbandonedError:
                pass
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._error = error
            finally:
                self.ended = True
                self._returned.release()

        self._thread = threading.Thread(target=body, name="guest-fiber", daemon=True)
        try:
            start_with_stack(self._thread, _STACK)
        except RuntimeError:
            self.ended = True
            raise MemoryError from None
        self._wait()

    def resume(self) -> None:
        """Has it go on from where it parked; raises what it raises."""
        self._given.release()
        self._wait()

    def park(self) -> None:
        """On the fiber: gives the turn back until it is resumed."""
        self._returned.release()
        while not self._given.acquire(timeout=_LOOK_S):
            pass
        if self._unwind:
            raise _AbandonedError

    def abandon(self) -> None:
        """Unwinds it, where it is parked."""
        if self._thread is not None and not self.ended:
            self._unwind = True
            with contextlib.suppress(Exception):  # what is given up has nothing more to say
                self.resume()
            self._thread.join()

    def _wait(self) -> None:
        try:
            while not self._returned.acquire(timeout=_LOOK_S):
                pass
        except BaseException as error:
            self._break_off(type(error))
            raise
        raised, self._error = self._error, None
        if raised is not None:
            raise raised

    def _break_off(self, why: type[BaseException]) -> None:
        """Has the same raised where it runs."""
        thread = self._thread
        for _ in range(_KICKS):
            if thread is None or thread.ident is None or self.ended:
                return
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(why))
            thread.join(_LOOK_S)
