"""Signatures by a key that are right but for one thing, and that thing is made to look right: none of them counts."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import dsse, simple_signing
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.keys import InvalidKeyError, PrivateKey, PublicKey
from wasm2oci.signing.requirement import KeyRequirement, Verifier
from wasm2oci.signing.statement import PAYLOAD_TYPE, matches_type, signature_statement
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.signing.keyless import Keyless

KEY, OTHER_KEY = PrivateKey.generate(), PrivateKey.generate()
SUBJECT, OTHER = Digest.of(b"manifest"), Digest.of(b"another manifest")
STATEMENT = signature_statement(SUBJECT, {})


def no_keyless() -> Keyless:
    raise AssertionError("a key was given, and certificates were asked for")


def check(candidate: Candidate, key: PrivateKey = KEY, **annotations: str) -> None:
    Verifier(SUBJECT, no_keyless).check(candidate, KeyRequirement(key.public, annotations))


def as_bundle(value: dict[str, Any]) -> Candidate:
    raw = json.dumps(value).encode()
    return Candidate("bundle", "x", raw, Descriptor.of(bundles.MEDIA_TYPE, raw))


def signed(statement: bytes = STATEMENT, kind: str = PAYLOAD_TYPE, key: PrivateKey = KEY) -> dict[str, Any]:
    """A bundle, as JSON that can still be changed."""
    value: dict[str, Any] = json.loads(bundles.sign(key, statement))
    value["dsseEnvelope"] = dsse.sign(key, kind, statement).to_json()
    return value


def as_simple(payload: bytes, signature: str | None) -> Candidate:
    annotations = {} if signature is None else {simple_signing.SIGNATURE: signature}
    return Candidate("simple signing", "x", payload, Descriptor.of(simple_signing.LAYER_TYPE, payload, annotations))


def payload(**changes: Any) -> bytes:
    critical = {
        "identity": {"docker-reference": "registry.test/app"},
        "image": {"docker-manifest-digest": str(SUBJECT)},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": {**critical, **changes}, "optional": None}).encode()


def signature_of(message: bytes, key: PrivateKey = KEY) -> str:
    return base64.b64encode(key.sign(message)).decode()


def url_safe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


def test_what_is_varied_here_counts_as_it_is() -> None:
    check(as_bundle(signed()))
    check(as_simple(payload(), signature_of(payload())))


@pytest.mark.parametrize(
    "kind", ["application/vnd.in-toto+json; charset=utf-8", "application/vnd.in-toto+JSON", "application/json", ""]
)
def test_what_was_signed_as_another_type_is_no_statement(kind: str) -> None:
    with pytest.raises(SignatureRefusedError, match="not a statement"):
        check(as_bundle(signed(kind=kind)))
    raw = json.dumps(signed(kind=kind)["dsseEnvelope"]).encode()
    with pytest.raises(SignatureRefusedError, match="not a statement"):
        check(Candidate("dsse", "x", raw, Descriptor.of("application/vnd.dsse.envelope.v1+json", raw)))


def test_a_type_that_was_changed_after_signing_is_not_signed() -> None:
    value = signed(kind="application/vnd.other+json")
    value["dsseEnvelope"]["payloadType"] = PAYLOAD_TYPE
    with pytest.raises(SignatureRefusedError, match="not signed by the key"):
        check(as_bundle(value))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-1],
        lambda text: text[:-4],
        lambda text: text.rstrip("=") + ("" if text.endswith("=") else "="),
        lambda text: text[:8] + "\n" + text[8:],
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text + "=",
        lambda text: text + "\u200b",
        lambda text: [text],
        lambda text: None,
    ],
)
@pytest.mark.parametrize("field", ["payload", "sig"])
def test_base64_has_one_form(damage: Callable[[str], Any], field: str) -> None:
    value = signed()
    envelope = value["dsseEnvelope"]
    inner = envelope if field == "payload" else envelope["signatures"][0]
    inner[field] = damage(inner[field])
    with pytest.raises(SignatureRefusedError, match=r"base64|not signed by the key"):
        check(as_bundle(value))


def test_base64_of_urls_is_not_read() -> None:
    # Every payload that has one of the two letters, which differ.
    message = payload(x="\u00ff\u00fe>>>???")
    text = next(text for text in (signature_of(message) for _ in range(200)) if "+" in text or "/" in text)
    check(as_simple(message, text))
    with pytest.raises(SignatureRefusedError, match="base64"):
        check(as_simple(message, url_safe(text)))


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_an_envelope_with_a_good_and_a_bad_signature_is_refused(order: slice) -> None:
    value = signed()
    good = value["dsseEnvelope"]["signatures"]
    bad = signed(key=OTHER_KEY)["dsseEnvelope"]["signatures"]
    value["dsseEnvelope"]["signatures"] = (good + bad)[order]
    with pytest.raises(SignatureRefusedError, match="2 signatures, not one"):
        check(as_bundle(value))


def test_the_key_id_of_another_key_is_refused_although_the_signature_holds() -> None:
    value = signed()
    value["dsseEnvelope"]["signatures"][0]["keyid"] = OTHER_KEY.public.ssh_fingerprint
    with pytest.raises(SignatureRefusedError, match="names the key"):
        check(as_bundle(value))


@pytest.mark.parametrize("given", [{"rawBytes": ""}, {"hint": "x", "rawBytes": "AAAA"}, {"rawBytes": None, "hint": ""}])
def test_a_key_in_the_bundle_is_never_the_one_that_is_used(given: dict[str, Any]) -> None:
    # GHSA-fx35-mq7g-6g98: the bundle's own key took the place of the user's.
    value = signed(key=OTHER_KEY)
    own = base64.b64encode(OTHER_KEY.public.der).decode()
    material = {name: own if name == "rawBytes" and text is not None else text for name, text in given.items()}
    value["verificationMaterial"] = {"publicKey": material}
    with pytest.raises(SignatureRefusedError, match=r"brings a public key|not signed by the key"):
        check(as_bundle(value))


@pytest.mark.parametrize(
    "digest",
    [
        {"sha512": SUBJECT.encoded},
        {"SHA256": SUBJECT.encoded},
        {"sha256": SUBJECT.encoded.upper()},
        {"sha256": str(SUBJECT)},
        {"sha256": SUBJECT.encoded + "\n"},
        {"sha256": SUBJECT.encoded[:-1]},
        {"sha256": ""},
        {"sha512": hashlib.sha512(b"manifest").hexdigest()},
        {"gitCommit": SUBJECT.encoded},
    ],
)
def test_a_digest_of_another_algorithm_or_spelling_is_another_artifact(digest: dict[str, str]) -> None:
    value = json.loads(STATEMENT)
    value["subject"][0]["digest"] = digest
    with pytest.raises(SignatureRefusedError, match="another artifact"):
        check(as_bundle(signed(json.dumps(value).encode())))
    text = ":".join(next(iter(digest.items())))
    message = payload(image={"docker-manifest-digest": text})
    with pytest.raises(SignatureRefusedError, match="another artifact"):
        check(as_simple(message, signature_of(message)))


def test_the_annotations_of_another_subject_do_not_count() -> None:
    value = json.loads(STATEMENT)
    other = {"digest": {"sha256": OTHER.encoded}, "annotations": {"env": "prod"}}
    value["subject"].insert(0, other)
    check(as_bundle(signed(json.dumps(value).encode())))
    with pytest.raises(SignatureRefusedError, match="did not add env=prod"):
        check(as_bundle(signed(json.dumps(value).encode())), env="prod")
    value["subject"][1]["annotations"] = {"env": "prod"}
    check(as_bundle(signed(json.dumps(value).encode())), env="prod")


@pytest.mark.parametrize("value", [True, 1, None, ["prod"], {"prod": ""}, "prod ", "Prod", ""])
def test_an_annotation_that_is_not_the_text_does_not_count(value: object) -> None:
    statement = json.loads(STATEMENT)
    statement["subject"][0]["annotations"] = {"env": value}
    with pytest.raises(SignatureRefusedError, match="did not add env=prod"):
        check(as_bundle(signed(json.dumps(statement).encode())), env="prod")
    message = json.dumps({**json.loads(payload()), "optional": {"env": value}}).encode()
    with pytest.raises(SignatureRefusedError, match="did not add env=prod"):
        check(as_simple(message, signature_of(message)), env="prod")


@pytest.mark.parametrize(
    "kind",
    [
        "https://sigstore.dev/cosign/sign/v1/",
        "https://sigstore.dev/cosign/sign/v1/v1",
        "https://sigstore.dev/cosign/sign/v2",
        "https://sigstore.dev/cosign/sign/v1\u200b",
        "HTTPS://sigstore.dev/cosign/sign/v1",
        "https://sigstore.dev./cosign/sign/v1",
        "",
    ],
)
def test_a_statement_of_a_type_that_looks_like_a_signature_is_none(kind: str) -> None:
    value = {**json.loads(STATEMENT), "predicateType": kind}
    with pytest.raises(SignatureRefusedError, match="another type"):
        check(as_bundle(signed(json.dumps(value).encode())))


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        ("https://cyclonedx.org/bom/v1.6", "https://cyclonedx.org/bom", True),
        ("https://spdx.dev/Document/v2.3", "https://spdx.dev/Document", True),
        ("https://cyclonedx.org/bom/vex", "https://cyclonedx.org/bom", False),
        ("https://cyclonedx.org/bom/v1.6/vex", "https://cyclonedx.org/bom", False),
        ("https://cyclonedx.org/bom/v", "https://cyclonedx.org/bom", False),
        ("https://cyclonedx.org/bom/v1\n", "https://cyclonedx.org/bom", False),
        ("https://cyclonedx.org/bom-v1", "https://cyclonedx.org/bom", False),
        ("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2", False),
        ("https://slsa.dev/provenance/v1/v2", "https://slsa.dev/provenance/v1", False),
    ],
)
def test_only_a_version_of_a_type_is_taken_for_it(found: str, wanted: str, *, fits: bool) -> None:
    assert matches_type(found, wanted) is fits


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (payload().replace(b'"critical"', b'"critical": {}, "critical"', 1), "repeated"),
        (payload().replace(b'"type"', b'"type": "x", "\\u0074ype"', 1), "repeated"),
        (payload(type="Cosign container image signature"), "not the signature of an artifact"),
        (payload(type=["cosign container image signature"]), "no type"),
        (payload(image=[]), "no image"),
        (b"\xef\xbb\xbf" + payload(), "not valid JSON"),
        (payload().decode().encode("utf-16"), "not valid JSON"),
        (payload() + b"{}", "not valid JSON"),
        (b"[" + payload() + b"]", "not a JSON object"),
        (dsse.pae(PAYLOAD_TYPE, STATEMENT), "not valid JSON"),
    ],
)
def test_a_payload_that_two_readers_read_in_two_ways_is_refused(raw: bytes, sentence: str) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        check(as_simple(raw, signature_of(raw)))


def _raw_signature(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


CURVES = [(ec.SECP256R1(), hashes.SHA256()), (ec.SECP384R1(), hashes.SHA384()), (ec.SECP521R1(), hashes.SHA512())]


@pytest.mark.parametrize(("curve", "own"), CURVES)
def test_a_key_of_each_curve_verifies_with_its_hashes_and_no_other(
    curve: ec.EllipticCurve, own: hashes.HashAlgorithm
) -> None:
    private = ec.generate_private_key(curve)
    key, message = PrivateKey(private), payload()
    for algorithm, holds in ((hashes.SHA256(), True), (own, True), (hashes.SHA1(), False), (hashes.SHA3_256(), False)):
        text = base64.b64encode(private.sign(message, ec.ECDSA(algorithm))).decode()
        if holds:
            check(as_simple(message, text), key)
        else:
            with pytest.raises(SignatureRefusedError, match="not made by the key"):
                check(as_simple(message, text), key)


def test_a_signature_in_another_form_does_not_hold() -> None:
    message = payload()
    assert isinstance(KEY.key, ec.EllipticCurvePrivateKey)
    der = KEY.sign(message)
    wrong = [_raw_signature(KEY.key, message), der + b"\0", der[:-1], b"\0" + der, b"", b"\x30\x06\x02\x01\0\x02\x01\0"]
    for raw in wrong:
        with pytest.raises(SignatureRefusedError, match="not made by the key"):
            check(as_simple(message, base64.b64encode(raw).decode()))
    with pytest.raises(SignatureRefusedError, match="not text in base64"):
        check(as_simple(message, None))


def test_the_other_padding_of_rsa_and_the_other_ed25519_do_not_pass_for_the_one_of_cosign() -> None:
    message = payload()
    private = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    for raw in (
        private.sign(message, pss, hashes.SHA256()),
        private.sign(message, padding.PKCS1v15(), hashes.SHA512()),
    ):
        with pytest.raises(SignatureRefusedError, match="not made by the key"):
            check(as_simple(message, base64.b64encode(raw).decode()), PrivateKey(private))
    edwards = ed25519.Ed25519PrivateKey.generate()
    hashed = edwards.sign(hashlib.sha512(message).digest())  # prehashed by hand, which is not Ed25519ph
    with pytest.raises(SignatureRefusedError, match="not made by the key"):
        check(as_simple(message, base64.b64encode(hashed).decode()), PrivateKey(edwards))


@pytest.mark.parametrize(
    ("pem", "sentence"),
    [
        (KEY.public.pem + OTHER_KEY.public.pem, "several keys"),
        (b"# ours\n" + KEY.public.pem + b"\n-----BEGIN CERTIFICATE-----\n", "several keys"),
        (KEY.public.pem.replace(b"PUBLIC", b"PRIVATE"), "private key"),
        (KEY.public.pem.replace(b"PUBLIC KEY", b"CERTIFICATE"), "not a public key"),
        (KEY.public.pem.replace(b"-----END PUBLIC KEY-----", b""), "not a public key"),
        (KEY.public.der, "not a public key"),
        (base64.b64encode(KEY.public.der), "not a public key"),
        (b"", "not a public key"),
    ],
)
def test_a_file_that_is_not_one_public_key_is_refused(pem: bytes, sentence: str) -> None:
    with pytest.raises(InvalidKeyError, match=sentence):
        PublicKey.from_pem(pem)
