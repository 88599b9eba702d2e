"""The `sock_` calls: preview 1 can accept from sockets that were handed in, and talk over what it accepted.

Spec: WASI preview 1, sock_accept, sock_recv, sock_send, sock_shutdown.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from wasm2oci.wasi.abi import Errno, FdFlags, RiFlags, RoFlags, SdFlags, WasiError
from wasm2oci.wasi.calls.descriptors import room, scatter
from wasm2oci.wasi.descriptors import SocketDescriptor
from wasm2oci.wasi.streams import read_when_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.wasi.calls.descriptors import Iovecs
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.state import Wasi

__all__ = ["sock_accept", "sock_recv", "sock_send", "sock_shutdown"]


@contextlib.contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """A socket object around a host descriptor that stays open."""
    sock = socket.socket(fileno=fd)
    try:
        yield sock
    finally:
        sock.detach()


def sock_accept(wasi: Wasi, _memory: GuestMemory, fd: int, flags: FdFlags) -> int:
    """Take a connection; its number."""
    if flags & ~FdFlags.NONBLOCK:
        raise WasiError(Errno.INVAL)
    listening = wasi.table.socket(fd)
    if not listening.listening:
        raise WasiError(Errno.INVAL)
    read_when_ready(listening.fd, wasi.context.waiter, block=listening.blocking)
    with _borrowed(listening.fd) as sock:
        connection, _ = sock.accept()
    return wasi.table.add(SocketDescriptor(flags=flags, fd=connection.detach()))


def sock_recv(wasi: Wasi, memory: GuestMemory, fd: int, iovecs: Iovecs, flags: RiFlags) -> tuple[int, RoFlags]:
    """Receive into buffers; how many bytes, and whether a message was cut."""
    connection = wasi.table.socket(fd)
    host = socket.MSG_PEEK if flags & RiFlags.RECV_PEEK else 0
    size = room(iovecs)
    with _borrowed(connection.fd) as sock:
        data = b""
        while True:
            read_when_ready(connection.fd, wasi.context.waiter, block=connection.blocking)
            data += (part := sock.recv(size - len(data), host))
            # A wait for all is done here, piece by piece: in the kernel nothing could break it off.
            if not part or host or len(data) == size or not flags & RiFlags.RECV_WAITALL:
                break
    return scatter(memory, iovecs, data), RoFlags(0)


def sock_send(wasi: Wasi, _memory: GuestMemory, fd: int, data: bytes, _flags: int) -> int:
    """Send; how many bytes."""
    return wasi.table.socket(fd).write(data, wasi.context.waiter)


def sock_shutdown(wasi: Wasi, _memory: GuestMemory, fd: int, how: SdFlags) -> None:
    """Close one or both halves."""
    connection = wasi.table.socket(fd)
    if not how:
        raise WasiError(Errno.INVAL)
    ways = {SdFlags.RD: socket.SHUT_RD, SdFlags.WR: socket.SHUT_WR, SdFlags.RD | SdFlags.WR: socket.SHUT_RDWR}
    with _borrowed(connection.fd) as sock:
        sock.shutdown(ways[how])
