"""Errors of TLS as users read them."""

from __future__ import annotations

import ssl

import pytest

from wasm2oci.errors import RemedyKind
from wasm2oci.registry.transport_errors import translated
from wasm2oci.registry.urls import Origin


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (9, "the registry needs a new certificate"),
        (10, "the registry needs a new certificate"),
        (20, None),
        (62, "the certificate is for another host"),
        (64, "the certificate is for another host"),
    ],
)
def test_the_hint_about_a_certificate_fits_what_is_wrong_with_it(code: int, hint: str | None) -> None:
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_code, refused.verify_message = code, "as OpenSSL words it"
    found = translated(refused, Origin.of("https://registry.example/v2/"))
    assert "as OpenSSL words it" in found.message
    assert (found.hint or "").startswith(hint or "")
    assert (found.hint is None) == (hint is None)
    assert found.remedy == (RemedyKind.TRUST_CERTIFICATE, "")
