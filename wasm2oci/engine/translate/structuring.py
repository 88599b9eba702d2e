"""Structured control flow as Python's own: which construct gets a loop, and how each branch reaches its label.

WebAssembly's labels are left with `br` from any depth, Python's loops only one at a time. A branch therefore names a
*continuation* (see `instructions`): leaving any construct that ends there is the same jump, and the innermost one is
left. In Ramsey's "Beyond Relooper" (ICFP 2022) terms, code after a block is placed in the context of the block's end,
and a branch is one of, the cheapest first:

    fall      nothing but the construct's end follows
    return    it leaves the function
    continue  the innermost Python loop starts there (a chain of blocks: after setting its selector)
    break     the innermost Python loop ends there
    nest      what is left of the construct goes into the `else` of the branch's own `if`
    skip      the same for a branch that ends the first arm of an `if`
    flag      break, remembering where to; what comes after that loop branches on

Where none of these is possible, the construct becomes a `while True:` of its own, and the function is gone through once
more. What Python cannot nest deeply enough becomes a dispatch on states (`states`).

Control that comes out at the end of a Python loop goes on after it, whatever label the branch named. So `alive` says
whether *Python* gets to the present place, which is more than whether the instruction before it falls through: the ends
that follow must lead such control on, out of an arm past the `else`, out of a loop by another `break`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from wasm2oci.engine.translate.chains import GROUP, Dispatch, find_chains
from wasm2oci.engine.translate.codes import BR, BR_TABLE, BRANCHES_ON_CONDITION, CASTS, CONTROL, ELSE, END, IF, RETURN
from wasm2oci.engine.translate.instructions import FUNCTION_END
from wasm2oci.engine.translate.states import dispatch_states
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
    Tree,
    Try,
    While,
)

if TYPE_CHECKING:
    from wasm2oci.engine.translate.chains import Chain
    from wasm2oci.engine.translate.instructions import Body, Construct
    from wasm2oci.engine.translate.tree import (
        Node,
    )

__all__ = ["structure"]

MAX_ATTEMPTS: Final = 12
"""Each attempt tells which constructs need a loop of their own; after so many, states take over."""
MAX_BLOCKS: Final = 17
"""Nested loops and try bodies; CPython refuses the 21st."""
MAX_INDENT: Final = 80
"""Indentation levels; CPython refuses the 100th."""
MAX_NESTS: Final = 8
"""More `if`s than this for one construct, and it becomes a loop."""


T = TypeVar("T", bound="Node")


class TooDeep(Exception):  # noqa: N818 - not an error: another way is taken
    """CPython's limits on nesting do not allow structured control flow."""


class _Frame:
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


def _of(kind: type[T], frame: _Frame) -> T:
    """The node of a frame, which is of a kind."""
    if not isinstance(frame.node, kind):
        raise TypeError(kind)
    return frame.node


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
    """Whether most of a function is a dispatch loop, the shape of all of Go's: too many back edges to learn at."""
    inside = end = 0
    for c in body.constructs:
        if c.kind == "loop" and c.start > end and c in chains:
            end = c.end
            inside += end - c.start
    return 2 * inside > len(body.code)


class _Builder:
    """One attempt.

    Args:
        body: the function.
        chains: its chains.
        own: constructs that get a loop of their own.

    Attributes:
        failed: constructs that turned out to need one.
        nodes: the list the next node goes into.
        frames: Python's structure around the present place.
        loops: those of them that are loops, as (place, frame).
        open: the constructs around the present place.
        ends: continuation to the open constructs that end there.
        base: of an open construct: how many frames are around its body.
        joined: constructs at whose end a branch comes out.
        alive: Python gets here.
        dead: the instruction before does not go on.
    """

    def __init__(self, body: Body, chains: dict[Construct, tuple[Chain, int]], own: set[Construct]) -> None:
        self.body = body
        self.chains = chains
        self.own = own
        self.failed: set[Construct] = set()
        self.nodes: list[Node] = []
        self.frames: list[_Frame] = []
        self.loops: list[tuple[int, _Frame]] = []
        self.open: list[Construct] = [body.constructs[0]]
        self.ends: dict[int, list[Construct]] = {}
        self.base: dict[Construct, int] = {}
        self.joined: set[Construct] = set()
        self.nests: dict[Construct, int] = {}
        self.first_dead: set[Construct] = set()
        self.alive = True
        self.dead = False
        self.index = 0
        self.flags = 0
        self.blocks = 0

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

    def stop(self) -> None:
        """Nothing goes on from here."""
        self.alive = False
        self.dead = True

    # --- frames -----------------------------------------------------------------------------------
    def push(self, kind: str, owner: Construct, nodes: list[Node], node: Node | None, indent: int = 1) -> _Frame:
        """Opens a frame, whose nodes go into `nodes`."""
        frames = self.frames
        indent += frames[-1].indent if frames else 1
        frame = _Frame(kind, owner, self.nodes, node, indent)
        frames.append(frame)
        self.nodes = nodes
        if kind in {"while", "try"}:
            self.blocks += 1
        if self.blocks > MAX_BLOCKS or indent > MAX_INDENT:
            raise TooDeep
        return frame

    def pop(self, kind: str, owner: Construct) -> _Frame:
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

    def close_loop(self, c: Construct) -> None:
        """Closes a Python loop, and branches on for those who broke out of it for somewhere else."""
        frame = self.pop("while", c)
        self.loops.pop()
        node = _of(While, frame)
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

    def branch_on(self, frame: _Frame) -> None:
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

    def close_nests(self, c: Construct) -> None:
        """Closes the `if`s whose branches leave a construct."""
        frames = self.frames
        while frames and frames[-1].kind == "nest" and frames[-1].owner.depth >= c.depth:
            self.nodes = frames.pop().parent
            self.alive = True

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
        node = _of(If, frame)
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
        node = _of(Try, self.pop("try", c))
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

    # --- branches ---------------------------------------------------------------------------------
    def carried(self, target: Construct, way: list[Node]) -> list[Node]:
        """A jump, with the values it takes along."""
        if way and isinstance(way[0], Return):
            return way
        return [Carry(target, self.index, back=target.kind == "loop"), *way]

    def way(self, target: Construct, kind: str) -> list[Node] | None:
        """How to get from here to a label.

        Args:
            target: the label's construct.
            kind: of branch: "if", which may open a nest; "br", which may fall or skip; or "table".

        Returns:
            The jump; empty where falling leads there; None where a nest is to be opened.
        """
        cont = target.cont
        if cont == FUNCTION_END:
            return [Return(self.index)]
        repeats = target.kind == "loop"
        c = target
        if not repeats:
            c = self.ends[cont][-1]
            self.joined.add(target)
        if kind == "br" and c is self.open[-1] and not repeats:
            self.joined.add(c)
            return []
        place, loop = self.loops[-1] if self.loops else (-1, None)
        if loop is not None:
            entry = loop.entries.get(cont)
            if entry is not None:
                number, block = entry
                self.joined.add(block)
                if loop.chain is None or not isinstance(loop.node, While):
                    return [Continue()]
                loop.node.entries[number] = block
                return [Set(loop.chain.name, number), Continue()]
            if loop.after == cont and not repeats:
                self.joined.add(loop.owner)
                loop.broken = True
                return [Break()]
        base = self.base[c]
        if not repeats and place < base and self.may_nest(c, kind):
            self.joined.add(c)
            return None if kind == "if" else []
        if loop is not None and place >= base:
            if not loop.flag:
                loop.flag = f"x{self.flags}"
                self.flags += 1
            number, _ = loop.flags.setdefault(cont, (len(loop.flags) + 1, target))
            return [Set(loop.flag, number), Break()]
        self.failed.add(c)
        return [Continue()]

    def may_nest(self, c: Construct, kind: str) -> bool:
        """Whether the rest of a construct can go into an `else`: everything else opened in it ends with it."""
        above = self.frames[self.base[c] :]
        if kind == "if":
            if any(frame.kind != "nest" or frame.owner.depth > c.depth for frame in above):
                return False
            count = self.nests[c] = self.nests.get(c, 0) + 1
            return count <= MAX_NESTS
        if kind == "table" or not above:
            return False
        arm = above.pop()
        if (
            arm.kind != "arm"
            or arm.owner is not self.open[-1]
            or arm.falls
            or any(frame.kind != "nest" or frame.owner.depth > c.depth for frame in above)
        ):
            return False
        arm.skip = c
        return True

    def branch(self, target: Construct) -> None:
        """An unconditional branch or a return."""
        arm = self.frames[-1] if self.frames else None
        way = self.way(target, "br") or []
        self.nodes += self.carried(target, way)
        skips = arm is not None and arm.skip is not None
        self.stop()
        self.alive = not way and not skips

    def branch_if(self, target: Construct) -> None:
        """A conditional branch."""
        index = self.index
        op, here, _ = self.body.code[index + 1]
        if (
            op == END
            and here.kind == "block"
            and here.after == target.cont != FUNCTION_END
            and here not in self.own
            and here not in self.chains
        ):
            self.nodes.append(Evaluate(index))
            return
        way = self.way(target, "if")
        node = If(index, self.carried(target, way or []), [])
        self.nodes.append(node)
        if way is None:
            self.push("nest", self.ends[target.cont][-1], node.orelse, node)

    def branch_table(self, targets: list[Construct]) -> None:
        """A branch by index."""
        index = self.index
        distinct: dict[int, Construct] = {}
        for target in targets:
            distinct.setdefault(target.cont, target)
            self.joined.add(target)
        if len(distinct) == 1:
            self.nodes.append(Evaluate(index))
            self.branch(targets[-1])
            return
        ways = {cont: self.way(target, "table") or [] for cont, target in distinct.items()}
        selector = self.selector()
        self.stop()
        if selector and not targets[-1].arity:
            values: dict[int, int] = {}
            tests: list[Node] = []
            for place, (cont, way) in enumerate(ways.items()):
                first = way[0]
                if isinstance(first, Set) and first.name == selector and isinstance(way[1], Continue):
                    values[cont] = first.value
                else:
                    values[cont] = -1 - place
                    test = Test(selector, -1 - place, -1 - place)
                    test.then = way
                    tests.append(test)
            if len(ways) - len(tests) >= 2:
                self.nodes.append(Lookup(index, selector, [values[target.cont] for target in targets]))
                self.nodes += [*tests, Continue()]
                return
        runs: list[tuple[int, list[Node]]] = []
        previous = -2
        for place, target in enumerate(targets):
            if target.cont != previous:
                runs.append((place, self.carried(target, ways[target.cont])))
                previous = target.cont
        indent = self.frames[-1].indent if self.frames else 1
        if indent + len(runs).bit_length() > MAX_INDENT + 15:
            raise TooDeep
        self.nodes.append(Table(index, runs))

    def selector(self) -> str:
        """The selector of the innermost loop, if it is a chain."""
        chain = self.loops[-1][1].chain if self.loops else None
        return "" if chain is None else chain.name
