"""The `path_` calls: each resolves with `locate`, then does one operation that follows no link.

Spec: WASI preview 1, the path functions.
"""

from __future__ import annotations

# ruff: noqa: PLR0917 - preview 1's parameters are positional
import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from wasm2oci.base import descriptors
from wasm2oci.wasi.abi import Errno, FdFlags, LookupFlags, OFlags, WasiError
from wasm2oci.wasi.calls.descriptors import SYNC_FLAGS, check_times, new_times, pack_filestat
from wasm2oci.wasi.descriptors import DirectoryDescriptor, FileDescriptor
from wasm2oci.wasi.paths import check_path, locate
from wasm2oci.wasi.rights import Rights
from wasm2oci.wasi.streams import file_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.wasi.abi import (
        FstFlags,
    )
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.paths import Place
    from wasm2oci.wasi.state import Wasi

__all__ = [
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
]

_OPEN: Final = descriptors.NOFOLLOW | descriptors.NONBLOCK | descriptors.NOCTTY | descriptors.CLOEXEC
"""NONBLOCK: opening a pipe must not wait for its other end; it is taken off again."""


@contextlib.contextmanager
def _at(
    wasi: Wasi,
    fd: int,
    path: bytes,
    lookup: LookupFlags,
    *,
    changes: bool = False,
) -> Iterator[Place]:
    """The place of a path; a link at its end is followed where the guest says so, by flag or by a trailing slash."""
    directory = wasi.table.directory(fd, changes=changes)
    follow = bool(lookup & LookupFlags.SYMLINK_FOLLOW) or path.endswith(b"/")
    with locate(directory.fd, path, follow=follow) as place:
        yield place


@contextlib.contextmanager
def _entry(wasi: Wasi, fd: int, path: bytes, *, changes: bool = True) -> Iterator[Place]:
    """The place of a directory entry that is made or removed: a link at the end is the entry itself."""
    with locate(wasi.table.directory(fd, changes=changes).fd, path, follow=False) as place:
        yield place


def path_open(
    wasi: Wasi,
    _memory: GuestMemory,
    fd: int,
    lookup: LookupFlags,
    path: bytes,
    oflags: OFlags,
    base: Rights,
    _inheriting: Rights,
    flags: FdFlags,
) -> int:
    """Open or create a file, or open a directory; its number.

    Of the rights only FD_READ and FD_WRITE count: they say how a file is opened. With neither it can be read; one that
    is created or cut can be written, as on wasmtime.
    """
    if isinstance(wasi.table.get(fd), FileDescriptor):
        raise WasiError(Errno.NOTDIR)
    wasi.table.directory(fd)
    if flags & SYNC_FLAGS:
        raise WasiError(Errno.NOTSUP)
    if oflags & OFlags.DIRECTORY and oflags & (OFlags.CREAT | OFlags.EXCL | OFlags.TRUNC):
        raise WasiError(Errno.INVAL)
    reads = bool(base & Rights.FD_READ) or not base & Rights.FD_WRITE
    writes = bool(base & Rights.FD_WRITE or oflags & (OFlags.CREAT | OFlags.TRUNC))
    read_only = wasi.table.directory(fd, changes=writes).read_only
    if oflags & OFlags.CREAT and oflags & OFlags.EXCL:
        lookup &= ~LookupFlags.SYMLINK_FOLLOW  # a link is in the way, wherever it leads (POSIX: O_EXCL)
    with _at(wasi, fd, path, lookup) as place:
        if place.slash and oflags & OFlags.CREAT:
            raise WasiError(Errno.ISDIR)
        mode = os.O_RDWR if writes and reads else os.O_WRONLY if writes else os.O_RDONLY
        how = mode | _host_flags(oflags, flags, slash=place.slash)
        host = _open(place, how)
    try:
        mode = os.fstat(host).st_mode
        if stat.S_ISDIR(mode):
            return wasi.table.add(DirectoryDescriptor(read_only=read_only, fd=host))
        if not stat.S_ISREG(mode):
            descriptors.set_blocking(host, True)
        return wasi.table.add(
            FileDescriptor(
                flags=flags, read_only=read_only, fd=host, type=file_type(mode), readable=reads, writable=writes
            )
        )
    except BaseException:
        os.close(host)
        raise


def _open(place: Place, how: int) -> int:
    try:
        return os.open(place.name, how, 0o666, dir_fd=place.directory)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(place.name, dir_fd=place.directory, follow_symlinks=False).st_mode):
            raise WasiError(Errno.LOOP) from None  # a link that was not to be followed, not a file
        raise


def _host_flags(oflags: OFlags, flags: FdFlags, *, slash: bool) -> int:
    host = _OPEN
    if oflags & OFlags.CREAT:
        host |= os.O_CREAT
    if oflags & OFlags.EXCL:
        host |= os.O_EXCL
    if oflags & OFlags.TRUNC:
        host |= os.O_TRUNC
    if oflags & OFlags.DIRECTORY or slash:
        host |= descriptors.DIRECTORY
    if flags & FdFlags.APPEND:
        host |= os.O_APPEND
    return host


def path_create_directory(wasi: Wasi, _memory: GuestMemory, fd: int, path: bytes) -> None:
    """Create a directory."""
    with _entry(wasi, fd, path) as place:
        os.mkdir(place.name, dir_fd=place.directory)


def path_remove_directory(wasi: Wasi, _memory: GuestMemory, fd: int, path: bytes) -> None:
    """Remove an empty directory."""
    with _entry(wasi, fd, path) as place:
        os.rmdir(place.name, dir_fd=place.directory)


def path_unlink_file(wasi: Wasi, _memory: GuestMemory, fd: int, path: bytes) -> None:
    """Remove a file or a link."""
    with _entry(wasi, fd, path) as place:
        place.stat()
        os.unlink(place.name, dir_fd=place.directory)


def path_filestat_get(wasi: Wasi, _memory: GuestMemory, fd: int, lookup: LookupFlags, path: bytes) -> bytes:
    """What the host says of a path."""
    with _at(wasi, fd, path, lookup) as place:
        return pack_filestat(place.stat())


def path_filestat_set_times(
    wasi: Wasi, _memory: GuestMemory, fd: int, lookup: LookupFlags, path: bytes, atim: int, mtim: int, flags: FstFlags
) -> None:
    """Set the times of a path."""
    check_times(flags)
    with _at(wasi, fd, path, lookup, changes=True) as place:
        times = new_times(wasi, place.stat(), atim, mtim, flags)
        os.utime(place.name, ns=times, dir_fd=place.directory, follow_symlinks=False)


def path_readlink(wasi: Wasi, memory: GuestMemory, fd: int, path: bytes, buffer: tuple[int, int]) -> int:
    """The text of a link, cut where the buffer ends; how many bytes."""
    with _at(wasi, fd, path, LookupFlags(0)) as place:
        place.stat()
        text = os.readlink(place.name, dir_fd=place.directory)
    if text.startswith(b"/"):
        raise WasiError(Errno.PERM)  # it would tell the guest a path of the host, and the guest cannot follow it
    address, size = buffer
    memory.write(address, text[:size])
    return min(len(text), size)


def path_symlink(wasi: Wasi, _memory: GuestMemory, text: bytes, fd: int, path: bytes) -> None:
    """Create a link. A text that starts at a root is refused: other programs of the host might follow it."""
    directory = wasi.table.directory(fd, changes=True)
    if check_path(text).startswith(b"/"):
        raise WasiError(Errno.PERM)
    with locate(directory.fd, path, follow=False) as place:
        if place.slash:
            place.stat()
            raise WasiError(Errno.EXIST)
        os.symlink(text, place.name, dir_fd=place.directory)


def path_link(
    wasi: Wasi, _memory: GuestMemory, fd: int, lookup: LookupFlags, path: bytes, to_fd: int, to_path: bytes
) -> None:
    """Create a second name. Following a link here is refused (INVAL), as other hosts do."""
    if lookup & LookupFlags.SYMLINK_FOLLOW:
        raise WasiError(Errno.INVAL)
    wasi.table.directory(fd)
    wasi.table.directory(to_fd, changes=True)
    with _entry(wasi, fd, path) as old, _entry(wasi, to_fd, to_path) as new:
        found = old.stat()
        if new.slash and not stat.S_ISDIR(found.st_mode):
            raise WasiError(Errno.NOENT)
        os.link(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory, follow_symlinks=False)


def path_rename(wasi: Wasi, _memory: GuestMemory, fd: int, path: bytes, to_fd: int, to_path: bytes) -> None:
    """Rename a file, a link or a directory, replacing what had the new name."""
    wasi.table.directory(fd)
    wasi.table.directory(to_fd, changes=True)
    with _entry(wasi, fd, path) as old, _entry(wasi, to_fd, to_path) as new:
        found = old.stat()
        if new.slash and not stat.S_ISDIR(found.st_mode):
            raise WasiError(Errno.NOTDIR)
        os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)
