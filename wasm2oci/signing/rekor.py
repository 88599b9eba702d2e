"""Entries of Rekor, the transparency log: whether an entry is about this signature, and whether the log made it.

An entry proves something only about the signature, the signed bytes and the key or certificate that it holds. An entry
of another artifact is refused even where no log entry is asked for (CVE-2022-36056, CVE-2026-22703).

Three proofs of an entry, each with the log's key: the signed entry timestamp (SET), and the inclusion proof with its
signed checkpoint; the certificate timestamp (SCT) is the same for certificates.

Spec: sigstore/rekor, pkg/types; RFC 6962, sections 2.1.1 and 3.2; C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from wasm2oci.signing.strict import (
    MalformedSignatureError,
    SignatureRefusedError,
    base64_bytes,
    json_object,
    list_field,
    object_field,
    text_field,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from wasm2oci.signing.trusted_root import Log

__all__ = ["EntrySubject", "LogEntry", "check_certificate_timestamp", "from_annotation", "from_bundle"]

_WHAT = "the log entry"
_HASHES_MAX = 64


class EntrySubject(NamedTuple):
    """What an entry has to be about.

    Args:
        signature: the bytes of the signature.
        digests: SHA-256 of what was signed, in every form that entries use (message, encoding, payload).
        verifiers: DER of the public key, and of the certificate, that verify it.
    """

    signature: bytes
    digests: frozenset[bytes]
    verifiers: frozenset[bytes]


class LogEntry(NamedTuple):
    """An entry, as it came with a signature.

    Args:
        body: the canonical JSON that the log keeps.
        log_id: SHA-256 of the log's key.
        log_index: its number in the log.
        integrated: when it was added, seconds since the epoch; 0 where the log does not say (Rekor v2).
        promise: the signed entry timestamp, or None.
        proof: the inclusion proof as decoded JSON, or None.
    """

    body: bytes
    log_id: bytes
    log_index: int
    integrated: int
    promise: bytes | None
    proof: Mapping[str, Any] | None

    @property
    def time(self) -> datetime:
        """When it was added."""
        return datetime.fromtimestamp(self.integrated, UTC)

    def check_about(self, signed: EntrySubject) -> None:
        """Checks that the entry is about this signature, by this key, of these bytes.

        Raises:
            SignatureRefusedError: it is about another one.
            MalformedSignatureError: it is damaged, or of a kind that cannot be read.
        """
        signature, digest, verifier = _entry_content(self.body)
        if signature != signed.signature:
            raise SignatureRefusedError(f"{_WHAT} is about another signature")
        if digest not in signed.digests:
            raise SignatureRefusedError(f"{_WHAT} is about another artifact")
        if verifier not in signed.verifiers:
            raise SignatureRefusedError(f"{_WHAT} is about another key or certificate")

    def check_logged(self, logs: Iterable[Log]) -> None:
        """Checks that a trusted log made the entry.

        Raises:
            SignatureRefusedError: the log is not trusted, or its proof does not hold.
        """
        log = self.check_time(logs)
        if self.promise is None and self.proof is None:
            raise SignatureRefusedError(f"{_WHAT} has no proof that it is in the log")
        if self.promise is not None and not _verifies(log.key, self.promise, self._promised()):
            raise SignatureRefusedError(f"the signed timestamp of {_WHAT} was not made by the log")
        if self.proof is not None:
            _check_proof(self.proof, self.body, log)

    def check_time(self, logs: Iterable[Log]) -> Log:
        """The log of the entry, which was trusted when it signed the entry's time; without such a time, at any time.

        Raises:
            SignatureRefusedError: the log is not trusted, or was not then.
        """
        log = next((one for one in logs if one.id == self.log_id), None)
        if log is None:
            raise SignatureRefusedError(f"{_WHAT} is of a log that is not trusted: {self.log_id.hex()[:12]}")
        if self.promise is not None and not log.trusted_at(self.time):
            raise SignatureRefusedError(f"{_WHAT} was made when its log was not trusted")
        return log

    def _promised(self) -> bytes:
        value = {
            "body": base64.b64encode(self.body).decode(),
            "integratedTime": self.integrated,
            "logID": self.log_id.hex(),
            "logIndex": self.log_index,
        }
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def from_annotation(raw: bytes) -> LogEntry:
    """Reads the annotation `dev.sigstore.cosign/bundle` of a legacy signature.

    Raises:
        MalformedSignatureError: it is damaged.
    """
    value = json_object(raw, _WHAT)
    payload = object_field(value, "Payload", _WHAT)
    log_id = text_field(payload, "logID", _WHAT)
    try:
        identifier = bytes.fromhex(log_id)
    except ValueError as error:
        raise MalformedSignatureError(f"the log of {_WHAT} is not named in hex") from error
    return LogEntry(
        base64_bytes(payload.get("body"), f"the body of {_WHAT}"),
        identifier,
        _number(payload, "logIndex"),
        _number(payload, "integratedTime"),
        base64_bytes(value.get("SignedEntryTimestamp"), f"the signed timestamp of {_WHAT}"),
        None,
    )


def from_bundle(value: Mapping[str, Any]) -> LogEntry:
    """Reads an entry of a bundle's `tlogEntries`.

    Raises:
        MalformedSignatureError: it is damaged.
    """
    entry = dict(value)
    promise = entry.get("inclusionPromise")
    proof = entry.get("inclusionProof")
    signed = None
    if isinstance(promise, dict):
        signed = base64_bytes(promise.get("signedEntryTimestamp"), f"the signed timestamp of {_WHAT}")
    return LogEntry(
        base64_bytes(entry.get("canonicalizedBody"), f"the body of {_WHAT}"),
        base64_bytes(object_field(entry, "logId", _WHAT).get("keyId"), f"the log of {_WHAT}"),
        _number(entry, "logIndex"),
        _number(entry, "integratedTime") if "integratedTime" in entry else 0,
        signed,
        proof if isinstance(proof, dict) else None,
    )


def _number(value: Mapping[str, Any], key: str) -> int:
    # protojson writes 64-bit numbers as text.
    found = value.get(key, 0)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= 19:
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 1 << 62:
        raise MalformedSignatureError(f"{key} of {_WHAT} is not a whole number")
    if key == "integratedTime" and found >= 1 << 37:
        raise MalformedSignatureError(f"{key} of {_WHAT} is out of range")
    return found


def _entry_content(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Signature, SHA-256 of what was signed, and DER of the verifier that an entry holds."""
    value = json_object(body, _WHAT)
    kind = f"{value.get('kind')}/{value.get('apiVersion')}"[:60]
    spec = object_field(value, "spec", _WHAT)
    match kind:
        case "hashedrekord/0.0.1" | "rekord/0.0.1":
            signature = object_field(spec, "signature", _WHAT)
            digest = _hex_digest(object_field(spec, "data", _WHAT), "hash")
            pem = base64_bytes(object_field(signature, "publicKey", _WHAT).get("content"), f"the key of {_WHAT}")
            return base64_bytes(signature.get("content"), f"the signature of {_WHAT}"), digest, _pem_to_der(pem)
        case "hashedrekord/0.0.2":
            inner = object_field(spec, "hashedRekordV002", _WHAT)
            signature = object_field(inner, "signature", _WHAT)
            digest = base64_bytes(object_field(inner, "data", _WHAT).get("digest"), f"the digest of {_WHAT}")
            content = base64_bytes(signature.get("content"), f"the signature of {_WHAT}")
            return content, digest, _verifier_v2(signature)
        case "dsse/0.0.1":
            signature = _only(spec)
            digest = _hex_digest(spec, "payloadHash")
            pem = base64_bytes(signature.get("verifier"), f"the key of {_WHAT}")
            return base64_bytes(signature.get("signature"), f"the signature of {_WHAT}"), digest, _pem_to_der(pem)
        case "dsse/0.0.2":
            inner = object_field(spec, "dsseV002", _WHAT)
            signature = _only(inner)
            payload = object_field(inner, "payloadHash", _WHAT)
            digest = base64_bytes(payload.get("digest"), f"the digest of {_WHAT}")
            content = base64_bytes(signature.get("content"), f"the signature of {_WHAT}")
            return content, digest, _verifier_v2(signature)
        case "intoto/0.0.2":
            content_ = object_field(spec, "content", _WHAT)
            signature = _only(object_field(content_, "envelope", _WHAT))
            pem = base64_bytes(signature.get("publicKey"), f"the key of {_WHAT}")
            twice = base64_bytes(signature.get("sig"), f"the signature of {_WHAT}")
            once = base64_bytes(twice.decode("ascii", "replace"), f"the signature of {_WHAT}")
            return once, _hex_digest(content_, "payloadHash"), _pem_to_der(pem)
        case _:
            raise MalformedSignatureError(f"{_WHAT} is of a kind that cannot be read: {kind!r}")


def _only(value: dict[str, Any]) -> dict[str, Any]:
    signatures = list_field(value, "signatures", _WHAT)
    if len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise MalformedSignatureError(f"{_WHAT} has {len(signatures)} signatures, not one")
    return signatures[0]


def _hex_digest(value: dict[str, Any], key: str) -> bytes:
    found = object_field(value, key, _WHAT)
    if found.get("algorithm") != "sha256":
        raise MalformedSignatureError(f"{_WHAT} uses a hash that is not used here")
    try:
        return bytes.fromhex(text_field(found, "value", _WHAT))
    except ValueError as error:
        raise MalformedSignatureError(f"the digest of {_WHAT} is not hex") from error


def _verifier_v2(signature: dict[str, Any]) -> bytes:
    verifier = object_field(signature, "verifier", _WHAT)
    chosen = verifier.get("publicKey") or verifier.get("x509Certificate")
    if not isinstance(chosen, dict):
        raise MalformedSignatureError(f"{_WHAT} has no key")
    return base64_bytes(chosen.get("rawBytes"), f"the key of {_WHAT}")


def _pem_to_der(pem: bytes) -> bytes:
    try:
        if b"BEGIN CERTIFICATE" in pem:
            return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        key = serialization.load_pem_public_key(pem)
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise MalformedSignatureError(f"the key of {_WHAT} is damaged, or of a kind that is not used here") from error


def _verifies(key: PublicKeyTypes, signature: bytes, message: bytes) -> bool:
    """Whether a log signed this."""
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPublicKey():
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PublicKey():
                key.verify(signature, message)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _check_proof(proof: Mapping[str, Any], body: bytes, log: Log) -> None:
    index, size = _number(proof, "logIndex"), _number(proof, "treeSize")
    hashes_ = list_field(dict(proof), "hashes", "the inclusion proof")
    if len(hashes_) > _HASHES_MAX or index >= size:
        raise MalformedSignatureError("the inclusion proof is out of range")
    path = [base64_bytes(one, "a hash of the inclusion proof") for one in hashes_]
    root = _merkle_root(hashlib.sha256(b"\0" + body).digest(), index, size, path)
    if root != base64_bytes(proof.get("rootHash"), "the root of the inclusion proof"):
        raise SignatureRefusedError("the inclusion proof does not lead to its root")
    checkpoint = proof.get("checkpoint")
    note = checkpoint.get("envelope") if isinstance(checkpoint, dict) else None
    if not isinstance(note, str):
        raise SignatureRefusedError("the inclusion proof has no checkpoint signed by the log")
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    signed = (text + "\n").encode()
    candidates = [line.split(" ") for line in signatures.split("\n") if line.startswith("\N{EM DASH} ")]
    if not blank or not any(
        len(one) == 3 and _verifies(log.key, base64_bytes(one[2], "a signature of the checkpoint")[4:], signed)
        for one in candidates[:_HASHES_MAX]
    ):
        raise SignatureRefusedError("the checkpoint is not signed by the log")
    if len(lines) < 3 or lines[1] != str(size) or lines[2] != base64.b64encode(root).decode():
        raise SignatureRefusedError("the checkpoint is of another tree than the inclusion proof")


def _merkle_root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a leaf and its path lead to. Spec: RFC 9162, section 2.1.3.2."""
    number, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise SignatureRefusedError("the inclusion proof is too long")
        if number & 1 or number == last:
            root = hashlib.sha256(b"\1" + sibling + root).digest()
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            root = hashlib.sha256(b"\1" + root + sibling).digest()
        number >>= 1
        last >>= 1
    if last:
        raise SignatureRefusedError("the inclusion proof is too short")
    return root


def check_certificate_timestamp(leaf: x509.Certificate, issuer: x509.Certificate, logs: Iterable[Log]) -> None:
    """Checks that a trusted certificate log has seen a certificate (its embedded SCT).

    Raises:
        SignatureRefusedError: none has.

    Spec: RFC 6962, section 3.2.
    """
    try:
        stamps = leaf.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
    except x509.ExtensionNotFound as error:
        raise SignatureRefusedError("the certificate was not logged: it has no certificate timestamp") from error
    except ValueError as error:
        raise MalformedSignatureError("the extensions of a certificate are damaged") from error
    key = issuer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    precertificate = leaf.tbs_precertificate_bytes
    known = {one.id: one for one in logs}
    for stamp in stamps:
        log, at = known.get(stamp.log_id), stamp.timestamp.replace(tzinfo=UTC)
        if log is None or not log.trusted_at(at):
            continue
        milliseconds = int(at.timestamp() * 1000 + 0.5)
        message = (
            b"\0\0"
            + struct.pack(">QH", milliseconds, 1)
            + hashlib.sha256(key).digest()
            + len(precertificate).to_bytes(3, "big")
            + precertificate
            + struct.pack(">H", len(stamp.extension_bytes))
            + stamp.extension_bytes
        )
        if _verifies(log.key, stamp.signature, message):
            return
    raise SignatureRefusedError("the certificate was not logged by a certificate log that is trusted")
