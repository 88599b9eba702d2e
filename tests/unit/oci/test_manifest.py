import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import annotations, descriptors, json_values
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import Index, InvalidManifestError, Manifest, ManifestTooLargeError, parse_manifest
from wasm2oci.oci.wire import MANIFEST_MAX, MalformedJsonError

BLOB = Descriptor.of("application/wasm", b"x").to_json()
IMAGE = {"schemaVersion": 2, "config": BLOB, "layers": [BLOB]}
INDEX = {"schemaVersion": 2, "manifests": []}


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


@given(descriptors(), st.lists(descriptors(), max_size=3), st.none() | descriptors(), annotations())
def test_a_manifest_says_what_was_written(
    config: Descriptor, layers: list[Descriptor], subject: Descriptor | None, notes: dict[str, str]
) -> None:
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
        "annotations": notes,
    }
    if subject is not None:
        value["subject"] = subject.to_json()
    raw = encode(value)
    manifest = parse_manifest(raw)
    assert isinstance(manifest, Manifest)
    assert (manifest.config, manifest.layers, manifest.subject) == (config, tuple(layers), subject)
    assert manifest.annotations == notes
    assert manifest.raw is raw
    assert manifest.children == (config, *layers)
    assert manifest.descriptor().digest == Digest.of(raw)


@given(json_values() | st.fixed_dictionaries({"schemaVersion": st.just(2)}, optional={
    "mediaType": json_values() | st.sampled_from([mt.OCI_MANIFEST, mt.OCI_INDEX]),
    "config": json_values() | st.just(BLOB), "layers": json_values() | st.just([BLOB]),
    "manifests": json_values() | st.just([BLOB]), "subject": json_values(), "annotations": json_values(),
    "artifactType": json_values(),
}))  # fmt: skip
def test_any_json_is_a_manifest_or_an_error_of_ours(value: Any) -> None:
    try:
        parse_manifest(encode(value))
    except Wasm2OciError as error:
        assert error.message  # noqa: PT017 - either outcome is right


@given(st.binary(max_size=60))
def test_any_bytes_are_a_manifest_or_an_error_of_ours(raw: bytes) -> None:
    with pytest.raises(Wasm2OciError):
        parse_manifest(raw)


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        ({**IMAGE, **INDEX}, None),
        ({**IMAGE, **INDEX, "mediaType": mt.OCI_MANIFEST}, mt.OCI_MANIFEST),
        ({**IMAGE, **INDEX, "mediaType": mt.OCI_INDEX}, mt.OCI_INDEX),
        ({**IMAGE, "mediaType": mt.OCI_INDEX}, None),
        ({**INDEX, "mediaType": mt.OCI_MANIFEST}, None),
        ({**IMAGE, "mediaType": mt.OCI_MANIFEST}, mt.OCI_INDEX),
        ({**INDEX, "mediaType": mt.OCI_INDEX}, mt.OCI_MANIFEST),
        (IMAGE, mt.OCI_INDEX),
        (INDEX, mt.OCI_MANIFEST),
        ({"schemaVersion": 2, "config": BLOB, "manifests": []}, mt.OCI_INDEX),
    ],
)
def test_cve_2021_41190_a_document_that_could_be_two_things_is_refused(
    value: dict[str, Any], content_type: str | None
) -> None:
    with pytest.raises(InvalidManifestError):
        parse_manifest(encode(value), content_type)


@pytest.mark.parametrize(
    ("value", "content_type", "kind"),
    [
        (IMAGE, None, mt.OCI_MANIFEST),
        (IMAGE, f"{mt.OCI_MANIFEST}; charset=utf-8", mt.OCI_MANIFEST),
        (IMAGE, mt.DOCKER_MANIFEST, mt.DOCKER_MANIFEST),
        ({**IMAGE, "mediaType": mt.DOCKER_MANIFEST}, mt.DOCKER_MANIFEST.upper(), mt.DOCKER_MANIFEST),
        (INDEX, None, mt.OCI_INDEX),
        (INDEX, mt.DOCKER_INDEX, mt.DOCKER_INDEX),
        ({"schemaVersion": 2, "manifests": None}, mt.OCI_INDEX, mt.OCI_INDEX),
        ({"schemaVersion": 2}, mt.OCI_INDEX, mt.OCI_INDEX),
    ],
)
def test_the_manifests_own_media_type_comes_before_the_content_type(
    value: dict[str, Any], content_type: str | None, kind: str
) -> None:
    document = parse_manifest(encode(value), content_type)
    assert document.media_type == kind
    assert isinstance(document, Index if kind in mt.INDEXES else Manifest)
    assert document.descriptor("sha512").digest.algorithm == "sha512"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({**IMAGE, "schemaVersion": 1}, "schemaVersion 1, not 2"),
        ({**IMAGE, "schemaVersion": True}, "schemaVersion True"),
        ({"config": BLOB, "layers": []}, "it has no schemaVersion"),
        ({**IMAGE, "mediaType": 7}, "not a string"),
        ({**IMAGE, "mediaType": "application/vnd.oci.artifact.manifest.v1+json"}, "not a manifest that is understood"),
        ({**IMAGE, "layers": {}}, "no list of layers"),
        ({"schemaVersion": 2, "config": BLOB}, "no list of layers"),
        ({"schemaVersion": 2, "layers": []}, "config is not an object"),
        ({**IMAGE, "layers": [BLOB, 1]}, "layer 1 is not an object"),
        ({**INDEX, "manifests": {"a": 1}}, "no list of manifests"),
        ({**INDEX, "manifests": [1]}, "manifest 0 is not an object"),
        ({**IMAGE, "subject": 1}, "subject is not an object"),
        ({**IMAGE, "artifactType": 1}, "artifactType of the manifest is not a string"),
        ({**INDEX, "annotations": 1}, "annotations of index are not strings"),
    ],
)
def test_each_fault_of_a_manifest_is_named(value: dict[str, Any], message: str) -> None:
    with pytest.raises(Wasm2OciError, match=message):
        parse_manifest(encode(value))


def test_cve_2020_1702_a_manifest_over_the_limit_is_not_even_parsed() -> None:
    with pytest.raises(ManifestTooLargeError, match="the limit is 4,194,304"):
        parse_manifest(b" " * (MANIFEST_MAX + 1))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"<html>", "not valid JSON"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":1,"b":2,"a":3}', "key 'a' is repeated"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a":' + b"1" * 5000 + b"}", "a number is too long"),
    ],
)
def test_json_from_outside_is_one_object_and_says_everything_once(raw: bytes, message: str) -> None:
    with pytest.raises(MalformedJsonError, match=message):
        parse_manifest(raw)


def test_a_listing_of_referrers_shows_the_type_of_an_artifact() -> None:
    # "If the artifactType is empty or missing in the image manifest, the value of artifactType MUST be set to the
    # config descriptor mediaType value."
    manifest = parse_manifest(encode({**IMAGE, "artifactType": "", "annotations": {"a": "b"}}))
    listed = manifest.as_referrer()
    assert listed.artifact_type == manifest.effective_type == "application/wasm"
    assert listed.annotations == {"a": "b"}
    assert parse_manifest(encode({**IMAGE, "artifactType": "x/y"})).as_referrer().artifact_type == "x/y"
    # "If the artifactType is empty or missing in an index, the artifactType MUST be omitted."
    index = parse_manifest(encode(INDEX))
    assert index.as_referrer("sha512").artifact_type is None
    assert index.effective_type == mt.OCI_INDEX
    assert index.children == ()
