"""The `fd_` calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from wasm2oci.base import descriptors as host
from wasm2oci.wasi.abi import (
    DIRENT,
    FDSTAT,
    FILESTAT,
    PRESTAT,
    Advice,
    ClockId,
    Errno,
    FdFlags,
    FstFlags,
    WasiError,
    Whence,
)
from wasm2oci.wasi.descriptors import DirectoryDescriptor, FileDescriptor, SocketDescriptor, StreamDescriptor
from wasm2oci.wasi.streams import file_type

if TYPE_CHECKING:
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.rights import Rights
    from wasm2oci.wasi.state import Wasi

__all__ = [
    "MAX_TRANSFER",
    "SYNC_FLAGS",
    "Iovecs",
    "check_times",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "new_times",
    "pack_filestat",
    "room",
    "scatter",
]

MAX_TRANSFER: Final = 16 * 1024 * 1024
"""The most one call moves, so that a guest's lengths never decide how much the host allocates."""

SYNC_FLAGS: Final = FdFlags.DSYNC | FdFlags.RSYNC | FdFlags.SYNC
"""Writing through to the disk: offered by no call, as on wasmtime; programs call fd_sync."""
_U64: Final = 0xFFFF_FFFF_FFFF_FFFF
_I64_MAX: Final = 0x7FFF_FFFF_FFFF_FFFF
_ADVICE: Final = {
    Advice.NORMAL: "POSIX_FADV_NORMAL",
    Advice.SEQUENTIAL: "POSIX_FADV_SEQUENTIAL",
    Advice.RANDOM: "POSIX_FADV_RANDOM",
    Advice.WILLNEED: "POSIX_FADV_WILLNEED",
    Advice.DONTNEED: "POSIX_FADV_DONTNEED",
    Advice.NOREUSE: "POSIX_FADV_NOREUSE",
}
_WHENCE: Final = {Whence.SET: os.SEEK_SET, Whence.CUR: os.SEEK_CUR, Whence.END: os.SEEK_END}

Iovecs = Sequence[tuple[int, int]]


def room(iovecs: Iovecs) -> int:
    """How much fits into the buffers, at most `MAX_TRANSFER`."""
    return min(MAX_TRANSFER, sum(size for _, size in iovecs))


def scatter(memory: GuestMemory, iovecs: Iovecs, data: bytes) -> int:
    """Put `data` into the buffers one after the other; its length."""
    at = 0
    for address, size in iovecs:
        if at >= len(data):
            break
        memory.write(address, data[at : at + size])
        at += size
    return len(data)


def _offset(value: int) -> int:
    if value > _I64_MAX:
        raise WasiError(Errno.INVAL)
    return value


def fd_read(wasi: Wasi, memory: GuestMemory, fd: int, iovecs: Iovecs) -> int:
    """Read at the offset; how many bytes."""
    descriptor = wasi.table.readable(fd)
    size = room(iovecs)
    return scatter(memory, iovecs, descriptor.read(size, wasi.context.waiter)) if size else 0


def fd_pread(wasi: Wasi, memory: GuestMemory, fd: int, iovecs: Iovecs, offset: int) -> int:
    """Read at an offset given; how many bytes."""
    wasi.table.readable(fd)
    file = wasi.table.seekable(fd)
    return scatter(memory, iovecs, host.pread(file.fd, room(iovecs), _offset(offset)))


def fd_write(wasi: Wasi, _memory: GuestMemory, fd: int, data: bytes) -> int:
    """Write at the offset; how many bytes."""
    return wasi.table.writable(fd).write(data, wasi.context.waiter)


def fd_pwrite(wasi: Wasi, _memory: GuestMemory, fd: int, data: bytes, offset: int) -> int:
    """Write at an offset given; how many bytes. The kernel appends instead where APPEND is set."""
    wasi.table.writable(fd)
    return host.pwrite(wasi.table.seekable(fd).fd, data, _offset(offset))


def fd_seek(wasi: Wasi, _memory: GuestMemory, fd: int, delta: int, whence: Whence) -> int:
    """Move the offset; the new one."""
    return os.lseek(wasi.table.seekable(fd).fd, delta, _WHENCE[whence])


def fd_tell(wasi: Wasi, _memory: GuestMemory, fd: int) -> int:
    """The offset."""
    return os.lseek(wasi.table.seekable(fd).fd, 0, os.SEEK_CUR)


def fd_close(wasi: Wasi, _memory: GuestMemory, fd: int) -> None:
    """Close it."""
    wasi.table.close(fd)


def fd_renumber(wasi: Wasi, _memory: GuestMemory, fd: int, to: int) -> None:
    """Give `fd` the number `to`, closing what had it."""
    wasi.table.renumber(fd, to)


def fd_sync(wasi: Wasi, _memory: GuestMemory, fd: int) -> None:
    """Have a file's data and metadata on the disk."""
    os.fsync(wasi.table.file(fd).fd)


def fd_datasync(wasi: Wasi, _memory: GuestMemory, fd: int) -> None:
    """Have a file's data on the disk."""
    getattr(os, "fdatasync", os.fsync)(wasi.table.file(fd).fd)


def fd_advise(wasi: Wasi, _memory: GuestMemory, fd: int, offset: int, length: int, advice: Advice) -> None:
    """Say how a range will be used; nothing where the host has no call for it."""
    file = wasi.table.file(fd)
    _offset(offset)
    _offset(length)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fd, offset, length, getattr(os, _ADVICE[advice]))


def fd_allocate(wasi: Wasi, _memory: GuestMemory, fd: int, _offset: int, _length: int) -> None:
    """Refuse with NOTSUP, as wasmtime does, so that programs fall back in the same way on both engines."""
    wasi.table.file(fd)
    raise WasiError(Errno.NOTSUP)


def fd_fdstat_get(wasi: Wasi, _memory: GuestMemory, fd: int) -> bytes:
    """Type, flags and rights."""
    descriptor = wasi.table.get(fd)
    return FDSTAT.pack(descriptor.file_type(), descriptor.flags, *descriptor.rights)


def fd_fdstat_set_flags(wasi: Wasi, _memory: GuestMemory, fd: int, flags: FdFlags) -> None:
    """Change APPEND and NONBLOCK of a file or socket. Standard streams keep theirs: other programs share them."""
    descriptor = wasi.table.get(fd)
    if not isinstance(descriptor, FileDescriptor | SocketDescriptor):
        raise WasiError(Errno.BADF)
    if flags & SYNC_FLAGS:
        raise WasiError(Errno.INVAL)
    if isinstance(descriptor, FileDescriptor):
        host.set_append(descriptor.fd, bool(flags & FdFlags.APPEND))
    descriptor.flags = flags


def fd_fdstat_set_rights(wasi: Wasi, _memory: GuestMemory, fd: int, _base: Rights, _inheriting: Rights) -> None:
    """Refuse with NOTSUP: rights are reported and not enforced; see `wasi.descriptors`."""
    if isinstance(wasi.table.get(fd), StreamDescriptor):
        raise WasiError(Errno.BADF)
    raise WasiError(Errno.NOTSUP)


def pack_filestat(found: os.stat_result) -> bytes:
    """A filestat record."""
    return FILESTAT.pack(
        found.st_dev & _U64,
        found.st_ino,
        file_type(found.st_mode),
        found.st_nlink,
        found.st_size,
        found.st_atime_ns & _U64,
        found.st_mtime_ns & _U64,
        found.st_ctime_ns & _U64,
    )


def fd_filestat_get(wasi: Wasi, _memory: GuestMemory, fd: int) -> bytes:
    """What the host says of it; of a stream only the type."""
    descriptor = wasi.table.get(fd)
    if isinstance(descriptor, StreamDescriptor):
        return FILESTAT.pack(0, 0, descriptor.file_type(), 0, 0, 0, 0, 0)
    if not isinstance(descriptor, FileDescriptor | DirectoryDescriptor):
        return FILESTAT.pack(0, 0, descriptor.file_type(), 1, 0, 0, 0, 0)
    return pack_filestat(descriptor.stat())


def fd_filestat_set_size(wasi: Wasi, _memory: GuestMemory, fd: int, size: int) -> None:
    """Cut the file or fill it with zeros."""
    file = wasi.table.file(fd)
    file.check_writable()
    os.ftruncate(file.fd, _offset(size))


def check_times(flags: FstFlags) -> None:
    """Refuse a time that is both given and the clock's.

    Raises:
        WasiError: INVAL.
    """
    if (flags & FstFlags.ATIM and flags & FstFlags.ATIM_NOW) or (flags & FstFlags.MTIM and flags & FstFlags.MTIM_NOW):
        raise WasiError(Errno.INVAL)


def new_times(wasi: Wasi, found: os.stat_result, atim: int, mtim: int, flags: FstFlags) -> tuple[int, int]:
    """The access and modification times to set, in nanoseconds."""
    now = wasi.context.clock.now(ClockId.REALTIME)
    access = atim if flags & FstFlags.ATIM else now if flags & FstFlags.ATIM_NOW else found.st_atime_ns
    modified = mtim if flags & FstFlags.MTIM else now if flags & FstFlags.MTIM_NOW else found.st_mtime_ns
    return access, modified


def fd_filestat_set_times(wasi: Wasi, _memory: GuestMemory, fd: int, atim: int, mtim: int, flags: FstFlags) -> None:
    """Set the times of an open file or directory."""
    check_times(flags)
    descriptor = wasi.table.get(fd)
    if not isinstance(descriptor, FileDescriptor | DirectoryDescriptor):
        raise WasiError(Errno.BADF)
    descriptor.check_writable()
    os.utime(descriptor.fd, ns=new_times(wasi, descriptor.stat(), atim, mtim, flags))


def _preopened(wasi: Wasi, fd: int) -> bytes:
    descriptor = wasi.table.get(fd)
    if not isinstance(descriptor, DirectoryDescriptor) or descriptor.guest is None:
        raise WasiError(Errno.BADF)
    return descriptor.guest


def fd_prestat_get(wasi: Wasi, _memory: GuestMemory, fd: int) -> bytes:
    """The length of a preopened directory's name."""
    return PRESTAT.pack(0, len(_preopened(wasi, fd)))


def fd_prestat_dir_name(wasi: Wasi, memory: GuestMemory, fd: int, buffer: tuple[int, int]) -> None:
    """A preopened directory's name, without a NUL."""
    name = _preopened(wasi, fd)
    address, size = buffer
    if size < len(name):
        raise WasiError(Errno.NAMETOOLONG)
    memory.write(address, name)


def fd_readdir(wasi: Wasi, memory: GuestMemory, fd: int, buffer: tuple[int, int], cookie: int) -> int:
    """Entries from a cookie on, the last one cut where the buffer ends; how many bytes. Fewer than fit: the end."""
    directory = wasi.table.directory(fd)
    address, size = buffer
    out = bytearray()
    for following, entry in directory.entries(cookie):
        out += DIRENT.pack(following, entry.inode, len(entry.name), entry.type)
        out += entry.name
        if len(out) >= size:
            break
    memory.write(address, bytes(out[:size]))
    return min(len(out), size)
