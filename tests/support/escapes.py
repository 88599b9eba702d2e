"""Attempts to get out of a preopened directory: one table, run on the functions alone and on both engines.

The host lays out, beside each other:

    outside/secret.txt ("secret")   outside/dir/   outside/dir/inner.txt
    inside/                          the only thing the guest is given, as descriptor 3
      file.txt ("public")  sub/  sub/leaf.txt
      abs -> (absolute) outside        abs_file -> (absolute) outside/secret.txt
      up -> ../outside                 up_file -> ../outside/secret.txt
      c1 -> c2 -> c3 -> c4 -> ../outside/secret.txt
      sub/deep -> ../../outside        sub/zig -> ../sub/../../outside/secret.txt
      dangling -> ../outside/new.txt   proc -> /proc/self/root      fd -> /proc/self/fd/0
      loop -> loop    round -> round2 -> round     many0 -> many1 -> ... -> many60 -> file.txt
      here -> .       climb -> here/here/../../outside/secret.txt

A row's last call must be refused; the calls before it may do as they like. Words of a call are those of
`fixtures/wasm/src/calls.c`. Afterwards `outside` must be byte for byte what it was.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ATTEMPTS", "Attempt", "lay_out", "renames", "snapshot"]

READ = "2"
WRITE = "64"
CREAT, DIRECTORY, TRUNC = "1", "2", "8"
DIRECTORY_RIGHTS = "0x7bfff80"


@dataclass(frozen=True)
class Attempt:
    """A name, and calls as words separated by `+`."""

    name: str
    words: tuple[str, ...]

    @property
    def calls(self) -> list[list[str]]:
        """The calls, each a list of words."""
        calls: list[list[str]] = [[]]
        for word in self.words:
            if word == "+":
                calls.append([])
            else:
                calls[-1].append(word)
        return calls


def _open(path: str, *, oflags: str = "0", rights: str = READ, follow: str = "1", fd: str = "3") -> str:
    return f"open {fd} {follow} {path} {oflags} {rights}"


_OPEN_SUB = _open("sub", oflags=DIRECTORY, rights=DIRECTORY_RIGHTS)
_LONG = "x" * 5000

_ROWS: dict[str, str] = {
    "dot-dot": _open("../outside/secret.txt"),
    "dot-dot alone": _open("..", oflags=DIRECTORY, rights=DIRECTORY_RIGHTS),
    "dot-dot with a slash": _open("../", oflags=DIRECTORY, rights=DIRECTORY_RIGHTS),
    "dot-dot after a directory": _open("sub/../../outside/secret.txt"),
    "dot-dot after dots": _open("./././../outside/secret.txt"),
    "dot-dot doubled slashes": _open("sub//..//..//outside/secret.txt"),
    "dot-dot back in": _open("../inside/file.txt"),
    "absolute": _open("/etc/passwd"),
    "absolute, doubled slash": _open("//etc/passwd"),
    "absolute own root": _open("/file.txt"),
    "/proc/self/root": _open("/proc/self/root/etc/passwd"),
    "link to an absolute directory": _open("abs/secret.txt"),
    "link to an absolute file": _open("abs_file"),
    "link to an absolute file, slash": _open("abs_file/"),
    "link upwards": _open("up/secret.txt"),
    "link upwards as a directory": _open("up", oflags=DIRECTORY, rights=DIRECTORY_RIGHTS),
    "link upwards with a slash, not followed": _open("up/", oflags=DIRECTORY, rights=DIRECTORY_RIGHTS, follow="0"),
    "link to a file upwards": _open("up_file"),
    "chain of links": _open("c1"),
    "link in a subdirectory": _open("sub/deep/secret.txt"),
    "link that zigzags": _open("sub/zig"),
    "link through links to here": _open("climb"),
    "link into /proc": _open("proc/etc/passwd"),
    "link to a descriptor in /proc": _open("fd"),
    "link loop": _open("loop"),
    "link circle": _open("round/x"),
    "sixty links": _open("many0"),
    "link, not followed": _open("up_file", follow="0"),
    "dangling link, create through": _open("dangling", oflags=CREAT, rights=WRITE),
    "dangling link, truncate through": _open("up_file", oflags=TRUNC, rights=WRITE),
    "guest makes the link": "symlink ../outside/secret.txt 3 mine + " + _open("mine"),
    "guest makes an absolute link": "symlink /etc/passwd 3 mine + " + _open("mine"),
    "guest makes a chain": "symlink .. 3 sub/a + symlink a/.. 3 sub/b + " + _open("sub/b/outside/secret.txt"),
    "from a subdirectory's descriptor": _OPEN_SUB + " + " + _open("../../outside/secret.txt", fd="4"),
    "a subdirectory's parent": _OPEN_SUB + " + " + _open("../file.txt", fd="4"),
    "subdirectory renamed while open": _OPEN_SUB + " + rename 3 sub 3 moved + " + _open("../file.txt", fd="4"),
    "mkdir": "mkdir 3 ../outside/made",
    "mkdir through a link": "mkdir 3 up/made",
    "mkdir at a dangling link": "mkdir 3 dangling",
    "mkdir absolute": "mkdir 3 /tmp/made-by-a-guest",
    "rmdir": "rmdir 3 ../outside/dir",
    "rmdir through a link": "rmdir 3 up/dir",
    "rmdir the start": "rmdir 3 .",
    "unlink": "unlink 3 ../outside/secret.txt",
    "unlink through a link": "unlink 3 abs/secret.txt",
    "unlink through a link, slash": "unlink 3 up_file/",
    "rename out": "rename 3 file.txt 3 ../outside/stolen.txt",
    "rename out through a link": "rename 3 file.txt 3 up/stolen.txt",
    "rename in": "rename 3 ../outside/secret.txt 3 stolen.txt",
    "rename in through a link": "rename 3 up/secret.txt 3 stolen.txt",
    "hard link in": "link 3 0 ../outside/secret.txt 3 stolen.txt",
    "hard link in through a link": "link 3 0 abs/secret.txt 3 stolen.txt",
    "hard link in, link followed": "link 3 1 up_file 3 stolen.txt",
    "hard link out": "link 3 0 file.txt 3 ../outside/leaked.txt",
    "symlink out": "symlink x 3 ../outside/link",
    "symlink out through a link": "symlink x 3 up/link",
    "readlink": "readlink 3 ../outside/link",
    "readlink through a link": "readlink 3 up/link",
    "stat": "stat 3 0 ../outside/secret.txt",
    "stat through a link": "stat 3 0 up/secret.txt",
    "stat a link, followed": "stat 3 1 up_file",
    "stat a link, slash": "stat 3 0 up/",
    "times": "times 3 0 ../outside/secret.txt",
    "times through a link": "times 3 0 abs/secret.txt",
    "times of a link, followed": "times 3 1 up_file",
    "file as a directory": _open("file.txt/../file.txt"),
    "file with a slash": _open("file.txt/"),
    "NUL": _open("file.txt%00/../../outside/secret.txt"),
    "NUL at the end": _open("file.txt%00"),
    "empty": _open(""),
    "not UTF-8": _open("%ff%fe"),
    "a name too long": _open("y" * 300),
    "4096 bytes": _open("sub/../" * 585 + "z"),
    "longer than any path": _open(_LONG),
    "closed descriptor": _OPEN_SUB + " + close 4 + " + _open("leaf.txt", fd="4"),
    "closed start": "close 3 + " + _open("file.txt"),
    "closed and reused for a file": _OPEN_SUB + " + close 4 + " + _open("file.txt") + " + " + _open("leaf.txt", fd="4"),
    "a file as the start": _open("file.txt") + " + " + _open("leaf.txt", fd="4"),
    "a stream as the start": _open("file.txt", fd="1"),
    "no descriptor": _open("file.txt", fd="77"),
    "largest descriptor": _open("file.txt", fd="4294967295"),
    "renumbered away": _OPEN_SUB + " + renumber 4 3 + " + _open("file.txt", fd="4"),
    "write without the right": _open("file.txt") + " + write 4",
    "prestat of what is not preopened": _OPEN_SUB + " + prestat 4",
}

ATTEMPTS = tuple(Attempt(name, tuple(text.split(" "))) for name, text in _ROWS.items())


def lay_out(base: Path) -> Path:
    """Make the tree of the module's docstring below `base`; the directory to preopen."""
    outside, inside = base / "outside", base / "inside"
    (outside / "dir").mkdir(parents=True)
    (outside / "secret.txt").write_text("secret")
    (outside / "dir" / "inner.txt").write_text("inner")
    (outside / "link").symlink_to("dir/inner.txt")
    (inside / "sub").mkdir(parents=True)
    (inside / "file.txt").write_text("public")
    (inside / "sub" / "leaf.txt").write_text("leaf")
    links = {
        "abs": str(outside),
        "abs_file": str(outside / "secret.txt"),
        "up": "../outside",
        "up_file": "../outside/secret.txt",
        "c1": "c2",
        "c2": "c3",
        "c3": "c4",
        "c4": "../outside/secret.txt",
        "sub/deep": "../../outside",
        "sub/zig": "../sub/../../outside/secret.txt",
        "dangling": "../outside/new.txt",
        "proc": "/proc/self/root",
        "fd": "/proc/self/fd/0",
        "loop": "loop",
        "round": "round2",
        "round2": "round",
        "here": ".",
        "climb": "here/here/../../outside/secret.txt",
        **{f"many{n}": f"many{n + 1}" for n in range(60)},
        "many60": "file.txt",
    }
    for name, target in links.items():
        (inside / name).symlink_to(target)
    return inside


def snapshot(base: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Everything outside: kind, modification time, link count and content of each name."""
    found = {}
    for folder, names, files in os.walk(base / "outside"):
        for name in (*names, *files):
            path = Path(folder, name)
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_nlink, content)
    return found


@contextmanager
def renames(inside: Path) -> Iterator[None]:
    """A host program swaps the directory `flip` (with a decoy in it) for a link to the outside, again and again."""
    (inside / "flip").mkdir()
    (inside / "flip" / "secret.txt").write_text("decoy!")
    (inside / "bait").symlink_to("../outside")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (inside / "flip").rename(inside / "real")
            (inside / "bait").rename(inside / "flip")
            (inside / "flip").rename(inside / "bait")
            (inside / "real").rename(inside / "flip")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        yield
    finally:
        stop.set()
        swapper.join()
