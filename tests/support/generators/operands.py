"""What a random function computes: values of its locals, of several types, pushed and taken off the stack."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["I31", "INTEGERS", "LOCALS", "Label", "Operands"]

I31: Final = "(ref i31)"
INTEGERS: Final = ("$a", "$b", "$c", "$d")
LOCALS: Final = "(local $c i32) (local $d i32) (local $h i32) (local $w i64) (local $z f64) (local $r anyref)"
_RESULTS: Final = (("i32",), ("i32",), ("i32",), (), ("i64",), ("i32", "i64"))


class Label(NamedTuple):
    """What a branch may name, and what it carries.

    Attributes:
        ticks: it is a loop, and a branch back to it costs a tick.
    """

    name: str
    types: tuple[str, ...]
    ticks: bool


class Operands:
    """The state of a function being written: lines so far, labels around, and what is known of this place."""

    def __init__(self, seed: int, name: str) -> None:
        self.random = draw = random.Random(seed)
        self.name = name
        self.results = draw.choice(_RESULTS)
        self.lines: list[str] = []
        self.labels: list[Label] = []
        self.count = 0
        self.counters = 0
        self.hot: list[str] = []  # what the loops around change
        self.size = 0
        self.dead = False  # nothing is reached here, and the operands that are wanted need not be there
        self.endless = False  # nothing is reached here, but validation does not know
        self.deep = draw.random() < 0.03
        self.limit = draw.choice((10, 25, 40, 60))
        # Half of the programs are like what C compilers write: values in locals, nothing carried.
        self.plain = draw.random() < 0.5

    def emit(self, text: str) -> None:
        self.lines.append(text)
        self.size += 1

    def fresh(self) -> str:
        self.count += 1
        return f"$l{self.count}"

    def value(self, depth: int = 2) -> str:
        """An i32, as a folded expression."""
        draw = self.random
        pick = draw.randrange(12)
        if depth <= 0 or pick < 4:
            return (
                f"(local.get {draw.choice(INTEGERS)})" if draw.random() < 0.7 else f"(i32.const {draw.randint(-2, 9)})"
            )
        inner = self.value(depth - 1)
        if pick < 8:
            name = draw.choice(("add", "sub", "xor", "and", "or", "mul", "shr_u"))
            return f"(i32.{name} {inner} {self.value(depth - 1)})"
        if pick == 8:
            return f"(i32.load8_u (i32.and {inner} (i32.const 255)))"
        if pick == 9:
            return f"(local.tee {draw.choice(INTEGERS)} {inner})"
        if pick == 10:
            return f"(select {inner} {self.value(depth - 1)} {self.condition(depth - 1)})"
        return self.condition(depth - 1)

    def condition(self, depth: int = 2) -> str:
        draw = self.random
        local = f"(local.get {draw.choice(self.hot if self.hot and draw.random() < 0.6 else INTEGERS)})"
        pick = draw.randrange(8)
        if pick < 3:
            return f"(i32.and {local} (i32.const {draw.choice((1, 1, 2, 3, 4))}))"
        if pick == 3 and not self.hot:
            return f"(i32.eqz {self.value(depth - 1) if depth > 0 else local})"
        if pick == 4:
            return f"(i64.{draw.choice(('lt_s', 'gt_u', 'eq'))} (local.get $w) (i64.const {draw.randint(-1, 50)}))"
        if pick == 5:
            return f"(f64.lt (local.get $z) (f64.const {draw.randint(0, 9)}))"
        compare = draw.choice(("lt_u", "gt_s", "eq", "ne", "le_s", "ge_u"))
        return f"(i32.{compare} {local} (i32.const {draw.randint(-1, 12)}))"

    def push(self, type_: str) -> None:
        """Pushes a value of a type."""
        draw = self.random
        if type_ == "i32":
            self.emit(self.value())
        elif type_ == "i64":
            self.emit(f"(i64.extend_i32_s {self.value()})" if draw.random() < 0.5 else "(local.get $w)")
        elif type_ == "f64":
            self.emit(f"(f64.convert_i32_s {self.value()})" if draw.random() < 0.5 else "(local.get $z)")
        elif type_ == I31:
            self.emit(f"(ref.i31 {self.value()})")
        elif type_ == "exnref":
            self.emit("(ref.null exn)")
        else:
            self.emit(self.reference())

    def reference(self) -> str:
        draw = self.random
        return draw.choice(
            (
                "(local.get $r)",
                f"(ref.i31 {self.value(1)})",
                f"(struct.new $box {self.value(1)})",
                "(ref.null any)",
                f"(select (result anyref) (local.get $r) (ref.null any) {self.condition()})",
            )
        )

    def take(self, type_: str) -> None:
        """Pops a value of a type into a local, or drops it."""
        draw = self.random
        if draw.random() < 0.1:
            self.emit("drop")
        elif type_ == "i32":
            self.emit(f"local.set {draw.choice(INTEGERS)}" if draw.random() < 0.8 else "call $mark")
        elif type_ == "i64":
            self.emit("local.set $w")
        elif type_ == "f64":
            self.emit("local.set $z")
        elif type_ == I31:
            self.emit(f"i31.get_s local.set {draw.choice(INTEGERS)}")
        elif type_ == "exnref":
            self.emit("ref.is_null call $mark")
        else:
            self.emit("local.set $r")

    def take_all(self, types: Sequence[str]) -> None:
        for type_ in reversed(types):
            self.take(type_)

    def room(self) -> bool:
        return self.size < self.limit * 3
