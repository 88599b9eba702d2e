"""How fast modules are decoded and validated, with peers in the same run.

Usage: python tests/benchmarks/bench_validate.py

For each real module: our decode (bodies untouched), our decode + validate, instructions a second, and ratios:
wasmtime's validation (native code, the same job), pwasm's decode of all bodies and pywasm's decode (Python, no
validation at all). Times are the best of several runs, in CPU seconds of this process, so a busy machine disturbs
little. The exit code is 1 where the target for QuickJS is missed.
"""

import io
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.support.mutations import real_modules
from tests.support.oracle import Oracle
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.syntax.features import DEFAULT
from wasm2oci.engine.syntax.opcodes import OPCODES, Opcode
from wasm2oci.engine.validate import body, validate_module
from wasm2oci.engine.validate.context import Context

TARGET_SECONDS = 0.15  # QuickJS, decode + validate
TARGET_RATE = 4_000_000  # instructions a second


def best(work: Callable[[], object], runs: int = 7) -> float:
    """The least CPU time of several runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def instructions(data: bytes) -> int:
    """How many instructions all bodies have: how often the specification's algorithm asks for a row."""
    asked = 0

    class Counting(dict[int, Opcode]):
        def get(self, key: int, default: Any = None) -> Any:
            nonlocal asked
            asked += 1
            return super().get(key, default)

    module = decode_module(data)
    context = Context(module, DEFAULT)
    context.refs = set(range(len(module.func_types)))
    table, body.OPCODES = body.OPCODES, Counting(OPCODES)  # type: ignore[attr-defined]
    try:
        for index, (start, end) in enumerate(module.codes, module.imported_funcs):
            body.validate_body(context, context.signatures[module.func_types[index]], start, end)
    finally:
        body.OPCODES = table  # type: ignore[attr-defined]
    return asked


def pwasm(data: bytes) -> None:
    """Decodes with pwasm, all bodies."""
    from pwasm.decoder import decode_body
    from pwasm.decoder import decode_module as decode

    for function in decode(data).funcs:
        decode_body(function.code or b"")


def pywasm(data: bytes) -> None:
    """Decodes with pywasm, which reads bodies eagerly."""
    import pywasm as peer

    peer.core.ModuleDesc.from_reader(io.BytesIO(data))


def attempt(work: Callable[[], object]) -> float | None:
    """The time of one run of a peer, or None where it cannot read the module or is not installed."""
    try:
        return best(work, 1)
    except Exception:  # noqa: BLE001 - peers raise what they like
        return None


def main() -> int:
    oracle, missed = Oracle(), False
    print(
        f"{'module':24}{'MB':>6}{'instr':>9}{'decode':>9}{'+valid.':>9}{'M/s':>6}{'/wasmtime':>11}{'pwasm/':>8}{'pywasm/':>9}"
    )
    for name, data in real_modules().items():
        count = instructions(data)
        decode = best(lambda data=data: decode_module(data))  # type: ignore[misc]
        ours = best(lambda data=data: validate_module(decode_module(data)))  # type: ignore[misc]
        wasmtime = best(lambda data=data: oracle.theirs(data))  # type: ignore[misc]
        peers = [attempt(lambda data=data, peer=peer: peer(data)) for peer in (pwasm, pywasm)]  # type: ignore[misc]
        ratios = "".join(
            f"{'-' if peer is None else f'{peer / ours:.1f}x':>{8 + place}}" for place, peer in enumerate(peers)
        )
        print(
            f"{name:24}{len(data) / 1e6:6.2f}{count:9}{decode * 1e3:6.1f} ms{ours * 1e3:6.1f} ms"
            f"{count / ours / 1e6:6.1f}{ours / wasmtime:10.1f}x{ratios}"
        )
        if name.startswith("qjs"):
            missed = ours > TARGET_SECONDS or count / ours < TARGET_RATE
    if missed:
        print(f"missed: QuickJS within {TARGET_SECONDS} s at {TARGET_RATE / 1e6} M instructions/s")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
