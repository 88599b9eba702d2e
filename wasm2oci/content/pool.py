"""A few threads that each take the next piece of work until there is none, or until one fails.

Written here because importing the standard pool costs 15 ms, a tenth of a small push.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["StoppedError", "never_stops", "run_all", "run_jobs"]

T = TypeVar("T")
_GRACE: Final = 0.5
"""Seconds that all workers together have to end after an error or an interrupt."""


class StoppedError(Exception):
    """Other work failed or the user interrupted, so this work gives up; never leaves `run_all`."""


def run_all(work: Callable[[T, Callable[[], None]], None], items: Iterable[T], workers: int) -> None:
    """Do all the work, at most `workers` pieces at once; the first error ends the rest and is raised.

    The caller's thread is one of the workers, so that no thread is started where one would be enough.

    Args:
        work: called with an item and a function `check`, which it calls often: that raises `StoppedError` once the
            work is pointless.
        items: what to work on; begun in this order.
        workers: threads, the caller's included; at least 1.

    Raises:
        BaseException: what the first failing piece of work raised, or what interrupted the caller.
    """
    left = deque(items)
    stop, errors = threading.Event(), list[BaseException]()
    ended = threading.Semaphore(0)

    def check() -> None:
        if stop.is_set():
            raise StoppedError

    def loop() -> None:
        while not stop.is_set():
            try:
                item = left.popleft()
            except IndexError:
                return
            try:
                work(item, check)
            except StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, whatever it is
                errors.append(error)
                stop.set()
                return

    def worker() -> None:
        loop()
        ended.release()

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(min(workers, len(left)) - 1)]
    try:
        for thread in threads:
            thread.start()
        loop()
        for _ in threads:
            # A signal that comes between two steps of Python, just before a wait, is seen only after the wait.
            while not stop.is_set() and not ended.acquire(timeout=_GRACE):
                pass
    finally:
        # After an error or an interrupt, be it here or in a worker, the workers end at their next chunk and take away
        # what they had half-written; they are daemons and not waited for long, so a silent peer cannot hold us.
        stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_GRACE / len(threads))
    if errors:
        raise next((error for error in errors if not isinstance(error, Exception)), errors[0])  # an interrupt first


def run_jobs(jobs: Iterable[Callable[[], None]], workers: int) -> None:
    """Run all of these functions as `run_all` does its work; one that has begun is not stopped."""

    def work(job: Callable[[], None], check: Callable[[], None]) -> None:
        check()
        job()

    run_all(work, jobs, workers)


def never_stops() -> None:
    """The check of work that no other thread can make pointless."""
