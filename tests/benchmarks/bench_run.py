"""`wasm2oci run` as a whole process: a Go hello of 2.6 MB on both engines, beside bare Python and wasmtime.

`bench_engine.py --go` has the embedded engine beside pwasm on the same program.

    python -m tests.benchmarks.bench_run [--go HELLO.wasm]

Everything runs in processes of its own and in turn, with warm caches; the best of several counts, as wall time and as
processor time of the process. The Go program is built with `go` when it is not given.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.programs import go_hello

ROUNDS = 12


def spent(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--go", type=Path)
    program = str(parser.parse_args().go or go_hello())
    python = sys.executable
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home, "XDG_CACHE_HOME": str(Path(home) / "cache")}
        run = [python, "-m", "wasm2oci", "run"]
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "python -c 'import wasmtime'": [python, "-c", "import wasmtime"],
            "wasm2oci run (wasmtime)": [*run, program],
            "wasm2oci run (embedded)": [*run, "--engine", "embedded", program],
        }
        best = dict.fromkeys(commands, (9000000000.0, 9000000000.0))
        for number in range(ROUNDS + 1):
            for name, command in commands.items():
                wall, cpu = spent(command, env)
                if number:  # the first round fills the caches
                    best[name] = (min(best[name][0], wall), min(best[name][1], cpu))
    base = best["python -c 'import wasmtime'"]
    print(f"{'process':32}{'wall ms':>9}{'cpu ms':>9}{'wall ratio':>12}{'cpu ratio':>11}")
    for name, (wall, cpu) in best.items():
        print(f"{name:32}{wall * 1e3:9.1f}{cpu * 1e3:9.1f}{wall / base[0]:12.2f}{cpu / base[1]:11.2f}")


if __name__ == "__main__":
    main()
