"""OCI image layouts: a folder that holds content by digest and names manifests in `index.json`.

The rules:

* A layout may come from a stranger. Paths are made of checked digests only, sizes are compared before bytes are read,
  symbolic links below the folder and what is not a regular file are refused, and all content is verified. A blob that
  is damaged is not there, so that it is written again.
* Blobs are written whole or not at all, and `index.json` is changed under a lock on the folder itself (so that no
  lock file is left in it), from what it says at that moment, keeping all that other tools wrote there.
* A manifest without a tag is listed too, so that everything can be found from `index.json`; when an index that
  contains it arrives, the line goes.

Spec: image-spec, image-layout.md; annotations.md (`org.opencontainers.image.ref.name`).
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from wasm2oci.base.files import TEMPORARY, is_linked, local_errors, make_folder, replace_file
from wasm2oci.base.folders import FolderLock
from wasm2oci.base.probe import exists, is_file
from wasm2oci.content.graph import read_manifest
from wasm2oci.content.layout_reader import InvalidLayoutError, LayoutReader, check_marker
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import (
    BytesContent,
    FileContent,
    SizeMismatchError,
    VerifiedContent,
    read_all,
    verified,
)
from wasm2oci.errors import IntegrityError, LocalIOError, NotFoundError
from wasm2oci.oci.layout_index import LAYOUT_MARKER, LayoutIndex, layout_marker
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import LAYOUT_PREFIX, check_tag
from wasm2oci.oci.wire import MANIFEST_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest

__all__ = ["InvalidLayoutError", "OciLayout"]


class OciLayout(LayoutReader):
    """An OCI image layout that exists.

    Args:
        folder: where `oci-layout`, `index.json` and `blobs/` are.

    Raises:
        NotFoundError: there is no such folder.
        InvalidLayoutError: it is not an image layout, or one of a version that is not 1.0.0.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._whole: set[tuple[Digest, int, int]] = set()
        self._refers: dict[Digest, bool] = {}
        # A copy of thousands of manifests changes it with each of them, and mostly no other process does meanwhile.
        self._edited = b"", LayoutIndex.empty()
        check_marker(_read_small(folder / LAYOUT_MARKER, f"{folder} is not an OCI image layout"), folder)

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Open a layout for writing; a folder that is absent or empty becomes one.

        Raises:
            InvalidLayoutError: the folder holds something else.
            LocalIOError: it cannot be made.
        """
        if is_file(folder):
            raise LocalIOError(f"{folder} is a file", hint=f"an image layout in one file is oci-archive:{folder}")
        if not exists(folder / LAYOUT_MARKER):
            make_folder(folder)
            with local_errors(folder):
                names = [entry.name for entry in os.scandir(folder)]
            # Another process may be making the same layout right now.
            ours = {"blobs", "index.json", LAYOUT_MARKER}
            strangers = [name for name in names if name not in ours and not name.startswith(TEMPORARY)]
            if strangers:
                raise InvalidLayoutError(
                    f"{folder} is neither empty nor an OCI image layout", hint=f"it holds {strangers[0]!r}"
                )
            with _locked(folder):
                if not (folder / "index.json").exists():
                    replace_file(folder / "index.json", [LayoutIndex.empty().encode()])
                replace_file(folder / LAYOUT_MARKER, [layout_marker()])
        return cls(folder)

    def __str__(self) -> str:
        return f"{LAYOUT_PREFIX}{self.folder}"

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the blob of this digest and size is here, and whole; see `ReadTarget.exists`."""
        path = self._path(descriptor.digest)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != descriptor.size:
                return False
            stamp = (descriptor.digest, status.st_ino, status.st_mtime_ns)
            if stamp in self._whole:
                return True
            for _ in self.fetch(descriptor):
                pass
        except (FileNotFoundError, NotADirectoryError, IntegrityError, NotFoundError):
            return False
        except OSError as error:
            raise LocalIOError(f"{path}: {error.strerror}") from error
        self._whole.add(stamp)
        return True

    def fetch(self, descriptor: Descriptor) -> Content:
        """Verified content; see `ReadTarget.fetch`."""
        return VerifiedContent(descriptor, _BlobFile(self, self._path(descriptor.digest), descriptor))

    def push(self, descriptor: Descriptor, content: Content, *, tag: str | None = None) -> None:
        """Store a blob or a manifest; see `Target.push`."""
        if tag is not None:
            check_tag(tag)
        if not descriptor.is_manifest:
            if not self.exists(descriptor):
                self._write(descriptor, content)
            return
        # The manifest is needed to keep index.json tidy, so it is read even when it is here already.
        raw = read_all(content, descriptor, MANIFEST_MAX)
        document = parse_manifest(raw, descriptor.media_type)
        if not self.exists(descriptor):
            self._write(descriptor, BytesContent(raw))
        children = {child.digest: child for child in document.children}  # each once: an index may name it 20,000 times
        contained = {child.digest for child in children.values() if not self._has_subject(child)}
        with self._editing() as index:
            index.put(descriptor, () if tag is None else (tag,), contained)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Name a manifest that is here; see `Target.tag`."""
        check_tag(tag)
        if not self.exists(descriptor):
            raise ContentNotFoundError(f"{self} has no manifest {descriptor.digest}")
        with self._editing() as index:
            index.put(descriptor, (tag,))

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a manifest with its names, or a blob; see `Deleter`. Blobs that it named stay."""
        if descriptor.is_manifest:
            with self._editing() as index:
                index.remove(descriptor.digest)
        path = self._path(descriptor.digest)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise ContentNotFoundError(f"{self} has no {descriptor.digest}") from error
        except OSError as error:
            raise LocalIOError(f"{path}: {error.strerror}") from error

    def untag(self, tag: str) -> None:
        """Take a name from its manifest, which stays listed; see `Deleter`."""
        with self._editing() as index:
            if not index.untag(tag):
                raise ContentNotFoundError(f"{self} has no tag {tag}")

    def _path(self, digest: Digest) -> Path:
        # A Digest is an algorithm we know and its hex: no other path can come of it.
        path = self.folder / "blobs" / digest.algorithm / digest.encoded
        with local_errors(path):
            if is_linked(self.folder, path.parent):
                raise InvalidLayoutError(f"{self} has a symbolic link on the way to {digest}")
        return path

    def _size(self, digest: Digest) -> int | None:
        try:
            return self._path(digest).stat().st_size
        except OSError:
            return None

    def _read_index(self) -> bytes:
        return _read_small(self.folder / "index.json", f"{self} lacks its index.json")

    def _has_subject(self, child: Descriptor) -> bool:
        # What refers to a manifest is found through index.json only, so its line there has to stay.
        if not child.is_manifest or not self.exists(child):
            return False
        if child.digest not in self._refers:  # many indexes may have the same child
            self._refers[child.digest] = read_manifest(self, child).subject is not None
        return self._refers[child.digest]

    def _write(self, descriptor: Descriptor, content: Content) -> None:
        path = self._path(descriptor.digest)
        make_folder(path.parent)
        replace_file(path, verified(content, descriptor))
        self._referring.clear()  # a manifest that was damaged is here now

    @contextmanager
    def _editing(self) -> Iterator[LayoutIndex]:
        """The index of the layout, to be changed; written back if it was."""
        with _locked(self.folder):
            before = self._read_index()
            known, index = self._edited
            index = index.copy() if known == before else LayoutIndex.decode(before, strict=True)
            yield index
            after = index.encode()
            if after != before:
                replace_file(self.folder / "index.json", [after])
            self._edited = after, index


class _BlobFile(FileContent):
    """The file of a blob; a size that is already wrong is an error before the first byte."""

    __slots__ = ("_descriptor", "_layout")

    def __init__(self, layout: OciLayout, path: Path, descriptor: Descriptor) -> None:
        super().__init__(path)
        self._layout = layout
        self._descriptor = descriptor

    def __iter__(self) -> Iterator[bytes]:
        digest = self._descriptor.digest
        try:
            status = self._path.lstat()
            if stat.S_ISLNK(status.st_mode):
                raise InvalidLayoutError(f"{self._layout} has a symbolic link in the place of {digest}")
            size = status.st_size
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ContentNotFoundError(f"{self._layout} has no {digest}") from error
        except OSError as error:
            raise LocalIOError(f"{self._path}: {error.strerror}") from error
        if size != self._descriptor.size:
            raise SizeMismatchError(f"{digest} is {size:,} bytes here, not {self._descriptor.size:,}")
        yield from super().__iter__()


def _read_small(path: Path, absent: str) -> bytes:
    raw = bytearray()
    if path.is_symlink():
        raise InvalidLayoutError(f"{path} is a symbolic link")
    try:
        for chunk in FileContent(path):
            raw += chunk
            if len(raw) > MANIFEST_MAX:
                raise InvalidLayoutError(f"{path} is larger than {MANIFEST_MAX:,} bytes")
    except NotFoundError as error:
        if not path.parent.is_dir():
            raise ContentNotFoundError(f"no such folder: {path.parent}") from error
        raise InvalidLayoutError(absent) from error
    except LocalIOError as error:
        if isinstance(error.__cause__, NotADirectoryError):
            raise InvalidLayoutError(f"{path.parent} is not a folder, and so no OCI image layout") from error
        raise
    return bytes(raw)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other threads and processes from changing `index.json` meanwhile."""
    with local_errors(folder):
        lock = FolderLock(folder)
    with lock:
        yield
