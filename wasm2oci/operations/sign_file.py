"""Signing a file, and verifying the signature of one: a Sigstore bundle beside the file, which needs no registry.

    FILE                    anything: a module before it is pushed, a release
    FILE.sigstore.json      the bundle: a signature of the file's bytes, or a statement about their SHA-256

The same bundles as `cosign sign-blob --bundle` writes and `cosign verify-blob --bundle` reads. A bundle with a
statement, such as a provenance that GitHub made of a file, verifies as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.base.outputs import write_file
from wasm2oci.base.reading import read_named
from wasm2oci.content.verify import BytesContent, ContentTooLargeError
from wasm2oci.errors import Remedy, RemedyKind, UsageError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.wire import MODULE_MAX
from wasm2oci.operations.guard import read_root, requirement_of
from wasm2oci.operations.push import JobIdentity
from wasm2oci.signing import bundle
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.claim import Claim, Signer
from wasm2oci.signing.keyless import Keyless
from wasm2oci.signing.requirement import SIGNATURE_TYPES, KeyRequirement, Verifier
from wasm2oci.signing.strict import DOCUMENT_MAX, SignatureRefusedError
from wasm2oci.signing.trusted_root import read_trusted_root

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.signing.bundle import Bundle
    from wasm2oci.signing.keys import PrivateKey
    from wasm2oci.signing.requirement import Requirement

__all__ = ["SignedFile", "VerifiedFile", "sign_file", "verify_file"]

_ENDING = ".sigstore.json"


class SignedFile(NamedTuple):
    """A file that was signed.

    Args:
        file: it.
        digest: of its bytes.
        bundle: the file that holds the signature.
        key_id: SHA-256 of the public key, in hex; None for an identity.
        identity: who signed, where that was not a key.
        issuer: who vouched for the identity.
    """

    file: Path
    digest: Digest
    bundle: Path
    key_id: str | None
    identity: str | None = None
    issuer: str | None = None


class VerifiedFile(NamedTuple):
    """A file whose signature holds.

    Args:
        file: it.
        digest: of its bytes.
        bundle: the file that holds the signature.
        signer: who signed.
    """

    file: Path
    digest: Digest
    bundle: Path
    signer: str


def sign_file(
    file: Path, signer: PrivateKey | JobIdentity, environment: Environment, output: Path | None = None
) -> SignedFile:
    """Sign the bytes of a file, and write the bundle into `output`, else beside the file."""
    data, output = read_named(file, MODULE_MAX, ContentTooLargeError), output or _beside(file)
    if isinstance(signer, JobIdentity):
        from wasm2oci.signing.keyless_signing import KeylessSigner

        made = KeylessSigner(environment.variables, signer.trust_config).sign_message(data)
        signed = SignedFile(file, Digest.of(data), output, None, made.identity.subject, made.identity.issuer)
        raw = made.raw
    else:
        signed = SignedFile(file, Digest.of(data), output, signer.public.id)
        raw = bundle.sign_message(signer, data)
    write_file(output, BytesContent(raw))
    return signed


def verify_file(file: Path, trust: TrustOptions, environment: Environment, beside: Path | None = None) -> VerifiedFile:
    """Check the signature of a file that is in the bundle `beside`, else beside the file."""
    trust.check()
    if not trust.asks:
        raise UsageError("give a key or an identity to verify with", remedy=Remedy(RemedyKind.NAME_SIGNER))
    beside = beside or _beside(file)
    requirement, root = requirement_of(trust, environment), read_root(trust)
    raw, data = read_named(beside, DOCUMENT_MAX), read_named(file, MODULE_MAX, ContentTooLargeError)
    found = bundle.read_bundle(raw)
    if found.envelope is not None:
        logs = None if root is None else read_trusted_root(root)
        candidate = Candidate("bundle", str(beside), raw, Descriptor.of(bundle.MEDIA_TYPE, raw))
        signer = Verifier(Digest.of(data), lambda: Keyless(root), logs).check(candidate, requirement)
    else:
        signer = _check_message(found, data, requirement, root)
    return VerifiedFile(file, Digest.of(data), beside, signer.name)


def _check_message(found: Bundle, data: bytes, requirement: Requirement, root: bytes | None) -> Signer:
    if requirement.types != SIGNATURE_TYPES:
        raise SignatureRefusedError("this is a signature, and an attestation is required")
    claim = Claim("bundle", Digest.of(data), None, {})
    if requirement.annotations:
        raise SignatureRefusedError("the signature of a file carries no annotations")
    if isinstance(requirement, KeyRequirement):
        bundle.verify_message(found, requirement.key, data, None if root is None else read_trusted_root(root))
        return Signer(claim, key_id=requirement.key.id)
    identity = Keyless(root).verify_message(found, data)
    requirement.check(identity)
    return Signer(claim, identity=identity)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + _ENDING)
