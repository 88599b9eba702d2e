"""Links and the end of listings."""

import pytest

from tests.support.work import HOSTILE, assert_linear, lines_run
from wasm2oci.registry.paging import EndlessListingError, Pages, next_link
from wasm2oci.registry.urls import UntrustedUrlError

URL = "https://h/v2/a/tags/list?n=2"


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('</v2/a/tags/list?n=2&last=b>; rel="next"', "/v2/a/tags/list?n=2&last=b"),
        ("</x>; rel=next", "/x"),
        ("</x>;REL=NEXT", "/x"),
        ('</x>; title="a, b"; rel="prev next"', "/x"),
        ('</p>; rel="prev", </n>; rel="next"', "/n"),
        ("</x>", None),
        ('</x>; rel="previous"', None),
        ('</x>; rel="a\\"b next"', "/x"),
        ('</x>; rel="other"; rel="next"', None),
        ('</x>; flag; rel = "next" ', "/x"),
        ('<a> <b>; rel="next"', "b"),
        ("</a>; rel=next junk, </b>; rel=next", "/b"),
        ('</x>; rel="next', "/x"),
        ("</x>; rel", None),
        ("<x", None),
        ('/v2/a/tags/list?n=2&last=b; rel="next"', "/v2/a/tags/list?n=2&last=b"),  # zot 1.4
        (" /x ; title=a; rel=next", "/x"),
        ("/x; rel=prev", None),
        ('/p; rel="prev", /n; rel="next"', "/n"),
        ("garbage", None),
        ("", None),
    ],
)
def test_the_next_link(header: str, target: str | None) -> None:
    assert next_link([header]) == target


def test_a_link_that_once_hung_the_client() -> None:
    """200 bytes took a pattern for ever."""
    assert next_link(["<x>" + ";a= " * 60 + '"']) is None


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("start", ["", "<", "<x>", "<x>;", '<x>;rel="', "<x>;rel=", "<x>; rel=next", "/x;", '/x;"'])
def test_links_take_time_that_grows_with_their_text(start: str, piece: str) -> None:
    assert_linear(lambda size: lines_run(lambda: next_link([start + piece * (size // len(piece))])))


def test_links_in_several_headers() -> None:
    assert next_link(['</a>; rel="first"', '</b>; rel="next"']) == "/b"


def test_a_listing_goes_on_until_there_is_no_link() -> None:
    pages = Pages(URL)
    # Azure's links are relative and carry a parameter of their own.
    second = pages.after(URL, ['</v2/a/tags/list?last=b&n=2&orderby=>; rel="next"'])
    assert second == "https://h/v2/a/tags/list?last=b&n=2&orderby="
    assert pages.after(second, []) is None


@pytest.mark.parametrize(
    "target", ["https://evil.example/x", "//evil.example/x", "http://evil.example/x", "https://h:444/x"]
)
def test_a_link_to_another_origin_is_refused(target: str) -> None:
    with pytest.raises(UntrustedUrlError):
        Pages(URL).after(URL, [f'<{target}>; rel="next"'])


def test_a_link_with_http_behind_a_proxy_that_ends_tls_stays_on_the_origin_that_was_asked() -> None:
    assert (
        Pages(URL).after(URL, ['<http://h:5000/v2/a/tags/list?last=b>; rel="next"'])
        == "https://h/v2/a/tags/list?last=b"
    )


def test_a_listing_in_a_circle_is_refused() -> None:
    pages = Pages(URL)
    second = pages.after(URL, ["</b>; rel=next"])
    assert second is not None
    with pytest.raises(EndlessListingError, match="repeats"):
        pages.after(second, [f"<{URL}>; rel=next"])


def test_a_listing_without_end_is_refused() -> None:
    pages = Pages(URL, limit=3)
    url: str | None = URL
    for number in range(2):
        assert url is not None
        url = pages.after(url, [f"</page{number}>; rel=next"])
    assert url is not None
    with pytest.raises(EndlessListingError, match="more than 3"):
        pages.after(url, ["</one-more>; rel=next"])


def test_a_listing_that_takes_too_long_is_refused() -> None:
    """10,000 pages, each a little less than 300 s apart, would take a month."""
    times = iter((0.0, 299.0, 598.0, 897.0, 1196.0))
    pages = Pages(URL, clock=lambda: next(times))
    for _ in range(3):
        pages.charge(b"page", 1)
    with pytest.raises(EndlessListingError, match="seconds"):
        pages.charge(b"page", 1)
