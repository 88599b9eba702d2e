"""A function's tree as Python text: one walk, in the order of the instructions.

`Emitter` keeps operands and lines. What is known of locals where paths meet belongs to the labels of the source: a
branch notes it at its label (`note`), the label's `Close` takes it up, whatever way the jump takes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.codes import (
    BR,
    BR_IF,
    BR_ON_CAST_FAIL,
    BR_ON_NON_NULL,
    BR_ON_NULL,
    BR_TABLE,
    IF,
    LOCAL_TEE,
    RETURN,
)
from wasm2oci.engine.translate.emitter import InvariantMotion, merge, type_mask
from wasm2oci.engine.translate.instructions import FUNCTION_END
from wasm2oci.engine.translate.loops import OpenLoop
from wasm2oci.engine.translate.lowering import LOWERING
from wasm2oci.engine.translate.lowering.references import test_text
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
from wasm2oci.engine.translate.value import M32, PURE, READ, SMALL, V, boolean, mask, negated, paren

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.translate.emitter import Emitter, Range
    from wasm2oci.engine.translate.instructions import Catch, Construct
    from wasm2oci.engine.translate.loops import LoopFacts
    from wasm2oci.engine.translate.tree import (
        Node,
    )

__all__ = ["Renderer"]

_JUMPS: Final = frozenset((Break, Continue))
_SIMPLE: Final = frozenset((Set, Break, Continue))
_BRANCHES: Final = frozenset((BR, RETURN))


class Renderer:
    """One walk over a function.

    Args:
        e: where operands and lines are kept.
        loops: what is known of loops.
        repeats: instructions whose result is kept (a number) or was kept (its complement).
    """

    def __init__(self, e: Emitter, loops: LoopFacts, repeats: dict[int, int]) -> None:
        self.e = e
        self.code = e.body.code
        self.loops = loops
        self.repeats = repeats
        self.known: dict[Construct, dict[int, Range]] = {}
        self.entered: dict[Construct, dict[int, Range]] = {}  # what was known where the other arm of an `if` begins
        self.open_loops: list[OpenLoop] = []
        self.caught: list[str] = []
        self.writers: dict[type[Node], Callable[[Any], None]] = {
            Code: self.straight,
            Open: self.open,
            Head: self.head,
            Else: self.else_,
            Close: self.close,
            Carry: self.carry,
            If: self.if_,
            Evaluate: self.evaluate,
            Table: self.table,
            Lookup: self.lookup,
            While: self.while_,
            Test: self.test,
            Return: self.return_,
            Try: self.try_,
            Catches: self.catches,
            Set: self.simple,
            Break: self.simple,
            Continue: self.simple,
            Raise: self.raise_,
        }

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
                    writers[kind](node)
                before = ""
            else:
                writers[kind](node)

    def goto(self, index: int) -> tuple[int, Any]:
        """Makes an instruction the present one, and pays for it."""
        e = self.e
        op, item, e.at = self.code[index]
        e.place = index
        e.count += 1
        return op, item

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

    # --- constructs ------------------------------------------------------------------------------
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

    # --- jumps -----------------------------------------------------------------------------------
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

    def carry(self, node: Carry) -> None:
        """Moves values to a label for good."""
        e, target = self.e, node.target
        op, _, e.at = self.code[node.at]
        e.count += op == BR
        types = target.param_types if node.back else target.result_types
        values = e.popn(len(types))
        # They are evaluated after what is pending below them, which may still trap or act.
        e.flush(READ)
        self.typed(values, types)
        e.assign_slots(target.height, values)
        self.note(target, back=node.back)
        e.dead = True

    def simple(self, node: Node) -> None:
        """A statement without operands."""
        self.e.line(_text(node))

    def jump(self, nodes: list[Node]) -> str:
        """Statements without operands, on one line."""
        return ";".join(map(_text, nodes))

    def moves(self, values: list[V], target: Construct) -> str:
        """The assignment of a branch's values, or nothing."""
        e = self.e
        height = target.height
        pairs = [(f"s{height + i}", v) for i, v in enumerate(values) if v.s != f"s{height + i}"]
        if not pairs:
            return ""
        texts = [e.exact(v) for _, v in pairs]
        right = ",".join(v.s if v.p < 13 else f"({v.s})" for v in texts)
        return f"{','.join(name for name, _ in pairs)}={right}"

    def taken(self, nodes: list[Node], values: list[V]) -> str:
        """A jump with values, on one line."""
        first = nodes[0]
        if isinstance(first, Return):
            return self.return_text(values)
        if isinstance(first, Carry):
            moves = self.moves(values, first.target)
            jump = self.jump(nodes[1:])
            return f"{moves};{jump}" if moves and jump else moves or jump
        return self.jump(nodes)

    def return_text(self, values: list[V]) -> str:
        """A return statement."""
        e = self.e
        self.typed(values, e.body.constructs[0].result_types)
        texts = [e.exact(v) for v in values]
        if len(texts) == 1:
            return f"return {texts[0].s}"
        return f"return {','.join(v.s if v.p < 13 else f'({v.s})' for v in texts)}" if texts else "return"

    def return_(self, node: Return) -> None:
        """Leaves the function."""
        e = self.e
        op, _, e.at = self.code[node.at]
        e.count += op in _BRANCHES
        types = e.body.constructs[0].result_types
        values = e.popn(len(types))
        e.flush(READ)
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
        e.line(self.return_text(values))
        e.dead = True

    # --- conditional branches ----------------------------------------------------------------------
    def condition(self, op: int, item: Any) -> tuple[V, Construct, V | None]:
        """Pops what a conditional branch looks at.

        Returns:
            The condition; the target; and what is on the stack only where it is not taken, or, where that has no
            depth to speak of, only where it is.
        """
        e = self.e
        if op == BR_IF:
            return e.pop_condition(), item, None
        v = e.hold()
        if op == BR_ON_NULL:
            return boolean(f"{v.s} is None", 9, f"{v.s} is not None", 9, v), item, v
        e.stack.append(v)
        if op == BR_ON_NON_NULL:
            return boolean(f"{v.s} is not None", 9, f"{v.s} is None", 9, v), item, v
        flags, target, _, heap = item
        condition = test_text(v, heap, nullable=bool(flags & 2))
        return (negated(condition) if op == BR_ON_CAST_FAIL else condition), target, None

    def branch(self, node: If, op: int, item: Any) -> None:
        """A conditional branch, with the topmost operands, which stay on the stack for the other path."""
        e = self.e
        condition, target, other = self.condition(op, item)
        # Whatever happens, what is pending below happens first.
        e.flush(READ)
        back = target.kind == "loop"
        types = target.param_types if back else target.result_types
        values = e.stack[len(e.stack) - len(types) :] if types else []
        self.typed(values, types)
        opposite = negated(condition)
        before = e.ranges
        e.ranges = dict(before)
        e.assume(condition)
        self.note(target, back=back)
        e.ranges = before
        e.assume(opposite)
        loop = self.open_loops[-1] if self.open_loops else None
        if node.tail:
            if loop is not None and loop.count is None:
                e.line(f"if {opposite.s}:break")
            e.charge(resume=False)
            return
        if loop is not None and loop.count is not None and back and target is loop.owner:
            self.loops.refused.add(target.start)
        text = self.taken(node.then, values)
        if op == BR_ON_NULL and other is not None:
            e.stack.append(other)
        elif op == BR_ON_NON_NULL:
            e.stack.pop()
        if len(node.then) == 1 and isinstance(node.then[0], Carry):
            self.nest(f"if {condition.s}:{text}" if text else "", f"if {opposite.s}:", node.orelse)
            return
        if text != "break" or loop is None or not self.exit_test(loop, opposite):
            e.line(f"if {condition.s}:{text}")
        e.charge()

    def nest(self, taken: str, otherwise: str, nodes: list[Node]) -> None:
        """What is left of a construct, in an `if` of its own."""
        e = self.e
        ind = e.ind
        if taken:
            e.line(taken)
            otherwise = "else:"
        header = e.line(otherwise)
        e.ind = ind + " "
        e.charge()
        self.write(nodes)
        e.ind = ind
        if e.empty(header):
            e.line(" pass")

    def exit_test(self, loop: OpenLoop, stays: V) -> bool:
        """Whether a test that ends a loop, before anything else in it, became its first line."""
        e = self.e
        if self.loops.leading_exit(loop, stays):
            return True
        header = loop.header
        if loop.count is not None or not e.fresh(header):
            return False
        before = (e.out[header] or "").strip()[6:-1]
        test = stays.s if before == "True" else f"{before} and {paren(stays, 11)}"
        if stays.p > 11 and before == "True":
            test = f"({test})"
        e.out[header] = f"{loop.ind}while {test}:"
        e.offsets[header] = e.at
        return True

    def evaluate(self, node: Evaluate) -> None:
        """The operand of a branch that decides nothing."""
        e = self.e
        op, item = self.goto(node.at)
        if op == BR_TABLE:
            v = mask(e.stack.pop(), M32)
            if v.cls != PURE:
                e.flush_for(v.cls)
                e.line(v.s)
            return
        condition, _, _ = self.condition(op, item)
        e.flush(READ)
        if condition.cls:
            e.line(condition.s)
        e.charge()

    # --- selectors and tables --------------------------------------------------------------------------
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

    def index(self, node: Table | Lookup) -> tuple[V, list[Construct]]:
        """The index of a `br_table`, and its targets."""
        e = self.e
        _, targets = self.goto(node.at)
        v = mask(e.stack.pop(), M32)
        e.flush(READ)
        v = e.exact(v)
        if not v.s.isidentifier():
            e.line(f"z={v.s}")
            v = V("z", 0, v.lo, v.hi)
        for target in set(targets):
            self.note(target, back=target.kind == "loop")
        return v, targets

    def lookup(self, node: Lookup) -> None:
        """Looks a selector up; the last value is the default."""
        e = self.e
        v, _ = self.index(node)
        values = list(node.values)
        default = values[-1]
        while len(values) > 1 and values[-2] == default:
            del values[-2]
        count = len(values) - 1
        if not count:
            e.line(f"{node.name}={default}")
        else:
            found = f"({','.join(map(str, values[:-1]))},)[{v.s}]"
            e.line(f"{node.name}={found}" + ("" if v.hi < count else f" if {v.s}<{count} else {default}"))
        e.dead = True

    def table(self, node: Table) -> None:
        """A branch by comparisons."""
        e = self.e
        v, targets = self.index(node)
        last = targets[-1]
        types = last.param_types if last.kind == "loop" else last.result_types
        values = e.popn(len(types))
        self.typed(values, types)
        self.dispatch(v.s, [(first, self.taken(nodes, [*values])) for first, nodes in node.runs])
        e.dead = True

    def dispatch(self, name: str, runs: list[tuple[int, str]]) -> None:
        """A tree of comparisons; every leaf ends in a jump."""
        e = self.e
        if len(runs) <= 4:
            for (_, jump), (limit, _) in itertools.pairwise(runs):
                e.line(f"if not {name}:{jump}" if limit == 1 else f"if {name}<{limit}:{jump}")
            e.line(runs[-1][1])
            return
        middle = len(runs) // 2
        ind = e.ind
        e.line(f"if {name}<{runs[middle][0]}:")
        e.ind = ind + " "
        self.dispatch(name, runs[:middle])
        e.ind = ind
        self.dispatch(name, runs[middle:])

    # --- exceptions ------------------------------------------------------------------------------------
    def try_(self, node: Try) -> None:
        """A guarded body and its handler."""
        e = self.e
        ind = e.ind
        name = f"e{node.number}"
        e.line(f"{name}=None")
        self.block("try:", node.body)
        e.line(f"except WasmException as w:{name}=w")
        self.caught.append(name)
        self.block(f"if {name} is not None:", node.handler)
        self.caught.pop()
        e.ind = ind

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

    def raise_(self, _: Raise) -> None:
        """The exception again."""
        self.e.line(f"raise {self.caught[-1]}")

    def catches(self, node: Catches) -> None:
        """The clauses of a try_table, each with its values and its jump."""
        e, name = self.e, self.caught[-1]
        ind = e.ind
        joint = False  # a clause before falls out of the handler
        for clause, nodes in node.clauses:
            if clause.kind < 2:
                header = e.line(f"{'elif' if joint else 'if'} {name}.tag is X{clause.tag}:")
                e.ind = ind + " "
            elif joint:
                header = e.line("else:")
                e.ind = ind + " "
            else:
                header = -1
            self.clause(clause, nodes, name)
            if header >= 0 and e.empty(header):
                e.line("pass")
            e.ind = ind
            joint = joint or (len(nodes) == 1 and isinstance(nodes[0], Carry))
        if joint and node.orelse:
            self.block("else:", node.orelse)
        else:
            self.write(node.orelse)

    def clause(self, clause: Catch, nodes: list[Node], name: str) -> None:
        """One clause."""
        e, target = self.e, clause.target
        count = target.arity - (clause.kind & 1)
        if target.cont == FUNCTION_END:
            parts = [f"*{name}.values"] if count else []
            if clause.kind & 1:
                parts.append(name)
            if target.arity == 1:
                e.line(f"return {name}.values[0]" if count else f"return {name}")
            elif count and not clause.kind & 1:
                e.line(f"return {name}.values")
            else:
                e.line(f"return ({','.join(parts)})" if parts else "return")
            return
        names = [f"s{target.height + i}" for i in range(target.arity)]
        if count:
            e.line(f"{','.join(names[:count])},={name}.values")
        if clause.kind & 1:
            e.line(f"{names[-1]}={name}")
        self.write(nodes[1:])


def _text(node: Node) -> str:
    """A statement without operands."""
    if isinstance(node, Set):
        return f"{node.name}={node.value}"
    if isinstance(node, Break):
        return "break"
    if isinstance(node, Continue):
        return "continue"
    raise AssertionError(node)


def _tests(node: Test) -> tuple[str, str]:
    """The text of a test, and of its opposite."""
    name, low, high = node.name, node.low, node.high
    if low == LOWEST:
        return f"{name}<={high}", f"{name}>{high}"
    if low == high:
        return f"{name}=={low}", f"{name}!={low}"
    return f"{low}<={name}<={high}", f"not {low}<={name}<={high}"
