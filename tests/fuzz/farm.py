"""The fuzz farm: parsers, the client against a hostile registry, the server against hostile clients, hostile guests.

    python -m tests.fuzz.farm [--seconds 20] [--cases 20000] [--seed 1] [TARGET...]
                                                                    each target for so long and so many; all by default
    python -m tests.fuzz.farm --seed 1 --case 1234 TARGET               one case again

A case is made from the seed, the target's name and its number, and nothing else. It fails when anything but an error of
ours comes out, when it takes more than `CPU_SECONDS` of processor time, or when memory grows beyond `GROWTH` over a
target. The exit code is the number of targets that failed.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Final

from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

__all__ = ["CPU_SECONDS", "GROWTH", "HangError", "main", "run_case"]

CPU_SECONDS: Final = 5.0
"""Processor time of one case; what is honest takes milliseconds."""
GROWTH: Final = 300 << 20
"""Bytes that the process may grow over a target."""


class HangError(Exception):
    """A case took more processor time than any may."""


def run_case(name: str, seed: int, number: int) -> None:
    """One case of one target.

    Raises:
        Exception: what the case found.
    """
    target = TARGETS[name]

    def expired(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise HangError(f"more than {CPU_SECONDS} s")

    before = signal.signal(signal.SIGPROF, expired)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        target(random.Random(f"{seed}:{name}:{number}"))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _numbers(seconds: float, most: int | None) -> Iterator[int]:
    until = time.monotonic() + seconds
    for number in itertools.count() if most is None else range(most):
        if time.monotonic() >= until:
            return
        yield number


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _run(name: str, seed: int, numbers: Iterator[int]) -> bool:
    """Whether the target found nothing."""
    count, before = 0, _memory()
    for number in numbers:
        try:
            run_case(name, seed, number)
        except Exception:  # noqa: BLE001 - anything is a find
            print(f"{name}: FOUND by --seed {seed} --case {number} {name}", flush=True)
            traceback.print_exc()
            return False
        count += 1
    grown = _memory() - before
    print(f"{name:24} {count:9,} cases, memory grew by {grown >> 20} MiB", flush=True)
    if grown > GROWTH:
        print(f"{name}: FOUND: memory grew by more than {GROWTH >> 20} MiB", flush=True)
    return grown <= GROWTH


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the farm; the exit code."""
    parser = argparse.ArgumentParser(description="The fuzz farm.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--cases", type=int, default=None, help="so that a fast machine finds what a slow one does")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, default=None)
    given = parser.parse_args(arguments)
    names = given.targets or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    failed = 0
    for name in names:
        numbers = iter((given.case,)) if given.case is not None else _numbers(given.seconds, given.cases)
        failed += not _run(name, given.seed, numbers)
    return failed


if __name__ == "__main__":
    sys.exit(main())
