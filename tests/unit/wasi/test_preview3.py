"""WASI 0.3 below the engine: the same sandbox as 0.2, and streams that go wrong."""

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.escapes import lay_out, snapshot
from tests.support.wasi import Guest, open_descriptors
from wasm2oci.engine import Trap
from wasm2oci.engine.component.concurrency.buffers import HostRoom
from wasm2oci.engine.component.concurrency.host_side import HostSide
from wasm2oci.engine.component.concurrency.streams import Copy, CopyCode, SharedBase
from wasm2oci.engine.component.concurrency.threads import new_loop
from wasm2oci.wasi.preview3.files import Preview3Descriptor, filesystem, in_directory, instant

OUT = [
    "..",
    "../outside",
    "/etc/passwd",
    "abs/secret.txt",
    "abs/new.txt",
    "up/secret.txt",
    "up/dir",
    "sub/deep/secret.txt",
    "sub/zig/..",
    "climb/..",
    "proc/etc",
    "fd",
]
"""Paths that lead out of the directory, or through what does."""

NO_FLAGS = frozenset[str]()
FOLLOW = frozenset({"symlink-follow"})
CALLS: list[Callable[[Preview3Descriptor, str], object]] = [
    lambda root, path: root.open_at(FOLLOW, path, frozenset({"create"}), frozenset({"write"})),
    lambda root, path: root.open_at(FOLLOW, path, NO_FLAGS, frozenset({"read"})),
    lambda root, path: root.stat_at(FOLLOW, path),
    lambda root, path: root.metadata_hash_at(FOLLOW, path),
    lambda root, path: root.set_times_at(FOLLOW, path, ("now", None), ("now", None)),
    lambda root, path: root.create_directory_at(f"{path}/made"),
    lambda root, path: root.remove_directory_at(f"{path}/dir"),
    lambda root, path: root.unlink_file_at(f"{path}/secret.txt"),
    lambda root, path: root.rename_at("file.txt", root, f"{path}/taken"),
    lambda root, path: root.link_at(NO_FLAGS, "file.txt", root, f"{path}/linked"),
    lambda root, path: root.symlink_at("file.txt", f"{path}/linked"),
    lambda root, path: root.readlink_at(f"{path}/secret.txt"),
]


class Host:
    """A loop without guests, whose host waits for nothing."""

    def __init__(self) -> None:
        self.loop = new_loop(self._wait)
        self.side = HostSide(self.loop)

    @staticmethod
    def _wait(waits: Sequence[Any], *, block: bool) -> Sequence[int]:
        raise AssertionError(waits, block)

    def read(self, shared: SharedBase, count: int) -> tuple[list[CopyCode], HostRoom]:
        """Reads as a guest does."""
        room, codes = HostRoom(count), list[CopyCode]()
        shared.copy(Copy(object(), room, lambda _: codes.append(CopyCode.COMPLETED), codes.append), reads=True)
        self.loop.activities.settle()
        return codes, room


@pytest.mark.parametrize("path", OUT)
def test_no_path_leads_out_of_a_directory(path: str, tmp_path: Path) -> None:
    inside = lay_out(tmp_path)
    before = snapshot(tmp_path)
    with Guest(inside) as guest:
        root = Preview3Descriptor(guest.wasi, 3, Host().side, kept=True)
        for call in CALLS:
            case, _ = filesystem(in_directory(call))(root, path)
            assert case == "error", path
    assert snapshot(tmp_path) == before


def test_a_file_is_read_and_how_that_ended_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    host = Host()
    with Guest(tmp_path) as guest:
        file = Preview3Descriptor(guest.wasi, 3, host.side, kept=True).open_at(NO_FLAGS, "a", NO_FLAGS, NO_FLAGS)
        stream, future = file.read_stream(4)
        assert host.read(stream, 3)[1].values == b"456"  # type: ignore[arg-type]
        assert host.read(stream, 99)[1].values == b"789"  # type: ignore[arg-type]
        assert host.read(stream, 1)[0] == [CopyCode.DROPPED]  # type: ignore[arg-type]
        assert host.read(future, 1)[1].values == [("ok", None)]  # type: ignore[arg-type]


def test_what_cannot_be_read_is_an_error_of_the_future(tmp_path: Path) -> None:
    host = Host()
    with Guest(tmp_path) as guest:
        root = Preview3Descriptor(guest.wasi, 3, host.side, kept=True)
        stream, future = root.read_stream(0)
        assert host.read(stream, 1)[0] == [CopyCode.DROPPED]  # type: ignore[arg-type]
        assert host.read(future, 1)[1].values == [("error", ("bad-descriptor", None))]  # type: ignore[arg-type]


def test_a_guest_that_reads_no_more_ends_the_reading(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    host = Host()
    with Guest(tmp_path) as guest:
        open_before = open_descriptors()
        file = Preview3Descriptor(guest.wasi, 3, host.side, kept=True).open_at(NO_FLAGS, "a", NO_FLAGS, NO_FLAGS)
        stream, future = file.read_stream(0)
        stream.drop()
        host.loop.activities.settle()
        assert host.read(future, 1)[1].values == [("ok", None)]  # type: ignore[arg-type]
        file.close()
        assert open_descriptors() == open_before


def test_what_is_left_open_is_closed_with_the_loop(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    host = Host()
    with Guest(tmp_path) as guest:
        open_before = open_descriptors()
        file = Preview3Descriptor(guest.wasi, 3, host.side, kept=True).open_at(NO_FLAGS, "a", NO_FLAGS, NO_FLAGS)
        file.read_stream(0)
        file.close()
        host.loop.close()
        assert open_descriptors() == open_before


def test_time_before_1970_is_a_time() -> None:
    assert instant(-1) == {"seconds": -1, "nanoseconds": 999_999_999}


def test_a_guest_that_waits_for_nothing_is_stopped() -> None:
    def forever() -> Generator[Any, None, None]:
        yield from host.side.future().take(1)

    host = Host()
    host.side.spawn(forever())
    with pytest.raises(Trap, match="deadlock"):
        host.loop.run(lambda: False)
