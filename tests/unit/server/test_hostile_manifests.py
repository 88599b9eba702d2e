"""Manifests that are made to cost: nested or endless JSON, many large ones at once, and lists of many referrers."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.work import assert_linear
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import Headers
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.wire import MANIFEST_MAX, VALUES_MAX, MalformedJsonError, load_object
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request
from wasm2oci.server.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.server.messages import Response
    from wasm2oci.server.storage import StoredManifest

SUBJECT = Digest.of(b"subject")


def artifact(number: int, padding: int = 0, kind: str = "application/x") -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "artifactType": kind,
        "config": EMPTY_JSON.to_json(),
        "layers": [EMPTY_JSON.to_json()],
        "subject": {"mediaType": mt.OCI_MANIFEST, "digest": str(SUBJECT), "size": 7},
        "annotations": {"number": str(number)},
        "x": "x" * padding,
    }
    return json.dumps(value).encode()


def registry() -> Registry:
    storage = MemoryStorage()
    storage.add_blob("a", EMPTY_JSON.digest, b"{}")
    return Registry(storage)


def put(core: Registry, raw: bytes, name: str = "v1", peer: str = "192.0.2.1:1") -> Response:
    headers = Headers([("Content-Type", mt.OCI_MANIFEST)])
    return core.handle(Request("PUT", f"/v2/a/manifests/{name}", headers, [raw], len(raw), peer=peer))


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"0,", b'"",', b'{"a":1},', b"[[[]]],"])
def test_json_of_too_many_values_is_refused_before_it_is_read(piece: bytes) -> None:
    """64 PUTs of 4 MiB of such JSON held every other client for 15 s."""
    raw = b'{"a":[' + piece * ((MANIFEST_MAX - 20) // len(piece)) + b"0]}"
    with pytest.raises(MalformedJsonError, match="more than 400,000 values"):
        load_object(raw, "manifest")
    assert put(registry(), raw).status == 400


def test_the_largest_index_has_far_fewer_values() -> None:
    entry = {"mediaType": mt.OCI_MANIFEST, "digest": str(SUBJECT), "size": 1, "annotations": {"a": "b"}}
    value = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []}
    count = (MANIFEST_MAX - 200) // (len(json.dumps(entry)) + 2)
    raw = json.dumps({**value, "manifests": [entry] * count}).encode()
    assert len(raw) > MANIFEST_MAX * 0.99
    assert raw.count(b",") + raw.count(b"{") < VALUES_MAX / 2
    assert len(parse_manifest(raw, None).children) == count


def test_large_manifests_are_kept_aside_while_they_come_in_and_read_one_at_a_time() -> None:
    """200 connections with 4 MiB each would hold 800 MiB."""
    core = registry()
    raw = artifact(1, padding=1 << 20)
    pieces = [raw[start : start + 65536] for start in range(0, len(raw), 65536)]
    inside, leave = threading.Event(), threading.Event()
    reading: list[int] = []
    most: list[int] = []
    original = core.storage.put_manifest

    def slow(repository: str, manifest: StoredManifest, tags: list[str]) -> None:
        reading.append(1)
        most.append(len(reading))
        inside.set()
        assert leave.wait(30)
        original(repository, manifest, tags)
        reading.pop()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(core.storage, "put_manifest", slow)
        threads = [
            threading.Thread(
                target=core.handle,
                args=(
                    Request("PUT", f"/v2/a/manifests/v{n}", body=list(pieces), length=len(raw), peer=f"192.0.2.1:{n}"),
                ),
            )
            for n in range(6)
        ]
        for thread in threads:
            thread.start()
        assert inside.wait(30)
        leave.set()
        for thread in threads:
            thread.join(30)
    assert most == [1] * 6
    assert len(core.storage.tags("a")) == 6


def test_a_small_manifest_does_not_wait_for_large_ones() -> None:
    core = registry()
    inside, leave = threading.Event(), threading.Event()
    original = core.storage.put_manifest

    def slow(repository: str, manifest: StoredManifest, tags: list[str]) -> None:
        if len(manifest.raw) > 100_000:
            inside.set()
            assert leave.wait(30)
        original(repository, manifest, tags)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(core.storage, "put_manifest", slow)
        thread = threading.Thread(target=put, args=(core, artifact(1, padding=1 << 20)))
        thread.start()
        assert inside.wait(30)
        assert put(core, artifact(2), "v2").status == 201
        leave.set()
        thread.join(30)


@pytest.mark.parametrize("length", [MANIFEST_MAX, MANIFEST_MAX + 1])
def test_a_manifest_without_length_is_bounded(length: int) -> None:
    def body() -> Iterator[bytes]:
        for start in range(0, length, 65536):
            yield b" " * min(65536, length - start)

    response = registry().handle(Request("PUT", "/v2/a/manifests/v1", body=body(), length=None))
    assert response.status == (413 if length > MANIFEST_MAX else 400)


class Counting(MemoryStorage):
    """Counts the bytes of referrers that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def referrers(self, repository: str, subject: Digest, after: str = "") -> Iterator[StoredManifest]:
        for stored in super().referrers(repository, subject, after):
            self.read += len(stored.raw)
            yield stored


def pages(core: Registry, query: str = "") -> Iterator[list[str]]:
    target = f"/v2/a/referrers/{SUBJECT}{query}"
    while target:
        response = core.handle(Request("GET", target))
        assert response.status == 200
        yield [entry["digest"] for entry in json.loads(response.read())["manifests"]]
        target = (response.header("Link") or "").partition(">")[0].removeprefix("<")


@pytest.mark.parametrize(("query", "wanted"), [("", 60), ("?artifactType=application/x", 30), ("?artifactType=no", 0)])
def test_a_page_of_referrers_reads_a_bounded_part_of_them(query: str, wanted: int) -> None:
    """All manifests were loaded at once: 2 GB."""
    storage = Counting()
    storage.add_blob("a", EMPTY_JSON.digest, b"{}")
    core = Registry(storage)
    for number in range(60):
        kind = "application/x" if number % 2 else "application/y"
        assert put(core, artifact(number, 1 << 20, kind), f"v{number}").status == 201
    found: list[str] = []
    for page in pages(core, query):
        assert storage.read < 18 << 20
        storage.read = 0
        found += page
    assert len(found) == len(set(found)) == wanted
    assert found == sorted(found)


def test_referrers_whose_descriptors_fill_pages_are_all_listed_once() -> None:
    core = registry()
    for number in range(7):
        raw = artifact(number).replace(b'"number"', b'"' + b"n" * 900_000 + b'"')
        assert put(core, raw, f"v{number}").status == 201
    found = [digest for page in pages(core) for digest in page]
    assert len(found) == len(set(found)) == 7


def test_listing_referrers_takes_work_that_grows_with_the_page() -> None:
    def work(size: int) -> int:
        storage = Counting()
        storage.add_blob("a", EMPTY_JSON.digest, b"{}")
        core = Registry(storage)
        for number in range(size):
            put(core, artifact(number), f"v{number}")
        assert sum(map(len, pages(core))) == size
        return storage.read

    assert_linear(work, (20, 40, 80))
