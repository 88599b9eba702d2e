"""Waiting for the signals that end a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wait_for_signal"]


def wait_for_signal(announce: Callable[[], None]) -> None:
    """Announce the server, and wait for Ctrl-C or SIGTERM.

    A signal may arrive as soon as the announcement is read, so the handlers are installed before it. It may also arrive
    between any two steps of Python, and then what waits must hold no lock that the handler needs: an event does.
    """
    import signal
    from queue import SimpleQueue

    arrived = SimpleQueue[int]()
    before = {
        number: signal.signal(number, lambda given, _: arrived.put(given)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        announce()
        arrived.get()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
