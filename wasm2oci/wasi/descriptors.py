"""The descriptor table: what the guest's small numbers stand for, and what each may be used for.

    StreamDescriptor      standard input, output, error: a `Source` or a `Sink` of the context
    FileDescriptor        a file of the host opened below a preopened directory
    DirectoryDescriptor   a directory, preopened or opened below one
    SocketDescriptor      a listening socket that was handed in, or a connection accepted from one

A descriptor's rights only shrink. A new one gets the lowest free number, as in POSIX.

Spec: WASI preview 1, Types: fd, fdstat, rights.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from wasm2oci.wasi.abi import (
    ALL_RIGHTS,
    DIRECTORY_RIGHTS,
    NO_FLAGS,
    NO_RIGHTS,
    SOCKET_RIGHTS,
    STREAM_RIGHTS,
    WRITING_RIGHTS,
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
    "Descriptor",
    "DescriptorTable",
    "DirectoryDescriptor",
    "DirectoryEntry",
    "FileDescriptor",
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
        rights: what it may be used for.
        inheriting: the most that descriptors opened through it may get.
        flags: how it writes.
        read_only: below a read-only preopened directory: a missing right to write is then called ROFS.
    """

    rights: Rights
    inheriting: Rights = NO_RIGHTS
    flags: FdFlags = NO_FLAGS
    read_only: bool = False

    @property
    def blocking(self) -> bool:
        """Whether calls wait until they can go on."""
        return not self.flags & FdFlags.NONBLOCK


@dataclass(slots=True)
class StreamDescriptor(_Common):
    """Standard input, output or error."""

    source: Source | None = None
    sink: Sink | None = None

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
    """A descriptor with one of the host behind it, which it owns."""

    fd: int = -1

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
    """

    type: FileType = FileType.REGULAR_FILE

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

    def file_type(self) -> FileType:
        """What the guest sees it as."""
        return FileType.DIRECTORY

    def fileno(self) -> int | None:
        """None: a directory never blocks."""
        return None

    def entries(self, cookie: int) -> Iterator[tuple[int, DirectoryEntry]]:
        """The entries from `cookie` on, each with the cookie of the next.

        Cookie 0 lists anew; others go on in that listing, so what is created or removed meanwhile makes nothing come
        twice. Names that are not UTF-8 are left out: no path could name them.
        """
        if cookie == 0 or not self._entries:
            self._entries = list(self._list())
        for at in range(cookie, len(self._entries)):
            yield at + 1, self._entries[at]

    def _list(self) -> Iterator[DirectoryEntry]:
        yield DirectoryEntry(b".", self.stat().st_ino, FileType.DIRECTORY)
        # The number of the directory above a preopened one is none of the guest's business.
        yield DirectoryEntry(b"..", 0, FileType.DIRECTORY)
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
    """A socket: listening, or a connection."""

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


class Descriptor(Protocol):
    """What the table holds; the classes above, or anything alike."""

    rights: Rights
    inheriting: Rights
    flags: FdFlags
    read_only: bool

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
        self._by_number: dict[int, Descriptor] = {}

    def add(self, descriptor: Descriptor) -> int:
        """Give it the lowest free number."""
        number = self.first_free
        while number in self._by_number:
            number += 1
        self._by_number[number] = descriptor
        return number

    def get(self, number: int, needed: Rights = NO_RIGHTS) -> Descriptor:
        """What a number stands for.

        Raises:
            WasiError: BADF for none; NOTCAPABLE without all of the rights needed (ROFS below a read-only directory).
        """
        descriptor = self._by_number.get(number)
        if descriptor is None:
            raise WasiError(Errno.BADF)
        missing = needed & ~descriptor.rights
        if missing:
            raise WasiError(Errno.ROFS if descriptor.read_only and missing & WRITING_RIGHTS else Errno.NOTCAPABLE)
        return descriptor

    def directory(self, number: int, needed: Rights) -> DirectoryDescriptor:
        """A directory that may be used so.

        Raises:
            WasiError: BADF, NOTDIR, or NOTCAPABLE (ROFS below a read-only directory).
        """
        descriptor = self.get(number)
        if not isinstance(descriptor, DirectoryDescriptor):
            raise WasiError(Errno.NOTDIR)
        self.get(number, needed)
        return descriptor

    def file(self, number: int, needed: Rights) -> FileDescriptor:
        """A file that may be used so.

        Raises:
            WasiError: BADF, ISDIR, SPIPE for a stream or socket, or NOTCAPABLE.
        """
        descriptor = self.get(number)
        if isinstance(descriptor, DirectoryDescriptor):
            raise WasiError(Errno.ISDIR)
        if not isinstance(descriptor, FileDescriptor):
            raise WasiError(Errno.SPIPE)
        self.get(number, needed)
        return descriptor

    def socket(self, number: int, needed: Rights) -> SocketDescriptor:
        """A socket that may be used so.

        Raises:
            WasiError: BADF, NOTSOCK or NOTCAPABLE.
        """
        descriptor = self.get(number)
        if not isinstance(descriptor, SocketDescriptor):
            raise WasiError(Errno.NOTSOCK)
        self.get(number, needed)
        return descriptor

    def readable(self, number: int) -> StreamDescriptor | FileDescriptor | SocketDescriptor:
        """Anything that can be read and may be.

        Raises:
            WasiError: BADF, ISDIR or NOTCAPABLE.
        """
        return self._transfer(number, Rights.FD_READ)

    def writable(self, number: int) -> StreamDescriptor | FileDescriptor | SocketDescriptor:
        """Anything that can be written and may be.

        Raises:
            WasiError: BADF, ISDIR or NOTCAPABLE.
        """
        return self._transfer(number, Rights.FD_WRITE)

    def _transfer(self, number: int, needed: Rights) -> StreamDescriptor | FileDescriptor | SocketDescriptor:
        descriptor = self.get(number)
        if isinstance(descriptor, DirectoryDescriptor):
            raise WasiError(Errno.ISDIR)
        self.get(number, needed)
        if not isinstance(descriptor, StreamDescriptor | FileDescriptor | SocketDescriptor):
            raise WasiError(Errno.BADF)
        return descriptor

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
    """Open a directory of the context, with all rights or, read-only, with those that change nothing.

    Raises:
        OSError: it is not there, no directory, or may not be read.
    """
    fd = os.open(preopen.host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    lacking = WRITING_RIGHTS if preopen.read_only else NO_RIGHTS
    return DirectoryDescriptor(
        rights=DIRECTORY_RIGHTS & ~lacking,
        inheriting=ALL_RIGHTS & ~lacking,
        read_only=preopen.read_only,
        fd=fd,
        guest=preopen.guest.encode(),
    )


def standard_stream(source: Source | None, sink: Sink | None) -> StreamDescriptor:
    """Descriptor 0, 1 or 2. A regular file behind it can be neither sought nor told: the offset is the caller's."""
    rights = STREAM_RIGHTS | (Rights.FD_READ if source else Rights.FD_WRITE)
    return StreamDescriptor(rights=rights, source=source, sink=sink)


def listening_socket(fd: int) -> SocketDescriptor:
    """A listening socket that was handed in; the host's descriptor is doubled, the caller keeps its own.

    Raises:
        OSError: it is not open.
        WasiError: NOTSOCK.
    """
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        raise WasiError(Errno.NOTSOCK)
    return SocketDescriptor(rights=SOCKET_RIGHTS, inheriting=SOCKET_RIGHTS, fd=os.dup(fd))
