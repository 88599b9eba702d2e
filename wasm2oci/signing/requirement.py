"""What a signature has to fulfil, and whether one that was found does.

A requirement is fulfilled by a signature (or attestation) of the right kind, about the right manifest, by the right
key or identity, with the right annotations. Whatever the registry says besides (annotations of manifests, hints, key
ids) only helps to find things.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import dsse, simple_signing
from wasm2oci.signing.claim import Signer
from wasm2oci.signing.statement import COSIGN_SIGNATURE, PAYLOAD_TYPE, matches_type, read_statement
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping

    from wasm2oci.oci.digest import Digest
    from wasm2oci.signing.bundle import Bundle
    from wasm2oci.signing.candidate import Candidate
    from wasm2oci.signing.claim import Identity
    from wasm2oci.signing.keyless import Keyless
    from wasm2oci.signing.keys import PublicKey
    from wasm2oci.signing.trusted_root import TrustedRoot

__all__ = [
    "GITHUB_ISSUER",
    "SIGNATURE_TYPES",
    "IdentityRequirement",
    "KeyRequirement",
    "Requirement",
    "Verifier",
]

GITHUB_ISSUER: Final = "https://token.actions.githubusercontent.com"
SIGNATURE_TYPES: Final = (COSIGN_SIGNATURE,)
"""Predicate types of a plain signature. An attestation by the same key is not a signature: it says something else."""
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeyRequirement:
    """Signed by this key.

    Attributes:
        key: the user's.
        annotations: that the signer must have added.
        types: predicate types that count.
        logged: the signature must be in a log that the trusted root trusts.
    """

    key: PublicKey
    annotations: Mapping[str, str] = field(default_factory=lambda: _NONE)
    types: tuple[str, ...] = SIGNATURE_TYPES
    logged: bool = False

    @property
    def text(self) -> str:
        """In words, for people."""
        return _with(f"by the key {self.key.id[:12]}", self.annotations, self.types)


@dataclass(frozen=True, slots=True)
class IdentityRequirement:
    """Signed with a certificate of this identity.

    Attributes:
        issuer: the OpenID Connect issuer, exactly; or None with `issuer_pattern`.
        subject: the subject, exactly; or None.
        subject_prefix: what the subject begins with; ends with a slash, so that a longer name does not pass for it.
        pattern: what all of the subject matches.
        repository: `https://github.com/OWNER/REPO`, or with a slash at its end any repository of an owner; or None.
        reference: `refs/heads/main`; or None for any.
        annotations: that the signer must have added.
        types: predicate types that count.
        issuer_pattern: what all of the issuer matches.
    """

    issuer: str | None
    subject: str | None = None
    subject_prefix: str | None = None
    pattern: re.Pattern[str] | None = None
    repository: str | None = None
    reference: str | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: _NONE)
    types: tuple[str, ...] = SIGNATURE_TYPES
    issuer_pattern: re.Pattern[str] | None = None

    @property
    def text(self) -> str:
        """In words, for people."""
        who = self.repository or self.subject or self.subject_prefix or (self.pattern.pattern if self.pattern else "")
        issuer = self.issuer or (self.issuer_pattern.pattern if self.issuer_pattern else "")
        at = f" at {self.reference}" if self.reference else ""
        return _with(f"by {who}{at} ({issuer})", self.annotations, self.types)

    def check(self, found: Identity) -> None:
        """Compares an identity from a certificate that was verified.

        Raises:
            SignatureRefusedError: it is another one.
        """
        issuer_matches = (
            found.issuer == self.issuer
            if self.issuer is not None
            else self.issuer_pattern is not None and self.issuer_pattern.fullmatch(found.issuer) is not None
        )
        if not issuer_matches:
            raise SignatureRefusedError(f"the certificate is of another issuer: {found.issuer[:120]!r}")
        if not self._is_subject(found.subject):
            raise SignatureRefusedError(f"the certificate is of another identity: {found.subject[:120]!r}")
        if self.repository is not None and not self._is_repository(found.repository or ""):
            raise SignatureRefusedError(f"the certificate is of another repository: {(found.repository or '')[:120]!r}")
        if self.reference is not None and found.reference != self.reference:
            raise SignatureRefusedError(
                f"the certificate is of another branch or tag: {(found.reference or '')[:120]!r}"
            )

    def _is_subject(self, found: str) -> bool:
        if self.subject is not None and found != self.subject:
            return False
        if self.subject_prefix is not None and not found.startswith(self.subject_prefix):
            return False
        return self.pattern is None or self.pattern.fullmatch(found) is not None

    def _is_repository(self, found: str) -> bool:
        wanted = self.repository or ""
        if not found.isascii():  # a letter of another script may have a Latin one as its lower case
            return False
        if wanted.endswith("/"):
            return found.lower().startswith(wanted.lower()) and found.count("/") == wanted.count("/")
        return found.lower() == wanted.lower()


Requirement = KeyRequirement | IdentityRequirement


def _with(text: str, annotations: Mapping[str, str], types: tuple[str, ...]) -> str:
    what = "" if types == SIGNATURE_TYPES else f" on a statement of type {' or '.join(types)}"
    extra = ", ".join(f"{name}={value}" for name, value in annotations.items())
    return f"signed {text}{what}" + (f" with {extra}" if extra else "")


class Verifier:
    """Checks candidates against requirements; what costs much is done once for each candidate.

    Args:
        subject: digest of the manifest.
        keyless: makes what verifies certificates, when it is first needed.
        root: whose logs are trusted, for requirements that ask for a log entry.
    """

    def __init__(self, subject: Digest, keyless: Callable[[], Keyless], root: TrustedRoot | None = None) -> None:
        self._subject = subject
        self._make = keyless
        self._keyless: Keyless | None = None
        self._root = root
        self._known: dict[str, Signer | SignatureRefusedError] = {}
        self._bundles: dict[str, Bundle] = {}

    def check(self, candidate: Candidate, requirement: Requirement) -> Signer:
        """Who signed, if this candidate fulfils the requirement.

        Raises:
            SignatureRefusedError: it does not; the message says why.
        """
        match requirement:
            case KeyRequirement():
                signer = self._by_key(candidate, requirement.key, self._root if requirement.logged else None)
            case IdentityRequirement():
                signer = self._by_certificate(candidate)
                if signer.identity is None:
                    raise SignatureRefusedError("the signature was made with a key, not with a certificate")
                requirement.check(signer.identity)
        claim = signer.claim
        if claim.predicate_type is None:
            if COSIGN_SIGNATURE not in requirement.types:
                raise SignatureRefusedError("this is a signature, and an attestation is required")
        elif not any(matches_type(claim.predicate_type, wanted) for wanted in requirement.types):
            raise SignatureRefusedError(f"the statement is of another type: {claim.predicate_type[:120]!r}")
        for name, value in requirement.annotations.items():
            if claim.annotations.get(name) != value:
                raise SignatureRefusedError(f"the signer did not add {name}={value}"[:160])
        return signer

    def _by_key(self, candidate: Candidate, key: PublicKey, root: TrustedRoot | None) -> Signer:
        if root is not None and candidate.form != "bundle":
            raise SignatureRefusedError("legacy signatures by a key are not checked against a log here")
        match candidate.form:
            case "simple signing":
                claim = simple_signing.verify(candidate.raw, candidate.layer, key, self._subject)
            case "bundle":
                claim = bundles.verify(self._bundle(candidate), key, self._subject, root)
            case "dsse":
                envelope = dsse.read_envelope(candidate.raw)
                payload = envelope.verify(key)
                if envelope.payload_type != PAYLOAD_TYPE:
                    raise SignatureRefusedError(f"what was signed is not a statement: {envelope.payload_type[:80]!r}")
                claim = read_statement(payload).about(self._subject, "dsse")
            case _:
                raise SignatureRefusedError(f"a {candidate.form} signature is not checked with a key")
        return Signer(claim, key_id=key.id)

    def _by_certificate(self, candidate: Candidate) -> Signer:
        known = self._known.get(candidate.origin)
        if known is None:
            try:
                known = self._with_certificate(candidate)
            except SignatureRefusedError as error:
                known = error
            self._known[candidate.origin] = known
        if isinstance(known, SignatureRefusedError):
            raise known
        return known

    def _with_certificate(self, candidate: Candidate) -> Signer:
        match candidate.form:
            case "simple signing":
                if simple_signing.CERTIFICATE not in candidate.layer.annotations:
                    raise SignatureRefusedError("the signature was made with a key, not with a certificate")
                return self._certificates().verify_simple(candidate.raw, candidate.layer, self._subject)
            case "bundle":
                found = self._bundle(candidate)
                if found.certificate is None:
                    raise SignatureRefusedError("the bundle was signed with a key, not with a certificate")
                return self._certificates().verify_bundle(found, self._subject)
            case _:
                raise SignatureRefusedError(f"a {candidate.form} signature is not checked with an identity")

    def _bundle(self, candidate: Candidate) -> Bundle:
        found = self._bundles.get(candidate.origin)
        if found is None:
            found = self._bundles[candidate.origin] = bundles.read_bundle(candidate.raw)
        return found

    def _certificates(self) -> Keyless:
        if self._keyless is None:
            self._keyless = self._make()
        return self._keyless
