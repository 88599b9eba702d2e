"""The descriptor table of a guest: the open files by number, and how the first of them are opened.

A new descriptor gets the lowest free number, as in POSIX.

Spec: WASI preview 1, Types: fd.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, ClassVar, Protocol

from wasm2oci.base import descriptors as host
from wasm2oci.errors import UnsupportedError
from wasm2oci.wasi.abi import Errno, WasiError
from wasm2oci.wasi.descriptors import DirectoryDescriptor, FileDescriptor, SocketDescriptor, StreamDescriptor

if TYPE_CHECKING:
    from wasm2oci.wasi.abi import FdFlags, FileType
    from wasm2oci.wasi.context import Preopen
    from wasm2oci.wasi.rights import Rights
    from wasm2oci.wasi.streams import Sink, Source

__all__ = ["DescriptorTable", "OpenFile", "listening_socket", "open_preopen", "standard_stream"]


class OpenFile(Protocol):
    """What the table holds: a class of `descriptors`, or another one with these methods."""

    flags: FdFlags

    @property
    def rights(self) -> tuple[Rights, Rights]:
        """The rights reported: its own, and those it passes on."""

    def file_type(self) -> FileType:
        """What the guest sees it as."""

    def fileno(self) -> int | None:
        """The host's descriptor to wait for, None when it never blocks."""

    def close(self) -> None:
        """Close it."""


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
        """The descriptor of a number.

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
