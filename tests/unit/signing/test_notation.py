"""Notation's envelopes and trust policies, with certificates made here."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.signing.notation import read_signature
from wasm2oci.signing.notation_trust import InvalidTrustPolicyError, read_trust_policy
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from wasm2oci.signing.notation import NotationSignature
    from wasm2oci.signing.notation_trust import NotationOutcome

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
MANIFEST = Descriptor.of(mt.OCI_MANIFEST, b"manifest")
NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "WA"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "signer"),
    ]
)
ROOT_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def certificate(key: Key, *, ends: dt.timedelta = dt.timedelta(days=1), crl: bool = False) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(ROOT_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=2))
        .not_valid_after(NOW + ends)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    )
    if crl:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.test/")], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(ROOT_KEY, hashes.SHA256())


ROOT = (
    x509.CertificateBuilder()
    .subject_name(ROOT_NAME)
    .issuer_name(ROOT_NAME)
    .public_key(ROOT_KEY.public_key())
    .serial_number(1)
    .not_valid_before(NOW - dt.timedelta(days=10))
    .not_valid_after(NOW + dt.timedelta(days=10))
    .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    .sign(ROOT_KEY, hashes.SHA256())
)


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def envelope(
    key: Key | None = None,
    leaf: x509.Certificate | None = None,
    target: Descriptor = MANIFEST,
    header: dict[str, Any] | None = None,
    **protected: Any,
) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    leaf = leaf or certificate(key)
    fields = {
        "alg": "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "PS256",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": NOW.isoformat(),
        "crit": ["io.cncf.notary.signingScheme"],
        **{name.replace("__", "."): value for name, value in protected.items()},
    }
    first, second = (
        b64url(json.dumps(fields).encode()),
        b64url(json.dumps({"targetArtifact": target.to_json()}).encode()),
    )
    message = f"{first}.{second}".encode()
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        signature = key.sign(message, pss, hashes.SHA256())
    else:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    chain = [b64(one.public_bytes(serialization.Encoding.DER)) for one in (leaf, ROOT)]
    value = {
        "payload": second,
        "protected": first,
        "header": {"x5c": chain, **(header or {})},
        "signature": b64url(signature),
    }
    return json.dumps(value).encode()


def policy(**changes: Any) -> dict[str, Any]:
    return {
        "name": "one",
        "registryScopes": ["registry.test/app"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme\\, Inc."],
        **changes,
    }


def evaluated(found: NotationSignature, target: Descriptor = MANIFEST, **changes: Any) -> NotationOutcome:
    raw = json.dumps({"version": "1.0", "trustPolicies": [policy(**changes)]}).encode()
    statement = read_trust_policy(raw).for_repository("registry.test/app")
    return statement.evaluate(found, target, {"ca:acme": [ROOT]}, NOW)


def test_signatures_of_both_kinds_of_keys_count() -> None:
    assert evaluated(read_signature(envelope())).claim.subject == MANIFEST.digest
    rsa_key = rsa.generate_private_key(65537, 2048)
    outcome = evaluated(read_signature(envelope(rsa_key)))
    assert outcome.signer.startswith("CN=signer")
    assert outcome.logged == outcome.unchecked == ()


def test_a_timestamp_that_is_not_checked_is_named() -> None:
    found = read_signature(envelope(header={"io.cncf.notary.timestampSignature": "AAAA"}))
    assert evaluated(found).unchecked == ("the RFC 3161 timestamp",)


def broken(old: bytes, new: bytes) -> bytes:
    """An envelope whose certificate has other bytes somewhere, so that the library fails where it reads them."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = certificate(key, crl=True).public_bytes(serialization.Encoding.DER)
    assert old in der
    value = json.loads(envelope(key, certificate(key)))
    value["header"]["x5c"][0] = b64(der.replace(old, new))
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (envelope(alg="ES384"), "its key signs with ES256"),
        (envelope(alg="none"), "its key signs with ES256"),
        (envelope(cty="text/plain"), "unknown type"),
        (envelope(io__cncf__notary__signingScheme="notary.x509.other"), "unknown scheme"),
        (envelope(crit=["io.cncf.notary.signingScheme", "acme.must"]), "not understood"),
        (envelope(crit=[]), "not understood"),
        (envelope(io__cncf__notary__signingTime="yesterday"), "not a time"),
        (envelope(io__cncf__notary__signingTime="2026-01-01T00:00:00"), "no time zone"),
        (envelope(ec.generate_private_key(ec.SECP256R1()), certificate(ROOT_KEY)), "not made by the key"),
        (envelope(header={"x5c": []}), "0 certificates"),
        (envelope(header={"x5c": ["AAAA"]}), "not a certificate"),
        (broken(b"Acme", b"\xff\xfe\xfd\xfc"), "not a certificate"),
        (broken(b"\x86\x10http:", b"\xa3\x10http:"), "not a certificate"),
        (broken(bytes.fromhex("0603551d25"), bytes.fromhex("0603551d1f")), "not a certificate"),
        (broken(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0277")), "a kind that is not used"),
        (envelope().replace(b'"payload"', b'"payload":"", "payload"', 1), "repeated"),
        (b"[]", "not a JSON object"),
    ],
)
def test_an_envelope_that_is_damaged_is_refused(raw: bytes, sentence: str) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        read_signature(raw)


def test_another_artifact_is_refused() -> None:
    found = read_signature(envelope())
    for other in (
        Descriptor.of(mt.OCI_MANIFEST, b"other"),
        Descriptor(mt.OCI_INDEX, MANIFEST.digest, MANIFEST.size),
        Descriptor(mt.OCI_MANIFEST, MANIFEST.digest, MANIFEST.size + 1),
    ):
        with pytest.raises(SignatureRefusedError, match="another artifact"):
            evaluated(found, other)


@pytest.mark.parametrize(
    ("identity", "counts"),
    [
        ("*", True),
        ("x509.subject: C=US, ST=WA, O=Acme\\, Inc., CN=signer", True),
        ("x509.subject: C=US, S=WA, O=Acme\\, Inc.", True),
        ("x509.subject: C=US, ST=WA, O=Acme\\, Inc., CN=sign", False),
        ("x509.subject: C=US, ST=WA, O=Acme", False),
        ("x509.subject: C=US, ST=WA, O=Acme\\, Inc., OU=x", False),
    ],
)
def test_the_identity_of_the_signer_has_to_be_a_trusted_one(identity: str, *, counts: bool) -> None:
    found = read_signature(envelope())
    if counts:
        assert evaluated(found, trustedIdentities=[identity])
    else:
        with pytest.raises(SignatureRefusedError, match="trusted identities"):
            evaluated(found, trustedIdentities=[identity])


def test_what_a_level_enforces_and_what_it_logs() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    expired = read_signature(envelope(key, certificate(key, ends=dt.timedelta(hours=-1))))
    revocable = read_signature(envelope(key, certificate(key, crl=True)))
    out_of_date = read_signature(
        envelope(
            io__cncf__notary__expiry=(NOW - dt.timedelta(hours=1)).isoformat(),
            crit=["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"],
        )
    )
    for found, sentence in (
        (expired, "not valid at"),
        (revocable, "revoked is not checked"),
        (out_of_date, "expired at"),
    ):
        with pytest.raises(SignatureRefusedError, match=sentence):
            evaluated(found)
        outcome = evaluated(found, signatureVerification={"level": "permissive"})
        assert len(outcome.logged) == 1
        assert sentence in outcome.logged[0]
    override = {"level": "strict", "override": {"revocation": "skip"}}
    assert evaluated(revocable, signatureVerification=override).unchecked == ("revocation",)
    with pytest.raises(SignatureRefusedError, match="names no ca store"):
        evaluated(expired, trustStores=["ca:other"], signatureVerification={"level": "permissive"})
    audit = evaluated(expired, trustStores=["ca:other"], signatureVerification={"level": "audit"})
    assert [line.partition(":")[0] for line in audit.logged] == ["authenticity", "authenticTimestamp"]


def test_the_policy_of_a_repository_is_the_one_that_names_it() -> None:
    everywhere = policy(name="all", registryScopes=["*"])
    found = read_trust_policy(json.dumps({"version": "1.0", "trustPolicies": [everywhere, policy()]}).encode())
    assert found.for_repository("registry.test/app").name == "one"
    assert found.for_repository("registry.test/app2").name == "all"
    only = read_trust_policy(json.dumps({"version": "1.0", "trustPolicies": [policy()]}).encode())
    with pytest.raises(SignatureRefusedError, match="no Notation trust policy covers"):
        only.for_repository("registry.test/app2")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"version": "2.0", "trustPolicies": [policy()]}, "version 1.0"),
        ({"version": "1.0", "trustPolicies": []}, "version 1.0"),
        ({"version": "1.0", "trustPolicies": [{**policy(), "name": ""}]}, "no name"),
        ({"version": "1.0", "trustPolicies": [policy(), policy()]}, "two trust policies have the name"),
        ({"version": "1.0", "trustPolicies": [policy(), policy(name="two")]}, "two trust policies have the scope"),
        ({"version": "1.0", "trustPolicies": [policy(registryScopes=["*", "a.b/c"])]}, "only"),
        ({"version": "1.0", "trustPolicies": [policy(registryScopes=[])]}, "registryScopes"),
        ({"version": "1.0", "trustPolicies": [policy(signatureVerification={"level": "lax"})]}, "the level is none of"),
        (
            {
                "version": "1.0",
                "trustPolicies": [policy(signatureVerification={"level": "strict", "override": {"integrity": "skip"}})],
            },
            "override",
        ),
        ({"version": "1.0", "trustPolicies": [policy(trustStores=["ca:../x"])]}, "looks like ca:NAME"),
        ({"version": "1.0", "trustPolicies": [policy(trustStores=[])]}, "no trust stores"),
        ({"version": "1.0", "trustPolicies": [policy(trustedIdentities=[])]}, "no trusted identities"),
        ({"version": "1.0", "trustPolicies": [policy(trustedIdentities=["x509.subject: C=US"])]}, "needs C, ST and O"),
        ({"version": "1.0", "trustPolicies": [policy(trustedIdentities=["CN=x"])]}, "looks like x509.subject"),
        ({"version": "1.0", "trustPolicies": [policy(trustedIdentities=["x509.subject: ZZ=x"])]}, "cannot|can be read"),
    ],
)
def test_a_trust_policy_that_is_malformed_is_refused(value: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidTrustPolicyError, match=sentence):
        read_trust_policy(json.dumps(value).encode())
