"""Requests that a component makes, to servers of ours and to ones that misbehave."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import make_authority
from tests.support.guests import Captured
from tests.support.programs import FIXTURES, fixture
from tests.support.scripted_server import ScriptedServer
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, GuestSetupError, RunOutcome, RunRequest
from wasm2oci.runtime.streams import open_wasi
from wasm2oci.server.exposure import tls_context
from wasm2oci.server.http_server import Server
from wasm2oci.server.messages import BytesBody, Request, Response
from wasm2oci.wasi.network import NetworkRule, allows
from wasm2oci.wasi.preview2.bell import Bell
from wasm2oci.wasi.preview2.http import exchange
from wasm2oci.wasi.preview2.http.fields import HttpFields
from wasm2oci.wasi.preview2.http.outgoing import RequestOptions
from wasm2oci.wasi.preview2.http.state import HttpState
from wasm2oci.wasi.waiting import Interrupt

GUEST = "http.component.wasm"
CODE: list[Path] = []
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True, scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what was made of the guest for all of these tests."""
    CODE.append(tmp_path_factory.mktemp("code"))
    yield
    CODE.clear()


def send(*words: str, allow: str | None = "127.0.0.1", **more: object) -> tuple[str, RunOutcome]:
    captured = Captured()
    rule = None if allow is None else NetworkRule.parse(allow)
    request: dict[str, Any] = {
        "module": fixture(GUEST),
        "args": (b"http", *(word.encode() for word in words)),
        "engine": EngineChoice.EMBEDDED,
        "network": () if rule is None else (rule,),
        "cache": CODE[0],
        **captured.streams,
        **more,
    }
    outcome = run(RunRequest(**request))
    return captured.out.decode(), outcome


def echo(request: Request) -> Response:
    """Says what came: the method, the target, the length of the body, and one field."""
    body = b"".join([bytes(piece) for piece in request.body])
    text = f"{request.method} {request.target} {len(body)} {set(body) <= {48}} {request.headers.get('x-sent')}"
    return Response(207, (("X-Method", request.method), ("Connection", "close")), BytesBody(text.encode()))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("GET", "/a?b=c"), "GET /a?b=c 0 True None"),
        (("POST", "/", "1000000"), "POST / 1000000 True None"),
        (("POST", "/", "3000", "content-length:3000", "x-sent:yes"), "POST / 3000 True yes"),
        (("PUT", "/", "0", "x-sent:no body"), "PUT / 0 True no body"),
        (("PROPFIND", "/x"), "PROPFIND /x 0 True None"),
    ],
)
def test_a_request_arrives_as_it_was_meant(words: tuple[str, ...], expected: str) -> None:
    with Server(echo) as server:
        method, path, *rest = words
        shown, outcome = send(method, f"{server.url}{path}", *rest)
    assert outcome.exit_code == 0
    lines = shown.splitlines()
    assert lines[0] == "207"
    assert lines[-2:] == [expected, f"{len(expected)} bytes"]


def test_the_response_to_a_head_has_fields_and_no_body() -> None:
    with Server(echo) as server:
        shown, _ = send("HEAD", server.url)
    assert "X-Method: HEAD" in shown
    assert shown.endswith("\n0 bytes\n")


def test_a_large_response_comes_whole() -> None:
    size = 5_000_000
    with Server(lambda _: Response(200, body=BytesBody(b"x" * size))) as server:
        assert send("GET", server.url)[0].endswith(f"\n{size} bytes\n")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n", b"0\r\nX-A: b\r\n\r\n"],
            "trailer X-A: b",
        ),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil the end"], "13 bytes"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"], "302\nLocation:"),
        ([b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"], "413\n"),
        ([b""], "failed: ErrorCode::ConnectionTerminated"),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], "failed: ErrorCode::HttpProtocolError"),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"],
            "failed: Some(ErrorCode::HttpResponseIncomplete) after 2",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"],
            "failed: Some(ErrorCode::HttpProtocolError) after 2",
        ),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000], "ErrorCode::HttpResponseHeaderSectionSize(Some(65536))"),
    ],
)
def test_what_a_server_does_is_shown_to_the_guest(answer: list[bytes], expected: str) -> None:
    with ScriptedServer(answer) as server:
        shown, outcome = send("GET", f"http://{server.authority}/")
    assert outcome.exit_code == 0
    assert expected in shown


def test_a_body_goes_in_chunks_or_as_long_as_it_says() -> None:
    with ScriptedServer([OK], whole=b"0\r\n\r\n") as server:
        send("POST", f"http://{server.authority}/p", "3")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b"3\r\n000\r\n0\r\n\r\n"
    assert b"\r\nTransfer-Encoding: chunked" in head
    with ScriptedServer([OK], whole=b"\r\n\r\n000") as server:
        send("POST", f"http://{server.authority}/p", "3", "content-length:3")
    assert server.requests[0].endswith(b"\r\n\r\n000")
    assert b"Transfer-Encoding" not in server.requests[0]


def test_a_server_that_answers_before_the_body_is_whole_ends_the_body() -> None:
    with ScriptedServer([b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch"]) as server:
        shown, outcome = send("POST", f"http://{server.authority}/", "50000000")
    assert outcome.exit_code == 0
    assert shown.startswith("413\n")


def test_a_body_that_is_not_as_long_as_it_says_is_refused() -> None:
    with ScriptedServer([OK], whole=b"000") as server:
        assert "HttpRequestBodySize(Some(3))" in send("POST", f"http://{server.authority}/", "3", "content-length:4")[0]
        assert send("POST", f"http://{server.authority}/", "0", "content-length:4")[0] == (
            "failed: ErrorCode::HttpProtocolError\n"
        )


@pytest.mark.parametrize(
    ("allow", "url", "expected"),
    [
        (None, "http://127.0.0.1:{}/", "HttpRequestDenied"),
        ("127.0.0.1:1", "http://127.0.0.1:{}/", "HttpRequestDenied"),
        ("localhost", "http://127.0.0.1:{}/", "HttpRequestDenied"),
        ("127.0.0.1", "http://127.0.0.2:{}/", "HttpRequestDenied"),
        ("127.0.0.1", "http://2130706433:{}/", "HttpRequestDenied"),
        ("127.0.0.1", "ftp://127.0.0.1:{}/", "HttpProtocolError"),
        ("127.0.0.1", "http://me@127.0.0.1:{}/", "failed: authority"),
        ("127.0.0.1", "http://127.0.0.1:99999/", "HttpRequestUriInvalid"),
        ("127.0.0.1", "http://127.0.0.1:{}/a b", "failed: path"),
        ("name.invalid", "http://name.invalid/", "DnsError"),
    ],
)
def test_only_hosts_that_are_named_are_reached(allow: str | None, url: str, expected: str) -> None:
    with ScriptedServer([OK]) as server:
        shown, outcome = send("GET", url.format(server.authority.rpartition(":")[2]), allow=allow)
    assert outcome.exit_code == 0
    assert expected in shown
    assert server.requests == []


def test_the_host_that_is_named_may_be_written_in_other_letters() -> None:
    with ScriptedServer([OK]) as server:
        port = server.authority.rpartition(":")[2]
        assert send("GET", f"http://LOCALHOST:{port}/", allow=f"localhost:{port}")[0].startswith("200\n")
    assert f"\r\nHost: LOCALHOST:{port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("example.com", NetworkRule("example.com")),
        ("Example.com.:443", NetworkRule("example.com", 443)),
        ("[::1]:80", NetworkRule("::1", 80)),
        ("::1", NetworkRule("::1")),
        ("https://example.com", None),
        ("example.com/x", None),
        ("example.com:65536", None),
        ("*", None),
        ("", None),
    ],
)
def test_a_rule_is_a_host_and_perhaps_a_port(text: str, rule: NetworkRule | None) -> None:
    assert NetworkRule.parse(text) == rule


def test_an_address_in_brackets_is_the_one_without() -> None:
    assert allows((NetworkRule("::1", 80),), "[::1]", 80)
    assert not allows((NetworkRule("::1", 80),), "[::1]", 81)


def test_a_refused_connection_is_said_to_be() -> None:
    with ScriptedServer([OK]) as server:
        pass
    assert send("GET", f"http://{server.authority}/")[0] == "failed: ErrorCode::ConnectionRefused\n"


def test_on_wasmtime_every_request_is_denied_and_named_hosts_are_refused() -> None:
    pytest.importorskip("wasmtime")
    with ScriptedServer([OK]) as server:
        url = f"http://{server.authority}/"
        shown, outcome = send("GET", url, allow=None, engine=EngineChoice.WASMTIME)
        assert (shown, outcome.exit_code) == ("failed: ErrorCode::HttpRequestDenied\n", 0)
        with pytest.raises(GuestSetupError, match="every host or none"):
            send("GET", url, engine=EngineChoice.WASMTIME)
    assert server.requests == []


@pytest.mark.parametrize("where", ["127.0.0.1:{}", "localhost:{}"])
def test_sockets_are_denied_also_to_hosts_that_are_named(where: str) -> None:
    with ScriptedServer([OK]) as server:
        shown, outcome = send("SOCKET", where.format(server.authority.rpartition(":")[2]))
    assert (shown, outcome.exit_code) == ("failed: PermissionDenied\n", 0)
    assert server.requests == []


def program(url: str, *options: str, certificates: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`wasm2oci run` in a fresh process, which has these authorities for its own."""
    command = [sys.executable, "-m", "wasm2oci", "run", "--allow-net", "localhost", *options]
    variables = {} if certificates is None else {"SSL_CERT_FILE": str(certificates)}
    return subprocess.run(
        [*command, str(FIXTURES / GUEST), "GET", url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables},
    )


def test_https_is_spoken_with_servers_whose_certificate_is_good(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    issued = authority.issue("server")
    with Server(echo, "localhost", tls=tls_context(issued.certificate_file, issued.key_file)) as server:
        good = program(server.url, certificates=authority.ca_file)
        bad = program(server.url)
        plain = program(server.url.replace("https", "http"), certificates=authority.ca_file)
    assert good.stdout.startswith("207\n"), good
    assert bad.stdout == "failed: ErrorCode::TlsCertificateError\n"
    assert plain.stdout.startswith("failed: ") or plain.stdout.startswith("400\n")


@pytest.mark.parametrize(("closes", "whole"), [(True, True), (False, False)])
def test_a_body_that_lasts_until_the_end_is_whole_when_tls_ended(tmp_path: Path, *, closes: bool, whole: bool) -> None:
    """Anybody on the way can cut a connection."""
    authority = make_authority(tmp_path)
    issued = authority.issue("server")
    context = tls_context(issued.certificate_file, issued.key_file)
    with ScriptedServer([b"HTTP/1.1 200 OK\r\n\r\npart"], tls=context, closes=closes) as server:
        url = f"https://localhost:{server.authority.rpartition(':')[2]}/"
        shown = program(url, certificates=authority.ca_file).stdout
    assert ("part" in shown and "failed" not in shown) == whole, shown


def test_a_word_that_is_no_host_is_a_mistake_of_the_command_line() -> None:
    wrong = program("http://localhost/", "--allow-net", "http://localhost")
    assert wrong.returncode == 2
    assert "it is written HOST or HOST:PORT" in wrong.stderr


def test_the_time_limit_ends_a_wait_for_a_response() -> None:
    with ScriptedServer([], whole=b"this never comes") as server:
        url = f"http://{server.authority.replace('127.0.0.1', 'localhost')}/"
        assert program(url, "--timeout", "2s", "--allow-net", "localhost").returncode == 124


@pytest.mark.parametrize("name", ["connect-timeout", "first-byte-timeout", "between-bytes-timeout"])
def test_the_longest_time_that_a_guest_can_set_is_no_mistake(name: str) -> None:
    bell, options = Bell(), RequestOptions()
    options.set(name, ("some", (1 << 64) - 1))
    with Interrupt() as interrupt, ScriptedServer([OK]) as server:
        asked = RunRequest(network=(NetworkRule("127.0.0.1"),))
        state = HttpState(open_wasi(asked, interrupt).context, bell)
        request = state.request(HttpFields())
        request.set_scheme(("some", ("HTTP", None)))
        request.set_authority(("some", server.authority))
        kind, response = state.handle(request, ("some", options))
        assert kind == "ok"
        assert bell.wait_here(lambda: response.subscribe().is_ready(0), 60)
        kind, (_, (came, _)) = response.get()
        assert (kind, came) == ("some", "ok")
        state.close()


def test_authorities_need_no_extensions_that_only_newer_pythons_ask_for() -> None:
    """As for registries: private authorities often lack what Python 3.13 asks for by itself."""
    assert not exchange._tls().verify_flags & ssl.VERIFY_X509_STRICT


def test_requests_over_tls_need_no_option_of_openssl_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 may be built with OpenSSL 1.1.1 (RHEL 8), whose `ssl` lacks it: the guest waited for ever."""
    monkeypatch.delattr(ssl, "OP_IGNORE_UNEXPECTED_EOF")
    assert exchange._tls.__wrapped__().verify_mode is ssl.CERT_REQUIRED
