"""Files and directories: what the suite of the specification does not look at."""

import os
import struct
from pathlib import Path

from tests.support.wasi import Guest, open_descriptors
from wasm2oci.wasi.abi import DIRENT, FDSTAT, FILESTAT, Errno, FdFlags
from wasm2oci.wasi.rights import ALL_RIGHTS, Rights

RW = int(ALL_RIGHTS)


def test_cookies_go_on_where_the_buffer_ended_and_give_nothing_twice(tmp_path: Path) -> None:
    names = [f"name-{n:03}".encode() for n in range(100)]
    for name in names:
        (tmp_path / name.decode()).touch()
    with Guest(tmp_path) as guest:
        seen: list[bytes] = []
        cookie = 0
        while found := guest.names(cookie=cookie, size=200):
            seen += [name for _, name in found]
            cookie = found[-1][0]
            (tmp_path / names[50].decode()).unlink(missing_ok=True)
            (tmp_path / f"new-{len(seen)}").touch()
    assert seen[:2] == [b".", b".."]
    assert sorted(seen[2:]) == names


def test_entry_is_cut_where_the_buffer_ends(tmp_path: Path) -> None:
    (tmp_path / "long-name").touch()
    with Guest(tmp_path) as guest:
        size = DIRENT.size * 3 + 3 + 4
        assert guest.call("fd_readdir", 3, 0x8000, size, 0) is Errno.SUCCESS
        assert guest.u32() == size
        assert guest.memory.read(0x8000, size).endswith(b"long")


def test_names_no_path_can_name_are_left_out(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff", os.O_CREAT))
    with Guest(tmp_path) as guest:
        assert [name for _, name in guest.names()] == [b".", b".."]


def test_entry_for_the_directory_above_has_a_number_and_tells_nothing(tmp_path: Path) -> None:
    """With 0 C libraries ask for what `..` names, which is refused at a preopened directory: scandir then fails."""
    with Guest(tmp_path) as guest:
        assert guest.call("fd_readdir", 3, 0x8000, 4096, 0) is Errno.SUCCESS
        _, inode, _, _ = DIRENT.unpack_from(guest.memory.bytes, 0x8000 + DIRENT.size + 1)
    assert inode == tmp_path.stat().st_ino


def test_rights_say_how_a_file_is_opened_and_nothing_more(tmp_path: Path) -> None:
    """Go's `os.Root` opens its directory with few rights, and creates, cuts and removes files through it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("long")
    with Guest(tmp_path) as guest:
        errno, folder = guest.open(b"d", oflags=2, rights=int(Rights.FD_READ | Rights.FD_READDIR))
        assert errno is Errno.SUCCESS
        errno, fd = guest.open(b"f", fd=folder, oflags=8, rights=int(Rights.FD_WRITE))
        assert errno is Errno.SUCCESS
        assert guest.read(fd)[0] is Errno.BADF
        assert guest.write(fd, b"y") is Errno.SUCCESS
        assert guest.call("fd_filestat_set_times", fd, 1, 1, 5) is Errno.SUCCESS
        assert guest.open(b"new", fd=folder, oflags=1)[0] is Errno.SUCCESS
        assert guest.call("path_unlink_file", folder, b"new") is Errno.SUCCESS
        assert guest.call("fd_fdstat_set_rights", fd, 0, 0) is Errno.NOTSUP
        assert guest.call("fd_fdstat_get", fd) is Errno.SUCCESS
        _, _, rights, _ = FDSTAT.unpack(guest.result(FDSTAT.size))
        assert rights == ALL_RIGHTS & ~(Rights.FD_READ | Rights.FD_READDIR)
    assert (tmp_path / "d" / "f").read_text() == "y"


def test_link_in_the_way_of_a_new_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("absent")
    with Guest(tmp_path) as guest:
        assert guest.open(b"link", oflags=5, rights=RW)[0] is Errno.EXIST
        assert guest.open(b"link", oflags=1, rights=RW)[0] is Errno.SUCCESS


def test_append_and_positions(tmp_path: Path) -> None:
    with Guest(tmp_path) as guest:
        _, fd = guest.open(b"log", oflags=1, rights=RW, flags=int(FdFlags.APPEND))
        guest.write(fd, b"one")
        guest.call("fd_seek", fd, 0, 0)
        guest.write(fd, b"two")
        assert guest.call("fd_tell", fd) is Errno.SUCCESS
        assert guest.u64() == 6
        assert guest.call("fd_seek", fd, -2, 2) is Errno.SUCCESS
        assert guest.read(fd) == (Errno.SUCCESS, b"wo")
        assert guest.call("fd_fdstat_set_flags", fd, 0) is Errno.SUCCESS
        guest.call("fd_seek", fd, 0, 0)
        guest.write(fd, b"ONE")
        assert guest.call("fd_seek", fd, -1, 0) is Errno.INVAL
        assert guest.call("fd_fdstat_set_flags", fd, int(FdFlags.SYNC)) is Errno.INVAL
    assert (tmp_path / "log").read_bytes() == b"ONEtwo"


def test_lengths_do_not_decide_what_the_host_allocates(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abc")
    with Guest(tmp_path) as guest:
        _, fd = guest.open(b"f")
        guest.memory.write(0x7000, struct.pack("<II", 0x8000, 0xFFFFFFFF))
        assert guest.call("fd_read", fd, 0x7000, 1) is Errno.SUCCESS
        assert guest.u32() == 3


def test_times_given_and_the_clocks(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with Guest(tmp_path) as guest:
        assert guest.call("path_filestat_set_times", 3, 0, b"f", 5_000_000_001, 7_000_000_003, 5) is Errno.SUCCESS
        status = (tmp_path / "f").stat()
        assert (status.st_atime_ns, status.st_mtime_ns) == (5_000_000_001, 7_000_000_003)
        assert guest.call("path_filestat_set_times", 3, 0, b"f", 0, 9_000_000_000, 4) is Errno.SUCCESS
        status = (tmp_path / "f").stat()
        assert (status.st_atime_ns, status.st_mtime_ns) == (5_000_000_001, 9_000_000_000)
        assert guest.call("path_filestat_set_times", 3, 0, b"f", 0, 0, 3) is Errno.INVAL
        assert guest.call("path_filestat_set_times", 3, 0, b"f", 1 << 63, 0, 1) is Errno.SUCCESS  # the year 2262


def test_pipe_without_a_writer_does_not_hold_the_guest_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with Guest(tmp_path) as guest:
        errno, fd = guest.open(b"pipe", flags=int(FdFlags.NONBLOCK))
        assert errno is Errno.SUCCESS
        assert guest.open(b"pipe", rights=int(Rights.FD_WRITE))[0] is Errno.SUCCESS
        assert guest.read(fd)[0] is Errno.AGAIN


def test_descriptors_take_the_lowest_free_number(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with Guest(tmp_path) as guest:
        assert [guest.open(b"f")[1] for _ in range(3)] == [4, 5, 6]
        guest.call("fd_close", 5)
        guest.call("fd_close", 0)
        assert [guest.open(b"f")[1] for _ in range(3)] == [0, 5, 7]


def test_out_of_descriptors_is_an_error_code(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with Guest(tmp_path) as guest:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_descriptors() + 30, hard))
        try:
            errnos = {guest.open(b"f")[0] for _ in range(100)}
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert errnos == {Errno.SUCCESS, Errno.MFILE}


def test_filestat_of_a_stream_says_its_type_only() -> None:
    with Guest() as guest:
        assert guest.call("fd_filestat_get", 1) is Errno.SUCCESS
        assert guest.result(FILESTAT.size) == bytes(64)


def test_device_behind_standard_input_is_no_terminal() -> None:
    from wasm2oci.wasi.streams import HostStream

    with Path(os.devnull).open("rb") as null, Guest(stdin=HostStream(null.fileno())) as guest:
        assert guest.call("fd_fdstat_get", 0) is Errno.SUCCESS
        assert FDSTAT.unpack(guest.result(FDSTAT.size))[0] == 0
        assert guest.read(0) == (Errno.SUCCESS, b"")
