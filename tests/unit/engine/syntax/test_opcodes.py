"""The opcode table and its readers: every row is read, every reader is complete."""

import pytest

from wasm2oci.engine.syntax.features import FEATURE_NAMES, WASM_3, Feature
from wasm2oci.engine.syntax.opcodes import BY_MNEMONIC, OPCODES, Immediate
from wasm2oci.engine.validate.body import _IMMEDIATES, RULES


@pytest.mark.parametrize(
    ("prefix", "count"),
    [
        (0x00, 194),  # 1.0: 172, sign extension 5, references 6, typed ones 5, calls 3, exceptions 3
        (0xFB, 31),  # aggregates and casts
        (0xFC, 18),  # saturating truncation 8, bulk memory and tables 10
        (0xFD, 256),  # vectors 236, relaxed ones 20
    ],
)
def test_version_3_is_complete(prefix: int, count: int) -> None:
    rows = [row for row in OPCODES.values() if row.code >> 16 == prefix and not row.feature & ~WASM_3]
    assert len(rows) == count


def test_mnemonics_are_unique() -> None:
    assert len(BY_MNEMONIC) == len(OPCODES)


def test_every_row_has_a_signature_or_a_rule_and_not_both() -> None:
    for row in OPCODES.values():
        assert (row.params is None) == (row.results is None), row.mnemonic
        assert (row.params is None) == (row.code in RULES), row.mnemonic


def test_every_immediate_of_a_signature_row_has_a_reader() -> None:
    needed = {kind for row in OPCODES.values() if row.params is not None for kind in row.immediates}
    assert needed == set(_IMMEDIATES)
    assert needed < set(Immediate)


def test_every_feature_has_a_name_and_guards_something() -> None:
    assert set(FEATURE_NAMES) == set(Feature)
    by_opcode = {bit for row in OPCODES.values() for bit in row.feature}
    by_declaration = {
        Feature.MULTIVALUE,
        Feature.EXTENDED_CONST,
        Feature.MEMORY64,
        Feature.MULTI_MEMORY,
        Feature.CUSTOM_PAGE_SIZES,
    }
    assert by_opcode | by_declaration == set(Feature)
    assert not by_opcode & by_declaration


def test_access_widths_belong_to_memory_instructions() -> None:
    for row in OPCODES.values():
        assert (row.width > 0) == (Immediate.MEMARG in row.immediates), row.mnemonic
