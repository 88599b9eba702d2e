"""HTTP/1.1 as bytes: heads are read and written here, and nothing is guessed.

A server behind a proxy that reads a message differently than the proxy did can be made to answer another client's
request. So whatever two readers could see differently is refused: bare line feeds, folded fields, spaces before a
colon, two lengths, a length beside chunks, chunks in HTTP/1.0, a second Host.
Spec: RFC 9112 (messages), RFC 9110, 5.5 (field values).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasm2oci.base import http1
from wasm2oci.base.text import masked
from wasm2oci.oci.http import Headers

if TYPE_CHECKING:
    from wasm2oci.server.messages import Response

__all__ = ["ConnectionLimits", "HeadError", "RequestHead", "chunk_size", "head_bytes", "parse_head", "reason"]

_REQUEST_LINE: Final = re.compile(rb"([A-Z][A-Z-]{0,31}) ([!-~]+) HTTP/1\.([01])\Z")
_VERSION: Final = re.compile(rb" HTTP/([0-9.]+)\Z")
_LENGTH: Final = re.compile(r"[0-9]{1,18}\Z")
_ABSOLUTE: Final = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)
_FIELDS_MAX: Final = 128
"""Each costs as much as hundreds of bytes of a value; browsers and proxies send some thirty."""
_TAB: Final = "\t"
_HOST: Final = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*\Z")

_REASONS: Final = {
    100: "Continue",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    207: "Multi-Status",
    208: "Already Reported",
    226: "IM Used",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    511: "Network Authentication Required",
}
"""IANA, HTTP Status Code Registry: a component that answers may use any of them."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take.

    Attributes:
        head: bytes of a request line with all header fields.
        head_seconds: for a whole head to come, from its first byte on.
        idle_seconds: between requests, and for one read or write to move anything.
        body_rate: bytes a second that a body has to reach on average.
        body_grace: seconds before that is asked.
        request_seconds: for one request and its response as a whole.
        connections: at once, three quarters of them of one address. A new one takes the place of one that may be cut
            then (`Connection.entitlement`).
        piece: bytes of a body in memory, per connection.
    """

    head: int = 32 * 1024
    head_seconds: float = 15.0
    idle_seconds: float = 60.0
    body_rate: float = 1024.0
    body_grace: float = 60.0
    request_seconds: float = 6 * 3600.0
    connections: int = 640
    piece: int = 256 * 1024


class HeadError(Exception):
    """A head that is refused.

    Args:
        message: what is wrong with it.
        status: the answer, after which the connection is closed.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request's head, checked.

    Attributes:
        method: in capitals.
        target: in origin form.
        headers: the fields.
        length: bytes of the body, None when it is chunked.
        persistent: whether the client wants the connection kept.
        chunks: whether it understands chunks (HTTP/1.1).
        wants_continue: whether it waits for a 100 before it sends the body.
    """

    method: str
    target: str
    headers: Headers
    length: int | None
    persistent: bool
    chunks: bool
    wants_continue: bool


def parse_head(raw: bytes) -> RequestHead:
    """Read a head, from the method up to but not including the empty line.

    Raises:
        HeadError: anything is not as RFC 9112 wants it, or two readers could read it in two ways.
    """
    lines = raw.split(b"\r\n")
    if len(lines) > _FIELDS_MAX:
        raise HeadError(f"more than {_FIELDS_MAX} header fields", 431)
    match = _REQUEST_LINE.match(lines[0])
    if match is None:
        versioned = _VERSION.search(lines[0])
        if versioned is not None and versioned.group(1) not in (b"1.0", b"1.1"):
            raise HeadError("only HTTP/1.1 and HTTP/1.0 are supported here", 505)
        raise HeadError("request line is malformed")
    method, target, minor = match.group(1).decode(), match.group(2).decode("ascii"), match.group(3)
    headers = Headers(_field(line) for line in lines[1:])
    hosts = headers.all("Host")
    absolute = _ABSOLUTE.match(target)
    named = () if absolute is None else (absolute[1],)
    if len(hosts) > 1 or (minor == b"1" and not hosts) or not all(map(_HOST.match, (*hosts, *named))):
        raise HeadError("exactly one Host is needed")
    if absolute is not None:  # what it names takes the place of Host (RFC 9112, 3.2.2)
        target = target[absolute.end() :]
        if not target or target[0] == "?":
            target = f"/{target}"
        others = [(name, value) for name, value in headers if name.lower() != "host"]
        headers = Headers([*others, *(("Host", absolute[1]) for _ in hosts)])
    if not target.startswith("/"):
        raise HeadError("request target is malformed")
    options = {option.strip().lower() for option in (headers.combined("Connection") or "").split(",")}
    persistent = "close" not in options and (minor == b"1" or "keep-alive" in options)
    expected = headers.combined("Expect")
    if expected is not None and expected.lower() != "100-continue":
        raise HeadError("expectation is not understood", 417)
    length = _body_length(headers, minor)
    return RequestHead(
        method=method,
        target=target,
        headers=headers,
        length=length,
        persistent=persistent,
        chunks=minor == b"1",
        wants_continue=expected is not None and minor == b"1" and length != 0,
    )


def chunk_size(line: bytes) -> int:
    """The size in a chunk's first line, without its end of line; extensions are passed over.

    Raises:
        HeadError: it is not one.
    """
    size = http1.chunk_size(line)
    if size is None:
        raise HeadError("chunk size is malformed")
    return size


def head_bytes(response: Response, extra: tuple[tuple[str, str], ...]) -> bytes:
    """A response's head with its empty line; `extra` fields are added unless the response has them itself."""
    own = {name.lower() for name, _ in response.headers}
    fields = [*response.headers, *((name, value) for name, value in extra if name.lower() not in own)]
    lines = [f"HTTP/1.1 {response.status} {reason(response.status)}"]
    # Nothing that came from outside may begin a header of its own.
    lines += [f"{name}: {masked(value, also=_TAB)}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def reason(status: int) -> str:
    """The phrase that goes with a status."""
    return _REASONS.get(status, "Status")


def _field(line: bytes) -> tuple[str, str]:
    # Split at the colon: a pattern that looks for the end of a value would try each blank in it again and again.
    name, colon, value = line.partition(b":")
    if not colon or not http1.is_field_name(name) or not http1.is_field_value(line):
        raise HeadError("header field is malformed")
    return name.decode("ascii"), value.strip(b" \t").decode("latin-1")


def _body_length(headers: Headers, minor: bytes) -> int | None:
    lengths, codings = headers.all("Content-Length"), headers.all("Transfer-Encoding")
    if codings:
        if lengths or minor == b"0" or len(codings) > 1:
            raise HeadError("Transfer-Encoding does not go with this")
        if codings[0].lower() != "chunked":
            raise HeadError("transfer coding is not understood", 501)
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or _LENGTH.match(lengths[0]) is None:
        raise HeadError("Content-Length is malformed")
    return int(lengths[0])
