"""The primitives that `cryptography` lacks, from PyNaCl: the only module that imports it, and only when asked.

Spec: NaCl secretbox (XSalsa20-Poly1305); RFC 8032, section 5.1 (Ed25519ph and points).
"""

from __future__ import annotations

__all__ = ["BoxError", "ed25519ph_verifies", "is_ed25519_point", "secretbox_open", "secretbox_seal"]


class BoxError(Exception):
    """A secretbox does not open: another key, or other bytes. Never leaves `signing`."""


def secretbox_seal(key: bytes, nonce: bytes, plain: bytes) -> bytes:
    """Encrypts and authenticates: 16 bytes of tag, then the ciphertext. `key` has 32 bytes, `nonce` 24."""
    from nacl.bindings import crypto_secretbox  # noqa: PLC0415 - start-up is a feature

    return bytes(crypto_secretbox(plain, nonce, key))


def secretbox_open(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Decrypts what `secretbox_seal` made.

    Raises:
        BoxError: another key, or other bytes.
    """
    from nacl.bindings import crypto_secretbox_open  # noqa: PLC0415
    from nacl.exceptions import CryptoError  # noqa: PLC0415

    try:
        return bytes(crypto_secretbox_open(sealed, nonce, key))
    except CryptoError as error:
        raise BoxError from error


def ed25519ph_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this is the Ed25519ph signature of the message by the key with these 32 public bytes."""
    from nacl import bindings  # noqa: PLC0415
    from nacl.exceptions import CryptoError  # noqa: PLC0415

    if len(signature) != bindings.crypto_sign_BYTES:
        return False
    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, message)
    try:
        return bool(bindings.crypto_sign_ed25519ph_final_verify(state, signature, public))
    except CryptoError:
        return False


def is_ed25519_point(public: bytes) -> bool:
    """Whether these 32 bytes are a point of the main subgroup, in its one form; others need no key to sign."""
    from nacl.bindings import crypto_core_ed25519_is_valid_point  # noqa: PLC0415

    return bool(crypto_core_ed25519_is_valid_point(public))
