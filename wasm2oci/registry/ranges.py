"""Reading a large blob over one connection, and over several where the line is what limits.

Registries and the lines to them often limit each connection. So the reader of a large blob looks at what it does with
its time: where it waits for bytes nearly all of it, helpers ask for the parts that come next, each over a connection of
its own, a few parts ahead at most, so that memory stays bounded. Where the processor limits, more connections would
only cost more of it, and the blob stays one answer.

The first answer is read on until a helper has been answered with the part that comes next in it. So a registry that
does not send parts costs one request in vain, and an error of a helper before that costs nothing.

Each part is checked to be the one that was asked for, and is read on where it broke (`download.BlobPart`). The parts
come out in order, and the reader verifies the whole.

Spec: distribution-spec, Pulling blobs, end-2; RFC 9110 section 14.
"""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from wasm2oci.content.verify import CHUNK
from wasm2oci.registry.download import BlobPart, RangesRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from threading import BoundedSemaphore

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.exchange import Exchange

__all__ = ["HELPERS", "PARALLEL_MIN", "PART", "ParallelBlob"]

PARALLEL_MIN: Final = 16 << 20
"""Bytes that have to be left of a blob for parts of it to be worth while."""
HELPERS: Final = 5
"""Threads that read ahead for one repository, each on a connection of its own, for all of its blobs together."""
PART: Final = 3 << 20
"""Bytes of a part. Those that are held at once are at most one for each helper, and one for each blob that has some."""
_LOOK: Final = 0.25
"""Seconds of reading, before which nothing is known about the line; a preempted process is no slow line."""
_WAITING: Final = 0.75
"""The part of its time that a reader waits for bytes where the line limits."""
_FAST: Final = 128 << 20
"""Bytes a second of one connection, beyond which others are not worth what they cost the processor."""


class ParallelBlob:
    """The bytes of a blob, in order.

    Args:
        exchange: with the repository.
        descriptor: of the blob.
        helpers: allows threads; as many are used as it lets through at once.
        start: the first byte that is wanted.
    """

    def __init__(self, exchange: Exchange, descriptor: Descriptor, helpers: BoundedSemaphore, start: int = 0) -> None:
        self._start = start
        self._exchange = exchange
        self._descriptor = descriptor
        self._helpers = helpers

    def __iter__(self) -> Iterator[bytes]:
        """The bytes; see `download.BlobPart` for the errors."""
        offset, size = self._start, self._descriptor.size
        line = _Line(self._exchange.session.world.clock)
        ahead: _ReadAhead | None = None
        threads = 0
        try:
            with closing(self._whole(offset)) as pieces:
                for piece in line.measured(pieces):
                    switch = None if ahead is None else ahead.begins(offset, offset + len(piece))
                    if ahead is not None and switch is not None:
                        yield piece[: switch - offset]
                        break
                    offset += len(piece)
                    yield piece
                    if ahead is None and line.limits and size - offset >= PARALLEL_MIN:
                        threads = self._find_threads()
                        ahead = _ReadAhead(self._exchange, self._descriptor, threads, offset + PART)
                else:
                    return
            yield from self._in_parts(ahead)
        finally:
            if ahead is not None:
                ahead.stop()
            for _ in range(threads):
                self._helpers.release()

    def _find_threads(self) -> int:
        threads = 0
        while threads < HELPERS and self._helpers.acquire(blocking=False):
            threads += 1
        return threads

    def _in_parts(self, ahead: _ReadAhead) -> Iterator[bytes]:
        while ahead.offset < self._descriptor.size:
            try:
                yield from ahead.take()
            except RangesRefusedError:  # another server behind the same address
                ahead.stop()
                yield from self._whole(ahead.offset)
                return

    def _whole(self, start: int) -> Generator[bytes]:
        return BlobPart(self._exchange, self._descriptor, start, self._descriptor.size).read(None)


class _Line:
    """Looks at what the reader of a blob does with its time.

    Attributes:
        limits: whether it waits for bytes most of it, and would get them faster over more connections.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.limits = False
        self._clock = clock

    def measured(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces; what passes until the first of them is not measured."""
        begun, waited, size = 0.0, 0.0, 0
        asked = self._clock()
        for number, piece in enumerate(pieces):
            came = self._clock()
            if number == 0:
                begun = came
            else:
                waited += came - asked
                size += len(piece)
            yield piece
            asked = self._clock()
            passed = asked - begun
            self.limits = passed >= _LOOK and waited >= _WAITING * passed and size <= _FAST * passed


class _ReadAhead:
    """Parts of a blob, read by threads into buffers that are used again and again.

    Args:
        exchange: with the repository.
        descriptor: of the blob.
        threads: how many.
        start: the first byte of the first part.

    Attributes:
        offset: the first byte of the part that is taken next.
    """

    def __init__(self, exchange: Exchange, descriptor: Descriptor, threads: int, start: int) -> None:
        self.offset = start
        self._exchange = exchange
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._next = start
        self._buffers = [bytearray(PART) for _ in range(threads + 1)] if threads else []
        self._answered: set[int] = set()
        self._parts: dict[int, bytearray | BaseException] = {}
        self._stopped = False
        with suppress(RuntimeError):  # the system gives no further thread; without any, no part is answered
            for _ in range(threads):
                threading.Thread(target=self._run, daemon=True).start()

    def begins(self, start: int, stop: int) -> int | None:
        """Where from `start` to `stop` the parts take over from the first answer; None: not there.

        The parts before `stop` that are not answered yet are given up: they come faster by the first answer.
        """
        with self._changed:
            while start <= self.offset <= stop and not self._stopped:
                part = self._parts.get(self.offset)
                if isinstance(part, BaseException):
                    self._stop()  # whatever it is, the first answer is a good one
                elif part is not None or self.offset in self._answered:
                    return self.offset
                else:
                    self.offset += PART
                    self._next = max(self._next, self.offset)
                    self._changed.notify_all()
            return None

    def take(self) -> Iterator[bytes]:
        """The bytes of the next part, waited for. Raises what went wrong when it was read."""
        with self._changed:
            while self.offset not in self._parts:
                self._changed.wait()
            part = self._parts.pop(self.offset)
        if isinstance(part, BaseException):
            raise part
        with memoryview(part) as view:
            size = self._stop_of(self.offset) - self.offset
            for start in range(0, size, CHUNK):
                yield bytes(view[start : min(start + CHUNK, size)])
        with self._changed:
            self.offset += PART
            self._buffers.append(part)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let the threads end after their next piece."""
        with self._changed:
            self._stop()

    def _stop(self) -> None:
        self._stopped = True
        self._parts.clear()
        self._buffers.clear()
        self._changed.notify_all()

    def _stop_of(self, start: int) -> int:
        return min(start + PART, self._descriptor.size)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._buffers and not self._stopped:
                    self._changed.wait()
                if self._stopped or self._next >= self._descriptor.size:
                    return
                start = self._next
                self._next += PART
                buffer = self._buffers.pop()
            result: bytearray | BaseException = buffer
            try:
                self._read(start, buffer)
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits for the part
                result = error
            with self._changed:
                if start >= self.offset and not self._stopped:
                    self._parts[start] = result
                elif not self._stopped:
                    self._buffers.append(buffer)
                self._changed.notify_all()

    def _read(self, start: int, buffer: bytearray) -> None:
        part = BlobPart(self._exchange, self._descriptor, start, self._stop_of(start))
        response = part.open()
        with self._changed:
            self._answered.add(start)
        at = 0
        with closing(part.read(response)) as pieces:
            for piece in pieces:
                if self._stopped or start < self.offset:
                    return
                buffer[at : at + len(piece)] = piece
                at += len(piece)
