"""Uploads under way: abandoned ones are collected, too many are refused, two requests do not change one at once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm2oci.oci.digest import Digest
from wasm2oci.server.call import Rules
from wasm2oci.server.disk import DiskStorage
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import BrokenBodyError, Headers, Request, Response
from wasm2oci.server.registry import Registry

BLOB = b"0123456789"
DIGEST = Digest.of(BLOB)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ask(registry: Registry, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
    pairs = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    return registry.handle(Request(method, target, pairs, [body], len(body)))


def start(registry: Registry) -> str:
    return ask(registry, "POST", "/v2/a/blobs/uploads/").header("Location") or ""


def test_abandoned_uploads_are_collected_and_leave_no_file(tmp_path: Path) -> None:
    clock = Clock()
    storage = DiskStorage(tmp_path / "registry")
    registry = Registry(storage, rules=Rules(upload_idle=3600), now=clock)
    uploads = tmp_path / "registry" / "_uploads"
    silent, busy = start(registry), start(registry)
    for where in (silent, busy):
        assert ask(registry, "PATCH", where, BLOB[:5]).status == 202
    assert len(list(uploads.iterdir())) == 2
    clock.now += 3000
    assert ask(registry, "PATCH", busy, BLOB[5:]).status == 202
    assert registry.collect() == 0
    clock.now += 3000
    assert registry.collect() == 1
    assert len(list(uploads.iterdir())) == 1
    assert ask(registry, "GET", silent).status == 404
    assert ask(registry, "PUT", f"{busy}?digest={DIGEST}").status == 201
    assert not list(uploads.iterdir())
    start(registry)
    registry.close()


def test_a_new_upload_collects_old_ones_too() -> None:
    clock = Clock()
    registry = Registry(MemoryStorage(), rules=Rules(upload_idle=10, uploads_max=2), now=clock)
    first = start(registry)
    start(registry)
    refused = ask(registry, "POST", "/v2/a/blobs/uploads/")
    assert (refused.status, refused.header("Retry-After")) == (429, "5")
    clock.now += 11
    assert start(registry)
    assert ask(registry, "GET", first).status == 404


def test_an_upload_that_is_written_to_right_now_is_not_abandoned() -> None:
    clock = Clock()
    registry = Registry(MemoryStorage(), rules=Rules(upload_idle=10), now=clock)
    where = start(registry)
    collected: list[int] = []

    def slowly() -> Iterator[bytes]:
        yield BLOB[:5]
        clock.now += 100
        collected.append(registry.collect())
        yield BLOB[5:]

    body = slowly()
    assert registry.handle(Request("PATCH", where, body=body, length=None)).status == 202
    assert collected == [0]
    assert ask(registry, "PUT", f"{where}?digest={DIGEST}").status == 201


def test_a_second_request_waits_for_the_first_and_is_told_when_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wasm2oci.server.blobs._WAIT", 0.05)
    registry = Registry(MemoryStorage())
    where = start(registry)
    inside, leave = threading.Event(), threading.Event()

    def held() -> Iterator[bytes]:
        yield BLOB[:5]
        inside.set()
        leave.wait(10)
        yield BLOB[5:]

    first = threading.Thread(target=registry.handle, args=(Request("PATCH", where, body=held(), length=None),))
    first.start()
    assert inside.wait(10)
    assert ask(registry, "GET", where).header("Range") == "0-4"
    assert ask(registry, "PATCH", where, b"x").status == 409
    leave.set()
    first.join(10)
    assert ask(registry, "PUT", f"{where}?digest={DIGEST}").status == 201


def test_what_arrived_before_a_client_went_away_stays_and_the_upload_goes_on() -> None:
    registry = Registry(MemoryStorage())
    where = start(registry)

    def cut() -> Iterator[bytes]:
        yield BLOB[:5]
        raise BrokenBodyError("gone")

    with pytest.raises(BrokenBodyError):
        registry.handle(Request("PATCH", where, body=cut(), length=10))
    assert ask(registry, "GET", where).header("Range") == "0-4"
    assert ask(registry, "PATCH", where, BLOB[5:], Content_Range="5-9").status == 202
    assert ask(registry, "PUT", f"{where}?digest={DIGEST}").status == 201


def test_uploads_that_wait_hold_no_file_open(tmp_path: Path) -> None:
    registry = Registry(DiskStorage(tmp_path / "registry"))
    before = len(list(Path("/dev/fd").iterdir()))
    waiting = [start(registry) for _ in range(50)]
    for where in waiting:
        assert ask(registry, "PATCH", where, BLOB[:5]).status == 202
    assert len(list(Path("/dev/fd").iterdir())) == before
    for where in waiting:
        assert ask(registry, "PATCH", where, BLOB[5:7]).status == 202
        assert ask(registry, "PUT", f"{where}?digest={DIGEST}", BLOB[7:]).status == 201
    assert ask(registry, "GET", f"/v2/a/blobs/{DIGEST}").read() == BLOB
    registry.close()
