"""Mutates modules and compares our verdict with wasmtime's. Usage: python tests/fuzz/differential.py [COUNT] [SEED]

Prints each disagreement, and each escape of anything but our own errors, with the file it left the module in; the exit
code is 1 when there was one.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.support.mutations import mutations
from tests.support.oracle import Oracle


def main(count: int, seed: int) -> int:
    oracle, faults, valid, start = Oracle(), 0, 0, time.perf_counter()
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
    seconds = time.perf_counter() - start
    print(f"{count} mutations (seed {seed}), {valid} of them valid: {faults} disagreements; {seconds:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]] + [100_000, 2026][len(sys.argv) - 1 :]
    sys.exit(main(*arguments[:2]))
