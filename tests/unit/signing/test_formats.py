"""Signatures by a key, in each format: what counts, and what is refused, each with its own sentence."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from wasm2oci.errors import ExitCode
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import Manifest, parse_manifest
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import dsse, simple_signing
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.keys import PrivateKey
from wasm2oci.signing.requirement import KeyRequirement, Verifier
from wasm2oci.signing.statement import (
    COSIGN_SIGNATURE,
    PAYLOAD_TYPE,
    attestation,
    matches_type,
    predicate_type,
    signature_statement,
)
from wasm2oci.signing.strict import DOCUMENT_MAX, SignatureRefusedError, base64_bytes, base64url_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.signing.keyless import Keyless

KEY, OTHER_KEY = PrivateKey.generate(), PrivateKey.generate()
SUBJECT, OTHER = Digest.of(b"manifest"), Digest.of(b"another manifest")
BOM = "https://cyclonedx.org/bom"


def no_keyless() -> Keyless:
    raise AssertionError("a key was given, and certificates were asked for")


def check(candidate: Candidate, requirement: KeyRequirement | None = None) -> None:
    Verifier(SUBJECT, no_keyless).check(candidate, requirement or KeyRequirement(KEY.public))


def as_bundle(raw: bytes) -> Candidate:
    return Candidate("bundle", str(Digest.of(raw)), raw, Descriptor(bundles.MEDIA_TYPE, Digest.of(raw), len(raw)))


def as_simple(made: tuple[bytes, Descriptor]) -> Candidate:
    return Candidate("simple signing", str(made[1].digest), *made)


def as_dsse(raw: bytes) -> Candidate:
    return Candidate("dsse", str(Digest.of(raw)), raw, Descriptor.of("application/vnd.dsse.envelope.v1+json", raw))


def changed(raw: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(raw)
    change(value)
    return json.dumps(value).encode()


def signature(key: PrivateKey = KEY, subject: Digest = SUBJECT, **annotations: str) -> bytes:
    return bundles.sign(key, signature_statement(subject, annotations))


def legacy(key: PrivateKey = KEY, subject: Digest = SUBJECT, **annotations: str) -> tuple[bytes, Descriptor]:
    return simple_signing.sign(key, subject, "registry.test/app", annotations)


def test_both_formats_count_for_the_key_that_signed() -> None:
    check(as_bundle(signature()))
    check(as_simple(legacy()))


@pytest.mark.parametrize("make", [lambda **how: as_bundle(signature(**how)), lambda **how: as_simple(legacy(**how))])
def test_the_wrong_key_artifact_or_annotation_is_refused(make: Callable[..., Candidate]) -> None:
    with pytest.raises(SignatureRefusedError, match=r"not (signed|made) by the key") as refused:
        check(make(key=OTHER_KEY))
    assert refused.value.exit_code is ExitCode.INTEGRITY
    with pytest.raises(SignatureRefusedError, match="another artifact"):
        check(make(subject=OTHER))
    wanted = KeyRequirement(KEY.public, {"env": "prod"})
    check(make(env="prod", team="a"), wanted)
    with pytest.raises(SignatureRefusedError, match="did not add env=prod"):
        check(make(env="production"), wanted)
    with pytest.raises(SignatureRefusedError, match="did not add env=prod"):
        check(make(), wanted)


def test_the_payload_of_simple_signing_is_the_one_that_cosign_writes() -> None:
    payload, layer = legacy()
    assert payload == (
        b'{"critical":{"identity":{"docker-reference":"registry.test/app"},"image":{"docker-manifest-digest":"'
        + str(SUBJECT).encode()
        + b'"},"type":"cosign container image signature"},"optional":null}'
    )
    assert layer.media_type == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert list(layer.annotations) == ["dev.cosignproject.cosign/signature"]
    assert b'"optional":{"a":"1","b":"2"}' in legacy(b="2", a="1")[0]


def test_the_config_of_a_signature_manifest_is_the_one_that_cosign_writes() -> None:
    # sigstore-rs issue 6 quotes a signature by cosign: this diff id, and this digest of its config.
    layer = Descriptor(
        simple_signing.LAYER_TYPE,
        Digest.parse("sha256:3af4414d20c9e1cb76ccc72aae8b242166dabe6af531a4a790db8e2f0e5ee7c9"),
        243,
    )
    made = simple_signing.append_layers(None, [layer])
    assert str(Digest.of(made.config)) == "sha256:6be03ee91610ddcd1b1c5b664bb2ef319a85b4ca9ebee1d64d87729c5fd83a91"
    assert len(made.config) == 233


def test_a_signature_is_added_beside_those_that_are_there() -> None:
    first = simple_signing.append_layers(None, [legacy()[1]])
    document = parse_manifest(first.manifest, first.media_type)
    assert isinstance(document, Manifest)
    foreign = json.loads(document.raw)
    foreign["layers"][0]["annotations"]["other.tool/field"] = "kept"
    foreign["unknown"] = {"kept": True}
    kept = parse_manifest(json.dumps(foreign).encode(), mt.OCI_MANIFEST)
    assert isinstance(kept, Manifest)
    second = simple_signing.append_layers(kept, [legacy(OTHER_KEY)[1]])
    value = json.loads(second.manifest)
    assert [layer["digest"] for layer in value["layers"]] == [foreign["layers"][0]["digest"]] * 2
    assert value["layers"][0] == foreign["layers"][0]
    assert value["unknown"] == {"kept": True}
    config = json.loads(second.config)
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == 2
    assert value["config"]["digest"] == str(Digest.of(second.config))


def test_a_bundle_has_the_fields_that_cosign_writes_and_no_key_id() -> None:
    value = json.loads(signature(env="prod"))
    assert value["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert value["verificationMaterial"] == {"publicKey": {"hint": KEY.public.hint}}
    assert value["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert [set(one) for one in value["dsseEnvelope"]["signatures"]] == [{"sig"}]
    assert json.loads(base64.b64decode(value["dsseEnvelope"]["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "subject": [{"digest": {"sha256": SUBJECT.encoded}, "annotations": {"env": "prod"}}],
        "predicate": {},
    }


def test_a_bundle_is_attached_with_the_fields_that_cosign_writes() -> None:
    raw = signature()
    subject = Descriptor(mt.OCI_MANIFEST, SUBJECT, 8)
    value = json.loads(bundles.referrer_manifest(raw, subject, COSIGN_SIGNATURE, "2026-01-02T03:04:05Z"))
    assert value["artifactType"] == bundles.MEDIA_TYPE
    assert value["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert value["config"]["digest"] == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert value["subject"]["digest"] == str(SUBJECT)
    assert value["layers"][0]["digest"] == str(Digest.of(raw))
    assert value["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
        "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
    }


def sign_twice(value: dict[str, Any]) -> None:
    value["dsseEnvelope"]["signatures"] *= 2


def truncate(value: dict[str, Any]) -> None:
    value["dsseEnvelope"]["payload"] = value["dsseEnvelope"]["payload"][:-1]


def stray_bits(value: dict[str, Any]) -> None:
    text = value["dsseEnvelope"]["signatures"][0]["sig"].rstrip("=")
    value["dsseEnvelope"]["signatures"][0]["sig"] = text + "!"


def entry_of_another(value: dict[str, Any], pem: bytes = KEY.public.pem) -> None:
    body = {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": OTHER.encoded}},
            "signature": {
                "content": value["dsseEnvelope"]["signatures"][0]["sig"],
                "publicKey": {"content": base64.b64encode(pem).decode()},
            },
        },
    }
    value["verificationMaterial"]["tlogEntries"] = [
        {
            "logIndex": "1",
            "logId": {"keyId": base64.b64encode(b"x" * 32).decode()},
            "canonicalizedBody": base64.b64encode(json.dumps(body).encode()).decode(),
        }
    ]


def entry_with_a_strange_key(value: dict[str, Any]) -> None:
    der = KEY.public.der.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0277"))
    text = base64.encodebytes(der).decode()
    entry_of_another(value, f"-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n".encode())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda value: value["dsseEnvelope"]["signatures"][0].update(keyid="SHA256:other"), "names the key"),
        (sign_twice, "2 signatures, not one"),
        (lambda value: value["dsseEnvelope"].update(signatures=[]), "0 signatures, not one"),
        (truncate, "truncated or damaged"),
        (stray_bits, "truncated or damaged"),
        (lambda value: value["verificationMaterial"]["publicKey"].update(rawBytes="AAAA"), "public key of its own"),
        (
            lambda value: value["verificationMaterial"].update(certificate={"rawBytes": "AAAA"}),
            "2 keys or certificates",
        ),
        (lambda value: value["verificationMaterial"].pop("publicKey"), "0 keys or certificates"),
        (lambda value: value.update(mediaType="application/vnd.dev.sigstore.bundle.v0.9+json"), "unknown version"),
        (lambda value: value.pop("mediaType"), "unknown version"),
        (lambda value: value.update(messageSignature={"signature": "AAAA"}), "or both"),
        (lambda value: value.pop("dsseEnvelope"), "neither an envelope"),
        (lambda value: value["dsseEnvelope"].update(payloadType="text/plain"), "not signed by the key"),
        (entry_of_another, "log entry is about another artifact"),
        (entry_with_a_strange_key, "of a kind that is not used here"),
        (lambda value: value["dsseEnvelope"].update(payloadType="\ud800"), "surrogate"),
    ],
)
def test_a_bundle_that_was_tampered_with_is_refused(change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        check(as_bundle(changed(signature(), change)))


@pytest.mark.parametrize(
    "key_id", [KEY.public.ssh_fingerprint, KEY.public.hint, ""], ids=["fingerprint", "hint", "none"]
)
def test_a_key_id_that_is_the_keys_own_does_no_harm(key_id: str) -> None:
    check(as_bundle(changed(signature(), lambda v: v["dsseEnvelope"]["signatures"][0].update(keyid=key_id))))


def test_the_hint_of_a_bundle_is_never_a_reason_to_trust_a_key() -> None:
    # GHSA-fx35-mq7g-6g98: a bundle chose the key that it was verified with.
    forged = changed(
        signature(OTHER_KEY), lambda v: v["verificationMaterial"]["publicKey"].update(hint=KEY.public.hint)
    )
    with pytest.raises(SignatureRefusedError, match="not signed by the key"):
        check(as_bundle(forged))


def test_a_repeated_json_key_is_refused() -> None:
    raw = signature().replace(b'{"mediaType"', b'{"dsseEnvelope":{},"mediaType"', 1)
    with pytest.raises(SignatureRefusedError, match="repeated"):
        check(as_bundle(raw))
    payload = legacy()[0].replace(b'{"critical"', b'{"critical":{},"critical"', 1)
    signed = base64.b64encode(KEY.sign(payload)).decode()
    layer = Descriptor.of(simple_signing.LAYER_TYPE, payload, {simple_signing.SIGNATURE: signed})
    with pytest.raises(SignatureRefusedError, match="repeated"):
        check(as_simple((payload, layer)))


def test_an_oversized_document_is_refused() -> None:
    raw = signature() + b" " * DOCUMENT_MAX
    with pytest.raises(SignatureRefusedError, match="the limit is"):
        check(as_bundle(raw))


def test_a_bundle_of_an_attestation_is_no_signature_and_the_other_way_round() -> None:
    sbom = as_bundle(bundles.sign(KEY, attestation(SUBJECT, "registry.test/app", BOM, {"bomFormat": "CycloneDX"})))
    with pytest.raises(SignatureRefusedError, match="statement is of another type"):
        check(sbom)
    check(sbom, KeyRequirement(KEY.public, types=(BOM,)))
    with pytest.raises(SignatureRefusedError, match="an attestation is required"):
        check(as_simple(legacy()), KeyRequirement(KEY.public, types=(BOM,)))


def test_a_legacy_attestation_counts_by_its_own_statement() -> None:
    raw = dsse.sign(KEY, PAYLOAD_TYPE, attestation(SUBJECT, "registry.test/app", BOM, {})).raw
    check(as_dsse(raw), KeyRequirement(KEY.public, types=(BOM,)))
    with pytest.raises(SignatureRefusedError, match="not signed by the key"):
        check(as_dsse(raw), KeyRequirement(OTHER_KEY.public, types=(BOM,)))
    foreign = dsse.sign(KEY, PAYLOAD_TYPE, attestation(OTHER, "registry.test/app", BOM, {})).raw
    with pytest.raises(SignatureRefusedError, match="another artifact"):
        check(as_dsse(foreign), KeyRequirement(KEY.public, types=(BOM,)))
    text = dsse.sign(KEY, "text/plain", attestation(SUBJECT, "registry.test/app", BOM, {})).raw
    with pytest.raises(SignatureRefusedError, match="not a statement"):
        check(as_dsse(text), KeyRequirement(KEY.public, types=(BOM,)))


def payload_with(change: Callable[[dict[str, Any]], object]) -> tuple[bytes, Descriptor]:
    payload = changed(legacy()[0], change)
    signed = base64.b64encode(KEY.sign(payload)).decode()
    return payload, Descriptor.of(simple_signing.LAYER_TYPE, payload, {simple_signing.SIGNATURE: signed})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda value: value["critical"].update(type="something else"), "not the signature of an artifact"),
        (lambda value: value["critical"].pop("type"), "no type"),
        (lambda value: value["critical"].pop("image"), "no image"),
        (
            lambda value: value["critical"].update(image={"docker-manifest-digest": SUBJECT.encoded}),
            "another artifact",
        ),
        (lambda value: value.update(optional=[]), "optional"),
        (lambda value: value.pop("critical"), "no critical"),
    ],
)
def test_a_signed_payload_that_says_something_else_is_refused(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        check(as_simple(payload_with(change)))


def test_what_lies_under_a_signature_tag_is_read_strictly() -> None:
    made = simple_signing.append_layers(None, [legacy()[1]])
    assert len(simple_signing.read_manifest(made.manifest, made.media_type).layers) == 1
    index = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []}).encode()
    with pytest.raises(SignatureRefusedError, match="an index"):
        simple_signing.read_manifest(index, mt.OCI_INDEX)
    with pytest.raises(SignatureRefusedError, match="damaged"):
        simple_signing.read_manifest(b"{}", mt.OCI_MANIFEST)
    many = changed(made.manifest, lambda value: value.update(layers=value["layers"] * 1001))
    with pytest.raises(SignatureRefusedError, match="more than 1000"):
        simple_signing.read_manifest(many, mt.OCI_MANIFEST)


def test_a_full_signature_manifest_takes_no_more() -> None:
    made = simple_signing.append_layers(None, [legacy()[1]])
    full = changed(made.manifest, lambda value: value.update(layers=value["layers"] * 1000))
    with pytest.raises(SignatureRefusedError, match="which is the limit"):
        simple_signing.append_layers(simple_signing.read_manifest(full, mt.OCI_MANIFEST), [legacy()[1]])


def test_base64_is_read_in_its_canonical_form_only() -> None:
    assert base64_bytes("YQ==", "x") == b"a"
    for text in ("YQ=", "YQ", "YR==", "YQ==\n", " YQ==", "Y-==", 7, None):
        with pytest.raises(SignatureRefusedError, match="base64"):
            base64_bytes(text, "x")
    assert base64url_bytes("_-8", "x") == b"\xff\xef"
    for text in ("_-8=", "/+8", "_-9", "_"):
        with pytest.raises(SignatureRefusedError, match="base64"):
            base64url_bytes(text, "x")


def test_the_encoding_that_is_signed_is_the_one_of_the_specification() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert dsse.pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_types_of_predicates_match_with_their_version_and_not_by_likeness() -> None:
    assert predicate_type("cyclonedx") == BOM
    assert predicate_type("https://example.com/x") == "https://example.com/x"
    assert matches_type(BOM, BOM)
    assert matches_type(BOM + "/v1.5", BOM)
    for other in (BOM + "-evil", BOM + "/", "https://cyclonedx.org/", BOM + "x/v1"):
        assert not matches_type(other, BOM)
