"""Files and directories: the calls of preview 1 do the work, below the same rules. Spec: wasi:filesystem/types."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base import descriptors as host
from wasm2oci.wasi.abi import NO_FLAGS, Errno, FstFlags, LookupFlags, OFlags, WasiError
from wasm2oci.wasi.calls import descriptors as fd_calls
from wasm2oci.wasi.calls import paths as path_calls
from wasm2oci.wasi.descriptors import DirectoryDescriptor, FileDescriptor
from wasm2oci.wasi.paths import locate
from wasm2oci.wasi.preview2.codes import ADVICE, error_code, type_case
from wasm2oci.wasi.preview2.streams import FileInput, FileOutput
from wasm2oci.wasi.rights import Rights
from wasm2oci.wasi.streams import file_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wasm2oci.wasi.preview2.streams import IoError
    from wasm2oci.wasi.state import Wasi

__all__ = ["METHODS", "Listing", "Preview2Descriptor", "code_of", "next_entry"]

_I64_MAX: Final = (1 << 63) - 1


class _Kept:
    """Memory for one answer of a preview 1 call."""

    def __init__(self) -> None:
        self.data = b""

    def read(self, address: int, size: int) -> bytes:
        """Nothing is read from it."""
        raise AssertionError(address, size)

    def write(self, address: int, data: bytes) -> None:  # noqa: ARG002 - there is one place
        """Keeps it."""
        self.data = data


_NO_MEMORY: Final = _Kept()


def _path(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _lookup(flags: frozenset[str]) -> LookupFlags:
    return LookupFlags.SYMLINK_FOLLOW if "symlink-follow" in flags else LookupFlags(0)


def _signed(value: int) -> int:
    """An offset or a time, which the host takes as a signed number."""
    if value > _I64_MAX:
        raise WasiError(Errno.INVAL)
    return value


class Listing:
    """The entries of a directory that are still to be given."""

    resource = "directory-entry-stream"

    def __init__(self, entries: Iterator[Any]) -> None:
        self.entries = entries


class Preview2Descriptor:
    """A file or directory.

    Args:
        wasi: the state of the run, whose table has it.
        number: its number there.
        kept: whether it stays open when the guest drops it: a directory of the context.
    """

    resource = "descriptor"

    def __init__(self, wasi: Wasi, number: int, *, kept: bool = False) -> None:
        self._wasi = wasi
        self.number = number
        self._kept = kept

    def close(self) -> None:
        """Close it, unless it is kept."""
        if not self._kept:
            self._kept = True
            with contextlib.suppress(OSError, WasiError):
                self._wasi.table.close(self.number)

    @property
    def _open(self) -> FileDescriptor | DirectoryDescriptor:
        found = self._wasi.table.get(self.number)
        assert isinstance(found, FileDescriptor | DirectoryDescriptor)  # noqa: S101 - no others are made
        return found

    # --- data -------------------------------------------------------------------------------------------------------

    def read_via_stream(self, offset: int) -> FileInput:
        """`read-via-stream`."""
        self._wasi.table.readable(self.number)
        at = _signed(offset)
        return FileInput(self._again(), at)

    def write_via_stream(self, offset: int) -> FileOutput:
        """`write-via-stream`."""
        self._wasi.table.writable(self.number)
        at = _signed(offset)
        return FileOutput(self._again(), at)

    def append_via_stream(self) -> FileOutput:
        """`append-via-stream`."""
        self._wasi.table.writable(self.number)
        return FileOutput(self._again(), None)

    def _again(self) -> int:
        """The file once more, as a descriptor of the host."""
        return os.dup(self._wasi.table.seekable(self.number).fd)

    def read(self, length: int, offset: int) -> tuple[bytes, bool]:
        """`read`: bytes, and whether the end is reached."""
        self._wasi.table.readable(self.number)
        file = self._wasi.table.seekable(self.number)
        data = host.pread(file.fd, min(length, fd_calls.MAX_TRANSFER), _signed(offset))
        return data, bool(length) and not data

    def write(self, buffer: bytes, offset: int) -> int:
        """`write`: how many bytes."""
        return fd_calls.fd_pwrite(self._wasi, _NO_MEMORY, self.number, bytes(buffer), _signed(offset))

    def advise(self, offset: int, length: int, advice: tuple[str, None]) -> None:
        """`advise`."""
        fd_calls.fd_advise(self._wasi, _NO_MEMORY, self.number, offset, length, ADVICE[advice[0]])

    def sync_data(self) -> None:
        """`sync-data`."""
        fd_calls.fd_datasync(self._wasi, _NO_MEMORY, self.number)

    def sync(self) -> None:
        """`sync`."""
        fd_calls.fd_sync(self._wasi, _NO_MEMORY, self.number)

    def set_size(self, size: int) -> None:
        """`set-size`."""
        fd_calls.fd_filestat_set_size(self._wasi, _NO_MEMORY, self.number, size)

    # --- what it is -------------------------------------------------------------------------------------------------

    def get_flags(self) -> frozenset[str]:
        """`get-flags`."""
        found = self._open
        if isinstance(found, DirectoryDescriptor):
            return frozenset({"read"} if found.read_only else {"read", "mutate-directory"})
        named = {"read": found.readable, "write": found.writable}
        return frozenset(name for name, given in named.items() if given)

    def get_type(self) -> tuple[str, None]:
        """`get-type`."""
        return type_case(self._open.file_type())

    def stat(self) -> dict[str, Any]:
        """`stat`."""
        return self._shown(self._open.stat())

    def stat_at(self, flags: frozenset[str], path: str) -> dict[str, Any]:
        """`stat-at`."""
        return self._shown(self._stat_at(flags, path))

    def _shown(self, found: os.stat_result) -> dict[str, Any]:
        """A `descriptor-stat`."""
        return {
            "type": type_case(file_type(found.st_mode)),
            "link-count": found.st_nlink,
            "size": found.st_size,
            "data-access-timestamp": _when(found.st_atime_ns),
            "data-modification-timestamp": _when(found.st_mtime_ns),
            "status-change-timestamp": _when(found.st_ctime_ns),
        }

    def _stat_at(self, flags: frozenset[str], path: str) -> os.stat_result:
        raw = _path(path)
        follow = bool(flags) or raw.endswith(b"/")
        with locate(self._wasi.table.directory(self.number).fd, raw, follow=follow) as place:
            return place.stat()

    def is_same_object(self, other: Preview2Descriptor) -> bool:
        """`is-same-object`."""
        mine, its = self._open.stat(), other._open.stat()
        return (mine.st_dev, mine.st_ino) == (its.st_dev, its.st_ino)

    def metadata_hash(self) -> dict[str, int]:
        """`metadata-hash`."""
        return _hash(self._open.stat())

    def metadata_hash_at(self, flags: frozenset[str], path: str) -> dict[str, int]:
        """`metadata-hash-at`."""
        return _hash(self._stat_at(flags, path))

    def set_times(self, access: tuple[str, Any], modification: tuple[str, Any]) -> None:
        """`set-times`."""
        fd_calls.fd_filestat_set_times(self._wasi, _NO_MEMORY, self.number, *_times(access, modification))

    def set_times_at(
        self, flags: frozenset[str], path: str, access: tuple[str, Any], modification: tuple[str, Any]
    ) -> None:
        """`set-times-at`."""
        times = _times(access, modification)
        path_calls.path_filestat_set_times(self._wasi, _NO_MEMORY, self.number, _lookup(flags), _path(path), *times)

    # --- directories ------------------------------------------------------------------------------------------------

    def read_directory(self) -> Listing:
        """`read-directory`."""
        entries = [entry for _, entry in self._wasi.table.directory(self.number).entries(0)]
        return Listing(iter([entry for entry in entries if entry.name not in {b".", b".."}]))

    def create_directory_at(self, path: str) -> None:
        """`create-directory-at`."""
        path_calls.path_create_directory(self._wasi, _NO_MEMORY, self.number, _path(path))

    def remove_directory_at(self, path: str) -> None:
        """`remove-directory-at`."""
        path_calls.path_remove_directory(self._wasi, _NO_MEMORY, self.number, _path(path))

    def unlink_file_at(self, path: str) -> None:
        """`unlink-file-at`."""
        path_calls.path_unlink_file(self._wasi, _NO_MEMORY, self.number, _path(path))

    def link_at(self, flags: frozenset[str], path: str, other: Preview2Descriptor, to: str) -> None:
        """`link-at`."""
        path_calls.path_link(self._wasi, _NO_MEMORY, self.number, _lookup(flags), _path(path), other.number, _path(to))

    def rename_at(self, path: str, other: Preview2Descriptor, to: str) -> None:
        """`rename-at`."""
        path_calls.path_rename(self._wasi, _NO_MEMORY, self.number, _path(path), other.number, _path(to))

    def symlink_at(self, text: str, path: str) -> None:
        """`symlink-at`."""
        path_calls.path_symlink(self._wasi, _NO_MEMORY, _path(text), self.number, _path(path))

    def readlink_at(self, path: str) -> str:
        """`readlink-at`."""
        kept = _Kept()
        path_calls.path_readlink(self._wasi, kept, self.number, _path(path), (0, 1 << 16))
        try:
            return kept.data.decode()
        except UnicodeDecodeError:
            raise WasiError(Errno.ILSEQ) from None

    def open_at(
        self, path_flags: frozenset[str], path: str, open_flags: frozenset[str], flags: frozenset[str]
    ) -> Preview2Descriptor:
        """`open-at`."""
        if flags & {"file-integrity-sync", "data-integrity-sync", "requested-write-sync"}:
            raise WasiError(Errno.NOTSUP)
        oflags = OFlags(0)
        for name, flag in _OPEN_FLAGS.items():
            if name in open_flags:
                oflags |= flag
        rights = Rights(0)
        if "read" in flags:
            rights |= Rights.FD_READ
        if "write" in flags:
            rights |= Rights.FD_WRITE
        number = path_calls.path_open(
            self._wasi, _NO_MEMORY, self.number, _lookup(path_flags), _path(path), oflags, rights, Rights(0), NO_FLAGS
        )
        return self._another(number)

    def _another(self, number: int) -> Preview2Descriptor:
        """A descriptor of the same kind."""
        return Preview2Descriptor(self._wasi, number)


_OPEN_FLAGS: Final = {
    "create": OFlags.CREAT,
    "directory": OFlags.DIRECTORY,
    "exclusive": OFlags.EXCL,
    "truncate": OFlags.TRUNC,
}


def next_entry(listing: Listing) -> tuple[str, Any]:
    """`read-directory-entry`."""
    entry = next(listing.entries, None)
    if entry is None:
        return "none", None
    return "some", {"type": type_case(entry.type), "name": entry.name.decode()}


def code_of(error: IoError) -> tuple[str, Any]:
    """`filesystem-error-code`."""
    return "some", (error_code(error.errno), None)


def _when(nanoseconds: int) -> tuple[str, Any]:
    return "some", {"seconds": max(0, nanoseconds) // 10**9, "nanoseconds": max(0, nanoseconds) % 10**9}


def _hash(found: os.stat_result) -> dict[str, int]:
    digest = hashlib.blake2b(f"{found.st_dev} {found.st_ino}".encode(), digest_size=16).digest()
    return {"lower": int.from_bytes(digest[:8], "little"), "upper": int.from_bytes(digest[8:], "little")}


def _times(access: tuple[str, Any], modification: tuple[str, Any]) -> tuple[int, int, FstFlags]:
    """Both times as preview 1 takes them."""
    flags, values = FstFlags(0), [0, 0]
    rows = ((access, FstFlags.ATIM, FstFlags.ATIM_NOW), (modification, FstFlags.MTIM, FstFlags.MTIM_NOW))
    for place, ((case, given), set_, now) in enumerate(rows):
        if case == "now":
            flags |= now
        elif case == "timestamp":
            flags |= set_
            values[place] = _signed(given["seconds"] * 10**9 + given["nanoseconds"])
    return values[0], values[1], flags


METHODS: Final[Mapping[str, tuple[str, Callable[..., Any]]]] = {
    "read-via-stream": ("offset: u64) -> result<own<input-stream>", Preview2Descriptor.read_via_stream),
    "write-via-stream": ("offset: u64) -> result<own<output-stream>", Preview2Descriptor.write_via_stream),
    "append-via-stream": (") -> result<own<output-stream>", Preview2Descriptor.append_via_stream),
    "advise": ("offset: u64, length: u64, advice: $advice) -> result<_", Preview2Descriptor.advise),
    "sync-data": (") -> result<_", Preview2Descriptor.sync_data),
    "get-flags": (") -> result<$descriptor-flags", Preview2Descriptor.get_flags),
    "get-type": (") -> result<$descriptor-type", Preview2Descriptor.get_type),
    "set-size": ("size: u64) -> result<_", Preview2Descriptor.set_size),
    "set-times": (
        "data-access-timestamp: $new-timestamp, data-modification-timestamp: $new-timestamp) -> result<_",
        Preview2Descriptor.set_times,
    ),
    "read": ("length: u64, offset: u64) -> result<tuple<list<u8>, bool>", Preview2Descriptor.read),
    "write": ("buffer: list<u8>, offset: u64) -> result<u64", Preview2Descriptor.write),
    "read-directory": (") -> result<own<directory-entry-stream>", Preview2Descriptor.read_directory),
    "sync": (") -> result<_", Preview2Descriptor.sync),
    "create-directory-at": ("path: string) -> result<_", Preview2Descriptor.create_directory_at),
    "stat": (") -> result<$descriptor-stat", Preview2Descriptor.stat),
    "stat-at": ("path-flags: $path-flags, path: string) -> result<$descriptor-stat", Preview2Descriptor.stat_at),
    "set-times-at": (
        (
            "path-flags: $path-flags, path: string, data-access-timestamp: $new-timestamp, "
            "data-modification-timestamp: $new-timestamp) -> result<_"
        ),
        Preview2Descriptor.set_times_at,
    ),
    "link-at": (
        (
            "old-path-flags: $path-flags, old-path: string, new-descriptor: borrow<descriptor>, new-path: string) "
            "-> result<_"
        ),
        Preview2Descriptor.link_at,
    ),
    "open-at": (
        (
            "path-flags: $path-flags, path: string, open-flags: $open-flags, flags: $descriptor-flags) "
            "-> result<own<descriptor>"
        ),
        Preview2Descriptor.open_at,
    ),
    "readlink-at": ("path: string) -> result<string", Preview2Descriptor.readlink_at),
    "remove-directory-at": ("path: string) -> result<_", Preview2Descriptor.remove_directory_at),
    "rename-at": (
        "old-path: string, new-descriptor: borrow<descriptor>, new-path: string) -> result<_",
        Preview2Descriptor.rename_at,
    ),
    "symlink-at": ("old-path: string, new-path: string) -> result<_", Preview2Descriptor.symlink_at),
    "unlink-file-at": ("path: string) -> result<_", Preview2Descriptor.unlink_file_at),
    "metadata-hash": (") -> result<$metadata-hash-value", Preview2Descriptor.metadata_hash),
    "metadata-hash-at": (
        "path-flags: $path-flags, path: string) -> result<$metadata-hash-value",
        Preview2Descriptor.metadata_hash_at,
    ),
}
"""The methods of `descriptor` that give a result: the type after `self` and before the error, and the worker."""
