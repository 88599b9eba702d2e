"""Notary Project signatures in a JWS envelope: read, and checked for integrity.

A referrer of type `application/vnd.cncf.notary.signature` has one layer, the envelope. Its payload is the descriptor of
what was signed; the certificate chain of the signer is in the unsigned header. Whom to trust is decided by
`notation_trust`.

Not read: COSE envelopes. Not checked: RFC 3161 timestamps.

Spec: notaryproject/specifications, signature-specification.md and signature-envelope-jws.md.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.signing.certificates import CHAIN_MAX, load_certificate, signer_key
from wasm2oci.signing.strict import (
    MalformedSignatureError,
    SignatureRefusedError,
    base64_bytes,
    base64url_bytes,
    json_object,
    list_field,
    object_field,
    text_field,
)

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["NotationSignature", "read_signature"]

_PAYLOAD_TYPE: Final = "application/vnd.cncf.notary.payload.v1+json"
_PREFIX: Final = "io.cncf.notary."
_SCHEMES: Final = {"notary.x509": "ca", "notary.x509.signingAuthority": "signingAuthority"}
"""Signing scheme -> the kind of trust store it uses."""
_RSA: Final[dict[int, tuple[str, hashes.HashAlgorithm]]] = {
    2048: ("PS256", hashes.SHA256()),
    3072: ("PS384", hashes.SHA384()),
    4096: ("PS512", hashes.SHA512()),
}
_EC: Final[dict[str, tuple[str, hashes.HashAlgorithm, int]]] = {
    "secp256r1": ("ES256", hashes.SHA256(), 32),
    "secp384r1": ("ES384", hashes.SHA384(), 48),
    "secp521r1": ("ES512", hashes.SHA512(), 66),
}


class NotationSignature(NamedTuple):
    """A signature whose bytes are whole and by the first certificate of its chain; no certificate is trusted yet.

    Args:
        target: descriptor of what was signed.
        chain: certificates, the signer's first.
        store: which kind of trust store its scheme uses: `ca` or `signingAuthority`.
        signed_at: when, as the signer (or the authority, for `signingAuthority`) says.
        expires: when the signer wants it to expire, or None.
        timestamped: whether there is an RFC 3161 timestamp, which is not checked.
    """

    target: Descriptor
    chain: tuple[Certificate, ...]
    store: str
    signed_at: datetime
    expires: datetime | None
    timestamped: bool


def read_signature(raw: bytes) -> NotationSignature:
    """Reads a JWS envelope, and checks that its first certificate signed it.

    Raises:
        MalformedSignatureError: it is damaged, or has an attribute that must be understood and is not.
        SignatureRefusedError: the signature is not by the certificate, or its algorithm is not the key's.
    """
    what = "the Notation signature"
    value = json_object(raw, what)
    protected_text, payload_text = text_field(value, "protected", what), text_field(value, "payload", what)
    header = object_field(value, "header", what)
    protected = json_object(base64url_bytes(protected_text, f"the protected header of {what}"), what)
    payload = base64url_bytes(payload_text, f"the payload of {what}")
    signature = base64url_bytes(value.get("signature"), f"the bytes of {what}")
    certificates = list_field(header, "x5c", what)
    if not 1 <= len(certificates) <= CHAIN_MAX:
        raise MalformedSignatureError(f"{what} has {len(certificates)} certificates; 1 to {CHAIN_MAX} can be read")
    chain = tuple(load_certificate(base64_bytes(one, f"a certificate of {what}"), what) for one in certificates)
    _check_bytes(chain[0], text_field(protected, "alg", what), signature, f"{protected_text}.{payload_text}".encode())
    if protected.get("cty") != _PAYLOAD_TYPE:
        raise MalformedSignatureError(f"the payload of {what} is of an unknown type")
    scheme = text_field(protected, _PREFIX + "signingScheme", what)
    if scheme not in _SCHEMES:
        raise MalformedSignatureError(f"{what} has an unknown scheme: {scheme[:80]!r}")
    known = {_PREFIX + "signingScheme", _PREFIX + "expiry", _PREFIX + "authenticSigningTime"}
    critical = list_field(protected, "crit", what)
    unknown = [name for name in critical if name not in known]
    if unknown or _PREFIX + "signingScheme" not in critical:
        raise MalformedSignatureError(f"{what} has a critical attribute that is not understood: {unknown[:1]!r}"[:160])
    time_field = "authenticSigningTime" if _SCHEMES[scheme] == "signingAuthority" else "signingTime"
    return NotationSignature(
        target=_target(payload),
        chain=chain,
        store=_SCHEMES[scheme],
        signed_at=_time(protected, _PREFIX + time_field),
        expires=_time(protected, _PREFIX + "expiry") if _PREFIX + "expiry" in protected else None,
        timestamped=_PREFIX + "timestampSignature" in header,
    )


def _target(payload: bytes) -> Descriptor:
    what = "the payload of the Notation signature"
    target = object_field(json_object(payload, what), "targetArtifact", what)
    try:
        return Descriptor.from_json(target, what)
    except InvalidInputError as error:
        raise MalformedSignatureError(error.message) from error


def _time(value: dict[str, Any], key: str) -> datetime:
    what = "the Notation signature"
    try:
        found = datetime.fromisoformat(text_field(value, key, what))
    except ValueError as error:
        raise MalformedSignatureError(f"{key} of {what} is not a time") from error
    if found.tzinfo is None:
        raise MalformedSignatureError(f"{key} of {what} has no time zone")
    return found.astimezone(UTC)


def _check_bytes(leaf: Certificate, algorithm: str, signature: bytes, message: bytes) -> None:
    key = signer_key(leaf)
    expected: str | None = None
    try:
        match key:
            case rsa.RSAPublicKey() if key.key_size in _RSA:
                expected, digest = _RSA[key.key_size]
                if algorithm == expected:
                    key.verify(signature, message, padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest)
            case ec.EllipticCurvePublicKey() if key.curve.name in _EC:
                expected, digest, size = _EC[key.curve.name]
                if algorithm == expected:
                    if len(signature) != 2 * size:
                        raise InvalidSignature  # noqa: TRY301 - the same as a wrong one
                    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
                    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
            case _:
                raise SignatureRefusedError("the Notation signature is by a key of a kind that is not allowed")
    except InvalidSignature as error:
        raise SignatureRefusedError("the Notation signature was not made by the key of its certificate") from error
    if algorithm != expected:
        raise SignatureRefusedError(
            f"the Notation signature says {json.dumps(algorithm)[:40]}; its key signs with {expected}"
        )
