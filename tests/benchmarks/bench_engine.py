"""The embedded engine beside its peers: eight kernels, and the time to the first result of a Go program.

    python tests/benchmarks/bench_engine.py [--go HELLO.wasm] [--no-pywasm] [KERNEL ...]

Peers are `pwasm` and `pywasm` from PyPI, run in the same process and in turn, so that a busy machine slows all alike;
the best of several runs counts. The Go program is run in processes of its own, and CPU seconds are counted from the
first import on: cold, with an empty code cache, and warm, with the cache the run before left. Its host functions are
pwasm's small WASI for both engines.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.data import data_path

KERNELS = {
    "fib": 24,
    "sieve": 30000,
    "matmul": 16,
    "mandel": 32,
    "mix": 20000,
    "i64loop": 50000,
    "sha256": 40,
    "core": 3,
}
ROUNDS = 9
GO_RUNS = 5

Run = Callable[[int], Any]


def ours(data: bytes) -> Run:
    """Our engine, as an embedder would use it, less the conversion of arguments."""
    from wasm2oci.engine.embed import Engine, Linker, Module

    engine = Engine()
    return Linker(engine).instantiate(Module(engine, data)).function("run").invoke


def pwasm(data: bytes) -> Run:
    """pwasm, compiled."""
    import pwasm

    run: Run = pwasm.instantiate(pwasm.decode_module(data)).exports["run"]
    run(1)
    run(1)
    return run


def pywasm(data: bytes) -> Run:
    """pywasm, an interpreter."""
    import pywasm

    runtime = pywasm.core.Runtime()
    with tempfile.NamedTemporaryFile(suffix=".wasm") as file:
        file.write(data)
        file.flush()
        instance = runtime.instance_from_file(file.name)
    return lambda n: runtime.invocate(instance, "run", [n])


def best(run: Run, n: int, rounds: int) -> float:
    """Seconds of processor time of the fastest of several runs: what else the machine does counts less."""
    seconds = math.inf
    for _ in range(rounds):
        started = time.process_time()
        run(n)
        seconds = min(seconds, time.process_time() - started)
    return seconds


def kernels(names: list[str], *, slow: bool) -> None:
    """Prints a line for each kernel, and geometric means."""
    print(
        f"{'kernel':10}{'ours ms':>10}{'pwasm ms':>10}{'ratio':>7}" + (f"{'pywasm ms':>11}{'ratio':>7}" if slow else "")
    )
    logs: list[float] = []
    slow_logs: list[float] = []
    for name in names:
        data, n = data_path("kernels", f"{name}.wasm").read_bytes(), KERNELS[name]
        mine, theirs = ours(data), pwasm(data)
        mine(n)
        theirs(n)
        mine_s = theirs_s = math.inf
        for _ in range(ROUNDS):
            mine_s = min(mine_s, best(mine, n, 1))
            theirs_s = min(theirs_s, best(theirs, n, 1))
        logs.append(math.log(theirs_s / mine_s))
        line = f"{name:10}{mine_s * 1e3:10.3f}{theirs_s * 1e3:10.3f}{theirs_s / mine_s:7.2f}"
        if slow:
            slow_s = best(pywasm(data), n, 1)
            slow_logs.append(math.log(slow_s / mine_s))
            line += f"{slow_s * 1e3:11.1f}{slow_s / mine_s:7.0f}"
        print(line, flush=True)
    print(f"geometric mean over pwasm: {math.exp(sum(logs) / len(logs)):.2f}x")
    if slow:
        print(f"geometric mean over pywasm: {math.exp(sum(slow_logs) / len(slow_logs)):.0f}x")


_OURS = """
import sys, time
from pathlib import Path
from wasm2oci.engine.embed import Engine, Linker, Module
from pwasm.wasi import Exit, WasiLite
engine = Engine(cache=Path(sys.argv[2]))
module = Module(engine, Path(sys.argv[1]).read_bytes())
wasi = WasiLite()
linker = Linker(engine)
for item in module.imports:
    type_ = item.type.func
    host = wasi.lookup(item.name, bool(type_.results))
    linker.define_function(item.module, item.name, type_.params, type_.results, host, raw=True)
instance = linker.instantiate(module)
wasi.memory = instance.exports["memory"]
"""
_PWASM = """
import sys, time
import pwasm
from pwasm.wasi import Exit, WasiLite
module = pwasm.decode_module(open(sys.argv[1], "rb").read())
wasi = WasiLite()
instance = pwasm.instantiate(module, {"wasi_snapshot_preview1": wasi.imports(module)})
wasi.bind(instance)
"""
_START = {"ours": 'instance.function("_start").invoke()', "pwasm": 'instance.exports["_start"]()'}
_END = """
try:
    START
except Exit:
    pass
assert wasi.stdout, "no output"
print(time.process_time())
"""


def go(program: Path) -> None:
    """Prints CPU seconds to the first result, cold and warm."""
    for name, script in (("ours", _OURS), ("pwasm", _PWASM)):
        whole = script + _END.replace("START", _START[name])
        cold: list[float] = []
        warm: list[float] = []
        for _ in range(GO_RUNS):
            with tempfile.TemporaryDirectory() as folder:
                arguments = [sys.executable, "-c", whole, str(program), str(Path(folder, "code"))]
                environment = {**os.environ, "PWASM_CACHE_DIR": str(Path(folder, "pwasm"))}
                for times in (cold, warm, warm):
                    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
                    times.append(float(done.stdout))
        print(f"{program.name}: {name:6} cold {min(cold):.3f} s, warm {min(warm):.3f} s (CPU)", flush=True)


def main() -> None:
    """Reads the command line and runs what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", choices=[*KERNELS, []])
    parser.add_argument("--go", type=Path, help="a Go program built with GOOS=wasip1 GOARCH=wasm")
    parser.add_argument("--no-pywasm", action="store_true", help="leave the slow peer out")
    arguments = parser.parse_args()
    kernels(arguments.kernels or list(KERNELS), slow=not arguments.no_pywasm)
    if arguments.go:
        go(arguments.go)


if __name__ == "__main__":
    main()
