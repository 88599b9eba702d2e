"""The sockets below httpx: connections that were opened early, pieces that suit large blobs, and bounds on an answer.

httpx bounds the time between two pieces of an answer, and not their number: a head of a byte each minute, or without
end (`103 Early Hints` again and again), would be read for ever. So the sender of a request says what its head may cost
(`head_budget`), and every piece that is received on that thread meanwhile is charged to it. The reader of a body says
how long a piece of it may take with all that is not content (`received_within`), and what is sent has to be taken at
`retry.RATE`.

Imported with httpx, and only then.
"""

from __future__ import annotations

import selectors
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpcore
import httpx

from wasm2oci.registry.dial import Dialed
from wasm2oci.registry.retry import RATE, SILENCE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from wasm2oci.base.budget import Budget
    from wasm2oci.registry.dial import Dialer

__all__ = ["Backend", "CountingBackend", "head_budget", "long_body", "received_within"]

T = TypeVar("T")
_PIECE: Final = 256 * 1024
"""Bytes that are received at once; httpcore asks for 64 KiB, which makes four times as many steps of a large blob."""
_LONG: Final = 4 << 20
"""Bytes of a body from which on it is read past the HTTP library, which copies each byte four times."""


class _Head:
    """The head of an answer that is waited for, and the request that is sent before.

    Args:
        begin: makes the budget.
        clock: seconds that only grow, for what is sent.
    """

    def __init__(self, begin: Callable[[], Budget], clock: Callable[[], float]) -> None:
        self._begin = begin
        self._clock = clock
        self._budget: Budget | None = None
        self._sent = 0
        self._waited = 0.0

    @property
    def budget(self) -> Budget:
        """It begins with the first piece: sending a large body may take long before."""
        if self._budget is None:
            self._budget = self._begin()
        return self._budget

    def send(self, send: Callable[[], int], timeout: float | None) -> int:
        """How many bytes are sent at once. Raises `TimeoutError` when the peer takes all of them too slowly."""
        begun = self._clock()
        count = send()
        self._sent += count
        self._waited += self._clock() - begun
        if timeout is not None and self._waited > timeout + self._sent / RATE:
            raise TimeoutError("the peer receives too slowly")
        return count


class _Thread(threading.local):
    """What this thread waits for: the piece of a body until then, or else a head.

    Both at once are two answers: the body of a request is read from the answer to another one.
    """

    head: _Head | None = None
    until: float | None = None


_thread: Final = _Thread()


class CountingBackend(httpcore.SyncBackend):
    """Opens connections for httpx to proxies that are spoken to by TLS or SOCKS; a head's budget counts here too."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection; see `httpcore.NetworkBackend`."""
        return _Counted(super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Counted(httpcore.NetworkStream):
    """httpcore's own stream, which can speak TLS within TLS, with what it reads charged to the head's budget."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return _charged(lambda seconds: self._stream.read(max_bytes, seconds), timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)

        def send() -> int:
            piece = view[:_PIECE]
            self._stream.write(piece, timeout)  # type: ignore[arg-type]  # it slices and sends
            return len(piece)

        with _renamed(httpcore.WriteTimeout, httpcore.WriteError):
            while view:
                view = view[_sent(send, timeout) :]

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Counted(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Backend(httpcore.SyncBackend):
    """Opens connections for httpx: to registries, and to proxies that are spoken to in the clear.

    Args:
        dialer: has those that were opened early.
        reuse: whether a connection whose long body was read goes back there: not one to a proxy, which has become a
            tunnel to somewhere.
    """

    def __init__(self, dialer: Dialer, *, reuse: bool) -> None:
        self._dialer = dialer
        self._reuse = reuse

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection; see `httpcore.NetworkBackend`."""
        del local_address, socket_options  # neither is ever set
        with _renamed(httpcore.ConnectTimeout, httpcore.ConnectError):
            while (dialed := self._dialer.take(host, port)) and dialed.used and _readable(dialed.connection):
                dialed.connection.close()
            peer = _Peer(self._dialer, host, port, reuse=self._reuse)
            return _Stream(dialed or Dialed(peer.connect(timeout)), peer)


class _Peer:
    """The peer of a connection.

    Args:
        dialer: connects to it.
        host: its name or address.
        port: of TCP.
        reuse: see `Backend`.
    """

    def __init__(self, dialer: Dialer, host: str, port: int, *, reuse: bool) -> None:
        self._dialer = dialer
        self._host = host
        self._port = port
        self._reuse = reuse

    def connect(self, timeout: float | None) -> socket.socket:
        """A connection that is opened now."""
        return self._dialer.open(self._host, self._port, timeout)

    def waiting(self) -> None:
        """Report that it is waited for."""
        self._dialer.waiting(self._host, self._port)

    def leave(self, connection: socket.socket, *, clean: bool) -> None:
        """Keep a connection on which nothing is under way for the next request, and close every other."""
        if clean and self._reuse:
            self._dialer.give_back(self._host, self._port, connection)
        else:
            connection.close()


class _Stream(httpcore.NetworkStream):
    """A socket as httpcore wants one."""

    def __init__(self, dialed: Dialed, peer: _Peer) -> None:
        self._socket: socket.socket = dialed.connection
        self._tls_error = dialed.tls_error
        self._peer = peer
        self._clean = self._closed = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        def receive(seconds: float | None) -> bytes:
            with _renamed(httpcore.ReadTimeout, httpcore.ReadError):
                return self._patiently(seconds, lambda: self._socket.recv(max(max_bytes, _PIECE)))

        return _charged(receive, timeout)

    def _patiently(self, timeout: float | None, receive: Callable[[], T]) -> T:
        """What is received, within so many seconds; when it takes longer than `SILENCE`, that is reported."""
        if timeout is None or timeout > SILENCE:
            self._socket.settimeout(SILENCE)
            with suppress(TimeoutError):
                return receive()
            self._peer.waiting()
            timeout = None if timeout is None else timeout - SILENCE
        self._socket.settimeout(None if timeout is None else max(timeout, 0.001))
        return receive()

    def rest(self, count: int, *, last: bool) -> Iterator[bytes]:
        """The rest of a body, which the HTTP library is not asked for; fewer bytes when the connection ends before.

        Args:
            count: bytes of it.
            last: whether this connection serves no other request.
        """
        left = count
        while left:
            with _renamed(httpx.ReadTimeout, httpx.ReadError):
                receive = partial(self._socket.recv, min(left, _PIECE))
                piece = _charged(lambda seconds: self._patiently(seconds, receive), None)  # noqa: B023 - called at once
            if not piece:
                return
            left -= len(piece)
            self._clean = not left and not last
            yield piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        with _renamed(httpcore.WriteTimeout, httpcore.WriteError):
            self._socket.settimeout(timeout)
            while view:
                view = view[_sent(partial(self._socket.send, view), timeout) :]

    def close(self) -> None:
        if not self._closed:  # it may be another's by now
            self._closed = True
            self._peer.leave(self._socket, clean=self._clean)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            with _renamed(httpcore.ConnectTimeout, httpcore.ConnectError):
                return _Stream(Dialed(self._secured(ssl_context, server_hostname, timeout)), self._peer)
        except BaseException:
            self.close()
            raise

    def _secured(self, context: ssl.SSLContext, name: str | None, timeout: float | None) -> ssl.SSLSocket:
        if self._tls_error is not None:
            raise self._tls_error
        if isinstance(self._socket, ssl.SSLSocket):  # opened early or used before, for one name and by one context
            if self._socket.context is context and self._socket.server_hostname == name:
                return self._socket
            self._socket.close()
            self._socket = self._peer.connect(timeout)
        self._socket = context.wrap_socket(
            self._socket, server_hostname=name and name.encode("ascii"), do_handshake_on_connect=False
        )
        self._patiently(timeout, self._socket.do_handshake)
        return self._socket

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "socket":
                return self._socket
            case "ssl_object":
                return self._socket if isinstance(self._socket, ssl.SSLSocket) else None
            case "client_addr":
                return self._socket.getsockname()
            case "server_addr":
                return self._socket.getpeername()
            case "is_readable":
                return self._socket.fileno() < 0 or _readable(self._socket)
        return None


def _charged(receive: Callable[[float | None], bytes], timeout: float | None) -> bytes:
    """What is received within this time and that of the body's piece or the head, charged to the head's budget."""
    budget, left = None, None
    if _thread.until is not None:
        left = _thread.until - time.monotonic()
    elif _thread.head is not None:
        budget = _thread.head.budget
        left = budget.left()
    if left is not None:
        timeout = left if timeout is None else min(timeout, left)
    data = receive(timeout if timeout is None else max(timeout, 0.001))
    if budget is not None:
        budget.charge(size=len(data))
    return data


def _sent(send: Callable[[], int], timeout: float | None) -> int:
    """How many bytes are sent at once; see `_Head.send`."""
    return send() if _thread.head is None else _thread.head.send(send, timeout)


def long_body(answer: httpx.Response, length: int | None) -> Iterator[bytes]:
    """The pieces of an answer's body; those of a long one are taken from its socket, once the HTTP library has none.

    The library gives all that it received with the head, or a piece that it receives, as the first piece.

    Args:
        answer: its status and headers are known.
        length: `Content-Length`, or None when there is none.
    """
    pieces = iter(cast("Iterable[bytes]", answer.stream))
    stream = answer.extensions.get("network_stream")
    if length is None or length < _LONG or "transfer-encoding" in answer.headers or not isinstance(stream, _Stream):
        yield from pieces
        return
    left = length
    for piece in pieces:
        left -= len(piece)
        yield piece
        break
    else:
        return
    last = "close" in answer.headers.get("connection", "").lower() or answer.http_version != "HTTP/1.1"
    for piece in stream.rest(left, last=last):
        left -= len(piece)
        yield piece
    if left:
        raise httpx.RemoteProtocolError(f"the connection ended {left:,} bytes before the body")


def _readable(connection: socket.socket) -> bool:
    # Whether an idle connection has something to say: that it ends, or what belongs to no answer.
    if isinstance(connection, ssl.SSLSocket) and connection.pending():
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))


@contextmanager
def head_budget(begin: Callable[[], Budget], clock: Callable[[], float]) -> Iterator[None]:
    """Charge what is received on this thread while the block runs, from its first piece on.

    Within it another request may be sent, whose answer's body this one's is: then each head has its own budget.

    Args:
        begin: makes the budget.
        clock: seconds that only grow, for what is sent.
    """
    outer, _thread.head = _thread.head, _Head(begin, clock)
    try:
        yield
    finally:
        _thread.head = outer


@contextmanager
def received_within(seconds: float) -> Iterator[None]:
    """Let all that is received on this thread while the block runs take so long together."""
    _thread.until = time.monotonic() + seconds
    try:
        yield
    finally:
        _thread.until = None


@contextmanager
def _renamed(on_timeout: type[Exception], otherwise: type[Exception]) -> Iterator[None]:
    # httpcore's names for what sockets raise; `transport.translated` finds the cause as the argument.
    try:
        yield
    except TimeoutError as error:
        raise on_timeout(error) from error
    except OSError as error:
        raise otherwise(error) from error
