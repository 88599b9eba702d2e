"""Files that are written whole or not at all, and files that are read without trust in where they come from.

The rule of every write: a temporary file, all bytes, fsync, rename, fsync of the folder. Whatever goes wrong on the
way, the temporary file is removed and the old content stays.

This module and `folders` are the only ones that know on which platform they run. What Windows lacks:

    O_NOFOLLOW, O_NONBLOCK       left out: links need a privilege there, and pipes have no place in a folder
    opening a folder             names are not synced, and a lock is a file in the folder
    owners and mode bits         the folder's access list decides who may write, so every file counts as private
    pread                        seek and read, under a lock
    replacing an opened file     an error, as long as any process has it open
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.syncing import Syncer
from wasm2oci.errors import LocalIOError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    Buffer = bytes | bytearray | memoryview

__all__ = [
    "FLAGS",
    "TEMPORARY",
    "FileNotThereError",
    "NewFile",
    "ReadableFile",
    "claim_file",
    "is_linked",
    "local_errors",
    "make_folder",
    "new_folder",
    "open_file",
    "open_folder",
    "replace_file",
    "storable",
    "sync_folder",
    "write_all",
]

TEMPORARY: Final = ".wasm2oci-"
"""How names of temporary files begin; one that is a day old was left by a process that was killed."""

_PIECE: Final = 1 << 20
FLAGS: Final = sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_BINARY", "O_NOINHERIT"))
"""What every descriptor is opened with: not inherited, bytes as they are."""
_NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK: Final[int] = getattr(os, "O_NONBLOCK", 0)
_FOLDER: Final[int] = getattr(os, "O_DIRECTORY", 0)
_pread: Final[Any] = getattr(os, "pread", None)
_preadv: Final[Any] = getattr(os, "preadv", None)


class FileNotThereError(NotFoundError):
    """A local file or folder does not exist."""


# --- errors --------------------------------------------------------------------------------------


@contextmanager
def local_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about this path into our errors.

    Raises:
        FileNotThereError: there is no such file.
        LocalIOError: anything else.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotThereError(f"no such file or folder: {path}") from error
    except OSError as error:
        raise _local_error(path, error) from error
    except UnicodeEncodeError as error:
        raise LocalIOError(
            f"{path}: this system encodes file names in {error.encoding}, which lacks some of these characters",
            hint="set a locale with UTF-8, such as LC_ALL=C.UTF-8",
        ) from error


def storable(name: str) -> str:
    """A file's name without the characters that names have no bytes for here: where the locale is not UTF-8."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError as error:
        return name.encode(error.encoding, "ignore").decode(error.encoding)
    return name


def _local_error(path: Path, error: OSError) -> LocalIOError:
    return LocalIOError(f"{path}: {error.strerror or error}", hint=_HINTS.get(error.errno or 0))


_HINTS: Final = {
    errno.ENOSPC: "free some space on this disk, or write to another one",
    getattr(errno, "EDQUOT", -1): "your quota on this disk is used up",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "this file system is read-only",
    errno.EISDIR: "name a file, not a folder",
}


# --- reading -------------------------------------------------------------------------------------


def open_file(path: Path, flags: int, mode: int = 0o666) -> int:
    """A descriptor as `os.open` gives it: not inherited, bytes as they are, no link followed, no waiting at a pipe."""
    return os.open(path, flags | FLAGS | _NOFOLLOW | _NONBLOCK, mode)


def is_linked(folder: Path, path: Path) -> bool:
    """Whether a path below a folder is a symbolic link, or one is on the way from the folder to it."""
    at = folder
    for part in path.relative_to(folder).parts:
        at /= part
        if at.is_symlink():
            return True
    return False


def open_folder(path: Path) -> int:
    """A descriptor of a folder, to sync or to lock it.

    Raises:
        OSError: there is no such folder, or the platform does not open folders (`PermissionError`).
    """
    return os.open(path, os.O_RDONLY | _FOLDER | FLAGS)


class ReadableFile:
    """A regular file that is opened once, and read at any place by any number of threads.

    It stays what it is when another process removes or replaces it.

    Args:
        path: of the file.
        follow: whether a symbolic link is followed; else it is an `OSError` (ELOOP).

    Raises:
        OSError: it cannot be opened.
        LocalIOError: it is not a regular file.
    """

    __slots__ = ("_descriptor", "_seeking", "status")

    def __init__(self, path: Path, *, follow: bool = True) -> None:
        self._descriptor = -1
        self._seeking = Lock()
        # Without O_NONBLOCK the opening of a pipe planted in a hostile folder would wait for ever.
        self._descriptor = os.open(path, os.O_RDONLY | _NONBLOCK | FLAGS | (0 if follow else _NOFOLLOW))
        self.status = os.fstat(self._descriptor)
        if not stat.S_ISREG(self.status.st_mode):
            self.close()
            what = "is a folder, not a file" if stat.S_ISDIR(self.status.st_mode) else "is not a regular file"
            raise LocalIOError(f"{path} {what}")

    def chunks(self, size: int) -> Iterator[bytes]:
        """A fresh pass over its bytes, `size` at a time. Raises `OSError`."""
        start = 0
        while chunk := self.read_at(start, size):
            start += len(chunk)
            yield chunk

    def read_at(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start` on; none at the end. Raises `OSError`."""
        if _pread is not None:
            data: bytes = _pread(self._descriptor, size, start)
            return data
        with self._seeking:
            os.lseek(self._descriptor, start, os.SEEK_SET)
            return os.read(self._descriptor, size)

    def read_into(self, view: memoryview, start: int) -> int:
        """Fill a buffer with bytes from `start` on; how many there were. Raises `OSError`."""
        if _preadv is not None:
            count: int = _preadv(self._descriptor, [view], start)
            return count
        data = self.read_at(start, len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    __del__ = close


# --- writing -------------------------------------------------------------------------------------


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make this folder and its parents, if they are not there.

    Raises:
        LocalIOError: that is not possible.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:  # "no such file" too: nothing that was asked for is missing, it cannot be made
        raise _local_error(path, error) from error


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Make this folder and its parents for what is written into it; those that were made go again if that fails.

    Raises:
        LocalIOError: the folder cannot be made.
    """
    with local_errors(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_folder(path)
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # something else is in it now
                folder.rmdir()
        raise


class NewFile:
    """A file that appears under its name when it is whole: `write` its bytes, then `commit` or `discard` it.

    Args:
        path: its name in the end.
        mode: permission bits, before the umask.
        sync: wait until the bytes are on the disk before the file gets its name; a large file is synced as it grows.
        aside: the folder of the temporary file, on the same file system; the file's own if None.

    Raises:
        LocalIOError: the folder is not there or not writable.
    """

    def __init__(self, path: Path, mode: int = 0o666, *, sync: bool = True, aside: Path | None = None) -> None:
        self._path = path
        self._sync = sync
        self._temporary = (aside or path.parent) / f"{TEMPORARY}{os.urandom(8).hex()}"
        self.written = 0
        self._syncer: Syncer | None = None
        self._descriptor = -1
        try:
            self._descriptor = open_file(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            if sync:
                self._syncer = Syncer(self._descriptor)
        except FileNotFoundError as error:
            raise LocalIOError(f"no such folder: {path.parent}") from error
        except OSError as error:
            # The message names what was asked for, not the temporary file.
            raise _local_error(path, error) from error
        except BaseException:  # a signal that came while the file was made
            self.discard()
            raise

    def write(self, chunk: Buffer) -> None:
        """Add bytes.

        Raises:
            LocalIOError: the disk is full.
        """
        with local_errors(self._path):
            write_all(self._descriptor, chunk)
            self.written += len(chunk)
            if self._syncer is not None:
                self._syncer.grown(self.written)

    def commit(self) -> None:
        """Put the file under its name, in the place of whatever has that name.

        Raises:
            LocalIOError: that failed, and the file is gone.
        """
        try:
            with local_errors(self._path):
                self._finish()
                self._temporary.replace(self._path)
        except BaseException:
            self.discard()
            raise
        if self._sync:
            sync_folder(self._path.parent)

    def commit_first(self) -> None:
        """Put the file under its name unless something has that name already; then this file goes.

        Raises:
            OSError: neither was possible.
        """
        try:
            self._finish()
            with suppress(FileExistsError):
                os.link(self._temporary, self._path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written."""
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._temporary.unlink()

    def set_aside(self, path: Path) -> None:
        """Give what was written so far another name, without waiting for the disk; where that fails, remove it."""
        with suppress(OSError):
            self._close()
        try:
            self._temporary.replace(path)
        except OSError:
            self.discard()

    def read_back(self) -> Iterator[bytes]:
        """What was written so far. Raises `OSError`."""
        with self._temporary.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def _finish(self) -> None:
        if self._syncer is not None:
            self._syncer.finish()
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if self._syncer is not None:
                self._syncer.join()
            os.close(descriptor)


def replace_file(
    path: Path, content: Iterable[bytes], mode: int = 0o666, *, sync: bool = True, aside: Path | None = None
) -> int:
    """Write a file whole or not at all, in the place of whatever has its name: a pipe or a link there is replaced.

    For folders that another user may have filled. `aside` is that of `NewFile`, all else is that of `write_file`.
    """
    file = NewFile(path, mode, sync=sync, aside=aside)
    try:
        for chunk in content:
            file.write(chunk)
    except BaseException:
        file.discard()
        raise
    file.commit()
    return file.written


def claim_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file unless it is there: of several processes that do this at once, one wins, and all read its bytes.

    Raises:
        LocalIOError, OSError: it cannot be written.
    """
    file = NewFile(path, mode)
    try:
        file.write(data)
    except BaseException:
        file.discard()
        raise
    file.commit_first()


def write_all(descriptor: int, chunk: Buffer) -> None:
    """Write all bytes to a descriptor, however few each call takes. Raises `OSError`."""
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(path: Path) -> None:
    """Put the names in this folder on the disk; file systems and platforms that cannot do that are left alone."""
    with suppress(OSError):
        descriptor = open_folder(path)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
