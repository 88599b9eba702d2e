"""What an OCI image layout says, in a folder or in an archive: names, tags and referrers, from its `index.json`.

Spec: image-spec, image-layout.md; annotations.md (`org.opencontainers.image.ref.name`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

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
from wasm2oci.oci.referrers import fallback_tag, listed_as_referrer, of_type
from wasm2oci.oci.wire import MANIFEST_MAX, load_object

if TYPE_CHECKING:
    from wasm2oci.content.target import Content
    from wasm2oci.oci.reference import Name

__all__ = ["InvalidLayoutError", "LayoutReader", "check_marker"]


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


class LayoutReader(ABC):
    """An image layout that can be read; where its files are is up to the class below."""

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
        entries = self._index().entries
        found = {entry.descriptor.digest: entry.descriptor for entry in entries if entry.name == name}
        if not found:
            ending = f":{name}"
            found = {one.descriptor.digest: one.descriptor for one in entries if (one.name or "").endswith(ending)}
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
        found = {entry.descriptor.digest: entry.descriptor for entry in self._index().entries}
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
        return sorted({entry.name for entry in self._index().entries if entry.name is not None})

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
        """Listed manifests whose subject this is, and those of the fallback tag; see `ReferrerLister`.

        Spec: distribution-spec, Referrers Tag Schema.
        """
        fallback = fallback_tag(subject.digest)
        candidates: dict[Digest, Descriptor] = {}
        for entry in self._index().entries:
            candidates.setdefault(entry.descriptor.digest, entry.descriptor)
            if entry.name == fallback:
                document = read_manifest(self, entry.descriptor)
                candidates.update({child.digest: child for child in document.children if child.is_manifest})
        found: list[Descriptor] = []
        for candidate in candidates.values():
            if candidate.digest == subject.digest or not candidate.is_manifest or not self.exists(candidate):
                continue
            raw = read_all(self.fetch(candidate), candidate, MANIFEST_MAX)
            listed = listed_as_referrer(candidate.digest, candidate.media_type, raw, subject.digest)
            if listed is not None:
                found.append(listed)
        return of_type(found, artifact_type)

    def _index(self) -> LayoutIndex:
        return LayoutIndex.decode(self._read_index(), strict=True)

    def _names(self) -> str | None:
        names = [entry.name or f"@{entry.descriptor.digest}" for entry in self._index().entries[:10]]
        return f"it has {', '.join(names)}" if names else None

    def _resolve_digest(self, digest: Digest) -> Descriptor:
        for entry in self._index().entries:
            if entry.descriptor.digest == digest:
                return entry.descriptor
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
