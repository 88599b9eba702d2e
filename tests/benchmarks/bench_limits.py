"""How late hostile guests end, and how much memory they get: `python tests/benchmarks/bench_limits.py [WORD...]`.

Each module of `tests.support.hostile_guests`, on both engines, is run by the command in a fresh process with
`--timeout 1s --max-memory 64MiB`. A row has the wall-clock seconds after those of `--timeout` (the start of Python and
the loading of the module included), the processor time of the command and its children, and the largest memory of one
of its processes. Each run is done up to three times, until one is within the bars: other processes of the machine can
only add. The exit code is the number of rows above a bar.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.data import ROOT

TIMEOUT_S = 1.0
MAX_MEMORY = 64
LATE_S = 1.5
"""Bar: seconds after `--timeout`."""
ALLOWANCE = 250
"""Bar: MiB beside `--max-memory`."""
TRIES = 3
HUNG_S = 300


_NAMES = "from tests.support.hostile_guests import HOSTILE; print(*HOSTILE, sep=chr(10))"
_MAKE = """import sys
from tests.support.hostile_guests import HOSTILE
open(sys.argv[2], "wb").write(HOSTILE[sys.argv[1]]())"""
"""In processes of their own: the system counts what a process had as that of its children as well, until they begin."""


class Ended(NamedTuple):
    """Exit code, seconds after the time-out, seconds of processor time, MiB of the largest process."""

    code: int
    late: float
    processor: float
    peak: int

    @property
    def within(self) -> bool:
        """Whether both bars hold."""
        return self.late <= LATE_S and self.peak < MAX_MEMORY + ALLOWANCE


def run(module: Path, engine: str) -> Ended:
    """Run the command on this module."""
    limits = ["--timeout", f"{TIMEOUT_S}s", "--max-memory", f"{MAX_MEMORY}MiB"]
    command = [sys.executable, "-m", "wasm2oci", "run", "--no-code-cache", "--engine", engine, *limits, str(module)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(process.returncode, took - TIMEOUT_S, usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10)


def main() -> int:
    """Print a line for each module and engine; the number of those above a bar."""
    wanted, above = sys.argv[1:], 0
    print(f"{'guest':42} {'engine':9} {'exit':>4} {'late s':>7} {'cpu s':>6} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "hostile.wasm"
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "wasm2oci", "version"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        print(f"{'(the command alone, for comparison)':67} {time.perf_counter() - start:7.2f}")
        names = subprocess.run([sys.executable, "-c", _NAMES], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        for name in names.stdout.splitlines():
            if wanted and not any(word in name for word in wanted):
                continue
            subprocess.run([sys.executable, "-c", _MAKE, name, module], cwd=ROOT, check=True)
            for engine in ("embedded", "wasmtime"):
                ends: list[Ended] = []
                while len(ends) < TRIES and not any(end.within for end in ends):
                    ends.append(run(module, engine))
                best = min(ends, key=lambda end: end.late)
                above += not best.within
                mark = "" if best.within else "  ABOVE"
                print(
                    f"{name:42} {engine:9} {best.code:4} {best.late:7.2f} {best.processor:6.2f} {best.peak:9}{mark}",
                    flush=True,
                )
    return above


if __name__ == "__main__":
    sys.exit(main())
