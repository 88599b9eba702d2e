"""A large file is synced while it grows, and what goes wrong then is not lost."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from wasm2oci.base import syncing
from wasm2oci.base.files import NewFile
from wasm2oci.base.outputs import write_file
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, threading.Thread]]:
    """The length of the file at each sync of one, and the thread that asked for it; a step is 4 bytes."""
    done: list[tuple[int, threading.Thread]] = []

    def sync(descriptor: int) -> None:
        done.append((os.fstat(descriptor).st_size, threading.current_thread()))

    monkeypatch.setattr(syncing, "STEP", 4)
    monkeypatch.setattr(os, "fsync", sync)
    return done


def test_each_step_is_synced_on_another_thread_and_the_rest_at_the_end(
    tmp_path: Path, synced: list[tuple[int, threading.Thread]]
) -> None:
    file = NewFile(tmp_path / "out")
    for piece in (b"123", b"4", b"56789", b"0"):
        file.write(piece)
    file.commit()
    sizes, threads = zip(*synced[:-1], strict=True)  # the last one is of the folder
    main = threading.main_thread()
    assert [thread is main for thread in threads] == [False, False, True]
    assert (sizes[0] >= 4, sizes[1] >= 9, sizes[2]) == (True, True, 10)
    assert (tmp_path / "out").read_bytes() == b"1234567890"


def test_a_file_that_need_not_be_on_the_disk_is_never_synced(
    tmp_path: Path, synced: list[tuple[int, threading.Thread]]
) -> None:
    file = NewFile(tmp_path / "out", sync=False)
    file.write(b"0123456789")
    file.commit()
    assert synced == []


@pytest.mark.parametrize("pieces", [[b"0123"], [b"0123", b"4567"]])
def test_a_sync_that_fails_early_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes]
) -> None:
    """The kernel reports a failed write once, so the sync at the end may well succeed."""
    failures = [OSError(errno.EIO, os.strerror(errno.EIO))]

    def sync(descriptor: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(syncing, "STEP", 4)
    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(LocalIOError, match="Input/output error"):
        write_file(tmp_path / "out", pieces)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_given_up_is_closed_after_its_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    found: list[int] = []

    def sync(descriptor: int) -> None:
        begun.set()
        go_on.wait(60)
        found.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(syncing, "STEP", 4)
    monkeypatch.setattr(os, "fsync", sync)
    file = NewFile(tmp_path / "out")
    file.write(b"0123")
    assert begun.wait(60)
    timer = threading.Timer(0, go_on.set)
    timer.start()
    file.discard()
    timer.join()
    assert found == [4]
    assert list(tmp_path.iterdir()) == []


def test_without_a_thread_all_is_synced_at_the_end(
    tmp_path: Path, synced: list[tuple[int, threading.Thread]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    file = NewFile(tmp_path / "out")
    file.write(b"0123456789")
    file.commit()
    assert [size for size, _ in synced[:-1]] == [10]
