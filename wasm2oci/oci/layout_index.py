"""`index.json` of an OCI image layout, as a document that is read, changed and written again.

An entry is a descriptor, and its annotation `org.opencontainers.image.ref.name` is its name: mostly a tag. A manifest
has one entry for each of its names, or one without a name. What other tools wrote stays: fields, annotations, entries
that are not descriptors, names that are not tags.

A server keeps the document between changes, and an entry that stays is neither looked into nor encoded again.

Spec: image-spec, image-layout.md, index.json file; annotations.md.
"""

from __future__ import annotations

import json
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.manifest import Index, InvalidManifestError, parse_manifest
from wasm2oci.oci.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.oci.digest import Digest

__all__ = ["LAYOUT_MARKER", "LAYOUT_VERSION", "REF_NAME", "LayoutEntry", "LayoutIndex", "layout_marker"]

REF_NAME: Final = "org.opencontainers.image.ref.name"
LAYOUT_MARKER: Final = "oci-layout"
"""The file that says that a folder is an image layout, and of which version."""
LAYOUT_VERSION: Final = "1.0.0"
_VALUES_MAX: Final = 10_000_000
"""Values of an index of a million tags; a reader of a stranger's index bounds its bytes."""


class LayoutEntry(NamedTuple):
    """One entry: type, digest and size of a manifest, and its name there, if it has one."""

    descriptor: Descriptor
    name: str | None


class _Entry:
    """One entry as it is written, with what is asked of it again and again."""

    __slots__ = ("_text", "digest", "name", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.digest = _digest(value)
        self.name = _name(value)
        self._text: str | None = None

    @property
    def text(self) -> str:
        """Its JSON."""
        if self._text is None:
            self._text = _encoded(self.value)
        return self._text

    def renamed(self, name: str | None) -> _Entry:
        """The entry under another name, or without one."""
        return _Entry(_named(self.value, name))


class LayoutIndex:
    """The document. Changes are made to this object; `encode` gives the bytes to write.

    Args:
        document: all of it; its `manifests` is a list.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._entries = [_Entry(value) for value in document["manifests"]]

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    @classmethod
    def empty(cls) -> Self:
        """An index that lists nothing."""
        return cls({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []})

    @classmethod
    def decode(cls, raw: bytes, *, strict: bool) -> Self:
        """Read `index.json`.

        Args:
            raw: its bytes.
            strict: whether an entry that is not a valid descriptor is an error; otherwise `entries` leaves it out.

        Raises:
            InvalidInputError: it is not an index.
        """
        if strict:
            try:
                index = parse_manifest(raw, mt.OCI_INDEX)
            except InvalidInputError as error:
                raise InvalidManifestError(f"index.json: {error.message}") from error
            if not isinstance(index, Index):
                raise InvalidManifestError("index.json is not an index")
        document = load_object(raw, "index.json", values=_VALUES_MAX)
        if document.get("manifests") is None:
            document["manifests"] = []
        if not isinstance(document["manifests"], list):
            raise InvalidManifestError("manifests of index.json is not a list")
        return cls(document)

    def encode(self) -> bytes:
        """The bytes of `index.json`."""
        entries = f"[{','.join([entry.text for entry in self._entries])}]"
        members = [
            f"{_encoded(key)}:{entries if key == 'manifests' else _encoded(value)}"
            for key, value in self._document.items()
        ]
        return f"{{{','.join(members)}}}".encode()

    def copy(self) -> LayoutIndex:
        """Another one with the same entries; changing one does not change the other."""
        other = copy(self)
        other._entries = list(self._entries)  # noqa: SLF001 - of this class
        return other

    @property
    def entries(self) -> list[LayoutEntry]:
        """The entries that are descriptors, in order."""
        found: list[LayoutEntry] = []
        for entry in self._entries:
            try:
                said = Descriptor.from_json(entry.value)
            except InvalidInputError:
                continue
            found.append(LayoutEntry(Descriptor(said.media_type, said.digest, said.size), entry.name))
        return found

    def put(self, descriptor: Descriptor, tags: Iterable[str] = (), contained: Iterable[Digest] = ()) -> None:
        """List a manifest under these tags. A manifest that had one of them stays listed, without it.

        Args:
            descriptor: of the manifest.
            tags: its further names; without any it is listed once in all.
            contained: manifests that are found through this one from now on: their entries without a name go.
        """
        plain = _Entry(Descriptor(descriptor.media_type, descriptor.digest, descriptor.size).to_json())
        inside = {str(digest) for digest in contained}
        wanted = dict.fromkeys(tags)
        entries: list[_Entry] = []
        names: set[str | None] = set()
        unnamed: deque[int] = deque()
        # One pass for all tags: a client may send dozens at once, to a repository with very many.
        for entry in self._entries:
            if entry.name is None and entry.digest in inside:
                continue
            if entry.digest == plain.digest:
                names.add(entry.name)
                if entry.name is None:
                    unnamed.append(len(entries))
            elif entry.name in wanted:
                entry = entry.renamed(None)  # noqa: PLW2901 - the same entry, without the name
            entries.append(entry)
        for tag in wanted:
            if tag in names:
                continue
            if unnamed:  # an entry without a name takes it, with all that another tool wrote there
                at = unnamed.popleft()
                entries[at] = entries[at].renamed(tag)
            else:
                entries.append(plain.renamed(tag))
        if not wanted and not names:
            entries.append(plain)
        self._store(entries)

    def equals(self, other: LayoutIndex) -> bool:
        """Whether both list the same; quick where most entries are shared."""
        return [entry.value for entry in self._entries] == [entry.value for entry in other._entries]

    def untag(self, name: str) -> bool:
        """Take a name away; its manifest stays listed. False when nothing has this name."""
        found = any(entry.name == name for entry in self._entries)
        self._store([entry.renamed(None) if entry.name == name else entry for entry in self._entries])
        return found

    def remove(self, digest: Digest) -> bool:
        """Take a manifest away with all its names; False when it is not listed."""
        before, text = self._entries, str(digest)
        self._entries = [entry for entry in before if entry.digest != text]
        return len(self._entries) < len(before)

    def _store(self, entries: list[_Entry]) -> None:
        # Of a manifest's entries without a name, one stays, and none when it is listed under a name.
        listed = {entry.digest for entry in entries if entry.name is not None}
        kept: list[_Entry] = []
        for entry in entries:
            if entry.name is None and entry.digest is not None:
                if entry.digest in listed:
                    continue
                listed.add(entry.digest)
            kept.append(entry)
        self._entries = kept


def layout_marker() -> bytes:
    """The bytes of `oci-layout`."""
    return json.dumps({"imageLayoutVersion": LAYOUT_VERSION}, separators=(",", ":")).encode()


def _encoded(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _digest(entry: Any) -> str | None:
    digest = entry.get("digest") if isinstance(entry, dict) else None
    return digest if isinstance(digest, str) else None


def _name(entry: Any) -> str | None:
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) and name else None


def _named(entry: dict[str, Any], name: str | None) -> dict[str, Any]:
    """The entry under another name, or without one."""
    annotations = {key: value for key, value in (entry.get("annotations") or {}).items() if key != REF_NAME}
    if name is not None:
        annotations[REF_NAME] = name
    renamed = {key: value for key, value in entry.items() if key != "annotations"}
    return {**renamed, "annotations": annotations} if annotations else renamed
