"""Folded instructions whose end was not met. Spec: core, text format, folded instructions (6.5.11)."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from wasm2oci.engine.text.instructions import block_opcode

__all__ = ["PARTS", "TRY_PARTS", "UNTYPED", "Hinted", "OpenBlock", "goes_on", "takes_operands"]


class OpenBlock(NamedTuple):
    """A folded block whose end was not met.

    Attributes:
        kind: `block` (or `loop`, `try_table`); `if` while its condition is read; `then`, `else`; `try` between its
            parts; `do`, `catch`, `catch_all`, `delegate` within one.
        id: its label.
        opening: an `if` with its block type, written after the condition.
        height: how many labels there are within it.
        outer: the same around it.
    """

    kind: str
    id: str | None
    opening: bytes
    height: int
    outer: int


class Hinted(bytes):
    """An instruction that has a branch hint and waits for its operands."""

    hint: bytes

    def __new__(cls, encoded: bytes, hint: bytes) -> Self:
        """An instruction and its hint."""
        self = super().__new__(cls, encoded)
        self.hint = hint
        return self


def takes_operands(frames: list[bytes | OpenBlock]) -> bool:
    """Whether only folded instructions may follow: in an instruction's operands, a condition, between parts."""
    if not frames:
        return False
    top = frames[-1]
    return isinstance(top, bytes) or top.kind in PARTS


def goes_on(run: str) -> bool:
    """Whether a run can only be the rest of an instruction."""
    return not run[:1].islower() or run.startswith(("offset=", "align="))


TRY_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "try": ("do",),
    "try after do": ("catch", "catch_all", "delegate"),
    "try after catch_all": (),
}
PARTS: Final = {"if": ("then",), **TRY_PARTS}
"""The parts that a folded block in this state may go on with."""
UNTYPED: Final = {
    f"{mnemonic}{blank}": (block_opcode(mnemonic) + b"\x40", mnemonic)
    for mnemonic in ("block", "loop", "if", "try")
    for blank in ("", " ")
}
"""Blocks without label, and without type where no parenthesis follows."""
