"""Hashing on a thread of its own: hashlib lets other threads run while it hashes, and so do sockets and files."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasm2oci.oci.digest import Hasher

__all__ = ["HashingThread"]

_WAITING: Final = 3
"""Chunks that wait at most: their memory serves again while it is in the processor's cache."""


class HashingThread:
    """Hashes what it is given, in order, on a thread of its own.

    Args:
        hasher: belongs to this until `finish` has returned.
    """

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = Semaphore(_WAITING)
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def update(self, chunk: bytes) -> None:
        """Add bytes, which may be hashed later; waits while there are many of them."""
        self._room.acquire()
        self._chunks.put(chunk)

    def finish(self) -> None:
        """Wait until all is hashed, and end the thread. Raises what went wrong when it was."""
        self.stop()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Tell the thread to end, and do not wait for it: an interpreter that ends stops its other threads."""
        self._chunks.put(None)

    def _run(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            try:
                self._hasher.update_raw(chunk)
            except BaseException as error:  # noqa: BLE001 - raised by `finish`
                self._failure = error
            self._room.release()  # also after a failure: `update` may wait for it
