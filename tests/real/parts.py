"""A program on both engines; where Go's tests go over the budget of the embedded engine, in parts.

The first part is all tests. A test that is running when the budget ends is the first of the next part, with a budget
for itself, and what had ended is skipped there. A test that takes the whole budget and does not end is left out, by
name, and the second engine runs what is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tests.real.runs import ENGINES, OVER, counted, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.real.runs import Program, Run

__all__ = ["Both", "both"]

_VERDICT: Final = re.compile(rb"--- \w+: ([^\s/]+)(/?)")


@dataclass(frozen=True, slots=True)
class Both:
    """What came of a program.

    Attributes:
        ours: on the embedded engine; of parts, all together.
        theirs: on wasmtime.
        left_out: the tests that did not end within the budget of the embedded engine.
        parts: how many runs the embedded engine needed.
    """

    ours: Run
    theirs: Run
    left_out: tuple[str, ...] = ()
    parts: int = 1

    @property
    def same(self) -> bool:
        """Whether the engines agree."""
        return self.ours.code == self.theirs.code and self.ours.output == self.theirs.output


def both(program: Program, cache: Path, runner: Callable[[Program, str, Path], Run] = run) -> Both:
    """Runs a program on both engines."""
    ours, theirs = ENGINES
    if program.reads != "go":
        return Both(runner(program, ours, cache), runner(program, theirs, cache))
    done: list[Run] = []
    left_out: list[str] = []
    ended: list[str] = []
    while True:
        part = runner(_without(program, [*ended, *left_out]), ours, cache)
        if part.code != OVER:
            break
        more = [name.decode() for name, subtest in _VERDICT.findall(part.output) if not subtest]
        if not (more or part.running):
            break  # it did not come to its first test
        if not more:
            left_out.append(part.running)
        ended += more
        done.append(_of_the_ended(part, more))
    return Both(
        _together([*done, part]),
        runner(_without(program, left_out), theirs, cache),
        tuple(left_out),
        len(done) + 1,
    )


def _without(program: Program, names: Iterable[str]) -> Program:
    """The program, less some tests."""
    left = "|".join(names)
    return replace(program, skips="|".join(filter(None, [program.skips, left and f"^({left})$"])))


def _of_the_ended(part: Run, ended: list[str]) -> Run:
    """A run that was broken off, with the verdicts of the tests that ended: a subtest may end before its test."""
    names = {name.encode() for name in ended}
    lines = [line for line in part.output.splitlines() if (found := _VERDICT.match(line)) and found[1] in names]
    failed = any(line.startswith(b"--- FAIL") for line in lines)
    return replace(part, code=int(failed), output=b"\n".join(lines), verdicts=counted(lines))


def _together(parts: list[Run]) -> Run:
    lines = sorted(line for part in parts for line in part.output.splitlines())
    return replace(
        parts[-1],
        code=parts[-1].code or max(part.code for part in parts),
        output=b"\n".join(lines),
        verdicts=counted(lines),
        seconds=sum(part.seconds for part in parts),
        megabytes=max(part.megabytes for part in parts),
    )
