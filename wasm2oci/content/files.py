"""Files that are there whole or not at all.

The rule of every write: a temporary file in the same folder, all bytes, fsync, rename, fsync of the folder. Whatever
goes wrong on the way, the temporary file is removed and the old content stands.
"""

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import LocalIOError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "TEMPORARY",
    "FileNotThereError",
    "NewFile",
    "local_errors",
    "make_folder",
    "replace_file",
    "sync_folder",
    "write_file",
]

TEMPORARY: Final = ".wasm2oci-"
"""How names of temporary files start; what is left of them was left by a process that was killed."""


class FileNotThereError(NotFoundError):
    """A local file or folder is not there."""


@contextmanager
def local_errors(path: "Path") -> "Iterator[None]":
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


def _local_error(path: "Path", error: OSError) -> LocalIOError:
    return LocalIOError(f"{path}: {error.strerror or error}", hint=_HINTS.get(error.errno or 0))


_HINTS: Final = {
    errno.ENOSPC: "make room on this disk, or write to another one",
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "this file system is read-only",
    errno.EISDIR: "name a file, not a folder",
}


def make_folder(path: "Path", mode: int = 0o777) -> None:
    """Make this folder and its parents, if they are not there.

    Raises:
        LocalIOError: that is not possible.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:  # "no such file" too: nothing that was asked for is missing, it cannot be made
        raise _local_error(path, error) from error


class NewFile:
    """A file that appears under its name when it is whole: `write` its bytes, then `commit` or `discard` it.

    Args:
        path: its name in the end.
        mode: permission bits, before the umask.
        sync: wait until the bytes are on the disk before the file gets its name.

    Raises:
        LocalIOError: the folder is not there or not writable.
    """

    def __init__(self, path: "Path", mode: int = 0o666, *, sync: bool = True) -> None:
        self._path = path
        self._sync = sync
        self._temporary = path.with_name(f"{TEMPORARY}{os.urandom(8).hex()}")
        self.written = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._temporary, flags, mode)
        except FileNotFoundError as error:
            raise LocalIOError(f"no such folder: {path.parent}") from error
        except OSError as error:
            # The message names what was asked for, not the temporary file.
            raise _local_error(path, error) from error

    def write(self, chunk: "bytes | bytearray | memoryview") -> None:
        """Add bytes.

        Raises:
            LocalIOError: the disk is full.
        """
        with local_errors(self._path):
            _write_all(self._descriptor, chunk)
        self.written += len(chunk)

    def commit(self) -> None:
        """Put the file under its name.

        Raises:
            LocalIOError: that failed, and the file is gone.
        """
        try:
            with local_errors(self._path):
                if self._sync:
                    os.fsync(self._descriptor)
                descriptor, self._descriptor = self._descriptor, -1
                os.close(descriptor)
                self._temporary.replace(self._path)
        except BaseException:
            self.discard()
            raise
        if self._sync:
            sync_folder(self._path.parent)

    def discard(self) -> None:
        """Remove what was written."""
        with suppress(OSError):
            self._temporary.unlink()
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)


def write_file(path: "Path", content: "Iterable[bytes]", mode: int = 0o666, *, sync: bool = True) -> int:
    """Write a file whole or not at all; an existing one is replaced only when the last byte is on the disk.

    The content's own errors (a digest mismatch at its end) pass through and leave nothing behind. A path that is
    there and is not a regular file (`/dev/stdout`, a named pipe) is written to directly: there is nothing to rename.

    Args:
        path: where to.
        content: its bytes.
        mode: permission bits, before the umask.
        sync: wait until the bytes are on the disk.

    Returns:
        How many bytes were written.

    Raises:
        LocalIOError: the disk is full, the folder is not there or not writable, or the path is a folder.
    """
    with local_errors(path):
        special = _is_special(path)
    if special:
        return _write_special(path, content)
    return replace_file(path, content, mode, sync=sync)


def replace_file(path: "Path", content: "Iterable[bytes]", mode: int = 0o666, *, sync: bool = True) -> int:
    """Write a file whole or not at all, in the place of whatever has its name: a pipe or a link there is replaced.

    For folders that somebody else may have filled. Arguments, result and errors are those of `write_file`.
    """
    file = NewFile(path, mode, sync=sync)
    try:
        for chunk in content:
            file.write(chunk)
    except BaseException:
        file.discard()
        raise
    file.commit()
    return file.written


def _write_special(path: "Path", content: "Iterable[bytes]") -> int:
    written = 0
    with local_errors(path):
        file = path.open("wb", buffering=0)
    with file:
        for chunk in content:
            with local_errors(path):
                _write_all(file.fileno(), chunk)
            written += len(chunk)
    return written


def _write_all(descriptor: int, chunk: "bytes | bytearray | memoryview") -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _is_special(path: "Path") -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return not stat.S_ISREG(mode)


def sync_folder(path: "Path") -> None:
    """Put the names in this folder on the disk; file systems that cannot do that are left alone."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
