"""Random instructions one after the other on a typed stack, as a validator would allow them.

Nothing is written as an expression: whatever fits on top of the stack may come next, blocks take what lies there for
parameters, and branches need what their label carries. After an instruction that does not go on, the stack is
polymorphic and instructions take operands that were never pushed. What the other generators of control flow leave out
is here: atomic accesses, memories and tables with 64-bit indices, immutable globals, references of every hierarchy cast
to the top and the bottom of it, exceptions that are kept and thrown again, tail calls of every kind, addresses that are
sums and shifts, constructs that nest deeper than CPython takes.

Operands are rarely small, so that most accesses would trap; addresses are masked where that is likely.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support.generators.helpers import batch_case
from tests.support.generators.stack_rows import (
    ATOMICS,
    BEGIN,
    CARRIED,
    CLAUSES,
    CONSTANTS,
    EDGES,
    LOCALS,
    PLAIN,
    RESULTS,
    SEEN,
    TAILS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.generators.cases import Case

__all__ = ["stack_case"]


_NUMERIC: Final = [row for row in PLAIN if {*row.params, *row.results} <= {"i32", "i64"} and "load" not in row.text]


class _Label(NamedTuple):
    name: str
    types: tuple[str, ...]


class _Writer:
    """Writes one function; `stack` is what the innermost block has on the stack."""

    def __init__(self, seed: int, name: str) -> None:
        self.random = random.Random(seed ^ 0x57AC)
        self.name = name
        self.results = self.random.choice(RESULTS)
        self.lines: list[str] = []
        self.labels: list[_Label] = []
        self.stack: list[str] = []
        self.dead = False
        self.count = 0
        self.left = self.random.choice((40, 80, 150))

    def function(self) -> str:
        deep = self.random.random() < 0.06
        # Locals beyond the 128th have indices of two bytes.
        unused = f"(local {'i32 ' * 130})" if self.random.random() < 0.04 else ""
        outer = _Label("$out", self.results)
        self.labels.append(outer)
        if deep:
            self.nest(self.random.randint(16, 34))
        elif self.random.random() < 0.08:
            self.switch(1, arms=9)
        else:
            self.run(4)
        self.finish(self.results)
        declared = " ".join(
            f"(local {name} {type_})" for type_, names in LOCALS.items() for name in names if name not in {"$a", "$b"}
        )
        result = _result(self.results)
        body = "\n    ".join(self.lines)
        return (
            f'  (func ${self.name} (export "{self.name}") (param $a i32) (param $b i32) {result} {unused} {declared}\n'
            f"    {BEGIN}\n    (block $out {result}\n    {body}\n    )\n    {SEEN})\n"
        )

    # --- the stack -----------------------------------------------------------------------------
    def emit(self, text: str) -> None:
        self.lines.append(text)
        self.left -= 1

    def push(self, type_: str) -> None:
        draw = self.random
        local = draw.choice(LOCALS[type_])
        self.emit(f"local.get {local}" if draw.random() < 0.6 else draw.choice(CONSTANTS[type_]))
        self.stack.append(type_)

    def fits(self, types: Sequence[str]) -> bool:
        """Whether these are on top; where nothing is reached, operands that are missing are there."""
        have = self.stack[len(self.stack) - len(types) :] if len(types) <= len(self.stack) else self.stack
        wanted = types[len(types) - len(have) :]
        return list(wanted) == have and (self.dead or len(have) == len(types))

    def pop(self, types: Sequence[str]) -> None:
        del self.stack[max(0, len(self.stack) - len(types)) :]

    def provide(self, types: Sequence[str]) -> None:
        """Pushes what is missing on top, after dropping what is in the way."""
        if not self.fits(types):
            for type_ in types:
                self.push(type_)

    def finish(self, types: Sequence[str]) -> None:
        """Leaves exactly these."""
        while self.stack:
            if self.stack == list(types) or (self.dead and self.fits(types) and len(self.stack) <= len(types)):
                return
            self.take()
        if not self.dead or self.random.random() < 0.3:
            for type_ in types:
                self.push(type_)

    def take(self) -> None:
        """Puts the top into a local, or drops it."""
        type_ = self.stack.pop()
        if self.random.random() < 0.85:
            self.emit(f"local.set {self.random.choice(LOCALS[type_])}")
        else:
            self.emit("drop")

    # --- instructions --------------------------------------------------------------------------
    def run(self, depth: int) -> None:
        """Some instructions."""
        draw = self.random
        for _ in range(draw.randint(4, 16)):
            if self.left < 0:
                return
            pick = draw.random()
            if pick < 0.02 and depth > 0:
                self.switch(0)
            elif pick < 0.5:
                self.plain()
            elif pick < 0.62:
                self.push(draw.choice(list(LOCALS)) if draw.random() < 0.4 else "i32")
            elif pick < 0.7 or len(self.stack) > 3:
                while self.stack and draw.random() < 0.6:
                    self.take()
            elif pick < 0.74 and self.stack:
                self.emit(f"local.tee {draw.choice(LOCALS[self.stack[-1]])}")
            elif pick < 0.86 and depth > 0:
                self.construct(depth)
            elif pick < 0.96:
                self.conditional()
            elif not self.dead or draw.random() < 0.3:
                self.leave()

    def plain(self) -> None:
        """An instruction whose operands are there, or are pushed."""
        draw = self.random
        rows = draw.choices((_NUMERIC, PLAIN, EDGES, ATOMICS), (50, 42, 4, 4))[0]
        found = [row for row in rows if self.fits(row.params)] if draw.random() < 0.7 else []
        row = draw.choice(found or rows)
        self.provide(row.params)
        self.pop(row.params)
        self.emit(row.text)
        self.stack += row.results

    def label(self) -> _Label:
        """One of the labels around, a near one more often than not."""
        return self.random.choice(self.labels[-2:] if self.random.random() < 0.6 else self.labels)

    def conditional(self) -> None:
        """A branch that may be taken."""
        draw = self.random
        label = self.label()
        types, last = label.types, label.types[-1:]
        if last == ("anyref",) and draw.random() < 0.6:
            self.provide(types)
            left = types[:-1]
            kind = draw.randrange(3)
            to = draw.choice(("(ref i31)", "(ref null $box)", "(ref none)", "(ref any)", "anyref"))
            if kind == 0:
                self.emit(f"br_on_cast {label.name} anyref {to}")
                left = types
            elif kind == 1:
                self.emit(f"br_on_cast_fail {label.name} anyref {to}")
                self.pop(last)
                self.emit("ref.is_null local.set $a")
            else:
                self.emit(f"br_on_non_null {label.name}")
                self.pop(last)
        elif draw.random() < 0.15:
            self.provide((*types, "anyref"))
            self.emit(f"br_on_null {label.name}")
            left = (*types, "anyref")
        else:
            self.branch_if(label)
            return
        self.pop(left)
        self.stack += left

    def branch_if(self, label: _Label) -> None:
        draw = self.random
        if draw.random() < 0.7:
            self.provide(label.types)
            self.emit(f"local.get {draw.choice(LOCALS['i32'])} i32.const {draw.choice((1, 2, 3, 4))} i32.and")
        else:
            self.provide((*label.types, "i32"))
            self.pop(("i32",))
        self.emit(f"br_if {label.name}")
        # Where operands were missing, they now have the types of the label.
        self.pop(label.types)
        self.stack += label.types

    def leave(self, instruction: str = "") -> None:
        """An instruction that does not go on: a certain one, or any."""
        draw = self.random
        pick = 5 if instruction == "throw_ref" else 3 if instruction == "br_table" else draw.randrange(8)
        if not instruction and self.results == ("i32",) and draw.random() < 0.3:
            pick = 6
        label = self.label()
        if instruction == "br_table":
            carrying = [other for other in self.labels if other.types and other.types != label.types]
            label = draw.choice(carrying) if carrying and draw.random() < 0.5 else label
        if pick < 3:
            self.provide(label.types)
            self.emit(f"br {label.name}")
        elif pick == 3:
            same = [other.name for other in self.labels if other.types == label.types]
            self.provide((*label.types, "i32"))
            self.emit(f"br_table {' '.join(draw.choices(same, k=draw.randint(1, 6)))}")
        elif pick == 4:
            self.provide(self.results)
            self.emit("return")
        elif pick == 5:
            self.provide(("exnref",))
            self.emit("throw_ref")
        elif pick == 6 and self.results == ("i32",):
            self.provide(("i32",))
            self.emit(draw.choice(TAILS))
        else:
            self.provide(("i32",))
            self.emit("throw $number")
        self.stack = []
        self.dead = True

    # --- constructs ----------------------------------------------------------------------------
    def construct(self, depth: int) -> None:
        """A block, loop, if or try_table with what lies on the stack for parameters."""
        draw = self.random
        kind = draw.choice(("block", "loop", "if", "try_table", "catch"))
        params = tuple(self.stack[len(self.stack) - draw.choice((0, 0, 1, 2)) :]) if len(self.stack) > 1 else ()
        if kind == "if":
            self.provide((*params, "i32"))
            self.pop(("i32",))
        self.pop(params)
        results = draw.choice(CARRIED)
        if kind == "catch":
            self.stack += params
            self.catching(depth)
            return
        name = self.open(kind, params, results)
        self.inside(depth, _Label(name, params if kind == "loop" else results), params, results, kind)
        if kind == "if" and (params != results or draw.random() < 0.5):
            self.emit("else")
            self.inside(depth, _Label(name, results), params, results, kind)
        self.emit("end")
        self.stack += results

    def open(self, kind: str, params: Sequence[str], results: Sequence[str]) -> str:
        self.count += 1
        name = f"$l{self.count}"
        clauses = ""
        if kind == "try_table":
            for label in self.random.sample(self.labels, min(2, len(self.labels))):
                for clause in CLAUSES.get(label.types, ())[:2]:
                    clauses += f" ({clause} {label.name})"
        self.emit(f"{kind} {name} {' '.join(f'(param {type_})' for type_ in params)} {_result(results)}{clauses}")
        return name

    def inside(self, depth: int, label: _Label, params: tuple[str, ...], results: tuple[str, ...], kind: str) -> None:
        around, self.stack, self.dead = (self.stack, self.dead), list(params), False
        self.labels.append(label)
        if kind == "loop":
            self.emit("call $tick")
        self.run(depth - 1)
        if kind == "loop" and self.random.random() < 0.4:
            self.branch_if(label)
        self.finish(results)
        self.labels.pop()
        self.stack, self.dead = around

    def catching(self, depth: int) -> None:
        """A try_table inside of the block that its clause leads to; what it caught may be thrown again."""
        carried = self.random.choice(list(CLAUSES))
        name = self.open("block", (), carried)
        around, self.stack, self.dead = (self.stack, self.dead), [], False
        self.labels.append(_Label(name, carried))
        clause = self.random.choice(CLAUSES[carried])
        self.count += 1
        inner = f"$l{self.count}"
        self.emit(f"try_table {inner} ({clause} {name})")
        self.emit("local.get $a call $throws")
        self.inside(depth, _Label(inner, ()), (), (), "try_table")
        self.emit("end")
        self.finish(carried)
        self.labels.pop()
        self.stack, self.dead = around
        self.emit("end")
        self.stack += carried
        if carried[-1:] == ("exnref",) and self.random.random() < 0.6:
            self.emit(f"local.tee {LOCALS['exnref'][0]}")
            if self.random.random() < 0.4:
                self.leave("throw_ref")

    def nest(self, depth: int) -> None:
        """Constructs inside of each other, deeper than CPython takes; before and after each there may be something."""
        draw = self.random
        kind = draw.choice(("loop", "loop", "try_table", "if", "block", "switch"))
        if kind == "switch":
            self.switch(depth)
            return
        results = draw.choice(CARRIED) if draw.random() < 0.3 else ()
        if kind == "if":
            self.push("i32")
            self.stack.pop()
        name = self.open(kind, (), results)
        label = _Label(name, () if kind == "loop" else results)
        second = kind == "if" and (bool(results) or draw.random() < 0.5)
        if second and draw.random() < 0.5:
            self.inside(0, label, (), results, kind)
            self.emit("else")
            second = False
        self.level(depth, label, results, loops=kind == "loop")
        if second:
            self.emit("else")
            self.inside(0, label, (), results, kind)
        self.emit("end")
        self.stack += results

    def level(self, depth: int, label: _Label, results: tuple[str, ...], *, loops: bool) -> None:
        """What a construct of a nest holds: the rest of the nest, and something around it."""
        draw = self.random
        around, self.stack, self.dead = (self.stack, self.dead), [], False
        self.labels.append(label)
        if loops:
            self.emit("call $tick")
        self.left = max(self.left, 12)
        if draw.random() < 0.2:
            self.run(0)
        if depth and not self.dead:
            self.nest(depth - 1)
        if draw.random() < 0.6:
            self.run(0)
        if draw.random() < 0.15 and not self.dead:
            self.leave("br_table")
        if loops:
            self.branch_if(label)
        self.finish(results)
        self.labels.pop()
        self.stack, self.dead = around

    def switch(self, depth: int, arms: int = 0) -> None:
        """A loop around blocks that a br_table chooses from, as compilers write a `switch` in a loop."""
        draw = self.random
        self.count += 1
        loop = _Label(f"$l{self.count}", ())
        blocks = [_Label(f"{loop.name}_{place}", ()) for place in range(arms or draw.randint(2, 9))]
        self.emit(f"loop {loop.name}")
        for block in blocks:
            self.emit(f"block {block.name}")
        around, self.stack, self.dead = (self.stack, self.dead), [], False
        self.labels += [loop, *blocks]
        self.emit("call $tick")
        self.emit(f"local.get {draw.choice(LOCALS['i32'])} i32.const {draw.choice((3, 7, 15))} i32.and")
        self.emit(f"br_table {' '.join(draw.choice(blocks).name for _ in range(draw.randint(1, 12)))}")
        deep = draw.randrange(len(blocks))
        for place in range(len(blocks)):
            self.labels.pop()
            self.stack, self.dead = [], False
            self.emit("end")
            self.left = max(self.left, 10)
            self.run(1 if arms else 0)
            if place == deep and depth and not self.dead:
                self.nest(depth - 1)
            if draw.random() < 0.5 and not self.dead:
                self.emit(f"br {draw.choice((loop, self.labels[-1])).name}")
                self.dead = True
            self.finish(())
        self.labels.pop()
        self.emit("end")
        self.stack, self.dead = around


def _result(types: Sequence[str]) -> str:
    return f"(result {' '.join(types)})" if types else ""


def stack_case(seeds: Sequence[int]) -> Case:
    """One module with a function for each seed."""
    return batch_case(lambda seed, name: _Writer(seed, name).function(), seeds)
