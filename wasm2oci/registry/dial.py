"""Connections that are opened before the first request is ready: handshakes overlap with imports and with each other.

A fresh process spends as long importing httpx as a handshake takes on a line of 100 ms. So a caller that knows that a
registry is going to be asked says so (`Dialer.expect`), threads connect, and the HTTP library gets what they made
(`Dialer.take`). A connection that is not used is closed with the rest; a failure is raised where the connection would
have been used, so that it is reported and retried as every other.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.registry.retry import SILENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from wasm2oci.registry.urls import Origin

__all__ = ["ADDRESSES", "TRIES", "Dialed", "Dialer", "connect", "resolve_host"]


ADDRESSES: Final = 8
"""Addresses of a name that are tried; registries have up to six."""
TRIES: Final = 2
"""Time-outs that all of them may take together."""
_FRESH: Final = 10.0
"""Seconds that an open connection is kept unused; a server may close it some time after that."""


class Dialed(NamedTuple):
    """A connection that was opened early.

    Args:
        connection: to the peer; an `ssl.SSLSocket` when TLS was agreed on.
        tls_error: why it was not, or None.
        used: whether it has served a request, and may have been closed by the peer since.
    """

    connection: socket.socket
    tls_error: OSError | None = None
    used: bool = False


def resolve_host(host: str, port: int) -> Sequence[tuple[int, int, int, str, tuple[Any, ...]]]:
    """The addresses of a host, as `socket.getaddrinfo` gives them.

    The name is given as bytes, here and for TLS: for text Python first loads its tables of international names, which
    takes as long as a small answer.

    Raises:
        OSError: the name is unknown.
    """
    return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)


def connect(host: str, port: int, timeout: float | None) -> socket.socket:
    """A TCP connection that sends at once what it is given.

    Raises:
        OSError: there is none within `timeout` seconds for each of the first addresses of the host, nor within twice
            that in all: a name may have hundreds of addresses.
    """
    end = None if timeout is None else time.monotonic() + TRIES * timeout
    failure = OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
    for family, kind, protocol, _, address in resolve_host(host, port)[:ADDRESSES]:
        left = timeout if timeout is None or end is None else min(timeout, end - time.monotonic())
        if left is not None and left <= 0:
            break
        connection = None
        try:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(left)
            connection.connect(address)
            connection.settimeout(timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            failure = error
            if connection is not None:
                connection.close()
        else:
            return connection
    raise failure


def _silently(_: str, __: int) -> None:
    pass


class Dialer:
    """Opens connections on threads of its own, and hands each out once.

    Args:
        timeout: seconds for a connection, and again for its TLS handshake.
        waiting: called with host and port of a connection that is waited for longer than `SILENCE`.
    """

    def __init__(self, timeout: float, waiting: Callable[[str, int], None] = _silently) -> None:
        self._timeout = timeout
        self.waiting = waiting
        self._guard = Lock()
        self._dials: dict[tuple[str, int], deque[_Dial]] = {}
        self._used: dict[tuple[str, int], deque[tuple[float, socket.socket]]] = {}
        self._closed = False

    def expect(self, origin: Origin, count: int, context: Callable[[], ssl.SSLContext] | None) -> None:
        """Begin to open connections, so that there are `count` that are not taken yet.

        Args:
            origin: where to.
            count: how many.
            context: makes the TLS context, on the thread that needs it; None for plain http.
        """
        with self._guard:
            if self._closed:
                return
            waiting = self._dials.setdefault((origin.name, origin.port), deque())
            while waiting and not waiting[0].fresh:
                waiting.popleft().drop()
            for _ in range(count - len(waiting)):
                dial = _Dial(origin.name, origin.port, self._timeout, context)
                waiting.append(dial)
                dial.start()

    def take(self, host: str, port: int) -> Dialed | None:
        """A connection to this address that was given back, or was opened early; None: there is none.

        One that is not open yet is waited for.

        Raises:
            OSError: it could not be opened.
        """
        while True:
            with self._guard:
                used = self._used.get((host, port))
                if used:
                    since, connection = used.pop()
                    if time.monotonic() - since < _FRESH:
                        return Dialed(connection, used=True)
                    connection.close()
                    continue
                waiting = self._dials.get((host, port))
                dial = waiting.popleft() if waiting else None
            if dial is None:
                return None
            if dial.fresh:
                return dial.result(self.waiting)
            dial.drop()

    def give_back(self, host: str, port: int, connection: socket.socket) -> None:
        """Keep an idle connection for the next request, for a short time."""
        with self._guard:
            if not self._closed:
                self._used.setdefault((host, port), deque()).append((time.monotonic(), connection))
                return
        connection.close()

    def open(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A connection that is opened now, without TLS.

        Raises:
            OSError: it could not be opened.
        """
        dial = _Dial(host, port, timeout, None)
        dial.start()
        return dial.result(self.waiting).connection

    def close(self) -> None:
        """Close what was not taken; what is still being opened is closed once it is open."""
        with self._guard:
            self._closed = True
            dials = [dial for waiting in self._dials.values() for dial in waiting]
            used = [connection for waiting in self._used.values() for _, connection in waiting]
            self._dials.clear()
            self._used.clear()
        for dial in dials:
            dial.drop()
        for connection in used:
            connection.close()


class _Dial:
    """One connection being opened."""

    def __init__(
        self, name: str, port: int, timeout: float | None, context: Callable[[], ssl.SSLContext] | None
    ) -> None:
        self._name = name
        self._port = port
        self._timeout = timeout
        self._context = context
        self._guard = Lock()
        self._dropped = False
        self._dialed: Dialed | None = None
        self._error: BaseException | None = None
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def fresh(self) -> bool:
        """Whether the peer can be relied on to keep the connection open."""
        return time.monotonic() - self._begun < _FRESH

    def start(self) -> None:
        self._thread.start()

    def result(self, waiting: Callable[[str, int], None]) -> Dialed:
        self._thread.join(SILENCE)
        if self._thread.is_alive():
            waiting(self._name, self._port)
            self._thread.join()
        if self._dialed is None:
            raise self._error or AssertionError("a dial ends with a connection or an error")
        return self._dialed

    def drop(self) -> None:
        with self._guard:
            self._dropped = True
            dialed = self._dialed
        if dialed is not None:
            dialed.connection.close()

    def _run(self) -> None:
        try:
            dialed = self._open()
        except BaseException as error:  # noqa: BLE001 - raised by the thread that takes the connection
            self._error = error
            return
        with self._guard:
            self._dialed = dialed
            dropped = self._dropped
        if dropped:
            dialed.connection.close()

    def _open(self) -> Dialed:
        connection = connect(self._name, self._port, self._timeout)
        if self._context is None:
            return Dialed(connection)
        try:
            context = self._context()
            return Dialed(context.wrap_socket(connection, server_hostname=self._name.encode("ascii")))
        except OSError as error:  # ssl.SSLError is one
            with suppress(OSError):
                connection.close()
            return Dialed(connection, error)
        except BaseException:
            connection.close()
            raise
