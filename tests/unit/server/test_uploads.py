"""Uploads under way: abandoned ones are collected, too many are refused, two requests do not change one at once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process_state import open_below
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import Headers
from wasm2oci.server.call import Rules
from wasm2oci.server.disk import DiskStorage
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import BrokenBodyError, Request, Response
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
    for where in (first, start(registry)):
        assert ask(registry, "PATCH", where, BLOB[:1]).status == 202
    refused = ask(registry, "POST", "/v2/a/blobs/uploads/")
    assert (refused.status, refused.header("Retry-After")) == (429, "5")
    clock.now += 11
    assert start(registry)
    assert ask(registry, "GET", first).status == 404


def begin(registry: Registry, peer: str) -> str:
    response = registry.handle(Request("POST", "/v2/a/blobs/uploads/", peer=peer))
    assert response.status == 202
    return response.header("Location") or ""


def test_uploads_of_one_client_do_not_shut_out_another() -> None:
    """4,096 pipelined POSTs once made the registry answer 429 to everybody for up to an hour."""
    registry = Registry(MemoryStorage(), rules=Rules(uploads_max=20))
    honest = begin(registry, "192.0.2.1:1000")
    flood = [begin(registry, "192.0.2.2:1000") for _ in range(100)]
    assert ask(registry, "PATCH", honest, BLOB[:5]).status == 202
    for _ in range(5):
        begin(registry, "192.0.2.1:1001")
    assert ask(registry, "PUT", f"{honest}?digest={DIGEST}", BLOB[5:]).status == 201
    assert [ask(registry, "GET", where).status for where in (flood[0], flood[-1])] == [404, 204]


def test_uploads_of_one_connection_do_not_shut_out_another_at_the_same_address() -> None:
    registry = Registry(MemoryStorage(), rules=Rules(uploads_max=20))
    honest = begin(registry, "192.0.2.1:1000")
    for _ in range(100):
        begin(registry, "192.0.2.1:1001")
    assert ask(registry, "PUT", f"{honest}?digest={DIGEST}", BLOB).status == 201


def test_an_upload_that_has_bytes_makes_room_only_after_a_minute_of_silence() -> None:
    clock = Clock()
    registry = Registry(MemoryStorage(), rules=Rules(uploads_max=1), now=clock)
    where = begin(registry, "192.0.2.1:1000")
    assert ask(registry, "PATCH", where, BLOB[:5]).status == 202
    clock.now += 59
    assert registry.handle(Request("POST", "/v2/a/blobs/uploads/", peer="192.0.2.2:1")).status == 429
    clock.now += 2
    begin(registry, "192.0.2.2:1")
    assert ask(registry, "GET", where).status == 404


def test_an_upload_in_one_request_does_not_lose_its_place_while_it_comes_in() -> None:
    registry = Registry(MemoryStorage(), rules=Rules(uploads_max=1))
    others: list[int] = []

    def body() -> Iterator[bytes]:
        others.append(registry.handle(Request("POST", "/v2/a/blobs/uploads/", peer="192.0.2.2:1")).status)
        yield BLOB

    request = Request("POST", f"/v2/a/blobs/uploads/?digest={DIGEST}", body=body(), length=10, peer="192.0.2.1:1")
    assert registry.handle(request).status == 201
    assert others == [429]


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


def test_a_second_request_waits_for_the_first_and_is_refused_when_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wasm2oci.server.blobs._WAIT", 0.05)
    registry = Registry(MemoryStorage())
    where = start(registry)
    inside, leave = threading.Event(), threading.Event()

    def held() -> Iterator[bytes]:
        yield BLOB[:5]
        inside.set()
        leave.wait(60)
        yield BLOB[5:]

    first = threading.Thread(target=registry.handle, args=(Request("PATCH", where, body=held(), length=None),))
    first.start()
    assert inside.wait(60)
    assert ask(registry, "GET", where).header("Range") == "0-4"
    assert ask(registry, "PATCH", where, b"x").status == 409
    leave.set()
    first.join(60)
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
    before = open_below(tmp_path)
    waiting = [start(registry) for _ in range(50)]
    for where in waiting:
        assert ask(registry, "PATCH", where, BLOB[:5]).status == 202
    assert open_below(tmp_path) == before
    for where in waiting:
        assert ask(registry, "PATCH", where, BLOB[5:7]).status == 202
        assert ask(registry, "PUT", f"{where}?digest={DIGEST}", BLOB[7:]).status == 201
    assert ask(registry, "GET", f"/v2/a/blobs/{DIGEST}").read() == BLOB
    registry.close()
