"""A private certificate authority for tests: made with `cryptography`, valid for a day, never for anything real."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Issued", "make_authority"]

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as PEM files and as objects."""

    certificate_file: Path
    key_file: Path
    certificate: x509.Certificate
    key: Key


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that issues into a folder."""

    folder: Path
    issued: Issued

    @property
    def ca_file(self) -> Path:
        """The authority's own certificate."""
        return self.issued.certificate_file

    def issue(self, name: str, *hosts: str, client: bool = False, rsa_key: bool = False) -> Issued:
        """A certificate for loopback and these hosts (names or addresses), or for a client of this name."""
        key: Key = rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        alternatives = x509.SubjectAlternativeName(
            [_alternative(host) for host in dict.fromkeys((*hosts, "localhost", "127.0.0.1"))]
        )
        builder = _builder(name, self.issued.certificate.subject, key, self.issued.key)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(alternatives, critical=False)
        return _write(self.folder, name, builder.sign(self.issued.key, hashes.SHA256()), key)


def make_authority(folder: Path, name: str = "wasm2oci test authority") -> Authority:
    """A new authority whose files lie in this folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(name, subject, key, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
    return Authority(folder, _write(folder, "authority", builder.sign(key, hashes.SHA256()), key))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(name: str, issuer: x509.Name, key: Key, issuer_key: Key) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        # Python 3.13 asks for these by itself.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(above, critical=False)
    )


def _write(folder: Path, name: str, certificate: x509.Certificate, key: Key) -> Issued:
    folder.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Issued(certificate_file, key_file, certificate, key)
