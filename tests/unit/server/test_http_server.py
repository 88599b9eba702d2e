"""The HTTP server: framing, limits and stopping, on real sockets."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from tests.support.raw_client import GET, status, talk
from tests.support.registry_server import RunningRegistry, registry_server
from tests.support.work import HOSTILE, assert_linear, lines_run
from wasm2oci.server.call import Rules
from wasm2oci.server.http1 import ConnectionLimits, HeadError, parse_head
from wasm2oci.server.http_server import CannotListenError, Server
from wasm2oci.server.messages import BytesBody, Request, Response, StreamBody
from wasm2oci.server.received_body import ReceivedBody

QUICK = ConnectionLimits(head_seconds=0.3, idle_seconds=0.5, body_rate=1e9, body_grace=0.3)
"""Limits for tests of a client that stays behind them; all others keep to the usual limits on any machine."""


@pytest.fixture(scope="module")
def registry() -> Iterator[RunningRegistry]:
    with registry_server(limits=ConnectionLimits(head=4096), rules=Rules(blob_max=1 << 20)) as running:
        yield running


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://x/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
        (b"GET /v2/ HTTP/1.0\r\n\r\n", 200),
        (b"GET /v2/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /v2/ HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"get /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET  /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/ extra HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET v2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/\nHost: x\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\nHost: x\n\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nExpect: the-moon\r\n\r\n", 417),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 400),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na", 400),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na", 400),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\na", 400),
        (
            (
                b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (
            (
                b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
        (b"POST /v2/a/blobs/uploads/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"BREW /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405),
        (b"GET /v2/" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 5000 + b"\r\n\r\n", 431),
    ],
)
def test_heads_are_read_in_one_way_or_not_at_all(
    registry: RunningRegistry, request_bytes: bytes, expected: int
) -> None:
    assert status(talk(registry, request_bytes)) == expected


CHUNKED = b"PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"2\r\nabcd\r\n0\r\n\r\n",
        b"2\nab\r\n0\r\n\r\n",
        b"-1\r\n",
        b"0x2\r\nab\r\n0\r\n\r\n",
        b"2" + b" " * 3000 + b"\r\nab\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\n",
        b"0\r\n" + b"a: b\r\n" * 2000 + b"\r\n",
    ],
)
def test_broken_chunks_are_refused(registry: RunningRegistry, body: bytes) -> None:
    assert status(talk(registry, CHUNKED + body)) in (400, 431)


def test_a_chunked_body_is_put_together(registry: RunningRegistry) -> None:
    answer = talk(registry, CHUNKED, b"3;x=y\r\n{}", b"a\r\n1\r\nb\r\n", b"0\r\nTrailer: t\r\n\r\n")
    assert b"not valid JSON" in answer


def test_requests_follow_each_other_and_pipelined_ones_are_answered_in_order(registry: RunningRegistry) -> None:
    one = b"GET /v2/%s/tags/list HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = talk(registry, one % b"none" + one % b"NOT" + b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    codes = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert codes == [404, 400, 200]


def test_head_has_the_length_and_no_body(registry: RunningRegistry) -> None:
    answer = talk(registry, b"HEAD /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 2\r\n" in answer


def test_a_client_that_expects_100_gets_it_only_when_the_body_is_wanted(registry: RunningRegistry) -> None:
    head = b"Host: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    wanted = talk(registry, b"PUT /v2/a/manifests/t HTTP/1.1\r\n" + head, b"{}", end=True)
    refused = talk(registry, b"PUT /v2/A/manifests/t HTTP/1.1\r\n" + head)
    assert wanted.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400")
    assert refused.startswith(b"HTTP/1.1 400")
    assert b"Connection: close" in refused


def test_no_100_comes_within_a_response_that_has_begun() -> None:
    def handle(request: Request) -> Response:
        def pieces() -> Iterator[bytes]:
            yield b"begun"
            for piece in request.body:
                yield bytes(piece)

        return Response(200, (), StreamBody(pieces(), None, list, lambda: None), close=True)

    with Server(handle) as server:
        host, _, port = server.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=60) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            came = b""
            while b"begun" not in came:
                came += sock.recv(65536)
            sock.sendall(b"abc")
            while data := sock.recv(65536):
                came += data
    assert came.partition(b"\r\n\r\n")[2] == b"5\r\nbegun\r\n3\r\nabc\r\n0\r\n\r\n"


def test_a_tls_handshake_is_answered_at_once(registry: RunningRegistry) -> None:
    answer = talk(registry, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert status(answer) == 400
    assert b"not HTTP" in answer


def test_slow_heads_slow_bodies_and_silence_are_bounded_in_time() -> None:
    with registry_server(limits=QUICK) as registry:
        assert status(talk(registry, b"GET /v2/ HT")) == 408
        assert talk(registry) == b""
        slow = talk(registry, b"PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert status(slow) == 408


def test_a_client_that_goes_away_in_a_body_leaves_no_manifest(registry: RunningRegistry) -> None:
    talk(registry, b"PUT /v2/gone/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", end=True)
    assert not registry.core.storage.has_repository("gone")


def test_bodies_without_end_are_cut_at_the_limit(registry: RunningRegistry) -> None:
    start = b"POST /v2/a/blobs/uploads/?digest=sha256:%s HTTP/1.1\r\nHost: x\r\n" % (b"0" * 64)
    piece = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    answer = talk(registry, start + b"Transfer-Encoding: chunked\r\n\r\n", *[piece] * 64)
    assert status(answer) == 413
    assert status(talk(registry, start + b"Content-Length: 999999999999\r\n\r\n")) == 413


def test_a_request_as_a_whole_is_bounded_in_time() -> None:
    limits = ConnectionLimits(body_rate=1e-9, body_grace=1e9, request_seconds=0.3)
    with registry_server(limits=limits) as registry:
        put = b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"
        assert status(talk(registry, put)) == 408


def test_a_bug_is_a_500_and_is_logged(registry: RunningRegistry) -> None:
    def broken(_: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def handle(request: Request) -> Response:
            raise ZeroDivisionError(request.target)

        return handle

    with registry_server(wrap=broken) as running:
        assert status(talk(running, b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")) == 500
        assert any("ZeroDivisionError" in line for line in running.log)


def test_a_response_that_breaks_off_is_in_the_log() -> None:
    def broken(_: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def pieces() -> Iterator[bytes]:
            yield b"abc"
            raise OSError("the guest did not finish it")

        return lambda _: Response(200, (), StreamBody(pieces(), None, list, lambda: None))

    with registry_server(wrap=broken) as running:
        assert talk(running, b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"3\r\nabc\r\n")
    found = [line for line in running.log if " broken off: the guest did not finish it" in line]
    assert len(found) == 1
    assert " GET /v2/ 200 3 " in found[0]


def test_a_reader_that_takes_its_time_is_not_the_clients_slowness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest of `serve-http` that computes between two pieces made its client's body "too slow"."""
    times = iter(range(0, 10_000_000, 50))
    clock = SimpleNamespace(monotonic=lambda: float(next(times)))  # other threads go on with theirs
    monkeypatch.setattr("wasm2oci.server.received_body.time", clock)

    class Trickle:
        def read_into(self, view: memoryview, timeout: float) -> int:
            assert timeout > 0
            return min(len(view), 1024)

        def begin_to_move(self) -> None:
            pass

        stop_moving = begin_to_move

    head = parse_head(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 8192")
    limits = ConnectionLimits(body_rate=10.0, body_grace=60.0, piece=1024)
    body = ReceivedBody(Trickle(), head, limits)  # type: ignore[arg-type]
    assert sum(map(len, body)) == 8192  # each piece took 50 s to come and 50 s to be used: 20 bytes a second came


def test_a_response_may_lie_about_its_length(registry: RunningRegistry) -> None:
    def lying(_: Callable[[Request], Response]) -> Callable[[Request], Response]:
        return lambda _: Response(200, (("Content-Length", "10"), ("X-Name", "a\r\nb: c")), BytesBody(b"abc"))

    with registry_server(wrap=lying) as running:
        answer = talk(running, b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nabc")
    assert b"Content-Length: 10\r\n" in answer
    assert b"X-Name: a??b: c\r\n" in answer


def test_housekeeping_is_done_although_there_is_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.server.http_server._HOUSEKEEPING", 0.02)
    done = threading.Event()
    until = time.monotonic() + 60
    with Server(lambda _: Response(200), housekeeping=done.set) as server:
        while not done.is_set() and time.monotonic() < until:
            with socket.create_connection((server.host, server.port), timeout=60):
                pass
    assert done.is_set()


def test_no_thread_to_be_had_turns_one_client_away_and_not_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda _: Response(200)) as server:
        address = (server.host, server.port)
        with monkeypatch.context() as patched:

            def no_thread(*_: object) -> None:
                raise RuntimeError("can't start new thread")

            patched.setattr("wasm2oci.server.http_server._thread.start_new_thread", no_thread)
            with socket.create_connection(address, timeout=60) as sock:
                assert sock.recv(1) == b""
        with socket.create_connection(address, timeout=60) as sock:
            sock.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_stopping_closes_idle_connections_and_cuts_busy_ones_after_the_grace() -> None:
    inside = threading.Event()

    def handle(request: Request) -> Response:
        if request.target == "/slow":
            inside.set()
            for _ in request.body:
                pass
        return Response(200)

    server = Server(handle, grace=0.2).start()
    with (
        socket.create_connection((server.host, server.port), timeout=60) as idle,
        socket.create_connection((server.host, server.port), timeout=60) as busy,
    ):
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200")
        busy.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
        assert inside.wait(60)
        server.stop()
        server.stop()
        assert idle.recv(1000) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, server.port), timeout=60)


def test_an_ipv6_address_is_written_with_brackets() -> None:
    try:
        server = Server(lambda _: Response(200), "::1")
    except CannotListenError:
        pytest.skip("optional: this machine has no IPv6 loopback")
    with server:
        assert server.url == f"http://[::1]:{server.port}"


def test_a_body_that_breaks_while_it_is_sent_cuts_the_connection() -> None:
    class Broken:
        length = 10

        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"
            raise OSError("disk")

        def close(self) -> None:
            pass

    with registry_server(wrap=lambda _: lambda _: Response(200, body=Broken())) as running:
        answer = talk(running, b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"abc")


def test_without_a_descriptor_left_it_waits_and_goes_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, accept, pauses = threading.Semaphore(0), socket.socket.accept, list[float | None]()

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return super().wait(timeout)

    def none_left(listener: socket.socket) -> tuple[socket.socket, object]:
        if len(pauses) == 3:
            return accept(listener)
        tried.release()
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "accept", none_left)
    server = Server(lambda _: Response(200))
    server._stopping = Stopping()
    with server, socket.create_connection((server.host, server.port), timeout=60) as sock:
        sock.sendall(GET)
        assert sock.recv(12) == b"HTTP/1.1 200"
    assert all(pauses)
    assert [tried.acquire(blocking=False) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_head_takes_time_that_grows_with_it(piece: str) -> None:
    """A value of 32,600 blanks once held every thread for 6 seconds, before any password was asked for."""

    def head(size: int) -> bytes:
        return b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: a" + (piece * (size // len(piece))).encode() + b"b"

    assert_linear(lambda size: lines_run(lambda: parse_head(head(size)), HeadError))


@pytest.mark.parametrize(
    ("line", "value"), [(b"X:", ""), (b"X: \t ", ""), (b"X: a  b \t", "a  b"), (b"X::", ":"), (b"X:\xe9 ", "\xe9")]
)
def test_the_value_of_a_field_has_no_blanks_around_it(line: bytes, value: str) -> None:
    assert parse_head(b"GET / HTTP/1.1\r\nHost: x\r\n" + line).headers.get("X") == value


@pytest.mark.parametrize(
    ("named", "target"),
    [
        ("http://a", "/"),
        ("http://a/", "/"),
        ("http://a?b", "/?b"),
        ("https://a/b?c", "/b?c"),
        ("/http://b", "/http://b"),
    ],
)
def test_a_target_may_name_a_host(named: str, target: str) -> None:
    head = parse_head(f"GET {named} HTTP/1.1\r\nHost: b".encode())
    assert head.target == target
    assert head.headers.all("Host") == ["b" if named == target else "a"]


@pytest.mark.parametrize(("named", "host"), [("http://a/", "b c"), ("http://a@b/", "a"), ("http://a", "a\r\nHost: a")])
def test_hosts_are_checked_where_a_target_names_one(named: str, host: str) -> None:
    with pytest.raises(HeadError, match="Host"):
        parse_head(f"GET {named} HTTP/1.1\r\nHost: {host}".encode())


@pytest.mark.parametrize("line", [b"X : a", b": a", b"X", b" X: a", b"X\t: a", b"X: a\x00", b"X: a\x7f", b"\xe9: a"])
def test_a_field_that_two_readers_could_read_in_two_ways_is_refused(line: bytes) -> None:
    with pytest.raises(HeadError, match="field"):
        parse_head(b"GET / HTTP/1.1\r\nHost: x\r\n" + line)
