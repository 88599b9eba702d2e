"""What an OCI image layout says, in a folder or in an archive: names, tags and referrers, from its `index.json`.

Spec: image-spec, image-layout.md; annotations.md (`org.opencontainers.image.ref.name`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import chain
from typing import TYPE_CHECKING, Final

from wasm2oci.content.graph import read_manifest
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import ContentTooLargeError, read_all
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.layout_index import LAYOUT_MARKER, LAYOUT_VERSION, LayoutIndex
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import parse_name
from wasm2oci.oci.referrers import fallback_tag, listed_as_referrer, of_type, subject_of
from wasm2oci.oci.wire import MANIFEST_MAX, load_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.content.target import Content
    from wasm2oci.oci.reference import Name

__all__ = ["InvalidLayoutError", "LayoutReader", "check_marker"]


_SHOWN: Final = 10


class InvalidLayoutError(InvalidInputError):
    """A folder or archive is not an OCI image layout, or its `index.json` breaks the rules."""


def check_marker(raw: bytes, place: object) -> None:
    """See that this `oci-layout` file is of a version that is understood.

    Raises:
        InvalidLayoutError: it is not.
    """
    version = load_object(raw, LAYOUT_MARKER).get("imageLayoutVersion")
    if version != LAYOUT_VERSION:
        raise InvalidLayoutError(f"{place} is an image layout of version {version!r}, not {LAYOUT_VERSION}")


class _Listing:
    """What one `index.json` says.

    Args:
        raw: its bytes.

    Attributes:
        names: its manifests by their names.
        manifests: all of them by their digests, each as it is listed first, in order.
        shown: the first names, for people.
    """

    __slots__ = ("manifests", "names", "raw", "shown")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.names: dict[str, list[Descriptor]] = {}
        self.manifests: dict[Digest, Descriptor] = {}
        entries = LayoutIndex.decode(raw, strict=True).entries
        self.shown = [entry.name or f"@{entry.descriptor.digest}" for entry in entries[:_SHOWN]]
        for descriptor, name in entries:
            self.manifests.setdefault(descriptor.digest, descriptor)
            if name is not None:
                self.names.setdefault(name, []).append(descriptor)


class LayoutReader(ABC):
    """An image layout that can be read; where its files are is up to the class below.

    `index.json` is read each time, since others may change it, and decoded when it changed. What refers to what is
    found once for each list of manifests: an artifact of thousands of manifests asks for that with each of them.
    """

    def __init__(self) -> None:
        self._known: _Listing | None = None
        self._referring: dict[Digest, dict[Digest, list[Descriptor]]] = {}

    @abstractmethod
    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the blob of this digest and size is here, and whole; see `ReadTarget.exists`."""

    @abstractmethod
    def fetch(self, descriptor: Descriptor) -> Content:
        """Verified content; see `ReadTarget.fetch`."""

    @abstractmethod
    def _read_index(self) -> bytes:
        """The bytes of `index.json`."""

    @abstractmethod
    def _size(self, digest: Digest) -> int | None:
        """Bytes of this blob, or None when it is not there."""

    def resolve(self, name: Name) -> Descriptor:
        """The manifest that a tag or a digest names; see `ReadTarget.resolve`.

        An entry whose name is a whole image name that ends in this tag is taken too, if there is just one.

        Raises:
            ContentNotFoundError: no artifact has this name; the hint says what is there.
            InvalidLayoutError: `index.json` gives this tag to two manifests.
        """
        name = parse_name(name)
        if isinstance(name, Digest):
            return self._resolve_digest(name)
        names = self._listing().names
        named = names.get(name) or [one for other in names if other.endswith(f":{name}") for one in names[other]]
        found = {descriptor.digest: descriptor for descriptor in named}
        if len(found) > 1:
            raise InvalidLayoutError(f"{self} gives the name {name} to {len(found)} manifests")
        for descriptor in found.values():
            return descriptor
        raise ContentNotFoundError(f"{self} has no tag {name}", hint=self._names())

    def sole(self) -> Descriptor:
        """The only manifest that the layout lists: what a location without tag and digest means.

        Raises:
            ContentNotFoundError: it lists none.
            InvalidLayoutError: it lists several; the hint names them.
        """
        found = self._listing().manifests
        if len(found) > 1:
            raise InvalidLayoutError(f"{self} holds {len(found)} manifests; say which", hint=self._names())
        for descriptor in found.values():
            return descriptor
        raise ContentNotFoundError(f"{self} is empty")

    def find_blob(self, digest: Digest) -> Descriptor:
        """The blob of this digest; see `BlobFinder`."""
        size = self._size(digest)
        if size is None:
            raise ContentNotFoundError(f"{self} has no {digest}")
        return Descriptor(mt.OCTET_STREAM, digest, size)

    def tags(self) -> list[str]:
        """Every name in `index.json`, sorted."""
        return sorted(self._listing().names)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
        """Listed manifests whose subject this is, and those of the fallback tag; see `ReferrerLister`.

        Spec: distribution-spec, Referrers Tag Schema.
        """
        listing = self._listing()
        fallbacks = listing.names.get(fallback_tag(subject.digest), ())
        lists: list[tuple[Digest, Iterable[Descriptor]]] = [(Digest.of(listing.raw), listing.manifests.values())]
        lists += [(index.digest, read_manifest(self, index).children) for index in fallbacks]
        referring = [self._by_subject(*one).get(subject.digest, ()) for one in lists]
        found: list[Descriptor] = []
        for entry in {entry.digest: entry for entry in chain(*referring)}.values():
            if entry.digest == subject.digest or not self.exists(entry):
                continue
            raw = read_all(self.fetch(entry), entry, MANIFEST_MAX)
            listed = listed_as_referrer(entry.digest, entry.media_type, raw, subject.digest)
            if listed is not None:
                found.append(listed)
        return of_type(found, artifact_type)

    def _by_subject(self, place: Digest, entries: Iterable[Descriptor]) -> dict[Digest, list[Descriptor]]:
        """Of the manifests in a list, those that refer to others, by what they refer to; each is read once.

        Args:
            place: the digest of the list itself.
            entries: of the list.
        """
        found = self._referring.get(place)
        if found is None:
            found = {}
            for entry in {entry.digest: entry for entry in entries if entry.is_manifest}.values():
                if self.exists(entry):
                    raw = read_all(self.fetch(entry), entry, MANIFEST_MAX)
                    subject = subject_of(raw, entry.media_type)
                    if subject is not None:
                        found.setdefault(subject, []).append(entry)
            self._referring[place] = found
        return found

    def _listing(self) -> _Listing:
        raw = self._read_index()
        if self._known is None or self._known.raw != raw:
            self._known = _Listing(raw)
        return self._known

    def _names(self) -> str | None:
        shown = self._listing().shown
        return f"it has {', '.join(shown)}" if shown else None

    def _resolve_digest(self, digest: Digest) -> Descriptor:
        listed = self._listing().manifests.get(digest)
        if listed is not None:
            return listed
        # A manifest inside of an index is a blob like any other here; its own bytes say what it is.
        size = self._size(digest)
        if size is None:
            raise ContentNotFoundError(f"{self} has no {digest}")
        unknown = Descriptor(mt.OCTET_STREAM, digest, size)
        try:
            document = parse_manifest(read_all(self.fetch(unknown), unknown, MANIFEST_MAX))
        except (ContentTooLargeError, InvalidInputError) as error:
            raise ContentNotFoundError(f"{digest} in {self} is not a manifest") from error
        return document.descriptor(digest.algorithm)
