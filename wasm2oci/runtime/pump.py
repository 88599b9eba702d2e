"""Output of a foreign library into Python functions, through pipes.

wasmtime's binding can call a Python function for each write, but from threads of its own, which still hold on to
Python when the process ends. So the guest gets the writing end of a pipe, and a thread of ours reads the other one.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.descriptors import set_blocking, wait_ready
from wasm2oci.wasi.endings import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Pump"]

_CHUNK: Final = 65536
_LOOK_S: Final = 3600.0


class Pump:
    """A pipe whose content a function takes. A context manager; at its end everything written was taken.

    Args:
        take: gets the bytes, in a thread of its own; what it raises ends the pumping, and so the guest's writing.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._read, self._write = os.pipe()
        self._stop_read, self._stop = os.pipe()
        self._stopped = threading.Event()
        set_blocking(self._read, False)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    @property
    def path(self) -> str:
        """A path that opens the writing end."""
        return f"/dev/fd/{self._write}"

    def _run(self) -> None:
        try:
            stopping = False
            while not stopping:
                wait_ready((self._read,), (), self._stop_read, self._stopped, _LOOK_S)
                stopping = self._stopped.is_set()
                self._drain()
        except (Interrupted, OSError):
            pass  # the reader went away, or the run was broken off: the guest's next write fails
        finally:
            os.close(self._read)
            os.close(self._stop_read)

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._read, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                return
            self._take(data)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        os.close(self._write)
        os.close(self._stop)  # which ends the waiting
        # However long the function takes: this is the guest's thread, and a run that is broken off leaves that behind.
        self._thread.join()
