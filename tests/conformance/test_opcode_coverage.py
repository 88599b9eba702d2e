"""Every instruction the engine executes has a lowering, and the core suite, or a test here, runs every one of them."""

import math
import struct
from contextlib import suppress

import pytest

from tests.support.interpreter import instructions
from tests.support.spec_runner import ScriptRunner
from tests.support.spec_suite import core_files, missing, proposal_files
from wasm2oci.engine.embed import Engine, Linker, Module
from wasm2oci.engine.syntax import features
from wasm2oci.engine.syntax import module as syntax
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.text import assemble
from wasm2oci.engine.translate.function import Source, translate_function
from wasm2oci.engine.translate.lowering import CONTROL, LOWERING
from wasm2oci.engine.translate.options import Options

EXECUTED = {row.mnemonic for row in OPCODES.values() if not row.feature & ~features.EXECUTED}
"""What Engine() accepts: legacy exceptions and what else lies beyond 3.0 and atomics are known to validation only."""

TRUNCATIONS = (
    "i32x4.relaxed_trunc_f32x4_s",
    "i32x4.relaxed_trunc_f32x4_u",
    "i32x4.relaxed_trunc_f64x2_s_zero",
    "i32x4.relaxed_trunc_f64x2_u_zero",
)
"""The suite's file about these declares a module, and asserts nothing of it."""


def test_every_instruction_has_a_lowering() -> None:
    lowered = {OPCODES[code].mnemonic for code in LOWERING}
    assert EXECUTED - lowered - CONTROL == set()
    assert lowered | CONTROL <= {row.mnemonic for row in OPCODES.values()}


@pytest.mark.spec
@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_the_suite_runs_every_instruction(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function is translated when a command calls it first: what is never called counts for nothing."""
    seen: set[str] = set()
    untested = {*TRUNCATIONS, "atomic.fence"}

    def listen(module: syntax.Module, index: int, options: Options) -> Source:
        seen.update(instruction.mnemonic for instruction in instructions(module, index - module.imported_funcs)[1])
        return translate_function(module, index, options)

    monkeypatch.setattr("wasm2oci.engine.translate.function.translate_function", listen)
    for file in (*proposal_files("threads"), *core_files()):
        runner = ScriptRunner(Engine())
        for command in file.commands():
            with suppress(Exception):  # what fails is for the test of that file to say
                runner.run(command)
        if seen >= EXECUTED - untested:
            break
    assert EXECUTED - seen == untested, "what the suite does not run, and is tested here instead"


@pytest.mark.parametrize("mnemonic", TRUNCATIONS)
def test_relaxed_truncations_do_what_the_deterministic_profile_says(mnemonic: str) -> None:
    text = f'(module (func (export "f") (param v128) (result v128) ({mnemonic} (local.get 0))))'
    instance = Linker(Engine()).instantiate(Module(Engine(), assemble(text)))
    single = "f32x4" in mnemonic
    signed = mnemonic.endswith(("_s", "_s_zero"))
    numbers = (1.9, -1.9, float("nan"), 3e9, -3e9, 5e9, float("inf"), float("-inf"), -0.0, 0.5, 2147483520.0, -1.0)
    count = 4 if single else 2
    for at in range(0, len(numbers), count):
        lanes = numbers[at : at + count]
        found = instance.call("f", struct.pack(f"<{count}{'f' if single else 'd'}", *lanes)).to_bytes(16, "little")
        low, high = (-(2**31), 2**31 - 1) if signed else (0, 2**32 - 1)
        expected = [0 if math.isnan(x) else low if x <= low else high if x >= high else math.trunc(x) for x in lanes]
        assert struct.unpack("<4i" if signed else "<4I", found) == (*expected, *(0,) * (4 - count))
