"""A pause of the cyclic garbage collector, for work that makes many small objects and keeps them.

Each collection walks what is young, and what grows old makes the next full one longer: a module of 30,000 segments
spends a tenth of its decoding there. Reference counting goes on, and what is left is collected after the pause.
"""

from __future__ import annotations

import gc
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Pause"]


class Pause:
    """`with Pause():` keeps the collector off inside of the block.

    The collector belongs to the process. So pauses are counted, over all threads: the first one turns it off, and the
    end of the last one turns it on again, if it was on before the first.
    """

    __slots__ = ()

    _lock: ClassVar = Lock()
    _open: ClassVar = 0
    _was_on: ClassVar = False

    def __enter__(self) -> None:
        with Pause._lock:
            if Pause._open == 0:
                Pause._was_on = gc.isenabled()
                gc.disable()
            Pause._open += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with Pause._lock:
            Pause._open -= 1
            if Pause._open == 0 and Pause._was_on:
                gc.enable()
