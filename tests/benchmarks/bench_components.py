"""Commands that are components, on both engines: processor time and peak memory of `wasm2oci run`, cold and warm.

    python -m tests.benchmarks.bench_components [FILE ...]

Cold is with an empty folder of kept code, warm the best of three runs after that. Without files, those of `fixtures/`
are taken; fixtures/README.md says how larger ones are made. Both engines have to print the same.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.support.programs import FIXTURES

ENGINES = ("embedded", "wasmtime")
WARM_RUNS = 3


class Spent(NamedTuple):
    """What a process took, and what it printed."""

    seconds: float
    peak_mib: float
    output: bytes


def spent(command: list[str], env: dict[str, str]) -> Spent:
    """Run a process to its end."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stdin=subprocess.DEVNULL, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} ended with {process.returncode}")
        out.seek(0)
        return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read())


def main() -> None:
    """Measure and print."""
    files = [Path(name) for name in sys.argv[1:]] or [FIXTURES / "calls.component.wasm"]
    print(f"{'component':28}{'bytes':>12}  {'engine':9}{'cold s':>8}{'MiB':>6}{'warm s':>8}{'MiB':>6}")
    for file in files:
        outputs = set()
        for engine in ENGINES:
            with tempfile.TemporaryDirectory() as home:
                env = {**os.environ, "HOME": home, "XDG_CACHE_HOME": str(Path(home) / "cache")}
                command = [sys.executable, "-m", "wasm2oci", "run", "--engine", engine, str(file)]
                cold = spent(command, env)
                warm = min(spent(command, env) for _ in range(WARM_RUNS))
                outputs |= {cold.output, warm.output}
            print(
                f"{file.name:28}{file.stat().st_size:12,}  {engine:9}{cold.seconds:8.2f}{cold.peak_mib:6.0f}"
                f"{warm.seconds:8.2f}{warm.peak_mib:6.0f}",
                flush=True,
            )
        if len(outputs) != 1:
            raise SystemExit(f"{file} does not print the same on both engines")


if __name__ == "__main__":
    main()
