"""Paging: the `Link` header, and when a listing has to stop.

`Link` beats everything else a client could work out for itself. It must stay on the registry's origin, must not lead
to a page that was read already, and there is a bound on pages: a registry could otherwise send us anywhere, or never
end.

Spec: distribution-spec, Listing Tags (end-8) and Listing Referrers (end-12); RFC 8288 section 3.
"""

import re
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import RegistryError
from wasm2oci.oci.wire import PAGES_MAX
from wasm2oci.registry.urls import Origin, UntrustedUrlError, join

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EndlessListingError", "Pages", "next_link"]

_LINK: Final = re.compile(r"<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]*))?)*)\s*(?:,|\Z)")
_REL: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]*))", re.IGNORECASE)


class EndlessListingError(RegistryError):
    """A listing leads in a circle, or has more pages than a listing can have."""


def next_link(headers: "Iterable[str]") -> str | None:
    """The target of the first link whose relation is `next`, as it stands in these `Link` values, or None."""
    for header in headers:
        for match in _LINK.finditer(header[: 64 * 1024]):
            rel = _REL.search(match.group(2))
            if rel is not None and "next" in (rel.group(1) or rel.group(2) or "").lower().split():
                return match.group(1)
    return None


class Pages:
    """The pages of one listing: says which URL comes next, and refuses to go astray.

    Args:
        url: of the first page.
        limit: pages that may be read.
    """

    def __init__(self, url: str, limit: int = PAGES_MAX) -> None:
        self._origin = Origin.of(url)
        self._seen = {url}
        self._limit = limit

    def after(self, url: str, links: "Iterable[str]") -> str | None:
        """The URL of the page that follows the one at `url`, whose `Link` headers these are, or None at the end.

        Raises:
            UntrustedUrlError: the link leaves the origin.
            EndlessListingError: the link was followed already, or there are too many pages.
        """
        target = next_link(links)
        if target is None:
            return None
        following = join(url, target)
        if Origin.of(following) != self._origin:
            raise UntrustedUrlError(f"{self._origin.authority} continues its listing at another address")
        if following in self._seen:
            raise EndlessListingError(f"{self._origin.authority} repeats a page of its listing")
        if len(self._seen) >= self._limit:
            raise EndlessListingError(f"{self._origin.authority} lists more than {self._limit:,} pages")
        self._seen.add(following)
        return following
