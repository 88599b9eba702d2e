"""Keys: which kinds there are, and how each signs and verifies in cosign's formats.

| kind | signs | verifies |
|---|---|---|
| ECDSA P-256 | SHA-256 | SHA-256 |
| ECDSA P-384, P-521 | SHA-256, which `cosign verify --key` expects | SHA-256, and SHA-384 or SHA-512 |
| RSA 2048, 3072, 4096, exponent from 65537 on | PKCS#1 v1.5, SHA-256 | the same |
| Ed25519 | Ed25519 | Ed25519 and Ed25519ph: cosign 2 and 3 sign with the second and verify only the first |

A public key is known by the SHA-256 of its SubjectPublicKeyInfo. A bundle holds that as `hint`: an unauthenticated
help to find a key, never a reason to trust one.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, assert_never

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind, UnsupportedError
from wasm2oci.signing import sodium
from wasm2oci.signing.der import INTEGER, SEQUENCE, InvalidDerError, elements
from wasm2oci.signing.pkcs8 import COST_MAX, KeyTooCostlyError, MalformedKeyFileError, check_cost

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OPENSSL_ENCRYPTED", "InvalidKeyError", "PrivateKey", "PublicKey", "UnsupportedKeyError"]

OPENSSL_ENCRYPTED: Final = b"Proc-Type: 4,ENCRYPTED"
"""A header of OpenSSL's older encrypted PEM files (RFC 1421)."""
_CURVES: Final = {"secp256r1": "ECDSA P-256", "secp384r1": "ECDSA P-384", "secp521r1": "ECDSA P-521"}
_OWN_HASH: Final[dict[str, hashes.HashAlgorithm]] = {"secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
_RSA_BITS: Final = frozenset({2048, 3072, 4096})
_RSA_EXPONENTS: Final = range(65537, 1 << 31, 2)
"""FIPS 186-5 wants more than 2^16; Go reads no more than 31 bits."""
_PublicKind = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_PrivateKind = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class InvalidKeyError(InvalidInputError):
    """A key file holds no key, or a damaged one."""


class UnsupportedKeyError(UnsupportedError):
    """The key is of a kind or size that is not supported."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that signatures are verified with.

    Raises:
        UnsupportedKeyError: not of a kind in the table above.
    """

    key: _PublicKind = field(repr=False)

    def __post_init__(self) -> None:
        _kind(self.key)

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Reads a PEM file with a SubjectPublicKeyInfo.

        Raises:
            InvalidKeyError: it is something else.
            UnsupportedKeyError: see the class.
        """
        if b"PRIVATE KEY-----" in pem:
            remedy = Remedy(RemedyKind.SHOW_PUBLIC_KEY)
            raise InvalidKeyError("this is a private key; a public key is needed", remedy=remedy)
        if pem.count(b"-----BEGIN ") > 1:  # only the first would be used, and nothing would say so
            raise InvalidKeyError("there are several keys or certificates in the file, not one public key")
        try:
            return cls._known(serialization.load_pem_public_key(pem))
        except UnsupportedAlgorithm as error:
            raise UnsupportedKeyError(f"public key of a kind that is not used here: {error}") from error
        except ValueError as error:
            raise InvalidKeyError(
                "not a public key in PEM", hint="it begins with -----BEGIN PUBLIC KEY-----"
            ) from error

    @classmethod
    def _known(cls, key: object) -> Self:
        if isinstance(key, _PublicKind):
            return cls(key)
        raise UnsupportedKeyError(f"public key of a kind that is not used here: {type(key).__name__}")

    @property
    def kind(self) -> str:
        """Algorithm and size, for people: `ECDSA P-256`."""
        return _kind(self.key)

    @property
    def der(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        return self.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> bytes:
        """The same as a PEM file."""
        return self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def id(self) -> str:
        """SHA-256 of `der` in hex."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def hint(self) -> str:
        """SHA-256 of `der` in base64, as a bundle names the key."""
        return base64.b64encode(hashlib.sha256(self.der).digest()).decode()

    @property
    def ssh_fingerprint(self) -> str:
        """`SHA256:` and base64, as cosign expects a DSSE `keyid` when there is one."""
        line = self.key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        digest = hashlib.sha256(base64.b64decode(line.split(b" ")[1])).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this is the key's signature of the message, by the rules of the table above."""
        match self.key:
            case ec.EllipticCurvePublicKey() as key:
                algorithms = (hashes.SHA256(), _OWN_HASH.get(key.curve.name, hashes.SHA256()))
                return any(_holds(key.verify, signature, message, ec.ECDSA(one)) for one in algorithms)
            case rsa.RSAPublicKey() as key:
                return _holds(key.verify, signature, message, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PublicKey() as key:
                return _holds(key.verify, signature, message) or sodium.ed25519ph_verifies(
                    key.public_bytes_raw(), signature, message
                )
            case other:
                assert_never(other)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that signs.

    Raises:
        UnsupportedKeyError: not of a kind in the table above.
    """

    key: _PrivateKind = field(repr=False)

    def __post_init__(self) -> None:
        _kind(self.key.public_key())

    @classmethod
    def generate(cls) -> Self:
        """A new ECDSA P-256 key, the one kind that every verifier takes."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_plain_pem(cls, pem: bytes, password: bytes | None = None) -> Self:
        """Reads PKCS#8, SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), as other tools write them.

        Args:
            pem: the file.
            password: of an encrypted PKCS#8 file.

        Raises:
            InvalidKeyError: it is something else, or the password does not open it.
            UnsupportedKeyError: see the class.
        """
        if b"PUBLIC KEY-----" in pem and b"PRIVATE KEY-----" not in pem:
            raise InvalidKeyError(
                "this is a public key; a private key is needed to sign", hint="name the .key file beside it"
            )
        encrypted = b"BEGIN ENCRYPTED PRIVATE KEY" in pem or OPENSSL_ENCRYPTED in pem
        try:
            check_cost(pem)
            return cls._known(serialization.load_pem_private_key(pem, password if encrypted else None))
        except UnsupportedAlgorithm as error:
            raise UnsupportedKeyError(f"private key of a kind that is not used here: {error}") from error
        except KeyTooCostlyError as error:
            raise UnsupportedKeyError(
                f"opening the private key requires more than {COST_MAX:,} rounds of key derivation"
            ) from error
        except MalformedKeyFileError as error:
            raise InvalidKeyError("private key cannot be read: it holds something beside the key in base64") from error
        except (ValueError, TypeError, MemoryError, InternalError) as error:
            reason = "the password does not open it" if encrypted else "not a private key in PEM"
            raise InvalidKeyError(f"private key cannot be read: {reason}") from error

    @classmethod
    def from_pkcs8(cls, der: bytes) -> Self:
        """Reads a PKCS#8 structure.

        Raises:
            InvalidKeyError: it is something else, a bare SEC1 or PKCS#1 key included.
            UnsupportedKeyError: see the class.
        """
        if not _is_pkcs8(der):
            raise InvalidKeyError("the key inside is not PKCS#8", remedy=Remedy(RemedyKind.IMPORT_KEY))
        try:
            return cls._known(serialization.load_der_private_key(der, None))
        except UnsupportedAlgorithm as error:
            raise UnsupportedKeyError(f"private key of a kind that is not used here: {error}") from error
        except (ValueError, TypeError) as error:
            raise InvalidKeyError("the key inside is damaged") from error

    @classmethod
    def _known(cls, key: object) -> Self:
        if isinstance(key, _PrivateKind):
            return cls(key)
        raise UnsupportedKeyError(f"private key of a kind that is not used here: {type(key).__name__}")

    @property
    def pkcs8(self) -> bytes:
        """The PKCS#8 structure, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return PublicKey(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Signs a message: DER for ECDSA, raw bytes for the others."""
        match self.key:
            case ec.EllipticCurvePrivateKey() as key:
                return key.sign(message, ec.ECDSA(hashes.SHA256()))
            case rsa.RSAPrivateKey() as key:
                return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PrivateKey() as key:
                return key.sign(message)
            case other:
                assert_never(other)


def _kind(key: _PublicKind) -> str:
    match key:
        case ec.EllipticCurvePublicKey():
            if key.curve.name not in _CURVES:
                raise UnsupportedKeyError(f"ECDSA keys on {key.curve.name} are not used; P-256, P-384 and P-521 are")
            return _CURVES[key.curve.name]
        case rsa.RSAPublicKey():
            if key.key_size not in _RSA_BITS:
                raise UnsupportedKeyError(f"RSA keys of {key.key_size} bits are not used; 2048, 3072 and 4096 are")
            numbers = key.public_numbers()
            if numbers.e not in _RSA_EXPONENTS or not numbers.n & 1:
                raise UnsupportedKeyError("RSA keys with a weak exponent or an even modulus are not used")
            return f"RSA {key.key_size}"
        case ed25519.Ed25519PublicKey():
            if not sodium.is_ed25519_point(key.public_bytes_raw()):
                raise UnsupportedKeyError("this Ed25519 key is weak: signatures can be made without its private key")
            return "Ed25519"
        case other:
            assert_never(other)


def _is_pkcs8(der: bytes) -> bool:
    """Whether this is SEQUENCE { INTEGER version, SEQUENCE algorithm, ... }; SEC1 and PKCS#1 differ in the second."""
    try:
        (whole,) = elements(der)
        version, algorithm, *_ = elements(whole.content)
    except (InvalidDerError, ValueError):
        return False
    return (whole.tag, version.tag, algorithm.tag) == (SEQUENCE, INTEGER, SEQUENCE)


def _holds(verify: Callable[..., None], *arguments: object) -> bool:
    try:
        verify(*arguments)
    except InvalidSignature:
        return False
    return True
