"""The one suite that every place of content passes: memory, layout, registry."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.contract.targets import TARGETS
from tests.support.artifacts import Stash
from tests.support.docker_registry import missing_reason
from tests.support.invariants import check_artifact
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.target import Deleter, ReferrerLister, TagLister, Target
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import IntegrityError, InvalidInputError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ABSENT = Descriptor.of(mt.OCTET_STREAM, b"never pushed")
ABSENT_MANIFEST = Descriptor.of(mt.OCI_MANIFEST, b"never pushed")


REAL = pytest.mark.registry, pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
ROWS = [pytest.param(name, marks=REAL if name == "docker-registry" else ()) for name in TARGETS]


@pytest.fixture(params=ROWS)
def target(request: pytest.FixtureRequest, tmp_path: "Path") -> "Iterator[Target]":
    with TARGETS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def stash(target: Target) -> Stash:
    return Stash(target)


def test_what_was_pushed_is_there_and_comes_back(target: Target, stash: Stash) -> None:
    data = bytes(range(256)) * 20_000  # several chunks
    blob = stash.put(mt.OCTET_STREAM, data)
    assert target.exists(blob)
    assert b"".join(target.fetch(blob)) == data


def test_content_can_be_read_again(target: Target, stash: Stash) -> None:
    content = target.fetch(stash.put(mt.OCTET_STREAM, b"twice"))
    assert b"".join(content) == b"".join(content) == b"twice"


def test_the_empty_blob_is_content_too(target: Target, stash: Stash) -> None:
    blob = stash.put(mt.OCTET_STREAM, b"")
    assert target.exists(blob)
    assert b"".join(target.fetch(blob)) == b""


def test_a_blob_of_sha512_is_kept_under_it(target: Target) -> None:
    data = b"long digest"
    blob = Descriptor(mt.OCTET_STREAM, Digest.of(data, "sha512"), len(data))
    target.push(blob, BytesContent(data))
    assert target.exists(blob)
    assert b"".join(target.fetch(blob)) == data


def test_what_was_not_pushed_is_not_there(target: Target) -> None:
    assert not target.exists(ABSENT)
    assert not target.exists(ABSENT_MANIFEST)
    for absent in (ABSENT, ABSENT_MANIFEST):
        content = target.fetch(absent)  # nothing is opened before it is iterated
        with pytest.raises(NotFoundError):
            b"".join(content)


@pytest.mark.parametrize("reference", ["nope", str(Digest.of(b"nope"))])
def test_what_is_named_by_nothing_is_not_found(target: Target, reference: str) -> None:
    with pytest.raises(NotFoundError):
        target.resolve(reference)


def test_a_malformed_digest_is_invalid_input(target: Target) -> None:
    with pytest.raises(InvalidInputError):
        target.resolve("sha256:xyz")


def test_a_manifest_is_found_by_tag_and_by_digest(target: Target, stash: Stash) -> None:
    root = stash.module(tag="v1")
    for reference in ("v1", str(root.digest)):
        found = target.resolve(reference)
        assert (found.digest, found.size, found.media_type) == (root.digest, root.size, root.media_type)
    check_artifact(target, root)


def test_a_manifest_without_a_tag_is_found_by_digest(target: Target, stash: Stash) -> None:
    root = stash.module()
    assert target.resolve(root.digest).digest == root.digest


def test_a_manifest_in_an_index_is_found_by_digest(target: Target, stash: Stash) -> None:
    child = stash.module()
    stash.index(child, tag="all")
    found = target.resolve(child.digest)
    assert (found.digest, found.size, found.media_type) == (child.digest, child.size, child.media_type)


def test_a_tag_moves(target: Target, stash: Stash) -> None:
    first, second = stash.module(title="a", tag="v1"), stash.module(title="b", tag="v1")
    assert target.resolve("v1").digest == second.digest
    assert target.resolve(first.digest).digest == first.digest


def test_a_manifest_can_be_named_afterwards_and_twice(target: Target, stash: Stash) -> None:
    root = stash.module(tag="v1")
    target.tag(root, "latest")
    target.tag(root, "latest")
    assert target.resolve("v1").digest == target.resolve("latest").digest == root.digest


def test_only_what_is_there_can_be_named(target: Target) -> None:
    with pytest.raises(NotFoundError):
        target.tag(ABSENT_MANIFEST, "v1")


@pytest.mark.parametrize("tag", ["", "-x", "a/b", "../x", "a b", "x" * 129])
def test_a_malformed_tag_is_refused(target: Target, stash: Stash, tag: str) -> None:
    root = stash.module()
    with pytest.raises(InvalidInputError):
        target.tag(root, tag)
    with pytest.raises(InvalidInputError):
        target.push(root, BytesContent(stash.get(root)), tag=tag)


def test_pushing_again_changes_nothing(target: Target, stash: Stash) -> None:
    root = stash.module(tag="v1")
    assert stash.module(tag="v1") == root
    check_artifact(target, root)


@pytest.mark.parametrize("change", [b"?", b"", b"x" * 100])
def test_wrong_bytes_are_refused_and_nothing_is_stored(target: Target, change: bytes) -> None:
    said = Descriptor.of(mt.OCTET_STREAM, b"right bytes")
    wrong = b"right byte" + change
    with pytest.raises(IntegrityError):
        target.push(said, BytesContent(wrong))
    assert not target.exists(said)


def test_a_wrong_manifest_is_refused_and_nothing_is_named(target: Target, stash: Stash) -> None:
    said = Descriptor.of(mt.OCI_MANIFEST, b"{}")
    with pytest.raises(IntegrityError):
        target.push(said, BytesContent(b"[]"), tag="v1")
    assert not target.exists(said)
    with pytest.raises(NotFoundError):
        target.resolve("v1")


def test_a_descriptor_with_a_wrong_size_does_not_verify(target: Target, stash: Stash) -> None:
    blob = stash.put(mt.OCTET_STREAM, b"12345")
    for size in (4, 6):
        with pytest.raises(IntegrityError):
            b"".join(target.fetch(Descriptor(blob.media_type, blob.digest, size)))


def test_the_bytes_of_a_manifest_are_kept_as_they_are(target: Target, stash: Stash) -> None:
    blob = stash.put("application/wasm", b"\0asm").to_json()
    raw = f'{{ "layers" : [],\n "future":{{"z":1,"a":2}}, "config":{blob}, "schemaVersion":2 }}\n'.replace(
        "'", '"'
    ).encode()
    root = Descriptor.of(mt.OCI_MANIFEST, raw)
    target.push(root, BytesContent(raw), tag="odd")
    assert b"".join(target.fetch(target.resolve("odd"))) == raw


def test_threads_may_push_the_same_content_at_once(target: Target) -> None:
    data = b"z" * 3_000_000
    blob, errors = Descriptor.of(mt.OCTET_STREAM, data), list[Exception]()
    start = threading.Barrier(4)

    def push() -> None:
        start.wait()
        try:
            target.push(blob, BytesContent(data))
        except Exception as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert b"".join(target.fetch(blob)) == data


def test_threads_may_tag_at_once(target: Target, stash: Stash) -> None:
    root = stash.module()
    names = [f"t{number}" for number in range(12)]
    threads = [threading.Thread(target=target.tag, args=(root, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {target.resolve(name).digest for name in names} == {root.digest}


def test_tags_are_listed(target: Target, stash: Stash) -> None:
    assert isinstance(target, TagLister)
    root = stash.module(tag="v1")
    target.tag(root, "v2")
    stash.module(title="other", tag="a")
    assert sorted(target.tags()) == ["a", "v1", "v2"]


def test_referrers_are_listed_with_their_type_and_annotations(target: Target, stash: Stash) -> None:
    assert isinstance(target, ReferrerLister)
    subject = stash.module(tag="v1")
    assert list(target.referrers(subject)) == []
    signature = stash.manifest(subject=subject, artifactType="application/x.signature", annotations={"by": "me"})
    report = stash.manifest(subject=subject, annotations={"n": "2"})
    stash.manifest(subject=report)  # of something else
    found = {one.digest: one for one in target.referrers(subject)}
    assert set(found) == {signature.digest, report.digest}
    assert found[signature.digest].artifact_type == "application/x.signature"
    assert found[signature.digest].annotations == {"by": "me"}
    assert found[report.digest].artifact_type == "application/vnd.wasm.config.v0+json"
    only = list(target.referrers(subject, "application/x.signature"))
    assert [one.digest for one in only] == [signature.digest]


def test_a_deleted_manifest_is_gone_with_its_tags(target: Target, stash: Stash) -> None:
    assert isinstance(target, Deleter)
    root, other = stash.module(tag="v1"), stash.module(title="other", tag="v2")
    target.tag(root, "latest")
    target.delete(root)
    assert not target.exists(root)
    for name in ("v1", "latest", str(root.digest)):
        with pytest.raises(NotFoundError):
            target.resolve(name)
    check_artifact(target, other)
    with pytest.raises(NotFoundError):
        target.delete(root)


def test_a_deleted_blob_is_gone(target: Target, stash: Stash) -> None:
    assert isinstance(target, Deleter)
    blob = stash.put(mt.OCTET_STREAM, b"short life")
    target.delete(blob)
    assert not target.exists(blob)
    with pytest.raises(NotFoundError):
        target.delete(ABSENT)


@pytest.mark.parametrize("other", ROWS)
def test_a_graph_moves_to_any_target_and_back(target: Target, stash: Stash, other: str, tmp_path: "Path") -> None:
    child = stash.module(title="m.wasm")
    root = stash.index(child, stash.manifest(stash.put("application/wasm", b"\0asm2")), tag="v1")
    stash.manifest(subject=child, annotations={"signed": "yes"})
    before = check_artifact(target, root)
    (tmp_path / "other").mkdir()
    with TARGETS[other](tmp_path / "other") as elsewhere:
        copied = copy(target, "v1", elsewhere, "v1", recursive=True)
        assert copied.root.digest == root.digest
        assert check_artifact(elsewhere, root) == before
        assert isinstance(elsewhere, ReferrerLister)
        assert len(list(elsewhere.referrers(child))) == 1
        back = MemoryTarget()
        copy(elsewhere, str(root.digest), back, "again", recursive=True)
        assert check_artifact(back, root) == before
