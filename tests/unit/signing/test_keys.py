from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from wasm2oci.errors import Wasm2OciError
from wasm2oci.signing import sodium
from wasm2oci.signing.cosign_key import WrongPasswordError, open_private_key, read_private_key, seal
from wasm2oci.signing.keys import InvalidKeyError, PrivateKey, PublicKey, UnsupportedKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = PrivateKey.generate()


def counting(size: int) -> bytes:
    return bytes(range(size))


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal(KEY, b"secret", counting)


def test_a_sealed_key_opens_with_its_password_and_no_other(sealed: bytes) -> None:
    assert open_private_key(sealed, b"secret").pkcs8 == KEY.pkcs8
    for wrong in (b"", b"Secret", b"secret\n"):
        with pytest.raises(WrongPasswordError, match="does not open"):
            open_private_key(sealed, wrong)


def test_an_empty_password_is_a_password() -> None:
    assert open_private_key(seal(KEY, b"", counting), b"").pkcs8 == KEY.pkcs8


def test_a_sealed_key_has_the_shape_that_cosign_writes(sealed: bytes) -> None:
    lines = sealed.decode().splitlines()
    assert lines[0] == "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"
    assert lines[-1] == "-----END ENCRYPTED SIGSTORE PRIVATE KEY-----"
    assert max(len(line) for line in lines[1:-1]) == 64
    value = json.loads(base64.b64decode("".join(lines[1:-1])))
    assert value["kdf"] == {
        "name": "scrypt",
        "params": {"N": 65536, "r": 8, "p": 1},
        "salt": base64.b64encode(bytes(range(32))).decode(),
    }
    assert value["cipher"] == {"name": "nacl/secretbox", "nonce": base64.b64encode(bytes(range(24))).decode()}


def rewritten(pem: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    lines = pem.decode().splitlines()
    value = json.loads(base64.b64decode("".join(lines[1:-1])))
    change(value)
    body = base64.b64encode(json.dumps(value).encode()).decode()
    return f"{lines[0]}\n{body}\n{lines[-1]}\n".encode()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda value: value["kdf"]["params"].update(N=1 << 30), "which cosign does not use"),
        (lambda value: value["kdf"]["params"].update(N=16384), "which cosign does not use"),
        (lambda value: value["kdf"]["params"].update(N=65536.0), "which cosign does not use"),
        (lambda value: value["kdf"]["params"].update(N=True), "which cosign does not use"),
        (lambda value: value["kdf"]["params"].update(r=1024), "which cosign does not use"),
        (lambda value: value["kdf"]["params"].update(p=64), "which cosign does not use"),
        (lambda value: value["kdf"].update(name="argon2"), "encrypted in a way"),
        (lambda value: value["cipher"].update(name="aes"), "encrypted in a way"),
        (lambda value: value["cipher"].update(nonce="AAAA"), "wrong length"),
        (lambda value: value.update(ciphertext="AAA"), "not base64"),
        (lambda value: value.pop("cipher"), "no cipher"),
        (lambda value: value["kdf"].pop("salt"), "no salt"),
    ],
)
def test_a_damaged_key_file_is_refused(
    sealed: bytes, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(InvalidKeyError, match=sentence):
        open_private_key(rewritten(sealed, change), b"secret")


def test_a_key_file_with_a_repeated_key_is_refused(sealed: bytes) -> None:
    lines = sealed.decode().splitlines()
    body = base64.b64decode("".join(lines[1:-1])).replace(b'{"kdf"', b'{"ciphertext":"","kdf"')
    text = f"{lines[0]}\n{base64.b64encode(body).decode()}\n{lines[-1]}\n"
    with pytest.raises(Wasm2OciError, match="repeated"):
        open_private_key(text.encode(), b"secret")


def test_a_key_file_may_not_be_large(sealed: bytes) -> None:
    with pytest.raises(InvalidKeyError, match="the limit is"):
        open_private_key(sealed + b"\n" * 70_000, b"secret")


def pem(key: Any, form: serialization.PrivateFormat, password: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, how)  # type: ignore[no-any-return]


P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (pem(P256, serialization.PrivateFormat.PKCS8), "ECDSA P-256"),
        (pem(P256, serialization.PrivateFormat.TraditionalOpenSSL), "ECDSA P-256"),
        (pem(P256, serialization.PrivateFormat.PKCS8, b"secret"), "ECDSA P-256"),
        (pem(RSA, serialization.PrivateFormat.PKCS8), "RSA 2048"),
        (pem(RSA, serialization.PrivateFormat.TraditionalOpenSSL), "RSA 2048"),
        (pem(ED, serialization.PrivateFormat.PKCS8), "Ed25519"),
    ],
)
def test_keys_of_other_tools_are_read_and_survive_being_sealed(file: bytes, kind: str) -> None:
    key = read_private_key(file, lambda: b"secret")
    assert key.public.kind == kind
    again = open_private_key(seal(key, b"x", counting), b"x")
    assert again.public.der == key.public.der
    assert again.public.verifies(again.sign(b"message"), b"message")


def test_the_password_is_only_asked_for_when_a_key_is_encrypted() -> None:
    def never() -> bytes:
        raise AssertionError("asked for a password that is not needed")

    assert read_private_key(pem(P256, serialization.PrivateFormat.PKCS8), never).public.kind == "ECDSA P-256"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 1024),
    ],
)
def test_keys_that_are_too_weak_or_unusual_are_refused(key: Any) -> None:
    with pytest.raises(UnsupportedKeyError, match="not used"):
        PrivateKey.from_plain_pem(pem(key, serialization.PrivateFormat.PKCS8))
    with pytest.raises(UnsupportedKeyError, match="not used"):
        PublicKey(key.public_key())


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_a_key_of_another_curve_verifies_both_hashes_and_signs_with_the_one_of_cosign(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    public = PublicKey(key.public_key())
    own = hashes.SHA384() if curve.name == "secp384r1" else hashes.SHA512()
    for algorithm in (hashes.SHA256(), own):
        assert public.verifies(key.sign(b"message", ec.ECDSA(algorithm)), b"message")
    assert not public.verifies(key.sign(b"message", ec.ECDSA(hashes.SHA3_256())), b"message")
    signature = PrivateKey(key).sign(b"message")
    key.public_key().verify(signature, b"message", ec.ECDSA(hashes.SHA256()))


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    other = PrivateKey.generate().public
    for key in (KEY, PrivateKey(RSA), PrivateKey(ED)):
        signature = key.sign(b"message")
        assert key.public.verifies(signature, b"message")
        assert not key.public.verifies(signature, b"massage")
        assert not key.public.verifies(signature[:-1], b"message")
        assert not key.public.verifies(b"", b"message")
        assert not other.verifies(signature, b"message")


def test_ed25519_signatures_verify_prehashed_too_as_cosign_makes_them() -> None:
    # RFC 8032, section 7.3: the test vector of Ed25519ph.
    public = bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf")
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062a"
        "aad11c2a26083406"
    )
    key = PublicKey(ed25519.Ed25519PublicKey.from_public_bytes(public))
    assert key.verifies(signature, b"abc")
    assert not key.verifies(signature, b"abd")
    assert key.verifies(PrivateKey(ED).sign(b"abc"), b"abc") is False


def test_a_public_key_is_no_private_key_and_the_other_way_round(sealed: bytes) -> None:
    with pytest.raises(InvalidKeyError, match="this is a private key"):
        PublicKey.from_pem(sealed)
    with pytest.raises(InvalidKeyError):
        read_private_key(KEY.public.pem, lambda: b"")
    with pytest.raises(InvalidKeyError):
        PublicKey.from_pem(b"ssh-ed25519 AAAA")


def test_the_names_of_a_key_are_those_that_other_tools_use() -> None:
    public = PublicKey.from_pem(KEY.public.pem)
    assert public.der == KEY.public.der
    assert base64.b64decode(public.hint).hex() == public.id
    assert public.ssh_fingerprint.startswith("SHA256:")
    assert not public.ssh_fingerprint.endswith("=")


def test_no_secret_is_shown_by_the_representation_of_a_key() -> None:
    assert repr(KEY) == "PrivateKey()"


def test_a_secretbox_is_the_one_of_nacl() -> None:
    # The test vector of NaCl's own crypto_secretbox.
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    plain = bytes.fromhex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f4"
        "1db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52"
        "f0a089bc76897040e082f937763848645e0705"
    )
    boxed = sodium.secretbox_seal(key, nonce, plain)
    assert boxed[:16].hex() == "f3ffc7703f9400e52a7dfb4b3d3305d9"
    assert sodium.secretbox_open(key, nonce, boxed) == plain
    with pytest.raises(sodium.BoxError):
        sodium.secretbox_open(key, nonce, boxed[:-1] + b"\0")
