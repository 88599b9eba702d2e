"""Storage on disk: every repository is an OCI image layout, and equal blobs are one file.

    ROOT/wasm2oci-registry.json      marks the folder as ours
    ROOT/org+hello/                  repository org/hello: oci-layout, index.json, blobs/<algorithm>/<hex>
    ROOT/_blobs/<algorithm>/<hex>    a hard link to every blob, which a push of known bytes links to
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

from __future__ import annotations

import os
import secrets
import shutil
import stat
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import TEMPORARY, is_linked, local_errors, replace_file, sync_folder
from wasm2oci.base.folders import FolderLock
from wasm2oci.errors import InvalidInputError, LocalIOError
from wasm2oci.oci.digest import ALGORITHMS
from wasm2oci.oci.layout_index import LAYOUT_MARKER, LayoutIndex, layout_marker
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import InvalidReferenceError, check_repository
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.server.blob_files import POOL, BlobFiles, folder_name
from wasm2oci.server.blob_writer import FileWriter
from wasm2oci.server.layout_repository import LayoutRepository
from wasm2oci.server.messages import FileBody
from wasm2oci.server.storage import OpenManifest, StoredManifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.server.messages import ResponseBody

__all__ = ["DiskStorage", "NotARegistryError", "RegistryInUseError"]

MARKER: Final = "wasm2oci-registry.json"
_UPLOADS: Final = "_uploads"
_NAMES: Final = 65_536
"""Names of folders that are remembered to be those of repositories."""


class NotARegistryError(InvalidInputError):
    """The folder contains something other than a registry."""


class RegistryInUseError(LocalIOError):
    """Another process serves this folder."""


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
        self._uploads = root / _UPLOADS
        self._blobs = BlobFiles(root, self.repositories)
        self._repositories: dict[str, LayoutRepository] = {}
        self._closed = False
        self._lock = threading.Lock()
        with local_errors(root):
            try:
                root.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise NotARegistryError(f"{root} is a file", hint="choose a folder") from error
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
        status = self._blobs.whole(repository, digest)
        return None if status is None else status.st_size

    def open_blob(self, repository: str, digest: Digest, start: int, length: int) -> ResponseBody | None:
        """A part of a blob to be sent, or None when it is not there whole."""
        file = self._blobs.open(repository, digest)
        return None if file is None else FileBody(file, start, length)

    def new_blob(self) -> FileWriter:
        """A place to write bytes to."""
        return FileWriter(self._temporary(), self._keep)

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Link the blob of one repository into another; False when the source lacks it."""
        if self._blobs.whole(source, digest) is None:
            return False
        with local_errors(self.root):
            self._make(repository)
            try:
                self._blobs.mount(repository, digest, source)
            except OSError:
                return False  # the client sends the bytes then
        return True

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of the repository; False when it was not there, or is a manifest."""
        found = self._open(repository)
        if found is None or found.media_type(digest) is not None:
            return False
        return self._blobs.remove(repository, digest)

    def manifest(self, repository: str, reference: Name) -> StoredManifest | None:
        """The manifest that a digest or a tag names, or None."""
        found = self._open(repository)
        named = None if found is None else found.named(reference)
        if found is None or named is None:
            return None
        raw = found.read(named[0])
        return None if raw is None else StoredManifest(*named, raw)

    def open_manifest(self, repository: str, reference: Name) -> OpenManifest | None:
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
        named = found is not None and found.named(digest) is not None
        return named and self._blobs.whole(repository, digest) is not None

    def put_manifest(self, repository: str, manifest: StoredManifest, tags: Sequence[str]) -> None:
        """Keep a manifest and let these tags name it; readers see both when `index.json` is renamed."""
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
            return self._blobs.remove(repository, digest) or done

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

    def referrers(self, repository: str, subject: Digest, after: str = "") -> Iterator[StoredManifest]:
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

    def _temporary(self) -> Path:
        return self._uploads / secrets.token_hex(16)

    def _write(self, path: Path, data: bytes) -> None:
        replace_file(path, [data], aside=self._uploads)

    def _keep(self, temporary: Path, repository: str, digest: Digest) -> None:
        self._make(repository)
        self._blobs.keep(temporary, repository, digest)

    def _claim(self) -> None:
        if not (self.root / MARKER).exists():
            names = sorted(path.name for path in self.root.iterdir() if not path.name.startswith(TEMPORARY))
            if set(names) - {POOL, _UPLOADS}:
                raise NotARegistryError(
                    f"{self.root} is neither empty nor a registry: it holds {names[0]!r}",
                    hint="choose a new folder",
                )
        for folder in (self._uploads, *(self.root / POOL / algorithm for algorithm in ALGORITHMS)):
            if is_linked(self.root, folder):
                raise NotARegistryError(f"{folder} is a symbolic link", hint="choose a new folder")
            folder.mkdir(parents=True, exist_ok=True)
        if not (self.root / MARKER).exists():
            self._write(self.root / MARKER, b'{"version":1}\n')

    def _clean(self) -> None:
        for entry in os.scandir(self._uploads):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()
        self._blobs.remove_unused()

    def _open(self, repository: str) -> LayoutRepository | None:
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
        aside = self._temporary()
        for algorithm in ALGORITHMS:
            (aside / "blobs" / algorithm).mkdir(parents=True)
        self._write(aside / "index.json", LayoutIndex.empty().encode())
        self._write(aside / LAYOUT_MARKER, layout_marker())
        sync_folder(aside / "blobs")  # the folder itself is on the disk with its last file
        try:
            aside.rename(self.root / folder_name(repository))
            sync_folder(self.root)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            if not self.has_repository(repository):
                raise


def _is_regular(path: str) -> bool:
    """Whether there is a regular file; one that a link leads to is none."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


@lru_cache(maxsize=_NAMES)
def _repository_name(folder: str) -> str | None:
    try:
        return check_repository(folder.replace("+", "/"))
    except InvalidReferenceError:
        return None
