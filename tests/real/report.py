"""Runs real programs and prints a row for each, and one for each group: what agreed, and how long it took.

    python -m tests.real.report [GROUP...]

A group is named by the first word of its programs' names; a whole name is a group of one. Times are seconds of
processor time: of the first program that runs a module also without kept code ("cold"), of all of them with the code
that an earlier run left. Go's tests are run cold only, those that take long in parts (see `tests.real.parts`). Where
engines differ, the end of what each wrote goes to standard error.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.parts import both
from tests.real.programs import programs
from tests.real.runs import ENGINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.real.runs import Program


def counts(found: Counter[str]) -> str:
    """`12 PASS, 1 SKIP`."""
    return ", ".join(f"{number} {verdict}" for verdict, number in sorted(found.items()))


def row(program: Program, cache: Path, *, cold: bool) -> tuple[bool, Counter[str], list[float]]:
    """Runs a program, prints its row, and returns whether the engines agree, the verdicts, and the seconds."""
    found = first = both(program, cache)
    again = not cold or program.group != "go"
    if cold and again:
        found = both(program, cache)
    ours, theirs, same = found.ours, found.theirs, found.same
    verdicts = counts(ours.verdicts) or f"exit {ours.code}"
    if not same:
        for engine, once in zip(ENGINES, (ours, theirs), strict=True):
            print(f"{program.name} on {engine} ended with {once.code}:\n{once.text}", file=sys.stderr)
        verdicts += f" (wasmtime: {counts(theirs.verdicts) or f'exit {theirs.code}'})"
    if found.parts > 1:
        verdicts += f", in {found.parts} parts"
    if found.left_out:
        verdicts += f", did not end: {', '.join(found.left_out)}"
    times = [f"{once.seconds:.1f}" if cold else "" for once in (first.ours, first.theirs)]
    kept = [f"{once.seconds:.1f}" if again else "" for once in (ours, theirs)]
    memory = [f"{once.megabytes:.0f}" for once in (first.ours, first.theirs)]
    cells = [program.name, "yes" if same else "NO", verdicts, times[0], kept[0], times[1], kept[1], *memory]
    print(f"| {' | '.join(cells)} |", flush=True)
    return same, ours.verdicts, [ours.seconds, theirs.seconds]


def report(group: str, members: Sequence[Program]) -> None:
    """Prints the rows of a group."""
    agreed, verdicts, seconds = 0, Counter[str](), [0.0, 0.0]
    with tempfile.TemporaryDirectory() as cache:
        modules = set()
        for program in members:
            same, more, used = row(program, Path(cache), cold=program.module not in modules)
            modules.add(program.module)
            agreed += same
            verdicts += more
            seconds = [a + b for a, b in zip(seconds, used, strict=True)]
    ours, theirs = seconds
    name = f"**{group}**: {agreed} of {len(members)}"
    print(f"| {name} | | {counts(verdicts)} | | {ours:.1f} | | {theirs:.1f} | | |", flush=True)


def main(groups: Sequence[str]) -> None:
    """The command."""
    print("| program | same | verdicts | embedded cold | kept | wasmtime cold | kept | MB embedded | MB wasmtime |")
    print("|---|---|---|---|---|---|---|---|---|")
    for group, found in groupby(programs(), key=attrgetter("group")):
        wanted = [p for p in found if p.module.exists() and (not groups or group in groups or p.name in groups)]
        if wanted:
            report(group, wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
