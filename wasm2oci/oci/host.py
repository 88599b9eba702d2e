"""Hosts: which kind of place a name or an address literally is, in any spelling that a resolver takes.

Names are not resolved here.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from typing import Final, Literal

__all__ = [
    "HUB_HOSTS",
    "HUB_NAMESPACE",
    "InnerAddress",
    "inner_address",
    "is_loopback",
    "is_port",
    "same_form",
    "without_user",
]

HUB_HOSTS: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")
"""The names of Docker Hub: the one that users write, the one of its credentials, and the one that answers."""
HUB_NAMESPACE: Final = "library"
"""Where a repository of Docker Hub is whose name has no slash."""
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}\Z")
_AUTHORITY_END: Final = re.compile("[/?#]")
_HTTPS: Final = ":443"
_OTHER_HUB_HOSTS: Final = frozenset({"registry.hub.docker.com", "registry.docker.io"})
"""Names by which Docker Hub answers or did, and that no tool writes by itself."""
InnerAddress = Literal["loopback", "private", "link-local", "unspecified"]
_EMBEDDING: Final = tuple(
    map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)
"""IPv6 networks whose addresses end in an IPv4 address, which is what is reached."""
_LOOPBACK6: Final = ipaddress.IPv6Address("::1")
_CLOUD: Final[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = (
    *map(ipaddress.IPv4Network, ("192.0.0.0/24", "100.100.100.200/32", "168.63.129.16/32")),
    *map(ipaddress.IPv6Network, ("fd00:ec2::/32", "fd20:ce::/32")),
)
"""Where clouds keep their secrets outside of the link-local networks: Oracle, Alibaba, Azure; AWS, Google."""


def is_port(text: str) -> bool:
    """Whether this is the number of a port in its one spelling: without a sign, and without a zero at its start."""
    return _PORT.match(text) is not None and int(text) < 1 << 16


def without_user(address: str) -> str:
    """An address for a message, which repeats no user's name and no password before the host.

    A password may have a slash or a question mark that should be escaped: where what is before that is no host with a
    port, all up to the last `@` counts.

    Args:
        address: with a scheme or without one.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "", address
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    _, colon, port = authority.rpartition("]")[2].partition(":")
    if "@" not in authority and (not colon or not port or is_port(port)):
        return address
    _, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{host}" if at else address


def same_form(host: str) -> str:
    """A host of a reference in the one form that all its spellings share, for what is decided by name.

    It is in lower case and has no port 443; an address is written as `ipaddress` writes it, an IPv4 address in an IPv6
    one as the former, and Docker Hub is `docker.io`. A name and its address are two hosts.

    Args:
        host: as a reference has it, with or without a port.
    """
    name = host.lower().removesuffix(_HTTPS)
    if name in HUB_HOSTS or name in _OTHER_HUB_HOSTS:
        return HUB_HOSTS[0]
    if name.startswith("["):
        text, _, port = name[1:].partition("]")
        address = ipaddress.IPv6Address(text)
        return f"{address.ipv4_mapped or f'[{address}]'}{port}"
    text, colon, port = name.partition(":")
    with suppress(OSError):
        text = str(ipaddress.IPv4Address(socket.inet_aton(text)))
    return f"{text}{colon}{port}"


def inner_address(host: str) -> InnerAddress | None:
    """Which kind of inner address this host is, or None for a public one and for any other name.

    Args:
        host: a name or an address, without a port; an IPv6 address with or without brackets.

    Spec: RFC 6761 (`localhost` and names below it), RFC 6890; IPv4 addresses in IPv6 ones by RFC 4291, 3056, 6052.
    """
    name = host.strip("[]").partition("%")[0].lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    if ":" in name:
        try:
            address = ipaddress.IPv6Address(name)
        except ValueError:
            return None
        if address.is_unspecified or address == _LOOPBACK6:
            return "unspecified" if address.is_unspecified else "loopback"
        inner = address.sixtofour
        if any(address in network for network in _EMBEDDING):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _EMBEDDING[-1] and inner is not None and inner.is_global:
            return "private"  # a translator of the own network, wherever it leads
        address = inner or address
    else:
        try:
            # inet_aton also reads 127.1, 2130706433 and 0x7f000001, as the resolver will.
            address = ipaddress.IPv4Address(socket.inet_aton(name))
        except OSError:
            return None
    if address.is_unspecified:
        return "unspecified"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local or any(address in network for network in _CLOUD if network.version == address.version):
        return "link-local"
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return "private"
    return None if address.is_global or address.is_multicast else "private"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or by literal address.

    Args:
        host: with or without a port; an IPv6 address with a port is in brackets.
    """
    if host.startswith("["):
        return inner_address(host[1:].partition("]")[0]) == "loopback"
    name = host if host.count(":") > 1 else host.partition(":")[0]
    return inner_address(name) == "loopback"
