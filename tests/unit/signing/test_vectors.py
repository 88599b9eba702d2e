"""The vectors of other projects, each with the verdict that its project states (see docs/development.md, Test data)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.data import data_path, missing_reason
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import notation, notation_trust, rekor, simple_signing
from wasm2oci.signing.certificates import load_pem_chain
from wasm2oci.signing.cosign_key import read_private_key
from wasm2oci.signing.embedded import read_embedded_key
from wasm2oci.signing.keyless import Keyless, verify_simple_signature
from wasm2oci.signing.keys import InvalidKeyError, PublicKey, UnsupportedKeyError
from wasm2oci.signing.strict import MalformedSignatureError, SignatureRefusedError
from wasm2oci.signing.trusted_root import Authority, Log, TrustedRoot, read_trusted_root

if TYPE_CHECKING:
    from pathlib import Path

VECTORS = data_path("signing-vectors")
pytestmark = [pytest.mark.spec, pytest.mark.skipif(not VECTORS.exists(), reason=missing_reason("signing-vectors"))]
BUNDLES, LEGACY, NOTATION = VECTORS / "bundles", VECTORS / "legacy", VECTORS / "notation"


def legacy(name: str) -> tuple[bytes, Descriptor, Digest]:
    """Payload and layer of a stored signature, and the digest of the manifest beside it."""
    raw = (LEGACY / name / "signature-1").read_bytes()
    value = json.loads(raw.removeprefix(b"\0sigstore-json\n"))
    payload = base64.b64decode(value["payload"])
    layer = Descriptor.of(value["mimeType"], payload, value["annotations"])
    return payload, layer, Digest.of((LEGACY / name / "manifest.json").read_bytes())


def public(path: Path) -> PublicKey:
    return PublicKey.from_pem(path.read_bytes())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_kubewardens_keys_open_and_fit_their_public_keys(number: int) -> None:
    key = read_private_key((VECTORS / f"keys/kubewarden-cosign{number}.key").read_bytes(), lambda: b"kubewarden")
    assert key.public.pem == (VECTORS / f"keys/kubewarden-cosign{number}.pub").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ed25519key", "Ed25519"),
        ("pemcosignkey", "ECDSA P-256"),
        ("pemsigstorekey", "ECDSA P-256"),
        ("validecp256", "ECDSA P-256"),
        ("validecp384", "ECDSA P-384"),
        ("validecpkcs8", "ECDSA P-256"),
        ("validrsapkcs8", "RSA 2048"),
    ],
)
def test_the_keys_that_cosign_takes_are_taken(name: str, kind: str) -> None:
    file = (VECTORS / f"keys/cosign-keys_test-{name}.pem").read_bytes()
    assert read_private_key(file, lambda: b"hello").public.kind == kind


def test_the_keys_that_cosign_refuses_are_refused() -> None:
    with pytest.raises(UnsupportedKeyError, match="secp224r1"):
        read_private_key((VECTORS / "keys/cosign-keys_test-invalidecp224.pem").read_bytes(), lambda: b"hello")
    with pytest.raises(InvalidKeyError, match="not PKCS#8"):
        read_private_key((VECTORS / "keys/cosign-keys_test-pemcosigneckey.pem").read_bytes(), lambda: b"hello")


@pytest.mark.parametrize("name", ["dir-img-cosign-valid", "dir-img-cosign-valid-with-tag"])
def test_legacy_signatures_by_a_key_verify(name: str) -> None:
    payload, layer, subject = legacy(name)
    claim = simple_signing.verify(payload, layer, public(LEGACY / "cosign.pub"), subject)
    assert claim.repository is not None
    with pytest.raises(SignatureRefusedError, match="not made by the key"):
        simple_signing.verify(payload, layer, public(LEGACY / "cosign2.pub"), subject)
    with pytest.raises(SignatureRefusedError, match="another artifact"):
        simple_signing.verify(payload, layer, public(LEGACY / "cosign.pub"), Digest.of(b"other"))


def test_a_legacy_signature_of_an_unknown_key_is_refused() -> None:
    value = json.loads((LEGACY / "unknown-cosign-key.signature").read_bytes().removeprefix(b"\0sigstore-json\n"))
    payload = base64.b64decode(value["payload"])
    layer = Descriptor.of(value["mimeType"], payload, value["annotations"])
    with pytest.raises(SignatureRefusedError, match="not made by the key"):
        simple_signing.verify(payload, layer, public(LEGACY / "cosign.pub"), Digest.of(b"any"))


def test_an_attachment_of_another_type_is_no_signature() -> None:
    _, layer, _ = legacy("dir-img-cosign-other-attachment")
    assert layer.media_type != simple_signing.LAYER_TYPE


def rekor_log() -> Log:
    key = public(LEGACY / "rekor.pub")
    return Log(bytes.fromhex(key.id), key.key, datetime.fromtimestamp(0, UTC), None)


def test_a_legacy_signature_by_a_key_has_a_log_entry_that_is_about_it() -> None:
    payload, layer, subject = legacy("dir-img-cosign-key-rekor-valid")
    key = public(LEGACY / "cosign2.pub")
    simple_signing.verify(payload, layer, key, subject)
    entry = rekor.from_annotation(layer.annotations[simple_signing.BUNDLE].encode())
    entry.check_logged([rekor_log()])
    digest = bytes.fromhex(Digest.of(payload).encoded)
    entry.check_about(rekor.EntrySubject(simple_signing.signature_of(layer), frozenset([digest]), frozenset([key.der])))
    other = public(LEGACY / "cosign.pub")
    with pytest.raises(SignatureRefusedError, match="another key"):
        entry.check_about(
            rekor.EntrySubject(simple_signing.signature_of(layer), frozenset([digest]), frozenset([other.der]))
        )
    with pytest.raises(SignatureRefusedError, match="not trusted"):
        entry.check_logged([])


def test_a_legacy_signature_with_a_certificate_verifies() -> None:
    payload, layer, subject = legacy("dir-img-cosign-fulcio-rekor-valid")
    roots = tuple(load_pem_chain((LEGACY / "fulcio_v1.crt.pem").read_text(), "the root"))
    always = datetime.fromtimestamp(0, UTC)
    root = TrustedRoot(b"", tuple(Authority((one,), always, None) for one in roots), (rekor_log(),), ())
    signer = verify_simple_signature(payload, layer, subject, root)
    assert signer.identity is not None
    assert "@" in signer.identity.subject
    with pytest.raises(SignatureRefusedError, match="not trusted"):
        verify_simple_signature(payload, layer, subject, root._replace(authorities=()))


def test_a_legacy_signature_with_a_certificate_and_no_log_entry_is_refused() -> None:
    # containers/image can be told to trust such a private authority; here a log has to show when it was used.
    payload, layer, subject = legacy("dir-img-cosign-pki-valid")
    with pytest.raises(SignatureRefusedError, match="no log entry"):
        verify_simple_signature(payload, layer, subject, TrustedRoot(b"", (), (), ()))


def bundle(name: str) -> bundles.Bundle:
    return bundles.read_bundle((BUNDLES / name / "bundle.sigstore.json").read_bytes())


ARTIFACT = (BUNDLES / "a.txt").read_bytes() if VECTORS.exists() else b""


@pytest.mark.parametrize("name", ["managed-key-happy-path", "managed-key-and-trusted-root"])
def test_bundles_of_a_file_by_a_key_verify(name: str) -> None:
    key = public(BUNDLES / name / "key.pub")
    found = bundle(name)
    bundles.verify_message(found, key, ARTIFACT)
    assert found.hint == key.hint
    root = BUNDLES / name / "trusted_root.json"
    if root.exists():
        bundles.verify_message(found, key, ARTIFACT, read_trusted_root(root.read_bytes()))
    with pytest.raises(SignatureRefusedError, match="another file"):
        bundles.verify_message(found, key, ARTIFACT + b"x")
    with pytest.raises(SignatureRefusedError, match="not made by the key"):
        bundles.verify_message(found, public(LEGACY / "cosign.pub"), ARTIFACT)


def test_a_bundle_by_a_key_does_not_verify_without_one() -> None:
    with pytest.raises(SignatureRefusedError, match="with a certificate"):
        Keyless().verify_message(bundle("managed-key-no-key_fail"), ARTIFACT)


def test_a_key_file_that_is_damaged_is_refused() -> None:
    with pytest.raises(InvalidKeyError):
        public(BUNDLES / "managed-key-wrong-key_fail" / "key.pub")


def test_a_bundle_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(MalformedSignatureError, match="unknown version"):
        bundle("bundle-unknown-version_fail")


def test_a_bundle_of_a_file_with_a_certificate_verifies() -> None:
    assert Keyless().verify_message(bundle("happy-path-v0.3"), ARTIFACT).issuer == (
        "https://token.actions.githubusercontent.com"
    )


@pytest.mark.parametrize("name", ["incorrect-public-key_fail", "message-digest-mismatch_fail"])
def test_a_bundle_of_a_file_that_was_tampered_with_is_refused(name: str) -> None:
    with pytest.raises(SignatureRefusedError):
        Keyless().verify_message(bundle(name), ARTIFACT)


@pytest.mark.parametrize("name", ["happy-path-intoto-in-dsse-v3", "rekor2-dsse-happy-path"])
def test_a_bundle_of_a_statement_with_a_certificate_verifies(name: str) -> None:
    root = BUNDLES / name / "trusted_root.json"
    signer = Keyless(root.read_bytes() if root.exists() else None).verify_bundle(bundle(name), Digest.of(ARTIFACT))
    assert signer.identity is not None
    assert "sigstore-conformance" in signer.identity.subject
    with pytest.raises(SignatureRefusedError, match="another artifact"):
        Keyless(root.read_bytes() if root.exists() else None).verify_bundle(bundle(name), Digest.of(b"x"))


@pytest.mark.parametrize("name", ["dsse-invalid-sig_fail", "dsse-mismatch-envelope_fail", "dsse-mismatch-sig_fail"])
def test_a_bundle_of_a_statement_that_was_tampered_with_is_refused(name: str) -> None:
    with pytest.raises(SignatureRefusedError, match="does not verify"):
        Keyless().verify_bundle(bundle(name), Digest.of(ARTIFACT))


def test_cosigns_attestation_of_an_image_verifies() -> None:
    root = (BUNDLES / "cosign-trusted_root_pgi.json").read_bytes()
    found = bundles.read_bundle((BUNDLES / "cosign-oci-attestation.sigstore.json").read_bytes())
    subject = Digest.parse("sha256:732112270d7e59418a8c080b134b24cabd67d250d0d0147a97ed95ba5c280aa4")
    signer = Keyless(root).verify_bundle(found, subject)
    assert signer.name == "cody@soyland.com (https://github.com/login/oauth)"
    # Our own reading of the log entry agrees with the library's.
    for entry in found.entries:
        entry.check_logged(read_trusted_root(root).logs)


def test_notations_signatures_are_whole_or_refused() -> None:
    manifest = (NOTATION / "alpine-manifest.json").read_bytes()
    found = notation.read_signature((NOTATION / "jws_signature.sig").read_bytes())
    assert found.target.digest == Digest.of(manifest)
    assert found.target.size == len(manifest)
    assert notation.read_signature((NOTATION / "ca_valid_sig_env.json").read_bytes()).store == "ca"
    assert notation.read_signature((NOTATION / "sa_valid_sig_env.json").read_bytes()).store == "signingAuthority"
    assert notation.read_signature((NOTATION / "jwsWithTimestamp.sig").read_bytes()).timestamped
    for name in ("ca_invalid_sig_env.json", "cose_signature.sig", "jws-conformance.json"):
        with pytest.raises(SignatureRefusedError):
            notation.read_signature((NOTATION / name).read_bytes())


@pytest.mark.parametrize(
    ("name", "level", "sentence"),
    [
        ("ca_valid_sig_env.json", "strict", None),
        ("sa_valid_sig_env.json", "strict", None),
        ("ca_expired_sig_env.json", "strict", "expired"),
        ("ca_expired_sig_env.json", "permissive", None),
    ],
)
def test_notations_signatures_by_an_authority(name: str, level: str, sentence: str | None) -> None:
    root = load_pem_chain((NOTATION / "NotationTestRoot.pem").read_text(), "the root")
    policy = {
        "name": "test",
        "registryScopes": ["*"],
        "signatureVerification": {"level": level},
        "trustStores": ["ca:test", "signingAuthority:test"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Notary"],
    }
    statement = notation_trust.read_trust_policy(
        json.dumps({"version": "1.0", "trustPolicies": [policy]}).encode()
    ).for_repository("registry.test/app")
    found = notation.read_signature((NOTATION / name).read_bytes())
    stores = {"ca:test": root, "signingAuthority:test": root}
    now = datetime(2026, 11, 28, tzinfo=UTC)
    if sentence is None:
        assert "Notation" in statement.evaluate(found, found.target, stores, now).signer
    else:
        with pytest.raises(SignatureRefusedError, match=sentence):
            statement.evaluate(found, found.target, stores, now)


@pytest.mark.parametrize("number", [1, 2])
def test_wasmsign2s_public_keys_are_read(number: int) -> None:
    raw = (VECTORS / f"wasmsign/signature_key{number}.pub").read_bytes()
    assert read_embedded_key(raw).public_bytes_raw() == raw[1:]
    with pytest.raises(Wasm2OciError, match="not an Ed25519 public key"):
        read_embedded_key(raw[1:])
