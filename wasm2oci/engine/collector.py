"""A pause of the cyclic garbage collector, for work that makes many small objects and keeps them.

Each collection walks what is young, and what grows old makes the next full one longer: a module of 30,000 segments
spends a tenth of its decoding there. Reference counting goes on, and what is left is collected after the pause.
"""

import gc
from types import TracebackType

__all__ = ["Pause"]


class Pause:
    """`with Pause():` leaves the collector as it was found; pauses nest."""

    __slots__ = ("_running",)

    def __enter__(self) -> None:
        self._running = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._running:
            gc.enable()
