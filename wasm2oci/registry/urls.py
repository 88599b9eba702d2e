"""Addresses, as strings that were checked once: origins, joining, queries, and what may be trusted with what.

A registry names other addresses in four places: the realm of a challenge, `Location`, redirects and `Link`. Each is
hostile until checked here. The rules:

* `http` and `https` only, no user information, no control characters, spaces or backslashes (two parsers could read
  two hosts into those), no fragment.
* No step down from `https` to `http`.
* No step inwards: a host that is a loopback, private, link-local or unspecified address, in any spelling, is only
  reached from a registry that is there too.
  What names resolve to is checked when a connection is made (`reachable`).
* An `Origin` is scheme, host and port together: secrets belong to one origin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, urljoin, urlsplit

from wasm2oci.base.values import Value
from wasm2oci.errors import RegistryError
from wasm2oci.oci.host import inner_address, without_user

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Origin",
    "UntrustedUrlError",
    "at_origin",
    "check_step",
    "is_literal",
    "join",
    "join_own",
    "reachable",
    "redact",
    "with_query",
]

_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?:(?!\.|.*\.\.)[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])\Z")
_UNSAFE: Final = re.compile(r"[^\x21-\x5b\x5d-\x7e]")
"""Blanks, controls, backslashes, and all that is not ASCII. (A class that lists all of those compiles in 8 ms.)"""
_PLACE: Final = {
    "loopback": "a loopback address",
    "private": "a private address",
    "link-local": "a link-local address",
    "unspecified": "no address at all",
}


class UntrustedUrlError(RegistryError):
    """The registry named an address that clients must not be sent to."""


class Origin(Value):
    """Scheme, host (lower case, IPv6 in brackets) and port: what a secret is bound to."""

    __slots__ = ("host", "port", "scheme")
    scheme: str
    host: str
    port: int

    def __init__(self, scheme: str, host: str, port: int) -> None:
        self._set(scheme=scheme, host=host, port=port)

    @classmethod
    def of(cls, url: str) -> Self:
        """The origin of an absolute URL.

        Raises:
            UntrustedUrlError: it is not one that this client would ever ask.
        """
        if _UNSAFE.search(url) is not None:
            raise UntrustedUrlError("the registry named an address with characters that are not allowed in an address")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UntrustedUrlError("the registry named a malformed address") from error
        if parts.scheme not in _PORTS:
            raise UntrustedUrlError(f"the registry named an address that is neither http nor https: {parts.scheme!r}")
        if "@" in parts.netloc:
            raise UntrustedUrlError("the registry named an address with a user in it")
        host = (parts.hostname or "").rstrip(".")
        host = f"[{host}]" if ":" in host else host
        if _HOST.match(host) is None or port == 0:
            raise UntrustedUrlError("the registry named an address without a host")
        return cls(parts.scheme, host, port if port is not None else _PORTS[parts.scheme])

    @classmethod
    def at(cls, scheme: str, authority: str) -> Self:
        """The origin of a registry given as `host[:port]`."""
        return cls.of(f"{scheme}://{authority}")

    @property
    def authority(self) -> str:
        """`host`, or `host:port` when the port is not the scheme's own."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The host without an IPv6 address's brackets."""
        return self.host.strip("[]")

    def beside(self, other: Origin) -> str:
        """What tells this origin from another one: its authority or, if that is the same, all of it."""
        return str(self) if self.authority == other.authority else self.authority

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def _none(_: Origin) -> tuple[()]:
    return ()


def check_step(here: Origin, there: Origin, what: str, addresses: Callable[[Origin], Sequence[str]] = _none) -> None:
    """Refuse to be sent from `here` to `there`.

    Args:
        here: who sends us.
        there: where to.
        what: by which means ("a token server", "a redirect"), for the message.
        addresses: those that the name of an origin resolves to; asked when they decide.

    Raises:
        UntrustedUrlError: the step goes down from https to http, or inwards.
    """
    if here.scheme == "https" and there.scheme == "http":
        raise UntrustedUrlError(
            f"{here.authority} names {what} at {there.authority} without TLS",
            hint="secrets and content are not sent over plain http from an https registry; a proxy that ends TLS before"
            " the registry has to send X-Forwarded-Proto",
        )
    inner = inner_address(there.host)
    if inner is None or there.host == here.host:
        return
    if inner in {"loopback", "private"}:
        if inner_address(here.host) == inner:
            return
        if not is_literal(here.host) and inner in {inner_address(address) for address in addresses(here)}:
            return  # the registry's name resolves to such an address itself
    raise UntrustedUrlError(
        f"{here.authority} names {what} at {_PLACE[inner]}: {there.host}",
        hint="a registry must not direct its clients into their own network",
    )


def is_literal(host: str) -> bool:
    """Whether a host says its address itself, so that `check_step` has seen all there is to see."""
    return inner_address(host) is not None or ":" in host or host.replace(".", "").isdigit()


def reachable(there: Origin, addresses: Sequence[str], home: Sequence[str], *, careful: bool) -> list[str]:
    """Of the addresses that a name resolves to, those that a registry may send us to.

    A name is only a name: its owner can let it point anywhere. So what `check_step` does with addresses in
    URLs is done again with those that a connection is about to be made to.

    Args:
        there: the host that the registry named.
        addresses: what its name resolves to.
        home: what the registry's own name resolves to.
        careful: whether something other than an anonymous reading is to be sent. That goes to no private address from
            a registry that has none itself; a reading may (a storage behind a public registry often has one), but
            never to this machine, nor to its link's addresses, where clouds keep their secrets.

    Raises:
        UntrustedUrlError: none is left.
    """
    kinds = {inner_address(address) for address in home} & {"loopback", "private"}
    allowed = {None, *kinds} if careful else {None, "private", *kinds}
    found = [address for address in addresses if inner_address(address) in allowed]
    if not found:
        first = next(iter(addresses), "")
        raise UntrustedUrlError(
            f"the registry names {there.authority}, which is {_PLACE[inner_address(first) or 'unspecified']}: {first}",
            hint="a registry must not direct its clients into their own network",
        )
    return found


def join(base: str, location: str) -> str:
    """The absolute URL of a `Location` or `Link` that came with `base`, its query kept, its fragment dropped.

    Raises:
        UntrustedUrlError: it is not an address that this client would ask.
    """
    if not location or _UNSAFE.search(location) is not None:
        raise UntrustedUrlError("the registry named an address with characters that are not allowed in an address")
    try:
        url = urljoin(base, location).partition("#")[0]
    except ValueError as error:
        raise UntrustedUrlError("the registry named a malformed address") from error
    there = Origin.of(url)
    rooted = (urlsplit(url).hostname or "").endswith(".")  # the whole name in the DNS; no certificate has it so
    return at_origin(url, there) if rooted else url


def join_own(base: str, location: str) -> str:
    """The absolute URL of any address that came with an answer from `base`; see `join`.

    A registry behind a proxy that ends TLS, and that does not know it (X-Forwarded-Proto), names itself with http. Then
    the origin that was asked is kept, as skopeo does, and only path and query are taken.
    """
    url = join(base, location)
    here = Origin.of(base)
    return at_origin(url, here) if here.scheme == "https" and Origin.of(url).scheme == "http" else url


def at_origin(url: str, origin: Origin) -> str:
    """The URL at this origin, if it has its host; only scheme and port change."""
    if Origin.of(url).host != origin.host:
        return url
    parts = urlsplit(url)
    return f"{origin}{parts.path}{f'?{parts.query}' if parts.query else ''}"


def with_query(url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """The URL with parameters added behind those it has; nothing that is there is touched or reordered."""
    for name, value in parameters:
        url += f"{'&' if '?' in url else '?'}{quote(name, safe='')}={quote(value, safe='')}"
    return url


def redact(url: str) -> str:
    """The URL without user information and without the values of its query: safe in a message or a log."""
    head, question, query = without_user(url).partition("#")[0].partition("?")
    if not question:
        return head
    names = [part.partition("=")[0] for part in query.split("&")]
    return f"{head}?{'&'.join(f'{name}=...' for name in names)}"
