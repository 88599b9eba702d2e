"""What the registry needs of a place that keeps content, and the values that pass between them.

Two implementations pass one contract suite: memory (for tests) and disk (OCI image layouts). Rules:

* everything may be called from several threads at once;
* a repository exists from its first manifest or blob on;
* a blob or manifest is there whole or not at all, whatever happens in between;
* digests, names and tags come in as checked values, so none of them can step out of its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.server.messages import Buffer, ResponseBody

__all__ = ["BlobWriter", "OpenManifest", "Storage", "StoredManifest"]


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest or an index: the bytes exactly as pushed, their digest, and the type they were pushed as."""

    digest: Digest
    media_type: str
    raw: bytes = field(repr=False)


class OpenManifest(NamedTuple):
    """A manifest to be sent: its digest, the type it was pushed as, and its bytes. The body has to be closed."""

    digest: Digest
    media_type: str
    body: ResponseBody


class BlobWriter(Protocol):
    """Bytes on their way to become a blob. Used by one thread at a time."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    def write(self, data: Buffer) -> None:
        """Append bytes.

        Raises:
            LocalIOError: the place is full or refuses.
        """
        ...

    def rest(self) -> None:
        """Hold nothing open until the next bytes come: thousands of uploads may be waiting at once."""
        ...

    def read_back(self) -> Iterator[bytes]:
        """What was written so far, from the first byte on (to hash it by another algorithm)."""
        ...

    def hand_out(self) -> ResponseBody:
        """What was written, to be sent once; nothing is left of it when the body is closed, and the writer is done."""
        ...

    def commit(self, repository: str, digest: Digest) -> None:
        """Make these bytes, whose digest this is, a blob of the repository; the writer is done."""
        ...

    def discard(self) -> None:
        """Forget the bytes; nothing is left of them. Does nothing after `commit`."""
        ...


class Storage(Protocol):
    """A place that keeps repositories."""

    def repositories(self) -> list[str]:
        """Names of all repositories, sorted."""
        ...

    def has_repository(self, repository: str) -> bool:
        """Whether it exists."""
        ...

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Bytes of a blob, or None when the repository does not have it. Manifests are not blobs."""
        ...

    def open_blob(self, repository: str, digest: Digest, start: int, length: int) -> ResponseBody | None:
        """A part of a blob to be sent, or None when it is not there (any more)."""
        ...

    def new_blob(self) -> BlobWriter:
        """A place to write bytes to."""
        ...

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Make the blob of one repository one of another without copying; False when the source lacks it."""
        ...

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        """Take a blob out of the repository; False when it was not there."""
        ...

    def manifest(self, repository: str, reference: Name) -> StoredManifest | None:
        """The manifest that a digest or a tag names, or None."""
        ...

    def open_manifest(self, repository: str, reference: Name) -> OpenManifest | None:
        """The manifest that a digest or a tag names, to be sent without being in memory as a whole; or None."""
        ...

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Whether `manifest` would find it; many are asked for at once, so no bytes are read again for it."""
        ...

    def put_manifest(self, repository: str, manifest: StoredManifest, tags: Sequence[str]) -> None:
        """Keep a manifest and let these tags name it, in one step that happens whole or not at all."""
        ...

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Take a manifest and every tag that names it out of the repository; False when it was not there."""
        ...

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Forget one tag, keep its manifest; False when there is no such tag."""
        ...

    def tags(self, repository: str) -> dict[str, Digest]:
        """Every tag and the digest it names; empty for a repository that does not exist."""
        ...

    def manifests(self, repository: str) -> list[Digest]:
        """Digests of every manifest in the repository."""
        ...

    def referrers(self, repository: str, subject: Digest, after: str = "") -> Iterator[StoredManifest]:
        """The manifests whose `subject` has this digest, sorted by digest, each read when it is asked for.

        Args:
            repository: its name.
            subject: what they are about.
            after: only those whose digest, as text, is greater.
        """
        ...

    def close(self) -> None:
        """Let go of everything; nothing may be called afterwards."""
        ...
