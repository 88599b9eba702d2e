"""The order of a tree's nodes, which is that of their instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.check.tokens import ControlFlowError
from wasm2oci.engine.translate.tree import (
    Break,
    Carry,
    Catches,
    Close,
    Code,
    Continue,
    Else,
    Evaluate,
    Head,
    If,
    Lookup,
    Open,
    Raise,
    Return,
    Set,
    Table,
    Test,
)

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Construct

__all__ = ["order"]

_UNPLACED: Final = frozenset((Carry, Set, Continue, Break, Return, Head, Evaluate, Lookup, Table, Catches, Raise))
"""Nodes without an instruction of their own, or that share its place with the nodes beside them."""


def order(nodes: list[Any], closed: set[Construct], position: int = -1) -> int:
    """Nodes stand in the order of the instructions, which writing them relies on; no construct ends twice.

    Args:
        nodes: some of them, and what they hold.
        closed: where constructs that end among them are put.
        position: of the node before them: twice its instruction, and one for an end.

    Returns:
        The position of the last one.
    """
    for node in nodes:
        kind = type(node)
        if kind in _UNPLACED:
            continue
        before = position
        if kind is Code:
            position = 2 * node.start
        elif kind is Close:
            c = node.construct
            position = 2 * c.end + 1
            closed.add(c)
        elif kind is If:
            position = 2 * node.at
        elif kind is Open:
            position = 2 * node.construct.start
        elif kind is Else:
            position = 2 * node.construct.els
        elif kind is Test:
            position = order(node.then, closed, position)
            if node.orelse:
                position = order(node.orelse, closed, position)
            continue
        else:
            position = order(node.body, closed, position)
            continue
        if position <= before:
            raise ControlFlowError("nodes are in another order than instructions", position >> 1)
        if kind is If:
            then, orelse = node.then, node.orelse
            if then and (len(then) > 1 or type(then[0]) not in _UNPLACED):
                position = order(then, closed, position)
            if orelse:
                position = order(orelse, closed, position)
    return position
