"""Signatures with certificates, against a Fulcio and logs made here, without a network."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sigstore_instance import GITHUB_ISSUER, NOW, Instance, Signing
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import simple_signing
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.keyless import Keyless
from wasm2oci.signing.requirement import IdentityRequirement, Verifier
from wasm2oci.signing.statement import attestation
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.signing.claim import Signer

SUBJECT = Digest.of(b"manifest")
OTHER = Digest.of(b"another manifest")
HOW = Signing(SUBJECT)
ACME = IdentityRequirement(GITHUB_ISSUER, repository="https://github.com/acme/app")


@pytest.fixture(scope="module")
def instance() -> Instance:
    return Instance()


@pytest.fixture(scope="module")
def keyless(instance: Instance) -> Keyless:
    return Keyless(instance.trusted_root)


def as_bundle(value: dict[str, Any]) -> Candidate:
    raw = json.dumps(value).encode()
    return Candidate("bundle", str(Digest.of(raw)), raw, Descriptor.of(bundles.MEDIA_TYPE, raw))


def as_simple(payload: bytes, layer: Descriptor) -> Candidate:
    return Candidate("simple signing", str(layer.digest), payload, layer)


def check(keyless: Keyless, candidate: Candidate, requirement: IdentityRequirement = ACME) -> Signer:
    return Verifier(SUBJECT, lambda: keyless).check(candidate, requirement)


@pytest.fixture(params=["bundle", "simple signing"])
def made(request: pytest.FixtureRequest, instance: Instance) -> Callable[[Signing], Candidate]:
    if request.param == "bundle":
        return lambda how: as_bundle(instance.bundle(how))
    return lambda how: as_simple(*instance.simple(how))


def test_a_signature_of_the_right_identity_counts(keyless: Keyless, made: Callable[[Signing], Candidate]) -> None:
    signer = check(keyless, made(HOW))
    assert signer.identity is not None
    assert signer.identity.issuer == GITHUB_ISSUER
    assert signer.identity.subject == HOW.identity
    assert signer.identity.reference == "refs/heads/main"


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (HOW.but(subject=OTHER), "another artifact"),
        (HOW.but(issuer="https://accounts.google.com"), "another issuer"),
        (HOW.but(issuer=GITHUB_ISSUER + "/"), "another issuer"),
        (HOW.but(repository="https://github.com/acme/app2"), "another repository"),
        (HOW.but(repository="https://github.com/acme-evil/app"), "another repository"),
        (HOW.but(repository=None), "another repository"),
        (HOW.but(lifetime=dt.timedelta(seconds=1), logged_after=dt.timedelta(minutes=5)), "expired|not valid at"),
        (HOW.but(logged_after=dt.timedelta(minutes=-5)), "expired|not (yet )?valid"),
        (HOW.but(with_sct=False), "not logged|SCT"),
    ],
)
def test_a_signature_that_is_wrong_in_one_thing_is_refused(
    keyless: Keyless, made: Callable[[Signing], Candidate], how: Signing, sentence: str
) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        check(keyless, made(how))


@pytest.mark.parametrize(
    ("requirement", "sentence"),
    [
        (IdentityRequirement(GITHUB_ISSUER, subject=HOW.identity[:-1]), "another identity"),
        (IdentityRequirement(GITHUB_ISSUER, subject_prefix="https://github.com/acm/"), "another identity"),
        (IdentityRequirement(GITHUB_ISSUER, pattern=re.compile("https://github.com/acme/app")), "another identity"),
        (IdentityRequirement(GITHUB_ISSUER, repository="https://github.com/acm/"), "another repository"),
        (IdentityRequirement(GITHUB_ISSUER, repository=ACME.repository, reference="refs/heads/v1"), "another branch"),
        (IdentityRequirement(GITHUB_ISSUER, repository=ACME.repository, annotations={"env": "prod"}), "did not add"),
        (IdentityRequirement(None, subject=HOW.identity, issuer_pattern=re.compile("https://token")), "another issuer"),
        (IdentityRequirement(None, subject=HOW.identity), "another issuer"),
    ],
)
def test_a_requirement_that_is_almost_met_is_not_met(
    keyless: Keyless, made: Callable[[Signing], Candidate], requirement: IdentityRequirement, sentence: str
) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        check(keyless, made(HOW), requirement)


@pytest.mark.parametrize(
    "requirement",
    [
        IdentityRequirement(GITHUB_ISSUER, subject=HOW.identity),
        IdentityRequirement(GITHUB_ISSUER, subject_prefix="https://github.com/acme/app/"),
        IdentityRequirement(GITHUB_ISSUER, pattern=re.compile("https://github.com/acme/app/.*")),
        IdentityRequirement(GITHUB_ISSUER, repository="https://github.com/ACME/"),
        IdentityRequirement(GITHUB_ISSUER, repository=ACME.repository, reference="refs/heads/main"),
        IdentityRequirement(None, subject=HOW.identity, issuer_pattern=re.compile("https://token[.].*")),
    ],
)
def test_every_way_to_name_an_identity_works(
    keyless: Keyless, made: Callable[[Signing], Candidate], requirement: IdentityRequirement
) -> None:
    assert check(keyless, made(HOW), requirement).identity is not None


def test_an_email_address_is_an_identity(keyless: Keyless, made: Callable[[Signing], Candidate]) -> None:
    how = HOW.but(identity="me@example.com", issuer="https://accounts.google.com", repository=None, reference=None)
    wanted = IdentityRequirement("https://accounts.google.com", subject="me@example.com")
    assert check(keyless, made(how), wanted).name == "me@example.com (https://accounts.google.com)"


def test_a_certificate_of_another_authority_is_refused(made: Callable[[Signing], Candidate]) -> None:
    with pytest.raises(SignatureRefusedError):
        check(Keyless(Instance().trusted_root), made(HOW))


def test_an_attestation_is_no_signature(keyless: Keyless, instance: Instance) -> None:
    sbom = attestation(SUBJECT, "registry.test/app", "https://cyclonedx.org/bom", {})
    with pytest.raises(SignatureRefusedError, match="another type"):
        check(keyless, as_bundle(instance.bundle(HOW.but(statement=sbom))))


def test_the_log_entry_of_another_artifact_is_refused_in_a_bundle(keyless: Keyless, instance: Instance) -> None:
    # CVE-2026-22703: the entry was genuine, and not compared with what was signed.
    value, other = instance.bundle(HOW), instance.bundle(HOW.but(subject=OTHER))
    value["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    with pytest.raises(SignatureRefusedError, match="does not match"):
        check(keyless, as_bundle(value))


def test_the_log_entry_of_another_artifact_is_refused_beside_a_layer(keyless: Keyless, instance: Instance) -> None:
    # CVE-2022-36056: the same, for legacy signatures.
    payload, layer = instance.simple(HOW)
    _, other = instance.simple(HOW.but(subject=OTHER))
    annotations = {**layer.annotations, simple_signing.BUNDLE: other.annotations[simple_signing.BUNDLE]}
    with pytest.raises(SignatureRefusedError, match="another signature"):
        check(keyless, as_simple(payload, Descriptor.of(layer.media_type, payload, annotations)))


def test_a_legacy_signature_without_a_log_entry_is_refused(keyless: Keyless, instance: Instance) -> None:
    payload, layer = instance.simple(HOW)
    annotations = {name: text for name, text in layer.annotations.items() if name != simple_signing.BUNDLE}
    with pytest.raises(SignatureRefusedError, match="no log entry"):
        check(keyless, as_simple(payload, Descriptor.of(layer.media_type, payload, annotations)))


def test_an_entry_whose_time_was_changed_is_refused(keyless: Keyless, instance: Instance) -> None:
    payload, layer = instance.simple(HOW)
    entry = json.loads(layer.annotations[simple_signing.BUNDLE])
    entry["Payload"]["integratedTime"] += 1
    annotations = {**layer.annotations, simple_signing.BUNDLE: json.dumps(entry)}
    with pytest.raises(SignatureRefusedError, match="not made by the log"):
        check(keyless, as_simple(payload, Descriptor.of(layer.media_type, payload, annotations)))


def test_two_log_entries_are_refused(keyless: Keyless, instance: Instance) -> None:
    value = instance.bundle(HOW)
    value["verificationMaterial"]["tlogEntries"] *= 2
    with pytest.raises(SignatureRefusedError):
        check(keyless, as_bundle(value))


def test_a_certificate_is_checked_at_the_time_of_the_log_and_not_now(keyless: Keyless, instance: Instance) -> None:
    old = HOW.but(at=NOW - dt.timedelta(days=3))
    assert check(keyless, as_bundle(instance.bundle(old))).identity is not None
    assert check(keyless, as_simple(*instance.simple(old))).identity is not None


def test_without_the_extra_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['sigstore'] = None\n"
        "from wasm2oci.signing.keyless import Keyless, SigstoreMissingError\n"
        "try: Keyless()\n"
        "except SigstoreMissingError as error: print(int(error.exit_code), *error.remedy)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "8 install sigstore\n"
