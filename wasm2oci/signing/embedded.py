"""The signature inside a module or component, as wasmsign2 and proxy-wasm have it: read and verified, never written.

The custom section `signature` is the first section. It holds sets of hashes, each with signatures over the set:

    payload    = 0x01 (version) 0x01 (content type) 0x01 (SHA-256) vec(sized(set))
    set        = vec(hash: 32 bytes) vec(sized(signature))
    signature  = vec(byte) (key id, may be empty)  0x01 (Ed25519)  vec(byte) (64 bytes)
    sized(x)   = u32 (length in bytes) x

A hash is the SHA-256 of the bytes after the section, up to the end of a part; the last is the hash of all of them. A
module verifies when the last hash of a set is its own and the key signed that set: a prefix of a signed module has an
earlier hash, and is refused.

Spec: WebAssembly/tool-conventions, Signatures.md; the two lengths are wasmsign2's and not in that text.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE, preamble
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.signing.keys import InvalidKeyError, PublicKey
from wasm2oci.signing.strict import MalformedSignatureError, SignatureRefusedError

__all__ = ["EmbeddedSignatures", "SignedHashes", "find_signatures", "read_embedded_key", "verify_embedded"]

_SECTION: Final = "signature"
_HASHES_MAX: Final = 64
_SIGNATURES_MAX: Final = 256
_MESSAGE: Final = b"wasmsig\x01\x01\x01"


class SignedHashes(NamedTuple):
    """A set of hashes, and who signed it: (key id, signature) each."""

    hashes: tuple[bytes, ...]
    signatures: tuple[tuple[bytes, bytes], ...]


class EmbeddedSignatures(NamedTuple):
    """What the section holds.

    Args:
        sets: of hashes with their signatures.
        end: offset of the first byte after the section: what is signed begins here.
    """

    sets: tuple[SignedHashes, ...]
    end: int

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids that signers wrote down, in hex, without repetition; `-` for a signature without one."""
        ids = [key_id.hex() or "-" for one in self.sets for key_id, _ in one.signatures]
        return tuple(dict.fromkeys(ids))


def read_embedded_key(data: bytes) -> Ed25519PublicKey:
    """Reads an Ed25519 public key: wasmsign2's 33 bytes, PEM, DER or OpenSSH.

    Raises:
        InvalidKeyError: it is something else.
        UnsupportedKeyError: the key is weak.
    """
    key: object
    try:
        if len(data) == 33 and data[0] == 1:
            key = Ed25519PublicKey.from_public_bytes(data[1:])
        elif data.startswith(b"-----"):
            key = serialization.load_pem_public_key(data)
        elif data.startswith(b"ssh-"):
            key = serialization.load_ssh_public_key(data)
        else:
            key = serialization.load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKeyError("not an Ed25519 public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidKeyError("the signature inside a module is by an Ed25519 key, and this key is of another kind")
    PublicKey(key)  # which refuses weak ones
    return key


def find_signatures(data: bytes) -> EmbeddedSignatures | None:
    """The signatures in a module or component, or None when it has none.

    Raises:
        MalformedSignatureError: the section is damaged.
        MalformedError: this is neither a module nor a component.
    """
    preamble(data[:PREAMBLE_SIZE])
    reader = Reader(data, PREAMBLE_SIZE)
    if reader.pos == reader.end or reader.byte() != 0:
        return None
    try:
        size = reader.u32()
        end = reader.pos + size
        if end > reader.end:
            return None
        inner = Reader(data, reader.pos, end)
        if inner.name() != _SECTION:
            return None
    except MalformedError:
        return None  # no module at all: for the decoder to say
    try:
        return EmbeddedSignatures(_sets(inner), end)
    except MalformedError as error:
        raise MalformedSignatureError(f"the signature section is damaged: {error.message}") from error


def _sets(reader: Reader) -> tuple[SignedHashes, ...]:
    if reader.take(3) != b"\x01\x01\x01":
        raise MalformedSignatureError("the signature section is of an unknown version")
    sets = []
    for _ in range(reader.count(_HASHES_MAX, "sets of hashes")):
        inner = _sized(reader)
        hashes = tuple(inner.take(32) for _ in range(inner.count(_HASHES_MAX, "hashes", 32)))
        signatures = []
        for _ in range(inner.count(_SIGNATURES_MAX, "signatures")):
            one = _sized(inner)
            key_id = one.take(one.u32())
            if one.byte() != 1:
                raise MalformedSignatureError("the signature section has a signature of an unknown algorithm")
            signatures.append((key_id, one.take(one.u32())))
            _ended(one)
        _ended(inner)
        sets.append(SignedHashes(hashes, tuple(signatures)))
    _ended(reader)
    return tuple(sets)


def _sized(reader: Reader) -> Reader:
    size = reader.u32()
    start = reader.pos
    reader.take(size)
    return Reader(reader.data, start, start + size)


def _ended(reader: Reader) -> None:
    if reader.pos != reader.end:
        raise MalformedSignatureError("the signature section has trailing bytes")


def verify_embedded(data: bytes, key: Ed25519PublicKey) -> EmbeddedSignatures:
    """Checks that a key signed all of a module or component.

    Raises:
        SignatureRefusedError: there is no signature, none by this key, or the module was changed or cut short.
        MalformedSignatureError: the section is damaged.
        MalformedError: this is neither a module nor a component.
    """
    found = find_signatures(data)
    if found is None:
        raise SignatureRefusedError("the module holds no signature")
    actual = hashlib.sha256(memoryview(data)[found.end :]).digest()
    by_key = False
    for one in found.sets:
        message = _MESSAGE + b"".join(one.hashes)
        if not any(_verifies(key, signature, message) for _, signature in one.signatures):
            continue
        by_key = True
        if one.hashes and one.hashes[-1] == actual:
            return found
    if by_key:
        raise SignatureRefusedError("the module was changed or cut short after it was signed")
    raise SignatureRefusedError("the signature inside the module was not made by this key")


def _verifies(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
