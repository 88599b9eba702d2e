"""A registry that says anything it likes: no traceback, no control of the terminal, no flood, a fitting exit code."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.digest import Digest
from wasm2oci.server.messages import BytesBody, Request, Response

Handle = Callable[[Request], Response]

ESCAPES = "\x1b[31m\u202e\x07\x9b2J"
LAYER = {"mediaType": "application/wasm", "digest": str(Digest.of(HELLO)), "size": len(HELLO)}
CONFIG = {"mediaType": "application/vnd.wasm.config.v0+json", "digest": str(Digest.of(b"{}")), "size": 2}


def manifest(**fields: Any) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": CONFIG, "layers": [LAYER], **fields}
    ).encode()


def layer(**fields: Any) -> bytes:
    return manifest(layers=[{**LAYER, **fields}])


def index(*platforms: object) -> bytes:
    entries = [
        {"mediaType": mt.OCI_MANIFEST, "digest": str(Digest.of(bytes([at]))), "size": 9, "platform": platform}
        for at, platform in enumerate(platforms)
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries}).encode()


BODIES: dict[str, tuple[bytes, int]] = {
    "deep": (b'{"schemaVersion":2,"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", 3),
    "deep version": (b'{"schemaVersion":' + b"[" * 900 + b"]" * 900 + b"}", 3),
    "repeated key": (b'{"\\u001b[31m\\u202e":1,"\\u001b[31m\\u202e":2}', 3),
    "long repeated key": (b'{"%s":1,"%s":2}' % (b"k" * 1_000_000, b"k" * 1_000_000), 3),
    "long version": (manifest(schemaVersion="A" * 1_000_000), 3),
    "version of 5,000 digits": (b'{"schemaVersion":' + b"9" * 5000 + b"}", 3),
    "version of 4,000 digits": (b'{"schemaVersion":' + b"9" * 4000 + b"}", 3),
    "not a number": (b'{"schemaVersion":NaN}', 3),
    "annotation that is a number": (manifest(annotations={"a": 1}), 3),
    "long algorithm": (layer(digest="A" * 1_000_000 + ":00"), 3),
    "algorithm with escapes": (layer(digest=f"{ESCAPES}:00"), 3),
    "size of 4,000 digits": (layer(size=10**4000), 3),
    "media type with escapes": (layer(mediaType=f"a {ESCAPES}"), 3),
    "unknown media type": (layer(mediaType="application/x-unknown"), 8),
    "no layers": (manifest(layers=[]), 8),
    "platform of odd shapes": (index({"os": ["x"], "architecture": {"a": 1}}, {"os": ESCAPES, "architecture": 5}), 6),
    "a web page": (b"<!DOCTYPE html><title>sign in</title>", 7),
    "another encoding": (manifest().decode().encode("utf-16"), 3),
    "text": (ESCAPES.encode(), 3),
    "half of a surrogate pair": (layer(annotations={"org.opencontainers.image.title": "\ud800a.wasm"}), 3),
}


def pull(body: bytes, folder: Path, status: int = 200, content_type: str | None = mt.OCI_MANIFEST) -> Any:
    def wrap(handle: Handle) -> Handle:
        def answer(request: Request) -> Response:
            if "/manifests/" in request.target:
                headers = (("Content-Type", content_type),) if content_type else ()
                return Response(status, headers, BytesBody(body))
            if "/blobs/" in request.target:
                return Response(200, (), BytesBody(HELLO))
            return handle(request)

        return answer

    with registry_server(wrap=wrap) as registry:
        env = {"HOME": str(folder / "home")}
        (folder / "work").mkdir()
        return invoke("pull", f"{registry.address}/hello:v1", cwd=folder / "work", env=env)


def assert_tame(ran: Any) -> None:
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr) < 5000
    for text in (ran.stderr, ran.stdout):
        assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", BODIES)
def test_a_manifest_that_is_anything(name: str, tmp_path: Path) -> None:
    body, code = BODIES[name]
    content_type = mt.OCI_INDEX if name.startswith("platform") else None if name == "a web page" else mt.OCI_MANIFEST
    ran = pull(body, tmp_path, content_type=content_type)
    assert_tame(ran)
    assert ran.code == code, ran.stderr
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (f"msaw.exe{ESCAPES}.wasm", "msaw.exe[31m2J.wasm"),
        ("x" * 5000, "x" * 200),
        ("..", "hello.wasm"),
        ("-rf", "rf"),
        ("C:\\x\\y.wasm", "y.wasm"),
        ("/etc/x", "x"),
        ("", "hello.wasm"),
        ("a\0b.wasm", "ab.wasm"),
        ("a\nb.wasm", "ab.wasm"),
    ],
)
def test_a_title_that_is_anything(title: str, name: str, tmp_path: Path) -> None:
    ran = pull(layer(annotations={"org.opencontainers.image.title": title}), tmp_path)
    assert_tame(ran)
    assert ran.code == 0, ran.stderr
    assert [path.name for path in (tmp_path / "work").iterdir()] == [name]


def errors() -> Iterator[tuple[bytes, int, int]]:
    words = f"{ESCAPES}\r\nerror: fake"
    yield json.dumps({"errors": [{"code": f"DENIED{ESCAPES}", "message": words, "detail": {"a": 1}}]}).encode(), 403, 5
    yield b'{"errors":[{"code":"X","message":"' + b"m" * 5_000_000 + b'"}]}', 400, 7
    yield words.encode() * 1000, 400, 7
    yield b"[" * 100_000, 400, 7
    yield b'{"errors":[{"code":5,"message":["x"]}, 5, null]}', 400, 7
    yield b'{"error":{"a":1}}', 400, 7
    yield b"\xff\xfe", 418, 7


@pytest.mark.parametrize(("body", "status", "code"), list(errors()))
def test_an_error_that_is_anything(body: bytes, status: int, code: int, tmp_path: Path) -> None:
    ran = pull(body, tmp_path, status, "application/json")
    assert_tame(ran)
    assert ran.code == code, ran.stderr
    assert not [line for line in ran.stderr.splitlines()[1:] if not line.startswith("hint: ")]
