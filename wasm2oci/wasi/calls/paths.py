"""The `path_` calls: each resolves with `locate`, then does one operation that follows no link.

Spec: WASI preview 1, the path functions.
"""

# ruff: noqa: PLR0917 - preview 1's parameters are positional

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from wasm2oci.wasi.abi import (
    DIRECTORY_RIGHTS,
    FILE_RIGHTS,
    Errno,
    FdFlags,
    FstFlags,
    LookupFlags,
    OFlags,
    Rights,
    WasiError,
)
from wasm2oci.wasi.calls.descriptors import new_times, pack_filestat
from wasm2oci.wasi.descriptors import DirectoryDescriptor, FileDescriptor
from wasm2oci.wasi.memory import Memory
from wasm2oci.wasi.paths import Place, check_path, locate
from wasm2oci.wasi.state import Wasi
from wasm2oci.wasi.streams import file_type

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

_WRITES: Final = Rights.FD_WRITE | Rights.FD_ALLOCATE | Rights.FD_FILESTAT_SET_SIZE
_OPEN: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""NONBLOCK: opening a pipe must not wait for its other end; it is taken off again."""


@contextlib.contextmanager
def _at(
    wasi: Wasi,
    fd: int,
    needed: Rights,
    path: bytes,
    lookup: LookupFlags = LookupFlags(0),  # noqa: B008 - immutable
) -> Iterator[Place]:
    """The place of a path; a link at its end is followed where the guest says so, by flag or by a trailing slash."""
    directory = wasi.table.directory(fd, needed)
    follow = bool(lookup & LookupFlags.SYMLINK_FOLLOW) or path.endswith(b"/")
    with locate(directory.fd, path, follow=follow) as place:
        yield place


@contextlib.contextmanager
def _entry(wasi: Wasi, fd: int, needed: Rights, path: bytes) -> Iterator[Place]:
    """The place of a directory entry that is made or removed: a link at the end is the entry itself."""
    with locate(wasi.table.directory(fd, needed).fd, path, follow=False) as place:
        yield place


def path_open(
    wasi: Wasi,
    _memory: Memory,
    fd: int,
    lookup: LookupFlags,
    path: bytes,
    oflags: OFlags,
    base: Rights,
    inheriting: Rights,
    flags: FdFlags,
) -> int:
    """Open or create a file, or open a directory; its number."""
    needed = Rights.PATH_OPEN
    if oflags & OFlags.CREAT:
        needed |= Rights.PATH_CREATE_FILE
    if oflags & OFlags.TRUNC:
        needed |= Rights.PATH_FILESTAT_SET_SIZE
    parent = wasi.table.directory(fd, needed)
    if oflags & OFlags.CREAT and oflags & OFlags.DIRECTORY:
        raise WasiError(Errno.INVAL)
    if parent.read_only and base & Rights.FD_WRITE:
        raise WasiError(Errno.ROFS)
    base &= parent.inheriting
    with _at(wasi, fd, needed, path, lookup) as place:
        if place.slash and oflags & OFlags.CREAT:
            raise WasiError(Errno.ISDIR)
        host = os.open(place.name, _host_flags(base, oflags, flags, slash=place.slash), 0o666, dir_fd=place.directory)
    try:
        mode = os.fstat(host).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            os.set_blocking(host, True)
        return wasi.table.add(_descriptor(host, mode, base, inheriting & parent.inheriting, flags, parent))
    except BaseException:
        os.close(host)
        raise


def _host_flags(base: Rights, oflags: OFlags, flags: FdFlags, *, slash: bool) -> int:
    writes, reads = base & _WRITES, base & (Rights.FD_READ | Rights.FD_READDIR)
    host = _OPEN | (os.O_RDWR if writes and reads else os.O_WRONLY if writes else os.O_RDONLY)
    if oflags & OFlags.CREAT:
        host |= os.O_CREAT
    if oflags & OFlags.EXCL:
        host |= os.O_EXCL
    if oflags & OFlags.TRUNC:
        host |= os.O_TRUNC
    if oflags & OFlags.DIRECTORY or slash:
        host |= os.O_DIRECTORY
    if flags & FdFlags.APPEND:
        host |= os.O_APPEND
    if flags & FdFlags.DSYNC:
        host |= os.O_DSYNC
    if flags & (FdFlags.SYNC | FdFlags.RSYNC):
        host |= os.O_SYNC
    return host


def _descriptor(
    host: int, mode: int, base: Rights, inheriting: Rights, flags: FdFlags, parent: DirectoryDescriptor
) -> FileDescriptor | DirectoryDescriptor:
    if stat.S_ISDIR(mode):
        return DirectoryDescriptor(
            rights=base & DIRECTORY_RIGHTS, inheriting=inheriting, read_only=parent.read_only, fd=host
        )
    return FileDescriptor(
        rights=base & FILE_RIGHTS,
        inheriting=inheriting,
        flags=flags,
        read_only=parent.read_only,
        fd=host,
        type=file_type(mode),
    )


def path_create_directory(wasi: Wasi, _memory: Memory, fd: int, path: bytes) -> None:
    """Create a directory."""
    with _entry(wasi, fd, Rights.PATH_CREATE_DIRECTORY, path) as place:
        os.mkdir(place.name, dir_fd=place.directory)


def path_remove_directory(wasi: Wasi, _memory: Memory, fd: int, path: bytes) -> None:
    """Remove an empty directory."""
    with _entry(wasi, fd, Rights.PATH_REMOVE_DIRECTORY, path) as place:
        os.rmdir(place.name, dir_fd=place.directory)


def path_unlink_file(wasi: Wasi, _memory: Memory, fd: int, path: bytes) -> None:
    """Remove a file or a link."""
    with _entry(wasi, fd, Rights.PATH_UNLINK_FILE, path) as place:
        place.stat()
        os.unlink(place.name, dir_fd=place.directory)


def path_filestat_get(wasi: Wasi, _memory: Memory, fd: int, lookup: LookupFlags, path: bytes) -> bytes:
    """What the host says of a path."""
    with _at(wasi, fd, Rights.PATH_FILESTAT_GET, path, lookup) as place:
        return pack_filestat(place.stat())


def path_filestat_set_times(
    wasi: Wasi, _memory: Memory, fd: int, lookup: LookupFlags, path: bytes, atim: int, mtim: int, flags: FstFlags
) -> None:
    """Set the times of a path."""
    with _at(wasi, fd, Rights.PATH_FILESTAT_SET_TIMES, path, lookup) as place:
        times = new_times(wasi, place.stat(), atim, mtim, flags)
        os.utime(place.name, ns=times, dir_fd=place.directory, follow_symlinks=False)


def path_readlink(wasi: Wasi, memory: Memory, fd: int, path: bytes, buffer: tuple[int, int]) -> int:
    """The text of a link, cut where the buffer ends; how many bytes."""
    with _entry(wasi, fd, Rights.PATH_READLINK, path) as place:
        place.stat()
        text = os.readlink(place.name, dir_fd=place.directory)
    if text.startswith(b"/"):
        raise WasiError(Errno.NOTCAPABLE)  # it says where on the host things lie, and cannot be followed anyway
    address, size = buffer
    memory.write(address, text[:size])
    return min(len(text), size)


def path_symlink(wasi: Wasi, _memory: Memory, text: bytes, fd: int, path: bytes) -> None:
    """Create a link. A text that starts at a root is refused: other programs of the host might follow it."""
    directory = wasi.table.directory(fd, Rights.PATH_SYMLINK)
    if check_path(text).startswith(b"/"):
        raise WasiError(Errno.NOTCAPABLE)
    with locate(directory.fd, path, follow=False) as place:
        if place.slash:
            place.stat()
            raise WasiError(Errno.EXIST)
        os.symlink(text, place.name, dir_fd=place.directory)


def path_link(
    wasi: Wasi, _memory: Memory, fd: int, lookup: LookupFlags, path: bytes, to_fd: int, to_path: bytes
) -> None:
    """Create a second name. Following a link here is refused (INVAL), as other hosts do."""
    if lookup & LookupFlags.SYMLINK_FOLLOW:
        raise WasiError(Errno.INVAL)
    with (
        _entry(wasi, fd, Rights.PATH_LINK_SOURCE, path) as old,
        _entry(wasi, to_fd, Rights.PATH_LINK_TARGET, to_path) as new,
    ):
        found = old.stat()
        if new.slash and not stat.S_ISDIR(found.st_mode):
            raise WasiError(Errno.NOENT)
        os.link(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory, follow_symlinks=False)


def path_rename(wasi: Wasi, _memory: Memory, fd: int, path: bytes, to_fd: int, to_path: bytes) -> None:
    """Rename a file, a link or a directory, replacing what had the new name."""
    with (
        _entry(wasi, fd, Rights.PATH_RENAME_SOURCE, path) as old,
        _entry(wasi, to_fd, Rights.PATH_RENAME_TARGET, to_path) as new,
    ):
        found = old.stat()
        if new.slash and not stat.S_ISDIR(found.st_mode):
            raise WasiError(Errno.NOTDIR)
        os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)
