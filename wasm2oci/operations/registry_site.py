"""The page of a registry, with what this tool knows about modules."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import verified
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.server.access import Everyone
from wasm2oci.server.site import ArtifactFacts, Site

if TYPE_CHECKING:
    from wasm2oci.content.verify import SelfVerifying
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.server.access import Access
    from wasm2oci.server.storage import Storage, StoredManifest

__all__ = ["describe", "make_site"]

_MODULE_MAX: Final = 64 << 20
"""Bytes of a module that a page looks into."""
_REMEMBERED: Final = 256


def make_site(storage: "Storage", access: "Access | None") -> Site:
    """The pages of a registry over this storage.

    What a module is made of never changes, so it is remembered by digest; one module is looked into at a time.
    """
    known: OrderedDict[tuple[str, Digest], ArtifactFacts] = OrderedDict()
    lock = threading.Lock()

    def remembered(repository: str, stored: "StoredManifest") -> ArtifactFacts:
        key = (repository, stored.digest)
        with lock:
            facts = known.get(key)
            if facts is None:
                facts = known[key] = describe(storage, repository, stored)
                if len(known) > _REMEMBERED:
                    known.popitem(last=False)
            return facts

    return Site(storage, access or Everyone(), remembered)


def describe(storage: "Storage", repository: str, stored: "StoredManifest") -> ArtifactFacts:
    """What the module of this manifest is made of, or why that is not known."""
    from wasm2oci.engine.facts import outline
    from wasm2oci.packager.recognise import recognise

    profile: str | None = None
    try:
        root = Descriptor(stored.media_type, stored.digest, len(stored.raw))
        found = recognise(_Repository(storage, repository), root)
        profile = found.format
        if found.module.size > _MODULE_MAX:
            return ArtifactFacts(profile, problem=f"The module is larger than {_MODULE_MAX >> 20} MiB.")
        return ArtifactFacts(profile, found.module.digest, outline(b"".join(found.content)))
    except Wasm2OciError as error:
        return ArtifactFacts(profile, problem=error.message)


class _Repository:
    """One repository of the storage as a place to read from."""

    def __init__(self, storage: "Storage", name: str) -> None:
        self._storage, self._name = storage, name

    def resolve(self, name: "Name") -> Descriptor:
        stored = self._storage.manifest(self._name, name)
        if stored is None:
            raise ContentNotFoundError(f"{self._name} has no {name}")
        return Descriptor(stored.media_type, stored.digest, len(stored.raw))

    def exists(self, descriptor: Descriptor) -> bool:
        return self._storage.blob_size(self._name, descriptor.digest) == descriptor.size

    def fetch(self, descriptor: Descriptor) -> "SelfVerifying":
        return verified(_Content(self._storage, self._name, descriptor), descriptor)


class _Content:
    def __init__(self, storage: "Storage", name: str, descriptor: Descriptor) -> None:
        self._storage, self._name, self._descriptor = storage, name, descriptor

    def __iter__(self) -> Iterator[bytes]:
        stored = self._storage.manifest(self._name, self._descriptor.digest) if self._descriptor.is_manifest else None
        if stored is not None:
            yield stored.raw
            return
        body = self._storage.open_blob(self._name, self._descriptor.digest, 0, self._descriptor.size)
        if body is None:
            raise ContentNotFoundError(f"{self._name} has no {self._descriptor.digest}")
        try:
            for piece in body:
                yield bytes(piece)
        finally:
            body.close()
