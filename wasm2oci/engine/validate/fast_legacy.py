"""The fast path's rules for the legacy exceptions, which LLVM still writes by default.

Spec: exception-handling, legacy proposal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.limits import MAX_OPERAND_STACK
from wasm2oci.engine.validate.fast_tables import (
    CATCH,
    CATCH_ALL,
    CATCH_ALL_OPCODE,
    CATCH_OPCODE,
    DELEGATE_OPCODE,
    EMPTY,
    NOT_SURE,
    ONE_BYTE,
    TRY,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.validate.fast_tables import Frame

__all__ = ["legacy"]


def legacy(op: int, nxt: Callable[[], int], frames: list[Frame], vals: list[int], tags: list[list[int]]) -> int:
    """Types `catch`, `catch_all`, `delegate` or `rethrow`, whose opcode has been read.

    Args:
        op: the opcode.
        nxt: gives the next byte of the body.
        frames: the open blocks.
        vals: the operand stack.
        tags: the parameters of each tag.

    Returns:
        0 where it is valid for certain, else NOT_SURE.

    Raises:
        IndexError: a tag or a label does not exist, or the stack has no value left.
    """
    if op == CATCH_ALL_OPCODE:
        return _handler(CATCH_ALL, EMPTY, frames, vals)
    index = nxt()
    if index >= ONE_BYTE:
        byte = nxt()
        if byte >= ONE_BYTE:
            return NOT_SURE
        index = index & 0x7F | byte << 7
    if op == CATCH_OPCODE:
        return _handler(CATCH, tags[index], frames, vals)
    if op == DELEGATE_OPCODE:
        _, results, kind, _ = frames.pop()
        if kind != TRY or not _left(results, vals):
            return NOT_SURE
        frames[~index]
        vals += results
        return 0 if len(vals) <= MAX_OPERAND_STACK else NOT_SURE
    if frames[~index][2] not in {CATCH, CATCH_ALL}:
        return NOT_SURE
    while vals.pop() > 0:
        pass
    vals.append(-1)
    return 0


def _handler(opened: int, carried: list[int], frames: list[Frame], vals: list[int]) -> int:
    label, results, kind, _ = frames.pop()
    if kind not in {TRY, CATCH} or not _left(results, vals):
        return NOT_SURE
    frames.append((label, results, opened, EMPTY))
    vals.append(0)
    vals += carried
    return 0 if len(vals) <= MAX_OPERAND_STACK else NOT_SURE


def _left(results: list[int], vals: list[int]) -> bool:
    """Takes a block's results and its sentinel off the stack; false where they are not there for certain."""
    if vals[-1] == -1:
        vals.pop()
        return True
    return all(vals.pop() == wanted for wanted in reversed(results)) and vals.pop() <= 0
