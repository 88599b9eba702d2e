from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from tests.support.artifacts import Stash, Watching
from tests.support.strategies import graphs
from wasm2oci.content import graph as graph_module
from wasm2oci.content.graph import GraphError, explore, read_manifest
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import SelfVerifying
from wasm2oci.errors import IntegrityError, InvalidInputError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import ManifestTooLargeError
from wasm2oci.oci.wire import GRAPH_NODES_MAX, NESTING_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.target import Content


@given(graphs())
def test_children_come_first_the_root_last_and_nothing_twice(case: tuple[Stash, Descriptor]) -> None:
    stash, root = case
    graph = explore(stash.target, root)
    assert graph.root.descriptor.digest == root.digest
    order = [node.descriptor.digest for node in graph.manifests]
    assert len(set(order)) == len(order)
    blobs = {blob.digest for blob in graph.blobs}
    assert len(blobs) == len(graph.blobs)
    for position, node in enumerate(graph.manifests):
        for child in node.document.children:
            assert child.digest in (order[:position] if child.is_manifest else blobs)


@given(graphs())
def test_a_recursive_walk_finds_every_referrer(case: tuple[Stash, Descriptor]) -> None:
    stash, root = case
    found = {node.descriptor.digest for node in explore(stash.target, root, recursive=True).manifests}
    assert isinstance(stash.target, MemoryTarget)
    for digest in found:
        for referrer in stash.target.referrers(Descriptor(mt.OCI_MANIFEST, digest, 0)):
            assert referrer.digest in found


def test_a_digest_may_be_a_blob_and_a_manifest() -> None:
    stash = Stash()
    child = stash.module()
    as_blob = stash.put("application/wasm", stash.get(child))
    graph = explore(stash.target, stash.index(child, stash.manifest(as_blob)))
    assert child.digest in {node.descriptor.digest for node in graph.manifests}
    assert child.digest in {blob.digest for blob in graph.blobs}


def test_a_digest_with_two_sizes_is_refused() -> None:
    stash = Stash()
    layer = stash.put("application/wasm", b"abc")
    root = stash.manifest(layer, layer._replace(size=4))
    with pytest.raises(GraphError, match="named with two sizes, 3 and 4"):
        explore(stash.target, root)


class Liar(MemoryTarget):
    """A target whose content says that it is verified, and is not."""

    def __init__(self) -> None:
        super().__init__()
        self.lies: dict[Digest, bytes] = {}

    def fetch(self, descriptor: Descriptor) -> "Content":
        lie = self.lies.get(descriptor.digest)
        return super().fetch(descriptor) if lie is None else Lie(descriptor, lie)


class Lie(SelfVerifying):
    def __init__(self, descriptor: Descriptor, data: bytes) -> None:
        super().__init__(descriptor)
        self.data = data

    def __iter__(self) -> "Iterator[bytes]":
        yield self.data


def test_ghsa_h7vf_a_manifest_that_contains_itself_is_refused() -> None:
    liar = Liar()
    stash = Stash(liar)
    inner = Descriptor(mt.OCI_INDEX, Digest.of(b"inner"), 10)
    outer = stash.index(inner)
    liar.lies[inner.digest] = stash.get(stash.index(outer))
    with pytest.raises(GraphError, match="contains itself"):
        explore(liar, outer)


class Circle(MemoryTarget):
    """A target that lists referrers without end, or in circles."""

    def __init__(self, *, endless: bool) -> None:
        super().__init__()
        self.stash = Stash(self)
        self.endless = endless
        self.asked = 0

    def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
        self.asked += 1
        assert self.asked < 1000
        if self.endless:
            return [self.stash.manifest(annotations={"number": str(self.asked)})]
        return [self.resolve("root"), subject, *super().referrers(subject)]


def test_ghsa_h7vf_referrers_in_a_circle_end() -> None:
    target = Circle(endless=False)
    root = target.stash.module(tag="root")
    referrer = target.stash.manifest(subject=root)
    target.stash.manifest(subject=referrer)
    assert len(explore(target, root, recursive=True).manifests) == 3


def test_ghsa_h7vf_referrers_without_end_are_refused() -> None:
    target = Circle(endless=True)
    with pytest.raises(GraphError, match=f"nested more than {NESTING_MAX} deep"):
        explore(target, target.stash.module(), recursive=True)
    assert target.asked <= NESTING_MAX + 1


def test_a_referrer_that_contains_its_subject_is_no_circle() -> None:
    stash = Stash()
    root = stash.module()
    plain = Descriptor(root.media_type, root.digest, root.size)
    stash.index(plain, subject=plain.to_json())
    assert len(explore(stash.target, root, recursive=True).manifests) == 2


def test_an_index_in_an_index_is_followed_only_so_deep() -> None:
    stash = Stash()
    root = stash.module()
    for _ in range(NESTING_MAX):
        root = stash.index(root)
    assert len(explore(stash.target, root).manifests) == NESTING_MAX + 1
    with pytest.raises(GraphError, match="deep"):
        explore(stash.target, stash.index(root))


def test_an_artifact_of_too_many_parts_is_refused() -> None:
    stash = Stash()
    blobs = [Descriptor("a/b", Digest("sha256", f"{number:064x}"), 1) for number in range(GRAPH_NODES_MAX)]
    with pytest.raises(GraphError, match="more than 20,000 parts"):
        explore(stash.target, stash.manifest(*blobs))


def test_manifests_are_bounded_together() -> None:
    stash = Stash()
    root = stash.index(*(stash.module(title=str(number)) for number in range(8)))
    size = sum(node.descriptor.size for node in explore(stash.target, root).manifests)
    walk = graph_module._Walk(stash.target, recursive=False)
    walk.bytes_left = size - 1
    with pytest.raises(GraphError, match="bytes together"):
        walk.manifest(root, 0, frozenset())


def test_cve_2020_1702_a_manifest_that_says_it_is_large_is_not_fetched() -> None:
    target = Watching(MemoryTarget())
    with pytest.raises(ManifestTooLargeError, match="5,000,000 bytes"):
        read_manifest(target, Descriptor(mt.OCI_MANIFEST, Digest.of(b""), 5_000_000))
    assert target.calls == []


def test_what_is_wrong_with_a_manifest_is_an_error() -> None:
    stash = Stash()
    absent = Descriptor.of(mt.OCI_MANIFEST, b"absent")
    with pytest.raises(NotFoundError):
        explore(stash.target, absent)
    lie = stash.module()._replace(media_type=mt.OCI_INDEX)
    with pytest.raises(InvalidInputError, match="was sent as"):
        explore(stash.target, lie)
    short = stash.put(mt.OCI_MANIFEST, b"{}")
    with pytest.raises(IntegrityError):
        explore(stash.target, short._replace(size=3))


def test_without_a_lister_a_recursive_walk_is_a_plain_one() -> None:
    stash = Stash()
    root = stash.module()
    stash.manifest(subject=root)
    assert len(explore(Watching(stash.target), root, recursive=True).manifests) == 1
