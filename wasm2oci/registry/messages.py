"""Requests and responses, as values: what the protocol logic makes and reads, without any HTTP library.

Only `transport` knows the library that sends them. So every decision of this package can be driven in a test by
handing it responses.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, Self

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import RegistryError
from wasm2oci.oci.endpoints import API_ROOT
from wasm2oci.registry.urls import with_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wasm2oci.oci.endpoints import Endpoint
    from wasm2oci.oci.http import Headers
    from wasm2oci.registry.urls import Origin

__all__ = ["BodyTooLargeError", "Request", "RequestBody", "Response", "Sender", "Stream", "request_for"]


class BodyTooLargeError(RegistryError):
    """A response body is larger than its bound."""


class RequestBody(Protocol):
    """A request's body: a known number of bytes that can be sent again from the start."""

    @property
    def size(self) -> int:
        """How many bytes iterating gives."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """A fresh pass from the first byte, in pieces of 1 MiB at most."""
        ...


_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class Request(NamedTuple):
    """What to send.

    Args:
        method: GET, HEAD, POST, PUT, PATCH or DELETE.
        url: absolute, checked.
        headers: by their usual names.
        body: bytes, a re-iterable body, or None.
        repeatable: whether sending it again after an unknown outcome does no harm.
        patience: seconds to wait for the answer beyond the usual, for requests that make the registry work.
        within: seconds that the body of the answer may take in all; None for as long as it comes steadily.
        secret: whether the body is a secret, which may not follow a redirect to another origin.
    """

    method: str
    url: str
    headers: Mapping[str, str] = _NO_HEADERS
    body: RequestBody | bytes | None = None
    repeatable: bool = True
    patience: float = 0.0
    within: float | None = None
    secret: bool = False

    def with_header(self, name: str, value: str) -> Self:
        """The same request with one header more."""
        return self._replace(headers={**self.headers, name: value})

    def __repr__(self) -> str:
        """Without headers and body: there may be secrets in them."""
        return f"Request({self.method!r}, {self.url!r}, ...)"


def request_for(
    row: Endpoint,
    origin: Origin,
    name: str = "",
    reference: object = "",
    *,
    root: str = API_ROOT,
    location: str | None = None,
    query: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    body: RequestBody | bytes | None = None,
    patience: float = 0.0,
) -> Request:
    """The request that a row of the endpoint table describes.

    Args:
        row: of `oci.endpoints`.
        origin: of the registry.
        name: of the repository.
        reference: the tag or digest.
        root: how the paths of the registry begin.
        location: the whole address, where the registry gave one (an upload, the next page); instead of all above.
        query: parameters of the row, in order.
        headers: to send besides the ones every request has.
        body: bytes to send, or None.
        patience: see `Request`.
    """
    unknown = {key for key, _ in query}.difference(row.query)
    if unknown or (location is None and row.in_upload):
        raise AssertionError(f"{row.id} has no parameter {unknown}" if unknown else f"{row.id} goes to a location")
    url = with_query(f"{origin}{row.at(name, reference, root=root)}" if location is None else location, query)
    return Request(row.method, url, dict(headers or {}), body, row.repeatable, patience)


class Stream(Protocol):
    """The body of a response, while it arrives."""

    def __iter__(self) -> Iterator[bytes]:
        """The bytes as they come; once."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class _NoStream:
    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


class _BytesStream:
    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        return iter((self._data,) if self._data else ())

    def close(self) -> None:
        """Nothing is held."""


class Response:
    """What came back. The caller reads it (`read`, `drain`, or iterating `stream`) or closes it.

    Args:
        status: of the answer.
        headers: of the answer.
        stream: the body, not read yet; or bytes.
        url: where it came from, after redirects.
        request: what it answers.
    """

    __slots__ = ("headers", "request", "status", "stream", "url")

    def __init__(self, status: int, headers: Headers, stream: Stream | bytes = b"", *, request: Request) -> None:
        self.status = status
        self.headers = headers
        self.request = request
        self.url = request.url
        self.stream: Stream = (_BytesStream(stream) if stream else _NoStream()) if isinstance(stream, bytes) else stream

    def read(self, limit: int, what: str) -> bytes:
        """The whole body, and the end of this response.

        Args:
            limit: bytes that are too many by one.
            what: the body is, for the message.

        Raises:
            BodyTooLargeError: more than `limit` bytes; no more than that were held.
        """
        try:
            length = self.length
            if length is not None and length > limit and self.request.method != "HEAD":
                raise BodyTooLargeError(f"{what} is {length:,} bytes; the limit is {limit:,}")
            parts: list[bytes] = []
            size = 0
            for part in self.stream:
                size += len(part)
                if size > limit:
                    raise BodyTooLargeError(f"{what} is larger than {limit:,} bytes")
                parts.append(part)
            data = self._decoded(b"".join(parts), limit)
            if data is None or len(data) > limit:
                raise BodyTooLargeError(f"{what} is larger than {limit:,} bytes, or compressed in an unknown way")
            return data
        finally:
            self.close()

    def read_truncated(self, limit: int) -> bytes:
        """At most `limit` bytes of the body, and the end of this response; a connection that breaks ends it early."""
        parts: list[bytes] = []
        size = 0
        try:
            for part in self.stream:
                parts.append(part[: limit - size])
                size += len(part)
                if size >= limit:
                    break
        except RegistryError:
            pass  # a cut error body still says something
        finally:
            self.close()
        return self._decoded(b"".join(parts), limit) or b""

    def _decoded(self, data: bytes, limit: int) -> bytes | None:
        """A body as it was before something between here and the server compressed it, though `identity` was asked for.

        At most one byte more than `limit`; None: it is not what its `Content-Encoding` says.
        """
        encoding = (self.headers.get("content-encoding") or "identity").strip().lower()
        if encoding in {"", "identity"} or not data:
            return data
        import zlib

        try:
            return zlib.decompressobj(31).decompress(data, limit + 1) if encoding in {"gzip", "x-gzip"} else None
        except zlib.error:
            return None

    def drain(self) -> None:
        """Read a short body to its end so that the connection can serve again, and let go."""
        self.read_truncated(64 * 1024)

    def close(self) -> None:
        """Let go of the connection."""
        self.stream.close()

    @property
    def length(self) -> int | None:
        """`Content-Length`, or None when it is absent or no number."""
        return self.headers.content_length


class Sender(Protocol):
    """Turns a request into a response: the transport, or a test's own."""

    def send(self, request: Request, *, home: Origin) -> Response:
        """One exchange: no redirect followed, no cookie kept, nothing decoded, nothing repeated.

        Args:
            request: what to send, where.
            home: the registry this is done for; its client certificate is offered to no other server.

        Raises:
            ConnectionFailedError: and the other errors of `problems` that name a broken exchange.
        """
        ...

    def expect(self, origin: Origin, connections: int) -> None:
        """So many connections to a registry are about to be needed at once: begin to open them."""
        ...

    def addresses(self, origin: Origin) -> Sequence[str]:
        """The addresses that an origin's name resolves to; none where that cannot be found out."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...
