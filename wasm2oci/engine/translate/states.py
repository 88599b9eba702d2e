"""Control flow as a dispatch on states: for functions whose nesting CPython could not take.

The body is cut where labels are. Each piece is a state; a loop around a dispatch on `pc` runs one after the other,
and a branch sets `pc`.
States are numbered in the order of the code, so falling through is simply the next test succeeding.
A `try_table` is a range of states, and one handler around the dispatch looks up whose range was left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.body import FUNCTION_END
from wasm2oci.engine.translate.chains import Dispatch
from wasm2oci.engine.translate.codes import BR, BR_TABLE, BRANCHES_ON_CONDITION, CASTS, CONTROL, ELSE, END, IF, RETURN
from wasm2oci.engine.translate.tree import (
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

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body, Construct
    from wasm2oci.engine.translate.tree import (
        Node,
    )

__all__ = ["dispatch_states"]

PC: Final = "pc"


def dispatch_states(body: Body) -> list[Node]:
    """The tree of a function as one loop."""
    return _States(body).build()


class _States:
    """The part of a function that was walked so far.

    Args:
        body: the function.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self.begins: list[int | Construct] = [0]
        self.states = self._number()
        self.index = 0
        self.number = 0
        self.dead = False
        self.first_dead: set[Construct] = set()
        self.regions: list[tuple[Construct, int, int]] = []
        self.handles = any(c.kind == "try" for c in body.constructs)
        self.loop = While(None, PC)
        self.guard = Try(0)
        self.dispatch = Dispatch(PC, len(self.states) + 1, self.guard.body if self.handles else self.loop.body)
        self.nodes: list[Node] = []
        self._begin()

    def _number(self) -> dict[int, int]:
        """State numbers of the instructions that begin a state; what each begins with goes into `begins`."""
        entries: dict[int, int | Construct] = {}
        for c in self.body.constructs[1:]:
            if c.kind == "loop":
                if c.targeted:
                    entries[c.start] = c
            elif c.kind in {"if", "try"} or c.targeted:
                entries[c.end] = c
                if c.els >= 0:
                    entries[c.els] = c.els
                if c.kind == "try":
                    entries[c.start] = c.start + 1
        places = sorted(entries)
        self.begins += [entries[place] for place in places]
        return {place: number for number, place in enumerate(places, 1)}

    def _begin(self) -> None:
        self.nodes, _ = self.dispatch.segment(self.number)
        if self.handles:
            self.nodes.append(Set(PC, self.number))

    def cut(self) -> None:
        """Ends the present state and begins the next."""
        self.number += 1
        on = [] if self.dead else self.dispatch.on(self.number - 1)
        if on:
            self.loop.entries[self.number] = self.begins[self.number]
        self.nodes += on
        self._begin()

    def build(self) -> list[Node]:
        """Goes through the function."""
        code = self.body.code
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
                    target = item[1] if op in CASTS else item
                    self.nodes.append(If(index, self.jump(target), []))
                elif op in {BR, RETURN}:
                    self.nodes += self.jump(item)
                    self.dead = True
                elif op == IF:
                    place = item.els if item.els >= 0 else item.end
                    self.nodes.append(If(index, [], self.go(place)))
                elif op == ELSE:
                    self.else_(item)
                elif op == BR_TABLE:
                    self.branch_table(item)
                else:
                    self.open(item)
            else:
                self.nodes.append(Code(at, index + 1, ends=True))
                self.dead = True
            at = index + 1
        if self.handles:
            self.loop.body.append(self.guard)
            self.guard.handler = self.handlers()
        return [Set(PC, 0), self.loop]

    def go(self, place: int) -> list[Node]:
        """A jump to the state that begins at an instruction."""
        number = self.states[place]
        self.loop.entries[number] = self.begins[number]
        return [Set(PC, number), Continue()]

    def jump(self, target: Construct) -> list[Node]:
        """A jump to a label, with its values."""
        if target.cont == FUNCTION_END:
            return [Return(self.index)]
        back = target.kind == "loop"
        return [Carry(target, self.index, back=back), *self.go(target.start if back else target.end)]

    # --- constructs -------------------------------------------------------------------------------
    def open(self, c: Construct) -> None:
        """Opens a block, loop or try_table."""
        self.nodes.append(Open(c))
        if c.start in self.states:
            self.cut()
            if c.kind == "loop":
                self.nodes.append(Head(c, alone=False))

    def else_(self, c: Construct) -> None:
        """From the first arm to the second."""
        if self.dead:
            self.first_dead.add(c)
        else:
            self.nodes.append(Carry(c, self.index, back=False))
            self.nodes += self.go(c.end)
            self.dead = True
        self.cut()
        self.nodes.append(Else(c))
        self.dead = False

    def end(self, c: Construct) -> None:
        """Closes a construct."""
        if c.kind == "function":
            if not self.dead:
                self.nodes.append(Return(self.index))
            return
        joins = c.end in self.states
        if joins:
            if not self.dead:
                self.nodes.append(Carry(c, self.index, back=False))
            self.cut()
        self.nodes.append(Close(c, joins=joins))
        if c.kind == "try":
            self.regions.append((c, self.states[c.start], self.states[c.end] - 1))
        if c.kind == "if":
            self.dead = self.dead and c in self.first_dead
        self.dead = self.dead and (c.kind == "loop" or not c.targeted)

    def handlers(self) -> list[Node]:
        """What is done with an exception: innermost ranges first."""
        nodes: list[Node] = []
        for c, first, last in sorted(self.regions, key=lambda region: -region[0].depth):
            test = Test(PC, first, last)
            clauses = []
            for clause in c.catches:
                clauses.append((clause, self.jump(clause.target)))
                if clause.kind >= 2:
                    break
            test.then.append(Catches(c, clauses, []))
            nodes.append(test)
        return [*nodes, Raise()]

    # --- branches ---------------------------------------------------------------------------------
    def branch_table(self, targets: list[Any]) -> None:
        """A branch by index."""
        self.dead = True
        conts = {target.cont for target in targets}
        if len(conts) == 1:
            self.nodes.append(Evaluate(self.index))
            self.nodes += self.jump(targets[-1])
            return
        if not targets[-1].arity and FUNCTION_END not in conts:
            values = [self.states[t.start if t.kind == "loop" else t.end] for t in targets]
            for value in values:
                self.loop.entries[value] = self.begins[value]
            self.nodes += [Lookup(self.index, PC, values), Continue()]
            return
        runs: list[tuple[int, list[Node]]] = []
        previous = -2
        for place, target in enumerate(targets):
            if target.cont != previous:
                runs.append((place, self.jump(target)))
                previous = target.cont
        self.nodes.append(Table(self.index, runs))
