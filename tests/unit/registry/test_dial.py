"""Connections that are opened early: used once, reported like every other, closed when nobody takes them."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import make_authority
from tests.support.delayed_line import delayed_line
from tests.support.process_state import closed_port
from tests.support.registry_server import registry_server
from wasm2oci.registry.connect import ConnectOptions, Connector
from wasm2oci.registry.dial import Dialer, connect
from wasm2oci.registry.messages import Request
from wasm2oci.registry.options import TlsSettings
from wasm2oci.registry.problems import ConnectionFailedError, ConnectionLostError, TimedOutError, TlsError
from wasm2oci.registry.transport import HttpTransport
from wasm2oci.registry.urls import Origin
from wasm2oci.server.messages import BytesBody
from wasm2oci.server.messages import Response as Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry_server import Handle
    from wasm2oci.server.messages import Request as ServedRequest


@contextmanager
def counting() -> Iterator[tuple[int, list[socket.socket], threading.Semaphore]]:
    """A port that takes connections and says nothing; the semaphore counts them."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []
    arrived = threading.Semaphore(0)

    def serve() -> None:
        while True:
            try:
                taken.append(listener.accept()[0])
            except OSError:
                return
            arrived.release()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], taken, arrived
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for one in taken:
            one.close()


def test_each_connection_is_handed_out_once() -> None:
    with counting() as (port, _, arrived):
        dialer = Dialer(60)
        dialer.expect(Origin("http", "127.0.0.1", port), 2, None)
        dialer.expect(Origin("http", "127.0.0.1", port), 2, None)
        first, second = dialer.take("127.0.0.1", port), dialer.take("127.0.0.1", port)
        assert first is not None
        assert second is not None
        assert first.connection is not second.connection
        assert dialer.take("127.0.0.1", port) is None
        assert all(arrived.acquire(timeout=60) for _ in range(2))
        for one in (first, second):
            one.connection.close()


def test_what_was_not_taken_is_closed() -> None:
    with counting() as (port, taken, arrived):
        dialer = Dialer(60)
        dialer.expect(Origin("http", "127.0.0.1", port), 2, None)
        assert all(arrived.acquire(timeout=60) for _ in range(2))
        dialer.close()
        for one in taken:
            one.settimeout(60)
            assert one.recv(1) == b""
        dialer.expect(Origin("http", "127.0.0.1", port), 1, None)
        assert dialer.take("127.0.0.1", port) is None


def test_a_connection_that_cannot_be_opened_fails_like_any_other() -> None:
    with closed_port() as port:
        origin = Origin("http", "127.0.0.1", port)
        transport = HttpTransport(TlsSettings(), {})
        transport.expect(origin, 1)
        with pytest.raises(ConnectionFailedError, match="cannot connect: connection refused"):
            transport.send(Request("GET", f"{origin}/v2/"), home=origin)
        transport.close()


def test_a_name_of_hundreds_of_addresses_costs_two_time_outs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them cost one."""
    clock = [0.0]
    tried: list[str] = []

    class Silent:
        def settimeout(self, seconds: float) -> None:
            self.seconds = seconds

        def connect(self, address: tuple[str, int]) -> None:
            tried.append(address[0])
            clock[0] += self.seconds
            raise TimeoutError

        def close(self) -> None:
            pass

    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (f"192.0.2.{n}", 80)) for n in range(200)]
    monkeypatch.setattr("wasm2oci.registry.dial.socket.getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr("wasm2oci.registry.dial.socket.socket", lambda *_: Silent())
    monkeypatch.setattr("wasm2oci.registry.dial.time", SimpleNamespace(monotonic=lambda: clock[0]))
    with pytest.raises(TimeoutError):
        connect("many.example", 80, 10.0)
    assert clock == [20.0]
    assert len(tried) == 2


def test_addresses_that_refuse_are_tried_up_to_the_eighth(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as closed, counting() as (port, _, arrived):
        refusing = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", closed))]
        good = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]
        found = refusing * 7 + good
        monkeypatch.setattr("wasm2oci.registry.dial.socket.getaddrinfo", lambda *_, **__: found)
        connect("many.example", 80, 60.0).close()
        assert arrived.acquire(timeout=60)
        found[:] = refusing * 8 + good
        with pytest.raises(ConnectionRefusedError):
            connect("many.example", 80, 60.0)


class TestTls:
    def test_the_early_handshake_is_the_one_that_is_used(self, tmp_path: Path) -> None:
        authority = make_authority(tmp_path)
        issued = authority.issue("server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_file, issued.key_file)
        with registry_server(tls=context) as registry:
            origin = Origin.at("https", registry.address)
            transport = HttpTransport(TlsSettings(ca_file=authority.ca_file), {})
            transport.expect(origin, 1)
            transport.send(Request("GET", f"{origin}/v2/"), home=origin).drain()
            transport.close()

    def test_an_untrusted_certificate_is_refused_early_as_late(self, tmp_path: Path) -> None:
        issued = make_authority(tmp_path).issue("server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_file, issued.key_file)
        with registry_server(tls=context) as registry:
            origin = Origin.at("https", registry.address)
            transport = HttpTransport(TlsSettings(), {})
            transport.expect(origin, 1)
            with pytest.raises(TlsError, match="certificate is not trusted"):
                transport.send(Request("GET", f"{origin}/v2/"), home=origin)
            transport.close()

    def test_a_connection_for_one_name_is_not_used_for_another(self, tmp_path: Path) -> None:
        authority = make_authority(tmp_path)
        issued = authority.issue("server", "storage.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_file, issued.key_file)
        names: list[str | None] = []
        context.sni_callback = lambda _connection, name, _context: names.append(name)
        with registry_server(tls=context) as registry:
            home, port = Origin.at("https", registry.address), registry.address.rpartition(":")[2]
            transport = HttpTransport(TlsSettings(ca_file=authority.ca_file), {}, resolve=lambda *_: ["127.0.0.1"])
            transport.expect(home, 1)  # and then the same address is asked under a name
            transport.send(Request("GET", f"https://storage.example:{port}/v2/"), home=home).drain()
            transport.close()
        assert names == [None, "storage.example"]


LONG = os.urandom(9 << 20)


def long_answer(handle: Handle) -> Handle:
    """A registry that answers `/long` with `LONG`, `/last` with the same and the end of the connection."""

    def answer(request: ServedRequest) -> Reply:
        if request.target in {"/long", "/last"}:
            return Reply(200, (), BytesBody(LONG), close=request.target == "/last")
        return handle(request)

    return answer


class TestLongBodies:
    """They are read past the HTTP library, and their connection serves the next request all the same."""

    @pytest.mark.parametrize("secure", [False, True])
    def test_a_long_body_and_what_follows_come_over_one_connection(self, tmp_path: Path, *, secure: bool) -> None:
        context, authority = None, make_authority(tmp_path)
        if secure:
            issued = authority.issue("server")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(issued.certificate_file, issued.key_file)
        with registry_server(tls=context, wrap=long_answer) as registry:
            origin = Origin.at("https" if secure else "http", registry.address)
            transport = HttpTransport(TlsSettings(ca_file=authority.ca_file if secure else None), {})
            for _ in range(2):
                with closing(transport.send(Request("GET", f"{origin}/long"), home=origin)) as answer:
                    assert b"".join(answer.stream) == LONG
                transport.send(Request("GET", f"{origin}/v2/"), home=origin).drain()
            transport.close()
            assert len(registry.peers) == 4
            assert len(set(registry.peers)) == 1

    def test_a_connection_that_the_registry_ends_is_not_used_again(self) -> None:
        with registry_server(wrap=long_answer) as registry:
            origin = Origin.at("http", registry.address)
            transport = HttpTransport(TlsSettings(), {})
            for _ in range(2):
                with closing(transport.send(Request("GET", f"{origin}/last"), home=origin)) as answer:
                    assert b"".join(answer.stream) == LONG
            transport.close()
            assert len(set(registry.peers)) == 2

    def test_a_connection_that_ended_meanwhile_is_not_used_again(self) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(LONG)}\r\n\r\n".encode()
        with counting() as (port, taken, arrived):
            origin = Origin("http", "127.0.0.1", port)
            transport = HttpTransport(TlsSettings(), {})

            def serve(number: int) -> None:
                assert arrived.acquire(timeout=60)
                taken[number].recv(65536)
                taken[number].sendall(head + LONG)
                taken[number].close()

            for number in range(2):
                thread = threading.Thread(target=serve, args=(number,))
                thread.start()
                with closing(transport.send(Request("GET", f"{origin}/"), home=origin)) as answer:
                    assert b"".join(answer.stream) == LONG
                thread.join()
            transport.close()

    def test_a_connection_with_bytes_of_no_answer_is_not_used_again(self, tmp_path: Path) -> None:
        """They came in the body's last record of TLS, whose rest no selector sees, and were the next answer."""
        authority = make_authority(tmp_path)
        issued = authority.issue("server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_file, issued.key_file)
        forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
        with counting() as (port, taken, arrived):
            origin = Origin("https", "127.0.0.1", port)
            transport = HttpTransport(TlsSettings(ca_file=authority.ca_file), {})
            connections: list[ssl.SSLSocket] = []

            def serve() -> None:
                for number, (body, more) in enumerate([(LONG, forged), (b"good", b"")]):
                    assert arrived.acquire(timeout=60)
                    connections.append(context.wrap_socket(taken[number], server_side=True))
                    connections[-1].recv(65536)
                    connections[-1].sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
                    connections[-1].sendall(body[:-1])
                    connections[-1].sendall(body[-1:] + more)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            for expected in (LONG, b"good"):
                with closing(transport.send(Request("GET", f"{origin}/"), home=origin)) as answer:
                    assert b"".join(answer.stream) == expected
            thread.join()
            transport.close()
            for one in connections:
                one.close()

    def test_a_long_body_that_ends_early_is_an_error(self) -> None:
        with counting() as (port, taken, arrived):
            origin = Origin("http", "127.0.0.1", port)
            transport = HttpTransport(TlsSettings(), {})

            def serve() -> None:
                assert arrived.acquire(timeout=60)
                taken[0].recv(65536)
                taken[0].sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(LONG) + 1}\r\n\r\n".encode() + LONG)
                taken[0].close()

            thread = threading.Thread(target=serve)
            thread.start()
            received: list[bytes] = []
            with (
                pytest.raises(ConnectionLostError),
                closing(transport.send(Request("GET", f"{origin}/"), home=origin)) as answer,
            ):
                received.extend(answer.stream)
            assert b"".join(received) == LONG
            thread.join()
            transport.close()


def test_a_fresh_process_opens_as_many_connections_as_it_uses(tmp_path: Path) -> None:
    """The first request of a process dials while httpx is imported; no connection is left over."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from wasm2oci.registry.connect import ConnectOptions, Connector\n"
        "assert 'httpx' not in sys.modules\n"
        "options = ConnectOptions(plain_http=True, environ={}, home=Path(sys.argv[2]))\n"
        "with Connector(options) as connector:\n"
        "    connector.ping(sys.argv[1])\n"
        "    connector.ping(sys.argv[1])\n"
    )
    with registry_server() as registry, delayed_line(int(registry.address.rpartition(":")[2]), 0.0) as line:
        subprocess.run([sys.executable, "-c", code, line.address, tmp_path], check=True, timeout=300)
        assert line.connections == 1


def test_a_proxy_is_not_gone_round(tmp_path: Path) -> None:
    with counting() as (port, taken, _):
        environ = {"HTTP_PROXY": "http://127.0.0.1:1"}
        with Connector(ConnectOptions(plain_http=True, environ=environ, home=tmp_path)) as connector:
            connector.session(f"registry.example:{port}").prepare(1)
        assert taken == []


class TestWaiting:
    """A user who waits longer than `SILENCE` is shown for whom, once something was waited for so long."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wasm2oci.registry.dial.SILENCE", 0.02)
        monkeypatch.setattr("wasm2oci.registry.streams.SILENCE", 0.02)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_server_that_says_nothing_is_named(self, scheme: str) -> None:
        waited: list[str] = []
        with counting() as (port, _, _):
            origin = Origin(scheme, "127.0.0.1", port)
            transport = HttpTransport(
                TlsSettings(insecure=True), {}, connect_timeout=0.1, read_timeout=0.1, waiting=waited.append
            )
            with pytest.raises(TimedOutError):
                transport.send(Request("GET", f"{origin}/v2/"), home=origin)
            transport.close()
        assert set(waited) == {f"127.0.0.1:{port}"}

    def test_a_proxy_is_named_as_one(self) -> None:
        waited: list[str] = []
        with counting() as (port, _, _):
            transport = HttpTransport(
                TlsSettings(),
                {"HTTP_PROXY": f"http://127.0.0.1:{port}"},
                connect_timeout=0.1,
                read_timeout=0.1,
                waiting=waited.append,
            )
            with pytest.raises(TimedOutError):
                transport.send(Request("GET", "http://registry.example/v2/"), home=Origin.of("http://registry.example"))
            transport.close()
        assert set(waited) == {f"the proxy 127.0.0.1:{port}"}

    def test_a_handshake_that_began_early_is_waited_for_too(self) -> None:
        waited: list[str] = []
        with counting() as (port, taken, arrived):

            def hang_up(host: str, _: int) -> None:
                waited.append(host)
                assert arrived.acquire(timeout=60)
                taken[0].shutdown(socket.SHUT_RDWR)

            dialer = Dialer(60, hang_up)
            dialer.expect(Origin("https", "127.0.0.1", port), 1, ssl.create_default_context)
            dialed = dialer.take("127.0.0.1", port)
            assert dialed is not None
            assert dialed.tls_error is not None
            dialed.connection.close()
        assert waited == ["127.0.0.1"]

    def test_an_answer_that_comes_late_is_an_answer(self) -> None:
        told = threading.Event()

        def late(handle: Handle) -> Handle:
            def answer(request: ServedRequest) -> Reply:
                told.wait(60)
                return handle(request)

            return answer

        with registry_server(wrap=late) as registry:
            origin = Origin.at("http", registry.address)
            transport = HttpTransport(TlsSettings(), {}, waiting=lambda _: told.set())
            assert transport.send(Request("GET", f"{origin}/v2/"), home=origin).status == 200
            transport.close()
        assert told.is_set()
