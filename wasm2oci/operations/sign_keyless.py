"""Sign and attest with the identity that a CI job, or an identity token, has, instead of a key."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.operations.attach_signatures import BundleToAttach, attach
from wasm2oci.operations.names import pinned
from wasm2oci.operations.sign import Signed, now, parse_predicate, repository_name
from wasm2oci.signing.keyless_signing import KeylessSigner
from wasm2oci.signing.statement import COSIGN_SIGNATURE, named_statement, predicate_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.content.target import Target
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.attach_signatures import Attached
    from wasm2oci.operations.environment import Environment
    from wasm2oci.signing.keyless_signing import KeylessSigned

__all__ = ["KeylessRequest", "begin_keyless", "sign_keyless"]


class KeylessRequest(NamedTuple):
    """What is signed, with the arguments of `Client.sign_keyless`; the configuration is bytes."""

    source: Location
    annotations: Mapping[str, str] = {}
    predicate: bytes | None = None
    type: str = "custom"
    trust_config: bytes | None = None


def sign_keyless(request: KeylessRequest, environment: Environment) -> Signed:
    """Sign the manifest that a reference names now, or a statement about it; the bundle is attached."""
    kind = COSIGN_SIGNATURE if request.predicate is None else predicate_type(request.type)
    predicate = {} if request.predicate is None else parse_predicate(kind, request.predicate, environment)
    signer = KeylessSigner(environment.variables, request.trust_config)
    with environment.places() as places:
        target = places.change(request.source)
        subject = target.resolve(places.identifier(request.source))
        name = repository_name(request.source)
        made = signer.sign(named_statement(subject.digest, name, kind, predicate, request.annotations), subject.digest)
        attached = attach_keyless(made, target, subject, kind, environment)
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


def begin_keyless(
    request: KeylessRequest, subject: Descriptor, environment: Environment
) -> Callable[[Target], tuple[KeylessSigned, Attached]]:
    """Makes what signs a manifest that is about to be pushed, when it is called, and attaches the bundle to it.

    When it is called again, because a registry did not take the bundle, the same bundle is attached.

    Raises:
        SigstoreMissingError, NoIdentityError, SigningServiceError: see `sign_keyless`; here nothing was sent.
    """
    signer = KeylessSigner(environment.variables, request.trust_config)
    name = repository_name(request.source)
    statement = named_statement(subject.digest, name, COSIGN_SIGNATURE, {}, request.annotations)
    made = cache(lambda: signer.sign(statement, subject.digest))
    return lambda target: (made(), attach_keyless(made(), target, subject, COSIGN_SIGNATURE, environment))


def attach_keyless(
    made: KeylessSigned, target: Target, subject: Descriptor, kind: str, environment: Environment
) -> Attached:
    """Attaches a bundle; it has no legacy form."""
    return attach(target, subject, BundleToAttach(made.raw, kind, now(environment)), None)
