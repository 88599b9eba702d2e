"""Input and output streams, and what can be waited for. Spec: wasi:io/streams, wasi:io/poll, wasi:io/error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Protocol

from wasm2oci.base import descriptors as host
from wasm2oci.wasi.abi import Errno, WasiError, errno_of
from wasm2oci.wasi.calls.descriptors import MAX_TRANSFER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wasm2oci.wasi.preview2.bell import Bell
    from wasm2oci.wasi.streams import Sink, Source
    from wasm2oci.wasi.waiting import Waiter

__all__ = [
    "CHUNK",
    "FileInput",
    "FileOutput",
    "InputStream",
    "IoError",
    "MisuseError",
    "OutputStream",
    "Pollable",
    "StreamFailedError",
    "StreamInput",
    "StreamOutput",
    "poll",
    "streaming",
]

_CLOSED: Final = ("error", ("closed", None))
CHUNK: Final = 64 * 1024
"""Bytes that `check-write` permits."""


class MisuseError(Exception):
    """The guest called a function in a way that WASI answers with a trap."""


class IoError:
    """What went wrong with a stream: `wasi:io/error`.

    Args:
        errno: how preview 1 calls it.
    """

    resource = "error"

    def __init__(self, errno: Errno) -> None:
        self.errno = errno

    def debug(self) -> str:
        """For people."""
        return self.errno.name.lower()


class StreamFailedError(Exception):
    """A stream failed for a reason of its own.

    Args:
        error: what the guest sees.
    """

    def __init__(self, error: IoError) -> None:
        super().__init__(error.debug())
        self.error = error


class Pollable:
    """Something to wait for; without any of these it is ready at once.

    Args:
        fd: a descriptor of the host, or None.
        writable: whether to wait until it can be written.
        deadline: a time of the monotonic clock, nanoseconds, or None.
        ready: says whether it is; the guest's bell is rung when that changes.
    """

    resource = "pollable"

    def __init__(
        self,
        fd: int | None = None,
        *,
        writable: bool = False,
        deadline: int | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.fd = fd
        self.writable = writable
        self.deadline = deadline
        self.ready = ready

    def is_ready(self, time: int) -> bool:
        """Whether it is ready by what is known without asking the system."""
        if self.ready is not None:
            return self.ready()
        if self.deadline is not None:
            return self.deadline <= time
        return self.fd is None


def poll(
    pollables: Sequence[Pollable], waiter: Waiter, now: Callable[[], int], bell: Bell, *, block: bool = True
) -> list[int]:
    """The places of those that are ready; waits until one is.

    Args:
        pollables: to wait for.
        waiter: how waiting is done.
        now: the monotonic clock.
        bell: rung by other threads when something became ready.
        block: whether to wait at all.

    Raises:
        MisuseError: there are none.
    """
    if not pollables:
        raise MisuseError("wasi:io/poll: there is nothing to wait for")
    rings = any(each.ready is not None for each in pollables)
    while True:
        if rings:
            bell.quiet()
        time = now()
        ready = {place for place, each in enumerate(pollables) if each.is_ready(time)}
        reading = {each.fd for each in pollables if each.fd is not None and not each.writable}
        if rings and block and not ready:
            reading.add(bell.fileno())
        writing = {each.fd for each in pollables if each.fd is not None and each.writable}
        deadlines = [each.deadline for each in pollables if each.deadline is not None]
        timeout = 0 if ready or not block else max(0, min(deadlines) - time) if deadlines else None
        if reading or writing or timeout != 0:
            readable, writable = waiter.wait(reading, writing, timeout)
            ready |= {
                place
                for place, each in enumerate(pollables)
                if each.fd is not None and each.fd in (writable if each.writable else readable)
            }
        if ready or not block:
            return sorted(ready)


class InputStream(Protocol):
    """An input stream."""

    def read(self, size: int, *, block: bool) -> bytes | None:
        """At most `size` bytes; none when nothing is there yet, None at the end."""

    def subscribe(self) -> Pollable:
        """What to wait for."""


class OutputStream(Protocol):
    """An output stream."""

    def permitted(self) -> int:
        """Bytes that can be written without waiting.

        Raises:
            EOFError: nothing more is taken.
        """

    def write(self, data: bytes) -> None:
        """Writes all of it."""

    def subscribe(self) -> Pollable:
        """What to wait for."""


class StreamInput:
    """Standard input."""

    resource = "input-stream"

    def __init__(self, source: Source, waiter: Waiter) -> None:
        self._source = source
        self._waiter = waiter

    def read(self, size: int, *, block: bool) -> bytes | None:
        """See `InputStream.read`."""
        if not size:
            return b""
        try:
            return self._source.read(min(size, MAX_TRANSFER), self._waiter, block=block) or None
        except WasiError as error:
            if error.errno is Errno.AGAIN:
                return b""
            raise

    def subscribe(self) -> Pollable:
        """See `InputStream.subscribe`."""
        return Pollable(self._source.fileno())


class FileInput:
    """A file from an offset on.

    Args:
        fd: the host's descriptor, which the stream takes over: the guest may drop its own before.
        offset: bytes from the start.
    """

    resource = "input-stream"

    def __init__(self, fd: int, offset: int) -> None:
        self._fd = fd
        self._offset = offset

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)

    def read(self, size: int, *, block: bool) -> bytes | None:  # noqa: ARG002 - files never block
        """See `InputStream.read`."""
        if not size:
            return b""
        data = host.pread(self._fd, min(size, MAX_TRANSFER), self._offset)
        self._offset += len(data)
        return data or None

    def subscribe(self) -> Pollable:
        """See `InputStream.subscribe`."""
        return Pollable()


class StreamOutput:
    """Standard output or error."""

    resource = "output-stream"

    def __init__(self, sink: Sink, waiter: Waiter) -> None:
        self._sink = sink
        self._waiter = waiter

    def permitted(self) -> int:
        """See `OutputStream.permitted`."""
        return CHUNK

    def write(self, data: bytes) -> None:
        """See `OutputStream.write`."""
        while data:
            data = data[self._sink.write(data, self._waiter, block=True) :]

    def subscribe(self) -> Pollable:
        """See `OutputStream.subscribe`."""
        return Pollable(self._sink.fileno(), writable=True)


class FileOutput:
    """A file from an offset on, or its end.

    Args:
        fd: the host's descriptor, which the stream takes over: the guest may drop its own before.
        offset: bytes from the start; None for the end, wherever that is.
    """

    resource = "output-stream"

    def __init__(self, fd: int, offset: int | None) -> None:
        self._fd = fd
        self._offset = offset

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)

    def permitted(self) -> int:
        """See `OutputStream.permitted`."""
        return CHUNK

    def write(self, data: bytes) -> None:
        """See `OutputStream.write`."""
        while data:
            at = os.fstat(self._fd).st_size if self._offset is None else self._offset
            done = host.pwrite(self._fd, data, at)
            data = data[done:]
            if self._offset is not None:
                self._offset += done

    def subscribe(self) -> Pollable:
        """See `OutputStream.subscribe`."""
        return Pollable()


def streaming(call: Callable[..., Any]) -> Callable[..., Any]:
    """A worker of a stream: what it gives is `ok`, what goes wrong is a `stream-error`."""

    def wrapped(*values: Any) -> Any:
        try:
            return "ok", call(*values)
        except EOFError:
            return _CLOSED
        except StreamFailedError as failed:
            return "error", ("last-operation-failed", failed.error)
        except WasiError as error:
            return "error", ("last-operation-failed", IoError(error.errno))
        except OSError as error:
            return "error", ("last-operation-failed", IoError(errno_of(error)))

    return wrapped


# --- workers --------------------------------------------------------------------------------------------------------


def read(stream: InputStream, size: int) -> bytes:
    """`read`."""
    return _ended(stream.read(size, block=False))


def blocking_read(stream: InputStream, size: int) -> bytes:
    """`blocking-read`."""
    return _ended(stream.read(size, block=True))


def skip(stream: InputStream, size: int) -> int:
    """`skip`."""
    return len(read(stream, size))


def blocking_skip(stream: InputStream, size: int) -> int:
    """`blocking-skip`."""
    return len(blocking_read(stream, size))


def _ended(data: bytes | None) -> bytes:
    if data is None:
        raise EOFError
    return data


def check_write(stream: OutputStream) -> int:
    """`check-write`."""
    return stream.permitted()


def write(stream: OutputStream, data: bytes) -> None:
    """`write` and `blocking-write-and-flush`: nothing is kept back."""
    _check_size(len(data))
    stream.write(data)


def flush(_stream: OutputStream) -> None:
    """`flush` and `blocking-flush`."""


def write_zeroes(stream: OutputStream, size: int) -> None:
    """`write-zeroes` and `blocking-write-zeroes-and-flush`."""
    _check_size(size)
    stream.write(bytes(size))


def _check_size(size: int) -> None:
    if size > CHUNK:
        raise MisuseError(f"wasi:io/streams: {size:,} bytes are written, and no more than {CHUNK:,} are ever permitted")


def splice(stream: OutputStream, source: InputStream, size: int) -> int:
    """`splice`."""
    data = read(source, min(size, CHUNK))
    stream.write(data)
    return len(data)


def blocking_splice(stream: OutputStream, source: InputStream, size: int) -> int:
    """`blocking-splice`."""
    data = blocking_read(source, min(size, CHUNK))
    stream.write(data)
    return len(data)
