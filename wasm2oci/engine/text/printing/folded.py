"""Function bodies with folded instructions: each in parentheses, with its operands. Spec: core, text format (6.5.11).

The order of instructions is that of the flat form whatever is folded, so a body that does not type-check is printed and
read back all the same. An instruction gets its operands only when all of them are at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.text.printing.arity import arity
from wasm2oci.engine.text.printing.body import hint_text
from wasm2oci.engine.text.printing.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.engine.text.printing.body import Instruction
    from wasm2oci.engine.text.printing.context import PrintContext

__all__ = ["folded"]


class _Node:
    """An instruction, or a part of a block.

    Attributes:
        text: without parentheses.
        offset: in the binary.
        inner: operands, or the instructions of a block.
        gives: how many values it leaves.
        hint: its branch hint, or None.
    """

    __slots__ = ("gives", "hint", "inner", "offset", "text")

    def __init__(self, text: str, offset: int, inner: list[_Node], gives: int, hint: bytes | None = None) -> None:
        self.text = text
        self.offset = offset
        self.inner = inner
        self.gives = gives
        self.hint = hint


def folded(context: PrintContext, data: bytes, type_: int, instructions: Iterable[Instruction]) -> Iterator[Line]:
    """The lines of a function's body.

    Args:
        context: the module's names and types.
        data: the bytes.
        type_: index of the function's type.
        instructions: with the last `end`.
    """
    results = len(context.types.composite(type_).results)
    items: list[_Node] = []  # of the innermost sequence
    outer: list[tuple[_Node, list[_Node]]] = []  # each block around it, and the sequence that holds the block
    for offset, _, text, row, hint, operands in instructions:
        mnemonic = row.mnemonic
        if operands is not None:
            takes, gives = operands
            for item in items[len(items) - takes if takes else len(items) :]:
                item.gives = 0  # the block's parameters
            block = _Node(_commented(text), offset, [], gives, hint)
            if mnemonic == "if" and items and items[-1].gives == 1:
                block.inner.append(items.pop())
            outer.append((block, items))
            items = block.inner
            if mnemonic in {"if", "try"}:
                items = _part(block, "then" if mnemonic == "if" else "do", offset)
        elif mnemonic in {"else", "catch", "catch_all"}:
            items = _part(outer[-1][0], text, offset)
        elif mnemonic in {"end", "delegate"}:
            if not outer:
                break
            block, items = outer.pop()
            if mnemonic == "delegate":
                _part(block, text, offset)
            items.append(block)
        else:
            takes, gives = arity(context, data, offset, row, results)
            inner: list[_Node] = []
            if takes and len(items) >= takes and all(item.gives == 1 for item in items[-takes:]):
                inner = items[-takes:]
                del items[-takes:]
            items.append(_Node(text, offset, inner, gives, hint))
    return _lines(items)


def _part(block: _Node, text: str, offset: int) -> list[_Node]:
    """A part of a block, which is entered."""
    part = _Node(text, offset, [], 0)
    block.inner.append(part)
    return part.inner


def _commented(text: str) -> str:
    """A block whose label's comment does not swallow what follows."""
    shown, mark, label = text.partition(" ;; label = ")
    return f"{shown} (;{label};)" if mark else text


def _lines(nodes: list[_Node]) -> Iterator[Line]:
    """A line for each node; parentheses that close stand at the end of the last line within."""
    last: Line | None = None
    closing = 0
    stack = [iter(nodes)]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            closing += 1
            continue
        if last is not None:
            yield Line(last.depth, last.text + ")" * closing, last.offset)
        closing = 0
        depth = 1 + len(stack)
        if node.hint is not None:
            yield Line(depth, hint_text(node.hint), node.offset)
        last = Line(depth, f"({node.text}", node.offset)
        stack.append(iter(node.inner))
    if last is not None:
        yield Line(last.depth, last.text + ")" * (closing - 1), last.offset)
