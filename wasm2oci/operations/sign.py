"""Sign: a key says that a manifest is whose it should be; attest: a key makes a statement about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.reading import read_named
from wasm2oci.errors import UsageError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.reference import Reference
from wasm2oci.operations.attach_signatures import BundleToAttach, LayerToAttach, attach
from wasm2oci.operations.names import pinned
from wasm2oci.operations.trust import SignatureFormat
from wasm2oci.signing import bundle, dsse, simple_signing
from wasm2oci.signing.statement import COSIGN_SIGNATURE, PAYLOAD_TYPE, attestation, predicate_type, signature_statement
from wasm2oci.signing.strict import DOCUMENT_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wasm2oci.content.target import Target
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.attach_signatures import Attached
    from wasm2oci.operations.environment import Environment
    from wasm2oci.signing.keys import PrivateKey

__all__ = [
    "AttestRequest",
    "SignRequest",
    "Signed",
    "attest",
    "now",
    "parse_predicate",
    "prepare_signature",
    "read_document",
    "repository_name",
    "sign",
]


class SignRequest(NamedTuple):
    """What is signed, with the arguments of `Client.sign`."""

    source: Location
    key: PrivateKey
    annotations: Mapping[str, str] = {}
    form: SignatureFormat = SignatureFormat.BOTH


class AttestRequest(NamedTuple):
    """A statement about an artifact, with the arguments of `Client.attest`."""

    source: Location
    key: PrivateKey
    type: str
    predicate: bytes
    form: SignatureFormat = SignatureFormat.BUNDLE


class Signed(NamedTuple):
    """What was signed, and where the signature is.

    Args:
        reference: the artifact.
        pinned: the same by digest.
        manifest: what was signed.
        key_id: SHA-256 of the public key, in hex; None for an identity.
        predicate_type: of the statement.
        referrer: the manifest that holds the bundle, or None.
        tag: the legacy tag, or None.
        identity: who signed, where that was not a key.
        issuer: who vouched for the identity.
    """

    reference: str
    pinned: str
    manifest: Descriptor
    key_id: str | None
    predicate_type: str
    referrer: Descriptor | None
    tag: str | None
    identity: str | None = None
    issuer: str | None = None


class Prepared(NamedTuple):
    """A signature that is made, and not attached."""

    bundle: BundleToAttach | None
    layer: LayerToAttach | None

    def attach(self, target: Target, subject: Descriptor) -> Attached:
        """Attaches it."""
        return attach(target, subject, self.bundle, self.layer)


_LAYOUT_NAME: Final = "oci-layout"


def sign(request: SignRequest, environment: Environment) -> Signed:
    """Sign the manifest that a reference names now."""
    with environment.places() as places:
        target = places.change(request.source)
        subject = target.resolve(places.identifier(request.source))
        attached = prepare_signature(request, subject, environment).attach(target, subject)
    return _signed(request.source, subject, request.key, COSIGN_SIGNATURE, attached)


def prepare_signature(request: SignRequest, subject: Descriptor, environment: Environment) -> Prepared:
    """Makes the signature of a manifest, without attaching it."""
    new = layer = None
    key, annotations = request.key, request.annotations
    if request.form is not SignatureFormat.LEGACY:
        raw = bundle.sign(key, signature_statement(subject.digest, annotations))
        new = BundleToAttach(raw, COSIGN_SIGNATURE, now(environment))
    if request.form is not SignatureFormat.BUNDLE:
        repository = repository_name(request.source)
        payload, descriptor = simple_signing.sign(key, subject.digest, repository, annotations)
        layer = LayerToAttach("sig", payload, descriptor, key.public)
    return Prepared(new, layer)


def attest(request: AttestRequest, environment: Environment) -> Signed:
    """Sign a statement about the manifest that a reference names now."""
    kind = predicate_type(request.type)
    predicate = parse_predicate(kind, request.predicate, environment)
    with environment.places() as places:
        target = places.change(request.source)
        subject = target.resolve(places.identifier(request.source))
        statement = attestation(subject.digest, repository_name(request.source), kind, predicate)
        new = layer = None
        if request.form is not SignatureFormat.LEGACY:
            new = BundleToAttach(bundle.sign(request.key, statement), kind, now(environment))
        if request.form is not SignatureFormat.BUNDLE:
            envelope = dsse.sign(request.key, PAYLOAD_TYPE, statement).raw
            # cosign needs the annotation to be there, although the signature is in the envelope.
            annotations = {simple_signing.SIGNATURE: "", "predicateType": kind}
            descriptor = Descriptor.of("application/vnd.dsse.envelope.v1+json", envelope, annotations)
            layer = LayerToAttach("att", envelope, descriptor, request.key.public)
        attached = attach(target, subject, new, layer)
    return _signed(request.source, subject, request.key, kind, attached)


def repository_name(source: Location) -> str:
    """The name that a signer writes down: host and repository. Readers show it, and do not trust it."""
    return source.name if isinstance(source, Reference) else _LAYOUT_NAME


def _signed(source: Location, subject: Descriptor, key: PrivateKey, kind: str, attached: Attached) -> Signed:
    name = pinned(source, subject.digest)
    return Signed(str(source), name, subject, key.public.id, kind, attached.referrer, attached.tag)


def read_document(path: Path) -> bytes:
    """The bytes of a file that signing needs: a predicate, or a trust configuration.

    Raises:
        FileNotThereError: there is no such file.
        UsageError: it is larger than `DOCUMENT_MAX`, which is what verifiers read.
    """
    return read_named(path, DOCUMENT_MAX)


def parse_predicate(kind: str, raw: bytes, environment: Environment) -> Any:
    """A predicate of this type (a URI), ready for JSON.

    Raises:
        UsageError: it is not JSON, or the type is not Unicode text.
    """
    try:
        kind.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the type of a statement is not Unicode text: {kind!r}") from error
    if kind == predicate_type("custom"):
        # cosign's own type wraps any text.
        return {"Data": raw.decode("utf-8", "replace"), "Timestamp": now(environment)}
    try:
        value = json.loads(raw)
        # Half of a surrogate pair could not be signed, and NaN is no JSON although Python reads it.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the predicate is not JSON: {error}") from error
    return value


def now(environment: Environment) -> str:
    """The time of a signature, RFC 3339; `SOURCE_DATE_EPOCH` fixes it."""
    epoch = environment.variables.get("SOURCE_DATE_EPOCH", "")
    seconds = int(epoch) if epoch.isascii() and epoch.isdigit() and len(epoch) < 12 else int(environment.clock())
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
