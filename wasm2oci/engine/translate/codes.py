"""Opcodes by name, and the sets of them that more than one pass asks about."""

from __future__ import annotations

from typing import Final

from wasm2oci.engine.syntax.opcodes import BY_MNEMONIC

__all__ = [
    "BITWISE",
    "BLOCK",
    "BR",
    "BRANCHES_ON_CONDITION",
    "BR_IF",
    "BR_ON_CAST",
    "BR_ON_CAST_FAIL",
    "BR_ON_NON_NULL",
    "BR_ON_NULL",
    "BR_TABLE",
    "CASTS",
    "CONTROL",
    "DROP",
    "ELSE",
    "END",
    "IF",
    "INTEGER_CONSTANTS",
    "LOCAL_GET",
    "LOCAL_SET",
    "LOCAL_TEE",
    "LOCAL_WRITES",
    "LOOP",
    "OPENERS",
    "RETURN",
    "ROTATIONS",
    "TERMINAL",
    "TRY_TABLE",
    "code",
    "codes",
]


def code(mnemonic: str) -> int:
    """The opcode of an instruction."""
    return BY_MNEMONIC[mnemonic].code


def codes(*mnemonics: str) -> frozenset[int]:
    """The opcodes of instructions; one that begins with a dot means both integer types."""
    return frozenset(
        code(full) for name in mnemonics for full in ((f"i32{name}", f"i64{name}") if name[0] == "." else (name,))
    )


BLOCK: Final = code("block")
LOOP: Final = code("loop")
IF: Final = code("if")
ELSE: Final = code("else")
END: Final = code("end")
BR: Final = code("br")
BR_IF: Final = code("br_if")
BR_TABLE: Final = code("br_table")
RETURN: Final = code("return")
TRY_TABLE: Final = code("try_table")
BR_ON_NULL: Final = code("br_on_null")
BR_ON_NON_NULL: Final = code("br_on_non_null")
BR_ON_CAST: Final = code("br_on_cast")
BR_ON_CAST_FAIL: Final = code("br_on_cast_fail")
DROP: Final = code("drop")
LOCAL_GET: Final = code("local.get")
LOCAL_SET: Final = code("local.set")
LOCAL_TEE: Final = code("local.tee")

OPENERS: Final = {BLOCK: "block", LOOP: "loop", IF: "if", TRY_TABLE: "try"}
"""What opens a construct, and of which kind."""
CASTS: Final = frozenset((BR_ON_CAST, BR_ON_CAST_FAIL))
BRANCHES_ON_CONDITION: Final = frozenset((BR_IF, BR_ON_NULL, BR_ON_NON_NULL, *CASTS))
CONTROL: Final = frozenset((*OPENERS, ELSE, END, BR, BR_TABLE, RETURN, *BRANCHES_ON_CONDITION))
"""Instructions that the structure of a function is made of."""
TERMINAL: Final = codes(
    "unreachable",
    "br",
    "br_table",
    "return",
    "throw",
    "throw_ref",
    "return_call",
    "return_call_indirect",
    "return_call_ref",
)
"""Instructions that never go on to the next one."""
LOCAL_WRITES: Final = frozenset((LOCAL_SET, LOCAL_TEE))
INTEGER_CONSTANTS: Final = codes(".const")
BITWISE: Final = codes(".and", ".or", ".xor")
ROTATIONS: Final = codes(".rotl", ".rotr")
