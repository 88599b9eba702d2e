"""cosign's encrypted private key file.

    -----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----      (older: ENCRYPTED COSIGN PRIVATE KEY)
    base64 of {"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"..."},
               "cipher":{"name":"nacl/secretbox","nonce":"..."},"ciphertext":"..."}
    -----END ENCRYPTED SIGSTORE PRIVATE KEY-----

Inside is PKCS#8. Only three sets of scrypt parameters are in use; others are refused before they cost memory or time.

Spec: secure-systems-lab/go-securesystemslib, encrypted; sigstore/cosign, pkg/cosign/keys.go.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.wire import load_object
from wasm2oci.signing import sodium
from wasm2oci.signing.keys import OPENSSL_ENCRYPTED, InvalidKeyError, PrivateKey

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KEY_FILE_MAX", "WrongPasswordError", "is_encrypted", "open_private_key", "read_private_key", "seal"]

KEY_FILE_MAX: Final = 64 * 1024
"""Bytes of a key file."""
_COSTS: Final = (65536, 32768, 131072)
"""scrypt's N: what is written now, what older files have, what OWASP recommends."""
_LABELS: Final = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z ]+)-----\r?\n([A-Za-z0-9+/=\r\n]*)-----END \1-----\s*\Z")
_LINE: Final = 64


class WrongPasswordError(InvalidInputError):
    """The password does not open the private key."""


def is_encrypted(pem: bytes) -> bool:
    """Whether this is a private key file that needs a password."""
    return b"BEGIN ENCRYPTED " in pem[:KEY_FILE_MAX] or OPENSSL_ENCRYPTED in pem[:KEY_FILE_MAX]


def read_private_key(pem: bytes, password: Callable[[], bytes]) -> PrivateKey:
    """Reads a private key file of any kind; asks for the password only when it is encrypted.

    Raises:
        InvalidKeyError: the file is not a private key, or damaged.
        WrongPasswordError: the password does not open it.
        UnsupportedKeyError: the key is of a kind that is not used.
    """
    if any(label.encode() in pem for label in _LABELS):
        return open_private_key(pem, password())
    return PrivateKey.from_plain_pem(pem, password() if is_encrypted(pem) else None)


def open_private_key(pem: bytes, password: bytes) -> PrivateKey:
    """Decrypts a cosign key file.

    Raises:
        InvalidKeyError: not such a file, damaged, with other scrypt parameters, or without PKCS#8 inside.
        WrongPasswordError: the password does not open it.
        UnsupportedKeyError: the key inside is of a kind that is not used.
    """
    if len(pem) > KEY_FILE_MAX:
        raise InvalidKeyError(f"key file is {len(pem):,} bytes; the limit is {KEY_FILE_MAX:,}")
    found = _PEM.match(pem.strip() + b"\n")
    if found is None or found[1].decode() not in _LABELS:
        raise InvalidKeyError("not a cosign private key", hint=f"it begins with -----BEGIN {_LABELS[0]}-----")
    document = load_object(_decode(found[2].translate(None, b"\r\n").decode(), "the PEM body"), "key file")
    kdf, cipher = _object(document, "kdf"), _object(document, "cipher")
    params = _object(kdf, "params")
    if kdf.get("name") != "scrypt" or cipher.get("name") != "nacl/secretbox":
        raise InvalidKeyError("key file is encrypted in a way that cosign does not use")
    cost = params.get("N")
    if type(cost) is not int or cost not in _COSTS or params.get("r") != 8 or params.get("p") != 1:
        raise InvalidKeyError(f"key file asks for scrypt with {params!r}"[:160] + ", which cosign does not use")
    salt, nonce = _decode(kdf.get("salt"), "salt"), _decode(cipher.get("nonce"), "nonce")
    sealed = _decode(document.get("ciphertext"), "ciphertext")
    if len(salt) != 32 or len(nonce) != 24:
        raise InvalidKeyError("salt or nonce of the key file has the wrong length")
    try:
        plain = sodium.secretbox_open(_derive(password, salt, cost), nonce, sealed)
    except sodium.BoxError as error:
        raise WrongPasswordError(
            "the password does not open this private key", hint="set COSIGN_PASSWORD, or enter it when asked"
        ) from error
    return PrivateKey.from_pkcs8(plain)


def seal(key: PrivateKey, password: bytes, random: Callable[[int], bytes]) -> bytes:
    """Encrypts a key as cosign does.

    Args:
        key: the key.
        password: may be empty.
        random: gives as many random bytes as it is asked for.

    Returns:
        A PEM file with the current label.
    """
    salt, nonce = random(32), random(24)
    document = {
        "kdf": {"name": "scrypt", "params": {"N": _COSTS[0], "r": 8, "p": 1}, "salt": _encode(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _encode(nonce)},
        "ciphertext": _encode(sodium.secretbox_seal(_derive(password, salt, _COSTS[0]), nonce, key.pkcs8)),
    }
    body = _encode(json.dumps(document, separators=(",", ":")).encode())
    lines = [body[start : start + _LINE] for start in range(0, len(body), _LINE)]
    return "\n".join([f"-----BEGIN {_LABELS[0]}-----", *lines, f"-----END {_LABELS[0]}-----", ""]).encode()


def _derive(password: bytes, salt: bytes, cost: int) -> bytes:
    # OpenSSL refuses more than 32 MiB unless it is allowed; scrypt takes 128 * N * r bytes.
    return hashlib.scrypt(password, salt=salt, n=cost, r=8, p=1, maxmem=2 * 128 * cost * 8, dklen=32)


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    if not isinstance(found, dict):
        raise InvalidKeyError(f"key file has no {key}")
    return found


def _decode(text: object, what: str) -> bytes:
    if not isinstance(text, str):
        raise InvalidKeyError(f"key file has no {what}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidKeyError(f"{what} of the key file is not base64") from error


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
