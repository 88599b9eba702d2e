"""A request on its way: one connection for each, in a thread of its own. Spec: RFC 9112.

The thread looks up the name, connects, and then sends and receives at once, since either side may begin to talk
first. Redirects are not followed, proxies not used, connections not kept. The guest waits on its bell; this thread on
its own one and the socket.
"""

from __future__ import annotations

import functools
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.authorities import client_context
from wasm2oci.base.descriptors import wait_ready
from wasm2oci.wasi.preview2.bell import Bell
from wasm2oci.wasi.preview2.http.errors import HttpError, HttpIoError, code_of
from wasm2oci.wasi.preview2.http.incoming import FutureResponse, IncomingResponse
from wasm2oci.wasi.preview2.http.parsing import ResponseReader
from wasm2oci.wasi.preview2.http.shared import Later

if TYPE_CHECKING:
    from wasm2oci.wasi.preview2.http.outgoing import OutgoingRequest, RequestOptions
    from wasm2oci.wasi.preview2.http.state import HttpState
    from wasm2oci.wasi.preview2.pipes import Pipe

__all__ = ["HttpExchange"]

_PIECE: Final = 64 * 1024
_CONNECT_S: Final = 30.0
_ANSWER_S: Final = 600.0
"""Seconds without a byte, where the guest sets no time (wasmtime)."""
_LONGEST_S: Final = 24 * 3600.0
"""Seconds that are waited at most, whatever the guest sets: the system cannot wait for as long as `u64` counts."""
_ADDRESSES: Final = 8
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_STANDARD_PORTS: Final = {False: 80, True: 443}


@functools.cache
def _tls() -> ssl.SSLContext:
    # One for the process: it costs 20 ms, every request of a component needs it, and nothing in it belongs to a run.
    context = client_context()
    # Some releases of Python 3.11 set it (see `_connect`); it is not there with OpenSSL 1.1.1.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.set_alpn_protocols(["http/1.1"])
    return context


class HttpExchange:
    """A request and its response.

    Args:
        request: what is asked; taken over.
        address: host and port.
        options: how long it may take.
        state: of the run.
        secure: whether over TLS.

    Attributes:
        done: whether its thread has rung for the last time.
    """

    def __init__(
        self,
        request: OutgoingRequest,
        address: tuple[str, int],
        options: RequestOptions,
        state: HttpState,
        *,
        secure: bool,
    ) -> None:
        self._request, self._address, self._secure = request, address, secure
        self._state = state
        self._times = options.times
        self._bell = Bell()
        try:
            self._response_pipe = state.pipe(self._bell)
        except MemoryError:
            self._bell.close()
            raise
        self._guest_bell = state.bell.hold()
        self._later: Later[tuple[str, Any]] = Later(self._guest_bell)
        self._cancelled = False
        self._chunked = False
        self.done = False
        self._body = request.pipe
        self._method = request.method[1] or request.method[0].upper()
        if self._body is not None:
            self._body.watch(self._bell)

    def start(self) -> FutureResponse:
        """Begin, in a thread of its own.

        Raises:
            HttpError: no thread is available.
        """
        self._bell.hold()
        try:
            threading.Thread(target=self._run, name="wasm2oci-request", daemon=True).start()
        except RuntimeError as error:
            self._end()
            raise HttpError("connection-limit-reached") from error
        return FutureResponse(self._later, self.cancel)

    def cancel(self) -> None:
        """Ends it; from the guest's thread."""
        self._cancelled = True
        if not self.done:
            self._bell.ring()

    def release(self) -> None:
        """Release the bells and pipes; called by the guest's thread."""
        self.cancel()
        self._response_pipe.unwatch(self._bell)
        if self._request.pipe is not None:
            self._request.pipe.unwatch(self._bell)
        self._bell.close()

    def _run(self) -> None:
        try:
            try:
                with self._connect() as sock:
                    self._converse(sock)
            except OSError as error:
                raise HttpError(*code_of(error)) from error
        except HttpError as error:
            self._response_pipe.fail(HttpIoError(error.code))
            self._later.give(("error", error.code))
        finally:
            self._end()

    def _end(self) -> None:
        if self._request.pipe is not None:
            self._request.pipe.abandon()
        self.done = True
        self._guest_bell.close()
        self._bell.close()

    def _seconds(self, name: str, otherwise: float) -> float:
        given = self._times.get(name)
        return otherwise if given is None else min(given / 1e9, _LONGEST_S)

    # --- the connection ---------------------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        until = time.monotonic() + self._seconds("connect-timeout", _CONNECT_S)
        try:
            found = socket.getaddrinfo(*self._address, type=socket.SOCK_STREAM)[:_ADDRESSES]
        except (socket.gaierror, UnicodeError) as error:
            raise HttpError("DNS-error", {"rcode": ("none", None), "info-code": ("none", None)}) from error
        failure: OSError = TimeoutError()
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                self._set_timeout(sock, until)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._secure:
                    self._set_timeout(sock, until)
                    # An end without TLS's own is an error: anyone on the network path can cut a connection, and with
                    # it a body that lasts until the end.
                    sock = _tls().wrap_socket(sock, server_hostname=self._address[0], suppress_ragged_eofs=False)
            except ssl.SSLError:
                sock.close()
                raise
            except OSError as error:
                sock.close()
                failure = error
            else:
                sock.setblocking(False)
                return sock
        raise failure

    def _set_timeout(self, sock: socket.socket, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0 or self._cancelled:
            raise TimeoutError
        sock.settimeout(left)

    def _head(self) -> bytes:
        """The request without its body."""
        request, (host, port) = self._request, self._address
        name = f"[{host}]" if ":" in host else host
        authority = name if port == _STANDARD_PORTS[self._secure] else f"{name}:{port}"
        path = request.path or "/"
        target = path if path.startswith("/") else f"/{path}"
        lines = [f"{self._method} {target} HTTP/1.1".encode(), f"Host: {authority}".encode(), b"Connection: close"]
        lines += [name.encode() + b": " + value for name, value in request.fields.entries()]
        if self._chunked:
            lines.append(b"Transfer-Encoding: chunked")
        elif self._body is None and self._method in _WITH_BODY and request.fields.content_length is None:
            lines.append(b"Content-Length: 0")
        return b"\r\n".join([*lines, b"", b""])

    # --- sending and receiving --------------------------------------------------------------------------------------

    def _converse(self, sock: socket.socket) -> None:
        if self._body is not None and self._body.ended and not self._body.written:
            self._body = None  # nothing was written, so there is none
        body = self._body
        self._chunked = body is not None and body.expected is None
        sender = _Sender(sock, self._head(), body, chunked=self._chunked)
        reader = ResponseReader(to_head=self._method == "HEAD")
        since = time.monotonic()
        while not reader.ended:
            self._bell.quiet()
            if self._cancelled or self._response_pipe.abandoned:
                raise HttpError("connection-terminated")
            sender.send()
            room = self._response_pipe.free
            data = _received(sock) if room else None
            if data is None:
                self._wait(sock, reader, since, sending=sender.pending, receiving=room > 0)
                if not room or sender.waits:
                    since = time.monotonic()  # the guest is slow, not the server
                continue
            since = time.monotonic()
            parts = reader.feed(data) if data else []
            if not data:
                reader.end()
            self._pass_on(reader, parts)
            if reader.failure is not None:
                raise reader.failure
        self._response_pipe.end(reader.trailers)

    def _wait(
        self, sock: socket.socket, reader: ResponseReader, since: float, *, sending: bool, receiving: bool
    ) -> None:
        first = reader.head is None
        limit = self._seconds("first-byte-timeout" if first else "between-bytes-timeout", _ANSWER_S)
        left = since + limit - time.monotonic() if receiving else limit
        if left <= 0:
            raise HttpError("HTTP-response-timeout" if first else "connection-read-timeout")
        wait_ready(
            {sock.fileno()} if receiving else (), {sock.fileno()} if sending else (), self._bell.fileno(), _NEVER, left
        )

    def _pass_on(self, reader: ResponseReader, parts: list[bytes]) -> None:
        if reader.head is not None and self._later.value is None:
            status, fields = reader.head
            response = IncomingResponse(status, fields, self._state, self._response_pipe)
            self._later.give(("ok", response))
        for part in parts:
            self._response_pipe.put(part)


_NEVER: Final = threading.Event()


def _received(sock: socket.socket) -> bytes | None:
    """What has come: none at the end, None when there is nothing yet."""
    try:
        return sock.recv(_PIECE)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


class _Sender:
    """What is sent: the head, and the body as it comes.

    Args:
        sock: not blocking.
        head: of the request.
        body: its bytes, or None.
        chunked: whether the body goes in chunks.

    Attributes:
        pending: whether there is something that the socket did not take yet.
    """

    def __init__(self, sock: socket.socket, head: bytes, body: Pipe | None, *, chunked: bool) -> None:
        self._sock = sock
        self._out = head
        self._body = body
        self._chunked = chunked
        self.pending = True

    @property
    def waits(self) -> bool:
        """Whether the guest has more to write."""
        return self._body is not None and not self.pending

    def send(self) -> None:
        """Send as much as the socket takes.

        Raises:
            HttpError: the guest did not finish the body.
        """
        while True:
            if not self._out:
                self._out = self._next()
            self.pending = bool(self._out)
            if not self._out:
                return
            try:
                count = self._sock.send(self._out)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (BrokenPipeError, ConnectionResetError):
                self._stop()  # the server takes no more, and may have answered why
                return
            self._out = self._out[count:]

    def _next(self) -> bytes:
        """More of the body; none while there is nothing."""
        body = self._body
        if body is None:
            return b""
        ended, failure = body.ended, body.failure
        data = body.take(_PIECE)
        if data:
            return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        if failure is not None:
            raise HttpError(*failure.code)
        if not ended:
            return b""
        self._body = None
        if not self._chunked:
            return b""
        fields = [name.encode() + b": " + value + b"\r\n" for name, value in body.trailers or ()]
        return b"0\r\n" + b"".join(fields) + b"\r\n"

    def _stop(self) -> None:
        if self._body is not None:
            self._body.abandon()
        self._body, self._out, self.pending = None, b"", False
