"""Our errors for those of httpx, and of what lies below it: sockets, names, TLS."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import one_line
from wasm2oci.errors import Remedy, RemedyKind
from wasm2oci.oci.host import is_loopback
from wasm2oci.registry.problems import (
    ConnectionFailedError,
    ConnectionLostError,
    ResponseError,
    TimedOutError,
    TlsError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.registry.problems import (
        ExchangeError,
    )
    from wasm2oci.registry.urls import Origin

__all__ = ["translated"]

_HUNG_UP: Final = "UNEXPECTED_EOF_WHILE_READING"
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", _HUNG_UP, "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}
)
"""What OpenSSL calls it when the peer does not speak TLS."""
_DATE_HINT: Final = "the registry needs a new certificate, or the clock of this machine is wrong"
_NAME_HINT: Final = "the certificate is for another host: check the spelling of the registry"
_CERTIFICATE_HINTS: Final = {9: _DATE_HINT, 10: _DATE_HINT, 62: _NAME_HINT, 64: _NAME_HINT}
"""What to do where trusting its authority does not help, by OpenSSL's codes (X509_V_ERR_CERT_NOT_YET_VALID, ...)."""
_PROXY_HINT: Final = (
    "the environment names this proxy (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY); NO_PROXY=HOST asks directly"
)


def translated(error: Exception, origin: Origin, *, proxied: bool = False) -> ExchangeError | ResponseError:
    """Our error for one of httpx's, or of what lies below it.

    Args:
        error: of httpx, or of TLS.
        origin: that was asked.
        proxied: whether it was asked through a proxy.
    """
    import httpx

    where = origin.authority
    causes = list(_causes(error))
    secure = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if isinstance(secure, ssl.SSLCertVerificationError):
        return TlsError(
            f"{where}: the certificate is not trusted: {one_line(secure.verify_message)}",
            hint=_CERTIFICATE_HINTS.get(secure.verify_code),
            remedy=Remedy(RemedyKind.TRUST_CERTIFICATE),
        )
    if isinstance(error, httpx.TimeoutException):
        if isinstance(error, httpx.ConnectTimeout):
            hint = None if is_loopback(origin.host) and not proxied else _connect_hint([], origin, proxied=proxied)
            return TimedOutError(f"{where}: connecting timed out", hint=hint)
        if isinstance(error, httpx.WriteTimeout):
            return TimedOutError(f"{where}: the server receives too slowly")
        return TimedOutError(f"{where}: the server did not answer in time", hint=_PROXY_HINT if proxied else None)
    if secure is not None and isinstance(error, httpx.ConnectError | ssl.SSLError):
        # Some releases of Python 3.11 take an end without TLS's own for an end.
        reason = (
            _HUNG_UP if isinstance(secure, ssl.SSLZeroReturnError) else getattr(secure, "reason", None) or str(secure)
        )
        spoken = reason not in _NOT_TLS
        return TlsError(
            f"{where}: no TLS connection: {one_line(reason).lower().replace('_', ' ')}",
            remedy=None if spoken else Remedy(RemedyKind.USE_PLAIN_HTTP),
            spoken=spoken,
        )
    if secure is not None and "_ALERT_" in (secure.reason or ""):  # TLS 1.3: it comes after our side of the handshake
        said = one_line(secure.reason).lower().rpartition("_alert_")[2].replace("_", " ")
        return TlsError(
            f"{where}: the server ends the TLS connection: {said}",
            remedy=Remedy(RemedyKind.GIVE_CERTIFICATE) if "cert" in said else None,
        )
    if isinstance(error, httpx.ProxyError):
        return ConnectionFailedError(f"{where}: the proxy refuses: {one_line(str(error))}", hint=_PROXY_HINT)
    if isinstance(error, httpx.ConnectError):
        what = "cannot connect to the proxy" if proxied else "cannot connect"
        message = f"{where}: {what}: {_reason(causes)}"
        if is_loopback(origin.host) and not proxied and not _unresolved(causes):
            return ConnectionFailedError(message, remedy=Remedy(RemedyKind.START_REGISTRY))
        return ConnectionFailedError(message, hint=_connect_hint(causes, origin, proxied=proxied))
    if isinstance(error, httpx.InvalidURL | UnicodeError | httpx.UnsupportedProtocol):
        return ResponseError(f"{where}: not a valid address")
    return ConnectionLostError(f"{where}: the connection broke: {_reason(causes)}")


def _connect_hint(causes: list[BaseException], origin: Origin, *, proxied: bool) -> str:
    if proxied:
        return _PROXY_HINT
    if _unresolved(causes):
        return f"check the spelling of {origin.name}, and the network; behind a proxy, set HTTPS_PROXY"
    return "check the host, the port and the network; behind a proxy, set HTTPS_PROXY"


def _unresolved(causes: list[BaseException]) -> bool:
    return any(isinstance(cause, socket.gaierror) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    # From the error down to what started it. httpcore hides the cause and keeps it as its argument.
    below: object = error
    for _ in range(10):
        if not isinstance(below, BaseException):
            return
        yield below
        below = below.__cause__ or (below.args[0] if below.args else None)


def _reason(causes: list[BaseException]) -> str:
    system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    text = str(system.strerror) if isinstance(system, OSError) else str(causes[0])
    text = text.partition(": bytearray(")[0]  # what it sent instead of HTTP, as Python writes it
    return one_line(text, 120).rstrip(".").lower() or type(causes[0]).__name__
