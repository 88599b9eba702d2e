"""Branches of structured control flow: what is written where one leaves; `shape` says how it finds its way."""

from typing import Any

from wasm2oci.engine.translate.counting import at_the_start
from wasm2oci.engine.translate.emitter import Emitter, Range, merge, type_mask
from wasm2oci.engine.translate.instructions import FUNCTION_END, Construct
from wasm2oci.engine.translate.lowering.references import test_text
from wasm2oci.engine.translate.shape import MAX_BLOCKS, MAX_INDENT, Frame, Shape
from wasm2oci.engine.translate.value import M32, PURE, READ, SMALL, V, boolean, mask, negated, paren

__all__ = ["Branches", "TooDeep"]

END = 0x0B


class TooDeep(Exception):  # noqa: N818 - not an error: another way is taken
    """CPython's limits on nesting do not allow structured control flow."""


class Branches:
    """A walk over a function, as far as branches and returns go.

    Args:
        e: where operands and lines are kept.

    Attributes:
        shape: the Python frames that are open.
        learned: for loops, what is known of locals at their back edges.
        open_: the constructs that are open.
        given: loops whose counters were found not to wrap in an earlier walk.
        refused: loops that turned out not to be writable as `for`.
        next: the place of the instruction after the present one.
        flags: how many variables there are for branches out of several loops.
    """

    def __init__(self, e: Emitter) -> None:
        self.e = e
        self.shape = Shape()
        self.learned: dict[int, dict[int, Range]] = {}
        self.open_: list[Construct] = [e.body.constructs[0]]
        self.given: set[int] = set()
        self.refused: set[int] = set()
        self.next = 0
        self.flags = 0

    def check_depth(self) -> None:
        """Gives up where CPython would."""
        if self.shape.blocks > MAX_BLOCKS or len(self.e.ind) > MAX_INDENT:
            raise TooDeep

    def return_text(self, values: list[V]) -> str:
        """A return statement."""
        e = self.e
        types = e.body.constructs[0].result_types
        for v, type_ in zip(values, types, strict=True):
            v.m = v.m or type_mask(type_)
        texts = [e.exact(v) for v in values]
        if len(texts) == 1:
            return f"return {texts[0].s}"
        return f"return {','.join(v.s if v.p < 13 else f'({v.s})' for v in texts)}" if texts else "return"

    def return_values(self, values: list[V]) -> None:
        """Writes a return."""
        e = self.e
        e.flush(READ)
        types = e.body.constructs[0].result_types
        m = type_mask(types[0]) if len(values) == 1 else 0
        if m and values[0].p == 4 and not 0 <= values[0].lo <= values[0].hi <= m:
            v = values[0]
            v.m = m
            name = f"s{len(e.stack)}"
            if v.lo >= 0 and v.hi <= 2 * m and not e.compact and not v.deps & e.mixed:
                # A sum, rarely out of its range.
                e.line(f"return {name} if ({name}:={v.s})<={SMALL} else {name}&{m}")
                e.dead = True
                return
            values = [e.store(name, v)]
        text = self.return_text(values)
        e.line(text)
        e.dead = True

    def jump_text(self, way: str, detail: Any, target: Construct) -> str:
        """The statements of a jump whose values are in place."""
        if way == "continue":
            frame, selector = detail
            return "continue" if selector is None else f"{frame.chain.name}={selector};continue"
        if way == "break":
            return "break"
        if way == "flag":
            frame, number = detail
            if not frame.flag:
                frame.flag = f"x{self.flags}"
                self.flags += 1
            return f"{frame.flag}={number};break"
        if way == "return":
            values = self.e.typed_slots(target.height, target.result_types)
            return self.return_text(values)
        return "pass"  # fall, skip, fail

    def note(self, target: Construct, ranges: dict[int, Range]) -> None:
        """Records what is known where a branch leaves for its target."""
        if target.kind == "loop":
            self.learned[target.start] = merge(self.learned.get(target.start), ranges)
        elif target.kind != "function":
            target.state = merge(target.state, ranges)

    def br(self, target: Construct) -> None:
        """An unconditional branch or a return."""
        e = self.e
        values = e.popn(target.arity)
        way, detail = self.shape.resolve(target, self.open_[-1], conditional=False)
        if way == "return":
            self.return_values(values)
            return
        # The values are evaluated after what is pending below them, which may still trap or act.
        e.flush(READ)
        self.typed(values, target)
        if way == "fall":
            e.assign_slots(target.height, values)
            del e.stack[target.height :]
            e.stack += e.typed_slots(target.height, target.result_types)
            self.note(target, e.ranges)
            return
        e.assign_slots(target.height, values)
        self.note(target, e.ranges)
        if way != "skip" and not self.repeats(way, detail, target):
            e.line(self.jump_text(way, detail, target))
        e.dead = True

    def repeats(self, way: str, detail: Any, target: Construct) -> bool:
        """Whether control goes back to a loop's start without a word: only ends are left before the loop's own."""
        if way != "continue" or detail[1] is not None or target.kind != "loop":
            return False
        code = self.e.body.code
        for index in range(self.next, len(code)):
            op, c, _ = code[index]
            if op != END:
                return False
            if c is target:
                return True
            if c.kind != "block" or c.targeted:
                return False  # another path comes out here, and leaves the loop
        return False

    def typed(self, values: list[V], target: Construct) -> None:
        """Gives lazy values the mask of the type their label has."""
        types = target.param_types if target.kind == "loop" else target.result_types
        for v, type_ in zip(values, types, strict=True):
            v.m = v.m or type_mask(type_)

    def br_if(self, target: Construct) -> None:
        """A conditional branch."""
        condition = self.e.pop_condition()
        self.branch_if(condition, target, target.arity)

    def branch_if(self, condition: V, target: Construct, arity: int) -> None:
        """Branches with the topmost operands, which stay on the stack for the other path."""
        e = self.e
        here = self.open_[-1]
        # Whatever happens, what is pending below happens first.
        e.flush(READ)
        values = e.stack[len(e.stack) - arity :] if arity else []
        self.typed(values, target)
        code = e.body.code
        ahead, outer, _ = code[self.next]
        shape = self.shape
        if (
            ahead == END
            and outer is here
            and here.after == target.cont
            and here.kind == "block"
            and here.plan == ""
            and here.chain is None
            and target is here
        ):
            # Both paths lead to the end of this block.
            if condition.cls:
                e.line(condition.s)
            e.charge()
            return
        _, frame = shape.loop_frame()
        opposite = negated(condition)
        if (
            ahead == END
            and outer is here is target
            and here.kind == "loop"
            and frame is not None
            and frame.owner is here
            and frame is shape.frames[-1]
            and frame.chain is None
            and not arity
            and not here.results
        ):
            # The end of a loop that goes on while the condition holds.
            taken = dict(e.ranges)
            e.assume(condition)
            self.note(target, e.ranges)
            e.ranges = taken
            e.assume(opposite)
            if frame.count is None:
                e.line(f"if {opposite.s}:break")
            frame.falls = True
            e.charge(resume=False)
            return
        if frame is not None and frame.count is not None and target is frame.owner:
            self.refused.add(target.start)
        way, detail = shape.resolve(target, here, conditional=True)
        taken = e.ranges
        e.ranges = dict(taken)
        e.assume(condition)
        self.note(target, e.ranges)
        e.ranges = dict(taken)
        e.assume(opposite)
        moves = self.moves(values, target)
        if way == "return":
            e.line(f"if {condition.s}:{self.return_text(values)}")
        elif way == "nest":
            if moves:
                e.line(f"if {condition.s}:{moves}")
                header = e.line("else:")
            else:
                header = e.line(f"if {opposite.s}:")
            rest = shape.push(Frame("if", target, e.ind))
            rest.header = header
            e.ind += " "
            self.check_depth()
        else:
            jump = self.jump_text(way, detail, target)
            if jump == "break" and not moves and frame is not None and self.counts(frame, opposite):
                pass
            elif jump == "break" and not moves and frame is not None and frame.count is None and e.fresh(frame.header):
                # An exit test before anything else is the loop's condition.
                before = (e.out[frame.header] or "").strip()[6:-1]
                test = opposite.s if before == "True" else f"{before} and {paren(opposite, 11)}"
                if opposite.p > 11 and before == "True":
                    test = f"({test})"
                e.out[frame.header] = f"{frame.ind}while {test}:"
                e.offsets[frame.header] = e.at
            else:
                e.line(f"if {condition.s}:{moves}{';' if moves else ''}{jump}")
        e.charge()

    def counts(self, frame: Frame, stays: V) -> bool:
        """Whether a loop that begins with an exit test counts; its first line is written then."""
        e, tail = self.e, frame.tail
        if tail is None or tail.relation or frame.count is not None or not e.fresh(frame.header):
            return False
        if e.out[frame.header] != f"{frame.ind}while True:":
            return False
        c = frame.owner
        count = frame.count = at_the_start(e.body, c, tail, stays, frame.before, proven=c.start in self.given)
        if count is None:
            return False
        e.out[frame.header] = f"{frame.ind}{count.header}"
        e.offsets[frame.header] = e.at
        return True

    def moves(self, values: list[V], target: Construct) -> str:
        """The assignment of a branch's values, or nothing."""
        e = self.e
        if not values or target.cont == FUNCTION_END:
            return ""
        height = target.height
        pairs = [(f"s{height + i}", v) for i, v in enumerate(values) if v.s != f"s{height + i}"]
        texts = [e.exact(v) for _, v in pairs]
        if not pairs:
            return ""
        right = ",".join(v.s if v.p < 13 else f"({v.s})" for v in texts)
        return f"{','.join(name for name, _ in pairs)}={right}"

    def br_on_null(self, target: Construct) -> None:
        """Branches where a reference is null, else keeps it."""
        e = self.e
        v = e.hold()
        self.branch_if(boolean(f"{v.s} is None", 9, f"{v.s} is not None", 9, v), target, target.arity)
        e.stack.append(v)

    def br_on_non_null(self, target: Construct) -> None:
        """Branches with a reference that is not null, else drops it."""
        e = self.e
        v = e.hold()
        e.stack.append(v)
        self.branch_if(boolean(f"{v.s} is not None", 9, f"{v.s} is None", 9, v), target, target.arity)
        e.stack.pop()

    def br_on_cast(self, imm: tuple[int, Construct, int, int]) -> None:
        """Branches where a reference has a type."""
        self.cast(imm, negate=False)

    def br_on_cast_fail(self, imm: tuple[int, Construct, int, int]) -> None:
        """Branches where a reference does not have a type."""
        self.cast(imm, negate=True)

    def cast(self, imm: tuple[int, Construct, int, int], *, negate: bool) -> None:
        """Both casts."""
        e = self.e
        flags, target, _, heap = imm
        v = e.hold()
        e.stack.append(v)
        condition = test_text(v, heap, nullable=bool(flags & 2))
        self.branch_if(negated(condition) if negate else condition, target, target.arity)

    # --- br_table -------------------------------------------------------------------------------------
    def br_table(self, targets: list[Construct]) -> None:
        """A branch by index."""
        e = self.e
        v = mask(e.stack.pop(), M32)
        distinct = _distinct(targets)
        by_cont = {target.cont: target for target in distinct}
        arity = targets[-1].arity
        if len(distinct) == 1:
            if v.cls != PURE:
                e.flush_for(v.cls)
                e.line(v.s)
            self.br(distinct[0])
            return
        e.flush(READ)
        v = e.exact(v)
        if not v.s.isidentifier():
            e.line(f"z={v.s}")
            v = V("z", 0, v.lo, v.hi)
        values = e.popn(arity)
        for target in distinct:
            self.typed(values, target)
        for target in set(targets):
            self.note(target, e.ranges)
        ways = {target.cont: self.shape.resolve(target, None, conditional=False) for target in distinct}
        jumps = {}
        for cont, target in by_cont.items():
            way, detail = ways[cont]
            if way == "return":
                jumps[cont] = self.return_text([*values])
            else:
                moves = self.moves(values, target)
                jumps[cont] = f"{moves}{';' if moves else ''}{self.jump_text(way, detail, target)}"
        e.dead = True
        selectors = self.selectors(targets, ways, plain=not arity)
        if selectors is not None:
            name, table = selectors
            self.table_line(name, v, table)
            for cont, (way, detail) in ways.items():
                if not (way == "continue" and detail[1] is not None and detail[0].chain.name == name):
                    number = -1 - list(ways).index(cont)
                    e.line(f"if {name}=={number}:{jumps[cont]}")
            e.line("continue")
            return
        runs: list[tuple[int, int]] = []  # (first index, continuation): the default's run is the last
        for index, target in enumerate(targets):
            if not runs or runs[-1][1] != target.cont:
                runs.append((index, target.cont))
        self.dispatch(v.s, runs, jumps, e.ind)

    def table_line(self, name: str, v: V, table: list[int]) -> None:
        """Looks a selector up; the last item is the default."""
        e = self.e
        default = table[-1]
        while len(table) > 1 and table[-2] == default:
            del table[-2]
        count = len(table) - 1
        if not count:
            e.line(f"{name}={default}")
            return
        texts = ",".join(map(str, table[:-1]))
        if v.hi < count:
            e.line(f"{name}=({texts},)[{v.s}]")
        else:
            e.line(f"{name}=({texts},)[{v.s}] if {v.s}<{count} else {default}")

    def selectors(
        self, targets: list[Construct], ways: dict[int, tuple[str, Any]], *, plain: bool
    ) -> tuple[str, list[int]] | None:
        """The selector of each index, where at least two targets are segments of the innermost chain."""
        _, frame = self.shape.loop_frame()
        if frame is None or frame.chain is None or not plain:
            return None
        numbers: dict[int, int] = {}
        inside = 0
        for place, (cont, (way, detail)) in enumerate(ways.items()):
            if way == "continue" and detail[0] is frame:
                numbers[cont] = detail[1]
                inside += 1
            else:
                numbers[cont] = -1 - place
        if inside < 2:
            return None
        return frame.chain.name, [numbers[target.cont] for target in targets]

    def dispatch(self, name: str, runs: list[tuple[int, int]], jumps: dict[int, str], ind: str) -> None:
        """A tree of comparisons; every leaf ends in a jump."""
        e = self.e
        if len(runs) <= 4:
            for place, (_, cont) in enumerate(runs[:-1]):
                limit = runs[place + 1][0]
                e.ind = ind
                single = limit - runs[place][0] == 1 and place == 0 and runs[place][0] == limit - 1 == 0
                test = f"not {name}" if single else f"{name}<{limit}"
                e.line(f"if {test}:{jumps[cont]}")
            e.line(jumps[runs[-1][1]])
            return
        middle = len(runs) // 2
        e.ind = ind
        e.line(f"if {name}<{runs[middle][0]}:")
        e.ind = ind + " "
        self.check_depth()
        self.dispatch(name, runs[:middle], jumps, ind + " ")
        e.ind = ind
        self.dispatch(name, runs[middle:], jumps, ind)


def _distinct(targets: list[Construct]) -> list[Construct]:
    """Targets of a br_table that are different places."""
    seen: dict[int, Construct] = {}
    for target in targets:
        seen.setdefault(target.cont, target)
    return list(seen.values())
