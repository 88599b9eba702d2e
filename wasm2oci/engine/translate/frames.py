"""Python's structure around a place while a tree is built: which loops, arms and guarded bodies are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from wasm2oci.engine.translate.chains import Dispatch
from wasm2oci.engine.translate.tree import Head, Set, While

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Construct
    from wasm2oci.engine.translate.chains import Chain
    from wasm2oci.engine.translate.tree import Node

__all__ = ["MAX_INDENT", "Frame", "Frames", "TooDeep", "node_of"]

MAX_BLOCKS: Final = 17
"""Nested loops and try bodies; CPython refuses the 21st."""
MAX_INDENT: Final = 80
"""Indentation levels; CPython refuses the 100th."""

T = TypeVar("T", bound="Node")


class TooDeep(Exception):  # noqa: N818 - not an error: another way is taken
    """CPython's limits on nesting do not allow structured control flow."""


class Frame:
    """One level of Python's structure.

    Attributes:
        kind: "while" (also a chain), "nest" (opened by a branch, closed with `owner`), "arm", "try" or "segment".
        owner: the construct it ends with.
        parent: the nodes it is one of.
        place: how many of them come before it.
        node: the `While`, `If` or `Try`.
        indent: how far its body is indented.
        after: of a loop: the continuation `break` leads to.
        entries: of a loop: continuation to (value of its selector, construct), for `continue`.
        chain, dispatch: of a loop that is a chain.
        broken: a `break` leaves the loop.
        flag: of a loop: the variable that says where a `break` goes on to, "" where there is none.
        flags: continuation to (value of that variable, target).
        falls: of a second arm: control comes out of the first.
        skip: of a first arm: it ends by leaving this construct, whose rest goes into the `else`.
    """

    __slots__ = (
        "after",
        "broken",
        "chain",
        "dispatch",
        "entries",
        "falls",
        "flag",
        "flags",
        "indent",
        "kind",
        "node",
        "owner",
        "parent",
        "place",
        "skip",
    )

    def __init__(self, kind: str, owner: Construct, parent: list[Node], node: Node | None, indent: int) -> None:
        self.kind = kind
        self.owner = owner
        self.parent = parent
        self.place = len(parent) - 1
        self.node = node
        self.indent = indent
        self.after = -2
        self.entries: dict[int, tuple[int, Construct]] = {}
        self.chain: Chain | None = None
        self.dispatch: Dispatch | None = None
        self.broken = False
        self.flag = ""
        self.flags: dict[int, tuple[int, Construct]] = {}
        self.falls = False
        self.skip: Construct | None = None


def node_of(kind: type[T], frame: Frame) -> T:
    """The node of a frame, which is of a kind."""
    if not isinstance(frame.node, kind):
        raise TypeError(kind)
    return frame.node


class Frames:
    """The open frames.

    Attributes:
        nodes: the list the next node goes into.
        frames: Python's structure around the present place.
        loops: those of them that are loops, as (place, frame).
        alive: Python gets here.
        dead: the instruction before does not go on.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.frames: list[Frame] = []
        self.loops: list[tuple[int, Frame]] = []
        self.alive = True
        self.dead = False
        self.blocks = 0

    def stop(self) -> None:
        """Mark the present place as unreachable."""
        self.alive = False
        self.dead = True

    def push(self, kind: str, owner: Construct, nodes: list[Node], node: Node | None, indent: int = 1) -> Frame:
        """Opens a frame, whose nodes go into `nodes`."""
        frames = self.frames
        indent += frames[-1].indent if frames else 1
        frame = Frame(kind, owner, self.nodes, node, indent)
        frames.append(frame)
        self.nodes = nodes
        if kind in {"while", "try"}:
            self.blocks += 1
        if self.blocks > MAX_BLOCKS or indent > MAX_INDENT:
            raise TooDeep
        return frame

    def pop(self, kind: str, owner: Construct) -> Frame:
        """Closes the innermost frame, which is as described."""
        frame = self.frames.pop()
        if frame.kind != kind or frame.owner is not owner:
            raise AssertionError(frame.kind, kind)
        self.nodes = frame.parent
        if kind in {"while", "try"}:
            self.blocks -= 1
        return frame

    def push_loop(self, c: Construct, chain: Chain | None) -> None:
        """Opens a Python loop."""
        node = While(c, "" if chain is None else chain.name)
        if chain is not None:
            self.nodes.append(Set(chain.name, 0))
        self.nodes.append(node)
        frame = self.push("while", c, node.body, node)
        frame.after = c.after
        frame.chain = chain
        self.loops.append((len(self.frames) - 1, frame))
        if c.kind == "loop" and c.targeted:
            node.body.append(Head(c, alone=chain is None))
            frame.entries[c.cont] = (0, c)
        if chain is None:
            return
        frame.dispatch = Dispatch(chain.name, chain.segments, node.body)
        for number, block in enumerate(chain.blocks, 1):
            if number < chain.segments and block.cont != frame.after:
                frame.entries.setdefault(block.cont, (number, block))  # where ends coincide, the first of them

    def close_nests(self, c: Construct) -> None:
        """Closes the `if`s whose branches leave a construct."""
        frames = self.frames
        while frames and frames[-1].kind == "nest" and frames[-1].owner.depth >= c.depth:
            self.nodes = frames.pop().parent
            self.alive = True
