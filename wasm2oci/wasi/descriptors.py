"""The descriptor table: what the guest's small numbers stand for, and what each may be used for.

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

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from wasm2oci.base import descriptors as host
from wasm2oci.errors import UnsupportedError
from wasm2oci.wasi.abi import (
    ALL_RIGHTS,
    NO_FLAGS,
    NOT_FOR_DIRECTORIES,
    PREOPEN_INHERITING,
    PREOPEN_RIGHTS,
    Errno,
    FdFlags,
    FileType,
    Rights,
    WasiError,
)
from wasm2oci.wasi.context import Preopen
from wasm2oci.wasi.streams import Sink, Source, file_type, read_when_ready
from wasm2oci.wasi.waiting import Waiter

__all__ = [
    "DescriptorTable",
    "DirectoryDescriptor",
    "DirectoryEntry",
    "FileDescriptor",
    "OpenFile",
    "SocketDescriptor",
    "StreamDescriptor",
    "listening_socket",
    "open_preopen",
    "standard_stream",
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
        """Nothing: the streams are the caller's."""


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


class OpenFile(Protocol):
    """What the table holds; the classes above, or anything alike."""

    flags: FdFlags

    @property
    def rights(self) -> tuple[Rights, Rights]:
        """The rights reported: its own, and those it passes on."""

    def file_type(self) -> FileType:
        """What the guest sees it as."""

    def fileno(self) -> int | None:
        """The host's descriptor to wait for, None when it never blocks."""

    def close(self) -> None:
        """Let go of it."""


class DescriptorTable:
    """The numbers a guest has."""

    first_free: ClassVar[int] = 0

    def __init__(self) -> None:
        self._by_number: dict[int, OpenFile] = {}

    def add(self, descriptor: OpenFile) -> int:
        """Give it the lowest free number."""
        number = self.first_free
        while number in self._by_number:
            number += 1
        self._by_number[number] = descriptor
        return number

    def get(self, number: int) -> OpenFile:
        """What a number stands for.

        Raises:
            WasiError: BADF for none.
        """
        descriptor = self._by_number.get(number)
        if descriptor is None:
            raise WasiError(Errno.BADF)
        return descriptor

    def directory(self, number: int, *, changes: bool = False) -> DirectoryDescriptor:
        """A directory.

        Args:
            number: of the guest.
            changes: whether an entry is to be made, removed or changed.

        Raises:
            WasiError: BADF for anything else, PERM for a change below a read-only directory.
        """
        descriptor = self.get(number)
        if not isinstance(descriptor, DirectoryDescriptor):
            raise WasiError(Errno.BADF)
        if changes:
            descriptor.check_writable()
        return descriptor

    def file(self, number: int) -> FileDescriptor:
        """A file.

        Raises:
            WasiError: BADF for anything else.
        """
        descriptor = self.get(number)
        if not isinstance(descriptor, FileDescriptor):
            raise WasiError(Errno.BADF)
        return descriptor

    def seekable(self, number: int) -> FileDescriptor:
        """A file that has an offset.

        Raises:
            WasiError: SPIPE for a stream or socket, BADF for a directory.
        """
        descriptor = self.get(number)
        if isinstance(descriptor, StreamDescriptor | SocketDescriptor):
            raise WasiError(Errno.SPIPE)
        return self.file(number)

    def socket(self, number: int) -> SocketDescriptor:
        """A socket.

        Raises:
            WasiError: BADF for no descriptor, NOTSOCK for anything else.
        """
        descriptor = self.get(number)
        if not isinstance(descriptor, SocketDescriptor):
            raise WasiError(Errno.NOTSOCK)
        return descriptor

    def readable(self, number: int) -> StreamDescriptor | FileDescriptor | SocketDescriptor:
        """Anything that can be read and may be.

        Raises:
            WasiError: BADF.
        """
        match self.get(number):
            case StreamDescriptor(source=source) as stream if source is not None:
                return stream
            case FileDescriptor(readable=True) as file:
                return file
            case SocketDescriptor() as socket:
                return socket
        raise WasiError(Errno.BADF)

    def writable(self, number: int) -> StreamDescriptor | FileDescriptor | SocketDescriptor:
        """Anything that can be written and may be.

        Raises:
            WasiError: BADF.
        """
        match self.get(number):
            case StreamDescriptor(sink=sink) as stream if sink is not None:
                return stream
            case FileDescriptor(writable=True) as file:
                return file
            case SocketDescriptor() as socket:
                return socket
        raise WasiError(Errno.BADF)

    def close(self, number: int) -> None:
        """Close one and free its number.

        Raises:
            WasiError: BADF.
        """
        self.get(number)
        self._by_number.pop(number).close()

    def renumber(self, source: int, target: int) -> None:
        """Give `source` the number of `target`, which is closed.

        Raises:
            WasiError: BADF, when either is not open.
        """
        moved, old = self.get(source), self.get(target)
        if source == target:
            return
        del self._by_number[source]
        self._by_number[target] = moved
        old.close()

    def close_all(self) -> None:
        """Close everything."""
        while self._by_number:
            _, descriptor = self._by_number.popitem()
            with contextlib.suppress(OSError):
                descriptor.close()


def open_preopen(preopen: Preopen) -> DirectoryDescriptor:
    """Open a directory of the context.

    Raises:
        OSError: it is not there, no directory, or may not be read.
    """
    if not host.CAN_CONFINE:
        raise UnsupportedError(
            "on this platform the embedded engine cannot keep a program inside a directory",
            hint="wasmtime can give directories on this platform",
        )
    fd = os.open(preopen.host, os.O_RDONLY | host.DIRECTORY | host.CLOEXEC)
    return DirectoryDescriptor(
        fd=fd, read_only=preopen.read_only, guest=preopen.guest.encode("utf-8", "surrogateescape")
    )


def standard_stream(source: Source | None, sink: Sink | None) -> StreamDescriptor:
    """Descriptor 0, 1 or 2. A regular file behind it has no offset for the guest: that is the caller's."""
    return StreamDescriptor(source=source, sink=sink)


def listening_socket(fd: int) -> SocketDescriptor:
    """A listening socket that was handed in; the host's descriptor is doubled, the caller keeps its own.

    Raises:
        OSError: it is not open.
        WasiError: NOTSOCK.
    """
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        raise WasiError(Errno.NOTSOCK)
    return SocketDescriptor(fd=os.dup(fd), listening=True)
