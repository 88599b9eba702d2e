"""Our WASI against wasmtime's own: the same random calls give the same answers and leave the same files.

A trace puts ours in the place of wasmtime's, and the embedded engine has no other: a program must not notice.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.wasi_pair import Host
from wasm2oci.wasi.rights import ALL_RIGHTS, Rights

if TYPE_CHECKING:
    from tests.support.wasi_pair import Value

ROUNDS = 40
CALLS = 120
_READ, _WRITE, _ALL = int(Rights.FD_READ), int(Rights.FD_WRITE), int(ALL_RIGHTS)
_NAMES = (b"f", b"g", b"d", b"d/f", b"d/e", b"l", b"ld", b"dangling", b"up", b"new", b"d/new")
_ODD = (b"..", b"/f", b"d/../f", b"f/x", b"d/../..", b"d/./f")


def _tree(folder: Path) -> None:
    (folder / "d").mkdir(parents=True)
    (folder / "f").write_bytes(b"hello")
    (folder / "d" / "f").write_bytes(b"world")
    for name, target in (("l", "f"), ("ld", "d"), ("dangling", "absent"), ("up", "../f")):
        (folder / name).symlink_to(target)


def _listing(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for root, folders, files in os.walk(folder):
        for path in (Path(root, name) for name in (*folders, *files)):
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[str(path.relative_to(folder))] = content
    return found


def _call(random_: random.Random) -> tuple[str, list[Value]]:
    fd = random_.choice((0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99))
    folder = random_.choice((3, 3, 3, 3, 4, fd))
    path = random_.choice(_NAMES if random_.random() < 0.8 else _ODD)
    other = random_.choice(_NAMES if random_.random() < 0.8 else _ODD)
    look = random_.randrange(2)
    offset = random_.choice((0, 1, 3, 10))
    data: list[Value] = [[b"abc"]]
    room: list[Value] = [[5]]
    rights = random_.choice((_ALL, _READ, _WRITE, _READ | _WRITE, 0))
    table: dict[str, list[Value]] = {
        "path_open": [folder, look, path, random_.choice((0, 0, 1, 1, 2, 2, 3, 4, 5, 8, 9, 13)), rights, 0,
                      random_.choice((0, 0, 0, 1, 2, 4, 8, 16))],
        "path_filestat_get": [folder, look, path],
        "path_filestat_set_times": [folder, look, path, 5, 7, random_.choice((1, 2, 4, 5, 8, 10, 3))],
        "path_create_directory": [folder, path],
        "path_remove_directory": [folder, path],
        "path_unlink_file": [folder, path],
        "path_rename": [folder, path, random_.choice((3, 3, 4, fd)), other],
        "path_link": [folder, 0, path, random_.choice((3, 3, 4, fd)), other],
        "path_symlink": [other, folder, path],
        "path_readlink": [folder, path, 40960, random_.choice((3, 200))],
        "fd_fdstat_get": [fd],
        "fd_fdstat_set_flags": [fd, random_.choice((0, 1, 4, 5, 2, 16))],
        "fd_fdstat_set_rights": [fd, rights, 0],
        "fd_filestat_get": [fd],
        "fd_filestat_set_size": [fd, offset],
        "fd_filestat_set_times": [fd, 5, 7, random_.choice((0, 1, 4, 5, 10, 12))],
        "fd_advise": [fd, 0, offset, random_.randrange(7)],
        "fd_allocate": [fd, 0, offset],
        "fd_close": [5],
        "fd_sync": [fd],
        "fd_datasync": [fd],
        "fd_read": [fd, *room],
        "fd_write": [fd, *data],
        "fd_pread": [fd, *room, offset],
        "fd_pwrite": [fd, *data, offset],
        "fd_seek": [fd, offset - 2, random_.randrange(4)],
        "fd_tell": [fd],
        "fd_readdir": [fd, 40960, 8192, 0],
        "fd_prestat_get": [fd],
    }  # fmt: skip
    weights = [12 if name == "path_open" else 1 if name == "fd_close" else 2 for name in table]
    return random_.choices(list(table.items()), weights)[0]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_random_calls_have_the_same_answers(seed: int, tmp_path: Path) -> None:
    random_ = random.Random(seed)
    folders = [tmp_path / "ours", tmp_path / "theirs"]
    for folder in folders:
        _tree(folder / "rw")
        _tree(folder / "ro")
    with (
        Host(folders[0] / "rw", folders[0] / "ro", ours=True) as ours,
        Host(folders[1] / "rw", folders[1] / "ro", ours=False) as theirs,
    ):
        calls = []
        for _ in range(CALLS):
            name, values = _call(random_)
            calls.append((name, values))
            answers = [host.call(name, *values) for host in (ours, theirs)]
            assert answers[0] == answers[1], calls[-8:]
    assert _listing(folders[0]) == _listing(folders[1])
