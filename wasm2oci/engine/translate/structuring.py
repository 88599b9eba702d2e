"""Structured control flow as Python's own: which construct gets a loop, and how each branch reaches its label.

WebAssembly's labels are left with `br` from any depth, Python's loops only one at a time; `branches` has the ways there
are to leave more. Where none of them is possible, the construct becomes a `while True:` of its own, and the function is
gone through once more. What Python cannot nest deeply enough becomes a dispatch on states (`states`).

Control that comes out at the end of a Python loop goes on after it, whatever label the branch named. So `alive` says
whether *Python* gets to the present place, which is more than whether the instruction before it falls through: the ends
that follow must lead such control on, out of an arm past the `else`, out of a loop by another `break`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.translate.body import FUNCTION_END
from wasm2oci.engine.translate.branches import Branches
from wasm2oci.engine.translate.chains import GROUP, find_chains
from wasm2oci.engine.translate.codes import BR, BR_TABLE, BRANCHES_ON_CONDITION, CASTS, CONTROL, ELSE, END, IF, RETURN
from wasm2oci.engine.translate.frames import TooDeep, node_of
from wasm2oci.engine.translate.states import dispatch_states
from wasm2oci.engine.translate.tree import (
    Break,
    Carry,
    Catches,
    Close,
    Code,
    Continue,
    Else,
    If,
    Open,
    Raise,
    Return,
    Set,
    Test,
    Tree,
    Try,
    While,
)

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body, Construct
    from wasm2oci.engine.translate.chains import Chain
    from wasm2oci.engine.translate.frames import Frame
    from wasm2oci.engine.translate.tree import (
        Node,
    )

__all__ = ["structure"]

MAX_ATTEMPTS: Final = 12
"""Each attempt tells which constructs need a loop of their own; after so many, states take over."""


def structure(body: Body) -> Tree:
    """The tree of a function."""
    chains = find_chains(body)
    own: set[Construct] = set()
    for _ in range(MAX_ATTEMPTS):
        builder = _Builder(body, chains, own)
        try:
            nodes = builder.build()
        except TooDeep:
            break
        if not builder.failed:
            return Tree(nodes, dispatches=_dispatches(body, chains))
        own |= builder.failed
    return Tree(dispatch_states(body), dispatches=_dispatches(body, chains))


def _dispatches(body: Body, chains: dict[Construct, tuple[Chain, int]]) -> bool:
    """Whether most of a function is a dispatch loop, as in all code of Go: it has too many back edges to learn from."""
    inside = end = 0
    for c in body.constructs:
        if c.kind == "loop" and c.start > end and c in chains:
            end = c.end
            inside += end - c.start
    return 2 * inside > len(body.code)


class _Builder(Branches):
    """One attempt."""

    def __init__(self, body: Body, chains: dict[Construct, tuple[Chain, int]], own: set[Construct]) -> None:
        super().__init__(body, chains, own)
        self.first_dead: set[Construct] = set()

    def build(self) -> list[Node]:
        """Goes through the function."""
        code = self.body.code
        root = self.nodes
        at = 0
        for index in self.body.control:
            op, item, _ = code[index]
            self.index = index
            if op in CONTROL:
                if index > at:
                    self.nodes.append(Code(at, index))
                if op == END:
                    self.end(item)
                elif op in BRANCHES_ON_CONDITION:
                    self.branch_if(item[1] if op in CASTS else item)
                elif op in {BR, RETURN}:
                    self.branch(item)
                elif op == IF:
                    self.open_if(item)
                elif op == ELSE:
                    self.else_(item)
                elif op == BR_TABLE:
                    self.branch_table(item)
                else:
                    self.open_construct(item)
            else:
                self.nodes.append(Code(at, index + 1, ends=True))
                self.stop()
            at = index + 1
        return root

    # --- loops, and the segments of chains ---------------------------------------------------------
    def close_loop(self, c: Construct) -> None:
        """Close a Python loop; a jump that left it for an outer label goes on from here."""
        frame = self.pop("while", c)
        self.loops.pop()
        node = node_of(While, frame)
        body = node.body
        last = body[-1] if body else None
        if frame.chain is not None:
            pass  # its last segment says how it ends
        elif self.alive:
            frame.broken = True
            back = last.then if isinstance(last, If) and not last.orelse else ()
            if (
                isinstance(last, If)
                and len(back) == 2
                and isinstance(back[1], Continue)
                and isinstance(back[0], Carry)
                and not back[0].target.arity
            ):
                last.then, last.orelse, last.tail = last.then[:1], [Break()], True
            else:
                body.append(Break())
        elif isinstance(last, Continue):
            body.pop()
        self.alive = frame.broken
        if frame.flags:
            frame.parent.insert(frame.place, Set(frame.flag, 0))
            self.branch_on(frame)

    def branch_on(self, frame: Frame) -> None:
        """After a loop, goes on to where its flag says."""
        nests: list[tuple[Construct, int]] = []
        last: Test | None = None
        for number, target in frame.flags.values():
            nodes = self.way(target, "if")
            if nodes is None:
                nests.append((self.ends[target.cont][-1], number))
            else:
                last = Test(frame.flag, number, number)
                last.then = nodes
                self.nodes.append(last)
        # The outermost target first: its `if` has to hold the others'.
        for c, number in sorted(nests, key=lambda nest: nest[0].depth):
            test = Test(frame.flag, number, number)
            self.nodes.append(test)
            self.push("nest", c, test.orelse, test)
        if last is not None and not nests and not self.alive:
            self.nodes.pop()
            self.nodes += last.then  # it can be nothing else

    def segment(self, chain: Chain, number: int) -> None:
        """Begins a segment of a chain."""
        dispatch = self.frames[-1].dispatch
        if dispatch is None:
            raise AssertionError(number)
        nodes, depth = dispatch.segment(number)
        self.push("segment", chain.blocks[0], nodes, None, depth)

    def end_segment(self, chain: Chain, number: int) -> None:
        """Ends a segment; what follows is the next one, or the end of the loop."""
        nodes = self.nodes
        self.pop("segment", chain.blocks[0])
        frame = self.frames[-1]
        if not self.alive or frame.dispatch is None:
            return
        if number < chain.segments - 1:
            on = frame.dispatch.on(number)
            if on and isinstance(frame.node, While):
                frame.node.entries[number + 1] = chain.blocks[number]
            nodes += on
        else:
            nodes.append(Break())
            frame.broken = True

    # --- constructs -------------------------------------------------------------------------------
    def has_loop(self, c: Construct) -> bool:
        """Whether a construct that is no part of a chain is a Python loop."""
        return c in self.own or (c.kind == "loop" and c.targeted > 0)

    def enter(self, c: Construct) -> None:
        """Opens a construct's loop, where it has one."""
        self.open.append(c)
        self.ends.setdefault(c.after, []).append(c)
        chain, _ = self.chains.get(c, (None, 0))
        if chain is not None:
            if chain.owner is c:
                self.push_loop(c, chain)
                self.segment(chain, 0)
        elif self.has_loop(c):
            self.push_loop(c, None)

    def open_construct(self, c: Construct) -> None:
        """Opens a block, loop or try_table."""
        self.nodes.append(Open(c))
        self.enter(c)
        if c.kind == "try":
            node = Try(c.depth)
            self.nodes.append(node)
            self.push("try", c, node.body, node)
        self.base[c] = len(self.frames)

    def open_if(self, c: Construct) -> None:
        """Opens an if."""
        self.enter(c)
        node = If(self.index, [], [])
        self.nodes.append(node)
        self.push("arm", c, node.then, node)
        self.base[c] = len(self.frames)

    def else_(self, c: Construct) -> None:
        """From the first arm to the second."""
        if self.dead or not self.carry(c):
            self.first_dead.add(c)
        self.close_nests(c)
        frame = self.pop("arm", c)
        node = node_of(If, frame)
        if self.alive:
            self.push("arm", c, node.orelse, node).falls = True
        elif frame.skip is not None:
            self.push("nest", frame.skip, node.orelse, node)
        self.base[c] = len(self.frames)
        self.nodes.append(Else(c))
        self.alive = True
        self.dead = False

    def carry(self, c: Construct) -> bool:
        """Falls to the end of a construct, with its values; or returns, and says so, if that is the function's end."""
        self.dead = True
        if c.after == FUNCTION_END and c.results:
            self.nodes.append(Return(self.index))
            self.alive = False
            return False
        self.nodes.append(Carry(c, self.index, back=False))
        return True

    def end(self, c: Construct) -> None:
        """Closes a construct."""
        if c.kind == "function":
            if not self.dead:
                self.nodes.append(Return(self.index))
            return
        chain, number = self.chains.get(c, (None, 0))
        joins = c.kind in {"if", "try"} or c in self.joined
        if not joins or c.kind == "loop":
            joins = c.results > 0 and (joins or chain is not None or self.has_loop(c))
        if chain is not None and c is not chain.owner and number % GROUP == 0:
            joins = True  # the next segment is reached by its selector
        dead = self.dead
        if joins and not dead:
            dead = not self.carry(c)
        self.close_nests(c)
        if chain is not None:
            self.end_segment(chain, number - 1 if c.kind == "block" else chain.segments - 1)
        elif c.kind == "if":
            self.end_arm(c)
        elif c.kind == "try":
            self.end_try(c)
        self.open.pop()
        self.ends[c.after].pop()
        if chain is not None:
            if chain.owner is c:
                self.close_loop(c)
            else:
                self.segment(chain, number)
                self.alive = self.alive or c in self.joined
        elif self.has_loop(c):
            self.close_loop(c)
        self.nodes.append(Close(c, joins=joins))
        if c.kind == "if":
            dead = dead and c in self.first_dead
        self.dead = dead and (c.kind == "loop" or not c.targeted)

    def end_arm(self, c: Construct) -> None:
        """Closes the arm of an if that is open, if one is."""
        frame = self.frames[-1] if self.frames else None
        if frame is None or frame.kind != "arm" or frame.owner is not c:
            return
        self.pop("arm", c)
        if frame.skip is not None and isinstance(frame.node, If):
            self.push("nest", frame.skip, frame.node.orelse, frame.node)
            self.alive = True
        else:
            self.alive = self.alive or frame.falls or c.els < 0

    def end_try(self, c: Construct) -> None:
        """Closes a try body, and branches out of its handlers."""
        node = node_of(Try, self.pop("try", c))
        falls = False
        clauses = []
        orelse: list[Node] = [Raise()]
        for clause in c.catches:
            target = clause.target
            way = self.way(target, "br")
            falls = falls or not way
            clauses.append((clause, self.carried(target, way or [])))
            if clause.kind >= 2:
                orelse = []
                break
        node.handler = [Catches(c, clauses, orelse)]
        self.alive = self.alive or falls
