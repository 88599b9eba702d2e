"""Faults for real sockets: a registry whose answers go wrong, and a wire that is cut.

`Faults` goes between the HTTP server and the core (`registry_server(wrap=faults.wrap)`): the next requests that fit a
pattern are answered otherwise. `Wire` is a TCP proxy that cuts connections after so many bytes, up or down, so that
every stage of an exchange can be hit: before the request, in its headers or body, before the answer, in its headers
or body.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from wasm2oci.server.messages import BytesBody, Request, Response

__all__ = ["CutBody", "Faults", "Wire", "altered", "answer", "corrupted", "cut_after", "wire"]

Handle = Callable[[Request], Response]
Fault = Callable[[Request, Handle], Response]


@dataclass
class Faults:
    """Which requests go wrong, how, and how often. `done` names those that did."""

    plans: list[tuple[re.Pattern[str], Fault, int]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, pattern: str, fault: Fault, times: int = 1) -> None:
        """The next requests whose `METHOD target` matches go wrong."""
        self.plans.append((re.compile(pattern), fault, times))

    def wrap(self, handle: Handle) -> Handle:
        """The core's `handle`, with the faults."""

        def faulty(request: Request) -> Response:
            line = f"{request.method} {request.target}"
            with self.guard:
                chosen: Fault | None = None
                for number, (pattern, fault, times) in enumerate(self.plans):
                    if times > 0 and pattern.search(line):
                        self.plans[number] = (pattern, fault, times - 1)
                        self.done.append(line)
                        chosen = fault
                        break
            return handle(request) if chosen is None else chosen(request, handle)

        return faulty


def answer(status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Fault:
    """Answers so, whatever was asked; the body of the request is read."""

    def fault(request: Request, _: Handle) -> Response:
        for _piece in request.body:
            pass
        return Response(status, headers, BytesBody(body))

    return fault


def altered(change: Callable[[Response, bytes], Response]) -> Fault:
    """Answers with a changed answer; `change` gets it and its body."""

    def fault(request: Request, handle: Handle) -> Response:
        response = handle(request)
        return change(response, response.read())

    return fault


def corrupted(position: int) -> Fault:
    """One byte of the body is another."""

    def change(response: Response, body: bytes) -> Response:
        wrong = bytearray(body)
        wrong[position] ^= 0x20
        return Response(response.status, response.headers, BytesBody(bytes(wrong)))

    return altered(change)


class CutBody:
    """A body that says it is whole and breaks after so many bytes."""

    def __init__(self, data: bytes, cut: int) -> None:
        self._data, self._cut = data, cut
        self.length = len(data)

    def __iter__(self) -> Iterator[bytes]:
        yield self._data[: self._cut]
        raise OSError("cut on purpose")

    def close(self) -> None:
        """Nothing is held."""


def cut_after(count: int) -> Fault:
    """The connection is cut after so many bytes of the body."""
    return altered(lambda response, body: Response(response.status, response.headers, CutBody(body, count)))


@dataclass
class Wire:
    """A proxy. Each connection takes the next plan: (bytes up, bytes down) after which it is cut, None for never."""

    address: str = ""
    plans: list[tuple[int | None, int | None]] = field(default_factory=list)
    connections: int = 0


@contextmanager
def wire(upstream: str) -> Iterator[Wire]:
    """Run a wire to `upstream` (host:port) while the block lasts."""
    state = Wire()
    listener = socket.create_server(("127.0.0.1", 0))
    state.address = f"127.0.0.1:{listener.getsockname()[1]}"
    host, _, port = upstream.rpartition(":")
    open_sockets: set[socket.socket] = set()
    threads: list[threading.Thread] = []
    guard = threading.Lock()

    def hang_up(*ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        left = limit
        try:
            while left is None or left > 0:
                data = source.recv(65536 if left is None else min(left, 65536))
                if not data:
                    break
                sink.sendall(data)
                if left is not None:
                    left -= len(data)
        except OSError:
            pass
        hang_up(source, sink)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with guard:
                up, down = state.plans.pop(0) if state.plans else (None, None)
                state.connections += 1
            if up == 0:
                hang_up(client)
                continue
            server = socket.create_connection((host, int(port)))
            open_sockets.update((client, server))
            for source, sink, limit in ((client, server, up), (server, client, down)):
                thread = threading.Thread(target=pump, args=(source, sink, limit), daemon=True)
                threads.append(thread)
                thread.start()

    main = threading.Thread(target=accept, daemon=True)
    main.start()
    try:
        yield state
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        main.join(5)
        hang_up(*open_sockets)
        for thread in threads:
            thread.join(5)
