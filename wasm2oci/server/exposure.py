"""Where a server may be reached: addresses, the names that it goes by, and TLS."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import local_errors
from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind, UsageError
from wasm2oci.oci.host import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "TlsFilesError",
    "check_exposure",
    "is_address",
    "is_foreign",
    "parse_listen",
    "stays_here",
    "tls_context",
]

_ADDRESS: Final = re.compile(r"(?:localhost|[0-9.]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?\Z", re.IGNORECASE)


class TlsFilesError(InvalidInputError):
    """The certificate and key cannot be used."""


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPv6]:PORT`, `:PORT` or `PORT`; the host is 127.0.0.1 when none is given.

    Raises:
        InvalidInputError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    shown = text.rpartition("@")[2]  # what is before it may be a password
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidInputError(f"the address {shown!r} is ambiguous", hint="write an IPv6 address as [::1]:5000")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise InvalidInputError(f"the address {shown!r} has no port from 0 to 65535", hint="for example 127.0.0.1:5000")
    del colon
    return host or "127.0.0.1", int(port)


def check_exposure(host: str, *, authenticated: bool) -> None:
    """Refuse to offer a registry to a network in which every client may write.

    Raises:
        UsageError: the address is not the loopback's, and no user is asked for.
    """
    if not authenticated and not stays_here(host):
        raise UsageError(
            f"refusing to listen at {host} without authentication: every client that reaches it could write to it",
            remedy=Remedy(RemedyKind.PROTECT_SERVER),
        )


def is_address(host: str) -> bool:
    """Whether a `Host` is one that no name server decides on: an address or `localhost`, perhaps with a port."""
    return _ADDRESS.match(host) is not None


def is_foreign(host: str | None, allowed: frozenset[str] | None) -> bool:
    """Whether a `Host` is a name that the server does not go by.

    A page of another site can have its own name lead here.

    Args:
        host: as the client sent it; None for HTTP/1.0, which no browser speaks.
        allowed: names in lower case, beside addresses and `localhost`; None for any.
    """
    if host is None or allowed is None or is_address(host):
        return False
    return host.rpartition(":")[0].lower() not in allowed if ":" in host else host.lower() not in allowed


def stays_here(host: str) -> bool:
    """Whether only this machine reaches what is listened at an address or a name."""
    # The address that the name resolves to now decides: that is where the server listens.
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return is_loopback(host)
    return all(is_loopback(address) for address in found)


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's context: TLS 1.2 and newer, this certificate (with its chain) and this key.

    Args:
        certificate: PEM.
        key: PEM; None when it is in the certificate's file.

    Raises:
        NotFoundError: a file is not there.
        TlsFilesError: they are not PEM, do not belong together, or need a password.
    """
    for path in (certificate, key):
        if path is not None:
            with local_errors(path), path.open("rb"):
                pass
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    def no_password() -> str:
        raise TlsFilesError(f"the key for {certificate} needs a password", hint="decrypt it: openssl pkey -in KEY")

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except ssl.SSLError as error:
        why = f": {error.reason.lower().replace('_', ' ')}" if error.reason else ""
        raise TlsFilesError(
            f"certificate {certificate} and its key cannot be used{why}", hint="both are PEM files that belong together"
        ) from error
    return context
