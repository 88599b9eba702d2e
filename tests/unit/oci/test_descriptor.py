from typing import Any

import pytest
from hypothesis import given

from tests.support.strategies import descriptors, json_values
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor, InvalidDescriptorError
from wasm2oci.oci.digest import Digest

GOOD = {"mediaType": "application/wasm", "digest": str(Digest.of(b"x")), "size": 1}


@given(descriptors())
def test_a_descriptor_reads_what_it_writes(descriptor: Descriptor) -> None:
    assert Descriptor.from_json(descriptor.to_json()) == descriptor


@given(json_values())
def test_any_json_is_a_descriptor_or_an_error_of_ours(value: Any) -> None:
    try:
        Descriptor.from_json(value)
    except InvalidInputError as error:
        assert error.message  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mediaType": None}, "lacks mediaType or digest"),
        ({"mediaType": 5}, "lacks mediaType or digest"),
        ({"mediaType": "x"}, "not a media type"),
        ({"digest": None}, "lacks mediaType or digest"),
        ({"digest": "sha256:0"}, "64 lowercase hex"),
        ({"size": None}, "whole-number size"),
        ({"size": 1.0}, "whole-number size"),
        ({"size": True}, "whole-number size"),
        ({"size": "1"}, "whole-number size"),
        ({"artifactType": 1}, "artifactType of descriptor is not a string"),
        ({"platform": "linux"}, "platform of descriptor is not an object"),
        ({"urls": "https://x"}, "urls of descriptor are not strings"),
        ({"urls": [1]}, "urls of descriptor are not strings"),
        ({"annotations": []}, "annotations of descriptor are not strings"),
        ({"annotations": {"a": 1}}, "annotations of descriptor are not strings"),
        ({"data": 1}, "data of descriptor is not a string"),
        ({"data": "%%%"}, "data of descriptor is not base64"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Descriptor.from_json({**GOOD, **change})


@pytest.mark.parametrize("size", [-1, -(2**63), 2**43 + 1, 2**64])
def test_ghsa_f36w_a_negative_or_huge_size_is_refused_before_anything_is_allocated(size: int) -> None:
    with pytest.raises(InvalidDescriptorError, match="out of range"):
        Descriptor.from_json({**GOOD, "size": size})


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    descriptor = Descriptor.from_json({**GOOD, "future": [1], "annotations": None, "urls": None, "platform": None})
    assert descriptor.to_json() == GOOD


def test_what_is_not_an_object_is_named_as_what_it_should_be() -> None:
    with pytest.raises(InvalidDescriptorError, match="layer 3 is not an object"):
        Descriptor.from_json([], "layer 3")


def test_the_empty_descriptor_is_the_one_of_the_specification() -> None:
    assert EMPTY_JSON.to_json() == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
        "data": "e30=",
    }


def test_manifests_and_indexes_are_distinguished_from_blobs() -> None:
    for kind in (mt.OCI_MANIFEST, mt.OCI_INDEX, mt.DOCKER_MANIFEST, mt.DOCKER_INDEX):
        assert Descriptor.of(kind, b"").is_manifest
    assert not Descriptor.of(mt.OCI_CONFIG, b"").is_manifest


def test_descriptors_are_values() -> None:
    one, other = Descriptor.of("a/b", b"x", {"k": "v"}), Descriptor.of("a/b", b"x", {"k": "v"})
    assert one == other
    assert len({one, other}) == 1
    assert one.title is None
    assert Descriptor.of("a/b", b"", {"org.opencontainers.image.title": "../x"}).title == "../x"
