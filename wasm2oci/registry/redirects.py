"""Redirects: which are followed, how the request changes, and what it must leave behind.

* `GET` and `HEAD` follow 301, 302, 303, 307 and 308; other methods follow only 307 and 308, which keep the method.
* Leaving the origin (scheme, host or port) leaves every header behind that is not in `CARRIED`: authorization, custom
  headers, everything. It never comes back, not even when a later redirect returns to the origin.
* A request whose body is a secret (`Request.secret`) never leaves its origin: the body cannot be left behind.
* No step down to plain http, no step inwards (`urls.check_step`); to plain http on the same host means the same origin
  (`urls.join_own`).

Spec: distribution-spec [main], redirects; RFC 9110 section 15.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.registry.problems import RedirectRefusedError
from wasm2oci.registry.urls import Origin, check_step, join_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wasm2oci.registry.messages import Request, Response

__all__ = ["CARRIED", "REDIRECTS", "REDIRECTS_MAX", "redirected", "strip"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
REDIRECTS_MAX: Final = 5
CARRIED: Final = frozenset(
    {"accept", "accept-encoding", "content-length", "content-range", "content-type", "range", "user-agent"}
)
"""Headers that say what is asked, not who asks."""


def strip(headers: Mapping[str, str]) -> dict[str, str]:
    """What of these headers a stranger may see."""
    return {name: value for name, value in headers.items() if name.lower() in CARRIED}


def redirected(
    request: Request, response: Response, addresses: Callable[[Origin], Sequence[str]] = lambda _: ()
) -> Request | None:
    """The request that a redirect leads to, or None when the response is not one.

    Raises:
        RedirectRefusedError: this method does not follow this redirect.
        UntrustedUrlError: it leads where the registry may not send us.
    """
    location = response.headers.get("location")
    if response.status not in REDIRECTS or location is None:
        return None
    here = Origin.of(request.url)
    if request.method not in {"GET", "HEAD"} and response.status not in {307, 308}:
        raise RedirectRefusedError(f"{here.authority} redirects a {request.method} with {response.status}")
    url = join_own(request.url, location)
    there = Origin.of(url)
    check_step(here, there, "a redirect", addresses)
    if request.secret and there != here:
        raise RedirectRefusedError(
            f"{here.authority} redirects a {request.method} that holds a secret to another address"
        )
    return request._replace(url=url, headers=request.headers if there == here else strip(request.headers))
