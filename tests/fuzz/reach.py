"""Which branches of the translator random programs reach: the measure of the generators.

    python -m tests.fuzz.reach --count 300

Runs `count` programs of each generator (or of those named) and prints, for each file of `wasm2oci/engine/translate`,
the share of its branches that were taken and the lines, and the jumps between lines, that were not. Add to the
generators what would take them, or remove what cannot be taken. Code that is kept on disk has its own tests, and
`cache.py` is left out; so is what the checker raises, which only a fault of the translator would reach.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import coverage

FOLDER = Path(__file__).resolve().parents[2] / "wasm2oci" / "engine" / "translate"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="programs of each generator")
    parser.add_argument("--seed", type=int, default=2026, help="the first one; the others follow it")
    parser.add_argument("generators", nargs="*", help="all of them without")
    given = parser.parse_args()
    tracer = coverage.Coverage(
        data_file=None, config_file=False, branch=True, include=[f"{FOLDER}/*"], omit=[f"{FOLDER}/cache.py"]
    )
    for text in ("raise ControlFlowError", r"raise AssertionError\(", r"raise TypeError\(", "def __repr__"):
        tracer.exclude(text)
    tracer.start()
    # The translator is imported by what follows: its definitions are lines to reach, too.
    from tests.support.generators.catalogue import GENERATORS, disagreements

    found = 0
    for name in given.generators or GENERATORS:
        found += sum(1 for _ in disagreements(name, given.seed, given.count))
    tracer.stop()
    tracer.report(show_missing=True, file=sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
