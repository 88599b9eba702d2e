"""Nothing gets out of a preopened directory: the table of attempts, on the functions alone."""

from pathlib import Path

import pytest

from tests.support.escapes import ATTEMPTS, Attempt, lay_out, renames, snapshot
from tests.support.wasi import Guest, open_descriptors
from wasm2oci.wasi.abi import Errno
from wasm2oci.wasi.context import Preopen
from wasm2oci.wasi.rights import ALL_RIGHTS

PARAMETERS = {
    "stat": "nnp",
    "times": "nnp",
    "mkdir": "np",
    "rmdir": "np",
    "unlink": "np",
    "rename": "npnp",
    "symlink": "pnp",
    "link": "nnpnp",
    "readlink": "np",
    "renumber": "nn",
    "close": "n",
    "prestat": "n",
}
NAMES = {
    "stat": "path_filestat_get",
    "times": "path_filestat_set_times",
    "mkdir": "path_create_directory",
    "rmdir": "path_remove_directory",
    "unlink": "path_unlink_file",
    "rename": "path_rename",
    "symlink": "path_symlink",
    "link": "path_link",
    "readlink": "path_readlink",
    "renumber": "fd_renumber",
    "close": "fd_close",
    "prestat": "fd_prestat_get",
}


def decode(text: str) -> bytes:
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] == "%":
            out.append(int(text[at + 1 : at + 3], 16))
            at += 3
        else:
            out += text[at].encode()
            at += 1
    return bytes(out)


def make(guest: Guest, call: list[str]) -> Errno:
    word, *values = call
    if word == "open":
        fd, follow, path, oflags, rights = values
        return guest.call(
            "path_open", int(fd), int(follow), decode(path), int(oflags), int(rights, 0), int(ALL_RIGHTS), 0
        )
    if word == "write":
        return guest.write(int(values[0]), b"overwritten")
    raw: list[int | bytes] = [
        int(value, 0) if kind == "n" else decode(value) for kind, value in zip(PARAMETERS[word], values, strict=True)
    ]
    if word == "times":
        raw += [1, 1, 5]
    if word == "readlink":
        raw += [0x8000, 4096]
    return guest.call(NAMES[word], *raw)


def test_table_has_no_less_than_thirty_attempts() -> None:
    assert len(ATTEMPTS) >= 30


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_attempt_is_refused(attempt: Attempt, tmp_path: Path) -> None:
    inside = lay_out(tmp_path)
    before = snapshot(tmp_path)
    with Guest(inside) as guest:
        errnos = [make(guest, call) for call in attempt.calls]
    assert errnos[-1] is not Errno.SUCCESS
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("path", [b"up_file", b"abs_file", b"c1", b"climb", b"sub/zig", b"../x", b"/x", b"sub/../../x"])
def test_leaving_is_not_permitted(path: bytes, tmp_path: Path) -> None:
    with Guest(lay_out(tmp_path)) as guest:
        assert guest.open(path)[0] is Errno.PERM


def test_dots_within_are_allowed(tmp_path: Path) -> None:
    with Guest(lay_out(tmp_path)) as guest:
        errno, fd = guest.open(b"./sub/.././here/sub//../file.txt")
        assert errno is Errno.SUCCESS
        assert guest.read(fd) == (Errno.SUCCESS, b"public")


def test_forty_links_are_allowed_and_no_more(tmp_path: Path) -> None:
    with Guest(lay_out(tmp_path)) as guest:
        assert guest.open(b"many21")[0] is Errno.SUCCESS
        assert guest.open(b"many20")[0] is Errno.LOOP


def test_everything_is_closed_again(tmp_path: Path) -> None:
    inside = lay_out(tmp_path)
    before = open_descriptors()
    with Guest(inside) as guest:
        for attempt in ATTEMPTS:
            for call in attempt.calls:
                make(guest, call)
    assert open_descriptors() == before


def test_read_only_directory_changes_nothing(tmp_path: Path) -> None:
    inside = lay_out(tmp_path)
    changing = [
        "mkdir 3 new",
        "rmdir 3 sub",
        "unlink 3 file.txt",
        "rename 3 file.txt 3 other",
        "symlink file.txt 3 new",
        "link 3 0 file.txt 3 new",
        "times 3 0 file.txt",
        "open 3 1 new 1 2",
        "open 3 1 file.txt 8 2",
        "open 3 1 file.txt 0 66",
    ]
    with Guest(Preopen(inside, "/", read_only=True)) as guest:
        for text in changing:
            assert make(guest, text.split()) is Errno.PERM, text
        fd = guest.open_directory(b"sub")
        assert make(guest, ["mkdir", str(fd), "new"]) is Errno.PERM
        errno, file = guest.open(b"file.txt", rights=int(ALL_RIGHTS) & ~64)
        assert errno is Errno.SUCCESS
        assert guest.read(file) == (Errno.SUCCESS, b"public")
        assert guest.write(file, b"x") is Errno.BADF
        assert guest.call("fd_filestat_set_size", file, 0) is Errno.PERM
        assert guest.call("fd_allocate", file, 0, 100) is Errno.NOTSUP
    assert sorted(path.name for path in inside.iterdir() if not path.is_symlink()) == ["file.txt", "sub"]
    assert (inside / "file.txt").read_text() == "public"


def test_renames_while_opening_never_lead_out(tmp_path: Path) -> None:
    """A host program swaps a directory for a link to the outside, again and again, while the guest walks through it."""
    inside = lay_out(tmp_path)
    found = dict.fromkeys((Errno.SUCCESS, Errno.NOENT, Errno.PERM, Errno.NOTDIR), 0)
    with renames(inside), Guest(inside) as guest:
        # However busy the machine is: until the directory, and the link in its place, were both met.
        for turn in range(200_000):
            errno, fd = guest.open(b"flip/secret.txt")
            found[errno] += 1
            if errno is Errno.SUCCESS:
                assert guest.read(fd) == (Errno.SUCCESS, b"decoy!")
                guest.call("fd_close", fd)
            if turn > 4000 and found[Errno.SUCCESS] and found[Errno.PERM]:
                break
    assert found[Errno.SUCCESS]
    assert found[Errno.PERM]


def test_directory_moved_out_while_inside_it_cannot_climb(tmp_path: Path) -> None:
    """`..` goes back the way the walk came, not to where the directory lies now."""
    inside = lay_out(tmp_path)
    with Guest(inside) as guest:
        fd = guest.open_directory(b"sub")
        (inside / "sub").rename(tmp_path / "outside" / "dir" / "moved")
        assert guest.open(b"../inner.txt", fd=fd)[0] is Errno.PERM
        assert guest.open(b"sub/../file.txt")[0] is Errno.NOENT
