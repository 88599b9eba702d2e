"""Signatures with a certificate that are right but for one thing: identities that look alike, logs that are others."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.sigstore_instance import GITHUB_ISSUER, NOW, Instance, Signing, spki
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import simple_signing
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.claim import Identity
from wasm2oci.signing.keyless import Keyless, verify_simple_signature
from wasm2oci.signing.requirement import IdentityRequirement, Verifier
from wasm2oci.signing.strict import SignatureRefusedError
from wasm2oci.signing.trusted_root import InvalidTrustedRootError, read_trusted_root

if TYPE_CHECKING:
    from collections.abc import Callable

SUBJECT = Digest.of(b"manifest")
HOW = Signing(SUBJECT)
ACME = IdentityRequirement(GITHUB_ISSUER, repository="https://github.com/acme/app")
EXACT = "https://github.com/kube/app/.github/workflows/release.yml@refs/heads/main"


def found(subject: str = EXACT, issuer: str = GITHUB_ISSUER, repository: str | None = None) -> Identity:
    return Identity(subject, issuer, repository, "refs/heads/main")


LOOK_ALIKE = [
    EXACT + "\n",
    EXACT + "\0",
    EXACT + "/",
    EXACT + " ",
    " " + EXACT,
    EXACT + "?x=",
    EXACT + "#",
    EXACT.replace("github.com", "github.com."),
    EXACT.replace("github.com", "GitHub.com"),
    EXACT.replace("github.com", "github.com:443"),
    EXACT.replace("github.com", "evil@github.com"),
    EXACT.replace("kube", "\u212aube"),  # the sign of kelvin, whose lower case is k
    EXACT.replace("kube", "\u043aube"),  # Cyrillic
    EXACT.replace("kube", "kube\u200b"),
    EXACT.replace("kube/", "kube%2F"),
    EXACT.replace("https", "http"),
    EXACT.replace("main", "main2"),
    "https://evil.test/" + EXACT,
    EXACT + "\n" + EXACT,
]


@pytest.mark.parametrize("subject", LOOK_ALIKE)
@pytest.mark.parametrize(
    "requirement",
    [
        IdentityRequirement(GITHUB_ISSUER, subject=EXACT),
        IdentityRequirement(GITHUB_ISSUER, pattern=re.compile(re.escape(EXACT))),
        IdentityRequirement(GITHUB_ISSUER, pattern=re.compile("^" + re.escape(EXACT) + "$")),
        IdentityRequirement(GITHUB_ISSUER, pattern=re.compile("nothing|" + re.escape(EXACT))),
        IdentityRequirement(GITHUB_ISSUER, pattern=re.compile("(?m)^" + re.escape(EXACT) + "$")),
    ],
    ids=["exact", "pattern", "anchored", "alternatives", "multiline"],
)
def test_an_identity_that_looks_alike_is_another(requirement: IdentityRequirement, subject: str) -> None:
    requirement.check(found())
    with pytest.raises(SignatureRefusedError, match="another identity"):
        requirement.check(found(subject))


@pytest.mark.parametrize(
    "subject",
    [
        "https://github.com/kubes/app/x",
        "https://github.com/kube",
        "https://github.com/kub\u0435/app/x",
        "https://github.com.evil.test/kube/app/x",
        "https://GITHUB.com/kube/app/x",
    ],
)
def test_what_an_identity_begins_with_ends_at_a_slash(subject: str) -> None:
    requirement = IdentityRequirement(GITHUB_ISSUER, subject_prefix="https://github.com/kube/")
    requirement.check(found())
    with pytest.raises(SignatureRefusedError, match="another identity"):
        requirement.check(found(subject))


@pytest.mark.parametrize(
    "issuer",
    [
        GITHUB_ISSUER + "/",
        GITHUB_ISSUER + "\n",
        GITHUB_ISSUER.upper(),
        GITHUB_ISSUER.replace("https", "http"),
        GITHUB_ISSUER + ".evil.test",
        GITHUB_ISSUER + "/enterprise",
        "",
    ],
)
@pytest.mark.parametrize("pattern", [None, re.compile(re.escape(GITHUB_ISSUER)), re.compile(f"^{GITHUB_ISSUER}$")])
def test_an_issuer_that_looks_alike_is_another(issuer: str, pattern: re.Pattern[str] | None) -> None:
    exact = GITHUB_ISSUER if pattern is None else None
    requirement = IdentityRequirement(exact, subject=EXACT, issuer_pattern=pattern)
    requirement.check(found())
    with pytest.raises(SignatureRefusedError, match="another issuer"):
        requirement.check(found(issuer=issuer))


@pytest.mark.parametrize("wanted", ["https://github.com/kube/app", "https://github.com/kube/"])
@pytest.mark.parametrize(
    "repository",
    [
        "https://github.com/\u212aube/app",
        "https://github.com/kube\u0307/app",
        "https://github.com/kubes/app",
        "https://github.com/kube/app/more",
        "https://github.com/kube/app/",
        "https://github.com/kube",
        "https://github.com/evil/kube/app",
        "https://github.com/evil/app#https://github.com/kube/app",
        "http://github.com/kube/app",
        "kube/app",
        "",
        None,
    ],
)
def test_a_repository_that_looks_alike_is_another(wanted: str, repository: str | None) -> None:
    requirement = IdentityRequirement(GITHUB_ISSUER, repository=wanted)
    requirement.check(found(repository="https://github.com/kube/app"))
    requirement.check(found(repository="https://github.com/Kube/App"))  # GitHub's names differ in more than case
    with pytest.raises(SignatureRefusedError, match="another repository"):
        requirement.check(found(repository=repository))


@pytest.fixture(scope="module")
def instance() -> Instance:
    return Instance()


@pytest.fixture(scope="module")
def keyless(instance: Instance) -> Keyless:
    return Keyless(instance.trusted_root)


def check(keyless: Keyless, candidate: Candidate) -> None:
    Verifier(SUBJECT, lambda: keyless).check(candidate, ACME)


def as_bundle(value: dict[str, Any]) -> Candidate:
    raw = json.dumps(value).encode()
    return Candidate("bundle", "x", raw, Descriptor.of(bundles.MEDIA_TYPE, raw))


def as_simple(payload: bytes, layer: Descriptor, **changes: str) -> Candidate:
    annotations = {**layer.annotations, **changes}
    return Candidate("simple signing", "x", payload, Descriptor.of(layer.media_type, payload, annotations))


def test_a_kelvin_sign_in_a_certificate_is_no_k(keyless: Keyless, instance: Instance) -> None:
    requirement = IdentityRequirement(GITHUB_ISSUER, repository="https://github.com/kube/app")
    how = HOW.but(repository="https://github.com/\u212aube/app")
    for candidate in (as_bundle(instance.bundle(how)), as_simple(*instance.simple(how))):
        with pytest.raises(SignatureRefusedError, match="another repository"):
            Verifier(SUBJECT, lambda: keyless).check(candidate, requirement)


def _without(entry: dict[str, Any], *names: str) -> None:
    for name in names:
        del entry[name]


def _proof(entry: dict[str, Any], **changes: Any) -> None:
    entry["inclusionProof"].update(changes)


def _other_signer(entry: dict[str, Any]) -> None:
    """The checkpoint of the same tree, signed by a log of another key that has the same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    note = entry["inclusionProof"]["checkpoint"]["envelope"].partition("\n\n")[0] + "\n"
    signed = hashlib.sha256(spki(key)).digest()[:4] + key.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
    line = f"\N{EM DASH} rekor.test {base64.b64encode(signed).decode()}\n"
    entry["inclusionProof"]["checkpoint"]["envelope"] = f"{note}\n{line}"


ENTRY_VARIANTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no proof at all": lambda entry: _without(entry, "inclusionPromise", "inclusionProof"),
    "no signed timestamp": lambda entry: _without(entry, "inclusionPromise"),
    "no inclusion proof": lambda entry: _without(entry, "inclusionProof"),
    "another root": lambda entry: _proof(entry, rootHash=base64.b64encode(b"x" * 32).decode()),
    "a longer path": lambda entry: _proof(entry, hashes=[base64.b64encode(b"x" * 32).decode()]),
    "a larger tree": lambda entry: _proof(entry, treeSize="2"),
    "an index behind the tree": lambda entry: _proof(entry, logIndex="1"),
    "no checkpoint": lambda entry: entry["inclusionProof"].pop("checkpoint"),
    "a checkpoint by another log": _other_signer,
    "a time before the certificate": lambda entry: entry.update(integratedTime="1"),
    "a time that is no number": lambda entry: entry.update(integratedTime="1e9"),
    "a negative time": lambda entry: entry.update(integratedTime="-1"),
    "another log": lambda entry: entry["logId"].update(keyId=base64.b64encode(b"x" * 32).decode()),
    "another kind": lambda entry: entry.update(kindVersion={"kind": "rekord", "version": "0.0.1"}),
    "another body": lambda entry: entry.update(canonicalizedBody=base64.b64encode(b"{}").decode()),
}


@pytest.mark.parametrize("name", ENTRY_VARIANTS)
def test_a_log_entry_that_proves_less_is_refused(keyless: Keyless, instance: Instance, name: str) -> None:
    value = instance.bundle(HOW)
    check(keyless, as_bundle(value))
    ENTRY_VARIANTS[name](value["verificationMaterial"]["tlogEntries"][0])
    with pytest.raises(SignatureRefusedError):
        check(keyless, as_bundle(value))


def test_the_inclusion_proof_of_another_tree_is_refused(keyless: Keyless, instance: Instance) -> None:
    value, other = instance.bundle(HOW), instance.bundle(HOW.but(subject=Digest.of(b"other")))
    theirs = other["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    value["verificationMaterial"]["tlogEntries"][0]["inclusionProof"] = theirs
    with pytest.raises(SignatureRefusedError):
        check(keyless, as_bundle(value))


@pytest.mark.parametrize(
    "change",
    [
        lambda stamp: stamp.pop("SignedEntryTimestamp"),
        lambda stamp: stamp.update(SignedEntryTimestamp=""),
        lambda stamp: stamp["Payload"].update(logIndex=1),
        lambda stamp: stamp["Payload"].update(integratedTime=1),
        lambda stamp: stamp["Payload"].update(logID="00" * 32),
        lambda stamp: stamp["Payload"].update(logID=stamp["Payload"]["logID"].upper() + "00"),
        lambda stamp: stamp["Payload"].update(body=stamp["Payload"]["body"][:-4]),
    ],
)
def test_a_legacy_log_entry_that_proves_less_is_refused(
    keyless: Keyless, instance: Instance, change: Callable[[dict[str, Any]], object]
) -> None:
    payload, layer = instance.simple(HOW)
    check(keyless, as_simple(payload, layer))
    stamp = json.loads(layer.annotations[simple_signing.BUNDLE])
    change(stamp)
    with pytest.raises(SignatureRefusedError):
        check(keyless, as_simple(payload, layer, **{simple_signing.BUNDLE: json.dumps(stamp)}))


def test_a_log_whose_time_is_over_is_not_trusted_for_later_entries(instance: Instance) -> None:
    root = json.loads(instance.trusted_root)
    over = (NOW - dt.timedelta(days=1)).isoformat().replace("+00:00", "Z")
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = over
    ended = Keyless(json.dumps(root).encode())
    for candidate in (as_bundle(instance.bundle(HOW)), as_simple(*instance.simple(HOW))):
        with pytest.raises(SignatureRefusedError):
            check(ended, candidate)


def test_an_authority_that_a_signer_sends_along_is_not_trusted(keyless: Keyless, instance: Instance) -> None:
    theirs = Instance(certificate_log=instance.certificate_log, log=instance.log)
    with pytest.raises(SignatureRefusedError, match="not trusted"):
        check(keyless, as_simple(*theirs.simple(HOW)))
    with pytest.raises(SignatureRefusedError, match="does not verify"):
        check(keyless, as_bundle(theirs.bundle(HOW)))


def _without_extension(monkeypatch: pytest.MonkeyPatch, kind: type[x509.ExtensionType]) -> None:
    """Certificates that are made from now on lack this extension."""
    add = x509.CertificateBuilder.add_extension

    def kept(builder: x509.CertificateBuilder, value: x509.ExtensionType, critical: bool) -> x509.CertificateBuilder:  # noqa: FBT001
        return builder if isinstance(value, kind) else add(builder, value, critical)

    monkeypatch.setattr(x509.CertificateBuilder, "add_extension", kept)


@pytest.mark.parametrize("kind", [x509.KeyUsage, x509.ExtendedKeyUsage])
def test_a_certificate_that_does_not_say_what_it_is_for_is_refused(
    keyless: Keyless, instance: Instance, monkeypatch: pytest.MonkeyPatch, kind: type[x509.ExtensionType]
) -> None:
    _ = instance.root, instance.issuing
    _without_extension(monkeypatch, kind)
    for candidate in (as_bundle(instance.bundle(HOW)), as_simple(*instance.simple(HOW))):
        with pytest.raises(SignatureRefusedError, match="does not say that it is for signing code"):
            check(keyless, candidate)


def test_a_certificate_log_is_not_trusted_for_what_it_signed_at_another_time(instance: Instance) -> None:
    root = json.loads(instance.trusted_root)
    root["ctlogs"][0]["publicKey"]["validFor"]["end"] = (NOW - dt.timedelta(days=1)).isoformat()
    ended = read_trusted_root(json.dumps(root).encode())
    payload, layer = instance.simple(HOW)
    with pytest.raises(SignatureRefusedError, match="not logged by a certificate log that is trusted"):
        verify_simple_signature(payload, layer, SUBJECT, ended)


def test_where_no_certificate_log_is_trusted_no_certificate_is(instance: Instance) -> None:
    root = json.loads(instance.trusted_root)
    del root["ctlogs"]
    without = Keyless(json.dumps(root).encode())
    for candidate in (as_bundle(instance.bundle(HOW)), as_simple(*instance.simple(HOW))):
        with pytest.raises(SignatureRefusedError):
            check(without, candidate)


def test_a_trusted_root_without_timestamp_authorities_is_one(instance: Instance) -> None:
    root = json.loads(instance.trusted_root)
    del root["timestampAuthorities"]
    check(Keyless(json.dumps(root).encode()), as_bundle(instance.bundle(HOW)))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: root.update(mediaType="application/vnd.dev.sigstore.trustedroot+json;version=0.9"),
        lambda root: root.pop("mediaType"),
        lambda root: root.clear(),
        lambda root: root.pop("certificateAuthorities"),
        lambda root: root.pop("tlogs"),
        lambda root: root.update(timestampAuthorities=None),
        lambda root: root.update(more=1),
        lambda root: root["tlogs"][0].update(hashAlgorithm="CRC32"),
        lambda root: root["tlogs"][0]["publicKey"].pop("keyDetails"),
        lambda root: root["certificateAuthorities"][0]["certChain"].update(certificates=[]),
        lambda root: root["certificateAuthorities"][0].pop("validFor"),
    ],
)
def test_a_trusted_root_that_cannot_be_used_is_refused(
    instance: Instance, change: Callable[[dict[str, Any]], object]
) -> None:
    root = json.loads(instance.trusted_root)
    change(root)
    with pytest.raises(InvalidTrustedRootError, match="trusted root"):
        Keyless(json.dumps(root).encode())


@pytest.mark.parametrize("place", ["chain", "certificate", "envelope", "material"])
def test_a_bundle_with_a_second_reading_is_refused(keyless: Keyless, instance: Instance, place: str) -> None:
    """protojson reads `x509_certificate_chain` as well: two readers could see two signers."""
    value = instance.bundle(HOW.but(repository="https://github.com/evil/app"))
    material = value["verificationMaterial"]
    ours = instance.bundle(HOW)["verificationMaterial"]["certificate"]
    if place == "chain":
        material.update(x509_certificate_chain={"certificates": [material["certificate"]]}, certificate=ours)
    elif place == "certificate":
        material["certificate"] = {"raw_bytes": material["certificate"]["rawBytes"], **ours}
    elif place == "envelope":
        value["dsse_envelope"] = instance.bundle(HOW)["dsseEnvelope"]
    else:
        value["verification_material"] = {**material, "certificate": ours}
    with pytest.raises(SignatureRefusedError):
        check(keyless, as_bundle(value))
