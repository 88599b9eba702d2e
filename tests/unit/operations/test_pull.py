"""What `pull` and `copy` do not do unasked: replace files, hand out what is not verified, send a password twice."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.support.artifacts import WASM
from tests.support.registry_server import registry_server
from wasm2oci.server.access import BasicAccess
from wasm2oci.server.messages import BytesBody, Response
from wasm2oci.server.passwords import OneUser

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.registry_server import Handle, RunningRegistry
    from wasm2oci.server.messages import Request

OTHER = WASM + b"\0\2\1x"


def push(registry: RunningRegistry, content: bytes, folder: Path, tag: str = "v1") -> str:
    path = folder / "pushed" / "hello.wasm"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    reference = f"{registry.address}/hello:{tag}"
    assert invoke("push", "-q", path, reference).code == 0
    return reference


def test_a_name_that_the_artifact_chose_replaces_only_the_same_module(tmp_path: Path) -> None:
    """`pull` without -o replaced another module in the folder, silently, by a name that the registry chose."""
    out = tmp_path / "out"
    out.mkdir()
    with registry_server() as registry:
        first, second = push(registry, WASM, tmp_path), push(registry, OTHER, tmp_path, "v2")
        for _ in range(2):
            assert invoke("pull", first, cwd=out).code == 0
        refused = invoke("pull", second, cwd=out)
        assert refused.code == 9
        assert "hello.wasm already exists and is not this module" in refused.stderr
        assert "-o FILE" in refused.stderr
        assert (out / "hello.wasm").read_bytes() == WASM
        assert invoke("pull", "--force", second, cwd=out).code == 0
        assert (out / "hello.wasm").read_bytes() == OTHER
        assert invoke("pull", "-o", "hello.wasm", first, cwd=out).code == 0
        assert (out / "hello.wasm").read_bytes() == WASM
        (out / "hello.wasm").write_bytes(b"")
        assert invoke("pull", first, cwd=out).code == 9


@pytest.mark.parametrize("there", ["", "new", "new/kept.txt"])
def test_a_pull_that_fails_leaves_no_new_folder(tmp_path: Path, there: str) -> None:
    """Folders that were there, or in which there is something now, stay."""

    def wrap(inner: Handle) -> Handle:
        def handle(request: Request) -> Response:
            response = inner(request)
            if request.method == "GET" and "/blobs/" in request.target:
                if there.endswith(".txt"):
                    (tmp_path / there).write_text("another program's")
                return Response(200, response.headers, BytesBody(response.read()[:-1] + b"!"))
            return response

        return handle

    if there == "new":
        (tmp_path / there).mkdir()
    with registry_server(wrap=wrap) as registry:
        reference = push(registry, OTHER, tmp_path)
        before = {path for path in tmp_path.rglob("*") if "pushed" not in str(path)}
        ran = invoke("pull", reference, "-o", "new/folder/", cwd=tmp_path, env={"HOME": str(tmp_path / "home")})
    assert ran.code == 6
    assert (tmp_path / "new" / "folder").exists() is False
    assert (tmp_path / "new").exists() is bool(there)
    assert before <= set(tmp_path.rglob("*"))


@pytest.mark.parametrize("place", ["pipe", "/dev/fd/{}"])
def test_a_pipe_gets_nothing_that_is_not_verified(tmp_path: Path, place: str) -> None:
    """The reader had 3 MB of wrong bytes before exit 6 said that they were discarded."""
    content = WASM + b"\0\xff\xff\x8f\x01\x01x" + bytes((1 << 16) * 36)

    def wrap(inner: Handle) -> Handle:
        def handle(request: Request) -> Response:
            response = inner(request)
            if request.method == "GET" and "/blobs/" in request.target and (response.body.length or 0) > 1000:
                data = response.read()
                return Response(200, response.headers, BytesBody(data[:-1] + b"!"))
            return response

        return handle

    with registry_server(wrap=wrap) as registry:
        reference = push(registry, content, tmp_path)
        if place == "pipe":
            os.mkfifo(tmp_path / "pipe")
            target, read, write = str(tmp_path / "pipe"), os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), -1
            os.set_blocking(read, True)
        else:
            read, write = os.pipe()
            target = place.format(write)
        seen: list[bytes] = []

        def drain() -> None:
            while data := os.read(read, 65536):
                seen.append(data)

        ran = invoke("pull", "-o", target, reference, env={"HOME": str(tmp_path / "home")})
        if write >= 0:
            os.close(write)
        reader = threading.Thread(target=drain)
        reader.start()
        reader.join(30)
        os.close(read)
    assert ran.code == 6
    assert seen == []


def test_a_module_that_no_module_is_so_large_as_is_not_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.operations.pull._MODULE_MAX", len(WASM) - 1)
    with registry_server() as registry:
        reference = push(registry, WASM, tmp_path)
        refused = invoke("pull", reference, cwd=tmp_path)
        assert refused.code == 3
        assert "no WebAssembly module has more than" in refused.stderr
        assert invoke("pull", "--force", reference, cwd=tmp_path).code == 0


class Seen:
    """A registry that asks for a password, and the passwords it was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def wrap(self, inner: Handle) -> Handle:
        def handle(request: Request) -> Response:
            self.sent += request.headers.all("Authorization")
            return inner(request)

        return handle


def test_a_password_is_not_sent_to_two_registries(tmp_path: Path) -> None:
    """`copy -u ALICE` sent her password to both."""
    seen = Seen()
    access = BasicAccess(OneUser("alice", "secret"))
    alice = ("-u", "alice", "--password-stdin")
    with registry_server(access=access) as source, registry_server(wrap=seen.wrap, access=access) as destination:
        path = tmp_path / "hello.wasm"
        path.write_bytes(WASM)
        here, there = f"{source.address}/hello:v1", f"{destination.address}/hello:v1"
        assert invoke("push", *alice, path, here, stdin=b"secret").code == 0
        refused = invoke("copy", *alice, here, there, stdin=b"secret")
        assert refused.code == 2
        assert "would go to both" in refused.stderr
        assert "--to-username" in refused.stderr
        assert seen.sent == []
        assert invoke("copy", *alice, here, f"{source.address}/other:v1", stdin=b"secret").code == 0
        assert invoke("copy", *alice, here, f"oci-layout:{tmp_path / 'layout'}:v1", stdin=b"secret").code == 0
        to = ("--to-username", "alice", "--to-password-stdin")
        copied = invoke("copy", *to, f"oci-layout:{tmp_path / 'layout'}:v1", there, stdin=b"secret")
        assert copied.code == 0, copied.stderr
        assert seen.sent


def test_what_was_pulled_by_digest_is_not_asked_for_again(tmp_path: Path) -> None:
    """A digest means the same for ever: no request, no connection."""
    home = {"HOME": str(tmp_path / "home")}
    with registry_server() as registry:
        digest = invoke("resolve", push(registry, WASM, tmp_path)).stdout.strip()
        pinned = f"{registry.address}/hello@{digest}"
        assert invoke("pull", "-o", tmp_path / "a", pinned, env=home).code == 0
        asked = len(registry.seen)
        assert invoke("pull", "-o", tmp_path / "b", pinned, env=home).code == 0
        assert len(registry.seen) == asked
        assert invoke("pull", "--no-cache", "-o", tmp_path / "c", pinned, env=home).code == 0
        assert len(registry.seen) > asked
    assert invoke("pull", "-o", tmp_path / "d", pinned, env=home).code == 0
    assert {(tmp_path / name).read_bytes() for name in "abcd"} == {WASM}


def test_a_manifest_that_left_the_cache_is_asked_for_again(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home")}
    with registry_server() as registry:
        digest = invoke("resolve", push(registry, WASM, tmp_path)).stdout.strip()
        pinned = f"{registry.address}/hello@{digest}"
        assert invoke("pull", "-o", tmp_path / "a", pinned, env=home).code == 0
        for blob in (tmp_path / "home").glob(".cache/wasm2oci/blobs/*/*"):
            blob.write_bytes(b"damaged")
        assert invoke("pull", "-o", tmp_path / "b", pinned, env=home).code == 0
    assert (tmp_path / "b").read_bytes() == WASM
