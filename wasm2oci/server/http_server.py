"""The HTTP server: HTTP/1.1 over sockets around a `handle` function, a thread for each connection.

It moves bytes and keeps limits, and decides nothing else. A body is never in memory as a whole: it comes in and goes
out through one buffer for each connection. When there are as many connections as may be, a new one takes the place of
another: of the address that has the most, the one that deserves it least (`Connection.entitlement`).

    accept -> [TLS] -> head -> handle -> response -> the next head, or a lingering close

Spec: RFC 9112.
"""

from __future__ import annotations

import _thread
import contextlib
import selectors
import socket
import threading
import time
import traceback
from collections import Counter
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.text import error_line, masked
from wasm2oci.errors import LocalIOError, Remedy, RemedyKind
from wasm2oci.server.connection import Connection
from wasm2oci.server.http1 import ConnectionLimits
from wasm2oci.server.messages import BytesBody, Response
from wasm2oci.server.problems import problem_response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from wasm2oci.server.messages import Request

__all__ = ["CannotListenError", "Server"]

_BACKLOG: Final = 1024
"""Connections that wait to be accepted. One that finds no place among them is tried again by its client's system a
second later, so there are more than a crowd opens at once."""
_FIELDS: Final = (("Server", "wasm2oci"), ("X-Content-Type-Options", "nosniff"))
_HOUSEKEEPING: Final = 30.0
_RETRY: Final = 0.02
_ROOM: Final = 0.1
"""Seconds until it is looked again which connection may make room."""


class CannotListenError(LocalIOError):
    """The server cannot listen at the address."""


class Server:
    """Answers requests at an address until it is stopped. A context manager: started on entry, stopped on exit.

    Args:
        handle: request in, response out; called from many threads at once.
        host: address to listen at; a name is looked up.
        port: 0 for one that is free.
        tls: a server-side context, or None for plain HTTP.
        limits: what one connection may take.
        log: is given one line for each request; None for silence.
        housekeeping: called every half minute while the server runs.
        grace: seconds that requests under way are given by `stop`.
        fields: header fields that every response gets unless it has them, beside `Date`.

    Raises:
        CannotListenError: the address is taken, not ours, or not allowed.
    """

    def __init__(
        self,
        handle: Callable[[Request], Response],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        limits: ConnectionLimits | None = None,
        log: Callable[[str], None] | None = None,
        housekeeping: Callable[[], object] | None = None,
        grace: float = 10.0,
        fields: tuple[tuple[str, str], ...] = _FIELDS,
    ) -> None:
        self._handle, self._tls, self._limits = handle, tls, limits or ConnectionLimits()
        self._log, self._housekeeping, self._grace, self._fields = log, housekeeping, grace, fields
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._leaving: set[Connection] = set()
        self._gone = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._acceptor: threading.Thread | None = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._listener = socket.socket(family, kind, protocol)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
            self._listener.listen(_BACKLOG)
            self._listener.setblocking(False)
        except OSError as error:
            self._close_sockets()
            raise CannotListenError(
                f"cannot listen at {host}:{port}: {error.strerror or error}",
                remedy=Remedy(RemedyKind.LISTEN_ELSEWHERE, host),
            ) from error
        self.host = host
        self.port: int = self._listener.getsockname()[1]

    @property
    def address(self) -> str:
        """`host:port`, as a reference begins."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """`http://host:port` or `https://host:port`."""
        return f"{'http' if self._tls is None else 'https'}://{self.address}"

    def start(self) -> Self:
        """Begin to answer, in threads of its own."""
        self._acceptor = threading.Thread(target=self._accept, name="wasm2oci-accept", daemon=True)
        self._acceptor.start()
        return self

    def stop(self) -> None:
        """End: no new connections, idle ones closed at once, busy ones after their request or the grace."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._wake.send(b"x")
        if self._acceptor is not None:
            self._acceptor.join()
        with self._lock:
            for connection in self._connections:
                connection.finish_soon()
            self._gone.wait_for(lambda: not self._connections, self._grace)
            for connection in self._connections:
                connection.cut()
            self._gone.wait_for(lambda: not self._connections, self._grace)
        self._close_sockets()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            due = time.monotonic() + _HOUSEKEEPING
            while not self._stopping.is_set():
                ready = selector.select(max(0.0, due - time.monotonic()))
                if time.monotonic() >= due:
                    due = time.monotonic() + _HOUSEKEEPING
                    if self._housekeeping is not None:
                        self._housekeeping()
                if ready:
                    self._accept_one()

    def _accept_one(self) -> None:
        try:
            sock, peer = self._listener.accept()
        except OSError:
            # Gone again; or no descriptor is left, and then asking again at once would only be work.
            self._stopping.wait(_RETRY)
            return
        connection = Connection(sock, peer, self._limits, self._tls)
        if not self._make_room(connection):
            connection.close()
            return
        try:
            # `threading.Thread.start` waits until the thread runs, and the next client would wait with it.
            _thread.start_new_thread(self._serve, (connection,))
        except RuntimeError:
            # No thread is to be had right now: this client is turned away, the next one perhaps not.
            self._forget(connection)

    def _make_room(self, newcomer: Connection) -> bool:
        """Add a connection when there is room, when another could be cut for it, or when one ended.

        False when it is refused: no address gets all places, and none is waited for while there are some for others;
        or when stopping.
        """
        most = self._limits.connections
        with self._lock:
            while not self._stopping.is_set():
                share = sum(connection.client.address == newcomer.client.address for connection in self._connections)
                greedy = share >= max(1, most * 3 // 4)
                if len(self._connections) < most and not greedy:
                    self._connections.add(newcomer)
                    return True
                least = self._least_entitled(newcomer)
                if least is not None:
                    # Its thread ends as soon as it finds out; its place is free at once.
                    self._connections.discard(least)
                    self._leaving.add(least)
                    least.cut()
                elif greedy and len(self._leaving) < most:
                    return False
                else:
                    self._gone.wait(_ROOM)
        return False

    def _least_entitled(self, newcomer: Connection) -> Connection | None:
        if len(self._leaving) >= self._limits.connections:
            return None
        now = time.monotonic()
        shares = Counter(connection.client.address for connection in self._connections)
        shares[newcomer.client.address] += 1
        ranked = [
            (-shares[connection.client.address], entitled, number, connection)
            for number, connection in enumerate(self._connections)
            if (entitled := connection.entitlement(now)) is not None
        ]
        return min(ranked)[-1] if ranked else None

    def _serve(self, connection: Connection) -> None:
        try:
            with contextlib.suppress(OSError):
                connection.open()
                while not self._stopping.is_set() and self._exchange(connection):
                    pass
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            self._connections.discard(connection)
            self._leaving.discard(connection)
            self._gone.notify_all()

    def _exchange(self, connection: Connection) -> bool:
        """One request and its response; whether another may follow."""
        request = connection.receive()
        if request is None:
            return False
        started = time.monotonic()
        if isinstance(request, Response):
            response, line = request, "- -"
        else:
            line = f"{request.method} {request.target.partition('?')[0]}"
            response = self._ask(request, connection)
        dated = (("Date", formatdate(usegmt=True)), *self._fields)
        asked = f"{connection.peer} {masked(line)} {response.status}"
        try:
            sent, kept = connection.send(response, dated, last=self._stopping.is_set())
        except OSError as error:
            self._note(f"{asked} {connection.moved}", started, f" broken off: {error_line(error)}")
            raise
        self._note(f"{asked} {sent}", started)
        return kept

    def _note(self, line: str, started: float, more: str = "") -> None:
        if self._log is not None:
            self._log(f"{line} {(time.monotonic() - started) * 1000:.1f}ms{more}")

    def _ask(self, request: Request, connection: Connection) -> Response:
        try:
            return self._handle(request)
        except connection.broken as error:
            # A body that broke its framing still gets an answer; a client that is gone gets none.
            if error.status is None:
                return Response(408, body=BytesBody(), close=True)
            return _closing(problem_response(error.status, "UNSUPPORTED", str(error)))
        except Exception:  # noqa: BLE001 - one request's bug must not end the server; it is logged whole
            if self._log is not None:
                self._log(traceback.format_exc().rstrip())
            return _closing(problem_response(500, "UNKNOWN", "internal error"))

    def _close_sockets(self) -> None:
        self._wake.close()
        self._woken.close()
        if hasattr(self, "_listener"):
            self._listener.close()


def _closing(response: Response) -> Response:
    return Response(response.status, response.headers, response.body, close=True)
