"""Bytes on their way between a guest and a thread of the host: bounded, and at both ends without locks.

A guest's thread may be broken off anywhere, so nothing here may be left locked. One thread writes and one reads; each
changes only what is its own, and rings the other's bell.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.preview2.streams import CHUNK, Pollable, StreamFailedError

if TYPE_CHECKING:
    from wasm2oci.wasi.preview2.bell import Bell
    from wasm2oci.wasi.waiting import Waiter

__all__ = ["ROOM", "Pipe", "PipeInput", "PipeOutput"]

ROOM: Final = 256 * 1024
"""Bytes that wait in a pipe."""


class Pipe:
    """Bytes from one thread to another.

    Args:
        bells: of both ends.
        expected: bytes that have to come in all; None where that is not known.

    Attributes:
        written: bytes so far.
        ended: nothing more comes, and what came is whole.
        failure: nothing more comes, and what came is not whole: why, as the reader is to see it.
        abandoned: nothing more is read.
        discards: nothing more is kept, and the end is waited for.
        trailers: what came after the end.
    """

    def __init__(self, *bells: Bell, expected: int | None = None) -> None:
        self._bells: tuple[Bell, ...] = bells
        self._parts: deque[bytes] = deque()
        self._taken = 0
        self.written = 0
        self.expected = expected
        self.ended = self.abandoned = self.discards = False
        self.failure: Any = None
        self.trailers: list[tuple[str, bytes]] | None = None

    def ring(self) -> None:
        """Wake both ends."""
        for bell in self._bells:
            bell.ring()

    def watch(self, bell: Bell) -> None:
        """Wake this bell, too, when something changes."""
        self._bells = (*self._bells, bell)

    def unwatch(self, bell: Bell) -> None:
        """Stop ringing a bell, which is about to be closed."""
        self._bells = tuple(other for other in self._bells if other is not bell)

    # --- the writer -------------------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Bytes that can be written now."""
        return ROOM if self.discards else max(0, ROOM - (self.written - self._taken))

    @property
    def writable(self) -> bool:
        """Whether a writer need not wait."""
        return self.free > 0 or self.abandoned

    def put(self, data: bytes) -> None:
        """Write bytes; the writer has seen that there is room."""
        if data and not (self.abandoned or self.discards):
            self._parts.append(data)
        elif self.discards:
            self._taken += len(data)  # the reader takes nothing any more
        self.written += len(data)
        self.ring()

    def end(self, trailers: list[tuple[str, bytes]] | None = None) -> None:
        """End the bytes: all of them were written."""
        self.trailers = trailers
        self.ended = True
        self.ring()

    def fail(self, why: Any) -> None:
        """End the bytes before all were written, unless they have ended already."""
        if not self.ended and self.failure is None:
            self.failure = why
            self.ring()

    # --- the reader -------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing more can be taken."""
        return (self.ended or self.failure is not None) and (not self._parts or self.discards)

    @property
    def readable(self) -> bool:
        """Whether a reader need not wait."""
        return bool(self._parts) or self.ended or self.failure is not None

    def take(self, size: int) -> bytes:
        """At most so many of the bytes that are available; none when there are none."""
        if not self._parts:
            return b""
        data = self._parts.popleft()
        if len(data) > size:
            self._parts.appendleft(data[size:])
            data = data[:size]
        self._taken += len(data)
        self.ring()
        return data

    def abandon(self) -> None:
        """Read nothing more."""
        self.abandoned = True
        self.ring()

    def discard(self) -> None:
        """Discard what is still to come, and wait for the end."""
        self.discards = True
        self.ring()


class PipeInput:
    """An input stream of a guest.

    Args:
        pipe: what is read.
        bell: the guest's.
        waiter: how the guest waits.
    """

    resource = "input-stream"

    def __init__(self, pipe: Pipe, bell: Bell, waiter: Waiter) -> None:
        self._pipe = pipe
        self._bell = bell
        self._waiter = waiter

    def read(self, size: int, *, block: bool) -> bytes | None:
        """See `InputStream.read`."""
        pipe = self._pipe
        if not size:
            return b""
        if block:
            self._bell.wait(self._waiter, lambda: pipe.readable)
        ended, failure = pipe.ended, pipe.failure  # looked at before the bytes, which come before them
        data = pipe.take(size)
        if data:
            return data
        if failure is not None:
            raise StreamFailedError(failure)
        return None if ended else b""

    def subscribe(self) -> Pollable:
        """See `InputStream.subscribe`."""
        return Pollable(ready=lambda: self._pipe.readable)


class PipeOutput:
    """An output stream of a guest.

    Args:
        pipe: what is written.
        bell: the guest's.
        waiter: how the guest waits.
        too_large: what a stream fails with where more is written than was announced.
    """

    resource = "output-stream"

    def __init__(self, pipe: Pipe, bell: Bell, waiter: Waiter, too_large: Any) -> None:
        self._pipe = pipe
        self._bell = bell
        self._waiter = waiter
        self._too_large = too_large

    def permitted(self) -> int:
        """See `OutputStream.permitted`."""
        self._check()
        return min(CHUNK, self._pipe.free)

    def write(self, data: bytes) -> None:
        """See `OutputStream.write`."""
        pipe = self._pipe
        if pipe.expected is not None and pipe.written + len(data) > pipe.expected:
            raise StreamFailedError(self._too_large)
        while data:
            self._bell.wait(self._waiter, lambda: pipe.writable)
            self._check()
            free = pipe.free
            pipe.put(data[:free])
            data = data[free:]

    def _check(self) -> None:
        if self._pipe.abandoned or self._pipe.ended:
            raise EOFError

    def subscribe(self) -> Pollable:
        """See `OutputStream.subscribe`."""
        return Pollable(ready=lambda: self._pipe.writable)
