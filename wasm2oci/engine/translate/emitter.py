"""The symbolic operand stack, what is known about locals, and the lines written so far, for one function.

Lowerings (`lowering`) pop and push operands here; `renderer` decides where lines go.

Order of evaluation. Operands on the stack are expressions not evaluated yet. As long as they end up in one statement
in stack order, that is the order of the instructions, whatever they do. So before a statement is written, operands
that stay on the stack and could notice it, or be noticed, are put into their slot variables (`flush`): reads before
effects, effects before anything but pure statements, readers of a local before it is assigned.

Variables: `l3` local 3, `s2` operand stack slot 2, `x..`, `y..` scratch within one statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.translate.invariants import Invariants, slots_of
from wasm2oci.engine.translate.ranges import type_mask
from wasm2oci.engine.translate.value import (
    EFFECT,
    LITERALS,
    M32,
    M64,
    PURE,
    READ,
    SMALL,
    V,
    local_bit,
    mask,
    paren,
    slot_bit,
    truth,
)

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.translate.body import Body, Construct

__all__ = ["Emitter"]

MAX_DEPTH: Final = 24
"""Expressions nesting deeper go into a variable: CPython's parser takes less than 200 parentheses."""
MAX_TEXT: Final = 2000
"""Longer ones too, so that lines can be read."""


class Emitter(Invariants):
    """Translation of one function, in progress.

    Args:
        module: a valid module.
        body: the function.
        index: in the function index space.

    Attributes:
        stack: operands.
        compact: prefer less code to the fastest: for functions that take longer to compile than to run.
        held: what the variables of repeated arithmetic hold, see `cse`.
        mixed: locals that are rotated, as bits: any of their bits may be set, and hardly ever are they small.
        guarded: how many try_tables are around the present place.
        tails: it returns `TailCall`s.
    """

    def __init__(self, module: Module, body: Body, index: int) -> None:
        super().__init__(body)
        self.module = module
        self.index = index
        self.types = body.locals
        self.stack: list[V] = []
        self.held: dict[int, V] = {}
        self.mixed = 0
        self.guarded = 0
        self.tails = False
        self.compact = False

    # --- operands ----------------------------------------------------------------------------------------
    def push(self, v: V) -> None:
        """Pushes an operand."""
        self.stack.append(v)
        if v.d > MAX_DEPTH or len(v.s) > MAX_TEXT:
            self.stack.pop()
            self.flush_for(v.cls)
            self.stack.append(v)
            self.settle(len(self.stack) - 1)

    def pop(self) -> V:
        """Pops an operand; it may be lazy, and it may be a bool."""
        return self.stack.pop()

    def popn(self, count: int) -> list[V]:
        """Pops several, the last one last."""
        if not count:
            return []
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def slot(self, height: int, m: int = 0, like: V | None = None) -> V:
        """The variable of a slot as an operand."""
        if like is not None:
            return V(f"s{height}", 0, like.lo, like.hi, slot_bit(height), PURE, 0, like.tz)
        return V(f"s{height}", 0, 0, m, slot_bit(height)) if m else V(f"s{height}", 0, 1, 0, slot_bit(height))

    def settle(self, height: int) -> V:
        """Evaluates the operand at a height now, into its slot variable."""
        v = self.stack[height]
        if v.lit or (v.s == f"s{height}"):
            return v
        bit = slot_bit(height)
        for other in range(height):
            # Whatever may trap or have an effect stays in the order of the instructions.
            if self.stack[other].deps & bit or (v.cls and self.stack[other].cls):
                self.settle(other)
        v = self.store(f"s{height}", v)
        r = self.slot(height, like=v)
        self.stack[height] = r
        return r

    def atom(self, v: V, height: int) -> V:
        """`v`, which was just popped, as a name that may be written twice; `height` is the slot it came from."""
        if v.lit:
            return v
        if self.loops:
            v = self.steady(v)
        if v.p == 0 and v.cls == PURE and v.s.isidentifier():
            return v
        self.flush_for(v.cls)
        bit = slot_bit(height)
        for other, pending in enumerate(self.stack):
            if pending.deps & bit:
                self.settle(other)
        v = self.store(f"s{height}", v)
        return self.slot(height, like=v)

    def hold(self) -> V:
        """Pops the top operand, evaluated, as a name that may be written twice."""
        v = self.stack[-1] = self.steady(self.stack[-1])
        if not (v.lit or (v.cls == PURE and v.s.isidentifier())):
            self.flush_for(v.cls)
            v = self.settle(len(self.stack) - 1)
        return self.stack.pop()

    def scratch(self, name: str, v: V) -> V:
        """`v` as a name for use within the next statement."""
        if v.lit or (v.cls == PURE and v.s.isidentifier()):
            return v
        if v.lo <= v.hi and not v.m:
            v.m = M64
        r = self.store(name, v)
        return V(name, 0, r.lo, r.hi)

    def store(self, name: str, v: V) -> V:
        """Writes `name = v`, canonical, and returns what is then known of the variable."""
        if v.b:
            self.line(f"{name}=1 if {paren(v, 12)} else 0")
            return V(name, 0, 0, 1)
        m = v.m
        lo, hi, tz = v.lo, v.hi, v.tz
        if lo > hi or (lo >= 0 and (not m or hi <= m)) or not m:
            self.line(f"{name}={v.s}")
            return V(name, 0, lo, hi, 0, PURE, 0, tz)
        if (
            v.p == 4 and hi <= 2 * m and lo >= -m - 1 and not self.compact and not v.deps & self.mixed
        ):  # a sum, rarely out of its range
            self.line(f"{name}={v.s}")
            if lo >= 0:
                self.line(f"if {name}>{SMALL}:{name}&={LITERALS[m]}")
            elif hi <= m or (hi <= SMALL and m == M32):
                self.line(f"if {name}<0:{name}&={LITERALS[m]}")
            else:
                self.line(f"if not 0<={name}<={SMALL}:{name}&={LITERALS[m]}")
        elif v.s.isidentifier():
            self.line(f"{name}={v.s}&{LITERALS[m]}")
        else:
            v = mask(v, m)
            self.line(f"{name}={v.s}")
        return V(name, 0, 0, m, 0, PURE, 0, tz)

    def exact(self, v: V) -> V:
        """An operand as others may see it: canonical, and an int rather than a bool."""
        if v.b:
            return V(f"1 if {paren(v, 12)} else 0", 13, 0, 1, v.deps, v.cls, v.d + 1)
        return mask(v, v.m) if v.m else v

    # --- arithmetic that occurs again --------------------------------------------------------------------
    def keep(self, number: int) -> None:
        """Keeps the topmost operand, which is computed again further on, in a variable when it is evaluated."""
        v = self.steady(self.stack[-1])
        self.stack[-1] = v
        if not v.d or v.cls or v.b or v.lit:
            return
        m = v.m
        # From here on it has its place in the order of evaluation, like what reads memory.
        r = V(f"(c{number}:={v.s})", 0, v.lo, v.hi, v.deps, READ, v.d, v.tz)
        r.m = m
        self.stack[-1] = r
        r = V(f"c{number}", 0, v.lo, v.hi, 0, PURE, 0, v.tz)
        r.m = m
        self.held[number] = r

    def reuse(self, number: int) -> None:
        """Replaces the topmost operand by the variable it was kept in, if that was evaluated already."""
        held = self.held.get(number)
        if held is None or self.stack[-1].cls or not self.stack[-1].d:
            return
        name = f"({held.s}:="
        if any(name in v.s for v in self.stack):
            return
        r = V(held.s, 0, held.lo, held.hi, 0, PURE, 0, held.tz)
        r.m = held.m
        self.stack[-1] = r

    # --- order -------------------------------------------------------------------------------------------
    def flush(self, cls: int) -> None:
        """Evaluates pending operands of this class and above."""
        for height, v in enumerate(self.stack):
            if v.cls >= cls:
                self.settle(height)

    def flush_for(self, cls: int) -> None:
        """Evaluates pending operands that may not come after a statement of class `cls`."""
        if cls:
            self.flush(READ)
        elif self.guarded:
            self.flush(EFFECT)

    def flush_deps(self, bits: int) -> None:
        """Evaluates pending operands that read what is about to change."""
        for height, v in enumerate(self.stack):
            if v.deps & bits:
                self.settle(height)

    def flush_arguments(self, count: int) -> None:
        """Evaluates the topmost operands if one of them has effects: a segment named before them may be dropped."""
        if any(v.cls == EFFECT for v in self.stack[-count:]):
            self.flush(READ)

    def statement(self, text: str, cls: int = EFFECT) -> None:
        """Writes a statement after whatever has to come before it."""
        self.flush_for(cls)
        self.line(text)

    # --- locals ------------------------------------------------------------------------------------------
    def local_set(self, index: int, v: V) -> None:
        """Assigns a local."""
        if v.loc == index and not v.add:
            return
        self.flush_deps(local_bit(index))
        self.flush_for(v.cls)
        m = self.masks[index]
        if m:
            v.m = m if v.lo < 0 or v.hi > m else v.m
            v = self.store(f"l{index}", v)
            if v.lo > 0 or v.hi < m or v.tz:
                self.ranges[index] = (v.lo, v.hi, v.tz)
            else:
                self.ranges.pop(index, None)
        else:
            self.line(f"l{index}={v.s}")
        self.underive(index)

    def local_steps(self, index: int, v: V) -> None:
        """Note that a local was assigned `v` without a statement: by the loop that counts with it."""
        self.flush_deps(local_bit(index))
        m = self.masks[index]
        lo, hi = (v.lo, v.hi) if 0 <= v.lo <= v.hi <= m else (0, m)
        self.ranges[index] = (lo, hi, v.tz)
        self.underive(index)

    # --- conditions and label values ---------------------------------------------------------------------
    def pop_condition(self) -> V:
        """Pops an i32 as a condition."""
        return truth(self.pop(), M32)

    def typed_slots(self, height: int, types: tuple[int, ...]) -> list[V]:
        """The slots a label's values are in, as operands."""
        return [self.slot(height + i, type_mask(t)) for i, t in enumerate(types)]

    def enter(self, construct: Construct, *, settle_params: bool) -> None:
        """Prepares the stack for a construct: what lies below stays as it is until the construct's end."""
        height = construct.height = len(self.stack) - construct.params
        assigned = construct.assigned
        for i, v in enumerate(self.stack):
            if v.lit:
                continue
            own = slot_bit(i)
            # Slots above may be written inside; locals only where it assigns them.
            if (
                v.cls != PURE
                or v.deps & assigned
                or v.deps & ~own & slots_of(v.deps)
                or (settle_params and i >= height)
            ):
                self.settle(i)
        if settle_params:
            for i in range(height, len(self.stack)):
                v = self.stack[i]
                if v.lit:
                    self.line(f"s{i}={v.s}")
                self.stack[i] = self.slot(i, type_mask(construct.param_types[i - height]))
