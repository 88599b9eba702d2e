"""Runs real programs and prints a row for each group: what passed, and how long it took beside wasmtime.

    python -m tests.real.report [GROUP...]

Times are seconds of processor time, cold and with the engine's code kept from the first run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.real.programs import programs
from tests.real.runs import ENGINES, run

if TYPE_CHECKING:
    from collections import Counter

    from tests.real.runs import Program, Run


def measured(program: Program) -> dict[str, tuple[Run, Run]]:
    """For each engine a cold run, and one after it."""
    runs = {}
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as cache:
            cold = run(program, engine, Path(cache))
            warm = run(program, engine, Path(cache)) if cold.code >= 0 else cold
        runs[engine] = (cold, warm)
    return runs


def counts(found: Counter[str]) -> str:
    """`PASS 12, SKIP 1`."""
    return ", ".join(f"{number} {verdict}" for verdict, number in sorted(found.items()))


def main(groups: list[str]) -> None:
    """The command."""
    print("| program | same | tests | embedded cold | kept | wasmtime cold | kept | MB embedded | MB wasmtime |")
    print("|---|---|---|---|---|---|---|---|---|")
    for program in programs():
        if program.module.exists() and (not groups or program.group in groups):
            runs = measured(program)
            (ours, again), (theirs, theirs_again) = (runs[engine] for engine in ENGINES)
            same = all(one.code == theirs.code and one.output == theirs.output for one in (ours, again))
            times = [f"{one.seconds:.1f}" for one in (ours, again, theirs, theirs_again)]
            verdicts = counts(ours.verdicts) or f"exit {ours.code}"
            if not same:
                verdicts += f" (wasmtime: {counts(theirs.verdicts) or f'exit {theirs.code}'})"
            cells = [program.name, "yes" if same else "NO", verdicts, *times]
            print(f"| {' | '.join(cells)} | {ours.megabytes:.0f} | {theirs.megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
