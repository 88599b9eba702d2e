"""Paging: the `Link` header, and when a listing has to stop.

`Link` beats everything else a client could work out for itself. It must stay on the registry's origin, must not lead
to a page that was read already, and there is a bound on pages: a registry could otherwise send us anywhere, or never
end. A registry behind a proxy may not know its scheme and port and leave them out (harbor#23050): then they are kept.

Spec: distribution-spec, Listing Tags (end-8) and Listing Referrers (end-12); RFC 8288 section 3.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wasm2oci.base.budget import Budget
from wasm2oci.errors import RegistryError
from wasm2oci.oci.wire import LISTING_BYTES_MAX, LISTING_ENTRIES_MAX, LISTING_SECONDS_MAX, PAGES_MAX
from wasm2oci.registry.urls import Origin, UntrustedUrlError, at_origin, join_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["EndlessListingError", "Pages", "next_link"]

_HEADER_MAX: Final = 64 * 1024
_BLANKS: Final = " \t"


class EndlessListingError(RegistryError):
    """A listing repeats itself, or has more pages, bytes or entries than a listing can have."""


def next_link(headers: Iterable[str]) -> str | None:
    """The target of the first link whose relation is `next`, as written in these `Link` values, or None."""
    for header in headers:
        for target, relation in _links(header[:_HEADER_MAX]):
            if "next" in relation.lower().split():
                return target
    return None


def _links(text: str) -> Iterator[tuple[str, str]]:
    """Target and `rel` (empty without one) of each link of a value: `<target>` and `;`-separated parameters.

    A scanner that never goes back: its time grows with the length of the text, whatever the text is.
    """
    at, bare = 0, "<" not in text  # zot 1 leaves the brackets out
    while bare and (end := text.find(";", at)) >= 0:
        target = text[at:end].strip(f"{_BLANKS},")
        relation, at = _relation(text, end)
        yield target, relation
    while (start := text.find("<", at)) >= 0 and (end := text.find(">", start)) >= 0:
        relation, at = _relation(text, _past_blanks(text, end + 1))
        if at < len(text) and text[at] != ",":
            continue  # something else follows: this is not a link, the next one may be
        yield text[start + 1 : end], relation


def _relation(text: str, at: int) -> tuple[str, int]:
    """The first `rel` among the parameters from `at` on, empty without one, and where they end."""
    relation: str | None = None
    while text.startswith(";", at):
        name, value, at = _parameter(text, at + 1)
        if relation is None and name.lower() == "rel":
            relation = value
        at = _past_blanks(text, at)
    return relation or "", at


def _parameter(text: str, at: int) -> tuple[str, str, int]:
    """Name and value of the parameter from `at` on, and where it ends. Spec: RFC 8288, appendix B.3."""
    at = start = _past_blanks(text, at)
    while at < len(text) and text[at] not in ' \t=;,"':
        at += 1
    name = text[start:at]
    at = _past_blanks(text, at)
    if not text.startswith("=", at):
        return name, "", at
    at = _past_blanks(text, at + 1)
    if not text.startswith('"', at):
        start = at
        while at < len(text) and text[at] not in ' \t;,"':
            at += 1
        return name, text[start:at], at
    at += 1
    value: list[str] = []
    while at < len(text) and text[at] != '"':
        at += text[at] == "\\"  # the character behind it is taken as it is
        value.append(text[at : at + 1])
        at += 1
    return name, "".join(value), at + 1


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


class Pages:
    """The pages of one listing: says which URL comes next, and refuses URLs of other addresses and repeated ones.

    Args:
        url: of the first page.
        limit: pages that may be read.
        size: bytes of all pages together.
        entries: of all pages together.
        clock: seconds that only grow; all pages together may take `LISTING_SECONDS_MAX`.
    """

    def __init__(
        self,
        url: str,
        limit: int = PAGES_MAX,
        *,
        size: int = LISTING_BYTES_MAX,
        entries: int = LISTING_ENTRIES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origin = Origin.of(url)
        self._budget = Budget(
            f"the listing of {self._origin.authority}",
            EndlessListingError,
            size=size,
            entries=entries,
            seconds=LISTING_SECONDS_MAX,
            clock=clock,
        )
        self._seen = {url}
        self._limit = limit

    def charge(self, page: bytes, entries: int) -> None:
        """Count a page that was read, before its entries are kept.

        Raises:
            EndlessListingError: all pages together are more than a listing can be.
        """
        self._budget.charge(size=len(page), entries=entries)

    def after(self, url: str, links: Iterable[str]) -> str | None:
        """The URL of the page that follows the one at `url`, whose `Link` headers these are, or None at the end.

        Raises:
            UntrustedUrlError: the link leaves the origin.
            EndlessListingError: the link was followed already, or there are too many pages.
        """
        target = next_link(links)
        if target is None:
            return None
        following = join_own(url, target)
        if Origin.of(following).authority == self._origin.host:  # without a port
            following = at_origin(following, self._origin)
        if Origin.of(following) != self._origin:
            raise UntrustedUrlError(f"{self._origin.authority} continues its listing at another address")
        if following in self._seen:
            raise EndlessListingError(f"{self._origin.authority} repeats a page of its listing")
        if len(self._seen) >= self._limit:
            raise EndlessListingError(f"{self._origin.authority} lists more than {self._limit:,} pages")
        self._seen.add(following)
        return following
