"""Addresses that a registry names are hostile until they were checked."""

import pytest

from wasm2oci.oci.endpoints import GET_BLOB
from wasm2oci.oci.host import is_loopback
from wasm2oci.registry.urls import (
    Origin,
    UntrustedUrlError,
    check_step,
    is_literal,
    join,
    reachable,
    redact,
    with_query,
)

PUBLIC = Origin("https", "registry.example", 443)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Registry.Example/v2/", Origin("https", "registry.example", 443)),
        ("https://registry.example:443", Origin("https", "registry.example", 443)),
        ("https://registry.example.:8443/x?y#z", Origin("https", "registry.example", 8443)),
        ("http://[::1]:5000/v2/", Origin("http", "[::1]", 5000)),
        ("http://my_registry/", Origin("http", "my_registry", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: Origin) -> None:
    assert Origin.of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "ftp://registry.example/",
        "file:///etc/passwd",
        "//registry.example/",
        "registry.example",
        "https://user@registry.example/",
        "https://user:secret@registry.example/",
        "https://registry.example\\@evil.example/",
        "https://registry.example /",
        "https://regi\tstry.example/",
        "https://registry.example/\r\nX: y",
        "https://exämple/",
        "https://:443/",
        "https://.example/",
        "https://registry..example/",
        "https://registry.example:99999/",
        "https://registry.example:0/",
        "https://registry.example:x/",
        "https://[::1/",
        "https://a%41/",
        "",
    ],
)
def test_what_no_registry_may_name_is_refused(url: str) -> None:
    with pytest.raises(UntrustedUrlError):
        Origin.of(url)


def test_an_origin_reads_as_a_url() -> None:
    assert str(Origin("https", "h", 443)) == "https://h"
    assert str(Origin("http", "[::1]", 5000)) == "http://[::1]:5000"
    assert Origin("http", "[::1]", 5000).name == "::1"
    assert Origin.at("http", "h:80").authority == "h"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5000",
        "a.localhost",
        "127.0.0.1",
        "127.9.8.7:5000",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::1]",
        "[::1]:5000",
        "[::ffff:127.0.0.1]:80",
    ],
)
def test_this_machine_is_recognised_in_any_spelling(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["registry.example", "localhost.example", "10.0.0.1", "[2001:db8::1]", "127.example"])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[2002:7f00:1::]",
        "100.64.0.1",
    ],
)
def test_a_step_inwards_is_refused(host: str) -> None:
    with pytest.raises(UntrustedUrlError, match="token server"):
        check_step(PUBLIC, Origin("https", host, 443), "token server")


def test_a_step_down_to_plain_http_is_refused() -> None:
    with pytest.raises(UntrustedUrlError, match="without TLS"):
        check_step(PUBLIC, Origin("http", "registry.example", 80), "redirect")


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (PUBLIC, Origin("https", "auth.example", 443)),
        (PUBLIC, Origin("https", "8.8.8.8", 443)),
        (PUBLIC, Origin("https", "[2606:4700::1111]", 443)),
        (Origin("http", "registry.example", 80), Origin("http", "auth.example", 80)),
        (Origin("http", "registry.example", 80), Origin("https", "auth.example", 443)),
        (Origin("http", "127.0.0.1", 5000), Origin("http", "localhost", 5001)),
        (Origin("http", "10.0.0.1", 80), Origin("http", "10.0.0.2", 80)),
        (Origin("http", "169.254.1.1", 80), Origin("http", "169.254.1.1", 81)),
    ],
)
def test_a_step_sideways_or_up_is_taken(here: Origin, there: Origin) -> None:
    check_step(here, there, "redirect")


def test_a_link_local_address_is_not_reached_from_another_one() -> None:
    with pytest.raises(UntrustedUrlError):
        check_step(Origin("http", "169.254.1.1", 80), Origin("http", "169.254.169.254", 80), "redirect")


@pytest.mark.parametrize(
    ("base", "location", "joined"),
    [
        ("https://h/v2/a/", "/v2/b?_state=x%3D%3D&n=", "https://h/v2/b?_state=x%3D%3D&n="),
        ("https://h/v2/a/uploads/", "https://other/x", "https://other/x"),
        ("https://h/v2/a/tags/list?n=1", "list?n=1&last=a", "https://h/v2/a/tags/list?n=1&last=a"),
        ("https://h/a", "//evil.example/b", "https://evil.example/b"),
        ("https://h/a", "/b#fragment", "https://h/b"),
    ],
)
def test_a_location_is_joined_and_keeps_its_query(base: str, location: str, joined: str) -> None:
    assert join(base, location) == joined


@pytest.mark.parametrize("location", ["", "javascript:1", "/a b", "https://u@h/", "https://[::1/", "/\x00"])
def test_a_location_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(UntrustedUrlError):
        join("https://h/a", location)


def test_parameters_are_added_behind_what_is_there() -> None:
    assert with_query("https://h/u?_state=a%2Fb&x", [("digest", "sha256:1")]) == (
        "https://h/u?_state=a%2Fb&x&digest=sha256%3A1"
    )
    assert with_query("https://h/u", [("n", "1"), ("last", "a&b")]) == "https://h/u?n=1&last=a%26b"
    assert with_query("https://h/u", []) == "https://h/u"


def test_paths_keep_names_tags_and_digests() -> None:
    assert GET_BLOB.at("a/b_c-d.e", "sha256:ab?#") == "/v2/a/b_c-d.e/blobs/sha256:ab%3F%23"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@h:1/a?token=secret&b=c#d", "https://h:1/a?token=...&b=..."),
        ("https://h/a", "https://h/a"),
        ("/relative?_state=secret", "/relative?_state=..."),
        ("https://h", "https://h"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_secret(url: str, shown: str) -> None:
    assert redact(url) == shown


PRIVATE, LOOP, LINK, GLOBAL = "10.0.0.5", "127.0.0.1", "169.254.169.254", "93.184.216.34"


@pytest.mark.parametrize(
    ("addresses", "home", "careful", "left"),
    [
        ([GLOBAL], [GLOBAL], True, [GLOBAL]),
        ([PRIVATE], [GLOBAL], True, None),
        ([PRIVATE], [GLOBAL], False, [PRIVATE]),
        ([PRIVATE], [PRIVATE], True, [PRIVATE]),
        ([PRIVATE], [GLOBAL, PRIVATE], True, [PRIVATE]),
        ([PRIVATE], [LOOP], True, None),
        ([PRIVATE, GLOBAL], [GLOBAL], True, [GLOBAL]),
        ([LOOP], [GLOBAL], False, None),
        ([LOOP], [PRIVATE], False, None),
        ([LOOP], [LOOP], True, [LOOP]),
        ([LINK], [GLOBAL], False, None),
        ([LINK], [LINK], False, None),
        (["fe80::1%eth0"], [GLOBAL], False, None),
        (["::ffff:127.0.0.1"], [GLOBAL], False, None),
        (["64:ff9b::a9fe:a9fe"], [GLOBAL], False, None),
        (["64:ff9b::5db8:d822"], [GLOBAL], True, ["64:ff9b::5db8:d822"]),
        (["100.64.0.1"], [GLOBAL], True, None),
        ([LOOP], [], False, None),
        ([], [GLOBAL], True, None),
    ],
)
def test_the_addresses_of_a_name_are_checked(
    addresses: list[str],
    home: list[str],
    careful: bool,  # noqa: FBT001 - parametrised
    left: list[str] | None,
) -> None:
    there = Origin("https", "auth.example", 443)
    if left is None:
        with pytest.raises(UntrustedUrlError, match=r"auth\.example"):
            reachable(there, addresses, home, careful=careful)
    else:
        assert reachable(there, addresses, home, careful=careful) == left


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[2001:db8::1]", "10.1", "2130706433", "localhost", "8.8.8.8"])
def test_hosts_that_say_their_address(host: str) -> None:
    assert is_literal(host)
    assert not is_literal("auth.example")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("192.0.0.192", False),
        ("192.0.0.8", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("[::127.0.0.1]", False),
        ("[::7f00:1]", False),
        ("[::ffff:127.0.0.1]", False),
        ("[::ffff:0:127.0.0.1]", False),
        ("[64:ff9b::127.0.0.1]", False),
        ("[64:ff9b::169.254.169.254]", False),
        ("[64:ff9b:1::127.0.0.1]", False),
        ("[64:ff9b:1::8.8.8.8]", False),
        ("[2002:7f00:1::]", False),
        ("[2002:a9fe:a9fe::1]", False),
        ("[fec0::1]", False),
        ("[fd00:ec2::254]", False),
        ("[fd20:ce::254]", False),
        ("[fe80::1%25eth0]", False),
        ("[::]", False),
        ("0.0.0.0", False),
        ("0", False),
        ("[64:ff9b::8.8.8.8]", True),
        ("[2002:808:808::1]", True),
        ("[2606:4700::1111]", True),
        ("8.8.8.8", True),
    ],
)
def test_every_spelling_of_an_inner_address_is_one(host: str, allowed: bool) -> None:  # noqa: FBT001 - parametrised
    name = host.strip("[]").replace("%25", "%")
    there = Origin("https", "storage.example", 443)
    if allowed:
        check_step(PUBLIC, Origin("https", host, 443), "redirect")
        assert reachable(there, [name], [], careful=True) == [name]
    else:
        with pytest.raises(UntrustedUrlError):
            check_step(PUBLIC, Origin("https", host, 443), "redirect")
        with pytest.raises(UntrustedUrlError):
            reachable(there, [name], [], careful=True)


@pytest.mark.parametrize("address", ["192.0.0.192", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::a9fe:a9fe"])
def test_where_clouds_keep_their_secrets_is_not_even_read(address: str) -> None:
    with pytest.raises(UntrustedUrlError):
        reachable(Origin("https", "storage.example", 443), [address], [], careful=False)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://r.example./a?b=%2F&c=", "https://r.example/a?b=%2F&c="),
        ("https://storage.example.:8443/a", "https://storage.example:8443/a"),
        ("//r.example./a", "https://r.example/a"),
    ],
)
def test_the_dot_at_the_end_of_a_host_is_left_out(location: str, url: str) -> None:
    """No certificate names a host so, and a registry that writes its address so means the same host."""
    assert join("https://r.example/v2/", location) == url
