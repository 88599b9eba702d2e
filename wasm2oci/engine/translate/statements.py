"""What the writing of every kind of node needs: where lines and operands are kept, jumps, what is known at labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from wasm2oci.engine.translate.ranges import merge, type_mask
from wasm2oci.engine.translate.tree import Break, Continue, Set

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.translate.body import Construct
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.loops import LoopFacts, OpenLoop
    from wasm2oci.engine.translate.ranges import Range
    from wasm2oci.engine.translate.tree import Node
    from wasm2oci.engine.translate.value import V

__all__ = ["Statements"]

_JUMPS: Final = frozenset((Break, Continue))


class Statements:
    """One walk over a function.

    Args:
        e: where operands and lines are kept.
        loops: what is known of loops.

    Attributes:
        known: what holds wherever control leaves for a label, as far as the walk has come.
        open_loops: Python's loops around the present place.
        writers: how each kind of node is written.
    """

    writers: ClassVar[dict[type[Node], Callable[[Any, Any], None]]]

    def __init__(self, e: Emitter, loops: LoopFacts) -> None:
        self.e = e
        self.code = e.body.code
        self.loops = loops
        self.known: dict[Construct, dict[int, Range]] = {}
        self.open_loops: list[OpenLoop] = []

    def write(self, nodes: list[Node]) -> None:
        """Writes nodes; a jump takes one line."""
        writers = self.writers
        before = ""
        for node in nodes:
            kind = type(node)
            if kind is Set and node is not nodes[-1]:
                before += f"{_text(node)};"
            elif before:
                if kind in _JUMPS:
                    self.e.line(before + _text(node))
                else:
                    self.e.line(before[:-1])
                    writers[kind](self, node)
                before = ""
            else:
                writers[kind](self, node)

    def block(self, text: str, nodes: list[Node]) -> None:
        """An indented block under a line."""
        e = self.e
        ind = e.ind
        header = e.line(text)
        e.ind = ind + " "
        self.write(nodes)
        e.ind = ind
        if e.empty(header):
            e.line(" pass")

    def goto(self, index: int) -> tuple[int, Any]:
        """Makes an instruction the present one, and pays for it."""
        e = self.e
        op, item, e.at = self.code[index]
        e.place = index
        e.count += 1
        return op, item

    def note(self, target: Construct, *, back: bool) -> None:
        """Records what is known where control leaves for a label."""
        if back:
            self.loops.repeat(target)
        elif target.kind != "function":
            self.known[target] = merge(self.known.get(target), self.e.ranges)

    def typed(self, values: list[V], types: tuple[int, ...]) -> None:
        """Gives lazy values the mask of the type their label has."""
        if values:
            for v, type_ in zip(values, types, strict=True):
                v.m = v.m or type_mask(type_)

    def simple(self, node: Node) -> None:
        """A statement without operands."""
        self.e.line(_text(node))

    def jump(self, nodes: list[Node]) -> str:
        """Statements without operands, on one line."""
        return ";".join(map(_text, nodes))


def _text(node: Node) -> str:
    """A statement without operands."""
    if isinstance(node, Set):
        return f"{node.name}={node.value}"
    if isinstance(node, Break):
        return "break"
    if isinstance(node, Continue):
        return "continue"
    raise AssertionError(node)
