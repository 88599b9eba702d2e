"""What is behind descriptors 0, 1 and 2: a descriptor of the host, or bytes in memory."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final, Protocol

from wasm2oci.wasi.abi import Errno, FileType, WasiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.waiting import Waiter

__all__ = [
    "BytesSource",
    "FunctionSink",
    "HostStream",
    "Sink",
    "Source",
    "file_type",
    "read_when_ready",
    "sink_of",
    "source_of",
]

_PIPE_BUF: Final = 4096
"""A pipe that `select` calls writable takes this much without blocking (POSIX: PIPE_BUF)."""


class Source(Protocol):
    """Standard input."""

    def fileno(self) -> int | None:
        """The host's descriptor to wait for, None when reading never blocks."""

    def file_type(self) -> FileType:
        """What the guest sees it as."""

    def read(self, size: int, waiter: Waiter, *, block: bool) -> bytes:
        """At most `size` bytes, at least one; none at the end."""


class Sink(Protocol):
    """Standard output or error."""

    def fileno(self) -> int | None:
        """The host's descriptor to wait for, None when writing never blocks."""

    def file_type(self) -> FileType:
        """What the guest sees it as."""

    def write(self, data: bytes, waiter: Waiter, *, block: bool) -> int:
        """Write `data`; how much of it was taken."""


def file_type(mode: int) -> FileType:
    """The preview 1 type of a file by its `st_mode`."""
    return _TYPES.get(stat.S_IFMT(mode), FileType.UNKNOWN)


_TYPES: Final = {
    stat.S_IFREG: FileType.REGULAR_FILE,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.SYMBOLIC_LINK,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFSOCK: FileType.SOCKET_STREAM,
}


def read_when_ready(fd: int, waiter: Waiter, *, block: bool) -> None:
    """Wait until a host descriptor can be read without blocking.

    Raises:
        WasiError: AGAIN, when it cannot now and `block` is false.
    """
    ready, _ = waiter.wait((fd,), (), None if block else 0)
    if not ready:
        raise WasiError(Errno.AGAIN)


class HostStream:
    """A descriptor of the host, which stays the caller's: never closed, its flags never changed.

    Args:
        fd: the host's descriptor.
    """

    __slots__ = ("_fd", "_ready", "_type")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        mode = os.fstat(fd).st_mode
        self._type = file_type(mode)
        self._ready = stat.S_ISREG(mode) or stat.S_ISDIR(mode)

    def fileno(self) -> int | None:
        """See `Source.fileno`."""
        return None if self._ready else self._fd

    def file_type(self) -> FileType:
        """See `Source.file_type`. Only a terminal is a character device: a guest asks this to know."""
        if self._type is FileType.CHARACTER_DEVICE and not os.isatty(self._fd):
            return FileType.UNKNOWN
        return self._type

    def read(self, size: int, waiter: Waiter, *, block: bool) -> bytes:
        """See `Source.read`."""
        if not self._ready:
            read_when_ready(self._fd, waiter, block=block)
        return os.read(self._fd, size)

    def write(self, data: bytes, waiter: Waiter, *, block: bool) -> int:
        """See `Sink.write`."""
        if self._ready:
            return os.write(self._fd, data)
        view = memoryview(data)
        done = 0
        while done < len(view):
            _, free = waiter.wait((), (self._fd,), None if block else 0)
            if not free:
                if done:
                    break
                raise WasiError(Errno.AGAIN)
            done += os.write(self._fd, view[done : done + _PIPE_BUF])
        return done


class BytesSource:
    """Standard input from memory.

    Args:
        data: all there is to read.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes = b"") -> None:
        self._data = data
        self._at = 0

    def fileno(self) -> int | None:
        """See `Source.fileno`."""
        return None

    def file_type(self) -> FileType:
        """See `Source.file_type`."""
        return FileType.UNKNOWN

    def read(self, size: int, waiter: Waiter, *, block: bool) -> bytes:  # noqa: ARG002 - memory never blocks
        """See `Source.read`."""
        data = self._data[self._at : self._at + size]
        self._at += len(data)
        return data


class FunctionSink:
    """Standard output into a function.

    Args:
        take: gets each write's bytes.
    """

    __slots__ = ("_take",)

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take

    def fileno(self) -> int | None:
        """See `Sink.fileno`."""
        return None

    def file_type(self) -> FileType:
        """See `Sink.file_type`."""
        return FileType.UNKNOWN

    def write(self, data: bytes, waiter: Waiter, *, block: bool) -> int:  # noqa: ARG002 - memory never blocks
        """See `Sink.write`."""
        self._take(data)
        return len(data)


def source_of(given: int | bytes) -> Source:
    """The standard input for a descriptor of the host, or for bytes."""
    return BytesSource(given) if isinstance(given, bytes) else HostStream(given)


def sink_of(given: int | Callable[[bytes], object]) -> Sink:
    """The standard output for a descriptor of the host, or for a function that takes bytes."""
    return HostStream(given) if isinstance(given, int) else FunctionSink(given)
