"""Running a guest in a thread of its own, so that a time limit or Ctrl-C ends it at once.

The calling thread only waits. When the limit passes, or the call is broken off (KeyboardInterrupt, or whatever else a
signal handler raises), the interrupt is thrown, which ends every blocking WASI call, and `kick` makes the engine look
up from the guest's own code. A guest that still does not end, because a foreign library sleeps on its behalf, is left
behind: the thread is a daemon's, and the call returns regardless. Another thread goes on to kick it, so that it does
not run for ever.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from wasm2oci.base.threads import start_with_stack
from wasm2oci.wasi.endings import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.waiting import Interrupt

__all__ = ["HOST_STACK", "TimedOut", "supervise"]

_GRACE_S: Final = 0.05
_KICKS: Final = 2
"""An exception that arrives while Python runs a finalizer is lost; the next one, mostly, is not."""
_PAUSE_MAX_S: Final = 3600.0
"""Between kicks of a guest that was left behind; they begin at `_GRACE_S`, and each pause is twice the one before, so
that one that a foreign library keeps for ever costs nothing."""
_IMPORTING: Final = "<frozen importlib"
_FRAMES_MAX: Final = 1000
HOST_STACK: Final = 64 << 20
"""Bytes of the thread's stack for the host; only reserved, not used, until a guest calls that deep."""

T = TypeVar("T")


class TimedOut(Exception):  # noqa: N818 - an outcome, not an error
    """The time limit passed."""


class _Box(Generic[T]):
    """What the thread left."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.kicking = threading.Lock()
        self.result: T
        self.error: BaseException | None = None

    def finish(self) -> None:
        """Nothing is kicked from now on, so that what arrived before arrives in here."""
        with self.kicking:
            self.done.set()


class _Quiet:
    """Lets Python not print an exception that a kick raised in a finalizer, where it is lost.

    A context manager, for all guests that are broken off at the same time: the first one changes the hook of the
    process, and the last one changes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guests = 0
        self._before = self._hook = sys.unraisablehook

    def __enter__(self) -> None:
        with self._lock:
            self._guests += 1
            if self._guests > 1:
                return
            self._before = before = sys.unraisablehook

            def hook(lost: sys.UnraisableHookArgs) -> None:
                if not issubclass(lost.exc_type, Interrupted):
                    before(lost)

            sys.unraisablehook = self._hook = hook

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._lock:
            self._guests -= 1
            if not self._guests and sys.unraisablehook is self._hook:
                sys.unraisablehook = self._before


_quiet: Final = _Quiet()


def supervise(
    work: Callable[[], T],
    interrupt: Interrupt,
    kick: Callable[[int], None],
    timeout_s: float | None,
    *,
    stack: int = 0,
) -> T:
    """What `work` returns, or raises.

    Args:
        work: runs the guest, in a new thread.
        interrupt: thrown to break it off.
        kick: called with the thread's identity, makes the guest's own code stop.
        timeout_s: seconds `work` may take, or None.
        stack: bytes of the thread's stack that are the guest's, beside those of its host.

    Raises:
        TimedOut: the limit passed.
        KeyboardInterrupt: Ctrl-C, when this is the main thread.
    """
    box: _Box[T] = _Box()

    def body() -> None:
        with contextlib.suppress(Interrupted):  # which may arrive when everything is over, and twice
            try:
                try:
                    box.result = work()
                except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                    box.error = error
                finally:
                    box.finish()
            except Interrupted:
                box.finish()

    thread = threading.Thread(target=body, name="guest", daemon=True)
    try:
        try:
            start_with_stack(thread, HOST_STACK + stack)
        except RuntimeError:  # no thread is to be had, and so there is none to break off
            box.finish()
            raise
        finished = box.done.wait(timeout_s)
    except BaseException:
        _break_off(box, interrupt, kick, thread)
        raise
    if not finished:
        _break_off(box, interrupt, kick, thread)
        raise TimedOut
    if box.error is not None:
        raise box.error
    return box.result


def _break_off(box: _Box[T], interrupt: Interrupt, kick: Callable[[int], None], thread: threading.Thread) -> None:
    if box.done.is_set():
        return
    interrupt.fire()
    with contextlib.ExitStack() as quiet:
        quiet.enter_context(_quiet)
        for _ in range(_KICKS):
            if _kicked(box, kick, thread, _GRACE_S):
                return
        left_behind = quiet.pop_all()
    arguments = (box, kick, thread, left_behind)
    try:
        threading.Thread(target=_kick_until_over, args=arguments, name="wasm2oci-kick", daemon=True).start()
    except RuntimeError:  # no thread is available
        left_behind.close()


def _kicked(box: _Box[T], kick: Callable[[int], None], thread: threading.Thread, seconds: float) -> bool:
    """Kick once, unless it loads a module just now; whether the guest's thread ended within so many seconds."""
    with box.kicking:
        if thread.ident is not None and not box.done.is_set() and not _imports(thread.ident):
            kick(thread.ident)
    if not box.done.wait(seconds):
        return False
    if thread.ident is not None:
        thread.join(seconds)  # a finalizer of its last frames may still be what a kick arrives in
    return True


def _imports(thread: int) -> bool:
    """Whether a thread loads a module of the host for its guest: broken off there, it leaves the file open."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - there is no other way to see where a thread is
    for _ in range(_FRAMES_MAX):
        if frame is None:
            return False
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False


def _kick_until_over(
    box: _Box[T], kick: Callable[[int], None], thread: threading.Thread, quiet: contextlib.ExitStack
) -> None:
    pause = _GRACE_S
    with quiet:
        # A thread may end without saying so, where kicks arrive while it does.
        while (thread.ident is None or thread.is_alive()) and not _kicked(box, kick, thread, pause):
            pause = min(2 * pause, _PAUSE_MAX_S)
        thread.join()
