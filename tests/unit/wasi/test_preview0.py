"""What preview 0 (`wasi_unstable`) has otherwise than preview 1."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.wasi import RESULTS, Guest
from wasm2oci.wasi.abi import Errno
from wasm2oci.wasi.functions import FUNCTIONS, MODULE, PREVIEW0_MODULE, core_type, functions_of
from wasm2oci.wasi.rights import Rights

if TYPE_CHECKING:
    from pathlib import Path

PREVIEW0 = functions_of(PREVIEW0_MODULE)
TEXT = b"0123456789"
SUBSCRIPTIONS, EVENTS = 0x9000, 0xA000


def opened(guest: Guest) -> int:
    errno, fd = guest.open(b"file", oflags=1, rights=Rights.FD_READ | Rights.FD_WRITE | Rights.FD_SEEK)
    assert errno is Errno.SUCCESS
    assert guest.write(fd, TEXT) is Errno.SUCCESS
    return fd


def test_preview_0_has_the_functions_of_preview_1_but_sock_accept() -> None:
    assert [row.name for row in PREVIEW0] == [row.name for row in FUNCTIONS if row.name != "sock_accept"]
    later = {row.name: core_type(row) for row in FUNCTIONS}
    assert all(core_type(row) == later[row.name] for row in PREVIEW0)


def test_functions_are_offered_for_the_two_modules_only() -> None:
    assert functions_of(MODULE) is FUNCTIONS
    assert functions_of("env") == functions_of("") == functions_of("wasi_snapshot_preview2") == ()


@pytest.mark.parametrize(
    ("delta", "whence", "expected"), [(-3, 0, 7), (-4, 1, 6), (5, 2, 5), (0, 0, 10), (0, 1, 10), (0, 2, 0)]
)
def test_whence_counts_from_the_current_offset_the_end_and_the_start(
    tmp_path: Path, delta: int, whence: int, expected: int
) -> None:
    with Guest(tmp_path, functions=PREVIEW0) as guest:
        assert guest.call("fd_seek", opened(guest), delta, whence) is Errno.SUCCESS
        assert guest.u64() == expected


def test_an_unknown_whence_is_invalid(tmp_path: Path) -> None:
    with Guest(tmp_path, functions=PREVIEW0) as guest:
        assert guest.call("fd_seek", opened(guest), 0, 3) is Errno.INVAL


@pytest.mark.parametrize("by_path", [False, True])
def test_record_of_a_file_has_a_short_count_of_links_and_56_bytes(tmp_path: Path, *, by_path: bool) -> None:
    with Guest(tmp_path, functions=PREVIEW0) as guest:
        fd = opened(guest)
        guest.memory.write(RESULTS, b"\x77" * 64)
        errno = guest.call("path_filestat_get", 3, 1, b"file") if by_path else guest.call("fd_filestat_get", fd)
        assert errno is Errno.SUCCESS
        host = (tmp_path / "file").stat()
        assert struct.unpack("<QQBxxxIQQQQ", guest.result(56)) == (
            host.st_dev, host.st_ino, 4, 1, len(TEXT), host.st_atime_ns, host.st_mtime_ns, host.st_ctime_ns
        )  # fmt: skip
        assert guest.result(64)[56:] == b"\x77" * 8


def clock(userdata: int, clock_id: int, timeout: int) -> bytes:
    return struct.pack("<QBxxxxxxxQIxxxxQQHxxxxxx", userdata, 0, 0x2222, clock_id, timeout, 0, 0)


def descriptor(userdata: int, tag: int, fd: int) -> bytes:
    return struct.pack("<QBxxxxxxxI", userdata, tag, fd).ljust(56, b"\0")


def test_subscriptions_have_56_bytes_and_clocks_an_identifier(tmp_path: Path) -> None:
    with Guest(tmp_path, functions=PREVIEW0) as guest:
        fd = opened(guest)
        hour = 3_600_000_000_000
        guest.memory.write(SUBSCRIPTIONS, clock(0x11, 1, hour) + descriptor(0x33, 2, fd) + descriptor(0x44, 1, 99))
        assert guest.call("poll_oneoff", SUBSCRIPTIONS, EVENTS, 3) is Errno.SUCCESS
        assert guest.u32() == 2
        events = [struct.unpack_from("<QHB", guest.memory.bytes, EVENTS + 32 * index) for index in range(2)]
        assert events == [(0x33, 0, 2), (0x44, Errno.BADF, 1)]
        guest.memory.write(SUBSCRIPTIONS, clock(0x11, 1, 0))
        assert guest.call("poll_oneoff", SUBSCRIPTIONS, EVENTS, 1) is Errno.SUCCESS
        assert struct.unpack_from("<QHB", guest.memory.bytes, EVENTS) == (0x11, 0, 0)
