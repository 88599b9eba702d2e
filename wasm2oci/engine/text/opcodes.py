"""The instructions that the text format knows: `OPCODES`, and those of a proposal that the engine does not run."""

from __future__ import annotations

from typing import Final

from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate, Opcode

__all__ = ["BINARY_ONLY", "BY_CODE", "BY_MNEMONIC"]

_DESCRIPTORS: Final = (
    Opcode(0xFB0020, "struct.new_desc", (Immediate.TYPE,), None, None, Feature.GC),
    Opcode(0xFB0021, "struct.new_default_desc", (Immediate.TYPE,), None, None, Feature.GC),
    Opcode(0xFB0022, "ref.get_desc", (Immediate.TYPE,), None, None, Feature.GC),
    Opcode(0xFB0023, "ref.cast_desc_eq", (Immediate.HEAPTYPE,), None, None, Feature.GC),
    Opcode(0xFB0024, "ref.cast_desc_eq_null", (Immediate.HEAPTYPE,), None, None, Feature.GC),
    *(
        Opcode(
            code,
            mnemonic,
            (Immediate.CASTFLAGS, Immediate.LABEL, Immediate.HEAPTYPE, Immediate.HEAPTYPE),
            None,
            None,
            Feature.GC,
        )
        for code, mnemonic in ((0xFB0025, "br_on_cast_desc_eq"), (0xFB0026, "br_on_cast_desc_eq_fail"))
    ),
)
"""Custom descriptors (proposal, phase 3)."""

BY_CODE: Final[dict[int, Opcode]] = OPCODES | {row.code: row for row in _DESCRIPTORS}
"""Every instruction by its code."""

BY_MNEMONIC: Final[dict[str, Opcode]] = {row.mnemonic: row for row in BY_CODE.values()}
"""Every instruction by its name in the table."""

BINARY_ONLY: Final[dict[str, str]] = {
    "select_t": "select",
    "ref.test_null": "ref.test",
    "ref.cast_null": "ref.cast",
    "ref.cast_desc_eq_null": "ref.cast_desc_eq",
}
"""Names that the text format does not have, and the ones it has: operands tell which instruction is meant."""
