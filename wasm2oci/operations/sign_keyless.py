"""Sign and attest with the identity that a CI job, or an identity token, has, instead of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.operations.attach_signatures import BundleToAttach, attach
from wasm2oci.operations.names import pinned
from wasm2oci.operations.sign import Signed, now, parse_predicate, repository_name
from wasm2oci.signing.keyless_signing import KeylessSigner
from wasm2oci.signing.statement import COSIGN_SIGNATURE, named_statement, predicate_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["KeylessRequest", "sign_keyless"]


class KeylessRequest(NamedTuple):
    """What is signed.

    Args:
        source: the artifact.
        annotations: what the signer says besides.
        predicate: what is stated, JSON (for the type `custom` any text); None for a plain signature.
        type: of the predicate: one of cosign's short names, or a URI.
        trust_config: Sigstore's services and root, a `ClientTrustConfig`; None for the public instance.
    """

    source: Location
    annotations: Mapping[str, str] = {}
    predicate: bytes | None = None
    type: str = "custom"
    trust_config: bytes | None = None


def sign_keyless(request: KeylessRequest, environment: Environment) -> Signed:
    """Signs the manifest that a reference names now, or a statement about it; the bundle is attached.

    Raises:
        SigstoreMissingError: the extra is not installed.
        NoIdentityError: nothing vouches for an identity.
        SigningServiceError: Sigstore's services failed; nothing was attached.
        NotFoundError: the source names nothing.
        UsageError: the predicate is not JSON.
        Wasm2OciError: the place failed.
    """
    kind = COSIGN_SIGNATURE if request.predicate is None else predicate_type(request.type)
    predicate = {} if request.predicate is None else parse_predicate(kind, request.predicate, environment)
    signer = KeylessSigner(environment.variables, request.trust_config)
    with environment.places() as places:
        target = places.change(request.source)
        subject = target.resolve(places.identifier(request.source))
        name = repository_name(request.source)
        made = signer.sign(named_statement(subject.digest, name, kind, predicate, request.annotations), subject.digest)
        attached = attach(target, subject, BundleToAttach(made.raw, kind, now(environment)), None)
    return Signed(
        reference=str(request.source),
        pinned=pinned(request.source, subject.digest),
        manifest=subject,
        key_id=None,
        predicate_type=kind,
        referrer=attached.referrer,
        tag=None,
        identity=made.identity.subject,
        issuer=made.identity.issuer,
    )
