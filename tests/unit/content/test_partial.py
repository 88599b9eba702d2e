"""Downloads that were broken off, and go on in another process where they were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.network import Answer, Network, Sent, broken, fresh_core
from wasm2oci.content.cache import Cache, CachedTarget
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import IntegrityError, RegistryError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.registry.retry import RetryPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.registry.repository import Repository

HOME = "https://registry.example"


class Line:
    """A registry whose bodies break after so many bytes while `cut` is set; `asked` has the ranges of blobs."""

    def __init__(self, size: int, *, ranges: bool = True) -> None:
        self.data = os.urandom(size)
        self.blob = Descriptor.of("application/wasm", self.data)
        self.cut: int | None = None
        self.asked: list[str] = []
        self.ranges = ranges
        self.inner = fresh_core()
        self.network = Network({HOME: self.answer})
        self.repository().push(self.blob, BytesContent(self.data))

    def answer(self, sent: Sent) -> Answer:
        if sent.method == "GET" and "/blobs/" in sent.path:
            self.asked.append(sent.headers.get("range", ""))
            if not self.ranges:
                sent = Sent(sent.origin, sent.method, sent.url, {}, b"")
        found = self.inner(sent)
        assert isinstance(found, Answer)
        if sent.method == "GET" and "/blobs/" in sent.path:
            assert isinstance(found.body, bytes)
            end = len(found.body) if self.cut is None else min(self.cut, len(found.body))
            pieces = [found.body[start : start + 65536] for start in range(0, end, 65536)]
            return Answer(found.status, tuple(found.pairs()), pieces if self.cut is None else [*pieces, broken()])
        return found

    def repository(self) -> Repository:
        return self.network.repository("registry.example/a", retry=RetryPolicy(tries=1))

    def read(self, cache: Cache) -> bytes:
        """What a new process reads."""
        return b"".join(CachedTarget(self.repository(), cache).fetch(self.blob))


def beginnings(cache: Cache) -> list[Path]:
    return list(cache.folder.glob("partial/*/*"))


@pytest.mark.parametrize("ranges", [True, False])
def test_a_new_process_goes_on_where_the_last_one_was(tmp_path: Path, *, ranges: bool) -> None:
    line, cache = Line(5 << 20, ranges=ranges), Cache(tmp_path)
    line.cut = 2 << 20
    with pytest.raises(RegistryError):
        line.read(cache)
    assert [path.stat().st_size for path in beginnings(cache)] == [2 << 20]
    line.cut, line.asked = None, []
    assert line.read(cache) == line.data
    assert line.asked == [f"bytes={2 << 20}-"]
    assert beginnings(cache) == []
    assert line.read(cache) == line.data
    assert len(line.asked) == 1


def test_what_breaks_off_twice_goes_on_from_the_second_place(tmp_path: Path) -> None:
    line, cache = Line(5 << 20), Cache(tmp_path)
    line.cut = 2 << 20
    for kept in (2 << 20, 4 << 20):
        with pytest.raises(RegistryError):
            line.read(cache)
        assert [path.stat().st_size for path in beginnings(cache)] == [kept]
    line.cut = None
    assert line.read(cache) == line.data


def test_a_large_blob_goes_on_where_its_reader_left_it(tmp_path: Path) -> None:
    line, cache = Line(24 << 20), Cache(tmp_path)
    reading = iter(CachedTarget(line.repository(), cache).fetch(line.blob))
    got = 0
    while got < 5 << 20:
        got += len(next(reading))
    reading.close()  # type: ignore[attr-defined]  # what the end of a user's patience does
    (kept,) = beginnings(cache)
    start = kept.stat().st_size
    line.asked = []
    assert line.read(cache) == line.data
    assert line.asked == [f"bytes={start}-"]


@pytest.mark.parametrize("damage", ["byte", "shorter", "link"])
def test_a_damaged_beginning_is_removed_and_all_is_read(tmp_path: Path, damage: str) -> None:
    line, cache = Line(3 << 20), Cache(tmp_path / "cache")
    line.cut = 2 << 20
    with pytest.raises(RegistryError):
        line.read(cache)
    (kept,) = beginnings(cache)
    data = kept.read_bytes()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        kept.unlink()
        kept.symlink_to(tmp_path / "elsewhere")
    else:
        kept.write_bytes(data[:-1] + (b"" if damage == "shorter" else bytes([data[-1] ^ 1])))
    line.cut, line.asked = None, []
    assert line.read(cache) == line.data
    assert line.asked == [""]


def test_wrong_bytes_are_not_kept(tmp_path: Path) -> None:
    line, cache = Line(3 << 20), Cache(tmp_path)
    wrong = Descriptor("application/wasm", Descriptor.of("a/b", b"x").digest, line.blob.size)
    memory = MemoryTarget()
    memory.add(wrong, BytesContent(line.data))
    with pytest.raises(IntegrityError):
        b"".join(CachedTarget(memory, cache).fetch(wrong))
    assert beginnings(cache) == []


def test_little_is_not_kept_and_what_is_kept_makes_room(tmp_path: Path) -> None:
    line, cache = Line(3 << 20), Cache(tmp_path, limit=64 << 20)
    line.cut = 512 << 10
    with pytest.raises(RegistryError):
        line.read(cache)
    assert beginnings(cache) == []
    line.cut = 2 << 20
    with pytest.raises(RegistryError):
        line.read(cache)
    assert cache.prune(0) == 2 << 20
    assert beginnings(cache) == []
