import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm2oci.base.files import NewFile, local_errors, make_folder, sync_folder
from wasm2oci.base.outputs import SpoolError, spooled, write_file
from wasm2oci.errors import IntegrityError, LocalIOError, NotFoundError


def test_a_file_is_written_with_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert write_file(tmp_path / "out", [b"ab", b"", b"c"]) == 3
    finally:
        os.umask(before)
    assert (tmp_path / "out").read_bytes() == b"abc"
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [IntegrityError("bad"), KeyboardInterrupt(), OSError(errno.ECONNRESET, "gone")])
def test_whatever_breaks_the_content_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def content() -> Iterator[bytes]:
        yield b"new"
        assert path.read_bytes() == b"old"
        raise error

    with pytest.raises(type(error)):
        write_file(path, content())
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_disk_that_is_full_is_local_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(LocalIOError, match=r"out: No space left on device") as caught:
        write_file(tmp_path / "out", [b"x"])
    assert "some space" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_real_full_device_is_local_too() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(LocalIOError, match="No space left"):
        write_file(Path("/dev/full"), [b"x"])


def test_a_failing_fsync_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(LocalIOError, match="Input/output error"):
        write_file(tmp_path / "out", [b"x"])
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    write_file(tmp_path / "out", [b"0123456789"])
    assert (tmp_path / "out").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    ("name", "message"), [("absent/out", "no such folder"), (".", "Is a directory"), ("file/out", "Not a directory")]
)
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalIOError, match=message):
        write_file(tmp_path / name, [b"x"])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file"]


def test_a_refusal_of_the_system_names_the_path_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LocalIOError, match=r"/out: Permission denied") as caught:
        write_file(tmp_path / "out", [b"x"])
    assert "may write to" in str(caught.value.hint)


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "out").symlink_to(tmp_path / "precious")
    write_file(tmp_path / "out", [b"new"])
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "out").is_symlink()


def test_a_pipe_is_written_to_directly(tmp_path: Path) -> None:
    pipe, seen = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: seen.append(pipe.read_bytes()))
    reader.start()
    assert write_file(pipe, [b"through ", b"it"]) == 10
    reader.join()
    assert seen == [b"through it"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def failing(pieces: int) -> Iterator[bytes]:
    for _ in range(pieces):
        yield bytes(65536)
    raise ValueError("the digest is wrong")


@pytest.mark.parametrize("pieces", [0, 1, 48])
def test_a_pipe_gets_nothing_of_content_that_fails(tmp_path: Path, pieces: int) -> None:
    """A reader had 3 MB of wrong bytes before "discarded" was said."""
    pipe, seen = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: seen.append(pipe.read_bytes()))
    reader.start()
    with pytest.raises(ValueError, match="digest"):
        write_file(pipe, failing(pieces))
    reader.join(30)
    assert seen == [b""]


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_descriptor_gets_nothing_of_content_that_fails(tmp_path: Path, name: str) -> None:
    """Be it a pipe or a file: what has a name among the descriptors is written to and never replaced."""
    read, write = os.pipe()
    file = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT, 0o600)
    for descriptor in (write, file):
        with pytest.raises(ValueError, match="digest"):
            write_file(Path(name.format(descriptor)), failing(48))
        assert write_file(Path(name.format(descriptor)), [b"who", b"le"]) == 5
    os.close(write)
    assert os.read(read, 100) == b"whole"
    assert os.read(read, 100) == b""
    assert os.pread(file, 100, 0) == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    os.close(read)
    os.close(file)


def test_a_device_is_written_to_and_not_replaced() -> None:
    assert write_file(Path("/dev/null"), [b"gone"]) == 4
    assert Path("/dev/null").is_char_device()


def test_no_room_for_what_waits_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.base.outputs._SPOOL", 10)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(SpoolError, match="temporary file"), spooled([b"x" * 100]):
        pass


def test_a_new_file_can_be_given_up(tmp_path: Path) -> None:
    file = NewFile(tmp_path / "out", sync=False)
    file.write(b"x")
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalIOError, match="File exists"):
        make_folder(tmp_path / "file")
    sync_folder(tmp_path / "absent")  # what cannot be synced is left alone


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file or folder"), local_errors(tmp_path / "x"):
        (tmp_path / "x").read_bytes()
