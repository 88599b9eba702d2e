"""Storage on disk: every repository is an OCI image layout, and equal blobs are one file.

    ROOT/wasm2oci-registry.json      marks the folder as ours
    ROOT/org+hello/                  repository org/hello: oci-layout, index.json, blobs/<algorithm>/<hex>
    ROOT/_blobs/<algorithm>/<hex>    every blob once more, as a hard link: what a push of known bytes links to
    ROOT/_uploads/                   everything that is not whole yet; emptied when the registry starts

A name cannot hold `+` nor begin with `_`, so nothing collides. The rules that keep it whole without a journal:

1. Bytes are written below `_uploads`, synced, and only then linked under their digest: a name means whole content.
2. Links are synced before the `index.json` that needs them is renamed into place: a tag means whole content.
3. A link's count is the blob's reference count: a file of `_blobs` with one link has no repository, and is removed.

What is there may have been put there by any client, or have decayed since:

4. Symbolic links and special files below the root are not there, whatever they lead to; nothing is written by way of
   one.
5. A blob is hashed before it is first given out, and again when its file changed. One that is damaged is set aside
   below `_damaged`, and the next push of its bytes makes it whole again, in every repository that had it.

So a stop at any instruction leaves nothing but files below `_uploads` and unused blobs.
Spec: image-spec, image-layout.md. Why so: docs/decisions, "Hard links share blobs".
"""

import errno
import os
import secrets
import shutil
import stat
import threading
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import (
    TEMPORARY,
    ReadableFile,
    is_linked,
    local_errors,
    open_file,
    replace_file,
    sync_folder,
    write_all,
)
from wasm2oci.base.folders import FolderLock
from wasm2oci.errors import InvalidInputError, LocalIOError
from wasm2oci.oci.digest import ALGORITHMS, Digest
from wasm2oci.oci.layout_index import LAYOUT_MARKER, LayoutIndex, layout_marker
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import InvalidReferenceError, check_repository
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.server.layout_repository import LayoutRepository
from wasm2oci.server.messages import FileBody
from wasm2oci.server.storage import OpenManifest, StoredManifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.oci.reference import Name
    from wasm2oci.server.messages import Buffer, ResponseBody

__all__ = ["DiskStorage", "NotARegistryError", "RegistryInUseError", "folder_name"]

MARKER: Final = "wasm2oci-registry.json"
_POOL: Final = "_blobs"
_UPLOADS: Final = "_uploads"
_DAMAGED: Final = "_damaged"
_STRIPES: Final = 64
_CHECKED: Final = 65_536
"""Files that are remembered to be whole."""
_PIECE: Final = 1 << 20


class NotARegistryError(InvalidInputError):
    """The folder holds something else than a registry."""


class RegistryInUseError(LocalIOError):
    """Another process serves this folder."""


def folder_name(repository: str) -> str:
    """The folder of a repository below the root: one level, `/` is written `+`."""
    return repository.replace("/", "+")


class DiskStorage:
    """A folder of image layouts that one process serves at a time.

    Args:
        root: made when it does not exist; else it has to be empty or a registry already.

    Raises:
        NotARegistryError: it holds something else.
        RegistryInUseError: another process has it.
        LocalIOError: it cannot be made or read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pool, self._uploads = root / _POOL, root / _UPLOADS
        self._repositories: dict[str, LayoutRepository] = {}
        self._closed = False
        self._lock = threading.Lock()
        self._checked: set[tuple[Digest, int, int, int]] = set()
        self._hashing = [threading.Lock() for _ in range(_STRIPES)]
        # Taken for the moments in which links come and go, so that a count that was read still is true.
        self._linking = threading.Lock()
        with local_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            try:
                self._served = FolderLock(root, wait=False)
            except BlockingIOError as error:
                raise RegistryInUseError(
                    f"{root} is served by another process", hint="stop it, or choose another folder"
                ) from error
            try:
                self._claim()
                self._clean()
            except BaseException:
                self._served.close()
                raise

    def repositories(self) -> list[str]:
        """Names of all repositories, sorted."""
        found: list[str] = []
        # There may be very many, and each answer of the catalog asks: no path object is made for any.
        with local_errors(self.root), os.scandir(self.root) as entries:
            for entry in entries:
                if entry.name[0] not in "_." and entry.is_dir(follow_symlinks=False):
                    name = _repository_name(entry.name)
                    if name is not None and _is_regular(f"{entry.path}/index.json"):
                        found.append(name)
        return sorted(found)

    def has_repository(self, repository: str) -> bool:
        """Whether it exists."""
        folder = self.root / folder_name(repository)
        return not folder.is_symlink() and _is_regular(f"{folder}/index.json")

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Bytes of a blob, or None when the repository does not have it whole."""
        status = self._whole(repository, digest)
        return None if status is None else status.st_size

    def open_blob(self, repository: str, digest: Digest, start: int, length: int) -> "ResponseBody | None":
        """A part of a blob to be sent, or None when it is not there whole."""
        if self._whole(repository, digest) is None:
            return None
        try:
            return FileBody(ReadableFile(self._path(repository, digest), follow=False), start, length)
        except FileNotFoundError:
            return None

    def new_blob(self) -> "_Writer":
        """A place to write bytes to."""
        return _Writer(self)

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Link the blob of one repository into another; False when the source lacks it."""
        here = self._path(source, digest)
        if self._whole(source, digest) is None:
            return False
        with local_errors(self.root):
            self._make(repository)
            try:
                with self._linking:
                    self._link(here, self._path(repository, digest))
            except OSError:
                # Deleted meanwhile, or links cannot be made: the client sends the bytes then.
                return False
        return True

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of the repository; False when it was not there, or is a manifest."""
        found = self._open(repository)
        if found is None or found.media_type(digest) is not None:
            return False
        return self._unlink(repository, digest)

    def manifest(self, repository: str, reference: "Name") -> StoredManifest | None:
        """The manifest that a digest or a tag names, or None."""
        found = self._open(repository)
        named = None if found is None else found.named(reference)
        if found is None or named is None:
            return None
        raw = found.read(named[0])
        return None if raw is None else StoredManifest(*named, raw)

    def open_manifest(self, repository: str, reference: "Name") -> OpenManifest | None:
        """The manifest that a digest or a tag names, to be sent from its file; or None."""
        found = self._open(repository)
        named = None if found is None else found.named(reference)
        size = None if named is None else self.blob_size(repository, named[0])
        if named is None or size is None or size > MANIFEST_MAX:
            return None
        body = self.open_blob(repository, named[0], 0, size)
        return None if body is None else OpenManifest(*named, body)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Whether the repository has it, whole."""
        found = self._open(repository)
        return found is not None and found.named(digest) is not None and self._whole(repository, digest) is not None

    def put_manifest(self, repository: str, manifest: StoredManifest, tags: "Sequence[str]") -> None:
        """Keep a manifest and let these tags name it; seen by everybody with the rename of `index.json`."""
        with local_errors(self.root):
            self._make(repository)
        found = self._open(repository)
        if found is None:
            raise LocalIOError(f"{self.root / folder_name(repository)} went away")
        descriptor = parse_manifest(manifest.raw, manifest.media_type).descriptor(manifest.digest.algorithm)
        writer = self.new_blob()
        try:
            writer.write(manifest.raw)
            # File and entry under one lock: a delete of the same manifest comes before both or after both.
            with found.lock:
                writer.commit(repository, manifest.digest)
                found.put(descriptor, tags)
        finally:
            writer.discard()

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Take a manifest and every tag that names it out of the repository; False when it was not there."""
        found = self._open(repository)
        if found is None:
            return False
        with found.lock:
            if found.media_type(digest) is None:
                return False
            done = found.remove(digest)
            return self._unlink(repository, digest) or done

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Forget one tag, keep its manifest; False when there is no such tag."""
        found = self._open(repository)
        return found is not None and found.untag(tag)

    def tags(self, repository: str) -> dict[str, Digest]:
        """Every tag and the digest it names."""
        found = self._open(repository)
        return {} if found is None else found.tags()

    def manifests(self, repository: str) -> list[Digest]:
        """Digests of every manifest in the repository."""
        found = self._open(repository)
        return [] if found is None else found.manifests()

    def referrers(self, repository: str, subject: Digest, after: str = "") -> "Iterator[StoredManifest]":
        """The manifests whose `subject` has this digest, sorted by digest, each read when it is asked for."""
        found = self._open(repository)
        for digest in [] if found is None else found.referring(subject):
            stored = self.manifest(repository, digest) if str(digest) > after else None
            if stored is not None:
                yield stored

    def close(self) -> None:
        """Let others serve the folder."""
        if not self._closed:
            self._closed = True
            with local_errors(self.root):
                self._clean()
            self._served.close()

    def temporary(self) -> Path:
        """A new path below `_uploads`."""
        return self._uploads / secrets.token_hex(16)

    def write(self, path: Path, data: bytes) -> None:
        """Write a small file whole or not at all; until then it is below `_uploads`."""
        replace_file(path, [data], aside=self._uploads)

    def keep(self, temporary: Path, repository: str, digest: Digest) -> None:
        """Make a synced file a blob of the repository; the temporary name goes.

        Raises:
            OSError: it cannot be.
        """
        self._make(repository)
        pooled, final = self._pool / digest.algorithm / digest.encoded, self._path(repository, digest)
        for path in (pooled, final):
            if is_linked(self.root, path.parent):
                raise OSError(errno.ELOOP, "a symbolic link is in the way")
        self._heal(temporary, digest, pooled, final)
        with self._linking:
            try:
                self._link(temporary, pooled)
                self._link(pooled, final)
            except OSError:
                # A place without hard links, or a file that has as many as there may be: one of its own.
                temporary.replace(final)
                self._remember(digest, final.lstat())
                return
        self._remember(digest, final.lstat())
        temporary.unlink()

    def _whole(self, repository: str, digest: Digest) -> os.stat_result | None:
        """The status of a blob's file, whose bytes were checked; None when it is not there, or not so any more."""
        path = self._path(repository, digest)
        if is_linked(self.root, path):
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

    def _remember(self, digest: Digest, status: os.stat_result) -> None:
        with self._lock:
            if len(self._checked) >= _CHECKED:
                self._checked.clear()
            self._checked.add((digest, *_stamp(status)))

    def _set_aside(self, path: Path) -> None:
        folder = self.root / _DAMAGED
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            path.rename(folder / f"{path.name}-{secrets.token_hex(4)}")

    def _heal(self, good: Path, digest: Digest, pooled: Path, final: Path) -> None:
        """Set aside what has this digest's name and other bytes; who shared the pool's file gets the good one."""
        if os.path.lexists(pooled) and not _same(good, pooled):
            damaged = pooled.lstat().st_ino
            self._set_aside(pooled)
            for name in self.repositories():
                path = self._path(name, digest)
                with suppress(OSError):
                    if not is_linked(self.root, path) and path.lstat().st_ino == damaged:
                        path.unlink()
                        os.link(good, path)
        if os.path.lexists(final) and not _same(good, final):
            self._set_aside(final)

    def _claim(self) -> None:
        if not (self.root / MARKER).exists():
            names = sorted(path.name for path in self.root.iterdir() if not path.name.startswith(TEMPORARY))
            if set(names) - {_POOL, _UPLOADS}:
                raise NotARegistryError(
                    f"{self.root} is neither empty nor a registry: it holds {names[0]!r}",
                    hint="choose a new folder",
                )
        for folder in (self._uploads, *(self._pool / algorithm for algorithm in ALGORITHMS)):
            if is_linked(self.root, folder):
                raise NotARegistryError(f"{folder} is a symbolic link", hint="choose a new folder")
            folder.mkdir(parents=True, exist_ok=True)
        if not (self.root / MARKER).exists():
            self.write(self.root / MARKER, b'{"version":1}\n')

    def _clean(self) -> None:
        for entry in os.scandir(self._uploads):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()
        for algorithm in ALGORITHMS:
            for entry in os.scandir(self._pool / algorithm):
                if os.lstat(entry.path).st_nlink == 1:  # an entry's own status has no count on every platform
                    Path(entry.path).unlink()

    def _path(self, repository: str, digest: Digest) -> Path:
        return self.root / folder_name(repository) / "blobs" / digest.algorithm / digest.encoded

    def _open(self, repository: str) -> "LayoutRepository | None":
        with self._lock:
            found = self._repositories.get(repository)
            if found is None and self.has_repository(repository):
                found = self._repositories[repository] = LayoutRepository(
                    self.root / folder_name(repository), self._uploads
                )
            return found

    def _make(self, repository: str) -> None:
        if self.has_repository(repository):
            return
        # Made aside and moved into place whole, so that no reader sees half a layout. The first writer wins.
        aside = self.temporary()
        for algorithm in ALGORITHMS:
            (aside / "blobs" / algorithm).mkdir(parents=True)
        self.write(aside / "index.json", LayoutIndex.empty().encode())
        self.write(aside / LAYOUT_MARKER, layout_marker())
        sync_folder(aside / "blobs")  # the folder itself is on the disk with its last file
        try:
            aside.rename(self.root / folder_name(repository))
            sync_folder(self.root)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            if not self.has_repository(repository):
                raise

    def _unlink(self, repository: str, digest: Digest) -> bool:
        pooled, path = self._pool / digest.algorithm / digest.encoded, self._path(repository, digest)
        if is_linked(self.root, path.parent):
            return False
        with local_errors(self.root), self._linking:
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            with suppress(FileNotFoundError):
                if pooled.stat().st_nlink == 1:
                    pooled.unlink()
        return True

    def _link(self, source: Path, target: Path) -> None:
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


class _Writer:
    """A file below `_uploads`, made with its first byte."""

    def __init__(self, storage: DiskStorage) -> None:
        self._storage, self._path = storage, storage.temporary()
        self._descriptor, self._size = -1, 0
        self._made = False

    @property
    def size(self) -> int:
        return self._size

    def rest(self) -> None:
        if self._descriptor >= 0:
            self._close()

    def write(self, data: "Buffer") -> None:
        with local_errors(self._path):
            descriptor = self._open()
            try:
                write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, self._size)  # the client may go on from the last whole piece
                raise
            self._size += len(data)

    def read_back(self) -> "Iterator[bytes]":
        if self._made:
            with local_errors(self._path), closing(ReadableFile(self._path)) as file:
                yield from file.chunks(_PIECE)

    def hand_out(self) -> "ResponseBody":
        self.rest()
        with local_errors(self._path):
            body = FileBody(ReadableFile(self._path), 0, self._size)
        self.discard()  # what is open stays readable; where it does not, the file goes with the next start
        return body

    def commit(self, repository: str, digest: Digest) -> None:
        with local_errors(self._path):
            descriptor = self._open()
            if os.fstat(descriptor).st_size != self._size:
                raise OSError(errno.EIO, "file is not as long as what was written to it")
            os.fsync(descriptor)
            self._close()
            self._storage.keep(self._path, repository, digest)

    def discard(self) -> None:
        self.rest()
        with suppress(OSError):
            self._path.unlink()

    def _open(self) -> int:
        if self._descriptor < 0:
            flags = os.O_RDWR | os.O_APPEND | (0 if self._made else os.O_CREAT | os.O_EXCL)
            self._descriptor = open_file(self._path, flags, 0o644)
            self._made = True
        return self._descriptor

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


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


def _is_regular(path: str) -> bool:
    """Whether there is a regular file; one that a link leads to is none."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


@lru_cache(maxsize=_CHECKED)
def _repository_name(folder: str) -> str | None:
    try:
        return check_repository(folder.replace("+", "/"))
    except InvalidReferenceError:
        return None
