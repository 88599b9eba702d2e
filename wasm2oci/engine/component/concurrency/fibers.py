"""Stacks for guest code that waits: a thread of the host each, of which one runs at a time, handed the turn."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import TYPE_CHECKING, Final

from wasm2oci.base.threads import start_with_stack
from wasm2oci.engine.runtime.trap import Trap, TrapKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fiber"]

_LOOK_S: Final = 0.05
"""How often the one that waits for its turn looks up, so that it can be broken off."""
_KICKS: Final = 20
_STACK: Final = 4 << 20
"""Bytes of a stack; frames of guest code take none of it, and `threads` bounds what calls between instances take."""


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
            Trap: the system gives no thread for it.
        """
        thread = threading.Thread(target=self._body, args=(run,), name="guest-fiber", daemon=True)
        try:
            start_with_stack(thread, _STACK)
        except RuntimeError as error:
            self.ended = True
            raise Trap(TrapKind.OUT_OF_MEMORY, "there is no stack for a function that waits on it") from error
        self._thread = thread
        self._wait()

    def _body(self, run: Callable[[], None]) -> None:
        with contextlib.suppress(BaseException):  # what breaks it off may arrive twice, and when all is over
            try:
                run()
            except _AbandonedError:
                pass
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                self._error = error
            finally:
                self.ended = True
                _open(self._returned)

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
        """Has it unwound where it is parked; `join` waits until it is."""
        self._unwind = True
        _open(self._given)

    def join(self) -> None:
        """Waits until it has ended."""
        thread = self._thread
        if thread is None:
            return
        try:
            while thread.is_alive():
                thread.join(_LOOK_S)
        except BaseException as error:
            self._break_off(type(error))
            raise

    def _wait(self) -> None:
        thread = self._thread
        assert thread is not None  # noqa: S101 - it was started
        try:
            while not self._returned.acquire(timeout=_LOOK_S):
                if not thread.is_alive():  # broken off where it could not give the turn back any more
                    self.ended = True
                    break
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


def _open(lock: threading.Lock) -> None:
    """Releases a lock, unless something else has: what is broken off is handed a turn that it may have already."""
    with contextlib.suppress(RuntimeError):
        lock.release()
