"""Control flow as a state machine: for functions whose nesting CPython could not take.

The body is cut where labels are. Each piece is a state; a loop around a dispatch on `pc` runs one after the other,
and a branch sets `pc`.
States are numbered in the order of the code, so falling through is simply the next test succeeding.
A `try_table` is a range of states, and one handler around the dispatch looks up whose range was left.
"""

from typing import Any

from wasm2oci.engine.translate.emitter import Emitter, merge
from wasm2oci.engine.translate.instructions import FUNCTION_END, Construct
from wasm2oci.engine.translate.shape import GROUP, Chain
from wasm2oci.engine.translate.structured import Structured
from wasm2oci.engine.translate.value import M32, PURE, READ, V, mask, negated

__all__ = ["Machine"]


class Machine(Structured):
    """One walk over a function, writing it as states."""

    def __init__(self, e: Emitter) -> None:
        super().__init__(e, {})
        self.prologue = (list(e.out), list(e.offsets))
        self.pieces: list[tuple[list[str | None], list[int]]] = []
        self.states = self.number()
        self.regions: list[tuple[Construct, int, int]] = []
        self.region_starts: dict[Construct, int] = {}
        self.handles = any(c.kind == "try" for c in e.body.constructs)
        e.out, e.offsets = [], []
        e.ind = ""
        e.mark = -1 if not e.fuel else e.line("pass")
        # What the prologue's block costs is charged with the first state.

    def number(self) -> dict[int, int]:
        """State numbers of the instructions that begin a state."""
        places: set[int] = set()
        for c in self.e.body.constructs[1:]:
            if c.kind == "loop":
                if c.targeted:
                    places.add(c.start)
            elif c.kind == "if":
                places.add(c.end)
                if c.els >= 0:
                    places.add(c.els)
            elif c.kind == "try":
                places.add(c.start)
                places.add(c.end)
            elif c.targeted:
                places.add(c.end)
        return {place: number for number, place in enumerate(sorted(places), 1)}

    def state(self, target: Construct) -> int:
        """Where a branch to a label goes."""
        return self.states[target.start if target.kind == "loop" else target.end]

    def walk(self) -> None:
        """Translates the whole body."""
        super().walk()
        self.cut()
        self.assemble()

    def cut(self) -> None:
        """Ends the present piece."""
        e = self.e
        if e.fuel:
            dead, e.dead = e.dead, True
            e.charge()
            e.dead = dead
        self.pieces.append((e.out, e.offsets))
        e.out, e.offsets = [], []
        if e.fuel:
            e.mark = e.line("pass")

    # --- constructs ----------------------------------------------------------------------------------
    def open(self, c: Construct) -> None:
        """Opens a block, loop or try_table."""
        e = self.e
        self.open_.append(c)
        e.enter(c, settle_params=c.params > 0)
        if c.kind == "loop" and c.targeted:
            self.cut()
            e.forget(c.assigned)
            e.poll()
        elif c.kind == "try":
            self.cut()
            self.region_starts[c] = self.states[c.start]
            e.guarded += 1
            # A handler may be reached from anywhere inside.
            before = dict(e.ranges)
            e.forget(c.assigned)
            for clause in c.catches:
                self.note(clause.target, e.ranges)
            e.ranges = before
            self.entered.append(dict(e.ranges))

    def open_if(self, c: Construct) -> None:
        """Opens an if."""
        e = self.e
        condition = e.pop_condition()
        self.open_.append(c)
        e.enter(c, settle_params=c.params > 0)
        opposite = negated(condition)
        place = c.els if c.els >= 0 else c.end
        e.line(f"if {opposite.s}:pc={self.states[place]};continue")
        e.charge()
        self.entered.append(dict(e.ranges))
        e.assume(condition)

    def else_(self, c: Construct) -> None:
        """From the first arm to the second."""
        e = self.e
        self.settle_results(c)
        if not e.dead:
            c.state = merge(c.state, e.ranges)
            e.line(f"pc={self.states[c.end]};continue")
            c.plan = "falls"
        e.ranges = dict(self.entered[-1])
        del e.stack[c.height :]
        e.stack += self.slots(c.height, c.param_types)
        self.cut()
        e.dead = False

    def end(self, c: Construct) -> None:
        """Closes a construct."""
        e = self.e
        if c.kind == "function":
            if not e.dead:
                self.return_values(e.popn(c.results))
            return
        self.open_.pop()
        joins = c.targeted > 0 and c.kind != "loop"
        settled = joins or c.kind == "if"
        if settled:
            self.settle_results(c)
        alive = not e.dead
        if c.kind == "if":
            before = self.entered.pop()
            if c.els < 0:
                e.ranges = merge(e.ranges, before) if alive else dict(before)
                alive = True
            elif c.state is not None:
                e.ranges = merge(c.state, e.ranges) if alive else c.state
                alive = True
            joins = joins and c.els < 0
        if joins and c.state is not None:
            e.ranges = merge(c.state, e.ranges) if alive else c.state
            alive = True
        c.state = None
        if settled or not alive:
            del e.stack[c.height :]
            e.stack += self.slots(c.height, c.result_types)
        else:
            for height in range(c.height, len(e.stack)):
                if e.stack[height].cls != PURE or c.kind == "try":
                    e.settle(height)
        if c.end in self.states:
            self.cut()
        if c.kind == "try":
            e.guarded -= 1
            self.entered.pop()
            self.regions.append((c, self.region_starts[c], self.states[c.end] - 1))
        e.dead = not alive

    def slots(self, height: int, types: tuple[int, ...]) -> list[V]:
        """Slots as operands."""
        return self.e.typed_slots(height, types)

    # --- branches --------------------------------------------------------------------------------------
    def br(self, target: Construct) -> None:
        """An unconditional branch or a return."""
        e = self.e
        values = e.popn(target.arity)
        if target.cont == FUNCTION_END:
            self.return_values(values)
            return
        e.flush(READ)
        self.typed(values, target)
        e.assign_slots(target.height, values)
        self.note(target, e.ranges)
        e.line(f"pc={self.state(target)};continue")
        e.dead = True

    def branch_if(self, condition: V, target: Construct, arity: int) -> None:
        """Branches with the topmost operands, which stay on the stack for the other path."""
        e = self.e
        e.flush(READ)
        values = e.stack[len(e.stack) - arity :] if arity else []
        self.typed(values, target)
        taken = e.ranges
        e.ranges = dict(taken)
        e.assume(condition)
        self.note(target, e.ranges)
        e.ranges = dict(taken)
        e.assume(negated(condition))
        if target.cont == FUNCTION_END:
            e.line(f"if {condition.s}:{self.return_text(values)}")
        else:
            moves = self.moves(values, target)
            e.line(f"if {condition.s}:{moves}{';' if moves else ''}pc={self.state(target)};continue")
        e.charge()

    def br_table(self, targets: list[Construct]) -> None:
        """A branch by index."""
        e = self.e
        v = mask(e.stack.pop(), M32)
        e.flush(READ)
        v = e.exact(v)
        if not v.s.isidentifier():
            e.line(f"z={v.s}")
            v = V("z", 0, v.lo, v.hi)
        arity = targets[-1].arity
        values = e.popn(arity)
        for target in set(targets):
            self.typed(values, target)
            self.note(target, e.ranges)
        e.dead = True
        if not arity and all(target.cont != FUNCTION_END for target in targets):
            self.table_line("pc", v, [self.state(target) for target in targets])
            e.line("continue")
            return
        jumps = {}
        for target in set(targets):
            if target.cont == FUNCTION_END:
                jumps[target.cont] = self.return_text(list(values))
            else:
                moves = self.moves(values, target)
                jumps[target.cont] = f"{moves}{';' if moves else ''}pc={self.state(target)};continue"
        runs: list[tuple[int, int]] = []
        for index, target in enumerate(targets):
            if not runs or runs[-1][1] != target.cont:
                runs.append((index, target.cont))
        self.dispatch(v.s, runs, jumps, e.ind)

    def check_depth(self) -> None:
        """A tree of comparisons is never too deep."""

    # --- assembly ----------------------------------------------------------------------------------------
    def assemble(self) -> None:
        """Puts the pieces under the dispatch."""
        e = self.e
        count = len(self.pieces)
        tree = Chain([self.e.body.constructs[0]] * count, None, 0)
        tree.rename("pc")
        e.out, e.offsets = self.prologue
        e.ind = " "
        e.line("pc=0")
        e.line("while True:")
        base = "  "
        if self.handles:
            e.ind = base
            e.line("try:")
            base += " "
        for number, (lines, offsets) in enumerate(self.pieces):
            group, place = divmod(number, GROUP)
            if place == 0:
                for depth, text in tree.head[group]:
                    e.ind = base + " " * depth
                    e.line(text)
            e.ind = base + " " * tree.depth[group]
            last = place == GROUP - 1 or number == count - 1
            if not last:
                e.line(f"if pc<={number}:")
                e.ind += " "
            size = len(e.out)
            if self.handles:
                e.line(f"pc={number}")
            for line, offset in zip(lines, offsets, strict=True):
                if line is not None:
                    e.out.append(e.ind + line)
                    e.offsets.append(offset)
            if last and number + 1 < count:
                e.line(f"pc={number + 1}")
            if len(e.out) == size:
                e.line("pass")
        if self.handles:
            self.handlers()

    def handlers(self) -> None:
        """The handler around the dispatch: innermost ranges first."""
        e = self.e
        e.ind = "  "
        e.line("except WasmException as w:")
        for c, first, last in sorted(self.regions, key=lambda region: -region[0].depth):
            e.ind = "   "
            e.line(f"if {first}<=pc<={last}:")
            e.ind += " "
            size = len(e.out)
            for clause in c.catches:
                e.ind = "    "
                if clause.kind < 2:
                    e.line(f"if w.tag is X{clause.tag}:")
                    e.ind += " "
                self.clause_lines(clause, "w")
                if clause.kind >= 2:
                    break
            if len(e.out) == size:
                e.line("pass")
        e.ind = "   "
        e.line("raise")

    def clause_lines(self, clause: Any, name: str) -> None:
        """One clause: its values, and the branch."""
        e = self.e
        target = clause.target
        count = target.arity - (clause.kind & 1)
        if target.cont == FUNCTION_END:
            if target.arity == 1:
                e.line(f"return {name}.values[0]" if count else f"return {name}")
            elif clause.kind & 1:
                e.line(f"return (*{name}.values,{name})" if count else f"return {name}")
            else:
                e.line(f"return {name}.values" if count else "return")
            return
        names = [f"s{target.height + i}" for i in range(target.arity)]
        if count:
            e.line(f"{','.join(names[:count])},={name}.values")
        if clause.kind & 1:
            e.line(f"{names[-1]}={name}")
        e.line(f"pc={self.state(target)};continue")
