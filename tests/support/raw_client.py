"""A client of a registry that writes bytes to a socket, for what no library would send."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.support.registry_server import RunningRegistry

__all__ = ["GET", "ask", "ask_until_answered", "connect", "status", "talk"]

GET: Final = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
_PATIENCE: Final = 60.0
"""Seconds after which a server counts as silent: far more than any machine takes."""


def connect(registry: RunningRegistry, data: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    """A connection from this address of the loopback, with `data` sent. The caller closes it."""
    host, _, port = registry.address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=_PATIENCE, source_address=(source, 0))
    try:
        sock.sendall(data)
    except OSError:
        sock.close()
        raise
    return sock


def talk(registry: RunningRegistry, *pieces: bytes, end: bool = False) -> bytes:
    """Send pieces, then read until the server closes; `end` closes our direction in between."""
    with connect(registry) as sock:
        with suppress(OSError):  # the server had enough already; its answer is still to be read
            for piece in pieces:
                sock.sendall(piece)
            if end:
                sock.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionResetError):
            while data := sock.recv(65536):
                answer += data
        return answer


def status(answer: bytes) -> int:
    """The status of a response, 0 for none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


def ask(registry: RunningRegistry) -> int:
    """The status of the answer to `GET /v2/` on a connection of its own; 0 when it is closed without an answer."""
    with connect(registry, GET) as sock, suppress(ConnectionResetError):
        return status(sock.recv(1000))
    return 0


def ask_until_answered(registry: RunningRegistry) -> int:
    """The same, asked again when it is refused, as long as the server has to be waited for.

    A server refuses a connection when its address has its share of places and the registry works at all of them. A
    request that was answered counts as worked at until the server's thread runs again, so a refusal may be by chance.
    """
    until = time.monotonic() + _PATIENCE
    while not (answer := ask(registry)) and time.monotonic() < until:
        pass
    return answer
