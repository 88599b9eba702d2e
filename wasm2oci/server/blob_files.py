"""The files of blobs on disk: linked into repositories, checked before they are given out, healed by a later push.

    ROOT/org+hello/blobs/<algorithm>/<hex>    a blob of the repository org/hello
    ROOT/_blobs/<algorithm>/<hex>             a hard link to the same file: the pool
    ROOT/_damaged/                            what was found to have other bytes than its name says

Rules 1 to 5 that this keeps are those of `disk`.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import ReadableFile, is_linked, local_errors
from wasm2oci.errors import LocalIOError
from wasm2oci.oci.digest import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wasm2oci.oci.digest import Digest

__all__ = ["POOL", "BlobFiles", "folder_name"]

POOL: Final = "_blobs"
_CHECKED: Final = 65_536
"""Files that are remembered to be whole."""
_DAMAGED: Final = "_damaged"
_STRIPES: Final = 64
_PIECE: Final = 1 << 20


def folder_name(repository: str) -> str:
    """The folder of a repository below the root: one level, `/` is written `+`."""
    return repository.replace("/", "+")


class BlobFiles:
    """The blobs of all repositories below one root.

    Args:
        root: of the registry.
        repositories: names of all that there are, to heal each that shares a damaged file.
    """

    def __init__(self, root: Path, repositories: Callable[[], Iterable[str]]) -> None:
        self._root = root
        self._pool = root / POOL
        self._repositories = repositories
        self._guard = threading.Lock()
        self._checked: set[tuple[Digest, int, int, int]] = set()
        self._hashing = [threading.Lock() for _ in range(_STRIPES)]
        # Taken for the moments in which links come and go, so that a count that was read still is true.
        self._linking = threading.Lock()

    def path(self, repository: str, digest: Digest) -> Path:
        """Where the repository has this blob, if it has it."""
        return self._root / folder_name(repository) / "blobs" / digest.algorithm / digest.encoded

    def whole(self, repository: str, digest: Digest) -> os.stat_result | None:
        """The status of a blob's file, whose bytes were checked; None when it is not there, or not so any more."""
        path = self.path(repository, digest)
        if is_linked(self._root, path):
            return None
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                return None
            if (digest, *_stamp(status)) in self._checked:
                return status
            with self._hashing[hash(digest) % _STRIPES]:  # many may ask for it at once, and one has to hash it
                status = path.lstat()
                if (digest, *_stamp(status)) in self._checked:
                    return status
                with closing(ReadableFile(path, follow=False)) as file:
                    found = digest.hasher().consume(file.chunks(_PIECE)).digest()
                    status = file.status
                if found == digest:
                    self._remember(digest, status)
                    return status
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise LocalIOError(f"{path}: {error.strerror}") from error
        self._set_aside(path)
        return None

    def open(self, repository: str, digest: Digest) -> ReadableFile | None:
        """A blob's file, whose bytes were checked; None when it is not there whole."""
        if self.whole(repository, digest) is None:
            return None
        try:
            return ReadableFile(self.path(repository, digest), follow=False)
        except FileNotFoundError:
            return None

    def keep(self, temporary: Path, repository: str, digest: Digest) -> None:
        """Make a synced file a blob of a repository that is there; the temporary name goes.

        Raises:
            OSError: it cannot be.
        """
        pooled, final = self._pooled(digest), self.path(repository, digest)
        for path in (pooled, final):
            if is_linked(self._root, path.parent):
                raise OSError(errno.ELOOP, "a symbolic link is in the way")
        self._heal(temporary, digest, pooled, final)
        with self._linking:
            try:
                _link(temporary, pooled)
                _link(pooled, final)
            except OSError:
                # A place without hard links, or a file that has as many as there may be: one of its own.
                temporary.replace(final)
                self._remember(digest, final.lstat())
                return
        self._remember(digest, final.lstat())
        temporary.unlink()

    def mount(self, repository: str, digest: Digest, source: str) -> None:
        """Link the blob of one repository into another that is there.

        Raises:
            OSError: it was deleted meanwhile, or links cannot be made.
        """
        with self._linking:
            _link(self.path(source, digest), self.path(repository, digest))

    def remove(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of a repository, and out of the pool with the last one; False when it was not there."""
        pooled, path = self._pooled(digest), self.path(repository, digest)
        if is_linked(self._root, path.parent):
            return False
        with local_errors(self._root), self._linking:
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            with suppress(FileNotFoundError):
                if pooled.stat().st_nlink == 1:
                    pooled.unlink()
        return True

    def remove_unused(self) -> None:
        """Take out of the pool what no repository has. Raises `OSError`."""
        for algorithm in ALGORITHMS:
            for entry in os.scandir(self._pool / algorithm):
                if os.lstat(entry.path).st_nlink == 1:  # an entry's own status has no count on every platform
                    Path(entry.path).unlink()

    def _pooled(self, digest: Digest) -> Path:
        return self._pool / digest.algorithm / digest.encoded

    def _remember(self, digest: Digest, status: os.stat_result) -> None:
        with self._guard:
            if len(self._checked) >= _CHECKED:
                self._checked.clear()
            self._checked.add((digest, *_stamp(status)))

    def _set_aside(self, path: Path) -> None:
        folder = self._root / _DAMAGED
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            path.rename(folder / f"{path.name}-{secrets.token_hex(4)}")

    def _heal(self, good: Path, digest: Digest, pooled: Path, final: Path) -> None:
        """Set aside what has this digest's name and other bytes; who shared the pool's file gets the good one."""
        if os.path.lexists(pooled) and not _same(good, pooled):
            damaged = pooled.lstat().st_ino
            self._set_aside(pooled)
            for name in self._repositories():
                path = self.path(name, digest)
                with suppress(OSError):
                    if not is_linked(self._root, path) and path.lstat().st_ino == damaged:
                        path.unlink()
                        os.link(good, path)
        if os.path.lexists(final) and not _same(good, final):
            self._set_aside(final)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError:
        # An algorithm's folder is not there in a layout that another tool made.
        if target.parent.is_dir():
            raise
        target.parent.mkdir(parents=True)
        os.link(source, target)


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _same(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes; something that is not a regular file has none."""
    try:
        with closing(ReadableFile(one)) as left, closing(ReadableFile(other, follow=False)) as right:
            if left.status.st_size != right.status.st_size:
                return False
            return all(a == b for a, b in zip(left.chunks(_PIECE), right.chunks(_PIECE), strict=False))
    except (OSError, LocalIOError):
        return False
