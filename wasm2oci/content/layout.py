"""OCI image layouts: a folder that holds content by digest and names manifests in `index.json`.

The rules:

* A layout may come from anybody. Paths are made of checked digests only, sizes are compared before bytes are read,
  what is not a regular file is refused, and all content is verified.
* Blobs are written whole or not at all, and `index.json` is changed under a lock on the folder itself (so that no
  lock file is left in it), from what it says at that moment, keeping all that other tools wrote there.
* A manifest without a tag is listed too, so that everything can be found from `index.json`; when an index that
  contains it arrives, the line goes.

Spec: image-spec, image-layout.md; annotations.md (`org.opencontainers.image.ref.name`).
"""

import json
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from wasm2oci.base.files import TEMPORARY, local_errors, make_folder, replace_file
from wasm2oci.base.folders import FolderLock
from wasm2oci.content.graph import read_manifest
from wasm2oci.content.memory import referrer_descriptor
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import (
    BytesContent,
    ContentTooLargeError,
    FileContent,
    SizeMismatchError,
    Verified,
    read_all,
    verified,
)
from wasm2oci.errors import InvalidInputError, LocalIOError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor, annotations_from
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import Index, parse_manifest
from wasm2oci.oci.reference import LAYOUT_PREFIX, check_tag
from wasm2oci.oci.wire import MANIFEST_MAX, load_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wasm2oci.content.target import Content

__all__ = ["REF_NAME", "InvalidLayoutError", "OciLayout"]

REF_NAME: Final = "org.opencontainers.image.ref.name"
"""The annotation of an entry of `index.json` that holds its tag."""

_MARKER: Final = "oci-layout"
_VERSION: Final = "1.0.0"


class InvalidLayoutError(InvalidInputError):
    """A folder is not an OCI image layout, or its `index.json` breaks the rules."""


class OciLayout:
    """An OCI image layout that exists.

    Args:
        folder: where `oci-layout`, `index.json` and `blobs/` are.

    Raises:
        NotFoundError: there is no such folder.
        InvalidLayoutError: it is not an image layout, or one of a version that is not 1.0.0.
    """

    def __init__(self, folder: "Path") -> None:
        self.folder = folder
        marker = load_object(_read_small(folder / _MARKER, f"{folder} is not an OCI image layout"), _MARKER)
        version = marker.get("imageLayoutVersion")
        if version != _VERSION:
            raise InvalidLayoutError(f"{folder} is an image layout of version {version!r}, not {_VERSION}")

    @classmethod
    def create(cls, folder: "Path") -> Self:
        """Open a layout for writing; a folder that is absent or empty becomes one.

        Raises:
            InvalidLayoutError: the folder holds something else.
            LocalIOError: it cannot be made.
        """
        if not (folder / _MARKER).exists():
            make_folder(folder)
            with local_errors(folder):
                names = [entry.name for entry in os.scandir(folder)]
            # Another process may be making the same layout right now.
            ours = {"blobs", "index.json", _MARKER}
            strangers = [name for name in names if name not in ours and not name.startswith(TEMPORARY)]
            if strangers:
                raise InvalidLayoutError(
                    f"{folder} is neither empty nor an OCI image layout", hint=f"it holds {strangers[0]!r}"
                )
            with _locked(folder):
                if not (folder / "index.json").exists():
                    replace_file(
                        folder / "index.json",
                        [_encode({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []})],
                    )
                replace_file(folder / _MARKER, [_encode({"imageLayoutVersion": _VERSION})])
        return cls(folder)

    def __str__(self) -> str:
        return f"{LAYOUT_PREFIX}{self.folder}"

    def resolve(self, reference: str) -> Descriptor:
        """The manifest that a tag or a digest names; see `ReadTarget.resolve`.

        An entry whose name is a whole image name that ends in this tag is taken too, if there is just one.

        Raises:
            ContentNotFoundError: nothing is named so; the hint says what is there.
            InvalidLayoutError: `index.json` gives this tag to two manifests.
        """
        if ":" in reference:
            return self._resolve_digest(Digest.parse(reference))
        entries = self._index().manifests
        found = {entry.digest: entry for entry in entries if entry.annotations.get(REF_NAME) == reference}
        if not found:
            ending = f":{reference}"
            found = {entry.digest: entry for entry in entries if entry.annotations.get(REF_NAME, "").endswith(ending)}
        if len(found) > 1:
            raise InvalidLayoutError(f"{self} gives the name {reference} to {len(found)} manifests")
        for entry in found.values():
            return _plain(entry)
        raise ContentNotFoundError(f"{self} has no tag {reference}", hint=self._names())

    def sole(self) -> Descriptor:
        """The only manifest that the layout lists: what a location without tag and digest means.

        Raises:
            ContentNotFoundError: it lists none.
            InvalidLayoutError: it lists several; the hint names them.
        """
        found = {entry.digest: entry for entry in self._index().manifests}
        if len(found) > 1:
            raise InvalidLayoutError(f"{self} holds {len(found)} manifests; say which", hint=self._names())
        for entry in found.values():
            return _plain(entry)
        raise ContentNotFoundError(f"{self} is empty")

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether a blob of this digest and size is here; see `ReadTarget.exists`."""
        try:
            status = self._path(descriptor.digest).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise LocalIOError(f"{self._path(descriptor.digest)}: {error.strerror}") from error
        return stat.S_ISREG(status.st_mode) and status.st_size == descriptor.size

    def fetch(self, descriptor: Descriptor) -> "Content":
        """Verified content; see `ReadTarget.fetch`."""
        return Verified(descriptor, _BlobFile(self, self._path(descriptor.digest), descriptor))

    def push(self, descriptor: Descriptor, content: "Content", *, tag: str | None = None) -> None:
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
        contained = {child.digest for child in document.children if not self._has_subject(child)}
        self._list(_plain(descriptor), tag, contained)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Name a manifest that is here; see `Target.tag`."""
        check_tag(tag)
        if not self.exists(descriptor):
            raise ContentNotFoundError(f"{self} has no manifest {descriptor.digest}")
        self._list(_plain(descriptor), tag, set())

    def tags(self) -> list[str]:
        """Every name in `index.json`, sorted."""
        names = {entry.annotations.get(REF_NAME) for entry in self._index().manifests}
        return sorted(name for name in names if name)

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
        """Listed manifests whose subject this is, and those of the fallback tag; see `ReferrerLister`.

        Spec: distribution-spec, Referrers Tag Schema.
        """
        fallback = f"{subject.digest.algorithm}-{subject.digest.encoded[:64]}"
        candidates: dict[Digest, Descriptor] = {}
        for entry in self._index().manifests:
            candidates.setdefault(entry.digest, entry)
            if entry.annotations.get(REF_NAME) == fallback:
                document = read_manifest(self, entry)
                candidates.update({child.digest: child for child in document.children if child.is_manifest})
        found = []
        for candidate in candidates.values():
            if candidate.digest == subject.digest or not candidate.is_manifest or not self.exists(candidate):
                continue
            raw = read_all(self.fetch(candidate), candidate, MANIFEST_MAX)
            listed = referrer_descriptor(candidate, raw, subject)
            if listed is not None and artifact_type in (None, listed.artifact_type):
                found.append(listed)
        return found

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a manifest with its names, or a blob; see `Deleter`. Blobs that it named stay."""
        if descriptor.is_manifest:
            digest = str(descriptor.digest)
            with self._editing() as entries:
                entries[:] = [entry for entry in entries if entry["digest"] != digest]
        path = self._path(descriptor.digest)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise ContentNotFoundError(f"{self} has no {descriptor.digest}") from error
        except OSError as error:
            raise LocalIOError(f"{path}: {error.strerror}") from error

    def untag(self, tag: str) -> None:
        """Take a name from its manifest, which stays listed; see `Deleter`."""
        with self._editing() as entries:
            named = [entry for entry in entries if _name_of(entry) == tag]
            if not named:
                raise ContentNotFoundError(f"{self} has no tag {tag}")
            for entry in named:
                _rename(entry, None)
            _drop_doubles(entries)

    def _path(self, digest: Digest) -> "Path":
        # A Digest is an algorithm we know and its hex: no other path can come of it.
        return self.folder / "blobs" / digest.algorithm / digest.encoded

    def _index(self) -> Index:
        raw = _read_small(self.folder / "index.json", f"{self} lacks its index.json")
        document = parse_manifest(raw, mt.OCI_INDEX)
        if not isinstance(document, Index):
            raise InvalidLayoutError(f"index.json of {self} is not an index")
        return document

    def _names(self) -> str | None:
        names = [entry.annotations.get(REF_NAME) or f"@{entry.digest}" for entry in self._index().manifests[:10]]
        return f"it has {', '.join(names)}" if names else None

    def _resolve_digest(self, digest: Digest) -> Descriptor:
        for entry in self._index().manifests:
            if entry.digest == digest:
                return _plain(entry)
        # A manifest inside of an index is a blob like any other here; its own bytes say what it is.
        path = self._path(digest)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise ContentNotFoundError(f"{self} has no {digest}") from error
        unknown = Descriptor(mt.OCTET_STREAM, digest, size)
        try:
            document = parse_manifest(read_all(self.fetch(unknown), unknown, MANIFEST_MAX))
        except (ContentTooLargeError, InvalidInputError) as error:
            raise ContentNotFoundError(f"{digest} in {self} is not a manifest") from error
        return document.descriptor(digest.algorithm)

    def _has_subject(self, child: Descriptor) -> bool:
        # What refers to a manifest is found through index.json only, so its line there has to stay.
        if not child.is_manifest or not self.exists(child):
            return False
        return read_manifest(self, child).subject is not None

    def _write(self, descriptor: Descriptor, content: "Content") -> None:
        path = self._path(descriptor.digest)
        make_folder(path.parent)
        replace_file(path, verified(content, descriptor))

    def _list(self, descriptor: Descriptor, tag: str | None, contained: set[Digest]) -> None:
        """Put a manifest into index.json, under this name if it has one."""
        digest, inside = str(descriptor.digest), {str(digest) for digest in contained}
        with self._editing() as entries:
            entries[:] = [entry for entry in entries if entry["digest"] not in inside or _name_of(entry)]
            if tag is None:
                if not any(entry["digest"] == digest for entry in entries):
                    entries.append(descriptor.to_json())
                return
            if any(entry["digest"] == digest and _name_of(entry) == tag for entry in entries):
                return
            for entry in entries:
                if _name_of(entry) == tag:
                    _rename(entry, None)
            unnamed = next((e for e in entries if e["digest"] == digest and _name_of(e) is None), None)
            if unnamed is None:
                unnamed = descriptor.to_json()
                entries.append(unnamed)
            _rename(unnamed, tag)
            _drop_doubles(entries)

    @contextmanager
    def _editing(self) -> "Iterator[list[dict[str, Any]]]":
        """The entries of index.json, to be changed in place; written back when they were."""
        with _locked(self.folder):
            before = self._index()
            value = load_object(before.raw, "index.json")
            entries = value.get("manifests") or []
            value["manifests"] = entries
            yield entries
            after = _encode(value)
            if after != before.raw:
                replace_file(self.folder / "index.json", [after])


class _BlobFile(FileContent):
    """The file of a blob; a size that is already wrong is an error before the first byte."""

    __slots__ = ("_descriptor", "_layout")

    def __init__(self, layout: OciLayout, path: "Path", descriptor: Descriptor) -> None:
        super().__init__(path)
        self._layout = layout
        self._descriptor = descriptor

    def __iter__(self) -> "Iterator[bytes]":
        digest = self._descriptor.digest
        try:
            size = self._path.stat().st_size
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ContentNotFoundError(f"{self._layout} has no {digest}") from error
        except OSError as error:
            raise LocalIOError(f"{self._path}: {error.strerror}") from error
        if size != self._descriptor.size:
            raise SizeMismatchError(f"{digest} is {size:,} bytes here, not {self._descriptor.size:,}")
        yield from super().__iter__()


def _plain(entry: Descriptor) -> Descriptor:
    """An entry without what `index.json` says about it there: its name and platform."""
    return Descriptor(entry.media_type, entry.digest, entry.size)


def _name_of(entry: dict[str, Any]) -> str | None:
    return annotations_from(entry.get("annotations"), "entry").get(REF_NAME) or None


def _rename(entry: dict[str, Any], name: str | None) -> None:
    annotations = {key: value for key, value in (entry.get("annotations") or {}).items() if key != REF_NAME}
    if name is not None:
        annotations[REF_NAME] = name
    if annotations:
        entry["annotations"] = annotations
    else:
        entry.pop("annotations", None)


def _drop_doubles(entries: list[dict[str, Any]]) -> None:
    """Drop entries without a name whose manifest is listed elsewhere."""
    named = {entry["digest"] for entry in entries if _name_of(entry)}
    seen: set[str] = set()
    kept = []
    for entry in entries:
        if _name_of(entry) is None:
            if entry["digest"] in named or entry["digest"] in seen:
                continue
            seen.add(entry["digest"])
        kept.append(entry)
    entries[:] = kept


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read_small(path: "Path", absent: str) -> bytes:
    raw = bytearray()
    try:
        for chunk in FileContent(path):
            raw += chunk
            if len(raw) > MANIFEST_MAX:
                raise InvalidLayoutError(f"{path} is larger than {MANIFEST_MAX:,} bytes")
    except NotFoundError as error:
        if not path.parent.is_dir():
            raise ContentNotFoundError(f"no such folder: {path.parent}") from error
        raise InvalidLayoutError(absent) from error
    return bytes(raw)


@contextmanager
def _locked(folder: "Path") -> "Iterator[None]":
    """Keep other threads and processes from changing `index.json` meanwhile."""
    with local_errors(folder):
        lock = FolderLock(folder)
    with lock:
        yield
