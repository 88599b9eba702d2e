"""`index.json` of an OCI image layout as a value that can be changed and written again.

One entry for every tag of a manifest, one without a tag for a manifest that has none. What other tools wrote
(fields, entries with names that are no tags) stays as it is.
Spec: image-spec, image-layout.md, index.json file; annotations.md, `org.opencontainers.image.ref.name`.
"""

import copy
import json
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import InvalidReferenceError, check_tag
from wasm2oci.oci.wire import NESTING_MAX, load_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["REF_NAME", "LayoutIndex"]

REF_NAME: Final = "org.opencontainers.image.ref.name"


class LayoutIndex:
    """The document, and what it says: `tags` (tag -> digest) and `types` (digest of a manifest -> media type)."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.tags: dict[str, Digest] = {}
        self.types: dict[Digest, str] = {}

    @classmethod
    def empty(cls) -> Self:
        """An index that lists nothing."""
        return cls({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []})

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read `index.json`; what it says is known after `refresh`.

        Raises:
            InvalidInputError: it is not one.
        """
        document = load_object(raw, "index.json")
        if not isinstance(document.setdefault("manifests", []), list):
            raise InvalidInputError("manifests of index.json is not a list")
        # An entry that is no object says nothing to anybody.
        document["manifests"] = [entry for entry in document["manifests"] if isinstance(entry, dict)]
        return cls(document)

    def encode(self) -> bytes:
        """The bytes of `index.json`."""
        return json.dumps(self._document, separators=(",", ":"), ensure_ascii=False).encode()

    def copy(self) -> "LayoutIndex":
        """One that can be changed without changing this one."""
        other = LayoutIndex({**self._document, "manifests": list(self._entries)})
        other.tags, other.types = dict(self.tags), dict(self.types)
        return other

    def refresh(self, read: "Callable[[Digest], bytes | None]") -> None:
        """Find out what it says.

        Args:
            read: the bytes of a manifest, None when they are not there. Members of indexes count as manifests too,
                whether or not they have an entry of their own, and whether or not they are there.
        """
        self.tags, types = {}, {}
        pending: list[tuple[Descriptor, int]] = []
        for entry in self._entries:
            descriptor = _descriptor(entry)
            if descriptor is None or not descriptor.is_manifest:
                continue
            tag = _tag(entry)
            if tag is not None:
                self.tags[tag] = descriptor.digest
            pending.append((descriptor, 0))
        while pending:
            descriptor, depth = pending.pop()
            if descriptor.digest in types:
                continue
            types[descriptor.digest] = descriptor.media_type
            if descriptor.media_type not in mt.INDEXES or depth > NESTING_MAX:
                continue
            raw = read(descriptor.digest)
            if raw is None:
                continue
            try:
                members = parse_manifest(raw, descriptor.media_type).children
            except InvalidInputError:
                continue
            pending.extend((member, depth + 1) for member in members if member.is_manifest)
        self.types = types

    def put(self, descriptor: Descriptor, tags: "Sequence[str]") -> None:
        """List a manifest under these tags; one they named before stays, without them."""
        for tag in tags:
            self.untag(tag)
        plain = descriptor.to_json()
        entries = [entry for entry in self._entries if entry.get("digest") != plain["digest"] or _tag(entry)]
        entries += [{**plain, "annotations": {REF_NAME: tag}} for tag in tags]
        if not tags and not any(entry.get("digest") == plain["digest"] for entry in entries):
            entries.append(plain)
        self._document["manifests"] = entries
        self.types[descriptor.digest] = descriptor.media_type
        self.tags.update(dict.fromkeys(tags, descriptor.digest))

    def untag(self, tag: str) -> bool:
        """Forget a tag; its manifest stays listed. False when there is no such tag."""
        entries: list[dict[str, Any]] = []
        orphans: list[dict[str, Any]] = []
        for entry in self._entries:
            if _tag(entry) == tag:
                bare = copy.deepcopy(entry)
                del bare["annotations"][REF_NAME]
                if not bare["annotations"]:
                    del bare["annotations"]
                orphans.append(bare)
            else:
                entries.append(entry)
        listed = {entry.get("digest") for entry in entries}
        self._document["manifests"] = entries + [entry for entry in orphans if entry.get("digest") not in listed]
        self.tags.pop(tag, None)
        return bool(orphans)

    def remove(self, digest: Digest) -> bool:
        """Forget a manifest with all its tags; False when it has no entry."""
        before = self._entries
        self._document["manifests"] = [entry for entry in before if entry.get("digest") != str(digest)]
        self.tags = {tag: named for tag, named in self.tags.items() if named != digest}
        self.types.pop(digest, None)
        return len(self._entries) < len(before)

    @property
    def _entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._document["manifests"]
        return entries


def _descriptor(entry: object) -> Descriptor | None:
    try:
        return Descriptor.from_json(entry)
    except InvalidInputError:
        return None


def _tag(entry: dict[str, Any]) -> str | None:
    annotations = entry.get("annotations")
    tag = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    try:
        return check_tag(tag) if isinstance(tag, str) else None
    except InvalidReferenceError:
        return None
