"""Transcripts: what a user types and sees, as files in fixtures/cli.

    # Comments say what it shows. `# registry: open` starts one, `# registry: private` wants the password of alice.
    $ wasm2oci push hello.wasm registry.x:5000/hello:v1
    Pushed: ...                   standard output
    ! Uploaded ...                standard error
    = 0                           exit code, when it is not 0

Commands: the two of ours (`< FILE` gives standard input, `NAME=VALUE` before them the environment, `> FILE` takes the
output), `ls`, `write FILE TEXT`, `mkdir`, and `damage FILE` (changes its last byte). The registry's real address is
written as `registry.x:5000`, which is as long, so that carets stay where they point.
"""

import contextlib
import hmac
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cli.support import Ran, invoke
from tests.support.registry_server import registry_server
from wasm2oci.server.access import BasicAccess

__all__ = ["HELLO", "SHOWN_ADDRESS", "Transcript", "play"]

SHOWN_ADDRESS: Final = "registry.x:5000"

HELLO: Final = bytes.fromhex(
    "0061736d0100000001050160000 17f030201000707010372756e00000a06010400412a0b".replace(" ", "")
)
"""(module (func (export "run") (result i32) i32.const 42))"""


_STATUS: Final = ("Uploaded ", "Exists ", "Copied ", "Mounted ", "Checked ")


@dataclass(frozen=True)
class _Passwords:
    """Alice's password."""

    known: dict[str, str] = field(default_factory=lambda: {"alice": "wonderland"})

    def check(self, user: str, password: str, peer: str = "") -> bool:
        """Whether it is the user's."""
        del peer
        return hmac.compare_digest(self.known.get(user, "\0").encode(), password.encode())


@dataclass(frozen=True)
class Transcript:
    """A file: comments and commands; what commands printed is left out."""

    lines: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Transcript":
        """Keep what a user wrote: comments, empty lines and commands."""
        return cls(tuple(line for line in text.splitlines() if not line or line[0] in "#$"))

    @property
    def registry(self) -> str | None:
        """Which registry it wants, if any."""
        return next((line.split(":")[1].strip() for line in self.lines if line.startswith("# registry:")), None)


def play(text: str, folder: Path) -> str:
    """Run every command of a transcript in this folder, and return the transcript as it is now."""
    transcript = Transcript.read(text)
    work = folder / "work"
    work.mkdir()
    (work / "hello.wasm").write_bytes(HELLO)
    with _registry(transcript.registry) as address:
        shown: list[str] = []
        for line in transcript.lines:
            if line.startswith("$ "):
                while shown and not shown[-1]:
                    shown.pop()
                if shown:
                    shown.append("")
                shown.append(line)
                shown.extend(_shown(_run(line[2:], work, folder, address), address, folder))
            else:
                shown.append(line)
    while shown and not shown[-1]:
        shown.pop()
    return "\n".join(shown) + "\n"


@contextlib.contextmanager
def _registry(kind: str | None) -> Iterator[str | None]:
    if kind is None:
        yield None
        return
    access = BasicAccess(_Passwords()) if kind == "private" else None
    with registry_server(access=access) as registry:
        assert len(registry.address) == len(SHOWN_ADDRESS)
        yield registry.address


def _run(line: str, work: Path, folder: Path, address: str | None) -> Ran:
    words = shlex.split(line.replace(SHOWN_ADDRESS, address) if address else line)
    env = {"HOME": str(folder / "home")}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        env[name] = value
    program, *arguments = words
    stdin, target = b"", None
    if "<" in arguments:
        at = arguments.index("<")
        stdin = (work / arguments[at + 1]).read_bytes()
        del arguments[at : at + 2]
    if ">" in arguments:
        at = arguments.index(">")
        target = work / arguments[at + 1]
        del arguments[at : at + 2]
    match program:
        case "wasm2oci" | "wasm-to-oci":
            ran = invoke(*arguments, stdin=stdin, env=env, cwd=work, program=program)
        case "ls":
            names = sorted(path.name + ("/" if path.is_dir() else "") for path in work.iterdir())
            ran = Ran(0, "".join(f"{name}\n" for name in names).encode(), "")
        case "damage":
            path = work / arguments[0]
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)
            ran = Ran(0, b"", "")
        case "write":
            (work / arguments[0]).write_text(arguments[1])
            ran = Ran(0, b"", "")
        case "mkdir":
            (work / arguments[0]).mkdir()
            ran = Ran(0, b"", "")
        case _:
            raise AssertionError(f"a transcript has no command {program}")
    if target is not None:
        target.write_bytes(ran.stdout_bytes)
        ran = Ran(ran.code, b"", ran.stderr)
    return ran


def _shown(ran: Ran, address: str | None, folder: Path) -> Iterator[str]:
    def clean(text: str) -> str:
        text = text.replace(str(folder), "FOLDER")
        return text.replace(address, SHOWN_ADDRESS) if address else text

    for line in clean(ran.stdout).splitlines():
        yield line
    status: list[str] = []
    for line in [*clean(ran.stderr).splitlines(), ""]:
        if line.startswith(_STATUS):
            status.append(line)
            continue
        # Blobs move in parallel: which is done first is chance. Manifests come last.
        yield from (f"! {text}" for text in sorted(status, key=lambda text: (" manifest " in text, text)))
        status.clear()
        if line:
            yield f"! {line}"
    if ran.code:
        yield f"= {ran.code}"
