"""Branches as Python text: their values, their conditions, tables, and where nothing but falling is left."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.codes import BR, BR_IF, BR_ON_CAST_FAIL, BR_ON_NON_NULL, BR_ON_NULL, BR_TABLE, RETURN
from wasm2oci.engine.translate.lowering.references import test_text
from wasm2oci.engine.translate.ranges import type_mask
from wasm2oci.engine.translate.statements import Statements
from wasm2oci.engine.translate.tree import Carry, Return
from wasm2oci.engine.translate.value import M32, PURE, READ, SMALL, V, boolean, mask, negated, paren

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Construct
    from wasm2oci.engine.translate.loops import OpenLoop
    from wasm2oci.engine.translate.tree import Evaluate, If, Lookup, Node, Table

__all__ = ["BranchStatements"]

_BRANCHES: Final = frozenset((BR, RETURN))


class BranchStatements(Statements):
    """The nodes that carry values, jump or return."""

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
        moves = self.moves(values, target)
        if moves:
            e.line(moves)
        self.note(target, back=node.back)
        e.dead = True

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
        first: Any = nodes[0]
        if isinstance(first, Return):
            return self.return_text(values)
        moves = self.moves(values, first.target)
        jump = self.jump(nodes[1:])
        return f"{moves};{jump}" if moves and jump else moves or jump

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

    # --- conditional branches --------------------------------------------------------------------------------
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

    # --- tables ----------------------------------------------------------------------------------------------
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
        count = len(values) - 1  # at least one: a `br_table` whose values are all the same is not made a `Lookup`
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
