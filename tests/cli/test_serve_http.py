"""`wasm2oci serve-http`: a component answers over HTTP/1.1, in a process of its own."""

import http.client
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.support import invoke
from tests.support.programs import FIXTURES
from tests.support.scripted_server import ScriptedServer
from tests.support.serve_process import ServeProcess, serve_process
from wasm2oci.engine.text import assemble

GUEST = FIXTURES / "http.component.wasm"
BIG = bytes(range(256)) * 12_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of all servers here: code made from the component is kept there."""
    return tmp_path_factory.mktemp("serve-http")


@pytest.fixture(scope="module")
def fresh(folder: Path) -> Iterator[ServeProcess]:
    """A server whose requests each get an instance of their own."""
    trace = folder / "trace"
    options = ["--env", "COLOUR=green", "--allow-net", "127.0.0.1", "--allow-host", "component.test"]
    with serve_process(GUEST, *options, f"--trace={trace}", folder=folder, command="serve-http") as served:
        yield served


class Answer:
    """A response that was read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.body = response.read()
        self.text = self.body.decode("latin-1")


def ask(served: ServeProcess, target: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(served.address, timeout=60)
    try:
        connection.request(method, target, body, headers)  # type: ignore[arg-type]
        return Answer(connection.getresponse())
    finally:
        connection.close()


def dial(served: ServeProcess, *lines: str) -> socket.socket:
    """A connection on which a head was sent."""
    host, _, port = served.address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    return sock


def read_until(sock: socket.socket, text: bytes) -> bytes:
    came = b""
    while text not in came:
        data = sock.recv(65536)
        assert data, came
        came += data
    return came


def read_all(sock: socket.socket) -> bytes:
    with sock:
        return b"".join(iter(lambda: sock.recv(65536), b""))


# --- what a request and a response are --------------------------------------------------------------------------------


def test_the_component_sees_the_request(fresh: ServeProcess) -> None:
    answer = ask(fresh, "/a/b?c=d%20e", "PATCH", b"x", **{"X-One": "1", "Upgrade": "h2c"})
    lines = answer.text.splitlines()
    assert answer.status == 200
    assert lines[0] == f'Method::Patch Some(Scheme::Http) Some("{fresh.address}") /a/b?c=d%20e'
    assert "X-One: 1" in lines
    assert not any(line.lower().startswith(("host:", "upgrade:", "connection:")) for line in lines)


def test_the_response_is_what_the_component_says_and_no_more(fresh: ServeProcess) -> None:
    answer = ask(fresh, "/status?418")
    assert answer.status == 418
    assert {name.lower() for name in answer.headers} == {"content-type", "date", "connection", "transfer-encoding"}


def test_a_host_in_the_target_takes_the_place_of_the_field(fresh: ServeProcess) -> None:
    with dial(fresh, "GET http://component.test/p HTTP/1.1", "Host: localhost", "Connection: close") as sock:
        assert b'Some("component.test") /p\n' in read_all(sock)
    with dial(fresh, "GET http://foreign.test/p HTTP/1.1", "Host: localhost", "Connection: close") as sock:
        assert read_all(sock).startswith(b"HTTP/1.1 403 ")


def test_methods_may_have_hyphens(fresh: ServeProcess) -> None:
    assert ask(fresh, "/", "M-SEARCH").text.startswith('Method::Other("M-SEARCH") ')


def test_a_status_has_its_registered_phrase(fresh: ServeProcess) -> None:
    with dial(fresh, "GET /status?205 HTTP/1.1", "Host: localhost", "Connection: close") as sock:
        assert read_all(sock).startswith(b"HTTP/1.1 205 Reset Content\r\n")


@pytest.mark.parametrize("target", ["/echo", "/size"])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_any_size_go_through(fresh: ServeProcess, target: str, *, chunked: bool) -> None:
    body = iter([BIG[:1], BIG[1:100_000], BIG[100_000:]]) if chunked else BIG
    answer = ask(fresh, target, "POST", body)
    assert answer.body == (BIG if target == "/echo" else b"%d bytes, whole\n" % len(BIG))


def test_a_large_response_comes_whole(fresh: ServeProcess) -> None:
    assert ask(fresh, "/bytes?3000000").body == b"0" * 3_000_000


def test_bodies_are_streamed_both_ways_at_once(fresh: ServeProcess) -> None:
    with dial(fresh, "POST /echo HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked") as sock:
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        for word in (b"one", b"two", b"three"):
            sock.sendall(b"%x\r\n%b\r\n" % (len(word), word))
            assert read_until(sock, word)
        sock.sendall(b"0\r\n\r\n")
        assert read_until(sock, b"0\r\n\r\n")


def test_the_response_to_a_head_has_no_body(fresh: ServeProcess) -> None:
    answer = ask(fresh, "/bytes?1000000", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_http_1_0_gets_no_chunks(fresh: ServeProcess) -> None:
    head, _, body = read_all(dial(fresh, "GET /bytes?50000 HTTP/1.0")).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == b"0" * 50_000


def test_trailers_follow_the_body(fresh: ServeProcess) -> None:
    sock = dial(fresh, "GET /trailers HTTP/1.1", "Host: localhost", "Connection: close")
    assert read_all(sock).endswith(b"\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n")


def test_an_announced_length_is_kept_or_the_response_is_not_whole(fresh: ServeProcess) -> None:
    answer = ask(fresh, "/announced?5")
    assert (answer.headers["content-length"], answer.body) == ("5", b"five!")
    with pytest.raises(http.client.IncompleteRead):
        ask(fresh, "/announced?9")


def test_continue_is_sent_when_the_component_reads_the_body(fresh: ServeProcess) -> None:
    head = ("Host: localhost", "Content-Length: 3", "Expect: 100-continue")
    with dial(fresh, "POST /size HTTP/1.1", *head) as sock:
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert b"3 bytes, whole" in read_until(sock, b"0\r\n\r\n")
    with dial(fresh, "POST /count HTTP/1.1", *head) as sock:
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_a_body_that_breaks_off_is_seen_as_that(fresh: ServeProcess) -> None:
    sock = dial(fresh, "POST /size HTTP/1.1", "Host: localhost", "Content-Length: 10")
    sock.sendall(b"abc")
    sock.shutdown(socket.SHUT_WR)
    assert b"3 bytes, StreamError::LastOperationFailed" in read_all(sock)


def test_a_body_that_the_component_does_not_read_ends_the_connection(fresh: ServeProcess) -> None:
    # More than the server reads for a connection to go on, and so little that the client has sent it before it ends.
    answer = ask(fresh, "/count", "POST", BIG[:200_000])
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_one_connection_serves_many_requests(fresh: ServeProcess) -> None:
    connection = http.client.HTTPConnection(fresh.address, timeout=60)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("POST", "/size", b"abc")
        assert connection.getresponse().read() == b"3 bytes, whole\n"
    assert connection.sock is first
    connection.close()


def test_fields_of_the_connection_are_not_for_the_component_to_set(fresh: ServeProcess) -> None:
    text = ask(fresh, "/forbidden").text
    assert text.count("Err(HeaderError::Forbidden)") == 3
    assert text.count("Err(HeaderError::InvalidSyntax)") == 2


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/panic", "/nothing", "/exit", "/error"])
def test_without_a_response_of_the_component_there_is_one_of_the_server(fresh: ServeProcess, target: str) -> None:
    answer = ask(fresh, target)
    assert answer.status == 500
    assert answer.text == "the component gave no response; the server's log says why\n"
    assert ask(fresh, "/count").status == 200


def test_a_response_that_breaks_off_is_not_whole(fresh: ServeProcess) -> None:
    connection = http.client.HTTPConnection(fresh.address, timeout=60)
    connection.request("GET", "/panic-inside")
    response = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    assert caught.value.partial in {b"", b"a part"}
    connection.close()


def test_a_client_that_goes_away_costs_nothing(fresh: ServeProcess) -> None:
    for target in ("/bytes?3000000", "/echo"):
        dial(fresh, f"POST {target} HTTP/1.1", "Host: localhost", "Content-Length: 1000").close()
    assert ask(fresh, "/count").status == 200


@pytest.mark.parametrize("line", ["GET /\0 HTTP/1.1", "GET / HTTP/3", "nonsense", "GET /a b HTTP/1.1"])
def test_what_is_no_request_does_not_reach_the_component(fresh: ServeProcess, line: str) -> None:
    assert read_all(dial(fresh, line, "Host: localhost"))[9:12] in {b"400", b"505"}


def test_names_that_are_not_the_servers_are_refused(fresh: ServeProcess) -> None:
    assert ask(fresh, "/", Host="evil.example").status == 403
    assert ask(fresh, "/", Host="component.test:80").status == 200


def test_time_limits_are_for_each_request(folder: Path) -> None:
    options = ("--timeout", "1s", "--concurrency", "1")
    with serve_process(GUEST, *options, folder=folder, command="serve-http") as served:
        assert ask(served, "/spin").status == 504
        assert ask(served, "/wait?3600000").status == 504
        ask(served, "/spin-after")  # which answers and goes on, if it comes so far: its turn ends with its time
        assert ask(served, "/spin").status == 504
        code, log = served.stop()
    assert code == 0
    assert log.count("the component was stopped: its time was over") == 4


def test_threads_wake_each_other_where_pipes_cannot_be_waited_for(folder: Path) -> None:
    """As on Windows: a body that had come was waited for, a wait had no end, and a request asked without pause."""
    options = ("--timeout", "20s", "--allow-net", "127.0.0.1")
    with serve_process(GUEST, *options, folder=folder, command="serve-http", windows=True) as served:
        test_bodies_are_streamed_both_ways_at_once(served)
        assert ask(served, "/echo", "POST", BIG).body == BIG
        assert ask(served, "/bytes?3000000").body == b"0" * 3_000_000
        with ScriptedServer([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]) as server:
            assert ask(served, f"/fetch?http://{server.authority}/").text.endswith("ok\n2 bytes\n")
    with serve_process(GUEST, "--timeout", "1s", folder=folder, command="serve-http", windows=True) as served:
        assert ask(served, "/wait?3600000").status == 504


def test_memory_is_limited_for_each_instance(folder: Path) -> None:
    with serve_process(GUEST, "--max-memory", "32MiB", folder=folder, command="serve-http") as served:
        assert ask(served, "/memory?8").body == b"8\n"
        assert ask(served, "/memory?64").status == 500
        assert ask(served, "/memory?8").body == b"8\n"


# --- instances --------------------------------------------------------------------------------------------------------


def test_each_request_has_an_instance_of_its_own(fresh: ServeProcess) -> None:
    assert [ask(fresh, "/count").text for _ in range(3)] == ["0\n"] * 3


def test_an_instance_is_used_again_until_it_traps(folder: Path) -> None:
    options = ("--reuse", "--concurrency", "1")  # so that the instance is back before the next request begins
    with serve_process(GUEST, *options, folder=folder, command="serve-http") as served:
        assert [ask(served, "/count").text for _ in range(3)] == ["0\n", "1\n", "2\n"]
        for target in ("/panic", "/exit", "/panic-inside"):
            with ExitStack() as broken:
                if target == "/panic-inside":
                    broken.enter_context(pytest.raises(http.client.IncompleteRead))
                ask(served, target)
            assert ask(served, "/count").text == "0\n"
            assert ask(served, "/echo", "POST", BIG).body == BIG
            assert ask(served, "/count").text == "1\n"
        assert ask(served, "/nothing").status == 500
        _, log = served.stop()
    assert "the component gave no response where it had answered before: if it answers one request only" in log


SILENT = """(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "fields" (type (sub resource))) (export "incoming-request" (type (sub resource)))
    (export "outgoing-response" (type (sub resource))) (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request)) (alias export $types "response-outparam" (type $out))
  (core func $drop-request (canon resource.drop $request)) (core func $drop-out (canon resource.drop $out))
  (core module $m (import "" "request" (func $request (param i32))) (import "" "out" (func $out (param i32)))
    (global $used (mut i32) (i32.const 0))
    (func (export "handle") (param i32 i32)
      (if (global.get $used) (then unreachable)) (global.set $used (i32.const 1))
      (call $request (local.get 0)) (call $out (local.get 1))))
  (core instance $i (instantiate $m (with "" (instance
    (export "request" (func $drop-request)) (export "out" (func $drop-out))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""


def test_an_instance_that_gave_no_response_is_not_used_again(folder: Path, tmp_path: Path) -> None:
    guest = tmp_path / "silent.wasm"
    guest.write_bytes(assemble(SILENT))
    with serve_process(guest, "--reuse", "--concurrency", "1", folder=folder, command="serve-http") as served:
        assert [ask(served, "/").status for _ in range(3)] == [500] * 3
        _, log = served.stop()
    # An instance that is used again traps.
    assert (log.count("the component gave no response"), log.count("trapped")) == (3, 0)


@pytest.mark.parametrize(
    "item",
    ["(component $x)", "(type $x u8)", '(core module $m (func (export "f")))'],
    ids=["component", "type", "none"],
)
def test_what_is_no_interface_is_refused(item: str, tmp_path: Path) -> None:
    kind = item[1:].partition(" ")[0]
    export = "" if kind == "core" else f'(export "wasi:http/incoming-handler@0.2.0" ({kind} $x))'
    guest = tmp_path / "guest.wasm"
    guest.write_bytes(assemble(f"(component {item} {export})"))
    refused = invoke("serve-http", "--listen", "127.0.0.1:0", str(guest))
    assert refused.code in {4, 125}
    assert "handle" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_requests_are_answered_at_once(fresh: ServeProcess) -> None:
    head = ("Host: localhost", "Transfer-Encoding: chunked")
    with ExitStack() as open_ones:
        held = [open_ones.enter_context(dial(fresh, "POST /echo HTTP/1.1", *head)) for _ in range(3)]
        for sock in held:
            read_until(sock, b"\r\n\r\n")
        assert ask(fresh, "/count").status == 200
        for sock in held:
            sock.sendall(b"3\r\nend\r\n0\r\n\r\n")
            assert b"end" in read_until(sock, b"0\r\n\r\n")


def test_one_at_a_time_waits_for_the_one_before(folder: Path) -> None:
    with serve_process(GUEST, "--concurrency", "1", folder=folder, command="serve-http") as served:
        head = ("Host: localhost", "Transfer-Encoding: chunked", "Connection: close")
        with dial(served, "POST /echo HTTP/1.1", *head) as first:
            read_until(first, b"\r\n\r\n")
            second = dial(served, "GET /count HTTP/1.1", "Host: localhost", "Connection: close")
            first.sendall(b"3\r\nend\r\n0\r\n\r\n")
            assert b"end" in read_all(first)
        assert read_all(second).startswith(b"HTTP/1.1 200 OK")


# --- what it is given, what it says -----------------------------------------------------------------------------------


def test_it_is_given_variables_and_named_hosts_only(fresh: ServeProcess) -> None:
    assert ask(fresh, "/variable?COLOUR").text == "green"
    assert ask(fresh, "/variable?PATH").text == "none"
    with ScriptedServer([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]) as server:
        port = server.authority.rpartition(":")[2]
        assert ask(fresh, f"/fetch?http://127.0.0.1:{port}/").text.endswith("ok\n2 bytes\n")
        denied = ask(fresh, f"/fetch?http://localhost:{port}/")
    assert (denied.status, denied.text) == (502, "ErrorCode::HttpRequestDenied")


def test_a_trace_has_a_line_for_each_call_with_the_number_of_the_request(fresh: ServeProcess, folder: Path) -> None:
    ask(fresh, "/traced")
    lines = (folder / "trace").read_text().splitlines()
    shown = [line for line in lines if "incoming-request.path-with-query" in line and '"/traced"' in line]
    assert len(shown) == 1
    assert shown[0].startswith("#")
    assert "wasi:http/types@0.2.12#[method]incoming-request.path-with-query(incoming-request)" in shown[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_under_way_are_finished_before_it_stops(folder: Path, number: signal.Signals) -> None:
    with serve_process(GUEST, folder=folder, command="serve-http") as served:
        with dial(served, "POST /echo HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked") as sock:
            read_until(sock, b"\r\n\r\n")
            served.process.send_signal(number)
            sock.sendall(b"3\r\nend\r\n0\r\n\r\n")
            assert b"end" in read_until(sock, b"0\r\n\r\n")
        log = served.process.communicate(timeout=60)[1].decode()
    assert served.process.returncode == 0
    assert " POST /echo 200 3 " in log
    assert log.endswith("stopped\n")


def test_what_the_component_prints_and_how_it_ends_is_in_the_log(folder: Path) -> None:
    with serve_process(GUEST, folder=folder, command="serve-http") as served:
        ask(served, "/print?secret=1")
        ask(served, "/panic")
        _, log = served.stop()
    assert "to standard output\n" in log
    assert " GET /print 200 8 " in log
    assert "secret" not in log
    assert "as asked" in log
    assert "request 2: the component trapped: unreachable\n" in log


COMMAND = """(component
  (core module $m (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $run-interface (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run-interface)))"""

OTHER_TYPE = """(component
  (core module $m (func (export "handle")))
  (core instance $i (instantiate $m))
  (func $handle (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""

OWN_RESOURCES = """(component
  (type $incoming-request' (resource (rep i32)))
  (type $response-outparam' (resource (rep i32)))
  (export $incoming-request "incoming-request" (type $incoming-request'))
  (export $response-outparam "response-outparam" (type $response-outparam'))
  (core module $m (func (export "handle") (param i32 i32)))
  (core instance $i (instantiate $m))
  (func $handle (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""

IMPORTS = """(component
  (import "wasi:keyvalue/store@0.2.0" (instance (export "bucket" (type (sub resource)))))
  (core module $m (func (export "handle")))
  (core instance $i (instantiate $m))
  (func $handle (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        (COMMAND, [], 4, "exports no wasi:http/incoming-handler@0.2"),
        ("(module)", [], 3, "guest.wasm is a core module, not a component"),
        (OTHER_TYPE, [], 125, "has no function 'handle' of the type it should"),
        (OWN_RESOURCES, [], 125, "has no function 'handle' of the type it should"),
        (IMPORTS, [], 125, "imports the resource wasi:keyvalue/store@0.2.0 'bucket', which is not provided"),
        (OTHER_TYPE, ["--engine", "wasmtime"], 8, "cannot pass HTTP requests"),
        (OTHER_TYPE, ["--timeout", "never"], 2, "'never' is not a time"),
        (OTHER_TYPE, ["--allow-net", "http://x"], 2, "'http://x' is not a host"),
        (OTHER_TYPE, ["--listen", "nowhere"], 3, "has no port from 0 to 65535"),
    ],
)
def test_what_cannot_answer_is_refused(tmp_path: Path, text: str, options: list[str], code: int, said: str) -> None:
    path = tmp_path / "guest.wasm"
    path.write_bytes(assemble(text))
    result = invoke("serve-http", str(path), "--listen", "127.0.0.1:0", *options)
    assert result.code == code, result
    assert said in result.stderr
