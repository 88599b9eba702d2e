"""One repository of the registry on disk: an image layout, its `index.json` read again whenever it changed.

Other tools may write to the layout while it is served: they lock the folder, and so does this. What the index says is
kept in memory between changes, since each answer needs it.

Spec: image-spec, image-layout.md.
"""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import ReadableFile, is_linked, local_errors, replace_file, sync_folder
from wasm2oci.base.folders import FolderLock
from wasm2oci.errors import InvalidInputError, LocalIOError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.digest import ALGORITHMS, Digest
from wasm2oci.oci.layout_index import LayoutIndex
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import InvalidReferenceError, check_tag
from wasm2oci.oci.referrers import subject_of
from wasm2oci.oci.wire import MANIFEST_MAX, NESTING_MAX
from wasm2oci.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Name

__all__ = ["LayoutRepository"]

_INDEX_MAX: Final = 256 << 20
_ENTRIES_MAX: Final = 100_000
"""Entries of an index, all of which a push reads and writes: 20 MiB. Those of other tools may be more, and stay."""
_PIECE: Final = 1 << 20


class LayoutRepository:
    """The layout. Every method may be called from several threads at once.

    Args:
        folder: of the layout.
        aside: where files lie until they are whole, on the same file system.
    """

    def __init__(self, folder: Path, aside: Path) -> None:
        self._folder, self._aside = folder, aside
        self.lock = threading.RLock()
        self._index = LayoutIndex.empty()
        self._tags: dict[str, Digest] = {}
        self._types: dict[Digest, str] = {}
        self._stamp: tuple[int, int, int] | None = None
        # What a manifest is about never changes, so this is never wrong, only incomplete.
        self._subjects: dict[Digest, Digest | None] = {}

    def tags(self) -> dict[str, Digest]:
        """Every tag, and the digest of its manifest."""
        with self.lock:
            self._refresh()
            return dict(self._tags)

    def media_type(self, digest: Digest) -> str | None:
        """The type of a manifest; None when the repository does not have it."""
        with self.lock:
            self._refresh()
            return self._types.get(digest)

    def named(self, reference: Name) -> tuple[Digest, str] | None:
        """Digest and type of the manifest that a digest or a tag names; None when the repository does not list it."""
        with self.lock:
            self._refresh()
            digest = reference if isinstance(reference, Digest) else self._tags.get(reference)
            media_type = None if digest is None else self._types.get(digest)
            return None if digest is None or media_type is None else (digest, media_type)

    def manifests(self) -> list[Digest]:
        """Every manifest, sorted."""
        with self.lock:
            self._refresh()
            return sorted(self._types)

    def referring(self, subject: Digest) -> list[Digest]:
        """The manifests whose subject this is, sorted."""
        with self.lock:
            self._refresh()
            types = dict(self._types)
        for digest, media_type in types.items():
            if digest not in self._subjects:
                raw = self.read(digest)
                self._subjects[digest] = None if raw is None else subject_of(raw, media_type)
        return sorted(digest for digest in types if self._subjects[digest] == subject)

    def read(self, digest: Digest) -> bytes | None:
        """The bytes of a manifest; None when they are not there, or are not those that the digest names."""
        path = self._folder / "blobs" / digest.algorithm / digest.encoded
        raw = None if is_linked(self._folder, path) else _read(path, MANIFEST_MAX)
        return raw if raw is not None and Digest.of(raw, digest.algorithm) == digest else None

    def put(self, descriptor: Descriptor, tags: Sequence[str]) -> None:
        """List a manifest under these tags; it is seen with the rename of `index.json`.

        Raises:
            ProblemError: there are as many entries as there may be.
        """
        with self._changing() as index:
            before = len(index)
            index.put(descriptor, tags)
            if len(index) > max(before, _ENTRIES_MAX):
                raise ProblemError("DENIED", f"a repository has {_ENTRIES_MAX:,} tags and manifests at most")
            self._types[descriptor.digest] = descriptor.media_type
            self._tags.update(dict.fromkeys(tags, descriptor.digest))

    def untag(self, tag: str) -> bool:
        """Take a tag away; False when there is none."""
        with self._changing() as index:
            self._tags.pop(tag, None)
            return index.untag(tag)

    def remove(self, digest: Digest) -> bool:
        """Take a manifest away with all its tags; False when it is not listed."""
        with self._changing() as index:
            self._tags = {tag: named for tag, named in self._tags.items() if named != digest}
            self._types.pop(digest, None)
            return index.remove(digest)

    @contextmanager
    def _changing(self) -> Iterator[LayoutIndex]:
        """The index, to be changed; what was changed is on disk afterwards."""
        with self.lock, local_errors(self._folder), FolderLock(self._folder):
            self._refresh()
            index, stamp = self._index.copy(), self._stamp
            self._stamp = None  # read again, unless all of this succeeds
            try:
                yield index
            except ProblemError:  # refused before anything was changed
                self._stamp = stamp
                raise
            if not index.equals(self._index):
                for algorithm in ALGORITHMS:
                    sync_folder(self._folder / "blobs" / algorithm)
                replace_file(self._folder / "index.json", [index.encode()], aside=self._aside)
            self._index, self._stamp = index, self._stat()

    def _refresh(self) -> None:
        try:
            stamp = self._stat()
            if stamp != self._stamp:
                raw = _read(self._folder / "index.json", _INDEX_MAX)
                if raw is None:
                    raise LocalIOError(f"index.json of {self._folder.name} is not a file, or too large")
                index = LayoutIndex.decode(raw, strict=False)
                self._tags, self._types = _contents(index, self.read)
                self._index, self._stamp = index, stamp
        except InvalidInputError as error:
            raise LocalIOError(f"index.json of {self._folder.name} is damaged: {error.message}") from error
        except OSError as error:
            raise LocalIOError(f"cannot read {self._folder.name}: {error.strerror}") from error

    def _stat(self) -> tuple[int, int, int]:
        status = (self._folder / "index.json").lstat()
        return status.st_mtime_ns, status.st_ino, status.st_size


def _read(path: Path, most: int) -> bytes | None:
    """The bytes of a regular file; None when it is not there, is something else, or has more than `most`."""
    try:
        file = ReadableFile(path, follow=False)
    except (OSError, LocalIOError):
        return None
    with closing(file):
        return b"".join(file.chunks(_PIECE)) if file.status.st_size <= most else None


def _contents(
    index: LayoutIndex, read: Callable[[Digest], bytes | None]
) -> tuple[dict[str, Digest], dict[Digest, str]]:
    """The tags of an index, and the types of its manifests.

    Members of indexes count as manifests too, whether or not they have an entry of their own, or are there at all.
    """
    tags: dict[str, Digest] = {}
    types: dict[Digest, str] = {}
    pending: list[tuple[Descriptor, int]] = []
    for descriptor, name in index.entries:
        if descriptor.is_manifest:
            if name is not None and _is_tag(name):
                tags[name] = descriptor.digest
            pending.append((descriptor, 0))
    while pending:
        descriptor, depth = pending.pop()
        if descriptor.digest in types:
            continue
        types[descriptor.digest] = descriptor.media_type
        raw = read(descriptor.digest) if descriptor.media_type in mt.INDEXES and depth <= NESTING_MAX else None
        if raw is None:
            continue
        try:
            members = parse_manifest(raw, descriptor.media_type).children
        except InvalidInputError:
            continue
        pending.extend((member, depth + 1) for member in members if member.is_manifest)
    return tags, types


def _is_tag(name: str) -> bool:
    try:
        check_tag(name)
    except InvalidReferenceError:
        return False
    return True
