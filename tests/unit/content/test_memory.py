import pytest

from tests.support.artifacts import Stash
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent, DigestMismatchError
from wasm2oci.errors import InvalidInputError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor


def test_added_content_is_read_late_and_verified() -> None:
    target = MemoryTarget()
    blob = Descriptor.of(mt.OCTET_STREAM, b"right")
    target.add(blob, BytesContent(b"wrong"))
    assert target.exists(blob)
    with pytest.raises(DigestMismatchError):
        b"".join(target.fetch(blob))


def test_a_tag_given_with_added_content_is_checked() -> None:
    target = MemoryTarget()
    with pytest.raises(InvalidInputError):
        target.add(Descriptor.of(mt.OCI_MANIFEST, b""), BytesContent(b""), tag="a/b")
    assert str(target) == "memory"


def test_a_tag_is_taken_away() -> None:
    stash = Stash()
    assert isinstance(stash.target, MemoryTarget)
    stash.module(tag="v1")
    stash.target.untag("v1")
    with pytest.raises(NotFoundError):
        stash.target.untag("v1")


def test_what_is_no_manifest_refers_to_nothing() -> None:
    stash = Stash()
    assert isinstance(stash.target, MemoryTarget)
    stash.put(mt.OCI_MANIFEST, b"[]")
    assert stash.target.referrers(stash.module()) == []
