"""How a branch reaches its label in Python.

WebAssembly's labels are left with `br` from any depth, Python's loops only one at a time. A branch therefore names a
*continuation* (see `body`): leaving any construct that ends there is the same jump, and the innermost one is
left. In Ramsey's "Beyond Relooper" (ICFP 2022) terms, code after a block is placed in the context of the block's end,
and a branch is one of, the cheapest first:

    fall      nothing but the construct's end follows
    return    it leaves the function
    continue  the innermost Python loop starts there (a chain of blocks: after setting its selector)
    break     the innermost Python loop ends there
    nest      what is left of the construct goes into the `else` of the branch's own `if`
    skip      the same for a branch that ends the first arm of an `if`
    flag      break, remembering where to; what comes after that loop branches on
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.translate.body import FUNCTION_END
from wasm2oci.engine.translate.codes import END
from wasm2oci.engine.translate.frames import MAX_INDENT, Frames, TooDeep
from wasm2oci.engine.translate.tree import Break, Carry, Continue, Evaluate, If, Lookup, Return, Set, Table, Test, While

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body, Construct
    from wasm2oci.engine.translate.chains import Chain
    from wasm2oci.engine.translate.tree import Node

__all__ = ["Branches"]

MAX_NESTS: Final = 8
"""More `if`s than this for one construct, and it becomes a loop."""


class Branches(Frames):
    """The open constructs, and the branches out of them.

    Args:
        body: the function.
        chains: its chains.
        own: constructs that get a loop of their own.

    Attributes:
        failed: constructs that turned out to need a loop of their own.
        open: the constructs around the present place.
        ends: continuation to the open constructs that end there.
        base: of an open construct: how many frames are around its body.
        joined: constructs at whose end a branch comes out.
        index: the present instruction.
    """

    def __init__(self, body: Body, chains: dict[Construct, tuple[Chain, int]], own: set[Construct]) -> None:
        super().__init__()
        self.body = body
        self.chains = chains
        self.own = own
        self.failed: set[Construct] = set()
        self.open: list[Construct] = [body.constructs[0]]
        self.ends: dict[int, list[Construct]] = {}
        self.base: dict[Construct, int] = {}
        self.joined: set[Construct] = set()
        self.nests: dict[Construct, int] = {}
        self.index = 0
        self.flags = 0

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
