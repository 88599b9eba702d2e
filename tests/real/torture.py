"""gcc's own execution tests of C on both engines, in one process: a test ends with 0 where what it computes is right.

python -m tests.real.torture [FIRST [COUNT]]
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Final

import wasmtime

from tests.real import sources
from tests.support.processor_time import granted
from wasm2oci.engine import Engine, Linker, Module, Trap

__all__ = ["LONG", "embedded", "reference"]

FUEL: Final = 10_000_000
CPU_SECONDS: Final = 60
LONG: Final = "long"
"""It takes more fuel than is given, and is not compared."""

Outcome = tuple[int | str, bytes]
"""The exit code, `trap` or `LONG`; and what was written to standard output."""


@cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.consume_fuel = True
    return wasmtime.Engine(config)


def reference(data: bytes) -> Outcome:
    """What wasmtime does."""
    store = wasmtime.Store(_engine())
    store.set_fuel(FUEL)
    linker = wasmtime.Linker(_engine())
    linker.define_wasi()
    with tempfile.NamedTemporaryFile() as output:
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["test"]
        wasi.stdout_file = output.name
        store.set_wasi(wasi)
        instance = linker.instantiate(store, wasmtime.Module(_engine(), data))
        start = instance.exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        code: int | str = 0
        try:
            start(store)
        except wasmtime.ExitTrap as ended:
            code = ended.code
        except wasmtime.Trap as trap:
            code = LONG if trap.trap_code is wasmtime.TrapCode.OUT_OF_FUEL else "trap"
        return code, Path(output.name).read_bytes()


class _OverTimeError(Exception):
    pass


def embedded(data: bytes) -> Outcome:
    """What the embedded engine does; a program that goes on and on ends as `hang`."""
    engine = Engine()
    linker = Linker(engine)
    written: list[bytes] = []
    code: int | str
    with linker.define_wasi(args=["test"], stdout=written.append) as host:
        try:
            with granted(CPU_SECONDS, _OverTimeError):
                code = host.start(linker.instantiate(Module(engine, data)))
        except Trap:
            code = "trap"
        except _OverTimeError:
            code = "hang"
    return code, b"".join(written)


def main(first: int = 0, count: int = 1 << 30) -> int:
    """The command: prints what differs, and a summary."""
    ends: dict[int | str, int] = {}
    seconds, faults = [0.0, 0.0], 0
    for path in sources.torture_tests()[first : first + count]:
        data = path.read_bytes()
        start = time.process_time()
        theirs = reference(data)
        middle = time.process_time()
        ends[theirs[0]] = ends.get(theirs[0], 0) + 1
        if theirs[0] == LONG:
            continue
        ours = embedded(data)
        seconds[0] += time.process_time() - middle
        seconds[1] += middle - start
        if ours != theirs:
            faults += 1
            print(f"{path.stem}: embedded {ours}, wasmtime {theirs}", flush=True)
        if theirs[0]:
            print(f"{path.stem} ends with {theirs[0]}", flush=True)
    print(f"{faults} differ; wasmtime's ends: {ends}; embedded {seconds[0]:.0f} s, wasmtime {seconds[1]:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
