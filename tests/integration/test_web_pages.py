"""Web pages where an answer of a registry should be: sign-in pages of networks and gateways, proxies, wrong hosts.

Tried by the command line in processes of its own, over TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.internet import Internet, Raw
from tests.support.network import Answer, fresh_core, token_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.network import Sent

WASM = b"\0asm\1\0\0\0"
BLOB = "sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"
REGISTRY = "https://registry.example"
PAGE = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>"
LONG = b"<html>" + b" " * 4000 + b"</html>"

PLACES: dict[str, Callable[[Sent], bool]] = {
    "blob": lambda sent: sent.method == "GET" and "/blobs/" in sent.path,
    "manifest": lambda sent: sent.method in {"GET", "HEAD"} and "/manifests/" in sent.path,
    "tags": lambda sent: sent.path.endswith("/tags/list"),
    "catalog": lambda sent: sent.path.endswith("/_catalog"),
    "token": lambda sent: sent.path == "/token",
    "upload": lambda sent: "/uploads/" in sent.path,
    "bytes": lambda sent: sent.method in {"PUT", "PATCH"} and "/uploads/" in sent.path,
    "put": lambda sent: sent.method == "PUT" and "/manifests/" in sent.path,
    "delete": lambda sent: sent.method == "DELETE",
    "everything": lambda _: True,
}
COMMANDS = [
    ("blob", "pull registry.example/a:v1", "not with the blob 93a44bbb96c7"),
    ("blob", "verify registry.example/a:v1", "not with the blob 076cea0c5c71"),
    ("blob", f"blob get registry.example/a@{BLOB} -o x", "not with the blob 93a44bbb96c7"),
    ("blob", "copy registry.example/a:v1 oci-layout:there:v1", "not with the blob"),
    ("manifest", "pull registry.example/a:v1", "not with a manifest"),
    ("manifest", "resolve registry.example/a:v1", "not with a manifest"),
    ("manifest", "inspect registry.example/a:v1", "not with a manifest"),
    ("tags", "tags registry.example/a", "not with tags"),
    ("catalog", "repos registry.example", "not with repositories"),
    ("token", "pull registry.example/a:v1", "the token server registry.example answered with a web page"),
    ("upload", "push large.wasm registry.example/b:v1", "not as a registry"),
    ("bytes", "push large.wasm registry.example/b:v1", "not as a registry"),
    ("put", "push m.wasm registry.example/b:v1", "not as a registry"),
    ("delete", "delete registry.example/a:v1 -y", "not as a registry"),
    ("everything", "push m.wasm registry.example/b:v1", "not as a registry"),
    ("everything", "login registry.example -u me -p secret", "not as a registry"),
]


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with Internet(tmp_path) as internet:
        (tmp_path / "m.wasm").write_bytes(WASM)
        (tmp_path / "large.wasm").write_bytes(WASM + b"\0\x82\x80\x10\1x" + bytes(256 * 1024))
        yield internet


def chunked(answer: Answer) -> Raw:
    assert isinstance(answer.body, bytes)
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.pairs())
    head = f"HTTP/1.1 {answer.status} X\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"
    return Raw(head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(answer.body), answer.body), kept=True)


def seed(internet: Internet, place: str, page: Callable[[Sent], Answer | Raw]) -> None:
    """A registry that has an artifact, and answers with a page in one place from then on."""
    inner, pushed, taken = fresh_core(), False, PLACES[place]

    def answer(sent: Sent) -> Answer | Raw:
        if pushed and taken(sent):
            return page(sent)
        if place == "token" and sent.path == "/token":
            return token_answer()
        if place == "token" and "authorization" not in sent.headers:
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{REGISTRY}/token",service="s"'})
        return inner(sent)

    internet.host(REGISTRY, answer)
    done = internet.run("push", "m.wasm", "registry.example/a:v1", WASM2OCI_CACHE="off")
    assert done.returncode == 0, done.stderr
    pushed = True


@pytest.mark.parametrize(
    ("place", "command", "said", "kind"),
    [
        *((*row, "page") for row in COMMANDS),
        *((*COMMANDS[number], kind) for number in (0, 4, 7, 9, 12) for kind in ("in chunks", "of no type")),
    ],
)
def test_a_page_with_status_200_is_called_one(
    internet: Internet, place: str, command: str, said: str, kind: str
) -> None:
    def page(sent: Sent) -> Answer | Raw:
        if kind == "of no type":
            return Answer(200, {}, LONG)
        found = Answer(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
        return chunked(found) if kind == "in chunks" and sent.method != "HEAD" else found

    seed(internet, place, page)
    done = internet.run(*command.split(), WASM2OCI_CACHE="off")
    assert done.returncode == 7, done.stderr
    assert "web page" in done.stderr
    assert said in done.stderr
    assert "hint: check the registry's host, and whether this network or a proxy asks you to sign in" in done.stderr
    assert not (internet.folder / "a.wasm").exists()
    waits = [line for line in done.stderr.splitlines() if line.startswith("waiting")]
    assert waits == []


@pytest.mark.parametrize(
    ("place", "command", "said"), [row for row in COMMANDS if row[0] in {"blob", "manifest", "tags"}]
)
def test_a_redirect_to_a_sign_in_page_names_whose_it_is(
    internet: Internet, place: str, command: str, said: str
) -> None:
    internet.host("https://login.example", lambda _: Answer(200, {"Content-Type": "text/html"}, PAGE))
    seed(internet, place, lambda _: Answer(302, {"Location": "https://login.example/?to=registry"}))
    done = internet.run(*command.split(), WASM2OCI_CACHE="off")
    assert done.returncode == 7, done.stderr
    assert f"registry.example leads to login.example, which answers with a web page, {said}" in done.stderr


def test_an_upload_that_leads_to_a_page_stores_nothing(internet: Internet) -> None:
    """A `Location` at another host, whose answer to the bytes is a page with status 200."""
    internet.host("https://upload.example", lambda _: Answer(200, {"Content-Type": "text/html"}, PAGE))
    seed(internet, "upload", lambda _: Answer(202, {"Location": "https://upload.example/u?state=1"}))
    done = internet.run("push", "large.wasm", "registry.example/b:v1")
    assert done.returncode == 7, done.stderr
    assert "registry.example leads to upload.example, which answers with a web page" in done.stderr


@pytest.mark.parametrize("body", [b"true", b"{}", b"", b"OK"])
def test_what_quay_says_as_text_html_is_no_page(internet: Internet, body: bytes) -> None:
    """Flask, with which Quay is made, sends `text/html` unless the program names another type."""
    inner = fresh_core()

    def answer(sent: Sent) -> Answer:
        found = inner(sent)
        if sent.method == "GET" and sent.path != "/v2/":
            return found if sent.path.endswith("/list") else found.changed("content-type", content_type="text/html")
        said = body if sent.method != "GET" or body != b"OK" else b"true"
        kept = found.changed("content-length", "content-type", content_type="text/html; charset=utf-8")
        return found if sent.method == "HEAD" else Answer(found.status, kept.headers, said)

    internet.host(REGISTRY, answer)
    for command in (
        "login registry.example -u me -p secret",
        "push large.wasm registry.example/a:v1",
        "pull registry.example/a:v1 -o pulled.wasm",
        "delete registry.example/a:v1 -y",
    ):
        done = internet.run(*command.split(), WASM2OCI_CACHE="off")
        assert done.returncode == 0, done.stderr


def test_another_kind_of_answer_is_called_by_its_type(internet: Internet) -> None:
    body = b'{"login": "https://login.example"}'
    seed(internet, "blob", lambda _: Answer(200, {"Content-Type": "application/problem+json"}, body))
    done = internet.run("pull", "registry.example/a:v1", WASM2OCI_CACHE="off")
    assert done.returncode == 6, done.stderr
    assert f"{BLOB} has 34 bytes of application/problem+json in the registry, not 8" in done.stderr


@pytest.mark.parametrize(
    ("place", "command", "body", "said"),
    [
        ("tags", "tags registry.example/a", b'{"errors":[]}', "something that is not a list of tags"),
        ("tags", "tags registry.example/a", b" ", "an empty page of tags"),
        ("catalog", "repos registry.example", b'{"message":"x"}', "something that is not a list of repositories"),
        ("manifest", "resolve registry.example/a:v1", b'{"login":"x"}', "not a manifest: it has no schemaVersion"),
    ],
)
def test_other_json_is_neither_a_listing_nor_a_manifest(
    internet: Internet, place: str, command: str, body: bytes, said: str
) -> None:
    seed(internet, place, lambda _: Answer(200, {"Content-Type": "application/json"}, body))
    done = internet.run(*command.split(), WASM2OCI_CACHE="off")
    assert done.returncode in {3, 7}, done.stderr
    assert said in done.stderr
