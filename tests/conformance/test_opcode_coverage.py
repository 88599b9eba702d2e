"""Every instruction the engine executes has a lowering, and the core suite contains every one of them."""

import pytest

from tests.support.interpreter import instructions
from tests.support.spec_suite import core_files, missing
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import WASM_3
from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.translate.lowering import CONTROL, LOWERING
from wasm2oci.engine.validate import validate_module

EXECUTED = {row.mnemonic for row in OPCODES.values() if not row.feature & ~WASM_3}
"""What Engine() accepts: legacy exceptions, threads and what else lies beyond 3.0 are known to validation only."""


def test_every_instruction_has_a_lowering() -> None:
    lowered = {OPCODES[code].mnemonic for code in LOWERING}
    assert EXECUTED - lowered - CONTROL == set()
    assert lowered | CONTROL <= {row.mnemonic for row in OPCODES.values()}


@pytest.mark.spec
@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_the_suite_contains_every_instruction() -> None:
    seen: set[str] = set()
    for file in core_files():
        for command in file.commands():
            if command.type not in {"module", "module_definition"} or command.binary is None:
                continue
            try:
                module = decode_module(command.binary)
                validate_module(module, WASM_3)
            except ModuleError:  # pragma: no cover -- the runner's test says so
                continue
            for defined in range(len(module.codes)):
                seen.update(instruction.mnemonic for instruction in instructions(module, defined)[1])
        if seen >= EXECUTED:
            break
    assert EXECUTED - seen == set()
