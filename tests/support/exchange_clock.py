"""A clock that counts exchanges: one tick for each, and exchanges that are under way at once share theirs.

    clock = ExchangeClock(network)                  # a `Sender` around a `tests.support.network.Network`
    with clock.installed(monkeypatch):              # threads and locks of the package wait by this clock
        push(...)
    clock.now                                       # ticks: the critical path, which is what a user waits for

It is a discrete simulation, so the count is the same in every run. A request is answered at the next tick, and the
next tick comes when every thread waits: for an answer, for a lock or a semaphore, or for another thread to end. Opening
connections takes no tick.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.support.network import Network
    from wasm2oci.registry.messages import Request, Response
    from wasm2oci.registry.urls import Origin

__all__ = ["ExchangeClock"]

_LOCK = threading.Lock


class ExchangeClock:
    """The clock, and the sender whose exchanges it counts.

    Attributes:
        now: ticks so far.
        ticks: for each tick, what was asked at once.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.now = 0
        self.ticks: list[list[str]] = []
        self._guard = threading.Condition(_LOCK())
        self._running = 1
        self._asked: list[str] = []

    def send(self, request: Request, *, home: Origin) -> Response:
        """One exchange."""
        with self._guard:
            self._asked.append(f"{request.method} {request.url}")
            due = self.now + 1
            self.pause()
            while self.now < due:
                self._guard.wait()
        return self.network.send(request, home=home)

    def expect(self, origin: Origin, connections: int) -> None:
        """Nothing is opened."""

    def addresses(self, origin: Origin) -> list[str]:
        """None are known."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    def pause(self) -> None:
        """The caller, who holds the guard, waits from now on; whoever ends that calls `resume` for it."""
        self._running -= 1
        if self._running == 0 and self._asked:
            self.now += 1
            self.ticks.append(self._asked)
            self._running = len(self._asked)
            self._asked = []
            self._guard.notify_all()

    def resume(self, count: int) -> None:
        """So many threads that waited run again; the guard is held."""
        self._running += count
        self._guard.notify_all()

    def queue(self, queue: deque[object]) -> None:
        """The caller, who holds the guard, waits until `call` takes it from the queue."""
        ticket = object()
        queue.append(ticket)
        self.pause()
        while ticket in queue:
            self._guard.wait()

    def call(self, queue: deque[object]) -> bool:
        """Let the thread that has waited longest go on; whether there was one. The guard is held."""
        if not queue:
            return False
        queue.popleft()
        self.resume(1)
        return True

    @contextmanager
    def installed(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let threads and locks that the package makes wait by this clock while the block lasts."""
        clock = self

        class Thread(threading.Thread):
            """A thread that the clock knows of."""

            ended = False
            joining = 0

            def start(self) -> None:
                with clock._guard:
                    clock.resume(1)
                super().start()

            def run(self) -> None:
                try:
                    super().run()
                finally:
                    with clock._guard:
                        self.ended = True
                        clock.resume(self.joining)
                        clock.pause()

            def join(self, timeout: float | None = None) -> None:
                del timeout
                with clock._guard:
                    if not self.ended:
                        self.joining += 1
                        clock.pause()
                        while not self.ended:
                            clock._guard.wait()

        class Lock:
            """A lock that the clock knows of; who waits longest gets it."""

            def __init__(self) -> None:
                self.held = False
                self.queue: deque[object] = deque()

            def __enter__(self) -> bool:
                with clock._guard:
                    if self.held:
                        clock.queue(self.queue)
                    self.held = True
                return True

            def __exit__(self, *_: object) -> None:
                with clock._guard:
                    self.held = clock.call(self.queue)

        class Semaphore:
            """A semaphore that the clock knows of."""

            def __init__(self, value: int = 1) -> None:
                self.value = value
                self.queue: deque[object] = deque()

            def acquire(self, timeout: float | None = None) -> bool:
                del timeout
                with clock._guard:
                    if self.value:
                        self.value -= 1
                    else:
                        clock.queue(self.queue)
                return True

            def release(self) -> None:
                with clock._guard:
                    if not clock.call(self.queue):
                        self.value += 1

        patch.setattr(threading, "Thread", Thread)
        patch.setattr(threading, "Semaphore", Semaphore)
        for name, module in list(sys.modules.items()):
            if name.startswith("wasm2oci."):
                content: dict[str, Any] = vars(module)
                if content.get("Lock") is _LOCK:
                    patch.setattr(module, "Lock", Lock)
        yield
