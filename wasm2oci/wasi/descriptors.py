"""Descriptors: what a guest's small numbers mean, and what each may be used for. `descriptor_table` numbers them.

    StreamDescriptor      standard input, output, error: a `Source` or a `Sink` of the context
    FileDescriptor        a file of the host opened below a preopened directory
    DirectoryDescriptor   a directory, preopened or opened below one
    SocketDescriptor      a listening socket that was handed in, or a connection accepted from one

What a descriptor may be used for follows from its kind, from how it was opened (to read, to write) and from whether
it lies below a read-only directory. Preview 1's rights were never enforced beyond that by the reference
implementation, wasmtime, and programs rely on it, so here, too, they are only reported. A new descriptor gets the
lowest free number, as in POSIX.

Spec: WASI preview 1, Types: fd, fdstat, rights.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wasm2oci.wasi.abi import NO_FLAGS, Errno, FdFlags, FileType, WasiError
from wasm2oci.wasi.rights import ALL_RIGHTS, NOT_FOR_DIRECTORIES, PREOPEN_INHERITING, PREOPEN_RIGHTS, Rights
from wasm2oci.wasi.streams import file_type, read_when_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.wasi.streams import Sink, Source
    from wasm2oci.wasi.waiting import Waiter

__all__ = [
    "DirectoryDescriptor",
    "DirectoryEntry",
    "FileDescriptor",
    "SocketDescriptor",
    "StreamDescriptor",
]


@dataclass(slots=True)
class _Common:
    """What every descriptor has.

    Attributes:
        flags: how it writes.
    """

    flags: FdFlags = NO_FLAGS

    @property
    def blocking(self) -> bool:
        """Whether calls wait until they can go on."""
        return not self.flags & FdFlags.NONBLOCK


@dataclass(slots=True)
class StreamDescriptor(_Common):
    """Standard input, output or error."""

    source: Source | None = None
    sink: Sink | None = None

    @property
    def rights(self) -> tuple[Rights, Rights]:
        """The rights reported: its own, and those it passes on."""
        own = Rights.FD_READ if self.source else Rights.FD_WRITE
        return own, own

    def file_type(self) -> FileType:
        """What the guest sees it as."""
        end = self.source or self.sink
        return end.file_type() if end else FileType.UNKNOWN

    def fileno(self) -> int | None:
        """The host's descriptor to wait for, None when it never blocks."""
        end = self.source or self.sink
        return end.fileno() if end else None

    def read(self, size: int, waiter: Waiter) -> bytes:
        """At most `size` bytes."""
        if self.source is None:
            raise WasiError(Errno.BADF)
        return self.source.read(size, waiter, block=self.blocking)

    def write(self, data: bytes, waiter: Waiter) -> int:
        """How much of `data` was written."""
        if self.sink is None:
            raise WasiError(Errno.BADF)
        return self.sink.write(data, waiter, block=self.blocking)

    def close(self) -> None:
        """Do nothing: the streams belong to the caller."""


@dataclass(slots=True)
class _Host(_Common):
    """A descriptor with one of the host behind it, which it owns.

    Attributes:
        fd: the host's descriptor.
        read_only: whether it lies below a read-only preopened directory.
    """

    fd: int = -1
    read_only: bool = False

    def check_writable(self) -> None:
        """Refuse what would change the directory, its entries or the file itself.

        Raises:
            WasiError: PERM, below a read-only directory.
        """
        if self.read_only:
            raise WasiError(Errno.PERM)

    def stat(self) -> os.stat_result:
        """What the host says of it."""
        return os.fstat(self.fd)

    def close(self) -> None:
        """Close the host's."""
        os.close(self.fd)


@dataclass(slots=True)
class FileDescriptor(_Host):
    """A file of the host.

    Attributes:
        type: what it was when it was opened.
        readable: whether it was opened to read.
        writable: whether it was opened to write.
    """

    type: FileType = FileType.REGULAR_FILE
    readable: bool = True
    writable: bool = True

    @property
    def rights(self) -> tuple[Rights, Rights]:
        """The rights reported: its own, and those it passes on."""
        own = ALL_RIGHTS
        if not self.readable:
            own &= ~(Rights.FD_READ | Rights.FD_READDIR)
        if not self.writable:
            own &= ~Rights.FD_WRITE
        return own, own

    def file_type(self) -> FileType:
        """What the guest sees it as."""
        return self.type

    def fileno(self) -> int | None:
        """The host's descriptor to wait for, None for a regular file, which never blocks."""
        return None if self.type is FileType.REGULAR_FILE else self.fd

    def read(self, size: int, waiter: Waiter) -> bytes:
        """At most `size` bytes at the offset."""
        if self.type is not FileType.REGULAR_FILE:
            read_when_ready(self.fd, waiter, block=self.blocking)
        return os.read(self.fd, size)

    def write(self, data: bytes, waiter: Waiter) -> int:
        """How much of `data` was written at the offset, or at the end with APPEND."""
        if self.type is not FileType.REGULAR_FILE:
            _, free = waiter.wait((), (self.fd,), None if self.blocking else 0)
            if not free:
                raise WasiError(Errno.AGAIN)
            data = data[:4096]
        return os.write(self.fd, data)


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One name of a directory, as `fd_readdir` gives it."""

    name: bytes
    inode: int
    type: FileType


@dataclass(slots=True)
class DirectoryDescriptor(_Host):
    """A directory.

    Attributes:
        guest: its name, for a preopened one; None for others.
    """

    guest: bytes | None = None
    _entries: list[DirectoryEntry] = field(default_factory=list)

    @property
    def rights(self) -> tuple[Rights, Rights]:
        """The rights reported: its own, and those it passes on."""
        if self.guest is not None:
            return PREOPEN_RIGHTS, PREOPEN_INHERITING
        return ALL_RIGHTS & ~NOT_FOR_DIRECTORIES, ALL_RIGHTS & ~NOT_FOR_DIRECTORIES

    def file_type(self) -> FileType:
        """What the guest sees it as."""
        return FileType.DIRECTORY

    def fileno(self) -> int | None:
        """None: a directory never blocks."""
        return None

    def entries(self, cookie: int) -> Iterator[tuple[int, DirectoryEntry]]:
        """The entries from `cookie` on, each with the cookie of the next.

        Cookie 0 lists from the start; others go on in that listing, so what is created or removed meanwhile makes
        no entry come twice. Names that are not UTF-8 are left out: no path could name them.
        """
        if cookie == 0 or not self._entries:
            self._entries = list(self._list())
        for at in range(cookie, len(self._entries)):
            yield at + 1, self._entries[at]

    def _list(self) -> Iterator[DirectoryEntry]:
        inode = self.stat().st_ino
        yield DirectoryEntry(b".", inode, FileType.DIRECTORY)
        # The number of the directory above may lie outside what the guest sees. Not 0 either: libraries then ask for
        # what ".." names, which is refused at a preopened directory.
        yield DirectoryEntry(b"..", inode, FileType.DIRECTORY)
        with os.scandir(self.fd) as found:
            for entry in found:
                name = os.fsencode(entry.name)
                try:
                    name.decode()
                except UnicodeDecodeError:
                    continue
                try:
                    mode = entry.stat(follow_symlinks=False).st_mode
                except OSError:
                    continue  # removed since
                yield DirectoryEntry(name, entry.inode(), file_type(mode))


@dataclass(slots=True)
class SocketDescriptor(_Host):
    """A socket: listening, or a connection.

    Attributes:
        listening: whether it takes connections.
    """

    listening: bool = False

    @property
    def rights(self) -> tuple[Rights, Rights]:
        """The rights reported: its own, and those it passes on."""
        return ALL_RIGHTS, ALL_RIGHTS

    def file_type(self) -> FileType:
        """What the guest sees it as."""
        return FileType.SOCKET_STREAM

    def fileno(self) -> int | None:
        """The host's descriptor to wait for."""
        return self.fd

    def read(self, size: int, waiter: Waiter) -> bytes:
        """At most `size` bytes that arrived."""
        read_when_ready(self.fd, waiter, block=self.blocking)
        return os.read(self.fd, size)

    def write(self, data: bytes, waiter: Waiter) -> int:
        """How much of `data` was sent."""
        while True:
            _, free = waiter.wait((), (self.fd,), None if self.blocking else 0)
            if not free:
                raise WasiError(Errno.AGAIN)
            with contextlib.suppress(BlockingIOError):
                return os.write(self.fd, data)
