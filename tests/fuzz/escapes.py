"""Feeds the decoder and validator with bytes and looks for anything but our own errors, and for slowness.

Usage: python tests/fuzz/escapes.py [SECONDS] [SEED]. With atheris installed (`pip install atheris`, not for every
platform) `python tests/fuzz/escapes.py --atheris [libFuzzer options]` lets coverage steer instead of chance.
"""

import random
import sys
import time
from contextlib import suppress
from itertools import count

from tests.support.mutations import kernels, mutate, suite_modules
from wasm2oci.engine.binary import decode_component, decode_module, decode_names
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import FEATURE_NAMES, Feature
from wasm2oci.engine.validate import validate_module

_ALL = Feature(sum(FEATURE_NAMES))
_SECONDS_A_BYTE = 0.0005  # far above what honest input costs (0.1 us), far below a hang


def one_input(data: bytes) -> None:
    """Decodes and validates; our own errors are an answer, everything else is a find."""
    start = time.process_time()
    with suppress(ModuleError):
        decode_component(data)
    with suppress(ModuleError):
        module = decode_module(data)
        decode_names(module)
        validate_module(module, _ALL)
    taken = time.process_time() - start
    if taken > 0.5 + _SECONDS_A_BYTE * len(data):
        raise RuntimeError(f"{taken:.1f} s for {len(data)} bytes")


def by_chance(seconds: float, seed: int) -> None:
    """Mutates mutations: now and then what came out becomes the ground for the next ones."""
    rng = random.Random(seed)
    pool = suite_modules() + list(kernels().values())
    end = time.monotonic() + seconds
    for place in count():
        data = mutate(rng.choice(pool), [], rng)
        try:
            one_input(data)
        except Exception:
            print(f"input {place} (seed {seed}): {data.hex()}")
            raise
        if rng.random() < 0.01:
            pool[rng.randrange(len(pool))] = data
        if time.monotonic() > end:
            print(f"{place + 1} inputs in {seconds:.0f} s, nothing found")
            return


def main() -> None:
    if sys.argv[1:2] == ["--atheris"]:
        import atheris  # type: ignore[import-not-found, unused-ignore]

        atheris.instrument_all()
        atheris.Setup([sys.argv[0], *sys.argv[2:]], one_input)
        atheris.Fuzz()
    else:
        numbers = [float(argument) for argument in sys.argv[1:]] + [60.0, 1.0][len(sys.argv) - 1 :]
        by_chance(numbers[0], int(numbers[1]))


if __name__ == "__main__":
    main()
