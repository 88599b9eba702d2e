"""What went wrong with HTTP: the cases of `error-code`. Spec: wasi:http/types."""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from wasm2oci.wasi.abi import Errno
from wasm2oci.wasi.preview2.streams import IoError

__all__ = ["ErrorCode", "HttpError", "HttpIoError", "code", "code_of", "io_error_code"]

ErrorCode = tuple[str, Any]
"""A case of `error-code` and its payload."""

_NONE: Final = ("none", None)
_BY_ERRNO: Final = {
    errno.ECONNREFUSED: "connection-refused",
    errno.ECONNRESET: "connection-terminated",
    errno.EPIPE: "connection-terminated",
    errno.ENETUNREACH: "destination-unavailable",
    errno.EHOSTUNREACH: "destination-unavailable",
    errno.EADDRNOTAVAIL: "destination-IP-unroutable",
    errno.EMFILE: "connection-limit-reached",
    errno.ENFILE: "connection-limit-reached",
}


class HttpError(Exception):
    """An exchange failed.

    Args:
        case: of `error-code`.
        payload: of that case.
    """

    def __init__(self, case: str, payload: Any = None) -> None:
        super().__init__(case)
        self.code: ErrorCode = (case, payload)


class HttpIoError(IoError):
    """A failed body, as its stream shows it.

    Args:
        code: what went wrong.
    """

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(Errno.IO)
        self.code = code

    def debug(self) -> str:
        """See `IoError.debug`."""
        return self.code[0]


def code(case: str, text: str | None = None) -> ErrorCode:
    """A case whose payload is an optional text."""
    return case, _NONE if text is None else ("some", text)


def code_of(error: OSError) -> ErrorCode:
    """What the system says of a connection."""
    import ssl  # noqa: PLC0415 - slow to import, and most guests make no connection

    if isinstance(error, ssl.SSLCertVerificationError):
        return "TLS-certificate-error", None
    if isinstance(error, ssl.SSLError):
        return "TLS-protocol-error", None
    if isinstance(error, TimeoutError):
        return "connection-timeout", None
    if isinstance(error, socket.gaierror):
        return "DNS-error", {"rcode": ("some", socket.gaierror.__name__), "info-code": _NONE}
    case = _BY_ERRNO.get(error.errno or 0)
    return (case, None) if case is not None else code("internal-error", error.strerror)


def io_error_code(error: IoError) -> tuple[str, Any]:
    """`http-error-code`: what went wrong with a body, if it is one's error."""
    return ("some", error.code) if isinstance(error, HttpIoError) else _NONE
