"""One run of a program in a fresh process, through the command line as a user would; and what is compared of two."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ENGINES", "OVER", "Program", "Run", "counted", "run"]

ENGINES: Final = ("embedded", "wasmtime")
OVER: Final = -signal.SIGXCPU
"""The exit code of a run whose budget ended first."""
_OVER: Final = re.compile(rb"^error: the engine's process ended by SIGXCPU", re.MULTILINE)
_CHANGING: Final = ((re.compile(rb"\(\d+\.\d+s\)"), b"()"), (re.compile(rb"in \d+\.\d+s"), b"in s"))
_FRAME: Final = re.compile(rb"^ +(?:\d+: .*|\.\.\. \d+ more \.\.\.)\n", re.MULTILINE)
_GO_VERDICT: Final = re.compile(rb"^ *--- (PASS|FAIL|SKIP): \S+", re.MULTILINE)
_GO_TEST: Final = re.compile(rb"^=== (?:RUN|CONT|NAME) +([^\s/]+)", re.MULTILINE)
_PYTHON_VERDICT: Final = re.compile(rb"^(test\w+ .*?(?:\n.*?)?)\.\.\. (ok|FAIL|ERROR|skipped.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run on both engines.

    Attributes:
        name: unique; the part before the first space is its group (see `sources.GROUPS`).
        module: the file.
        args: its arguments.
        dirs: folders it may use, as `--dir` writes them; `{tmp}` is a fresh one.
        env: its variables.
        stdin: a file to read.
        writes: a file in `{tmp}` that is compared like its output; "" for none.
        reads: how its output is compared: "all" of it, or the verdicts of "go" or "python" tests, which come in any
            order and are counted.
        skips: which of Go's tests are not run, as `-test.skip` writes it; "" for none.
        sample: run by `.ci/run`.
        budget: seconds of processor time it may take on an engine.
        ends: the exit code it must end with; None: both engines' must only be the same.
        flags: other options of `run`.
    """

    name: str
    module: Path
    args: tuple[str, ...] = ()
    dirs: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    stdin: Path | None = None
    writes: str = ""
    reads: str = "all"
    skips: str = ""
    sample: bool = False
    budget: int = 300
    ends: int | None = 0
    flags: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What it belongs to."""
        return self.name.split()[0]


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one.

    Attributes:
        code: the exit code.
        output: what is compared.
        verdicts: how many of the tests it runs itself passed, failed or were skipped; empty for others.
        seconds: of processor time.
        megabytes: the most memory it had.
        text: the end of all it wrote, for a failure's message.
        running: of Go's tests the one that began last.
    """

    code: int
    output: bytes
    verdicts: Counter[str]
    seconds: float
    megabytes: float
    text: str
    running: str = ""


def run(program: Program, engine: str, cache: Path) -> Run:
    """Runs a program.

    Args:
        program: what to run.
        engine: one of `ENGINES`.
        cache: where the engine may keep code: an empty folder for a cold run.
    """
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, "-m", "wasm2oci", "run", "--engine", engine, "--max-memory", "2GiB"]
        command += program.flags
        for directory in program.dirs:
            command += ["--dir", directory.replace("{tmp}", scratch)]
        for variable in program.env:
            command += ["--env", variable]
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        with (program.stdin or Path(os.devnull)).open("rb") as standard:
            child = subprocess.Popen(
                [
                    *command,
                    str(program.module),
                    *program.args,
                    *([f"-test.skip={program.skips}"] if program.skips else []),
                ],
                stdin=standard,
                stdout=out,
                stderr=err,
                env=environment,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (program.budget, program.budget + 5)),  # noqa: PLW1509 - nothing runs beside it
            )
            _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        written, complained = out.read(), err.read()
        left = Path(scratch) / program.writes
        made = left.read_bytes() if program.writes and left.exists() else b""
    output, verdicts = _compared(program, written, complained)
    output += made
    return Run(
        OVER if _OVER.search(complained) else child.returncode,
        output,
        verdicts,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1024,
        (written[-1500:] + complained[-1500:]).decode("utf-8", "replace"),
        _GO_TEST.findall(written)[-1].decode() if program.reads == "go" and _GO_TEST.search(written) else "",
    )


def counted(lines: Iterable[bytes]) -> Counter[str]:
    """How many of Go's tests have each verdict, of lines `--- PASS: TestName`."""
    return Counter(line.split()[1].rstrip(b":").decode() for line in lines)


def _compared(program: Program, written: bytes, complained: bytes) -> tuple[bytes, Counter[str]]:
    if program.reads == "go":
        lines = sorted(match.group().strip() for match in _GO_VERDICT.finditer(written))
        return b"\n".join(lines), counted(lines)
    if program.reads == "python":
        found = _PYTHON_VERDICT.findall(complained)
        verdicts = Counter(verdict.split()[0].decode() for _, verdict in found)
        return b"\n".join(sorted(b" ".join(pair) for pair in found)), verdicts
    text = written + b"\n-- standard error --\n" + _FRAME.sub(b"", complained)
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text, Counter()
