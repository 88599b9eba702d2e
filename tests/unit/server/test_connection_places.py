"""When there are as many connections as may be: which one is cut for a new one, and which new one is refused."""

from __future__ import annotations

import ssl
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_authority
from tests.support.raw_client import GET, ask, ask_until_answered, connect, status
from tests.support.registry_server import registry_server
from wasm2oci.server.http1 import ConnectionLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.registry_server import Handle
    from wasm2oci.server.messages import Request, Response


def patient(connections: int) -> ConnectionLimits:
    """Limits under which no connection ends by its own time limit while a test runs."""
    hour = 3600.0
    return ConnectionLimits(connections=connections, head_seconds=hour, idle_seconds=hour, body_grace=hour)


class Held:
    """A wrapper of a registry that keeps the requests of `chosen` until `leave` is set; `inside` counts them."""

    def __init__(self, chosen: Callable[[Request], bool]) -> None:
        self.chosen, self.inside, self.leave = chosen, threading.Semaphore(0), threading.Event()

    def __call__(self, inner: Handle) -> Handle:
        def handle(request: Request) -> Response:
            if self.chosen(request):
                self.inside.release()
                assert self.leave.wait(60)
            return inner(request)

        return handle


def client_hello() -> bytes:
    """What a TLS client sends first."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    "held",
    [
        b"",
        b"GET /v2/ HTTP/1.1\r\nHo",
        GET,
        b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    ],
)
@pytest.mark.parametrize(("source", "asked"), [("127.0.0.1", ask_until_answered), ("127.0.0.2", ask)])
def test_connections_that_are_held_do_not_shut_out_another(
    monkeypatch: pytest.MonkeyPatch, held: bytes, source: str, asked: Callable[..., int]
) -> None:
    """256 connections with a request each 40 s once kept everybody else waiting."""
    monkeypatch.setattr("wasm2oci.server.connection._STEADY_SECONDS", 1e-9)
    with registry_server(limits=patient(8)) as registry, ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(connect(registry, held, source))
        assert [asked(registry) for _ in range(3)] == [200] * 3


def test_a_request_that_the_registry_works_at_is_not_cut_for_another() -> None:
    slow = Held(lambda request: request.target == "/slow")
    with registry_server(limits=patient(4), wrap=slow) as registry, ExitStack() as clients:
        clients.callback(slow.leave.set)
        busy = clients.enter_context(connect(registry, GET.replace(b"/v2/", b"/slow")))
        assert slow.inside.acquire(timeout=60)
        for _ in range(8):
            clients.enter_context(connect(registry, GET))
        assert ask_until_answered(registry) == 200
        slow.leave.set()
        assert status(busy.recv(1000)) == 404


def test_no_address_gets_all_places_and_none_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection too many of one address once kept those of others from being accepted for half a second."""
    monkeypatch.setattr("wasm2oci.server.http_server._ROOM", 3600.0)
    greedy = Held(lambda request: request.peer.startswith("127.0.0.2:"))
    with registry_server(limits=patient(4), wrap=greedy) as registry, ExitStack() as clients:
        clients.callback(greedy.leave.set)
        for _ in range(3):
            clients.enter_context(connect(registry, GET, "127.0.0.2"))
        for _ in range(3):
            assert greedy.inside.acquire(timeout=60)
        for _ in range(3):
            with connect(registry, source="127.0.0.2") as refused:
                assert refused.recv(1000) == b""
        assert ask(registry) == 200


def test_a_connection_in_its_tls_handshake_is_cut_for_another(tmp_path: Path) -> None:
    issued = make_authority(tmp_path).issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_file, issued.key_file)
    with registry_server(limits=patient(4), tls=context) as registry, ExitStack() as clients:
        first = clients.enter_context(connect(registry, client_hello()))
        assert first.recv(1) == b"\x16"  # of the server's hello: it waits for the rest of the handshake now
        for _ in range(3):
            clients.enter_context(connect(registry))
        while first.recv(65536):
            pass
