"""Looks for modules on which this engine and others disagree.

    python -m tests.fuzz.differential --generator flow --seed 1 --count 100000

A generator is one of `tests.support.generators.catalogue`, or `mutations`: modules changed at random, of which only the
verdict of the validator is compared. Each disagreement is printed: a random program as the smallest module found that
shows it, a mutation as the file it was left in. The exit code is 1 when there was one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.support.generators.catalogue import GENERATORS, disagreements
from tests.support.mutations import mutations
from tests.support.oracle import Oracle

CHUNK = 500


def mutated(count: int, seed: int) -> int:
    """Compares verdicts on mutations. Returns how many differ."""
    oracle, faults, valid = Oracle(), 0, 0
    folder = Path(tempfile.mkdtemp(prefix="wasm2oci-fuzz-"))
    for place, (name, data) in enumerate(mutations(seed, count)):
        try:
            ours: object = oracle.ours(data)
        except Exception as error:  # noqa: BLE001 - whatever escapes is what is looked for
            ours, escaped = error, True
        else:
            escaped = False
        theirs = oracle.theirs(data)
        valid += ours is None
        if escaped or (ours is None) != (theirs is None):
            faults += 1
            path = folder / f"{place}.wasm"
            path.write_bytes(data)
            print(f"{path}: mutation of {name}: ours {ours!r}, theirs {theirs!r}")
    print(f"{valid} of the mutations are valid")
    return faults


def _chunk(name: str, first: int, count: int, shrunk: int) -> list[str]:
    return [
        str(found) if place < shrunk else f";; generator {name}, seed {found.seeds}: not shrunk"
        for place, found in enumerate(disagreements(name, first, count))
    ]


def programs(name: str, count: int, seed: int, jobs: int, shrunk: int) -> int:
    """Compares what the programs with seeds from `seed` on do. Returns how many differ."""
    faults = 0
    chunks = [(first, min(CHUNK, seed + count - first)) for first in range(seed, seed + count, CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        for future in [pool.submit(_chunk, name, first, size, shrunk) for first, size in chunks]:
            for text in future.result():
                faults += 1
                print(text, flush=True)
    return faults


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="mutations", choices=["mutations", *GENERATORS])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2026, help="the first one; the others follow it")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--shrink", type=int, default=3, help=f"how many of each {CHUNK} programs to shrink")
    given = parser.parse_args()
    start = time.perf_counter()
    if given.generator == "mutations":
        faults = mutated(given.count, given.seed)
    else:
        faults = programs(given.generator, given.count, given.seed, given.jobs, given.shrink)
    seconds = time.perf_counter() - start
    print(f"{given.generator}, {given.count} from seed {given.seed}: {faults} disagreements; {seconds:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
