"""The Sigstore bundle v0.3 that refers to an artifact: a DSSE envelope, or a message signature, and what verifies it.

A bundle is pushed as the only layer of a manifest whose subject is what was signed. With a key it holds a hint which
key that was, and nothing that could replace the key: the key comes from the user.

Readers: cosign 2.6 (with a flag) and 3, sigstore-go, npm `@sigstore/verify`.

Spec: sigstore/protobuf-specs, sigstore_bundle.proto; sigstore/cosign, specs/BUNDLE_SPEC.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.signing import dsse, rekor
from wasm2oci.signing.statement import PAYLOAD_TYPE, read_statement
from wasm2oci.signing.strict import (
    MalformedSignatureError,
    SignatureRefusedError,
    base64_bytes,
    json_object,
    list_field,
    object_field,
)

if TYPE_CHECKING:
    from wasm2oci.oci.digest import Digest
    from wasm2oci.signing.candidate import Candidate
    from wasm2oci.signing.claim import Claim
    from wasm2oci.signing.keys import PrivateKey, PublicKey
    from wasm2oci.signing.trusted_root import TrustedRoot

__all__ = [
    "ENTRIES_MAX",
    "MEDIA_TYPE",
    "PREDICATE_TYPE",
    "Bundle",
    "envelope_of",
    "read_bundle",
    "referrer_manifest",
    "sign",
    "sign_message",
    "verify",
    "verify_message",
]

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
CONTENT: Final = "dev.sigstore.bundle.content"
PREDICATE_TYPE: Final = "dev.sigstore.bundle.predicateType"
CREATED: Final = "org.opencontainers.image.created"
ENTRIES_MAX: Final = 32
"""Log entries of one bundle."""
_VERSION: Final = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(?:\.v0\.(?P<new>[0-9])\+json|\+json;version=0\.(?P<old>[0-9]))\Z"
)
_KNOWN_VERSIONS: Final = frozenset("123")


class Bundle(NamedTuple):
    """A bundle, read and not yet verified.

    Args:
        raw: its bytes.
        envelope: the DSSE envelope, or None.
        message_digest: SHA-256 of the message, a hint; None with an envelope.
        signature: of the message, or of the envelope.
        certificate: DER of the signer's certificate; None with a key.
        hint: which key; None with a certificate.
        entries: of the transparency log.
    """

    raw: bytes
    envelope: dsse.Envelope | None
    message_digest: bytes | None
    signature: bytes
    certificate: bytes | None
    hint: str | None
    entries: tuple[rekor.LogEntry, ...]


def sign(key: PrivateKey, statement: bytes) -> bytes:
    """The bundle of a statement that is signed by a key, without a log entry."""
    value = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.public.hint}},
        "dsseEnvelope": dsse.sign(key, PAYLOAD_TYPE, statement).to_json(),
    }
    return json.dumps(value, separators=(",", ":")).encode()


def sign_message(key: PrivateKey, message: bytes) -> bytes:
    """The bundle of a file that is signed by a key, without a log entry."""
    digest = base64.b64encode(hashlib.sha256(message).digest()).decode()
    signature = base64.b64encode(key.sign(message)).decode()
    value = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.public.hint}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
            "signature": signature,
        },
    }
    return json.dumps(value, separators=(",", ":")).encode()


def envelope_of(candidate: Candidate) -> dsse.Envelope | None:
    """The envelope of a candidate, not verified; None for a signature that has none.

    Raises:
        MalformedSignatureError: it is damaged.
    """
    if candidate.form == "bundle":
        return read_bundle(candidate.raw).envelope
    return dsse.read_envelope(candidate.raw) if candidate.form == "dsse" else None


def read_bundle(raw: bytes) -> Bundle:
    """Reads a bundle.

    Raises:
        MalformedSignatureError: it is damaged, of an unknown version, or contradicts itself.
    """
    what = "the bundle"
    value = json_object(raw, what)
    version = _VERSION.match(str(value.get("mediaType")))
    if version is None or (version["new"] or version["old"]) not in _KNOWN_VERSIONS:
        raise MalformedSignatureError(f"{what} is of an unknown version: {str(value.get('mediaType'))[:80]!r}")
    material = object_field(value, "verificationMaterial", what)
    certificate, hint = _verifier(material, latest=(version["new"] or version["old"]) == "3")
    entries = list_field(material, "tlogEntries", what)
    if len(entries) > ENTRIES_MAX or not all(isinstance(entry, dict) for entry in entries):
        raise MalformedSignatureError(f"{what} has more than {ENTRIES_MAX} log entries, or damaged ones")
    read = tuple(rekor.from_bundle(entry) for entry in entries)
    envelope, message = value.get("dsseEnvelope"), value.get("messageSignature")
    if isinstance(envelope, dict) and message is None:
        inner = dsse.read_envelope(envelope)
        return Bundle(raw, inner, None, inner.signature, certificate, hint, read)
    if isinstance(message, dict) and envelope is None:
        digest = message.get("messageDigest")
        hashed = None
        if isinstance(digest, dict):
            if digest.get("algorithm") != "SHA2_256":
                raise MalformedSignatureError(f"{what} uses a hash that is not used here")
            hashed = base64_bytes(digest.get("digest"), f"the digest of {what}")
        signature = base64_bytes(message.get("signature"), f"the signature of {what}")
        return Bundle(raw, None, hashed, signature, certificate, hint, read)
    raise MalformedSignatureError(f"{what} holds neither an envelope nor a message signature, or both")


def _verifier(material: dict[str, Any], *, latest: bool) -> tuple[bytes | None, str | None]:
    what = "the bundle"
    kinds = [name for name in ("publicKey", "certificate", "x509CertificateChain") if material.get(name) is not None]
    if len(kinds) != 1:
        raise MalformedSignatureError(f"{what} names {len(kinds)} keys or certificates, not one")
    chosen = object_field(material, kinds[0], what)
    if kinds[0] == "publicKey":
        if chosen.get("rawBytes") is not None:
            raise SignatureRefusedError(f"{what} brings a public key of its own, which proves nothing")
        hint = chosen.get("hint") or ""
        if not isinstance(hint, str):
            raise MalformedSignatureError(f"the hint of {what} is not text")
        return None, hint
    if kinds[0] == "certificate":
        return base64_bytes(chosen.get("rawBytes"), f"the certificate of {what}"), None
    if latest:
        raise MalformedSignatureError(f"{what} of version 0.3 holds a chain, where one certificate is allowed")
    chain = list_field(chosen, "certificates", what)
    if not chain or not isinstance(chain[0], dict):
        raise MalformedSignatureError(f"{what} has an empty certificate chain")
    return base64_bytes(chain[0].get("rawBytes"), f"the certificate of {what}"), None


def verify(bundle: Bundle, key: PublicKey, subject: Digest, root: TrustedRoot | None = None) -> Claim:
    """Checks a bundle that was signed by a key.

    Args:
        bundle: read from a referrer.
        key: chosen by the user, never taken from the bundle.
        subject: digest of the manifest that should be signed.
        root: with it, the signature must be in a log that it trusts.

    Raises:
        SignatureRefusedError: another key signed, another manifest was signed, or the log entry is of another one.
        MalformedSignatureError: the statement is damaged.
    """
    if bundle.envelope is None:
        raise SignatureRefusedError("the bundle signs a message, not a statement about an artifact")
    if bundle.certificate is not None:
        raise SignatureRefusedError("the bundle was signed with a certificate, not with a key")
    payload = bundle.envelope.verify(key)
    if bundle.envelope.payload_type != PAYLOAD_TYPE:
        raise SignatureRefusedError(f"what was signed is not a statement: {bundle.envelope.payload_type[:80]!r}")
    encoded = dsse.pae(PAYLOAD_TYPE, payload)
    _check_entries(bundle, key, (encoded, payload), root)
    return read_statement(payload).about(subject, "bundle")


def verify_message(bundle: Bundle, key: PublicKey, message: bytes, root: TrustedRoot | None = None) -> None:
    """Checks a bundle with the signature of a file (`cosign sign-blob`).

    Raises:
        SignatureRefusedError: another key signed, or another file, or the log entry is of another one.
    """
    if bundle.envelope is not None or bundle.certificate is not None:
        raise SignatureRefusedError("the bundle does not hold the signature of a file by a key")
    if bundle.message_digest is not None and bundle.message_digest != hashlib.sha256(message).digest():
        raise SignatureRefusedError("the bundle is about another file")
    if not key.verifies(bundle.signature, message):
        raise SignatureRefusedError(f"the signature was not made by the key {key.id[:12]}")
    _check_entries(bundle, key, (message,), root)


def _check_entries(bundle: Bundle, key: PublicKey, messages: tuple[bytes, ...], root: TrustedRoot | None) -> None:
    digests = frozenset(hashlib.sha256(message).digest() for message in messages)
    signed = rekor.EntrySubject(bundle.signature, digests, frozenset([key.der]))
    for entry in bundle.entries:
        entry.check_about(signed)
        if root is not None:
            entry.check_logged(root.logs)
    if root is not None and not bundle.entries:
        raise SignatureRefusedError("the signature is in no transparency log")


def referrer_manifest(bundle: bytes, subject: Descriptor, predicate_type: str, created: str) -> bytes:
    """The manifest that attaches a bundle to what it is about.

    Args:
        bundle: its bytes; the layer.
        subject: descriptor of the manifest that was signed.
        predicate_type: of the statement inside.
        created: when, RFC 3339.
    """
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "artifactType": MEDIA_TYPE,
        "config": {"mediaType": mt.EMPTY_JSON, "digest": str(EMPTY_JSON.digest), "size": EMPTY_JSON.size},
        "layers": [Descriptor.of(MEDIA_TYPE, bundle).to_json()],
        "subject": {"mediaType": subject.media_type, "digest": str(subject.digest), "size": subject.size},
        "annotations": {CONTENT: "dsse-envelope", PREDICATE_TYPE: predicate_type, CREATED: created},
    }
    return json.dumps(value, separators=(",", ":")).encode()
