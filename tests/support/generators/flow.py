"""Random structured control flow: functions of blocks, loops, ifs, switches and handlers that branch to each other.

What it makes often, because translators go wrong there:

- ends that coincide: the last statement of a body is a construct, more often than not;
- chains of blocks around a `br_table`, with and without a loop or a block directly around them;
- values carried by branches, also with operands below them that a branch leaves behind;
- branches that are not called so: `br_on_null`, `br_on_cast`, catch clauses, `return_call`;
- code after a branch, with operands that are not there;
- nesting deeper than CPython takes.

Every path leaves marks, in a local or in the exported global "hash". Every loop takes a tick from the global `$fuel` in
one of several ways, in some loops only where a branch goes back, and a call of `$tick` traps when there are none left.
So each program ends, and one that does not was translated wrongly.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tests.support.generators.branches import Branches
from tests.support.generators.helpers import batch_case
from tests.support.generators.operands import I31, INTEGERS, LOCALS, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.generators.cases import Case

__all__ = ["flow_case"]

_CARRIED: Final = ((), (), (), ("i32",), ("i32",), ("i64",), ("i32", "i64"), ("f64",), (I31,), ("anyref",))
# How often a construct, a jump, a conditional branch, an operand that waits, or something simple is wanted: within a
# body, and at its end.
_WANTS: Final = ((40, 5, 25, 8, 22), (65, 10, 10, 5, 10))
_PLAIN_WANTS: Final = ((25, 3, 50, 0, 22), (70, 5, 15, 0, 10))


class _Writer(Branches):
    """Writes one function `name`, exported, with two i32 parameters."""

    def function(self) -> str:
        """The function's text."""
        draw = self.random
        outer = f"$f{self.count}"
        self.labels.append(Label(outer, self.results, ticks=False))
        if draw.random() < 0.1:
            self.emit("(call $tick)")
        self.emit("(local.set $c (i32.add (local.get $a) (local.get $b)))")
        self.emit("(local.set $d (i32.xor (local.get $b) (i32.shr_u (local.get $a) (i32.const 2))))")
        self.emit("(local.set $w (i64.extend_i32_s (local.get $b))) (local.set $z (f64.convert_i32_u (local.get $a)))")
        for _ in range(draw.choice((1, 1, 2, 3))):
            self.construct(draw.choice((3, 4, 5)) + (25 if self.deep else 0))
            if draw.random() < 0.3:
                self.statement(1, last=False)
        if not self.results:
            self.emit("(call $mark (local.get $h))")
        for type_ in self.results:
            self.emit(
                "(local.get $h)" if type_ == "i32" else "(i64.extend_i32_u (local.get $h)) (local.get $w) (i64.xor)"
            )
        counters = " ".join(f"(local $k{i} i32)" for i in range(self.counters))
        result = f"(result {' '.join(self.results)})" if self.results else ""
        body = "\n    ".join(self.lines)
        # A block around the whole body, so that the function's label has a name.
        return (
            f'  (func ${self.name} (export "{self.name}") (param $a i32) (param $b i32) {result} {LOCALS} {counters}\n'
            f"    (block {outer} {result}\n    {body}\n    ))\n"
        )

    # --- statements ----------------------------------------------------------------------------
    def push(self, type_: str) -> None:
        """Pushes a value of a type; sometimes one that a block gives."""
        draw = self.random
        if type_ == "i32" and self.room() and draw.random() < 0.12:
            draw.choice((self.block, self.if_))(1, ("i32",))
        else:
            super().push(type_)

    def sequence(self, depth: int) -> None:
        """Statements; what is pushed of results comes after them."""
        draw = self.random
        count = draw.choice((1, 2, 2, 3) if self.plain else (1, 1, 1, 2, 2, 3))
        for place in range(count):
            self.endless = False
            self.statement(depth, last=place == count - 1)
            if (self.dead or self.endless) and draw.random() < 0.7:
                if self.endless and draw.random() < 0.3:
                    self.emit("unreachable")
                    self.dead = True
                break

    def statement(self, depth: int, *, last: bool) -> None:
        draw = self.random
        if depth <= 0 or not self.room():
            self.simple()
            return
        wants = _PLAIN_WANTS if self.plain else _WANTS
        kind = draw.choices(("construct", "jump", "conditional", "held", "simple"), wants[last])[0]
        if kind == "construct" or self.deep:
            self.construct(depth)
        elif kind == "jump":
            self.jump()
            if draw.random() < 0.12:  # a construct that is never reached
                self.construct(min(depth - 1, 2))
                if draw.random() < 0.5:
                    self.emit("unreachable")
                    self.dead = True
        elif kind == "conditional":
            self.conditional()
        elif kind == "held":
            self.held(depth)
        else:
            self.simple()

    def simple(self) -> None:
        draw = self.random
        pick = draw.randrange(14)
        if pick < 5:
            self.count += 1
            self.emit(f"(local.set $h (i32.add (i32.mul (local.get $h) (i32.const 31)) (i32.const {self.count})))")
        elif pick < 8:
            self.emit(f"(local.set {draw.choice(INTEGERS)} {self.value(3)})")
        elif pick == 8:
            self.count += 1
            self.emit(f"(call $mark (i32.const {self.count}))")
        elif pick == 9:
            self.emit(f"(i32.store8 (i32.and {self.value(1)} (i32.const 255)) {self.value(1)})")
        elif pick == 10:
            call = draw.choice(
                ("(call $help {})", "(call_indirect (type $unary) {} (i32.and (local.get $a) (i32.const 1)))")
            )
            self.emit(f"(local.set {draw.choice(INTEGERS)} {call.format(self.value(1))})")
        elif pick == 11:
            self.emit("(local.set $w (i64.add (local.get $w) (i64.extend_i32_u (local.get $h))))")
            self.emit("(local.set $z (f64.add (local.get $z) (f64.const 1.5)))")
        elif pick == 12:
            self.emit(f"(local.set $r {self.reference()})")
        else:
            self.emit(f"(local.set {draw.choice(INTEGERS)} (memory.grow (i32.const {draw.choice((0, 1))})))")

    def held(self, depth: int) -> None:
        """Operands that wait while something else happens."""
        types = self.random.choice((("i32",), ("i64",), ("i32", "f64"), ("anyref",)))
        for type_ in types:
            self.push(type_)
        self.sequence(depth - 1)
        self.dead = False
        self.take_all(types)

    # --- constructs ----------------------------------------------------------------------------
    def construct(self, depth: int) -> None:
        draw = self.random
        carried = () if self.plain and draw.random() < 0.95 else draw.choice(_CARRIED)
        makers = (self.block, self.loop, self.if_, self.switch, self.handler)
        kind = draw.choices(makers, (3, 6, 4, 1.5, 0.2) if self.plain else (3, 4, 4, 3, 1.5))[0]
        kind(depth, carried)
        if carried:
            self.endless = False
            self.take_all(carried)

    def inside(self, depth: int, label: Label, results: tuple[str, ...], begin: Sequence[str] = ()) -> None:
        """A body with its label, up to its results."""
        self.labels.append(label)
        self.dead = self.endless = False
        self.take_all(begin)
        self.sequence(depth - 1)
        if not self.dead or self.random.random() < 0.3:
            for type_ in results:
                self.push(type_)
        self.labels.pop()
        self.dead = False

    def block(self, depth: int, carried: tuple[str, ...]) -> None:
        name = self.fresh()
        self.emit(f"block {name} {_result(carried)}")
        self.inside(depth, Label(name, carried, ticks=False), carried)
        self.emit("end")

    def if_(self, depth: int, carried: tuple[str, ...]) -> None:
        draw = self.random
        name = self.fresh()
        label = Label(name, carried, ticks=False)
        self.emit(self.condition())
        self.emit(f"if {name} {_result(carried)}")
        self.inside(depth, label, carried)
        if carried or draw.random() < 0.6:
            self.emit("else")
            self.inside(depth, label, carried)
        self.emit("end")

    def loop(self, depth: int, carried: tuple[str, ...]) -> None:
        """A loop that ticks at its head, at a test that leaves, or where branches go back to it."""
        draw = self.random
        params = () if self.plain else draw.choice(((), (), (), ("i32",), ("i32", "i64"), ("anyref",)))
        exits = self.targets(lambda label: not label.types and not label.ticks)
        mode = draw.choices(("head", "inline", "exit", "back", "count"), (3, 1, 1, 3, 1 if self.plain else 3))[0]
        out = ""
        if draw.random() < 0.5 or (mode == "exit" and not exits):
            out = self.fresh()
            self.emit(f"block {out} {_result(carried)}")
            self.labels.append(Label(out, carried, ticks=False))
            exits = self.targets(lambda label: not label.types and not label.ticks)
        if mode == "exit" and not exits:
            mode = "head"
        counter = f"$k{self.counters}"
        self.counters += 1
        for type_ in params:
            self.push(type_)
        name = self.fresh()
        self.emit(f"(local.set {counter} (i32.const 0))" if draw.random() < 0.5 else "nop")
        self.emit(f"loop {name} {' '.join(f'(param {type_})' for type_ in params)} {_result(carried)}")
        label = Label(name, params, ticks=mode in {"back", "count"})
        if mode == "head":
            self.emit("(call $tick)")
        elif mode == "inline":
            self.emit("(if (i32.eqz (global.get $fuel)) (then unreachable))")
            self.emit("(global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))")
        elif mode == "exit":
            self.emit(f"(br_if {draw.choice(exits).name} (call $spent))")
        self.labels.append(label)
        self.dead = self.endless = False
        self.take_all(params)
        self.hot.append(draw.choice(INTEGERS))
        if draw.random() < 0.8:
            local = self.hot[-1]
            self.emit(f"(local.set {local} (i32.add (local.get {local}) (i32.const {draw.choice((1, 1, 2, 3, -1))})))")
        if out and draw.random() < 0.4 and not carried:
            self.emit(f"(br_if {out} {self.condition()})")
        self.sequence(depth - 1)
        self.back(label, counter if mode == "count" else "")
        if not self.dead or draw.random() < 0.3:
            for type_ in carried:
                self.push(type_)
        self.labels.pop()
        self.hot.pop()
        self.endless = self.dead or self.endless
        self.dead = False
        self.emit("end")
        if out:
            self.labels.pop()
            if not carried and draw.random() < 0.2:
                self.simple()
            self.endless = False
            self.emit("end")

    def back(self, label: Label, counter: str) -> None:
        """The branch back at a loop's end, if it has one."""
        draw = self.random
        if (self.dead or self.endless) and draw.random() < 0.7:
            return
        if counter:
            step = f"(local.tee {counter} (i32.add (local.get {counter}) (i32.const 1)))"
            test = f"(i32.{draw.choice(('lt_u', 'ne', 'lt_s'))} {step} (i32.const {draw.randint(1, 6)}))"
            if draw.random() < 0.9:  # other branches to it cost a tick, this one counts
                test = f"(i32.and {test} (i32.lt_u (local.get {counter}) (i32.const 6)))"
            else:
                self.pay(label)
        elif draw.random() < 0.25:
            return
        elif draw.random() < (0.75 if self.plain else 0.5):
            self.pay(label)
            for type_ in label.types:
                self.push(type_)
            self.emit(f"br {label.name}")
            self.dead = True
            return
        else:
            self.pay(label)
            test = self.condition()
        for type_ in label.types:
            self.push(type_)
        self.emit(f"{test} br_if {label.name}")
        self.take_all(label.types)

    def switch(self, depth: int, carried: tuple[str, ...]) -> None:
        """Blocks around a br_table; what follows each end is a case."""
        draw = self.random
        cases = draw.choice((2, 3, 3, 4, 5, 6, 7, 11, 26)) if self.size < 60 else draw.choice((2, 3))
        names = [self.fresh() for _ in range(cases)]
        out = self.fresh() if draw.random() < 0.6 or carried else ""
        around = ""
        if out:
            self.emit(f"block {out} {_result(carried)}")
            self.labels.append(Label(out, carried, ticks=False))
        if draw.random() < 0.35:
            around = self.fresh()
            self.emit(f"loop {around} {_result(carried)}")
            if draw.random() < 0.5:
                self.emit("(call $tick)")
                self.labels.append(Label(around, (), ticks=False))
            else:
                self.labels.append(Label(around, (), ticks=True))
        for name in reversed(names):
            self.emit(f"block {name}")
            self.labels.append(Label(name, (), ticks=False))
        if draw.random() < 0.3:
            self.simple()
        empty = [label for label in self.labels if not label.types and not label.ticks]
        listed = [name if draw.random() < 0.9 else draw.choice(empty).name for name in names]
        draw.shuffle(listed)
        default = draw.choice([*names, draw.choice(empty).name])
        index = self.value() if draw.random() < 0.6 else "(local.get $a)"
        if draw.random() < 0.4:
            index = f"(i32.rem_u {index} (i32.const {cases + 1}))"
        self.emit(f"(br_table {' '.join([*listed, default])} {index})")
        for place in range(cases):
            self.labels.pop()
            self.emit("end")
            self.dead = False
            if draw.random() < 0.85:
                self.statement(min(depth - 1, 2) if cases > 4 else depth - 1, last=True)
            last = place == cases - 1
            if out and not last and not self.dead and draw.random() < 0.5:
                for type_ in carried:
                    self.push(type_)
                self.emit(f"br {out}")
                self.dead = True
            self.endless = False
        if around:
            if draw.random() < 0.7 and not self.dead:
                self.pay(self.labels[-1])
                self.emit(f"(br_if {around} {self.condition()})")
            self.close(carried)
        if out:
            self.close(carried, pushed=bool(around))

    def close(self, carried: tuple[str, ...], *, pushed: bool = False) -> None:
        """Ends the construct opened last, with its results."""
        if not pushed and (not self.dead or self.random.random() < 0.3):
            for type_ in carried:
                self.push(type_)
        self.labels.pop()
        self.dead = False
        self.emit("end")

    def handler(self, depth: int, carried: tuple[str, ...]) -> None:
        """A try_table; its clauses are branches to any label that carries the same."""
        draw = self.random
        clauses = []
        opened: list[tuple[str, tuple[str, ...]]] = []
        for form, types in draw.sample(
            (
                ("catch $empty", ()),
                ("catch $number", ("i32",)),
                ("catch_ref $empty", ("exnref",)),
                ("catch_ref $number", ("i32", "exnref")),
                ("catch_all", ()),
                ("catch_all_ref", ("exnref",)),
            ),
            draw.choice((1, 1, 2, 3)),
        ):
            found = self.targets(partial(_carries, types))
            if found and draw.random() < 0.6:
                clauses.append(f"({form} {draw.choice(found).name})")
            else:
                name = self.fresh()
                opened.append((name, types))
                clauses.append(f"({form} {name})")
        out = self.fresh()
        if opened:
            self.emit(f"block {out} {_result(carried)}")
            self.labels.append(Label(out, carried, ticks=False))
        for name, types in reversed(opened):
            self.emit(f"block {name} {_result(types)}")
            self.labels.append(Label(name, types, ticks=False))
        name = self.fresh()
        self.emit(f"try_table {name} {_result(carried)} {' '.join(clauses)}")
        self.labels.append(Label(name, carried, ticks=False))
        self.dead = False
        if draw.random() < 0.7:
            self.emit(f"(call $throws {self.value()})")
        self.sequence(depth - 1)
        self.close(carried)
        if not opened:
            return
        self.emit(f"br {out}")
        self.dead = True
        for _, types in opened:
            if not self.dead:
                for type_ in types:
                    self.push(type_)
            self.labels.pop()
            self.emit("end")
            self.dead = False
            self.take_all(types)
            self.statement(depth - 1, last=False)
            if draw.random() < 0.5 and not self.dead:
                for type_ in carried:
                    self.push(type_)
                self.emit(f"br {out}")
                self.dead = True
        self.close(carried)


def _result(types: tuple[str, ...]) -> str:
    return f"(result {' '.join(types)})" if types else ""


def _carries(types: tuple[str, ...], label: Label) -> bool:
    """Whether a handler may be where a branch to a label leads: it carries these types, and costs no tick."""
    return label.types == types and not label.ticks


def flow_case(seeds: Sequence[int]) -> Case:
    """One module with a function for each seed."""
    return batch_case(lambda seed, name: _Writer(seed, name).function(), seeds)
