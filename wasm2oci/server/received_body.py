"""The body of a request, as it comes. Spec: RFC 9112, 6 and 7."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wasm2oci.server.http1 import HeadError, chunk_size
from wasm2oci.server.messages import BrokenBodyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.server.connection import Connection
    from wasm2oci.server.http1 import ConnectionLimits, RequestHead

__all__ = ["ReceivedBody"]


class ReceivedBody:
    """A request's body: one pass, in views of one buffer, on one thread at a time, which may be any.

    Args:
        connection: what it comes by.
        head: of its request.
        limits: what it may take.
    """

    def __init__(self, connection: Connection, head: RequestHead, limits: ConnectionLimits) -> None:
        self._connection, self._limits = connection, limits
        self._reader: int | None = None
        self._over = threading.Event()
        self._continue = head.wants_continue
        self._length, self._read = head.length, 0
        self._started: float | None = None
        self._elsewhere = 0.0
        self._done = head.length == 0
        self._broken = False

    def __iter__(self) -> Iterator[memoryview]:
        if self._done or self._broken:
            return
        self._started = time.monotonic()
        self._reader = threading.get_ident()
        self._connection.begin_to_move()
        # Broken until proven whole: a request that stops in the middle leaves a connection that cannot be used again.
        self._broken = True
        try:
            if self._continue:
                self._continue = False
                self._connection.send_continue()
            for piece in self._chunks() if self._length is None else self._counted(self._length, self._buffer()):
                given = time.monotonic()
                yield piece
                self._elsewhere += time.monotonic() - given
        except HeadError as error:
            raise BrokenBodyError(str(error), error.status) from error
        except TimeoutError as error:
            raise BrokenBodyError("body came too slowly", 408) from error
        except OSError as error:
            raise BrokenBodyError("client closed the connection in the middle of a body") from error
        else:
            self._connection.stop_moving()
            self._done, self._broken = True, False
        finally:
            self._over.set()

    def settle(self, seconds: float, stop: Callable[[], None]) -> None:
        """Wait until no other thread reads it, before the connection is used for something else or closed.

        Args:
            seconds: for the other thread to see that its request is answered.
            stop: then makes its reading end.
        """
        if self._reader in {None, threading.get_ident()} or self._over.wait(seconds):
            return
        stop()
        self._over.wait(seconds)

    def drain(self, most: int) -> bool:
        """Whether nothing of the body is left; reads a small rest to make it so."""
        if self._done:
            return True
        if self._broken or self._continue or self._length is None or self._length > most:
            return False
        try:
            for _ in self:
                pass
        except BrokenBodyError:
            return False
        return True

    def _buffer(self) -> memoryview:
        size = self._limits.piece if self._length is None else min(self._length, self._limits.piece)
        return memoryview(bytearray(size))

    def _counted(self, left: int, view: memoryview) -> Iterator[memoryview]:
        while left:
            count = self._connection.read_into(view[:left] if left < len(view) else view, self._timeout())
            if not count:
                raise BrokenBodyError("client closed the connection in the middle of a body")
            left -= count
            self._read += count
            yield view[:count]

    def _chunks(self) -> Iterator[memoryview]:
        view = self._buffer()
        while size := chunk_size(self._connection.read_line(self._timeout())):
            yield from self._counted(size, view)
            if self._connection.read_line(self._timeout()):
                raise HeadError("chunk is longer than it says")
        trailer = 0
        while line := self._connection.read_line(self._timeout()):
            trailer += len(line)
            if trailer > self._limits.head:
                raise HeadError("trailer is too large", 431)

    def _timeout(self) -> float:
        limits = self._limits
        elapsed = time.monotonic() - (self._started or 0.0)
        # Time that the reader spends with what came does not count against the client's rate.
        left = limits.body_grace + self._read / limits.body_rate - (elapsed - self._elsewhere)
        left = min(left, limits.request_seconds - elapsed, limits.idle_seconds)
        if left <= 0:
            raise TimeoutError
        return left
