"""Storage in memory: for tests, and for a registry that is to leave nothing behind."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.server.messages import BytesBody
from wasm2oci.server.storage import OpenManifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.oci.reference import Name
    from wasm2oci.server.messages import Buffer, ResponseBody
    from wasm2oci.server.storage import StoredManifest

__all__ = ["MemoryStorage"]


@dataclass(slots=True)
class _Repository:
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    manifests: dict[Digest, StoredManifest] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    subjects: dict[Digest, Digest] = field(default_factory=dict)


class _Writer:
    def __init__(self, storage: MemoryStorage) -> None:
        self._storage, self._data = storage, bytearray()

    @property
    def size(self) -> int:
        return len(self._data)

    def write(self, data: Buffer) -> None:
        self._data += data

    def rest(self) -> None:
        """Nothing is open."""

    def read_back(self) -> Iterator[bytes]:
        yield bytes(self._data)

    def hand_out(self) -> ResponseBody:
        return BytesBody(bytes(self._data))

    def commit(self, repository: str, digest: Digest) -> None:
        self._storage.add_blob(repository, digest, bytes(self._data))
        self._data = bytearray()

    def discard(self) -> None:
        self._data = bytearray()


class MemoryStorage:
    """Everything in dictionaries under one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._repositories: dict[str, _Repository] = {}

    def repositories(self) -> list[str]:
        """Names of all repositories, sorted."""
        with self._lock:
            return sorted(self._repositories)

    def has_repository(self, repository: str) -> bool:
        """Whether it exists."""
        with self._lock:
            return repository in self._repositories

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Bytes of a blob, or None when the repository does not have it."""
        data = self._blob(repository, digest)
        return None if data is None else len(data)

    def open_blob(self, repository: str, digest: Digest, start: int, length: int) -> ResponseBody | None:
        """A part of a blob to be sent, or None when it is not there."""
        data = self._blob(repository, digest)
        return None if data is None else BytesBody(data[start : start + length])

    def new_blob(self) -> _Writer:
        """A place to write bytes to."""
        return _Writer(self)

    def add_blob(self, repository: str, digest: Digest, data: bytes) -> None:
        """Keep these bytes, whose digest this is."""
        with self._lock:
            self._at(repository).blobs[digest] = data

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Make the blob of one repository one of another; False when the source lacks it."""
        data = self._blob(source, digest)
        if data is not None:
            self.add_blob(repository, digest, data)
        return data is not None

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of the repository; False when it was not there."""
        with self._lock:
            found = self._repositories.get(repository)
            return found is not None and found.blobs.pop(digest, None) is not None

    def manifest(self, repository: str, reference: Name) -> StoredManifest | None:
        """The manifest that a digest or a tag names, or None."""
        with self._lock:
            found = self._repositories.get(repository)
            if found is None:
                return None
            digest = reference if isinstance(reference, Digest) else found.tags.get(reference)
            return None if digest is None else found.manifests.get(digest)

    def open_manifest(self, repository: str, reference: Name) -> OpenManifest | None:
        """The manifest that a digest or a tag names, to be sent, or None."""
        found = self.manifest(repository, reference)
        return None if found is None else OpenManifest(found.digest, found.media_type, BytesBody(found.raw))

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Whether the repository has it."""
        return self.manifest(repository, digest) is not None

    def put_manifest(self, repository: str, manifest: StoredManifest, tags: Sequence[str]) -> None:
        """Keep a manifest and let these tags name it."""
        subject = parse_manifest(manifest.raw, manifest.media_type).subject
        with self._lock:
            found = self._at(repository)
            found.manifests[manifest.digest] = manifest
            found.tags.update(dict.fromkeys(tags, manifest.digest))
            if subject is not None:
                found.subjects[manifest.digest] = subject.digest

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Take a manifest and every tag that names it out of the repository; False when it was not there."""
        with self._lock:
            found = self._repositories.get(repository)
            if found is None or found.manifests.pop(digest, None) is None:
                return False
            found.subjects.pop(digest, None)
            for tag in [tag for tag, named in found.tags.items() if named == digest]:
                del found.tags[tag]
            return True

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Forget one tag, keep its manifest; False when there is no such tag."""
        with self._lock:
            found = self._repositories.get(repository)
            return found is not None and found.tags.pop(tag, None) is not None

    def tags(self, repository: str) -> dict[str, Digest]:
        """Every tag and the digest it names."""
        with self._lock:
            found = self._repositories.get(repository)
            return {} if found is None else dict(found.tags)

    def manifests(self, repository: str) -> list[Digest]:
        """Digests of every manifest in the repository."""
        with self._lock:
            found = self._repositories.get(repository)
            return [] if found is None else sorted(found.manifests)

    def referrers(self, repository: str, subject: Digest, after: str = "") -> Iterator[StoredManifest]:
        """The manifests whose `subject` has this digest, sorted by digest."""
        with self._lock:
            found = self._repositories.get(repository)
            about = {} if found is None else found.subjects
            referring = sorted(digest for digest, named in about.items() if named == subject and str(digest) > after)
            return iter([] if found is None else [found.manifests[digest] for digest in referring])

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._repositories.clear()

    def _blob(self, repository: str, digest: Digest) -> bytes | None:
        with self._lock:
            found = self._repositories.get(repository)
            return None if found is None else found.blobs.get(digest)

    def _at(self, repository: str) -> _Repository:
        return self._repositories.setdefault(repository, _Repository())
