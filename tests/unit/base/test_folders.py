from __future__ import annotations

import errno
import os
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from tests.support.data import ROOT
from wasm2oci.base.files import TEMPORARY, ReadableFile, claim_file, replace_file
from wasm2oci.base.folders import (
    FolderLock,
    LocksUnavailableError,
    evict,
    folder_key,
    is_private,
    private_folder,
    read_private,
    used,
)
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, count: int, size: int = 100) -> list[Path]:
    """Files 0, 1, ... of so many bytes; 0 was used first."""
    paths = [folder / str(number) for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(bytes(size))
        os.utime(path, (10**6 + number,) * 2)
    return paths


def test_the_least_recently_used_files_are_removed(tmp_path: Path) -> None:
    paths = fill(tmp_path, 5)
    used(paths[0])
    assert evict(tmp_path.iterdir(), 250) == 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "4"]
    assert evict(tmp_path.iterdir(), 0) == 200


def test_a_small_file_counts_for_a_block(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    evict(tmp_path.iterdir(), 3 * 4096, block=4096)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "4"]


def test_temporary_files_are_removed_a_day_later_and_folders_and_links_never(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(10**6))
    folder = tmp_path / "folder"
    folder.mkdir()
    (newest,) = fill(folder, 1)
    for name, age in (("old", 25 * 3600), ("young", 23 * 3600)):
        path = folder / f"{TEMPORARY}{name}"
        path.write_bytes(bytes(10**6))
        os.utime(path, (newest.stat().st_mtime - age,) * 2)
    (folder / "inner").mkdir()
    (folder / "link").symlink_to(outside)
    evict(folder.iterdir(), 100)
    assert sorted(path.name for path in folder.iterdir()) == [f"{TEMPORARY}young", "0", "inner", "link"]
    evict(folder.iterdir(), 0)
    assert outside.exists()


def test_files_that_go_away_meanwhile_are_no_error(tmp_path: Path) -> None:
    paths = fill(tmp_path, 3)
    paths[1].unlink()
    assert evict([*paths, tmp_path / "absent" / "x"], 100) == 100
    assert evict((path for _ in "." for path in (tmp_path / "absent").iterdir()), 0) == 0


@pytest.mark.parametrize(
    ("mode", "plain", "secret"), [(0o600, True, True), (0o644, True, False), (0o664, False, False)]
)
def test_a_file_counts_if_only_its_user_may_write_it(tmp_path: Path, mode: int, plain: bool, secret: bool) -> None:  # noqa: FBT001
    path = tmp_path / "x"
    path.write_bytes(b"x")
    path.chmod(mode)
    assert (read_private(path, 100) is not None) is plain
    assert (read_private(path, 100, secret=True) is not None) is secret
    assert is_private(path) is plain


def test_a_private_file_without_end_is_not_read(tmp_path: Path) -> None:
    """A note or a key in the cache whose length was damaged (256 GiB) ended each command for want of memory."""
    path = tmp_path / "x"
    path.touch(0o600)
    os.truncate(path, 1 << 38)
    assert read_private(path, 100) is None
    os.truncate(path, 100)
    assert read_private(path, 100) == bytes(100)
    key = tmp_path / "key"
    assert folder_key(tmp_path) is not None
    os.truncate(key, 1 << 38)
    assert folder_key(tmp_path) is None


def test_a_link_a_pipe_and_a_folder_are_not_private_files(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "pipe", ".", "absent"):
        assert read_private(tmp_path / name, 100) is None
    assert not is_private(tmp_path / "link")


def test_a_private_folder_is_made_and_one_that_others_may_write_is_refused(tmp_path: Path) -> None:
    assert private_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "a" / "b").chmod(0o770)
    assert not private_folder(tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert not private_folder(tmp_path / "link")


def test_the_first_claim_wins(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        claim_file(tmp_path / "key", data)
    assert (tmp_path / "key").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        with pytest.raises(BlockingIOError):
            FolderLock(tmp_path, wait=False)
        script = "import sys; from pathlib import Path; from wasm2oci.base.folders import FolderLock as L\n"
        script += "try: L(Path(sys.argv[1]), wait=False)\nexcept BlockingIOError: sys.exit(7)"
        assert subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=False).returncode == 7
    FolderLock(tmp_path, wait=False).close()
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "absent")


def test_a_file_system_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(import_module("fcntl"), "flock", refuse)
    with pytest.raises(LocksUnavailableError):
        FolderLock(tmp_path)


def test_a_file_is_read_at_any_place_and_stays_when_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    file = ReadableFile(path)
    path.unlink()
    assert b"".join(file.chunks(3)) == b"0123456789"
    assert file.read_at(8, 5) == b"89"
    view = memoryview(bytearray(4))
    assert (file.read_into(view, 7), bytes(view)) == (3, b"789\0")
    file.close()
    file.close()
    with pytest.raises(LocalIOError, match="is a folder"):
        ReadableFile(tmp_path)


def test_a_temporary_file_may_lie_aside(tmp_path: Path) -> None:
    seen: list[str] = []

    def content() -> list[bytes]:
        seen.extend(path.name for path in (tmp_path / "aside").iterdir())
        return [b"x"]

    (tmp_path / "aside").mkdir()
    (tmp_path / "here").mkdir()
    replace_file(tmp_path / "here" / "x", (chunk for _ in "1" for chunk in content()), aside=tmp_path / "aside")
    assert len(seen) == 1
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["x"]
    assert not list((tmp_path / "aside").iterdir())


PORTABLE = """
import os, sys
from pathlib import Path
from wasm2oci.base import files, folders, outputs
folder = Path(sys.argv[1])
assert files._pread is None and folders._user is None
outputs.write_file(folder / "x", [b"0123456789"])
file = files.ReadableFile(folder / "x")
assert b"".join(file.chunks(3)) == b"0123456789" and file.read_at(8, 5) == b"89"
view = memoryview(bytearray(4))
assert (file.read_into(view, 7), bytes(view)) == (3, b"789\\0")
file.close()
files.sync_folder(folder)
assert folders.private_folder(folder) and folders.read_private(folder / "x", 100, secret=True) == b"0123456789"
files.claim_file(folder / "key", b"1"); files.claim_file(folder / "key", b"2")
assert (folder / "key").read_bytes() == b"1"
for _ in range(2):
    with folders.FolderLock(folder):  # there is neither fcntl nor msvcrt here
        try:
            folders.FolderLock(folder, wait=False)
        except BlockingIOError:
            pass
        else:
            raise AssertionError("two hold one lock")
assert folders.evict(folder.iterdir(), 0) == 11
"""


def test_all_of_it_works_without_what_only_posix_has(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.simulated_windows", "-", str(tmp_path)]
    done = subprocess.run(command, input=PORTABLE, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
