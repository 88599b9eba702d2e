"""A Sigstore of the tests' own making, offline: an authority for certificates (Fulcio), its log, and a log (Rekor).

Nothing is listening: certificates and log entries are made in this process, with keys that were made a moment ago.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.signing import dsse, simple_signing
from wasm2oci.signing.statement import PAYLOAD_TYPE, signature_statement

if TYPE_CHECKING:
    from wasm2oci.oci.digest import Digest

__all__ = ["GITHUB_ISSUER", "Instance", "Signing", "der", "spki"]

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=1)
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_FULCIO = "1.3.6.1.4.1.57264.1."


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _utf8(text: str) -> bytes:
    raw = text.encode()
    digits = len(raw).to_bytes((len(raw).bit_length() + 7) // 8 or 1, "big")
    size = digits if len(raw) < 0x80 else bytes([0x80 | len(digits)]) + digits
    return b"\x0c" + size + raw


@dataclass(frozen=True)
class Signing:
    """How a signature is made; `replace` makes a faulty one."""

    subject: Digest
    identity: str = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
    issuer: str = GITHUB_ISSUER
    repository: str | None = "https://github.com/acme/app"
    reference: str | None = "refs/heads/main"
    statement: bytes | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    at: dt.datetime = NOW
    lifetime: dt.timedelta = dt.timedelta(minutes=10)
    logged_after: dt.timedelta = dt.timedelta(seconds=5)
    with_sct: bool = True

    def but(self, **changes: Any) -> Signing:
        return replace(self, **changes)


@dataclass(frozen=True)
class Instance:
    """An authority, and two logs."""

    root_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    issuing_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificate_log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)

    @property
    def root(self) -> x509.Certificate:
        if "root" not in self.certificates:
            self.certificates["root"] = self._authority("test root", _name("test root"), self.root_key, 1)
        return self.certificates["root"]

    @property
    def issuing(self) -> x509.Certificate:
        if "issuing" not in self.certificates:
            self.certificates["issuing"] = self._authority("test issuing", _name("test root"), self.issuing_key, 0)
        return self.certificates["issuing"]

    def _authority(self, name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, below: int) -> x509.Certificate:
        usage = {
            name: name in {"key_cert_sign", "crl_sign"}
            for name in (
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "key_cert_sign",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            )
        }
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=30))
            .not_valid_after(NOW + dt.timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()), critical=False
            )
            .sign(self.root_key, hashes.SHA256())
        )

    @property
    def trusted_root(self) -> bytes:
        start = (NOW - dt.timedelta(days=30)).isoformat().replace("+00:00", "Z")

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _b64(spki(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": start},
                },
                "logId": {"keyId": _b64(hashlib.sha256(spki(key)).digest())},
            }

        value = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log, "https://rekor.test")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "test root"},
                    "uri": "https://fulcio.test",
                    "certChain": {
                        "certificates": [{"rawBytes": _b64(der(self.issuing))}, {"rawBytes": _b64(der(self.root))}]
                    },
                    "validFor": {"start": start},
                }
            ],
            "ctlogs": [log(self.certificate_log, "https://ctlog.test")],
            "timestampAuthorities": [],
        }
        return json.dumps(value).encode()

    def certificate(self, how: Signing, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        return self.certify(how, key.public_key())

    def certify(self, how: Signing, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """A certificate of this identity for a public key."""
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        name: x509.GeneralName = (
            x509.UniformResourceIdentifier(how.identity) if "://" in how.identity else x509.RFC822Name(how.identity)
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.issuing.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(how.at)
            .not_valid_after(how.at + how.lifetime)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issuing_key.public_key()), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
        )
        for number, text in (("8", how.issuer), ("12", how.repository), ("14", how.reference)):
            if text is not None:
                oid = x509.ObjectIdentifier(_FULCIO + number)
                builder = builder.add_extension(x509.UnrecognizedExtension(oid, _utf8(text)), critical=False)
        plain = builder.sign(self.issuing_key, hashes.SHA256())
        if not how.with_sct:
            return plain
        stamp = self._certificate_timestamp(plain, how.at)
        return builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, stamp), critical=False).sign(
            self.issuing_key, hashes.SHA256()
        )

    def _certificate_timestamp(self, plain: x509.Certificate, at: dt.datetime) -> bytes:
        body = plain.tbs_certificate_bytes
        when = struct.pack(">Q", int(at.timestamp() * 1000))
        issuer = hashlib.sha256(spki(self.issuing_key)).digest()
        message = b"\0\0" + when + b"\0\1" + issuer + len(body).to_bytes(3, "big") + body + b"\0\0"
        signature = self.certificate_log.sign(message, ec.ECDSA(hashes.SHA256()))
        log_id = hashlib.sha256(spki(self.certificate_log)).digest()
        one = b"\0" + log_id + when + b"\0\0" + b"\x04\x03" + struct.pack(">H", len(signature)) + signature
        entries = struct.pack(">H", len(one)) + one
        tls = struct.pack(">H", len(entries)) + entries
        return b"\x04" + (bytes([len(tls)]) if len(tls) < 0x80 else b"\x81" + bytes([len(tls)])) + tls

    def entry(self, body: bytes, when: dt.datetime, kind: str, version: str = "0.0.1") -> dict[str, Any]:
        """A log entry as bundles have it: the only leaf of its tree."""
        log_id = hashlib.sha256(spki(self.log)).digest()
        seconds = int(when.timestamp())
        promised = {"body": _b64(body), "integratedTime": seconds, "logID": log_id.hex(), "logIndex": 0}
        message = json.dumps(promised, separators=(",", ":"), sort_keys=True).encode()
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"rekor.test - 1\n1\n{_b64(root)}\n"
        signed = log_id[:4] + self.log.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": kind, "version": version},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": _b64(self.log.sign(message, ec.ECDSA(hashes.SHA256())))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\N{EM DASH} rekor.test {_b64(signed)}\n"},
            },
            "canonicalizedBody": _b64(body),
        }

    def bundle(self, how: Signing) -> dict[str, Any]:
        """A bundle v0.3, as JSON that can still be changed."""
        key = _key()
        certificate = self.certificate(how, key)
        statement = how.statement if how.statement is not None else signature_statement(how.subject, how.annotations)
        signature = key.sign(dsse.pae(PAYLOAD_TYPE, statement), ec.ECDSA(hashes.SHA256()))
        envelope = dsse.Envelope(PAYLOAD_TYPE, statement, signature)
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(envelope.raw).hexdigest()},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(statement).hexdigest()},
                "signatures": [{"signature": _b64(signature), "verifier": _b64(_pem(certificate))}],
            },
        }
        raw = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(der(certificate))},
                "tlogEntries": [self.entry(raw, how.at + how.logged_after, "dsse")],
            },
            "dsseEnvelope": envelope.to_json(),
        }

    def simple(self, how: Signing, repository: str = "registry.test/app") -> tuple[bytes, Descriptor]:
        """A legacy signature: the payload, and its layer."""
        key = _key()
        certificate = self.certificate(how, key)
        value = {
            "critical": {
                "identity": {"docker-reference": repository},
                "image": {"docker-manifest-digest": str(how.subject)},
                "type": "cosign container image signature",
            },
            "optional": how.annotations or None,
        }
        payload = json.dumps(value, separators=(",", ":")).encode()
        signature = key.sign(payload, ec.ECDSA(hashes.SHA256()))
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}},
                "signature": {"content": _b64(signature), "publicKey": {"content": _b64(_pem(certificate))}},
            },
        }
        raw = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
        entry = self.entry(raw, how.at + how.logged_after, "hashedrekord")
        annotation = {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logIndex": 0,
                "logID": hashlib.sha256(spki(self.log)).hexdigest(),
            },
        }
        annotations = {
            simple_signing.SIGNATURE: _b64(signature),
            simple_signing.CERTIFICATE: _pem(certificate).decode(),
            simple_signing.CHAIN: (_pem(self.issuing) + _pem(self.root)).decode(),
            simple_signing.BUNDLE: json.dumps(annotation),
        }
        return payload, Descriptor.of(simple_signing.LAYER_TYPE, payload, annotations)
