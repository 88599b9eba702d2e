"""Random control-flow graphs, written as structured control flow the way compilers do it.

A graph is reducible: nodes in an order in which forward edges lead to later nodes, and back edges to nodes that
dominate where they come from. It becomes WebAssembly as in Ramsey, "Beyond Relooper" (ICFP 2022): the dominator tree
decides what is nested in what, a node where forward edges meet follows the end of a block, a node that back edges
reach heads a loop. So blocks nest deeply and their ends meet, as in what LLVM and Go emit.

Each node leaves its mark and moves a state on; which edge is taken depends on bits of the state, so that a few calls
see most of the paths. Back edges cost ticks (see `helpers`).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from tests.support.generators.helpers import batch_case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.generators.cases import Case

__all__ = ["graph_case"]

_SIZES: Final = (2, 3, 4, 5, 6, 7, 8, 10, 13, 18, 30)


class _Graph:
    """A random reducible graph: `edges[n]` are the successors of node n; without any, it returns."""

    def __init__(self, draw: random.Random) -> None:
        count = draw.choice(_SIZES)
        self.edges: list[list[int]] = [[] for _ in range(count)]
        near = draw.choice((2, 3, count))
        for node in range(1, count):  # each node is reached from an earlier one
            self.edges[draw.randrange(max(0, node - near), node)].append(node)
        for node in range(count - 1):
            while draw.random() < 0.35:
                self.edges[node].append(draw.randrange(node + 1, min(count, node + 1 + near)))
        self.dominators = self._dominators()
        for node in range(count):
            while draw.random() < 0.25:
                self.edges[node].append(draw.choice(self._chain(node)))
            if node and not self.edges[node] and draw.random() < 0.5:
                self.edges[node].append(draw.choice(self._chain(node)))
        for targets in self.edges:
            draw.shuffle(targets)
        forward = [
            sum(t == node and n < node for n, ts in enumerate(self.edges) for t in set(ts)) for node in range(count)
        ]
        switched = {t for ts in self.edges if len(ts) > 2 for t in ts}
        self.merges = {n for n in range(count) if forward[n] > 1 or (n in switched and n)}
        self.heads = {t for n, ts in enumerate(self.edges) for t in ts if t <= n}

    def _dominators(self) -> list[int]:
        """The immediate dominator of each node; edges so far lead forward, so one pass is enough."""
        above = [0] * len(self.edges)
        for node in range(1, len(self.edges)):
            sources = [n for n in range(node) if node in self.edges[n]]
            meet = sources[0]
            for other in sources[1:]:
                while meet != other:
                    if meet > other:
                        meet = above[meet]
                    else:
                        other = above[other]  # noqa: PLW2901 - climbs until they meet
            above[node] = meet
        return above

    def _chain(self, node: int) -> list[int]:
        """A node and what dominates it."""
        chain = [node]
        while chain[-1]:
            chain.append(self.dominators[chain[-1]])
        return chain


class _Writer:
    """Writes a graph as a function."""

    def __init__(self, seed: int, name: str) -> None:
        self.random = random.Random(seed ^ 0x6A4F)
        self.graph = _Graph(self.random)
        self.name = name
        self.lines: list[str] = []
        self.at_head = self.random.random() < 0.5  # loops tick at their heads, else where branches go back
        self.falls = self.random.random()  # how often a branch to what follows anyway is left out

    def function(self) -> str:
        self.tree(0, None)
        body = "\n    ".join(self.lines)
        return (
            f'  (func ${self.name} (export "{self.name}") (param $a i32) (param $b i32) (result i32)\n'
            f"    (local $h i32) (local $c i32) (local $w i64)\n"
            f"    {body}\n    unreachable)\n"
        )

    def emit(self, text: str) -> None:
        self.lines.append(text)

    def tree(self, node: int, after: int | None) -> None:
        """A node and all it dominates; control that falls out of it is at node `after`, if anywhere."""
        graph = self.graph
        below = [n for n, above in enumerate(graph.dominators) if above == node and n and n in graph.merges]
        head = node in graph.heads
        if head:
            self.emit(f"loop $head{node}")
            if self.at_head:
                self.emit("(call $tick)")
        self.within(node, sorted(below, reverse=True), after)
        if head:
            self.emit("end")

    def within(self, node: int, followers: Sequence[int], after: int | None) -> None:
        """A node inside of the blocks that its merge nodes follow."""
        if not followers:
            self.node(node, after)
            return
        first, *rest = followers
        self.emit(f"block $to{first}")
        self.within(node, rest, first)
        self.emit("end")
        self.tree(first, after)

    def node(self, node: int, after: int | None) -> None:
        draw = self.random
        self.emit(f"(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.const {node + 1})))")
        self.emit("(local.set $a (i32.add (i32.mul (local.get $a) (i32.const 1103515245)) (i32.const 12345)))")
        for _ in range(draw.choice((0, 0, 1, 2))):
            self.emit(draw.choice(_ACTIONS))
        edges = self.graph.edges[node]
        bits = f"(i32.shr_u (local.get $a) (i32.const {draw.randint(9, 24)}))"
        if not edges:
            self.emit("(return (i32.xor (local.get $h) (i32.add (local.get $b) (i32.wrap_i64 (local.get $w)))))")
        elif len(edges) == 1:
            self.go(node, edges[0], after)
        elif len(edges) == 2:
            self.choose(node, edges, f"(i32.and {bits} (i32.const 1))", after)
        else:
            if not self.at_head and any(target <= node for target in edges):
                self.emit("(call $tick)")
            labels = " ".join(self.label(node, target) for target in edges)
            self.emit(f"(br_table {labels} (i32.rem_u {bits} (i32.const {len(edges)})))")

    def label(self, node: int, target: int) -> str:
        return f"$head{target}" if target <= node else f"$to{target}"

    def choose(self, node: int, edges: Sequence[int], condition: str, after: int | None) -> None:
        """Two ways: an `if` with two arms, or a conditional branch and whatever comes next."""
        first, second = edges
        named = [target for target in edges if target <= node or target in self.graph.merges]
        if first in named and self.random.random() < 0.7:
            if first <= node and not self.at_head:
                self.emit("(call $tick)")
            self.emit(f"(br_if {self.label(node, first)} {condition})")
            self.go(node, second, after)
            return
        self.emit(f"{condition} if")
        self.go(node, first, after)
        if second == after and self.random.random() < self.falls:
            self.emit("end")
            return
        self.emit("else")
        self.go(node, second, after)
        self.emit("end")
        if self.random.random() < 0.2 and not {first, second} & {after}:
            self.emit("unreachable")

    def go(self, node: int, target: int, after: int | None) -> None:
        if target <= node:
            if not self.at_head:
                self.emit("(call $tick)")
            self.emit(f"br $head{target}")
        elif target not in self.graph.merges:
            self.tree(target, after)
        elif target != after or self.random.random() > self.falls:
            self.emit(f"br $to{target}")


_ACTIONS: Final = (
    "(local.set $b (i32.add (local.get $b) (i32.const 1)))",
    "(local.set $c (i32.load8_u (i32.and (local.get $a) (i32.const 63))))",
    "(i32.store8 (i32.and (local.get $b) (i32.const 63)) (local.get $h))",
    "(local.set $w (i64.add (local.get $w) (i64.extend_i32_u (local.get $c))))",
    "(local.set $c (call $help (local.get $b)))",
    "(if (i32.and (local.get $b) (i32.const 1)) (then (call $mark (i32.const 6))) (else (local.set $c (local.get 0))))",
)


def graph_case(seeds: Sequence[int]) -> Case:
    """One module with a function for each seed."""
    return batch_case(lambda seed, name: _Writer(seed, name).function(), seeds)
