"""One request out, one response in, over HTTP/1.1: where httpcore is used.

httpcore keeps connections and speaks HTTP, and that is all that is wanted: httpx, which is built on it, would also keep
cookies, follow redirects with custom headers, decode bodies and read the environment. There is a pool of connections
for each origin. httpcore is imported when the first request is sent.
"""

import socket
import ssl
import sys
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wasm2oci.base.budget import Budget
from wasm2oci.oci.http import Headers
from wasm2oci.registry.dial import Dialer
from wasm2oci.registry.messages import Request, Response
from wasm2oci.registry.problems import ResponseError, TimedOutError
from wasm2oci.registry.proxies import parse_proxy, proxy_for
from wasm2oci.registry.retry import RATE
from wasm2oci.registry.tls import TlsSettings, build_context
from wasm2oci.registry.urls import Origin, is_literal, reachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import httpcore

__all__ = ["HttpTransport"]

_HEAD_MAX: Final = 1 << 20
"""Bytes that are received until a head is whole, the first of its body and all informational answers included."""
_HEADS: Final = 5
_KEPT_ALIVE: Final = 30.0
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a body, be it an empty one (RFC 9110, section 8.6)."""


class HttpTransport:
    """Sends requests over HTTP/1.1; connections are kept and shared by all threads.

    Args:
        tls: what to trust and show.
        environ: for the proxy variables.
        connect_timeout: seconds until a connection is made.
        read_timeout: seconds for a piece of an answer, and for a piece that is sent; five times that for a head.
        clock: seconds that only grow.
        resolve: the addresses of a host's name; the system's if None.
        waiting: called with a host that is waited for longer than `retry.SILENCE`; perhaps more than once.
        home_folder: of the user, for `host_certificates`; None: there are no certificates for single hosts.
    """

    def __init__(
        self,
        tls: TlsSettings,
        environ: "Mapping[str, str]",
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        clock: "Callable[[], float]" = time.monotonic,
        resolve: "Callable[[str, int], list[str]] | None" = None,
        waiting: "Callable[[str], None]" = lambda _: None,
        home_folder: "Path | None" = None,
    ) -> None:
        self._tls = tls
        self._home_folder = home_folder
        self._environ = environ
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._clock = clock
        self._resolve = resolve or _resolve
        self._resolved: dict[Origin, list[str]] = {}
        self._pools: dict[tuple[Origin, bool], httpcore.ConnectionPool] = {}
        self._contexts: dict[tuple[TlsSettings, bool], ssl.SSLContext] = {}
        self._names: dict[str, str] = {}
        self._dialer = Dialer(connect_timeout, lambda host: waiting(self._names.get(host, host)))
        self._guard = Lock()
        self._context_guard = Lock()

    def expect(self, origin: Origin, connections: int) -> None:
        """Begin to open connections to a registry that is about to be asked. See `dial`."""
        if proxy_for(origin, self._environ) is None:
            context = (lambda: self._context(origin, certificate=True)) if origin.scheme == "https" else None
            self._dialer.expect(origin, connections, context)

    def tls_at(self, origin: Origin) -> TlsSettings:
        """What TLS trusts and shows at this origin."""
        if self._home_folder is None or origin.scheme != "https":
            return self._tls
        from wasm2oci.registry.host_certificates import with_host_certificates

        return with_host_certificates(self._tls, origin, self._environ, self._home_folder)

    def send(self, request: Request, *, home: Origin) -> Response:
        """One exchange. See `messages.Sender`."""
        origin = Origin.of(request.url)
        if origin == home and "httpcore" not in sys.modules:
            self.expect(origin, 1)  # the import takes a good part of a handshake
        from wasm2oci.registry.streams import head_budget
        from wasm2oci.registry.transport_errors import TRANSPORT_ERRORS, translated

        pool = self._pool(origin, certificate=origin == home)

        def head() -> Budget:
            return Budget(
                f"{origin.authority}: the head of an answer",
                ResponseError,
                size=_HEAD_MAX,
                seconds=_HEADS * self._read_timeout + request.patience,
                clock=self._clock,
            )

        try:
            with head_budget(head, self._clock):
                if origin.host == home.host:
                    answer = pool.handle_request(self._outgoing(request, origin))
                else:
                    answer = self._send_away(pool, request, origin, home)
        except TRANSPORT_ERRORS as error:
            raise translated(error, origin, proxied=proxy_for(origin, self._environ) is not None) from error
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
        incoming = _Incoming(answer.stream, origin, self._clock, self._read_timeout, request.within)
        return Response(answer.status, headers, incoming, request=request)

    def _outgoing(self, request: Request, origin: Origin, address: str | None = None) -> "httpcore.Request":
        """A request as httpcore takes it.

        Args:
            request: what to send.
            origin: of its URL.
            address: to connect to, instead of one that the host's name stands for.

        Raises:
            UnicodeError: a header is not ASCII.
        """
        import httpcore

        parts = urlsplit(request.url)
        headers = {"Host": origin.authority, **request.headers}
        if "Content-Length" not in headers:
            headers |= _framing(request)
        extensions: dict[str, Any] = {
            "timeout": {
                "connect": self._connect_timeout,
                "read": self._read_timeout + request.patience,
                "write": self._read_timeout,
                "pool": None,
            }
        }
        if address is not None:
            extensions["sni_hostname"] = origin.name
        # The port of the scheme is left out: a proxy is asked for the address as it is usually written.
        url = httpcore.URL(
            scheme=origin.scheme,
            host=address or origin.name,
            port=None if origin.authority == origin.host else origin.port,
            target=f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}",
        )
        raw = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        return httpcore.Request(request.method, url, headers=raw, content=request.body, extensions=extensions)

    def _send_away(
        self, pool: "httpcore.ConnectionPool", request: Request, origin: Origin, home: Origin
    ) -> "httpcore.Response":
        # To a host that the registry named. Its name is resolved here, and the connection made to an address that was
        # looked at: a second look-up could find another one.
        import httpcore

        if is_literal(origin.host) or proxy_for(origin, self._environ) is not None:
            return pool.handle_request(self._outgoing(request, origin))
        careful = request.method not in {"GET", "HEAD"} or "Authorization" in request.headers
        try:
            addresses = self._addresses(origin)
        except OSError as error:
            raise httpcore.ConnectError(error) from error
        with suppress(OSError):  # a registry behind a proxy may have no address that is known here
            self._addresses(home)
        *others, last = reachable(origin, addresses, self._resolved.get(home, []), careful=careful)
        self._names.update(dict.fromkeys((*others, last), origin.name))
        for address in others:
            # Without a connection nothing was sent yet; an address may be of a network that is not there (IPv6).
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return pool.handle_request(self._outgoing(request, origin, address))
        return pool.handle_request(self._outgoing(request, origin, last))

    def addresses(self, origin: Origin) -> list[str]:
        """The addresses that an origin's name resolves to; none behind a proxy, which looks names up itself."""
        if proxy_for(origin, self._environ) is not None:
            return []
        try:
            return self._addresses(origin)
        except OSError:
            return []

    def _addresses(self, origin: Origin) -> list[str]:
        known = self._resolved.get(origin)
        if known is None:
            known = self._resolved[origin] = list(dict.fromkeys(self._resolve(origin.name, origin.port)))
        return known

    def close(self) -> None:
        """Close every connection; those that are in use break."""
        with self._guard:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()
        self._dialer.close()

    def _pool(self, origin: Origin, *, certificate: bool) -> "httpcore.ConnectionPool":
        with self._guard:
            pool = self._pools.get((origin, certificate))
            if pool is None:
                pool = self._pools[origin, certificate] = self._open(origin, certificate=certificate)
            return pool

    def _open(self, origin: Origin, *, certificate: bool) -> "httpcore.ConnectionPool":
        import httpcore

        from wasm2oci.registry.streams import Backend, CountingBackend

        address, proxy = proxy_for(origin, self._environ), None
        if address is not None:
            at = parse_proxy(address)
            # The client's certificate is not for the proxy.
            context = self._context(at.origin, certificate=False) if at.origin.scheme == "https" else None
            proxy = httpcore.Proxy(at.url, at.auth, ssl_context=context)
        return httpcore.ConnectionPool(
            # None for plain http, which has no use for one.
            ssl_context=self._context(origin, certificate=certificate) if origin.scheme == "https" else None,
            proxy=proxy,
            max_connections=None,
            max_keepalive_connections=32,
            keepalive_expiry=_KEPT_ALIVE,
            network_backend=Backend(self._dialer)
            if proxy is None or proxy.url.scheme == b"http"
            else CountingBackend(),
        )

    def _context(self, origin: Origin, *, certificate: bool) -> ssl.SSLContext:
        settings = self.tls_at(origin)
        key = (settings, certificate and settings.cert_file is not None)
        with self._context_guard:
            if key not in self._contexts:
                made = build_context(settings, client_certificate=key[1], environ=self._environ)
                made.set_alpn_protocols(["http/1.1"])
                self._contexts[key] = made
            return self._contexts[key]


class _Incoming:
    """A response's body, with httpcore's errors made ours where the bytes are consumed.

    It has to come steadily: only the time that is spent waiting for it counts. What stands between two pieces of it
    (sizes of chunks, their extensions, trailers) belongs to the piece that follows.
    """

    __slots__ = ("_clock", "_closed", "_grace", "_origin", "_stream", "_within")

    def __init__(
        self, stream: Any, origin: Origin, clock: "Callable[[], float]", grace: float, within: float | None
    ) -> None:
        self._closed = False
        self._stream = stream
        self._origin = origin
        self._clock, self._grace, self._within = clock, grace, within

    def __iter__(self) -> "Iterator[bytes]":
        if self._closed:  # the library would look for an end that never comes
            return
        from wasm2oci.registry.streams import received_within
        from wasm2oci.registry.transport_errors import TRANSPORT_ERRORS, translated

        # No size is asked for: cutting pieces again would copy every byte once more.
        pieces = iter(self._stream)
        received, waited = 0, 0.0
        while True:
            begun = self._clock()
            try:
                with received_within(self._grace):
                    piece = next(pieces, None)
            except TRANSPORT_ERRORS as error:
                raise translated(error, self._origin) from error
            if piece is None:
                return
            waited += self._clock() - begun
            received += len(piece)
            if waited > self._grace + received / RATE or (self._within is not None and waited > self._within):
                where = self._origin.authority
                raise TimedOutError(f"{where}: an answer comes too slowly: {received:,} bytes in {waited:.0f} s")
            yield piece

    def close(self) -> None:
        self._closed = True
        self._stream.close()


def _framing(request: Request) -> dict[str, str]:
    """The header field that says where the body ends: RFC 9112, section 6."""
    body = request.body
    if body is None or isinstance(body, bytes):
        return {"Content-Length": str(len(body or b""))} if body or request.method in _WITH_BODY else {}
    return {"Transfer-Encoding": "chunked"}


def _resolve(name: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
