"""The protocols of places that hold content: a memory store, an OCI image layout, a repository in a registry.

Five verbs (resolve, exists, fetch, push, tag) are enough for push, pull and copy to be one function, `copy.copy`.
What only some places can do has a protocol of one method each, asked for with `isinstance`.

Rules that every implementation keeps, and the contract suite proves:

* `fetch` verifies while it is read: a caller that exhausts the iterator has the bytes of the descriptor, or an error.
* `push` verifies too, stores nothing when it fails, and does nothing when the content is there already.
* Everything may be called from several threads at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from wasm2oci.errors import NotFoundError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name

__all__ = [
    "BlobFinder",
    "ChildMissingError",
    "Content",
    "ContentNotFoundError",
    "Deleter",
    "Distant",
    "EarlyTaker",
    "ManifestOpener",
    "Mounter",
    "Neighbour",
    "ReadTarget",
    "ReferrerLister",
    "Resumer",
    "TagLister",
    "Target",
    "UnlistedReferrerError",
    "open_manifest",
]


class ContentNotFoundError(NotFoundError):
    """A tag, manifest or blob is not in the registry or layout."""


class ChildMissingError(RegistryError):
    """A target refused a manifest because a blob or manifest that it names is missing; `copy` then pushes that again.

    Spec: distribution-spec, Error Codes, MANIFEST_BLOB_UNKNOWN.
    """


class UnlistedReferrerError(RegistryError):
    """A manifest with a subject is stored, but the registry does not list it among the subject's referrers."""


class Content(Protocol):
    """Bytes that can be read from the start any number of times, in chunks of any size.

    Iterating may raise `IntegrityError` (bytes are not what the descriptor says) and whatever the place raises.
    """

    def __iter__(self) -> Iterator[bytes]:
        """A fresh pass from the first byte."""
        ...


class ReadTarget(Protocol):
    """A place that content can be read from."""

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor of the manifest that a tag or a digest names here; a digest may be given as text.

        Raises:
            NotFoundError: no artifact has this name.
        """
        ...

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the content of this descriptor is here, whole."""
        ...

    def fetch(self, descriptor: Descriptor) -> Content:
        """The content of this descriptor; nothing is opened before it is iterated.

        Raises (when iterated):
            NotFoundError: it is not here.
            IntegrityError: the bytes are not those of the descriptor.
        """
        ...


class Target(ReadTarget, Protocol):
    """A place that content can be read from and written to."""

    def push(self, descriptor: Descriptor, content: Content, *, tag: str | None = None) -> None:
        """Store the content of this descriptor.

        Args:
            descriptor: what the bytes are; a manifest goes where manifests live.
            content: the bytes; iterated once, and again when a broken transfer has to be repeated.
            tag: for a manifest, name it so in the same step.

        Raises:
            IntegrityError: the bytes are not those of the descriptor; nothing was stored.
        """
        ...

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Name a manifest that is here already.

        Raises:
            NotFoundError: it is not here.
        """
        ...


@runtime_checkable
class ManifestOpener(Protocol):
    """A place that can resolve a name and read the manifest in one exchange."""

    def open_manifest(self, name: Name) -> Descriptor:
        """What `resolve` gives; the next `fetch` of that manifest asks for nothing.

        Raises:
            NotFoundError: no artifact has this name.
            IntegrityError: the bytes are not what the digest says.
        """
        ...


def open_manifest(place: ReadTarget, name: Name) -> Descriptor:
    """The descriptor of a manifest that is about to be read, in the fewest exchanges. See `ReadTarget.resolve`."""
    return place.open_manifest(name) if isinstance(place, ManifestOpener) else place.resolve(name)


@runtime_checkable
class Distant(Protocol):
    """A place where each question is a round trip on a network."""

    def prepare(self, connections: int) -> None:
        """So many exchanges are about to go on at once: begin to open connections for them."""
        ...

    def authorize(self) -> None:
        """Find out how the place wants to be authorized, and do it, before there is anything to ask.

        Raises:
            AccessError: the credentials are refused.
            RegistryError: the place cannot be reached.
        """
        ...

    def takes_unasked(self, descriptor: Descriptor) -> bool:
        """Whether sending this content costs no more than asking whether it is there."""
        ...


@runtime_checkable
class Mounter(Protocol):
    """A target that can take a blob from a neighbour on the same registry without a transfer."""

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Take the blob from `source` (another target); False when that cannot be done and bytes must flow."""
        ...


@runtime_checkable
class Neighbour(Protocol):
    """A target that knows from which places it can take blobs without a transfer."""

    def is_beside(self, source: object) -> bool:
        """Whether a mount from `source` (another target) is likely to succeed, so that nothing has to be read there."""
        ...


@runtime_checkable
class EarlyTaker(Protocol):
    """A target that can begin to take a large blob before its digest is known."""

    def send_ahead(self, content: Content, size: int) -> None:
        """Begin to take this content; a `push` of as many bytes ends it, or starts again when nothing came of it.

        Args:
            content: the bytes, readable any number of times.
            size: how many there are.
        """
        ...


@runtime_checkable
class Resumer(Protocol):
    """A place that can give out the rest of a blob whose beginning is known."""

    def fetch_rest(self, descriptor: Descriptor, start: int) -> Content:
        """The bytes of a blob from `start` on, not verified: the caller, who has the beginning, verifies the whole.

        Raises (when iterated):
            NotFoundError: it is not here.
            RegistryError: the place or the network failed, and further tries failed too.
        """
        ...


@runtime_checkable
class ReferrerLister(Protocol):
    """A target that knows which manifests have a given subject."""

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> Iterable[Descriptor]:
        """Descriptors of the manifests whose subject this is, with artifact type and annotations."""
        ...


@runtime_checkable
class ReferrerReader(Protocol):
    """A target that lists a referrer sooner when it may look beforehand."""

    def read_ahead(self, subject: Descriptor) -> None:
        """Look up what listing a referrer of this manifest takes; it is about to be pushed."""
        ...


@runtime_checkable
class BlobFinder(Protocol):
    """A place that says how large a blob is whose digest alone is known."""

    def find_blob(self, digest: Digest) -> Descriptor:
        """The blob of this digest, of no media type in particular.

        Raises:
            NotFoundError: it is not here.
        """
        ...


@runtime_checkable
class TagLister(Protocol):
    """A target that can list its tags."""

    def tags(self) -> Iterable[str]:
        """Every tag, in the order of the place."""
        ...


@runtime_checkable
class Deleter(Protocol):
    """A target that content can be removed from."""

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a manifest (with all its tags) or a blob.

        Raises:
            NotFoundError: it is not here.
        """
        ...

    def untag(self, tag: str) -> None:
        """Remove one tag and nothing else.

        Raises:
            NotFoundError: there is no such tag.
            UnsupportedError: the place cannot remove a tag alone.
        """
        ...
