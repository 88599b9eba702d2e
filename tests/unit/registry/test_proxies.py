"""Which proxy a request goes through."""

import pytest

from wasm2oci.registry.proxies import proxy_for
from wasm2oci.registry.urls import Origin

HTTPS = Origin("https", "registry.example", 443)
HTTP = Origin("http", "registry.example", 80)
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("origin", "environ", "proxy"),
    [
        (HTTPS, {}, None),
        (HTTPS, {"HTTPS_PROXY": PROXY}, PROXY),
        (HTTPS, {"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        (HTTPS, {"HTTP_PROXY": PROXY}, None),
        (HTTP, {"HTTP_PROXY": PROXY}, PROXY),
        (HTTP, {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None),
        (HTTP, {"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, PROXY),
        (HTTP, {"HTTPS_PROXY": PROXY}, None),
        (HTTPS, {"ALL_PROXY": PROXY}, PROXY),
        (HTTPS, {"all_proxy": PROXY, "https_proxy": ""}, PROXY),
        (HTTPS, {"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        (Origin("http", "localhost", 5000), {"HTTP_PROXY": PROXY}, None),
        (Origin("http", "127.0.0.1", 5000), {"HTTP_PROXY": PROXY}, None),
    ],
)
def test_the_usual_variables(origin: Origin, environ: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(origin, environ) == proxy


@pytest.mark.parametrize(
    ("host", "excluded"),
    [
        ("registry.example", True),
        ("sub.registry.example", True),
        ("notregistry.example", False),
        ("a.dotted.example", True),
        ("dotted.example", True),
        ("b.starred.example", True),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("192.168.0.7", True),
        ("192.168.0.8", False),
        ("[fd00::1]", True),
        ("[fe00::1]", False),
        ("ported.example", False),
    ],
)
def test_exceptions(host: str, *, excluded: bool) -> None:
    environ = {
        "https_proxy": PROXY,
        "no_proxy": "registry.example, .dotted.example *.starred.example,10.0.0.0/8,192.168.0.7,[fd00::]/16"
        ",fd00::/16,ported.example:8443,:,nonsense/99",
    }
    assert (proxy_for(Origin("https", host, 443), environ) is None) == excluded


def test_an_exception_with_a_port_is_for_that_port() -> None:
    environ = {"https_proxy": PROXY, "NO_PROXY": "ported.example:8443,[fd00::1]:443"}
    assert proxy_for(Origin("https", "ported.example", 8443), environ) is None
    assert proxy_for(Origin("https", "ported.example", 443), environ) == PROXY
    assert proxy_for(Origin("https", "[fd00::1]", 443), environ) is None


def test_a_star_means_no_proxy_at_all() -> None:
    assert proxy_for(HTTPS, {"https_proxy": PROXY, "no_proxy": "*"}) is None
