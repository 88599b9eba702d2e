"""Arithmetic that occurs twice: found before a function is written, so that the first occurrence can be kept.

Values are numbered along stretches of code that are only left, never entered from elsewhere: operands with the same
number are the same value. Only what neither reads memory nor can trap takes part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.translate.codes import (
    BLOCK,
    BR_IF,
    DROP,
    END,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_WRITES,
    ROTATIONS,
    codes,
)
from wasm2oci.engine.translate.value import local_bit

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body

__all__ = ["WORTH_KEEPING", "repeated", "rotated"]

_CONSTANTS: Final = codes("i32.const", "i64.const", "f32.const", "f64.const")
_BINARY: Final = codes(
    *(".add", ".sub", ".mul", ".and", ".or", ".xor", ".shl", ".shr_s", ".shr_u"), *("f64.add", "f64.sub", "f64.mul")
)
_LINEAR: Final = codes(".add", ".sub", ".shl")
"""Addresses are taken apart into these, so they are not kept."""
_UNARY: Final = codes(*(f"f64.convert_{type_}_{sign}" for type_ in ("i32", "i64") for sign in "su"))
_PASSES: Final = codes(
    "call", "call_indirect", "call_ref", "select", "select_t", "global.get", "global.set", "try_table"
)
"""Instructions not typed by a table that control only comes to from above, and that leave locals alone."""

WORTH_KEEPING: Final = (_BINARY | _UNARY) - _LINEAR


def repeated(body: Body) -> dict[int, int]:
    """Find the results that are worth keeping.

    Returns:
        Index of an instruction to the number of the variable its result is kept in, and index of a later one to the
        complement of the number of the variable that already holds its result.
    """
    kept: dict[int, int] = {}
    again: dict[int, int] = {}
    seen: dict[tuple[Any, ...], int] = {}  # what was computed -> its value number
    origin: dict[int, int] = {}  # value number -> the instruction that computed it
    locals_: dict[int, int] = {}
    stack: list[int] = []
    fresh = 0
    for index, (op, item, _) in enumerate(body.code):
        if op == LOCAL_GET:
            number = locals_.get(item)
            if number is None:
                fresh += 1
                number = locals_[item] = fresh
            stack.append(number)
            continue
        key: tuple[Any, ...] | None = None
        if op in _CONSTANTS:
            key = (op, item)
        elif op in _BINARY:
            fresh += 2
            right = stack.pop() if stack else fresh
            left = stack.pop() if stack else fresh - 1
            key = (op, left, right)
        elif op in _UNARY:
            fresh += 1
            key = (op, stack.pop() if stack else fresh)
        if key is not None:
            number = seen.get(key)
            if number is None:
                fresh += 1
                number = seen[key] = fresh
                if op not in _CONSTANTS:
                    origin[number] = index
            elif op in WORTH_KEEPING:
                first = origin[number]
                again[index] = ~kept.setdefault(first, len(kept))
            stack.append(number)
        elif op in LOCAL_WRITES:
            fresh += 1
            locals_[item] = stack[-1] if stack else fresh
            if op == LOCAL_SET and stack:
                stack.pop()
        elif op in {BR_IF, DROP}:
            del stack[-1:]
        elif (op == BLOCK and not item.params) or (op == END and item.kind == "block" and not item.targeted):
            pass
        else:
            row = OPCODES[op]
            if row.params is None or row.results is None:
                # Control may come from elsewhere, or what happens to the stack is not known here.
                stack.clear()
                if op not in _PASSES:
                    seen.clear()
                    locals_.clear()
                continue
            if row.params:
                del stack[-len(row.params) :]
            for _ in row.results:
                fresh += 1
                stack.append(fresh)
    return kept | again


def rotated(body: Body) -> int:
    """The locals that are rotated, or copied to one that is, as bits."""
    bits = 0
    copies: list[tuple[int, int]] = []
    before: int | None = None
    for op, item, _ in body.code:
        if op in ROTATIONS and before is not None:
            bits |= local_bit(before)
        elif op in LOCAL_WRITES and before is not None:
            copies.append((before, item))
        if op == LOCAL_GET:
            before = item
        elif op not in _CONSTANTS:
            before = None
    for source, target in reversed(copies):
        if bits & local_bit(target):
            bits |= local_bit(source)
    return bits
