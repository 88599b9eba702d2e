"""Errors of TLS as users read them."""

from __future__ import annotations

import ssl

import httpx
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


def test_what_is_not_http_is_not_shown_as_python_writes_it() -> None:
    broken = httpx.RemoteProtocolError("illegal status line: bytearray(b'SSH-2.0-OpenSSH')")
    assert translated(broken, Origin.of("http://localhost:22/v2/")).message.endswith(": illegal status line")


def test_a_time_out_on_this_machine_does_not_claim_that_nothing_listens() -> None:
    assert translated(httpx.ConnectTimeout("slow"), Origin.of("https://localhost:5000/v2/")).hint is None
    assert "network" in (translated(httpx.ConnectTimeout("slow"), Origin.of("https://r.example/v2/")).hint or "")
    late = httpx.ReadTimeout("slow")
    assert "NO_PROXY" in (translated(late, Origin.of("https://r.example/v2/"), proxied=True).hint or "")
