"""What people report of registries in the field, tried by the command line in processes of its own, over TLS.

Each process knows only the internet of its test (`tests.support.internet`), so that registries have their own names,
addresses and ports there, and answer as the real ones were reported to. What status and headers decide is tried
without processes in `tests/unit/registry/test_reports.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import make_authority
from tests.support.internet import HANG_UP, Internet, Raw
from tests.support.network import Answer, fresh_core, token_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.network import Sent

WASM = b"\0asm\1\0\0\0"


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with Internet(tmp_path) as internet:
        (tmp_path / "m.wasm").write_bytes(WASM)
        yield internet


def assert_round_trip(internet: Internet, reference: str, **variables: str) -> str:
    """Push and pull; what the pull said."""
    pushed = internet.run("push", "m.wasm", reference, **variables)
    assert pushed.returncode == 0, pushed.stderr
    return assert_pulled(internet, reference, **variables)


def assert_pulled(internet: Internet, reference: str, **variables: str) -> str:
    pulled = internet.run("pull", reference, "-o", "pulled.wasm", **variables)
    assert pulled.returncode == 0, pulled.stderr
    assert (internet.folder / "pulled.wasm").read_bytes() == WASM
    return pulled.stderr


def with_tokens(inner: Callable[[Sent], Answer], realm: str, token: str = "t0ken") -> Callable[[Sent], Answer]:
    """A registry that wants this token."""

    def answer(sent: Sent) -> Answer:
        if sent.headers.get("authorization") != f"Bearer {token}":
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})
        return inner(sent)

    return answer


class TestAmbientCredentials:
    """C3 (vscode-remote-release#7830, cosign#2489): GITHUB_TOKEN in the environment and a public image of ghcr.io."""

    @staticmethod
    def ghcr(internet: Internet, refused_at: str) -> None:
        registry = with_tokens(fresh_core(), "https://ghcr.io/token", "public")

        def answer(sent: Sent) -> Answer:
            credentials = sent.headers.get("authorization", "")
            if sent.path == "/token" and credentials.startswith("Basic"):
                return Answer(403, {}, b"{}") if refused_at == "token" else token_answer("useless")
            if sent.path == "/token":
                return token_answer("public")
            if credentials == "Bearer useless":
                return Answer(403, {}, b'{"errors":[{"code":"DENIED","message":"denied"}]}')
            return registry(sent)

        internet.host("https://ghcr.io", answer)

    @pytest.mark.parametrize("refused_at", ["token", "registry"])
    def test_what_is_public_is_read_without(self, internet: Internet, refused_at: str) -> None:
        self.ghcr(internet, refused_at)
        assert internet.run("push", "m.wasm", "ghcr.io/me/app:v1").returncode == 0
        said = assert_pulled(internet, "ghcr.io/me/app:v1", GITHUB_TOKEN="expired", GITHUB_ACTOR="me")
        assert "refuses the credentials from GITHUB_TOKEN; reading without credentials" in said
        written = internet.run("push", "m.wasm", "ghcr.io/me/app:v2", GITHUB_TOKEN="expired", GITHUB_ACTOR="me")
        assert written.returncode == 5


class TestFoldersOfAuthorities:
    """C11 (ggcr#1246): SSL_CERT_DIR names folders of PEM files that no `c_rehash` has seen."""

    def test_every_certificate_of_every_file_is_read(self, internet: Internet) -> None:
        internet.host("https://registry.corp:5000", fresh_core())
        own = internet.authority.ca_file.read_bytes()
        other = make_authority(internet.folder / "other", "another authority").ca_file.read_bytes()
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        first, second = internet.folder / "first", internet.folder / "second"
        for folder in (first, second):
            (folder / "a folder").mkdir(parents=True)
        (first / "other.crt").write_bytes(other)
        (second / "bundle.pem").write_bytes(b"text\n" + broken + other + own.replace(b"\n", b"\r\n"))
        (second / "nowhere.pem").symlink_to(internet.folder / "nowhere")
        folders = os.pathsep.join(map(str, (internet.folder / "absent", first, second)))
        assert_round_trip(internet, "registry.corp:5000/a:v1", SSL_CERT_FILE="", SSL_CERT_DIR=folders)
        assert_pulled(internet, "registry.corp:5000/a:v1", SSL_CERT_FILE=str(second / "bundle.pem"))
        refused = internet.run("tags", "registry.corp:5000/a", SSL_CERT_FILE="", SSL_CERT_DIR=str(first))
        assert (refused.returncode, "not trusted" in refused.stderr) == (7, True)


class TestLiteralAddresses:
    """C12 (oras-go#1246, harbor#23050): a registry of the own network names its parts by their addresses."""

    @pytest.mark.parametrize(
        ("address", "realm"),
        [
            ("10.0.0.5", "https://10.0.0.5/service/token"),
            ("10.0.0.5", "https://192.168.7.1:8443/token"),
            ("fd12::5", "https://[fd12::9]:8443/token?more=1"),
        ],
    )
    def test_a_token_server(self, internet: Internet, address: str, realm: str) -> None:
        internet.name("harbor.corp", address)
        internet.host("https://harbor.corp", with_tokens(fresh_core(), realm))
        internet.host(realm.partition("/service")[0].partition("/token")[0], lambda _: token_answer())
        assert_round_trip(internet, "harbor.corp/a/b:v1")

    def test_a_storage_gets_no_credentials(self, internet: Internet) -> None:
        internet.name("harbor.corp", "10.0.0.5")
        inner = fresh_core()
        registry = with_tokens(inner, "https://10.0.0.5/token")

        def answer(sent: Sent) -> Answer:
            found = registry(sent)
            if sent.method == "GET" and "/blobs/" in sent.path and found.status == 200:
                return Answer(307, {"Location": f"https://10.0.0.9:9000{sent.path}?signature=1"})
            return found

        internet.host("https://harbor.corp", answer)
        internet.host("https://10.0.0.5", lambda _: token_answer())
        internet.host("https://10.0.0.9:9000", inner)
        assert_round_trip(internet, "harbor.corp/a/b:v1")
        assert all("authorization" not in sent.headers for sent in internet.at("https://10.0.0.9:9000"))

    @pytest.mark.parametrize("realm", ["https://10.0.0.5/token", "https://127.0.0.1/token"])
    def test_a_public_registry_leads_nobody_inwards(self, internet: Internet, realm: str) -> None:
        internet.host("https://registry.example", with_tokens(fresh_core(), realm))
        internet.host(realm.removesuffix("/token"), lambda _: token_answer())
        refused = internet.run("pull", "registry.example/a:v1")
        assert (refused.returncode, "their own network" in refused.stderr) == (7, True)
        assert internet.at(realm.removesuffix("/token")) == []


def test_a_registry_behind_a_proxy_that_ends_tls(internet: Internet) -> None:
    """C13: it names its token server, uploads, pages and redirects with http, and without its port."""
    inner = fresh_core()
    registry = with_tokens(inner, "http://registry.corp/service/token")

    def answer(sent: Sent) -> Answer:
        if sent.path == "/service/token":
            return token_answer()
        if sent.method == "GET" and "/manifests/" in sent.path and not urlsplit(sent.url).query:
            return Answer(308, {"Location": f"http://registry.corp{sent.path}?again=1"})
        found = registry(sent)
        location = dict(found.pairs()).get("Location")
        return found if location is None else found.changed("location", location=f"http://registry.corp:80{location}")

    internet.host("https://registry.corp:8443", answer)
    assert_round_trip(internet, "registry.corp:8443/a/b:v1")
    assert {sent.origin for sent in internet.sent} == {"https://registry.corp:8443"}


@pytest.mark.parametrize("end", ["", "/v2"])
def test_a_mirror_below_a_path_of_its_host(internet: Internet, end: str) -> None:
    """Artifactory tells repositories of its own apart by the path, as containerd's `hosts.toml` may name it."""
    inner, path = fresh_core(), "/artifactory/api/docker/remote"

    def below(sent: Sent) -> Answer:
        return inner(replace(sent, url=sent.url.replace(path, "", 1))) if sent.path.startswith(path) else Answer(404)

    internet.host("https://plain.corp", inner)
    internet.host("https://mirror.corp:8443", with_tokens(below, "https://tokens.corp/token"))
    internet.host("https://tokens.corp", lambda _: token_answer())
    folder = internet.folder / "home/.config/containerd/certs.d/docker.io"
    folder.mkdir(parents=True)
    (folder / "hosts.toml").write_text(f'[host."https://mirror.corp:8443{path}{end}"]\n')
    pushed = internet.run("push", "m.wasm", "plain.corp/me/app:v1")
    assert pushed.returncode == 0, pushed.stderr
    assert_pulled(internet, "docker.io/me/app:v1")
    assert {sent.path.partition("/v2/")[0] for sent in internet.at("https://mirror.corp:8443")} == {path}


MIRROR = '[[registry]]\nlocation = "plain.corp"\n[[registry.mirror]]\nlocation = "mirror.corp"\n'


def with_mirror(internet: Internet, mirror: Callable[[Sent], Answer | Raw]) -> Path:
    """A registry that has an artifact, and a mirror of it; the folder of `registries.conf`."""
    internet.host("https://plain.corp", fresh_core())
    internet.host("https://mirror.corp", mirror)
    pushed = internet.run("push", "m.wasm", "plain.corp/me/app:v1", WASM2OCI_CACHE="off")
    assert pushed.returncode == 0, pushed.stderr
    folder = internet.folder / "home/.config/containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").write_text(MIRROR)
    return folder


@pytest.mark.parametrize("kind", ["malformed", "folder", "leads nowhere", "loop", "pipe", "certificate without a key"])
def test_a_mirror_whose_certificate_files_cannot_be_used_is_passed_over(internet: Internet, kind: str) -> None:
    """As skopeo does: the next mirror is asked, or the registry itself; the warning names the file."""
    folder = with_mirror(internet, lambda _: Answer(404)) / "certs.d/mirror.corp"
    folder.mkdir(parents=True)
    name = "client.cert" if kind == "certificate without a key" else "ca.crt"
    if kind == "folder":
        (folder / name).mkdir()
    elif kind == "pipe":
        os.mkfifo(folder / name)
    elif kind in {"leads nowhere", "loop"}:
        (folder / name).symlink_to(name if kind == "loop" else "/nowhere/at/all")
    else:
        (folder / name).write_text("no certificate")
    said = assert_pulled(internet, "plain.corp/me/app:v1", WASM2OCI_CACHE="off")
    assert "warning: the mirror mirror.corp/me/app is passed over: " in said
    assert str(folder / name) in said
    direct = internet.run("pull", "mirror.corp/me/app:v1")
    assert direct.returncode in {3, 9}, direct.stderr


def test_a_silent_mirror_is_waited_for_once(internet: Internet) -> None:
    """It held every pull up for five times `--timeout`."""
    over = threading.Event()

    def silent(_: Sent) -> Answer:
        over.wait()
        return Answer(404)

    with_mirror(internet, silent)
    try:
        said = assert_pulled(internet, "plain.corp/me/app:v1", WASM2OCI_TIMEOUT="1", WASM2OCI_CACHE="off")
    finally:
        over.set()
    assert "the mirror mirror.corp/me/app is passed over: mirror.corp: the server did not answer in time" in said
    assert len(internet.at("https://mirror.corp")) == 1


@pytest.mark.parametrize("where", ["/blobs/", "/manifests/"])
def test_a_mirror_that_answers_with_a_web_page_is_passed_over(internet: Internet, where: str) -> None:
    inner = fresh_core()

    def answer(sent: Sent) -> Answer:
        if where in sent.path and sent.method == "GET" and asked:
            return Answer(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><title>Sign in</title>" + bytes(99))
        return inner(sent)

    asked: list[str] = []
    with_mirror(internet, answer)
    pushed = internet.run("push", "m.wasm", "mirror.corp/me/app:v1", WASM2OCI_CACHE="off")
    assert pushed.returncode == 0, pushed.stderr
    asked.append(where)
    said = assert_pulled(internet, "plain.corp/me/app:v1", WASM2OCI_CACHE="off")
    assert "the mirror mirror.corp/me/app is passed over: mirror.corp answers with a web page, not with" in said


def test_links_without_brackets(internet: Internet) -> None:
    """zot 1.4 writes them so; the listing ended after its first page."""

    def answer(sent: Sent) -> Answer:
        last = sent.query.get("last", ["v0"])[0]
        following = f"v{int(last[1:]) + 1}"
        link = {"Link": f'/v2/me/app/tags/list?n=1&last={following}; rel="next"'} if following != "v3" else {}
        return Answer(200, {"Content-Type": "application/json", **link}, f'{{"tags": ["{following}"]}}'.encode())

    internet.host("https://zot.corp", answer)
    listed = internet.run("tags", "zot.corp/me/app")
    assert (listed.returncode, listed.stdout.split()) == (0, ["v1", "v2", "v3"]), listed.stderr


def test_the_certificate_of_an_address_that_the_registry_named(internet: Internet) -> None:
    """C8: it is not the spelling of the registry that is wrong."""
    core = fresh_core()
    internet.host("https://storage.example", core, certificate_for="another.example")
    internet.host(
        "https://registry.example",
        lambda sent: Answer(202, {"Location": "https://storage.example/up"}) if sent.method == "POST" else core(sent),
    )
    refused = internet.run("push", "m.wasm", "registry.example/a:v1")
    assert refused.returncode == 7
    assert "registry.example sends its clients to https://storage.example" in refused.stderr
    assert "spelling" not in refused.stderr


@pytest.mark.parametrize("kind", ["1.0", "chunked", "until the end", "kept and closed"])
def test_ways_to_end_an_answer(internet: Internet, kind: str) -> None:
    """HTTP/1.0, chunks with extensions and trailers, no length at all, and a server that drops kept connections."""
    inner = fresh_core()

    def answer(sent: Sent) -> Answer | Raw:
        found = inner(sent)
        assert isinstance(found.body, bytes)
        head = sent.method == "HEAD"
        fields = [f"{name}: {value}" for name, value in found.pairs() if head or name.lower() != "content-length"]
        body, version = b"" if head else found.body, "1.0" if kind == "1.0" else "1.1"
        if kind == "chunked" and not head:
            fields.append("Transfer-Encoding: chunked")
            body = (b"%x;a=b\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\nX-After: 1\r\n\r\n"
        elif kind == "until the end":
            fields.append("Connection: close")
        elif kind == "kept and closed" and not head:
            fields.append(f"Content-Length: {len(body)}")
        lines = "\r\n".join([f"HTTP/{version} {found.status} X", *fields, "", ""])
        return Raw(lines.encode("latin-1") + body, kept=kind == "chunked")

    internet.host("https://registry.example", answer)
    assert_round_trip(internet, "registry.example/a:v1")


@pytest.mark.parametrize("failure", [Answer(503, {"Retry-After": "0"}), Answer(429, {"Retry-After": "0"}), HANG_UP])
def test_what_fails_once(internet: Internet, failure: Answer | Raw) -> None:
    """Each kind of request fails the first time it is sent."""
    inner, failed = fresh_core(), set()

    def answer(sent: Sent) -> Answer | Raw:
        kind = sent.method, sent.path.split("/")[4:5], "digest" in sent.query
        if str(kind) not in failed:
            failed.add(str(kind))
            return failure
        return inner(sent)

    internet.host("https://registry.example", answer)
    assert_round_trip(internet, "registry.example/a:v1")
    assert len(failed) > 4


def test_a_mount_that_breaks_means_that_the_bytes_flow(internet: Internet) -> None:
    inner = fresh_core()

    def answer(sent: Sent) -> Answer | Raw:
        if "mount" in sent.query:
            return HANG_UP
        return inner(sent)

    internet.host("https://registry.example", answer)
    assert_round_trip(internet, "registry.example/a:v1")
    copied = internet.run("copy", "registry.example/a:v1", "registry.example/b:v1")
    assert copied.returncode == 0, copied.stderr
    assert any("mount" in sent.query for sent in internet.sent)
    assert_pulled(internet, "registry.example/b:v1")


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("push m.wasm registry.example/b:v1", "/blobs/uploads/"),
        ("copy registry.example/a:v1 oci-layout:there:v1", "/blobs/"),
        ("inspect registry.example/a:v1", "/manifests/sha256-"),
        ("tree registry.example/a:v1", "/referrers/"),
    ],
)
def test_an_interrupt_while_a_registry_is_silent(internet: Internet, command: str, where: str) -> None:
    """U10: every thread waits for it; the command was held for as long as it would have waited."""
    inner, over, asked, pushed = fresh_core(), threading.Event(), threading.Semaphore(0), threading.Event()

    def answer(sent: Sent) -> Answer:
        if pushed.is_set() and where in sent.path:
            asked.release()
            over.wait()
        return inner(sent)

    internet.host("https://registry.example", answer)
    done = internet.run("push", "m.wasm", "registry.example/a:v1")
    assert done.returncode == 0, done.stderr
    pushed.set()
    line = [sys.executable, "-m", "wasm2oci", *command.split()]
    with subprocess.Popen(line, cwd=internet.folder, env=internet.environ(), stderr=subprocess.PIPE) as process:
        try:
            asked.acquire()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        finally:
            over.set()
            process.kill()
    assert process.returncode == -signal.SIGINT
