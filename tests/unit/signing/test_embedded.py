from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.wasm_sections import component, custom, module, sign_module
from wasm2oci.signing.embedded import find_signatures, read_embedded_key, verify_embedded
from wasm2oci.signing.keys import InvalidKeyError
from wasm2oci.signing.strict import MalformedSignatureError, SignatureRefusedError

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PLAIN = module(custom("a", b"1"), custom("b", b"2"))


def test_a_signed_module_verifies_with_its_key_and_no_other() -> None:
    signed = sign_module(PLAIN, [KEY])
    found = verify_embedded(signed, KEY.public_key())
    assert found.key_ids == ("-",)
    with pytest.raises(SignatureRefusedError, match="not made by this key"):
        verify_embedded(signed, OTHER.public_key())


def test_either_of_two_signers_is_enough() -> None:
    signed = sign_module(PLAIN, [OTHER, KEY])
    assert verify_embedded(signed, KEY.public_key())
    assert verify_embedded(signed, OTHER.public_key())


def test_a_component_verifies_as_well() -> None:
    assert verify_embedded(sign_module(component(custom("a", b"")), [KEY]), KEY.public_key())


def test_a_module_without_a_signature_holds_none() -> None:
    for data in (PLAIN, module(), module(b"\x00"), module(b"\x00\xff"), module(b"\x00\x03\x05ab")):
        assert find_signatures(data) is None
        with pytest.raises(SignatureRefusedError, match="holds no signature"):
            verify_embedded(data, KEY.public_key())


def test_a_changed_or_extended_module_is_refused() -> None:
    signed = sign_module(PLAIN, [KEY])
    for other in (signed[:-1] + b"3", signed + custom("c", b""), signed[:-4]):
        with pytest.raises(SignatureRefusedError, match="changed or cut short"):
            verify_embedded(other, KEY.public_key())


def test_the_first_part_of_a_signed_module_alone_is_refused() -> None:
    signed = sign_module(PLAIN, [KEY], delimiters=True)
    assert verify_embedded(signed, KEY.public_key())
    with pytest.raises(SignatureRefusedError, match="changed or cut short"):
        verify_embedded(signed[: -len(PLAIN) + 8], KEY.public_key())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x02\x01\x01\x00",
        b"\x01\x01\x01",
        b"\x01\x01\x01\xff\xff\xff\xff\x0f",
        b"\x01\x01\x01\x41" + b"\x00" * 65,
        b"\x01\x01\x01\x00\x00",
        b"\x01\x01\x01\x01\x02\x00\x00\x00",
        b"\x01\x01\x01\x01\x02\x41\x00",
        b"\x01\x01\x01\x01\x05\x00\x01\x02\x00\x02",
    ],
)
def test_a_damaged_signature_section_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedSignatureError, match="signature section"):
        find_signatures(module(custom("signature", body)))


def test_a_signature_section_counts_only_in_the_first_place() -> None:
    signed = sign_module(PLAIN, [KEY])
    assert find_signatures(signed[:8] + custom("first", b"") + signed[8:]) is None


def test_keys_are_read_in_every_form_that_wasmsign2_takes() -> None:
    public = KEY.public_key()
    encoded = [
        b"\x01" + public.public_bytes_raw(),
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    ]
    assert [read_embedded_key(one) for one in encoded] == [public] * 4
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key()
    wrong = p256.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for data in (b"", b"\x02" * 33, b"ssh-ed25519 x", b"-----BEGIN PUBLIC KEY-----\n", wrong):
        with pytest.raises(InvalidKeyError):
            read_embedded_key(data)
