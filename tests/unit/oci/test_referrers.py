from __future__ import annotations

import json
from typing import Any

from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.referrers import (
    cosign_tag,
    fallback_tag,
    listed_as_referrer,
    names_a_subject,
    of_type,
    with_referrer,
    without_referrer,
)

SUBJECT = Descriptor.of(mt.OCI_MANIFEST, b"subject")


def manifest(**more: Any) -> bytes:
    document = {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": EMPTY_JSON.to_json(), "layers": []}
    return json.dumps({**document, "subject": SUBJECT.to_json(), **more}).encode()


def index(**more: Any) -> bytes:
    document = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [], "subject": SUBJECT.to_json()}
    return json.dumps({**document, **more}).encode()


def listed(media_type: str, raw: bytes) -> Descriptor:
    found = listed_as_referrer(Digest.of(raw), media_type, raw, SUBJECT.digest)
    assert found is not None
    return found


def test_the_fallback_tag_is_cut_to_what_a_tag_may_hold() -> None:
    assert fallback_tag(Digest.of(b"")) == f"sha256-{Digest.of(b'').encoded}"
    assert fallback_tag(Digest.of(b"", "sha512")) == f"sha512-{Digest.of(b'', 'sha512').encoded[:64]}"
    assert names_a_subject(fallback_tag(Digest.of(b"")))
    assert names_a_subject(cosign_tag(Digest.of(b"", "sha512"), "sig"))
    assert names_a_subject(fallback_tag(Digest.of(b"", "sha512")))
    for tag in ("v1-sha256-", "sha256-fix", f"v1-{fallback_tag(Digest.of(b''))}", f"{fallback_tag(Digest.of(b''))}0"):
        assert not names_a_subject(tag)


def test_a_listing_shows_the_artifact_type_of_the_manifest_or_of_its_config() -> None:
    assert listed(mt.OCI_MANIFEST, manifest(artifactType="a/b")).artifact_type == "a/b"
    assert listed(mt.OCI_MANIFEST, manifest()).artifact_type == mt.EMPTY_JSON
    assert listed(mt.OCI_INDEX, index(artifactType="a/b")).artifact_type == "a/b"
    assert "artifactType" not in listed(mt.OCI_INDEX, index()).to_json()
    assert listed(mt.OCI_MANIFEST, manifest(annotations={"k": "v"})).annotations == {"k": "v"}


def test_what_refers_to_something_else_is_not_listed() -> None:
    for raw in (manifest(subject=None), manifest(subject=Descriptor.of("a/b", b"other").to_json()), b"[]"):
        assert listed_as_referrer(Digest.of(raw), mt.OCI_MANIFEST, raw, SUBJECT.digest) is None


def test_a_filter_takes_entries_of_its_type_only() -> None:
    entries = [listed(mt.OCI_MANIFEST, manifest(artifactType="a/b")), listed(mt.OCI_INDEX, index())]
    assert of_type(entries, None) == entries
    assert of_type(entries, "a/b") == entries[:1]
    assert of_type(entries, mt.OCI_INDEX) == []


def test_a_referrer_is_added_once_and_removed_and_all_else_stays() -> None:
    one, two = listed(mt.OCI_MANIFEST, manifest(artifactType="a/b")), listed(mt.OCI_INDEX, index())
    first = with_referrer(None, one)
    assert first is not None
    assert json.loads(first)["manifests"] == [one.to_json()]
    assert with_referrer(first, one) is None
    other = json.dumps({**json.loads(first), "annotations": {"k": "v"}, "vendor": 1}).encode()
    second = with_referrer(other, two)
    assert second is not None
    assert json.loads(second) == {**json.loads(other), "manifests": [one.to_json(), two.to_json()]}
    third = without_referrer(second, one.digest)
    assert third is not None
    assert json.loads(third)["manifests"] == [two.to_json()]
    assert without_referrer(third, one.digest) is None
