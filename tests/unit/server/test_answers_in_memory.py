"""What is sent to hundreds of slow clients at once is on disk, not in memory; and one request does bounded work."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.artifacts import WASM
from tests.support.process_state import open_below
from wasm2oci.errors import LocalIOError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import Headers
from wasm2oci.operations.registry_site import make_site
from wasm2oci.server.disk import DiskStorage
from wasm2oci.server.http1 import HeadError, parse_head
from wasm2oci.server.messages import BytesBody, FileBody, Request, Response
from wasm2oci.server.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = 300_000


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Registry]:
    storage = DiskStorage(tmp_path / "root")
    writer = storage.new_blob()
    writer.write(b"{}")
    writer.commit("a", EMPTY_JSON.digest)
    core = Registry(storage)
    yield core
    core.close()


def ask(core: Registry, method: str, target: str, body: bytes = b"", kind: str = mt.OCI_MANIFEST) -> Response:
    headers = Headers([("Content-Type", kind), ("Host", "127.0.0.1")])
    return core.handle(Request(method, target, headers, [body], len(body), peer="192.0.2.1:1"))


def manifest(padding: int = 0, **more: object) -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": EMPTY_JSON.to_json(),
        "layers": [EMPTY_JSON.to_json()],
        "annotations": {"x": "x" * padding},
        **more,
    }
    return json.dumps(value).encode()


def test_a_large_manifest_is_sent_from_its_file(core: Registry) -> None:
    """480 clients that took one of 4 MiB a byte at a time made the registry hold 1.9 GB."""
    raw = manifest(LARGE)
    assert ask(core, "PUT", "/v2/a/manifests/v1", raw).status == 201
    for reference in ("v1", str(Digest.of(raw))):
        response = ask(core, "GET", f"/v2/a/manifests/{reference}")
        assert isinstance(response.body, FileBody)
        assert response.read() == raw
    assert ask(core, "HEAD", "/v2/a/manifests/v1").body.length == len(raw)


def test_a_large_answer_that_is_made_is_kept_aside_until_it_is_sent(core: Registry) -> None:
    subject = manifest()
    ask(core, "PUT", "/v2/a/manifests/v1", subject)
    about = Descriptor(mt.OCI_MANIFEST, Digest.of(subject), len(subject)).to_json()
    assert ask(core, "PUT", "/v2/a/manifests/s1", manifest(LARGE, subject=about)).status == 201
    response = ask(core, "GET", f"/v2/a/referrers/{Digest.of(subject)}")
    assert response.status == 200
    assert isinstance(response.body, FileBody)
    storage = core.storage
    assert isinstance(storage, DiskStorage)
    assert not list((storage.root / "_uploads").iterdir()), "a registry that is killed now leaves nothing"
    assert b"x" * LARGE in response.read()


def test_a_large_answer_that_the_disk_refuses_leaves_no_file_and_no_descriptor(
    core: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, data: bytes) -> None:
        del descriptor, data
        raise OSError(errno.ENOSPC, "No space left on device")

    large = Response(200, body=BytesBody(b"x" * LARGE))
    monkeypatch.setattr(core, "_answer", lambda _: large)
    monkeypatch.setattr("wasm2oci.server.blob_writer.write_all", refuse)
    storage = core.storage
    assert isinstance(storage, DiskStorage)
    before = open_below(storage.root)
    for _ in range(3):
        assert ask(core, "GET", "/v2/a/tags/list").status == 507
    assert open_below(storage.root) == before
    assert not list((storage.root / "_uploads").iterdir())


def test_a_small_answer_is_not_written_anywhere(core: Registry) -> None:
    assert isinstance(ask(core, "GET", "/v2/a/tags/list").body, BytesBody)


def test_a_member_that_an_index_names_often_is_read_once(core: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of 4 MiB that named one manifest of 4 MiB 15,000 times made the registry read 60 GB."""
    member = manifest(LARGE)
    ask(core, "PUT", "/v2/a/manifests/v1", member)
    read: list[object] = []
    monkeypatch.setattr(core.storage, "manifest", lambda _, which: read.append(which))
    entry = Descriptor(mt.OCI_MANIFEST, Digest.of(member), len(member)).to_json()
    entries = [entry, *({**entry, "annotations": {"n": str(n)}} for n in range(100))]
    index = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries}).encode()
    assert ask(core, "PUT", "/v2/a/manifests/all", index, mt.OCI_INDEX).status == 201
    assert not read


def test_a_mount_from_anywhere_waits_for_its_turn_and_looks_into_so_many_repositories(
    core: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr("wasm2oci.server.fairness.Effort.take_turn", lambda _: done.append("turn"))
    monkeypatch.setattr(core.storage, "repositories", lambda: [f"r{number:05}" for number in range(50_000)])
    monkeypatch.setattr(core.storage, "mount_blob", lambda _, __, source: done.append(source))
    target = f"/v2/a/blobs/uploads/?mount={Digest.of(b'not there')}"
    assert ask(core, "POST", target).status == 202
    assert done == ["turn", *(f"r{number:05}" for number in range(1000))]


def test_a_head_of_thousands_of_fields_is_refused_before_they_are_read() -> None:
    """32 KiB of `a:` took as long as a hundred honest requests."""
    fields = b"a:\r\n" * 8000
    with pytest.raises(HeadError, match="128 header fields") as caught:
        parse_head(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + fields)
    assert caught.value.status == 431
    assert parse_head(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join([b"a: b"] * 126)).target == "/v2/"


def test_a_page_does_not_say_where_on_disk_a_repository_is(core: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = core.storage
    assert isinstance(storage, DiskStorage)
    core = Registry(storage, site=make_site(storage, None).answer)
    module = Descriptor.of("application/wasm", WASM)
    writer = storage.new_blob()
    writer.write(WASM)
    writer.commit("a", module.digest)
    ask(core, "PUT", "/v2/a/manifests/v1", manifest(layers=[module.to_json()]))

    def refuse(*_: object) -> None:
        raise LocalIOError(f"{storage.root}/a: Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "open_blob", refuse)
        page = ask(core, "GET", "/r/a:v1").read().decode()
    assert str(storage.root) not in page
    assert "disk refuses" in page
    assert "disk refuses" not in ask(core, "GET", "/r/a:v1").read().decode(), "it is looked at again"
