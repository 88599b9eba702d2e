"""The page of a registry, with what this tool knows about modules."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import verified
from wasm2oci.errors import LocalIOError, Wasm2OciError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.server.access import Everyone
from wasm2oci.server.site import ArtifactFacts, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.verify import SelfVerifying
    from wasm2oci.engine.facts import Extern
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Name
    from wasm2oci.server.access import Access
    from wasm2oci.server.fairness import Effort
    from wasm2oci.server.storage import Storage, StoredManifest

__all__ = ["describe", "make_site"]

_MODULE_MAX: Final = 64 << 20
"""Bytes of a module that a page looks into."""
_DECLARED_MAX: Final = 512 << 10
"""Bytes of declarations that a page decodes: up to about a second."""
_SHOWN: Final = 500
"""Imports, and exports, and members of each, that are kept of a module: as many as a page shows."""
_LAYERS_MAX: Final = 128 << 20
_ENTRIES_MAX: Final = 20_000
_SECONDS: Final = 10.0
"""What a page looks into in search of a module in layers: bytes, files, seconds."""
_REMEMBERED: Final = 16 << 20
"""Characters of all descriptions that are remembered."""


def make_site(storage: Storage, access: Access | None) -> Site:
    """The pages of a registry over this storage.

    What a module is made of never changes, so it is remembered by digest. One module is looked into at a time, by
    clients in turn; nothing else waits for that.
    """
    known = _Descriptions()

    def remembered(repository: str, stored: StoredManifest, effort: Effort) -> ArtifactFacts:
        key = (repository, stored.digest)
        facts = known.get(key)
        if facts is None:
            effort.take_turn()
            facts = known.get(key)  # another request may have found it out meanwhile
        if facts is None:
            try:
                facts = describe(storage, repository, stored)
            except LocalIOError:  # its message names paths of this machine, and the disk may be well again soon
                return ArtifactFacts(problem="The registry's disk refuses to be read.")
            known.put(key, facts)
        return facts

    return Site(storage, access or Everyone(), remembered)


class _Descriptions:
    """Descriptions, the last used ones, of bounded size in all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, Digest], tuple[ArtifactFacts, int]] = OrderedDict()
        self._size = 0

    def get(self, key: tuple[str, Digest]) -> ArtifactFacts | None:
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            return found[0]

    def put(self, key: tuple[str, Digest], facts: ArtifactFacts) -> None:
        size = _size(facts)
        with self._lock:
            self._known[key] = (facts, size)
            self._size += size
            while self._size > _REMEMBERED:
                self._size -= self._known.popitem(last=False)[1][1]


def _shown(externs: tuple[Extern, ...]) -> tuple[Extern, ...]:
    """The first of them, with the members that there is room for."""
    left = _SHOWN
    shown = []
    for extern in externs[:_SHOWN]:
        shown.append(extern._replace(members=extern.members[:left]))
        left -= len(shown[-1].members)
    return tuple(shown)


def _size(facts: ArtifactFacts) -> int:
    size = 1000 + len(facts.problem or "")
    if facts.module is not None:
        for extern in (*facts.module.imports, *facts.module.exports):
            size += 200 + len(extern.full_name) + len(extern.type or "")
            size += sum(150 + len(member.name) + len(member.type or "") for member in extern.members)
        size += sum(map(len, facts.module.features)) + sum(100 + len(text) for text in facts.module.made_by)
    return size


def describe(storage: Storage, repository: str, stored: StoredManifest) -> ArtifactFacts:
    """What the module of this manifest is made of, or why that is not known; in bounded time and memory.

    Raises:
        LocalIOError: the storage cannot be read.
    """
    from wasm2oci.engine.facts import declared_size, described, outline
    from wasm2oci.packager.recognise import recognise
    from wasm2oci.packager.tarball import archive_budget

    profile: str | None = None
    try:
        root = Descriptor(stored.media_type, stored.digest, len(stored.raw))
        budget = archive_budget(size=_LAYERS_MAX, entries=_ENTRIES_MAX, seconds=_SECONDS)
        found = recognise(_Repository(storage, repository), root, budget=budget)
        profile = found.format
        if found.module.size > _MODULE_MAX:
            return ArtifactFacts(profile, problem=f"The module is larger than {_MODULE_MAX >> 20} MiB.")
        data = found.read()
        if declared_size(data) > _DECLARED_MAX:
            problem = f"The module declares more than {_DECLARED_MAX >> 10} KiB; `wasm2oci inspect` shows it."
            return ArtifactFacts(profile, found.module.digest, problem=problem)
        module = (described if declared_size(data, modules=True) <= _DECLARED_MAX else outline)(data)
        counts = (len(module.imports), len(module.exports))
        module = module._replace(imports=_shown(module.imports), exports=_shown(module.exports))
        return ArtifactFacts(profile, found.module.digest, module, counts=counts)
    except LocalIOError:
        raise
    except Wasm2OciError as error:
        return ArtifactFacts(profile, problem=error.message)


class _Repository:
    """One repository of the storage as a place to read from."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage, self._name = storage, name

    def resolve(self, name: Name) -> Descriptor:
        stored = self._storage.manifest(self._name, name)
        if stored is None:
            raise ContentNotFoundError(f"{self._name} has no {name}")
        return Descriptor(stored.media_type, stored.digest, len(stored.raw))

    def exists(self, descriptor: Descriptor) -> bool:
        return self._storage.blob_size(self._name, descriptor.digest) == descriptor.size

    def fetch(self, descriptor: Descriptor) -> SelfVerifying:
        return verified(_Content(self._storage, self._name, descriptor), descriptor)


class _Content:
    def __init__(self, storage: Storage, name: str, descriptor: Descriptor) -> None:
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
