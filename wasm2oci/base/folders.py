"""Folders that only this user can write to, folders that stay below a limit, and locks on folders.

What Windows lacks of this is in the table of `files`.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.base.files import TEMPORARY, claim_file, open_file, open_folder
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = [
    "CODE_LIMIT",
    "KEY_SIZE",
    "FolderLock",
    "LocksUnavailableError",
    "NoTemporaryFolderError",
    "evict",
    "folder_key",
    "is_private",
    "list_files",
    "private_folder",
    "read_private",
    "temporary_folder",
    "used",
]

CODE_LIMIT: Final = 512 << 20
"""Bytes that a folder of code made from modules may take, and so a file of it."""
KEY_SIZE: Final = 32
_KEY: Final = "key"
_LOCK: Final = f"{TEMPORARY}lock"
_STALE: Final = 24 * 3600
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
_user: Final[Any] = getattr(os, "geteuid", None)


class LocksUnavailableError(OSError):
    """This file system, or this platform, has no locks."""


class NoTemporaryFolderError(LocalIOError):
    """The system has no folder for temporary files that this user may write to."""


# --- private files -------------------------------------------------------------------------------


def private_folder(path: Path) -> bool:
    """Make this folder if it is not there; whether only this user can write to it. Raises `OSError`."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.is_dir() and is_private(path)


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder of this user alone, where the system keeps temporary files; it is gone at the end.

    Raises:
        NoTemporaryFolderError: there is no such place.
    """
    import shutil  # noqa: PLC0415 - needed rarely, and slow to import, like the next
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    try:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as error:
        raise NoTemporaryFolderError(
            f"there is no folder for temporary files: {error.strerror}",
            hint="set TMPDIR to a folder that you may write to",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_private(path: Path) -> bool:
    """Whether only this user can have written this file or folder; never so for a symbolic link."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and _is_ours(status)


def read_private(path: Path, most: int, *, secret: bool = False) -> bytes | None:
    """The bytes of a file that only this user can have written; None for any other file, and for a symbolic link.

    Args:
        path: of the file.
        most: bytes; a file that has more, such as one whose length was damaged, is none of ours.
        secret: the file counts only if no other user can read it either.
    """
    try:
        if path.is_symlink():
            return None
        descriptor = open_file(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not (stat.S_ISREG(status.st_mode) and _is_ours(status, 0o077 if secret else 0o022)):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(min(most, status.st_size) + 1)
        return data if len(data) <= most else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def folder_key(folder: Path) -> bytes | None:
    """A random key in a folder, that only this user can read, made at first use: for proofs (HMAC) of files there.

    None where the folder is not this user's alone, or cannot be written.
    """
    try:
        if not private_folder(folder):
            return None
        path = folder / _KEY
        key = read_private(path, 2 * KEY_SIZE, secret=True)
        if key is not None and len(key) != KEY_SIZE:  # cut short when the machine stopped: it proves nothing
            path.unlink()
            key = None
        if key is None and not path.is_symlink() and not path.exists():
            claim_file(path, os.urandom(KEY_SIZE))
            key = read_private(path, 2 * KEY_SIZE, secret=True)
    except (OSError, LocalIOError):
        return None
    return key


def _is_ours(status: os.stat_result, forbidden: int = 0o022) -> bool:
    return _user is None or (status.st_uid == _user() and not status.st_mode & forbidden)


# --- bounded folders -----------------------------------------------------------------------------


def evict(paths: Iterable[Path], limit: int, *, block: int = 0, remove: Callable[[Path], object] = os.unlink) -> int:
    """Remove files, the least recently used first (LRU), until the rest takes at most `limit` bytes.

    The time of use is that of the last modification, which `used` renews. Temporary files go once they are a day older
    than the newest file: so no clock is needed. What cannot be removed is left.

    Args:
        paths: the files; some may have gone meanwhile.
        limit: in bytes; 0 removes everything.
        block: the bytes that a file counts for at least.
        remove: removes a file, or only takes note of it.

    Returns:
        The bytes that were removed, temporary files not counted.
    """
    files: list[tuple[int, int, Path]] = []
    temporary: list[tuple[int, Path]] = []
    for path in _as_far_as_listed(paths):
        with suppress(OSError):
            status = path.lstat()
            if path.name.startswith(TEMPORARY):
                temporary.append((status.st_mtime_ns, path))
            elif stat.S_ISREG(status.st_mode):
                files.append((status.st_mtime_ns, max(status.st_size, block), path))
    newest = max((changed for changed, _, _ in files), default=0)
    for changed, path in temporary:
        if changed < newest - _STALE * 10**9:
            with suppress(OSError):
                remove(path)
    total, removed = sum(size for _, size, _ in files), 0
    for _, size, path in sorted(files):
        if total <= limit:
            break
        total -= size
        with suppress(OSError):
            remove(path)
            removed += size
    return removed


def _as_far_as_listed(paths: Iterable[Path]) -> Iterable[Path]:
    # Folders may go away while they are listed.
    with suppress(OSError):
        yield from paths


def list_files(folder: Path, pattern: str) -> list[Path]:
    """What a pattern matches in a folder; nothing where it cannot be listed, or goes away meanwhile."""
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def used(path: Path) -> None:
    """Make this file the most recently used one of its folder; failing to is not an error."""
    with suppress(OSError):
        os.utime(path)


# --- locks ---------------------------------------------------------------------------------------


class FolderLock:
    """An exclusive lock on a folder, against other processes and threads, from now until `close`.

    Other tools that write image layouts lock the folder in the same way (`flock`), and no file is left in it. On a
    platform that has neither `flock` nor Windows' locks (WebAssembly's run one process) it excludes threads only.

    Args:
        folder: which exists.
        wait: until its holder lets go; otherwise that is an error.

    Raises:
        BlockingIOError: another holds the lock, and `wait` is false.
        LocksUnavailableError: the file system has no locks.
        OSError: the folder cannot be opened.
    """

    __slots__ = ("_descriptor", "_held")

    def __init__(self, folder: Path, *, wait: bool = True) -> None:
        self._held: threading.Lock | None = None
        try:
            self._descriptor = open_folder(folder)
        except PermissionError:
            if not folder.is_dir() or hasattr(os, "O_DIRECTORY"):
                raise
            self._descriptor = open_file(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _lock(self._descriptor, wait=wait):
                self._lock_in_process(folder, wait=wait)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and error.errno in _NO_LOCKS:
                raise LocksUnavailableError(error.errno, error.strerror) from error
            raise

    def close(self) -> None:
        """Let go of the lock; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def _lock_in_process(self, folder: Path, *, wait: bool) -> None:
        with _guard:
            lock = _locks.setdefault(os.path.realpath(folder), threading.Lock())
        if not lock.acquire(blocking=wait):
            raise BlockingIOError(errno.EWOULDBLOCK, "locked by another thread")
        self._held = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_guard: Final = threading.Lock()
_locks: Final[dict[str, threading.Lock]] = {}
"""By folder, where the platform has no locks; a process locks few folders."""


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file, by what the platform has; whether it has anything."""
    unix = _module("fcntl")
    if unix is not None:
        unix.flock(descriptor, unix.LOCK_EX | (0 if wait else unix.LOCK_NB))
        return True
    windows = _module("msvcrt")
    if windows is None:
        return False
    while True:
        try:
            windows.locking(descriptor, windows.LK_LOCK if wait else windows.LK_NBLCK, 1)
            return True
        except OSError as error:
            if not wait:
                raise BlockingIOError(errno.EWOULDBLOCK, "locked by another process") from error
            if error.errno != errno.EDEADLK:  # it waited for ten seconds, and does so again
                raise


def _module(name: str) -> Any:
    # Through this both type checkers and platforms take a module that only one platform has.
    try:
        return import_module(name)
    except ImportError:
        return None
