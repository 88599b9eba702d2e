"""The one file that knows httpx, over real sockets: TLS, certificates, proxies, broken exchanges, start-up."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.certificates import Authority, make_authority
from tests.support.process_state import closed_port
from tests.support.registry_server import Handle, RunningRegistry, registry_server
from wasm2oci.errors import InvalidInputError, LocalIOError, RegistryError, Remedy, RemedyKind
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.connect import ConnectOptions, Connector
from wasm2oci.registry.dial import Dialer
from wasm2oci.registry.messages import Request
from wasm2oci.registry.mirrors import Mirrored
from wasm2oci.registry.options import TlsSettings
from wasm2oci.registry.problems import (
    ConnectionFailedError,
    ConnectionLostError,
    ExchangeError,
    ResponseError,
    TimedOutError,
    TlsError,
)
from wasm2oci.registry.tls import CertificateFileError, UnreadableCertificateError, build_context
from wasm2oci.registry.transport import HttpTransport, ProxySettingError
from wasm2oci.registry.transport_errors import translated
from wasm2oci.registry.urls import Origin, UntrustedUrlError
from wasm2oci.server.messages import BytesBody
from wasm2oci.server.messages import Response as Reply


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server_context(authority: Authority) -> ssl.SSLContext:
    issued = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_file, issued.key_file)
    return context


def options(tmp_path: Path, **more: object) -> ConnectOptions:
    values: dict[str, object] = {"environ": {}, "home": tmp_path, "sleep": lambda _: None}
    return ConnectOptions(**{**values, **more})  # type: ignore[arg-type]


@contextmanager
def listening(*answers: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads a request and answers with these bytes (None: hangs up at once), a connection each."""
    got: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(60)
                if answer is not None:
                    got.append(connection.recv(65536))
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", got
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(60)


def get(url: str, **more: object) -> tuple[int, bytes]:
    transport = HttpTransport(TlsSettings(), more.pop("environ", {}), **more)  # type: ignore[arg-type]
    try:
        response = transport.send(Request("GET", url), home=Origin.of(url))
        return response.status, response.read(1000, "x")
    finally:
        transport.close()


class TestTls:
    def test_a_private_authority(self, tmp_path: Path, authority: Authority, server_context: ssl.SSLContext) -> None:
        with (
            registry_server(tls=server_context) as registry,
            Connector(options(tmp_path, ca_file=authority.ca_file)) as connector,
        ):
            connector.ping(registry.address)
            assert connector.origin(registry.address).scheme == "https"

    @pytest.mark.parametrize("folders", ["{0}", "/nowhere{1}{0}", "{1}{0}{1}"])
    def test_plain_pem_files_of_a_certificate_folder_are_trusted(
        self, tmp_path: Path, authority: Authority, server_context: ssl.SSLContext, folders: str
    ) -> None:
        """google/go-containerregistry#1246: OpenSSL alone reads only files that `c_rehash` named."""
        folder = tmp_path / "certificates"
        folder.mkdir()
        (folder / "company.pem").write_bytes(authority.ca_file.read_bytes())
        (folder / "README").write_text("no certificate")
        (folder / "folder").mkdir()
        environ = {"SSL_CERT_DIR": folders.format(folder, os.pathsep)}
        with (
            registry_server(tls=server_context) as registry,
            Connector(options(tmp_path, environ=environ)) as connector,
        ):
            connector.ping(registry.address)
            assert connector.origin(registry.address).scheme == "https"

    def test_an_unknown_authority_is_refused_with_a_hint(self, tmp_path: Path, server_context: ssl.SSLContext) -> None:
        with registry_server(tls=server_context) as registry, Connector(options(tmp_path)) as connector:
            with pytest.raises(TlsError, match="certificate is not trusted") as caught:
                connector.ping(registry.address)
            assert caught.value.remedy == (RemedyKind.TRUST_CERTIFICATE, "")

    def test_insecure_takes_anything(self, tmp_path: Path, server_context: ssl.SSLContext) -> None:
        settings = options(tmp_path, insecure=True)
        with registry_server(tls=server_context) as registry, Connector(settings) as connector:
            connector.ping(registry.address)

    def test_plain_http_where_tls_is_wanted_says_so(self, tmp_path: Path) -> None:
        settings = options(tmp_path, insecure=True)
        with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (host, _), Connector(settings) as connector:
            with pytest.raises(TlsError) as caught:
                connector.ping(host)
            assert caught.value.remedy == (RemedyKind.USE_PLAIN_HTTP, "")
            assert not caught.value.spoken

    def test_ghsa_h3wm_jjqf_8jm2_a_client_certificate_is_for_one_origin(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        """The registry sees the certificate; where it redirects to does not. Defence: a pool for each origin."""
        client = authority.issue("somebody", client=True)
        shown: dict[str, bool] = {}
        with tls_listener("registry", authority, shown) as home, tls_listener("elsewhere", authority, shown) as away:
            transport = HttpTransport(
                TlsSettings(ca_file=authority.ca_file, cert_file=client.certificate_file, key_file=client.key_file),
                {},
            )
            for origin in (home, away):
                transport.send(Request("GET", f"{origin}/"), home=Origin.of(home)).close()
            transport.close()
        assert shown == {"registry": True, "elsewhere": False}

    def test_a_mirror_does_not_see_the_client_certificate(self, tmp_path: Path, authority: Authority) -> None:
        client, conf = authority.issue("somebody", client=True), tmp_path / "registries.conf"
        shown: dict[str, bool] = {}
        with tls_listener("registry", authority, shown) as home, tls_listener("mirror", authority, shown) as mirror:
            host = home.removeprefix("https://")
            location = mirror.removeprefix("https://")
            conf.write_text(f'[[registry]]\nlocation = "{host}"\n[[registry.mirror]]\nlocation = "{location}"\n')
            options = ConnectOptions(
                ca_file=authority.ca_file,
                cert_file=client.certificate_file,
                key_file=client.key_file,
                environ={"WASM2OCI_REGISTRIES_CONF": str(conf)},
                home=tmp_path,
            )
            with Connector(options) as connector:
                place = connector.source(Reference.parse(f"{host}/app:v1"))
                assert isinstance(place, Mirrored)
                for source in place._sources:
                    source.repository.authorize()
        assert shown == {"registry": True, "mirror": False}

    def test_files_that_are_not_there_or_not_what_they_should_be(self, tmp_path: Path, authority: Authority) -> None:
        absent, nonsense = tmp_path / "absent", tmp_path / "nonsense"
        nonsense.write_text("nonsense")
        issued = authority.issue("client", client=True)
        with pytest.raises(UnreadableCertificateError):
            build_context(TlsSettings(ca_file=absent), client_certificate=False)
        with pytest.raises(CertificateFileError):
            build_context(TlsSettings(ca_file=nonsense), client_certificate=False)
        with pytest.raises(LocalIOError):
            build_context(TlsSettings(cert_file=issued.certificate_file, key_file=absent), client_certificate=True)
        with pytest.raises(InvalidInputError):
            build_context(TlsSettings(cert_file=issued.certificate_file), client_certificate=True)
        with pytest.raises(InvalidInputError):
            build_context(
                TlsSettings(cert_file=issued.certificate_file, key_file=authority.issued.key_file),
                client_certificate=True,
            )
        build_context(TlsSettings(cert_file=absent), client_certificate=False)

    def test_a_key_with_a_password_does_not_stop_and_ask(self, tmp_path: Path, authority: Authority) -> None:
        from cryptography.hazmat.primitives import serialization

        issued = authority.issue("locked", client=True)
        locked = tmp_path / "locked.key"
        locked.write_bytes(
            issued.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password"),
            )
        )
        with pytest.raises(CertificateFileError):
            build_context(TlsSettings(cert_file=issued.certificate_file, key_file=locked), client_certificate=True)

    def test_a_machine_without_authorities_uses_those_that_come_with_httpx(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        paths = ssl.get_default_verify_paths()._replace(cafile=None, capath=str(tmp_path))  # type: ignore[arg-type]
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
        assert build_context(TlsSettings(), client_certificate=False).cert_store_stats()["x509_ca"] > 10


@contextmanager
def tls_listener(name: str, authority: Authority, shown: dict[str, bool]) -> Iterator[str]:
    """A TLS server that notes whether a client showed a certificate, and answers 200."""
    server = authority.issue(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as secure:
            shown[name] = secure.getpeercert() is not None and bool(secure.getpeercert())
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(5)
        listener.close()


class TestNamesThatARegistryNames:
    """A name that a registry hands out is looked up once, looked at, and connected to by its address."""

    def ask(self, registry: str, names: dict[str, list[str]], request: Request, **more: object) -> tuple[int, bytes]:
        def resolve(name: str, port: int) -> list[str]:
            del port
            if name not in names:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return names[name]

        tls = TlsSettings(ca_file=more.pop("ca_file", None))  # type: ignore[arg-type]
        transport = HttpTransport(tls, more.pop("environ", {}), resolve=resolve)  # type: ignore[arg-type]
        try:
            response = transport.send(request, home=Origin.of(registry))
            return response.status, response.read(1000, "x")
        finally:
            transport.close()

    @pytest.mark.parametrize(
        "request_",
        [
            Request("GET", "http://auth.example:{port}/v2/"),
            Request("GET", "http://auth.example:{port}/v2/", {"Authorization": "Basic eA=="}),
            Request("POST", "http://auth.example:{port}/v2/", {}, b"grant_type=refresh_token"),
        ],
        ids=["reading", "reading as somebody", "writing"],
    )
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "64:ff9b::7f00:1"])
    def test_a_public_registry_cannot_redirect_to_this_machine_or_its_link(
        self, address: str, request_: Request
    ) -> None:
        """ggcr#2440: names that stand for inner addresses. Defence: urls.reachable, transport._send_away."""
        names = {"registry.example": ["93.184.216.34"], "auth.example": [address]}
        with registry_server() as running:
            port = running.address.rpartition(":")[2]
            url = request_.url.format(port=port)
            request = Request(request_.method, url, request_.headers, request_.body)
            with pytest.raises(UntrustedUrlError, match=r"auth\.example"):
                self.ask("https://registry.example", names, request)
            assert running.seen == []

    def test_a_registry_on_this_machine_may_name_another_server_here(self) -> None:
        names = {"registry.example": ["127.0.0.1"], "auth.example": ["127.0.0.1"]}
        with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (host, got):
            url = f"http://auth.example:{host.rpartition(':')[2]}/token?a=%3A"
            secret = {"Authorization": "Basic eA=="}
            assert self.ask("http://registry.example", names, Request("GET", url, secret)) == (200, b"ok")
            head = got[0].decode()
            assert head.startswith("GET /token?a=%3A HTTP/1.1\r\n")
            assert f"host: auth.example:{host.rpartition(':')[2]}\r\n" in head.lower()

    def test_the_certificate_is_still_that_of_the_name(self, tmp_path: Path, authority: Authority) -> None:
        issued = authority.issue("named", "auth.example")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate_file, issued.key_file)
        names = {"registry.example": ["127.0.0.1"], "auth.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
        with registry_server(tls=context) as running:
            port = running.address.rpartition(":")[2]
            for host in ("auth.example", "other.example"):
                request = Request("GET", f"https://{host}:{port}/v2/")
                if host == "auth.example":
                    found = self.ask("https://registry.example", names, request, ca_file=authority.ca_file)
                    assert found[0] == 200
                else:
                    with pytest.raises(TlsError, match="not trusted"):
                        self.ask("https://registry.example", names, request, ca_file=authority.ca_file)

    def test_the_next_address_is_tried_when_one_does_not_answer(self) -> None:
        with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (host, _):
            port = host.rpartition(":")[2]
            names = {"registry.example": ["127.0.0.1"], "auth.example": ["127.0.0.2", "127.0.0.1"]}
            assert self.ask("http://registry.example", names, Request("GET", f"http://auth.example:{port}/"))[0] == 200

    def test_all_addresses_of_a_name_together_have_two_time_outs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A registry could name a host with hundreds of addresses where nothing answers."""
        time: list[float] = [0.0]
        tried: list[str] = []

        def connect(_: object, host: str, port: int, timeout: float) -> None:
            del port
            tried.append(host)
            time[0] += timeout
            raise TimeoutError("timed out")

        monkeypatch.setattr(Dialer, "open", connect)
        addresses = [f"198.51.100.{number}" for number in range(200)]
        transport = HttpTransport(
            TlsSettings(), {}, connect_timeout=7.0, clock=lambda: time[0], resolve=lambda *_: addresses
        )
        with pytest.raises(TimedOutError):
            transport.send(Request("GET", "http://auth.example/"), home=Origin.of("http://registry.example"))
        transport.close()
        assert time == [14.0]
        assert tried == addresses[:2]

    def test_a_name_is_looked_up_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise it could be unknown when it is looked at, and this machine when it is connected to."""
        asked: list[str] = []

        def resolve(name: str, port: int) -> list[str]:
            del port
            asked.append(name)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        def again(*_: object, **__: object) -> None:
            asked.append("a second time")
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", again)
        transport = HttpTransport(TlsSettings(), {}, resolve=resolve)
        with pytest.raises(ConnectionFailedError):
            transport.send(Request("GET", "http://localtest.example/"), home=Origin.of("http://registry.example"))
        transport.close()
        assert asked[0] == "localtest.example"
        assert "a second time" not in asked

    def test_an_unknown_name_fails_in_the_usual_way(self) -> None:
        request = Request("GET", "https://auth.invalid/")
        with pytest.raises(ConnectionFailedError, match=r"auth\.invalid: cannot connect"):
            self.ask("https://registry.example", {"registry.example": ["93.184.216.34"]}, request)

    def test_a_proxy_looks_names_up_itself(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        with listening(answer) as (proxy, got):
            request = Request("GET", "http://auth.example/x")
            environ = {"http_proxy": f"http://{proxy}"}
            assert self.ask("http://registry.example", {}, request, environ=environ) == (200, b"ok")
            assert got[0].startswith(b"GET http://auth.example/x HTTP/1.1")


class TestLoopback:
    def test_plain_http_is_found_without_a_flag(self, tmp_path: Path) -> None:
        with registry_server() as registry, Connector(options(tmp_path)) as connector:
            connector.ping(registry.address)
            assert connector.origin(registry.address).scheme == "http"

    def test_tls_that_answers_in_words_is_found(self, tmp_path: Path) -> None:
        go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
        with listening(go) as (host, _), Connector(options(tmp_path)) as connector:
            assert connector.origin(host).scheme == "https"

    def test_tls_that_hangs_up_is_found(self, tmp_path: Path, server_context: ssl.SSLContext) -> None:
        with registry_server(tls=server_context) as registry, Connector(options(tmp_path)) as connector:
            assert connector.origin(registry.address).scheme == "https"

    def test_tls_whose_certificate_is_good_is_found(
        self, tmp_path: Path, authority: Authority, server_context: ssl.SSLContext
    ) -> None:
        with registry_server(tls=server_context) as registry:
            settings = options(tmp_path)
            sender = HttpTransport(TlsSettings(ca_file=authority.ca_file), {})
            with Connector(settings, sender) as connector:
                assert connector.origin(registry.address).scheme == "https"

    def test_a_registry_in_trouble_is_not_taken_for_tls(self, tmp_path: Path) -> None:
        with listening(None, None, None) as (host, _), Connector(options(tmp_path)) as connector:
            assert connector.origin(host).scheme == "http"

    def test_another_refusal_is_plain_http(self, tmp_path: Path) -> None:
        refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
        with listening(refusal) as (host, _), Connector(options(tmp_path)) as connector:
            assert connector.origin(host).scheme == "http"

    def test_a_closed_port_is_reported_at_once(self, tmp_path: Path) -> None:
        with closed_port() as port, pytest.raises(ConnectionFailedError, match="refused"):
            Connector(options(tmp_path)).ping(f"127.0.0.1:{port}")

    @pytest.mark.parametrize(
        ("host", "more", "origin"),
        [
            ("registry.example", {}, "https://registry.example"),
            ("registry.example:5000", {"plain_http": True}, "http://registry.example:5000"),
            ("localhost", {"insecure": True}, "https://localhost"),
            ("localhost", {"ca_file": Path("x")}, "https://localhost"),
            ("localhost", {"cert_file": Path("x")}, "https://localhost"),
            ("127.0.0.1:5000", {"plain_http": True, "insecure": True}, "http://127.0.0.1:5000"),
            ("docker.io", {"plain_http": True}, "https://registry-1.docker.io"),
        ],
    )
    def test_nothing_is_asked_where_it_is_clear(
        self, tmp_path: Path, host: str, more: dict[str, object], origin: str
    ) -> None:
        assert str(Connector(options(tmp_path, **more)).origin(host)) == origin


class TestExchanges:
    def test_a_host_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(ConnectionFailedError, match="cannot connect"):
            get("http://does-not-exist.invalid/")

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            b"",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ],
    )
    def test_answers_that_break(self, answer: bytes | None) -> None:
        with listening(answer) as (host, _), pytest.raises(ConnectionLostError):
            get(f"http://{host}/")

    def test_silence_is_not_waited_for_for_ever(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TimedOutError, match="did not answer"):
            get(f"http://127.0.0.1:{listener.getsockname()[1]}/", read_timeout=0.05)

    def test_a_host_without_a_name_server_entry_is_a_matter_of_spelling_or_network(self, tmp_path: Path) -> None:
        with Connector(options(tmp_path)) as connector, pytest.raises(ConnectionFailedError) as caught:
            connector.ping("registry.invalid")
        assert "check the spelling of registry.invalid" in (caught.value.hint or "")

    def test_a_closed_port_of_this_machine_hints_at_serve(self, tmp_path: Path) -> None:
        with (
            closed_port() as port,
            Connector(options(tmp_path, plain_http=True)) as connector,
            pytest.raises(ConnectionFailedError) as caught,
        ):
            connector.ping(f"127.0.0.1:{port}")
        assert caught.value.remedy == Remedy(RemedyKind.START_REGISTRY)

    def test_a_proxy_that_is_not_there_is_named_as_such(self, tmp_path: Path) -> None:
        with closed_port() as port:
            environ = {"HTTPS_PROXY": f"http://user:hidden@127.0.0.1:{port}"}
            with (
                Connector(options(tmp_path, environ=environ)) as connector,
                pytest.raises(ConnectionFailedError) as caught,
            ):
                connector.ping("registry.example")
        assert "cannot connect to the proxy" in caught.value.message
        assert "NO_PROXY" in (caught.value.hint or "")
        assert "hidden" not in f"{caught.value.message} {caught.value.hint}"

    @pytest.mark.parametrize("error", [httpx.ConnectTimeout("x"), httpx.ConnectError("x")])
    def test_every_failure_to_connect_has_a_hint(self, error: httpx.TransportError) -> None:
        found = translated(error, Origin.of("https://10.1.2.3"))
        assert "the network" in (found.hint or "")

    def test_what_is_sent_is_what_was_asked_for(self) -> None:
        with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\nX: b\r\n\r\nok") as (host, got):
            url = f"http://{host}/v2/a?_state=x%3D&digest=sha256%3A1"
            transport = HttpTransport(TlsSettings(), {})
            body = b"12345"
            request = Request("PUT", url, {"Content-Length": "5", "X-A": "b"}, body)
            response = transport.send(request, home=Origin.of(url))
            assert response.headers.all("x") == ["a", "b"]
            assert response.read(10, "x") == b"ok"
            response.drain()
            assert list(response.stream) == []
            transport.close()
        head, _, sent = got[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "PUT /v2/a?_state=x%3D&digest=sha256%3A1 HTTP/1.1"
        assert sent in {body, b""}
        names = [line.partition(":")[0].lower() for line in lines[1:]]
        assert sorted(names) == ["content-length", "host", "x-a"]

    def test_every_error_of_httpx_becomes_one_of_ours(self) -> None:
        origin = Origin("https", "h", 443)
        kinds: list[type[httpx.TransportError]] = [httpx.TransportError]
        for kind in kinds:
            kinds += kind.__subclasses__()
            error = translated(kind("some words"), origin)
            assert isinstance(error, ExchangeError | ResponseError), kind
            assert error.message.startswith("h: ")
        assert isinstance(translated(httpx.InvalidURL("x"), origin), ResponseError)
        assert isinstance(translated(ssl.SSLError(1, "x"), origin), TlsError)
        closed = translated(ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"), origin)
        assert isinstance(closed, TlsError)  # as Python 3.11.2 calls it
        assert (closed.spoken, closed.message) == (False, "h: no TLS connection: unexpected eof while reading")

    def test_an_address_that_httpx_does_not_take(self) -> None:
        with pytest.raises(RegistryError):
            get("http://a..b/")


class TestProxies:
    def test_plain_http_goes_by_the_proxy(self) -> None:
        with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (proxy, got):
            assert get("http://registry.example/v2/", environ={"http_proxy": proxy}) == (200, b"ok")
        assert got[0].startswith(b"GET http://registry.example/v2/ HTTP/1.1")

    def test_https_goes_through_a_tunnel(self) -> None:
        refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
        with listening(refusal) as (proxy, got), pytest.raises(ConnectionFailedError, match="the proxy refuses"):
            get("https://registry.example/v2/", environ={"https_proxy": f"http://u:p@{proxy}"})
        assert got[0].startswith(b"CONNECT registry.example:443 HTTP/1.1")
        assert b"Proxy-Authorization: Basic" in got[0]

    @pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://x", "http://[::1", "http://"])
    def test_what_is_not_a_proxy(self, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "socksio", None)  # the extra `socks` may be installed
        with pytest.raises(ConnectionFailedError) as caught:
            get("http://registry.example/", environ={"http_proxy": proxy})
        assert isinstance(caught.value, ProxySettingError) or proxy == "http://"


def test_httpx_is_imported_with_the_first_request_and_without_its_command_line() -> None:
    script = """
import sys
from pathlib import Path
from typing import Any
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.connect import ConnectOptions, Connector
connector = Connector(ConnectOptions(environ={}, home=Path("/nonexistent"), sleep=lambda _: None))
repository = connector.repository(Reference.parse("127.0.0.1:1/a/b"))
for name in ("httpx", "cryptography", "rich", "subprocess", "email"):
    assert name not in sys.modules, name
try:
    repository.resolve("v1")
except Exception as error:
    assert "refused" in str(error), error
assert "httpx" in sys.modules
for name in ("cryptography", "rich", "click", "httpx._main"):
    assert name not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_a_reference_opens_a_repository(tmp_path: Path) -> None:
    repository = Connector(options(tmp_path)).repository(Reference.parse("registry.example/a/b:v1"))
    assert (repository.host, repository.name, str(repository)) == ("registry.example", "a/b", "registry.example/a/b")


def test_a_thread_that_needs_httpx_while_another_imports_it_gets_it_whole() -> None:
    """A push of 65 MiB over TLS ended in an internal error: its second thread got half of the module."""
    script = """
import sys, threading
from wasm2oci.registry import transport
assert "httpx" not in sys.modules
settled, got = threading.Event(), []

class Watched:  # the lock, which tells that the second thread waits for it
    lock = threading.Lock()
    def __enter__(self):
        if self.lock.locked():
            settled.set()
        self.lock.acquire()
    def __exit__(self, *_):
        self.lock.release()

def work():
    module = transport.import_httpx()
    got.append([hasattr(module, name) for name in ("HTTPTransport", "Request", "URL", "InvalidURL", "TransportError")])
    settled.set()

class Finder:  # in the middle of the import the second thread asks for httpx
    def find_spec(self, name, path=None, target=None):
        if name == "httpx._models":
            assert "httpx" in sys.modules
            second.start()
            settled.wait()

transport._importing, second = Watched(), threading.Thread(target=work)
sys.meta_path.insert(0, Finder())
work()
second.join()
assert got == [[True] * 5] * 2, got
assert "httpx._main" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_an_import_of_httpx_by_other_code_keeps_its_command_line() -> None:
    script = """
import sys
import httpx
main = sys.modules["httpx._main"]
from wasm2oci.registry.transport import import_httpx
assert import_httpx() is httpx
assert sys.modules["httpx._main"] is main is not None
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


@contextmanager
def dripping(
    first: bytes,
    piece: bytes,
    pause: float = 0.0,
    tls: ssl.SSLContext | None = None,
    turns: threading.Semaphore | None = None,
) -> Iterator[str]:
    """A server that answers with a piece after each pause, and for each turn, until the client has enough."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.settimeout(60)
            with connection if tls is None else tls.wrap_socket(connection, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(first)
                while not over.wait(pause):
                    if turns is None or turns.acquire(timeout=0.05):
                        connection.sendall(piece)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(60)


OK = b"HTTP/1.1 200 OK\r\n"
ENDED = (TimedOutError, ResponseError)
"""What ends a head that takes too long: the last piece may come just before the time is over, or not."""
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "piece", "pause", "error"),
    [
        (b"", HINTS * 1000, 0.0, ResponseError),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.0, ResponseError),
        (b"", HINTS, 0.05, ENDED),
        (OK + b"X: ", b"a", 0.05, ENDED),
        (OK, b"X: a\r\n" * 1000, 0.0, ExchangeError),
        (b"", b"a", 0.05, ENDED),
        (b"", b"\r\n", 0.05, ExchangeError),
    ],
)
def test_a_head_without_end_ends(first: bytes, piece: bytes, pause: float, error: Any) -> None:
    """A header at a byte a second, or `103 Early Hints` again and again, was read for ever."""
    with dripping(first, piece, pause) as address:
        transport = HttpTransport(TlsSettings(), {}, read_timeout=0.2)
        origin = Origin.at("http", address)
        with pytest.raises(error) as raised:
            transport.send(Request("GET", f"http://{address}/v2/"), home=origin)
        assert isinstance(raised.value, RegistryError)
        transport.close()


def test_a_head_without_end_through_a_proxy_ends() -> None:
    with dripping(b"", HINTS, 0.05) as address:
        transport = HttpTransport(TlsSettings(), {"HTTP_PROXY": f"http://{address}"}, read_timeout=0.2)
        with pytest.raises(ENDED):
            transport.send(Request("GET", "http://registry.example/v2/"), home=Origin("http", "registry.example", 80))
        transport.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_head_without_end_through_a_proxy_with_tls_ends(
    scheme: str, authority: Authority, server_context: ssl.SSLContext
) -> None:
    """Also the answer of the proxy itself, when a tunnel is asked for."""
    with dripping(b"", HINTS, 0.05, server_context) as address:
        settings = TlsSettings(ca_file=authority.ca_file)
        transport = HttpTransport(settings, {f"{scheme}_proxy": f"https://{address}"}, read_timeout=0.2)
        origin = Origin.at(scheme, "registry.example")
        with pytest.raises(ENDED):
            transport.send(Request("GET", f"{scheme}://registry.example/v2/"), home=origin)
        transport.close()


@pytest.mark.parametrize("within", [None, 30.0])
def test_a_body_that_drips_ends(within: float | None) -> None:
    now, looks = 0.0, threading.Semaphore(0)  # a piece for each look: so no two are received as one

    def clock() -> float:
        nonlocal now
        now += 10.0  # each look, so each piece takes 10 s
        looks.release()
        return now

    with dripping(OK + b"Content-Length: 100000\r\n\r\n", b"aa", turns=looks) as address:
        transport = HttpTransport(TlsSettings(), {}, read_timeout=60, clock=clock)
        origin = Origin.at("http", address)
        response = transport.send(Request("GET", f"http://{address}/v2/", within=within), home=origin)
        with pytest.raises(TimedOutError, match="too slowly"):
            list(response.stream)
        response.close()
        transport.close()
    # 1 KiB/s, after the 60 s that one piece may take; or what all of it may take.
    assert now < (400 if within is None else 200)


CHUNKED: Final = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"0"),
        (b"5;", b"a"),
        (b'5;a="', b"\\"),
        (b"1;x=y\r\na\r\n5;", b"a"),
        (b"2\r\nab\r\n0\r\n", b"x: y\r\n"),
        (b"2\r\nab\r\n0\r\nX: ", b"a"),
    ],
)
def test_what_is_between_the_pieces_of_a_body_ends(first: bytes, piece: bytes) -> None:
    """A size of a chunk, its extension or a trailer at a byte a second was read for weeks."""
    with dripping(CHUNKED + first, piece, 0.05) as address:
        transport = HttpTransport(TlsSettings(), {}, read_timeout=0.2)
        origin = Origin.at("http", address)
        response = transport.send(Request("GET", f"http://{address}/v2/"), home=origin)
        with pytest.raises(ExchangeError):
            list(response.stream)
        response.close()
        transport.close()


class Relayed:
    """A body that is read from another answer while it is sent."""

    def __init__(self, transport: HttpTransport, registry: RunningRegistry, size: int) -> None:
        self._transport = transport
        self._origin = Origin.of(registry.url)
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        request = Request("GET", f"{self._origin}/long")
        with contextlib.closing(self._transport.send(request, home=self._origin)) as answer:
            yield from answer.stream


@pytest.mark.parametrize("size", [3 << 20, 9 << 20], ids=["by-the-library", "past-it"])
def test_a_head_without_end_ends_after_a_body_that_was_read_meanwhile(size: int) -> None:
    """Another request on the same thread took the bounds of this one's head away: it was read for ever."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while stream.readline() != b"\r\n":
                pass
            stream.read(size)
            for _ in range(100):  # five times what a head may have
                connection.sendall(HINTS * 1000)
            over.wait(60)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def long(handle: Handle) -> Handle:
        return lambda request: Reply(200, (), BytesBody(bytes(size))) if request.target == "/long" else handle(request)

    with registry_server(wrap=long) as registry:
        transport = HttpTransport(TlsSettings(), {})
        origin = Origin.at("http", f"127.0.0.1:{listener.getsockname()[1]}")
        body = Relayed(transport, registry, size)
        with pytest.raises(ResponseError, match="head of an answer: more than 1,048,576 bytes"):
            transport.send(Request("PUT", f"{origin}/x", {"Content-Length": str(size)}, body), home=origin)
        transport.close()
    over.set()
    thread.join(60)
    listener.close()


class OneByOne:
    """A body that is sent in a hundred pieces."""

    size = 100

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"a"] * self.size)


def test_a_registry_that_takes_an_upload_a_byte_at_a_time_is_given_up() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 10.0  # each look, so each piece takes 10 s
        return now

    with registry_server() as registry:
        transport = HttpTransport(TlsSettings(), {}, read_timeout=60, clock=clock)
        origin = Origin.at("http", registry.address)
        headers = {"Content-Length": str(OneByOne.size)}
        request = Request("POST", f"{registry.url}/v2/a/blobs/uploads/", headers, OneByOne())
        with pytest.raises(TimedOutError, match="too slowly"):
            transport.send(request, home=origin)
        transport.close()
    assert now < 300


def test_a_reader_that_takes_its_time_is_not_a_slow_registry() -> None:
    now = 0.0
    with registry_server() as registry:
        transport = HttpTransport(TlsSettings(), {}, clock=lambda: now)
        origin = Origin.at("http", registry.address)
        response = transport.send(Request("GET", f"{registry.url}/v2/", within=10.0), home=origin)
        for _ in response.stream:
            now += 1e6
        transport.close()
