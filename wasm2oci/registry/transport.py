"""The only file that knows httpx: one request out, one response in, nothing else.

httpx's `Client` would keep cookies, follow redirects with custom headers, decode bodies and read the environment;
none of that is wanted, so its `HTTPTransport` is used, one for each origin. httpx is imported when the first request
is sent.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast

from wasm2oci.base.budget import Budget
from wasm2oci.errors import Remedy, RemedyKind
from wasm2oci.oci.http import Headers
from wasm2oci.registry.dial import ADDRESSES, TRIES, Dialer, resolve_host
from wasm2oci.registry.messages import Response
from wasm2oci.registry.problems import (
    ConnectionFailedError,
    ResponseError,
    TimedOutError,
)
from wasm2oci.registry.proxies import proxy_for
from wasm2oci.registry.retry import RATE
from wasm2oci.registry.urls import Origin, is_literal, reachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import ModuleType

    from httpx import HTTPTransport
    from httpx import Response as Answer

    from wasm2oci.registry.messages import Request
    from wasm2oci.registry.options import TlsSettings

__all__ = ["HttpTransport", "ProxySettingError"]

_HEAD_MAX: Final = 1 << 20
"""Bytes that are received until a head is whole, the first of its body and all informational answers included."""
_HEADS: Final = 5
_KEPT_ALIVE: Final = 30.0
_importing: Final = Lock()


class ProxySettingError(ConnectionFailedError):
    """A proxy variable of the environment does not hold the address of a proxy."""


class HttpTransport:
    """Sends requests over HTTP/1.1; connections are kept and shared by all threads.

    Args:
        tls: what to trust and show.
        environ: for the proxy variables.
        connect_timeout: seconds until a connection is made.
        read_timeout: seconds for a piece of an answer, and for a piece that is sent; five times that for a head.
        clock: seconds that only grow.
        resolve: the addresses of a host's name; the system's if None.
        waiting: called with the host (and its port, if that is not TLS's own) or the proxy that is waited for longer
            than `retry.SILENCE`; perhaps more than once.
        home_folder: of the user, for `host_certificates`; None: there are no certificates for single hosts.
    """

    def __init__(
        self,
        tls: TlsSettings,
        environ: Mapping[str, str],
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        resolve: Callable[[str, int], list[str]] | None = None,
        waiting: Callable[[str], None] = lambda _: None,
        home_folder: Path | None = None,
    ) -> None:
        self._tls = tls
        self._home_folder = home_folder
        self._environ = environ
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._clock = clock
        self._resolve = resolve or _resolve
        self._resolved: dict[Origin, list[str]] = {}
        self._pools: dict[tuple[Origin, bool], HTTPTransport] = {}
        self._contexts: dict[tuple[TlsSettings, bool], ssl.SSLContext] = {}
        self._names: dict[str, str] = {}
        self._proxies: set[tuple[str, int]] = set()
        self._dialer = Dialer(connect_timeout, lambda host, port: waiting(self._shown(host, port)))
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
        return self._tls.at(origin, self._environ, self._home_folder)

    def send(self, request: Request, *, home: Origin) -> Response:
        """One exchange. See `messages.Sender`."""
        origin = Origin.of(request.url)
        if origin == home and "httpx" not in sys.modules:
            self.expect(origin, 1)  # the import takes as long as a handshake
        httpx = import_httpx()
        import ssl

        from wasm2oci.registry.streams import head_budget

        pool = self._pool(origin, certificate=origin == home)
        extensions: dict[str, Any] = {
            "timeout": {
                "connect": self._connect_timeout,
                "read": self._read_timeout + request.patience,
                "write": self._read_timeout,
                "pool": None,
            }
        }
        headers = dict(request.headers)

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
                    outgoing = httpx.Request(
                        request.method, request.url, headers=headers, content=request.body, extensions=extensions
                    )
                    answer = pool.handle_request(outgoing)
                else:
                    answer = self._send_away(pool, request, origin, home, extensions)
        except (httpx.TransportError, httpx.InvalidURL, UnicodeError, ssl.SSLError) as error:
            from wasm2oci.registry.transport_errors import translated

            raise translated(error, origin, proxied=proxy_for(origin, self._environ) is not None) from error
        said = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw)
        incoming = _Incoming(
            answer,
            said.content_length,
            origin,
            clock=self._clock,
            grace=self._read_timeout,
            within=request.within,
        )
        return Response(answer.status_code, said, incoming, request=request)

    def _send_away(
        self, pool: HTTPTransport, request: Request, origin: Origin, home: Origin, extensions: dict[str, Any]
    ) -> Answer:
        # To a host that the registry named. Its name is resolved here, and the connection made to an address that was
        # looked at: a second look-up could find another one.
        httpx = import_httpx()
        url, headers = httpx.URL(request.url), dict(request.headers)
        targets = [url]
        if not is_literal(origin.host) and proxy_for(origin, self._environ) is None:
            careful = request.method not in {"GET", "HEAD"} or "Authorization" in headers
            try:
                addresses = self._addresses(origin)
            except OSError as error:
                raise httpx.ConnectError(str(error)) from error
            with suppress(OSError):  # a registry behind a proxy may have no address that is known here
                self._addresses(home)
            allowed = reachable(origin, addresses, self._resolved.get(home, []), careful=careful)
            targets = [url.copy_with(host=address) for address in allowed]
            self._names.update(dict.fromkeys(allowed, origin.name))
            headers["Host"] = origin.authority
            extensions["sni_hostname"] = origin.name
        failure: Exception = httpx.ConnectTimeout("connecting timed out")
        end = self._clock() + TRIES * self._connect_timeout
        for target in targets[:ADDRESSES]:  # see `dial.connect`
            left = end - self._clock()
            if left <= 0:
                break
            extensions["timeout"]["connect"] = min(left, self._connect_timeout)
            outgoing = httpx.Request(
                request.method, target, headers=headers, content=request.body, extensions=extensions
            )
            try:
                return pool.handle_request(outgoing)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error  # nothing was sent yet
        raise failure

    def _shown(self, host: str, port: int) -> str:
        place = Origin("https", f"[{host}]" if ":" in host else self._names.get(host, host), port).authority
        return f"the proxy {place}" if (host, port) in self._proxies else place

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
                # The pool's own `close` takes its lock, which an interrupt can have left locked.
                for connection in pool._pool.connections:  # noqa: SLF001 - httpx does not show them
                    connection.close()
            self._pools.clear()
        self._dialer.close()

    def _pool(self, origin: Origin, *, certificate: bool) -> HTTPTransport:
        with self._guard:
            pool = self._pools.get((origin, certificate))
            if pool is None:
                pool = self._pools[origin, certificate] = self._open(origin, certificate=certificate)
            return pool

    def _open(self, origin: Origin, *, certificate: bool) -> HTTPTransport:
        httpx = import_httpx()
        address = proxy_for(origin, self._environ)
        context = self._context(origin, certificate=certificate) if origin.scheme == "https" else _unused_context()
        proxy = None
        if address is not None:
            try:
                url = httpx.URL(address)
                # The client's certificate is not for the proxy.
                secure = url.scheme == "https"
                at = Origin("https", url.host, url.port or 443)
                proxy = httpx.Proxy(url, ssl_context=self._context(at, certificate=False) if secure else None)
                self._proxies.add((url.host, url.port or (443 if secure else 80)))
            except (ValueError, httpx.InvalidURL) as error:
                raise ProxySettingError(
                    "the proxy in the environment is not an address",
                    hint="look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
                ) from error
        try:
            opened = httpx.HTTPTransport(
                verify=context,
                trust_env=False,
                proxy=proxy,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=_KEPT_ALIVE),
            )
        except ImportError as error:  # a SOCKS proxy needs a package of its own
            raise ProxySettingError(
                "the proxy in the environment is a SOCKS proxy, which needs the package socksio",
                remedy=Remedy(RemedyKind.INSTALL, "socks"),
            ) from error
        from wasm2oci.registry.streams import Backend, CountingBackend

        plain = proxy is None or proxy.url.scheme == "http"
        # httpx has no way to say where its connections come from; its pool, which is httpcore's, has.
        opened._pool._network_backend = Backend(self._dialer, reuse=proxy is None) if plain else CountingBackend()  # noqa: SLF001
        return cast("HTTPTransport", opened)

    def _context(self, origin: Origin, *, certificate: bool) -> ssl.SSLContext:
        settings = self.tls_at(origin)
        key = (settings, certificate and settings.cert_file is not None)
        with self._context_guard:
            if key not in self._contexts:
                from wasm2oci.registry.tls import build_context

                made = build_context(settings, client_certificate=key[1], environ=self._environ)
                made.set_alpn_protocols(["http/1.1"])
                self._contexts[key] = made
            return self._contexts[key]


class _Incoming:
    """A response's body, with httpx's errors made ours where the bytes are consumed.

    It has to come steadily: only the time that is spent waiting for it counts. What comes between two pieces of it
    (sizes of chunks, their extensions, trailers) belongs to the piece that follows.
    """

    __slots__ = ("_answer", "_clock", "_closed", "_grace", "_length", "_origin", "_within")

    def __init__(
        self,
        answer: Answer,
        length: int | None,
        origin: Origin,
        *,
        clock: Callable[[], float],
        grace: float,
        within: float | None,
    ) -> None:
        self._closed = False
        self._answer = answer
        self._length = length
        self._origin = origin
        self._clock, self._grace, self._within = clock, grace, within

    def __iter__(self) -> Iterator[bytes]:
        if self._closed:  # the library would look for an end that never comes
            return
        import ssl

        from wasm2oci.registry.streams import long_body, received_within

        httpx = import_httpx()
        pieces = long_body(self._answer, self._length)
        received, waited = 0, 0.0
        while True:
            begun = self._clock()
            try:
                with received_within(self._grace):
                    piece = next(pieces, None)
            except (httpx.TransportError, ssl.SSLError) as error:
                from wasm2oci.registry.transport_errors import translated

                raise translated(error, self._origin) from error
            if piece is None:
                return
            waited += self._clock() - begun
            received += len(piece)
            if waited > self._grace + received / RATE or (self._within is not None and waited > self._within):
                where = self._origin.authority
                raise TimedOutError(f"{where}: the response arrives too slowly: {received:,} bytes in {waited:.0f} s")
            yield piece

    def close(self) -> None:
        self._closed = True
        cast("Any", self._answer.stream).close()


def import_httpx() -> ModuleType:
    """The httpx module, whole, whichever thread asks for it first.

    httpx imports its own command line, and with it click and most of rich, whenever those are installed; that doubles
    the time of the import. Where `httpx._main` cannot be imported httpx does without it, so for the time of the import
    `sys.modules` says that it cannot. One thread at a time does that; another thread that asks meanwhile waits, because
    `sys.modules` holds httpx long before it is complete. An import of httpx that other code has begun is not disturbed.
    """
    with _importing:
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None makes the import fail
        try:
            import httpcore  # noqa: F401 - httpx imports it with the first transport, which may be on any thread
            import httpx
        finally:
            if sys.modules.get("httpx._main", sys) is None:
                del sys.modules["httpx._main"]
        return httpx


def _resolve(name: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in resolve_host(name, port)]


def _unused_context() -> ssl.SSLContext:
    # Plain http needs none, but httpx would build its own, which takes 20 ms; an empty one takes none.
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
