"""Which proxy, if any, a request goes through: the environment's usual variables, read the usual way.

`https_proxy`/`HTTPS_PROXY` for https, `http_proxy` for http (its upper-case twin too, unless this runs as a CGI
program), `all_proxy` for both; `no_proxy` lists hosts that are asked directly: names (and what ends in them),
addresses, networks in CIDR form, each with an optional port, or `*`. This machine itself is never reached through a
proxy.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.registry.urls import Origin

from wasm2oci.oci.host import is_loopback

__all__ = ["proxy_for"]


def proxy_for(origin: Origin, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL for requests to this origin, or None to ask directly."""
    if is_loopback(origin.host) or _excluded(origin, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    names = [f"{origin.scheme}_proxy", "all_proxy"]
    for name in names:
        upper = "" if name == "http_proxy" and "REQUEST_METHOD" in environ else environ.get(name.upper(), "")
        value = environ.get(name) or upper
        if value:
            return value if "://" in value else f"http://{value}"
    return None


def _excluded(origin: Origin, text: str) -> bool:
    host = origin.name.lower()
    for word in text.replace(",", " ").split():
        entry, port = _split_port(word.lower())
        if port is not None and port != origin.port:
            continue
        if entry == "*" or _fits(host, entry):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5 and (":" not in name or name.startswith("[")):
        return name.strip("[]"), int(port)
    return entry.strip("[]"), None


def _fits(host: str, entry: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = entry.removeprefix("*").lstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except (ValueError, TypeError):
        return False
