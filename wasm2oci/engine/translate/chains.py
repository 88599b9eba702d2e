"""Chains of blocks opened one right after the other, as a dispatch on a selector: what a `switch` compiles to.

Segment 0 of a chain is the innermost block's body; segment j is the code between the ends of blocks j - 1 and j,
counted from the innermost. A branch to block j goes to segment j + 1. The segments are the leaves of a binary tree of
tests of the selector; a few in a row share a leaf, so that one falls into the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.translate.tree import LOWEST, Continue, Set, Test

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body, Construct
    from wasm2oci.engine.translate.tree import Node

__all__ = ["GROUP", "Chain", "Dispatch", "find_chains"]

MIN_CHAIN: Final = 5
GROUP: Final = 5
"""Segments of a chain tested one after the other."""


class Chain:
    """A chain.

    Attributes:
        blocks: innermost first.
        loop: the loop directly around them, when it is the same Python loop; else None.
        segments: how many there are.
        name: the selector's variable.
    """

    __slots__ = ("blocks", "loop", "name", "segments")

    def __init__(self, blocks: list[Construct], loop: Construct | None, number: int) -> None:
        self.blocks = blocks
        self.loop = loop
        self.segments = len(blocks) + (loop is not None)
        self.name = f"p{number}"

    @property
    def owner(self) -> Construct:
        """The construct whose Python loop it is."""
        return self.blocks[-1] if self.loop is None else self.loop


def find_chains(body: Body) -> dict[Construct, tuple[Chain, int]]:
    """Finds chains: for each of their blocks, and the loop, the chain and the segment a branch to it goes to."""
    constructs = body.constructs
    found: dict[Construct, tuple[Chain, int]] = {}
    number = 0
    i = 0
    while i < len(constructs):
        first = constructs[i]
        run = [first] if first.kind == "block" and not first.params else []
        i += 1
        while (
            run
            and i < len(constructs)
            and constructs[i].kind == "block"
            and not constructs[i].params
            and constructs[i].start == constructs[i - 1].start + 1
        ):
            run.append(constructs[i])
            i += 1
        if len(run) >= MIN_CHAIN or (len(run) >= 2 and run[-1].has_table):
            outer = run[0].parent
            fused = (
                outer is not None
                and outer.kind == "loop"
                and outer.start == run[0].start - 1
                and not outer.params
                and outer.targeted > 0
            )
            run.reverse()
            chain = Chain(run, outer if fused else None, number)
            number += 1
            for j, block in enumerate(run):
                found[block] = (chain, j + 1)
            if fused and outer is not None:
                found[outer] = (chain, 0)
    return found


class Dispatch:
    """The tests of a selector, and the lists its segments go into.

    Args:
        name: the selector.
        segments: how many there are.
        into: where the tests go.
    """

    def __init__(self, name: str, segments: int, into: list[Node]) -> None:
        self.name = name
        self.segments = segments
        self._leaves: list[tuple[list[Node], int]] = []
        self._divide(into, 0, -(-segments // GROUP), 0)

    def _divide(self, nodes: list[Node], low: int, high: int, depth: int) -> None:
        if high - low == 1:
            self._leaves.append((nodes, depth))
            return
        middle = (low + high) // 2
        test = Test(self.name, LOWEST, middle * GROUP - 1)
        nodes.append(test)
        self._divide(test.then, low, middle, depth + 1)
        self._divide(test.orelse, middle, high, depth + 1)

    def segment(self, number: int) -> tuple[list[Node], int]:
        """The list a segment goes into, and how far it is indented. Segments are asked for in order."""
        nodes, depth = self._leaves[number // GROUP]
        if number % GROUP == GROUP - 1 or number == self.segments - 1:
            return nodes, depth
        test = Test(self.name, LOWEST, number)
        nodes.append(test)
        return test.then, depth + 1

    def on(self, number: int) -> list[Node]:
        """What leads from the end of a segment that is not the last to the next one."""
        return [Set(self.name, number + 1), Continue()] if (number + 1) % GROUP == 0 else []
