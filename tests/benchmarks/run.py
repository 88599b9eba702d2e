"""Run every benchmark of this folder, one after the other.

    python tests/benchmarks/run.py [NAME ...]      NAME is `transfer` for bench_transfer.py; none means all

Each prints ratios against other tools in the same run, because seconds say little about another machine. What a
benchmark takes as options, `python tests/benchmarks/bench_NAME.py --help` says.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run them; how many failed is the exit code."""
    names = sys.argv[1:] or sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    environ = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    failed = 0
    for name in names:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, HERE / f"bench_{name}.py"], env=environ, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
