"""Reading a large blob over several connections at once.

Lines to registries are often limited for each connection; and receiving, hashing and writing one after the other
leaves each of them idle most of the time. So a large blob is asked for in parts: the reader's own thread takes the
first while other threads read the next ones, a few parts ahead at most, so that memory stays bounded. From a registry
that does not answer with the parts, all of the blob is read over one connection.

Each part is checked to be the one that was asked for, and is read on where it broke (`download.BlobPart`). The parts
come out in order, and the reader verifies the whole.

Spec: distribution-spec, Pulling blobs, end-2; RFC 9110 section 14.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from wasm2oci.registry.download import BlobPart, RangesRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import BoundedSemaphore

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.exchange import Exchange

__all__ = ["HELPERS", "PARALLEL_MIN", "ParallelBlob"]

PARALLEL_MIN: Final = 16 << 20
"""Bytes from which on a blob is read in parts."""
HELPERS: Final = 5
"""Threads that read ahead for one repository, each on a connection of its own, for all of its blobs together."""
_PART: Final = 4 << 20


class ParallelBlob:
    """The bytes of a blob, in order, read in parts.

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
        threads = 0
        while threads < HELPERS and self._helpers.acquire(blocking=False):
            threads += 1
        try:
            yield from self._in_parts(threads) if threads else self._whole(self._start)
        finally:
            for _ in range(threads):
                self._helpers.release()

    def _in_parts(self, threads: int) -> Iterator[bytes]:
        first = BlobPart(self._exchange, self._descriptor, self._start, self._start + _PART)
        try:
            response = first.open()
        except RangesRefusedError:
            yield from self._whole(self._start)
            return
        ahead = _ReadAhead(self._exchange, self._descriptor, threads, self._start)
        try:
            yield from first.read(response)
            for number in range(1, ahead.count):
                try:
                    part = ahead.take(number)
                except RangesRefusedError:  # another server behind the same address
                    ahead.stop()
                    yield from self._whole(self._start + number * _PART)
                    return
                yield from part
        finally:
            ahead.stop()

    def _whole(self, start: int) -> BlobPart:
        return BlobPart(self._exchange, self._descriptor, start, self._descriptor.size)


class _ReadAhead:
    """The parts after the first, read by threads, as many parts ahead of the one that is waited for."""

    def __init__(self, exchange: Exchange, descriptor: Descriptor, threads: int, start: int) -> None:
        self.count = -(-(descriptor.size - start) // _PART)
        self._start = start
        self._exchange = exchange
        self._descriptor = descriptor
        self._ahead = threads
        self._changed = threading.Condition()
        self._next = 1
        self._taken = 0
        self._parts: dict[int, list[bytes] | BaseException] = {}
        self._stopped = False
        for _ in range(min(threads, self.count - 1)):
            threading.Thread(target=self._run, daemon=True).start()

    def take(self, number: int) -> list[bytes]:
        """The chunks of this part, waited for; the parts before it are let go."""
        with self._changed:
            self._taken = number
            self._changed.notify_all()
            while number not in self._parts:
                self._changed.wait()
            part = self._parts.pop(number)
        if isinstance(part, BaseException):
            raise part
        return part

    def stop(self) -> None:
        """Let the threads end after their next chunk."""
        with self._changed:
            self._stopped = True
            self._parts.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._next > self._taken + self._ahead and not self._stopped:
                    self._changed.wait()
                if self._stopped or self._next >= self.count:
                    return
                number = self._next
                self._next += 1
            part = self._read(number)
            with self._changed:
                if part is None or self._stopped:
                    return
                self._parts[number] = part
                self._changed.notify_all()

    def _read(self, number: int) -> list[bytes] | BaseException | None:
        start = self._start + number * _PART
        stop = min(start + _PART, self._descriptor.size)
        chunks: list[bytes] = []
        try:
            for chunk in BlobPart(self._exchange, self._descriptor, start, stop):
                if self._stopped:
                    return None
                chunks.append(chunk)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits for the part
            return error
        return chunks
