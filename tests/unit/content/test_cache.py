import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.artifacts import WASM, Stash, Watching
from wasm2oci.base.files import TEMPORARY
from wasm2oci.content.cache import Cache, CachedTarget, cache_folder
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import IntegrityError, LocalIOError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.media_type import OCI_MANIFEST
from wasm2oci.oci.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = bytes(range(256)) * 40_000  # over what is read in one go


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(params=[WASM, LARGE], ids=["small", "large"])
def data(request: pytest.FixtureRequest) -> bytes:
    assert isinstance(request.param, bytes)
    return request.param


class Case:
    """A blob at a source that counts, behind a cache."""

    def __init__(self, cache: Cache, data: bytes) -> None:
        stash = Stash()
        self.data = data
        self.blob = stash.put("application/wasm", data)
        self.source = Watching(stash.target)
        self.target = CachedTarget(self.source, cache)
        self.path = cache.folder / "blobs" / "sha256" / self.blob.digest.encoded

    def read(self) -> bytes:
        return b"".join(self.target.fetch(self.blob))


@pytest.fixture
def case(cache: Cache, data: bytes) -> Case:
    return Case(cache, data)


def test_content_is_fetched_once(case: Case) -> None:
    assert [case.read() == case.data for _ in range(3)] == [True] * 3
    assert case.source.count("fetch") == 1


def test_one_fetched_content_can_be_read_twice(case: Case) -> None:
    content = case.target.fetch(case.blob)
    assert b"".join(content) == b"".join(content) == case.data
    assert case.source.count("fetch") == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty"])
def test_a_damaged_file_is_noticed_dropped_and_fetched_again(case: Case, damage: str) -> None:
    case.read()
    flipped = bytearray(case.data)
    flipped[len(flipped) // 2] ^= 1
    case.path.write_bytes(
        {"flip": bytes(flipped), "cut": case.data[:-1], "grow": case.data + b"!", "empty": b""}[damage]
    )
    assert case.read() == case.data
    assert case.source.count("fetch") == 2
    assert case.path.read_bytes() == case.data


def test_what_does_not_verify_is_not_kept(cache: Cache, data: bytes) -> None:
    class Rotten(MemoryTarget):
        def fetch(self, descriptor: Descriptor) -> BytesContent:
            return BytesContent(bytes(descriptor.size))

    blob = Descriptor.of("application/wasm", data)
    with pytest.raises(IntegrityError):
        b"".join(CachedTarget(Rotten(), cache).fetch(blob))
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []
    with pytest.raises(IntegrityError):
        cache.keep(blob, BytesContent(bytes(len(data))))
    assert cache.size() == 0


def test_a_reader_that_goes_away_leaves_nothing(case: Case, cache: Cache) -> None:
    chunks = iter(case.target.fetch(case.blob))
    next(chunks)
    del chunks
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []
    assert case.read() == case.data


def test_a_cache_that_cannot_be_written_is_done_without(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    case = Case(Cache(tmp_path / "file" / "cache"), data)
    assert case.read() == case.read() == case.data
    assert case.source.count("fetch") == 2


def test_a_disk_that_fills_up_does_not_stop_a_pull(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert case.read() == case.data
    monkeypatch.undo()
    assert not list(case.path.parent.iterdir())
    assert case.read() == case.data
    assert case.path.exists()


def test_a_rename_that_fails_does_not_stop_a_pull(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    assert case.read() == case.data
    assert not list(case.path.parent.iterdir())


def test_a_file_that_cannot_be_read_is_fetched(case: Case, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    case.read()
    case.path.unlink()
    case.path.mkdir()
    assert case.read() == case.data
    assert cache.find(case.blob) is None


def test_a_cached_copy_needs_the_source_for_tags_only(cache: Cache) -> None:
    stash = Stash()
    root = stash.module(tag="v1")
    source = Watching(stash.target)
    for _ in range(2):
        copy(CachedTarget(source, cache), "v1", MemoryTarget())
    assert source.count("fetch") == 3
    assert source.count("resolve") == 2
    target = CachedTarget(source, cache)
    assert target.exists(root)
    assert str(target) == "watched"


def fill(cache: Cache, count: int, size: int = 1000) -> list[Descriptor]:
    blobs = []
    for number in range(count):
        data = bytes([number]) * size
        blob = Descriptor.of("a/b", data)
        cache.keep(blob, BytesContent(data))
        os.utime(cache.folder / "blobs" / "sha256" / blob.digest.encoded, (number, number))
        blobs.append(blob)
    return blobs


def test_what_was_not_used_for_longest_goes_first(cache: Cache) -> None:
    blobs = fill(cache, 5)
    assert cache.size() == 5000
    assert cache.find(blobs[0]) is not None  # used just now
    assert cache.prune(2500) == 3000
    assert [cache.find(blob) is not None for blob in blobs] == [True, False, False, False, True]
    assert cache.prune(0) == 2000
    assert cache.size() == 0


def test_references_are_forgotten_like_blobs_the_least_recently_used_first(cache: Cache) -> None:
    fill(cache, 2)
    references = [Reference.parse(f"registry.example/a:{number}") for number in range(50)]
    for number, reference in enumerate(references):
        cache.remember(reference, Descriptor(OCI_MANIFEST, Digest.of(bytes([number])), number))
    for path in (cache.folder / "references").iterdir():
        os.utime(path, (1000, 1000))
    assert cache.recall(references[0]) is not None  # used just now
    assert cache.prune(10 * 4096) > 0
    assert cache.recall(references[0]) is not None
    assert 0 < len(list((cache.folder / "references").glob("*.json"))) <= 10
    assert cache.size() == 2000
    cache.prune(0)
    assert not list((cache.folder / "references").glob("*.json"))


def test_a_cache_that_only_remembers_references_stays_below_its_limit(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=20 * 4096)
    for number in range(30):
        cache.remember(
            Reference.parse(f"registry.example/a:{number}"), Descriptor(OCI_MANIFEST, Digest.of(b""), number)
        )
    assert len(list((tmp_path / "references").glob("*.json"))) <= 20


def test_a_cache_stays_below_its_limit_by_itself(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=8500)
    blobs = fill(cache, 12)
    assert cache.size() == 8000
    assert cache.find(blobs[11]) is not None


def test_one_large_blob_does_not_drive_out_the_rest(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=8000)
    fill(cache, 2)
    cache.keep(Descriptor.of("a/b", bytes(1001)), BytesContent(bytes(1001)))
    assert cache.size() == 2000
    case = Case(Cache(tmp_path, limit=5), WASM)
    assert case.read() == case.read() == WASM
    assert case.source.count("fetch") == 2


def test_leftovers_of_killed_processes_go_after_a_day(cache: Cache) -> None:
    fill(cache, 1)
    left = cache.folder / "blobs" / "sha256" / f"{TEMPORARY}left"
    left.write_bytes(b"x")
    newest = Descriptor.of("a/b", b"newest")
    cache.keep(newest, BytesContent(b"newest"))
    now = (cache.folder / "blobs" / "sha256" / newest.digest.encoded).stat().st_mtime
    os.utime(left, (now - 23 * 3600, now - 23 * 3600))
    cache.prune(10_000)
    assert left.exists()
    os.utime(left, (now - 25 * 3600, now - 25 * 3600))
    cache.keep(Descriptor.of("a/b", b"new"), BytesContent(b"new"))  # whoever adds to the cache tidies it
    assert not left.exists()


def test_there_may_be_no_cache_yet(cache: Cache, tmp_path: Path) -> None:
    assert cache.prune(0) == 0
    assert cache.size() == 0
    cache.drop(Descriptor.of("a/b", b""))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalIOError):
        Cache(tmp_path / "file").prune(0)


def test_only_its_owner_may_look_into_a_cache(cache: Cache) -> None:
    fill(cache, 1)
    assert cache.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in cache.folder.rglob("*"))


def test_an_open_blob_survives_that_room_is_made(cache: Cache) -> None:
    case = Case(cache, LARGE)
    case.read()
    chunks: Iterator[bytes] = iter(case.target.fetch(case.blob))
    first = next(chunks)
    cache.prune(0)
    assert first + b"".join(chunks) == LARGE


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"WASM2OCI_CACHE": "/w", "XDG_CACHE_HOME": "/x"}, "/w"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/wasm2oci"),
        ({"XDG_CACHE_HOME": "relative"}, "/h/.cache/wasm2oci"),
        ({"XDG_CACHE_HOME": ""}, "/h/.cache/wasm2oci"),
        ({}, "/h/.cache/wasm2oci"),
    ],
)
def test_the_cache_is_where_xdg_says(environ: dict[str, str], folder: str) -> None:
    assert cache_folder(environ, Path("/h")) == Path(folder)


@pytest.mark.parametrize("folder", ["/proc/nowhere/cache", "/dev/null/cache"])
def test_a_cache_that_cannot_be_made_is_done_without(folder: str, data: bytes) -> None:
    case = Case(Cache(Path(folder)), data)
    assert [case.read() == data for _ in range(2)] == [True] * 2
    assert case.source.count("fetch") == 2


def test_a_cache_that_is_emptied_by_hand_meanwhile_is_done_without(case: Case) -> None:
    def emptied(chunks: "Iterator[bytes]") -> "Iterator[bytes]":
        for chunk in chunks:
            yield chunk
            shutil.rmtree(case.path.parents[2], ignore_errors=True)

    assert b"".join(emptied(iter(case.target.fetch(case.blob)))) == case.data
    assert case.read() == case.data


def test_a_process_that_stopped_while_making_room_stops_no_other(case: Case, cache: Cache) -> None:
    case.read()
    stopped = os.open(cache.folder, os.O_RDONLY)
    try:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        assert cache.prune(0) == 0
        cache.drop(case.blob)
        assert case.read() == case.data
    finally:
        os.close(stopped)
    assert cache.prune(0) == len(case.data)


def test_a_file_system_without_locks_is_no_error(case: Case, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        del descriptor, operation
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert case.read() == case.data
    assert cache.prune(0) == len(case.data)


KEEPER = """
import sys
from pathlib import Path
from wasm2oci.content.cache import Cache
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.media_type import OCI_MANIFEST
from wasm2oci.oci.reference import Reference
cache = Cache(Path(sys.argv[1]), limit=20_000)
for turn in range(3):
    for number in range(30):
        data = bytes([number]) * 1000
        blob = Descriptor.of("a/b", data)
        found = cache.find(blob)
        if found is None:
            cache.keep(blob, BytesContent(data))
        else:
            assert b"".join(found) == data
"""


def test_processes_may_share_a_cache(cache: Cache) -> None:
    root = Path(__file__).parents[3]
    keepers = [subprocess.Popen([sys.executable, "-c", KEEPER, str(cache.folder)], cwd=root) for _ in range(3)]
    assert [keeper.wait(300) for keeper in keepers] == [0, 0, 0]
    # Whoever finds another at making room does not wait: what the last one leaves is the next one's to remove.
    cache.prune(20_000)
    assert 0 < cache.size() <= 20_000


def test_what_a_reference_meant_is_believed_for_thirty_days(tmp_path: Path) -> None:
    now = 1_000_000.0
    cache = Cache(tmp_path / "cache", now=lambda: now)
    reference = Reference.parse("r.example/a:v1")
    root = Descriptor(OCI_MANIFEST, Digest.of(b"x"), 1)
    cache.remember(reference, root)
    for moved, believed in ((0.0, True), (29 * 86400.0, True), (31 * 86400.0, False), (-10.0, False)):
        now = 1_000_000.0 + moved
        assert (cache.recall(reference) == root) is believed


@pytest.mark.parametrize("change", ["time", "descriptor", "proof", "nothing"])
def test_a_memory_that_was_changed_is_not_believed(tmp_path: Path, change: str) -> None:
    cache = Cache(tmp_path / "cache", now=lambda: 1_000_000.0)
    reference = Reference.parse("r.example/a:v1")
    cache.remember(reference, Descriptor(OCI_MANIFEST, Digest.of(b"x"), 1))
    for path in (tmp_path / "cache" / "references").glob("*.json"):
        value = json.loads(path.read_text())
        if change == "time":
            value["time"] -= 1
        elif change == "descriptor":
            value["descriptor"]["digest"] = str(Digest.of(b"y"))
        elif change == "proof":
            del value["proof"]
        path.write_text(json.dumps(value))
    assert (cache.recall(reference) is not None) is (change == "nothing")
