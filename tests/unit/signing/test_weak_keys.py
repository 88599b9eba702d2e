"""Files of keys that are hostile: weak keys, and encrypted ones that would take for ever to open."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from wasm2oci.signing.cosign_key import read_private_key
from wasm2oci.signing.der import InvalidDerError, elements
from wasm2oci.signing.embedded import read_embedded_key
from wasm2oci.signing.keys import InvalidKeyError, PrivateKey, PublicKey, UnsupportedKeyError


def _element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(content) < 0x80 else bytes([0x80 | len(size)]) + size) + content


def _integer(value: int) -> bytes:
    return _element(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _pem(label: str, der: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def _public_rsa(modulus: int, exponent: int) -> bytes:
    algorithm = _element(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return _pem(
        "PUBLIC KEY",
        _element(0x30, algorithm, _element(3, b"\0", _element(0x30, _integer(modulus), _integer(exponent)))),
    )


MODULUS = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [
        (MODULUS, 1),
        (MODULUS, 2),
        (MODULUS, 3),
        (MODULUS, 65536),
        (MODULUS, (1 << 31) + 1),
        (MODULUS + 1, 65537),
        (1 << 2047, 65537),
    ],
    ids=["exponent-1", "exponent-2", "exponent-3", "even-exponent", "large-exponent", "even-modulus", "power-of-two"],
)
def test_an_rsa_key_that_is_weak_is_refused(modulus: int, exponent: int) -> None:
    assert PublicKey.from_pem(_public_rsa(MODULUS, 65537)).kind == "RSA 2048"
    with pytest.raises((InvalidKeyError, UnsupportedKeyError)):
        PublicKey.from_pem(_public_rsa(modulus, exponent))


SMALL_ORDER = [
    "01" + "00" * 31,
    "00" * 32,
    "00" * 31 + "80",
    "ec" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
    "01" + "00" * 30 + "80",
]


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_an_ed25519_key_for_which_anybody_can_sign_is_refused(point: str) -> None:
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(point))
    with pytest.raises(UnsupportedKeyError, match="is weak"):
        PublicKey(public)
    with pytest.raises(UnsupportedKeyError, match="is weak"):
        read_embedded_key(b"\x01" + bytes.fromhex(point))


def _encrypted(*numbers: int, kind: str) -> bytes:
    parameters = _element(0x30, _element(4, b"saltsalt"), *map(_integer, numbers))
    derivation = _element(0x30, bytes.fromhex(kind), parameters)
    cipher = _element(0x30, bytes.fromhex("060960864801650304012a"), _element(4, b"i" * 16))
    algorithm = _element(0x30, bytes.fromhex("06092a864886f70d01050d"), _element(0x30, derivation, cipher))
    return _pem("ENCRYPTED PRIVATE KEY", _element(0x30, algorithm, _element(4, b"x" * 160)))


PBKDF2, SCRYPT = "06092a864886f70d01050c", "06092b06010401da47040b"


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((1 << 31,), PBKDF2),
        ((1 << 62, 32), PBKDF2),
        ((-1,), PBKDF2),
        ((0,), PBKDF2),
        ((1 << 30, 8, 1), SCRYPT),
        ((1 << 62, 8, 1, 32), SCRYPT),
        ((16384, 8, 1 << 20), SCRYPT),
        ((16384, 1 << 20, 1), SCRYPT),
        ((1 << 14, 0, 1), SCRYPT),
    ],
)
def test_an_encrypted_key_that_takes_for_ever_to_open_is_refused(numbers: tuple[int, ...], kind: str) -> None:
    with pytest.raises(UnsupportedKeyError, match="rounds of key derivation"):
        PrivateKey.from_plain_pem(_encrypted(*numbers, kind=kind), b"pw")


def test_what_stands_around_a_costly_key_hides_it_from_no_check() -> None:
    costly, cheap = _encrypted(1 << 22 | 1 << 30, kind=PBKDF2), _encrypted(2048, kind=PBKDF2)
    headers = costly.replace(b"KEY-----\n", b"KEY-----\nX-Note: a\n\n", 1)
    for pem in (headers, headers + cheap, cheap + headers):
        with pytest.raises(InvalidKeyError, match="beside the key"):
            PrivateKey.from_plain_pem(pem, b"pw")
    for pem in (cheap + costly, costly + cheap):
        with pytest.raises(UnsupportedKeyError, match="rounds of key derivation"):
            PrivateKey.from_plain_pem(pem, b"pw")


@pytest.mark.parametrize(("numbers", "kind"), [((2048,), PBKDF2), ((1024, 8, 1), SCRYPT), ((3, 8, 1), SCRYPT)])
def test_an_encrypted_key_that_does_not_open_is_refused(numbers: tuple[int, ...], kind: str) -> None:
    with pytest.raises(InvalidKeyError, match="does not open"):
        PrivateKey.from_plain_pem(_encrypted(*numbers, kind=kind), b"pw")


def test_openssls_older_encrypted_files_are_read() -> None:
    how = serialization.BestAvailableEncryption(b"pw")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, how)
    assert b"Proc-Type" in pem
    assert read_private_key(pem, lambda: b"pw").public == PublicKey(key.public_key())
    with pytest.raises(InvalidKeyError, match="does not open"):
        read_private_key(pem, lambda: b"no")


@pytest.mark.parametrize(
    "data",
    [
        b"\x30",
        b"\x30\x81",
        b"\x30\x80",
        b"\x30\x81\x01\x00",
        b"\x30\x82\x00\x80" + b"x" * 128,
        b"\x30\x85" + b"\1" * 9,
        b"\x30\x02\x00",
    ],
)
def test_what_is_no_der_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDerError):
        elements(data)
