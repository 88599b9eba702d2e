"""A function's tree as Python text: one walk, in the order of the instructions.

`Emitter` keeps operands and lines. What is known of locals where paths meet belongs to the labels of the source: a
branch notes it at its label (`note`), the label's `Close` takes it up, whatever way the jump takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.codes import IF, LOCAL_TEE
from wasm2oci.engine.translate.handler_statements import HandlerStatements
from wasm2oci.engine.translate.invariants import InvariantMotion
from wasm2oci.engine.translate.loops import OpenLoop
from wasm2oci.engine.translate.lowering import LOWERING
from wasm2oci.engine.translate.ranges import merge
from wasm2oci.engine.translate.tree import (
    LOWEST,
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
    Try,
    While,
)
from wasm2oci.engine.translate.value import negated

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Construct
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.loops import LoopFacts
    from wasm2oci.engine.translate.ranges import Range
    from wasm2oci.engine.translate.tree import Node

__all__ = ["Renderer"]

_SIMPLE: Final = frozenset((Set, Break, Continue))


class Renderer(HandlerStatements):
    """One walk over a function.

    Args:
        e: where operands and lines are kept.
        loops: what is known of loops.
        repeats: instructions whose result is kept (a number) or was kept (its complement).
    """

    def __init__(self, e: Emitter, loops: LoopFacts, repeats: dict[int, int]) -> None:
        super().__init__(e, loops)
        self.repeats = repeats
        self.entered: dict[Construct, dict[int, Range]] = {}  # what was known where the other arm of an `if` begins

    def straight(self, node: Code) -> None:
        """Instructions that do not branch."""
        e, lowerings, repeats, counters = self.e, LOWERING, self.repeats, self.loops.counters
        index, end = node.start, node.end
        e.count += end - index
        if not repeats and not counters:
            for op, item, offset in self.code[index:end]:
                e.at = offset
                e.place = index
                lowerings[op](e, item)
                index += 1
            return
        for op, item, offset in self.code[index:end]:
            e.at = offset
            e.place = index
            if index in repeats:
                lowerings[op](e, item)
                what = repeats[index]
                if what >= 0:
                    e.keep(what)
                else:
                    e.reuse(~what)
            elif index in counters:
                self.step(counters[index], op, item)
            else:
                lowerings[op](e, item)
            index += 1

    def step(self, loop: OpenLoop, op: int, item: Any) -> None:
        """The step of a loop that counts."""
        e = self.e
        if loop.count is not None:  # the `for` assigns it
            e.local_steps(item, e.stack.pop())
            if op == LOCAL_TEE:
                e.stack.append(e.local_get(item))
            return
        v = e.stack[-1]
        if loop.tail is not None and loop.owner is not None and v.lo >= 0 and v.hi <= loop.tail.mask:
            self.loops.proven.add(loop.owner.start)
        LOWERING[op](e, item)

    # --- constructs ------------------------------------------------------------------------------------------
    def open(self, node: Open) -> None:
        """The start of a block, loop or try_table."""
        e, c = self.e, node.construct
        e.at = self.code[c.start][2]
        e.enter(c, settle_params=c.params > 0)
        if c.kind == "try":
            e.count += 1
            e.guarded += 1
            # A handler may be reached from anywhere inside.
            before = dict(e.ranges)
            e.forget(c.assigned)
            for clause in c.catches:
                self.note(clause.target, back=clause.target.kind == "loop")
            e.ranges = before

    def head(self, node: Head) -> None:
        """A loop's label."""
        e = self.e
        self.loops.enter(node.construct, self.open_loops[-1] if node.alone else None)
        e.charge()
        e.poll()

    def while_(self, node: While) -> None:
        """A loop."""
        e, owner = self.e, node.owner
        ind = e.ind
        before = e.line("")
        e.out[before] = None
        header = e.line("while True:")
        first = node.body[0] if node.body else None
        steady = isinstance(first, Head) and first.alone and not e.compact
        loop = OpenLoop(owner, ind, header, steady=steady)
        if steady and owner is not None:
            e.loops.append(InvariantMotion(owner.assigned, before, len(ind), len(ind) + 1))
        self.open_loops.append(loop)
        e.ind = ind + " "
        self.write(node.body)
        e.ind = ind
        self.open_loops.pop()
        if steady:
            e.end_steady(header)
        if e.empty(header):
            e.line(" pass")
        if loop.count is not None and loop.count.last:
            e.line("else:")
            e.line(" " + loop.count.last)

    def if_(self, node: If) -> None:
        """An `if`, or a conditional branch."""
        op, c = self.goto(node.at)
        if op != IF:
            self.branch(node, op, c)
            return
        e = self.e
        condition = e.pop_condition()
        opposite = negated(condition)
        e.enter(c, settle_params=c.params > 0)
        ind = e.ind
        if node.then:
            header = e.line(f"if {condition.s}:")
            e.ind += " "
        else:  # what follows is the first arm
            header = e.line(f"if {opposite.s}:{self.jump(node.orelse)}")
        e.charge()
        before = dict(e.ranges)
        e.assume(condition)
        taken, e.ranges = e.ranges, before
        e.assume(opposite)
        self.entered[c], e.ranges = e.ranges, taken
        if node.then:
            self.write(node.then)
            e.ind = ind
            self.otherwise(header, opposite.s, node.orelse)

    def otherwise(self, header: int, opposite: str, nodes: list[Node]) -> None:
        """What follows the first arm of an `if`, whose first line is `header`."""
        e = self.e
        ind = e.ind
        empty = e.empty(header)
        if empty and nodes:
            e.out[header] = f"{ind}if {opposite}:"
        elif nodes:
            header = e.line("else:")
        if nodes:
            e.ind = ind + " "
            self.write(nodes)
            e.ind = ind
        if not e.empty(header):
            return
        if empty:
            e.line(" pass")
        elif nodes:
            e.take_back(header)

    def else_(self, node: Else) -> None:
        """The start of the second arm of an `if`."""
        e, c = self.e, node.construct
        e.at = self.code[c.els][2]
        e.ranges = dict(self.entered[c])
        del e.stack[c.height :]
        e.stack += e.typed_slots(c.height, c.param_types)
        e.dead = False
        e.charge()

    def close(self, node: Close) -> None:
        """The end of a construct."""
        e, c = self.e, node.construct
        e.at = self.code[c.end][2]
        state = self.known.pop(c, None)
        if c.kind == "try":
            e.guarded -= 1
        elif c.kind == "if":
            before = self.entered.pop(c)
            if c.els < 0:  # the path that skipped the arm
                state = merge(state, before)
        if node.joins and state is not None:
            e.ranges = state if e.dead else merge(state, e.ranges)
            e.dead = False
        if node.joins or e.dead:
            del e.stack[c.height :]
            if c.results:
                e.stack += e.typed_slots(c.height, c.result_types)
        if not e.dead:
            e.charge()

    def test(self, node: Test) -> None:
        """A test of a selector or flag."""
        e = self.e
        yes, no = _tests(node)
        if not node.then:
            self.nest("", f"if {no}:", node.orelse)
            return
        if not node.orelse and type(node.then[0]) in _SIMPLE and all(type(each) in _SIMPLE for each in node.then):
            e.line(f"if {yes}:{self.jump(node.then)}")
            return
        ind = e.ind
        header = e.line(f"if {yes}:")
        e.ind = ind + " "
        if not isinstance(node.then[0], Test):
            e.charge()
        self.write(node.then)
        e.ind = ind
        self.otherwise(header, no, node.orelse)


Renderer.writers = {
    Code: Renderer.straight,
    Open: Renderer.open,
    Head: Renderer.head,
    Else: Renderer.else_,
    Close: Renderer.close,
    Carry: Renderer.carry,
    If: Renderer.if_,
    Evaluate: Renderer.evaluate,
    Table: Renderer.table,
    Lookup: Renderer.lookup,
    While: Renderer.while_,
    Test: Renderer.test,
    Return: Renderer.return_,
    Try: Renderer.try_,
    Catches: Renderer.catches,
    Set: Renderer.simple,
    Break: Renderer.simple,
    Continue: Renderer.simple,
    Raise: Renderer.raise_,
}


def _tests(node: Test) -> tuple[str, str]:
    """The text of a test, and of its opposite."""
    name, low, high = node.name, node.low, node.high
    if low == LOWEST:
        return f"{name}<={high}", f"{name}>{high}"
    if low == high:
        return f"{name}=={low}", f"{name}!={low}"
    return f"{low}<={name}<={high}", f"not {low}<={name}<={high}"
