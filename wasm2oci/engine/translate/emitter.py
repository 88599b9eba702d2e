"""The symbolic operand stack, what is known about locals, and the lines written so far, for one function.

Lowerings (`lowering`) pop and push operands here; `renderer` decides where lines go.

Order of evaluation. Operands on the stack are expressions not evaluated yet. As long as they end up in one statement
in stack order, that is the order of the instructions, whatever they do. So before a statement is written, operands
that stay on the stack and could notice it, or be noticed, are put into their slot variables (`flush`): reads before
effects, effects before anything but pure statements, readers of a local before it is assigned.

Variables: `l3` local 3, `s2` operand stack slot 2, `x..`, `y..` scratch within one statement.
"""

import re
from typing import Final

from wasm2oci.engine.syntax.module import Module
from wasm2oci.engine.syntax.types import I32, I64, V128
from wasm2oci.engine.translate.codes import BRANCHES_ON_CONDITION, CONTROL, LOCAL_GET, LOCAL_WRITES, code, codes
from wasm2oci.engine.translate.instructions import Body, Construct
from wasm2oci.engine.translate.value import (
    EFFECT,
    LITERALS,
    M32,
    M64,
    PURE,
    READ,
    SMALL,
    V,
    constant,
    local_bit,
    mask,
    paren,
    slot_bit,
    truth,
)

__all__ = ["LOW2", "LOW4", "LOW8", "TWICE", "Emitter", "Range", "merge", "type_mask"]

Range = tuple[int, int, int]
"""What is known of an integer local: its bounds, and how many low bits are zero."""

MAX_DEPTH: Final = 24
"""Expressions nesting deeper go into a variable: CPython's parser takes less than 200 parentheses."""
MAX_TEXT: Final = 2000
"""Longer ones too, so that lines can be read."""
LOOK_AHEAD: Final = 40
_STOPS: Final = CONTROL - BRANCHES_ON_CONDITION
_I32_CONST: Final = code("i32.const")
_ROTATIONS: Final = codes("i32.rotl", "i32.rotr")
MAX_LOCAL: Final = 1 << 20
"""More than a function may have locals."""
TWICE: Final = -MAX_LOCAL
"""`d3`: local 3 written twice, side by side, so that a shift is a rotation."""
LOW2: Final = -2 * MAX_LOCAL
LOW4: Final = -3 * MAX_LOCAL
LOW8: Final = -4 * MAX_LOCAL
"""`n3_8`: the low bits of local 3, zero where it is a multiple of 8."""
DERIVED: Final = (TWICE, LOW2, LOW4, LOW8)
"""Variables made from a local: in `ranges` they have the key `kind - local`."""

_MASKS: Final = {I32: M32, I64: M64, V128: (1 << 128) - 1}


_UNMOVABLE: Final = re.compile(r"//|%|:=|\[|[\w\])]\(|(<<|>>)(?!\d)|(?<![\w.])(?!l\d|w\d|if\b|else\b|or\b)[A-Za-z_]")
"""What could fail, cost without bounds or read something but locals, if it were evaluated before a loop."""
_MOVED: Final = re.compile(r"\bw\d+\b")
MAX_MOVED: Final = 24
"""So many expressions are moved out of one loop."""


class InvariantMotion:
    """A loop that is open, and what was moved out of it because it is the same in every turn.

    Attributes:
        assigned: the locals it assigns, as bits.
        before: the line before it that is kept for what is moved.
        outside, inside: how far the loop and its body are indented.
        moved: expression to variable.
    """

    __slots__ = ("assigned", "before", "inside", "moved", "outside")

    def __init__(self, assigned: int, before: int, outside: int, inside: int) -> None:
        self.assigned = assigned
        self.before = before
        self.outside = outside
        self.inside = inside
        self.moved: dict[str, str] = {}


def type_mask(type_: int) -> int:
    """The mask of an integer type, 0 for any other."""
    return _MASKS.get(type_, 0)


def merge(a: dict[int, Range] | None, b: dict[int, Range]) -> dict[int, Range]:
    """What is known where two paths meet."""
    if a is None:
        return dict(b)
    result = {}
    for index, (lo, hi, tz) in a.items():
        other = b.get(index)
        if other is not None:
            lo2, hi2, tz2 = other
            result[index] = (min(lo, lo2), max(hi, hi2), min(tz, tz2))
    return result


class Emitter:
    """Translation of one function, in progress.

    Args:
        module: a valid module.
        body: the function.
        index: in the function index space.

    Attributes:
        out: lines written, indented; None is a line taken back.
        offsets: for each line the offset of its instruction in the module.
        ind: the present indentation.
        at: the offset of the present instruction.
        stack: operands.
        place: the index of the present instruction.
        compact: prefer less code to the fastest: for functions that take longer to compile than to run.
        ranges: known ranges of locals, for the present place.
        derives: locals from which a variable was made somewhere, see `DERIVED`.
        held: what the variables of repeated arithmetic hold, see `cse`.
        mixed: locals that are rotated, as bits: any of their bits may be set, and hardly ever are they small.
        loops: open loops expressions may be moved out of, outermost first.
        guarded: how many try_tables are around the present place.
    """

    def __init__(self, module: Module, body: Body, index: int) -> None:
        self.module = module
        self.body = body
        self.index = index
        self.types = body.locals
        self.masks = [_MASKS.get(t, 0) for t in body.locals]
        self.out: list[str | None] = []
        self.offsets: list[int] = []
        self.ind = " "
        self.at = 0
        self.stack: list[V] = []
        self.ranges: dict[int, Range] = {}
        self.derives: set[int] = set()
        self.loops: list[InvariantMotion] = []
        self.moved = 0
        self.held: dict[int, V] = {}
        self.mixed = 0
        self.guarded = 0
        self.dead = False
        self.tails = False
        self.fuel = False
        self.compact = False
        self.polls = False
        self.count = 0
        self.mark = -1
        self.place = 0

    # --- lines ---------------------------------------------------------------------------------
    def line(self, text: str) -> int:
        """Writes a line; returns its number."""
        self.out.append(self.ind + text)
        self.offsets.append(self.at)
        return len(self.out) - 1

    def empty(self, header: int) -> bool:
        """Whether nothing was written since a line."""
        out = self.out
        place = len(out) - 1
        while place > header and out[place] is None:
            place -= 1
        return place <= header

    def fresh(self, header: int) -> bool:
        """Whether a loop's condition may still become part of its first line."""
        return not self.fuel and self.empty(header)

    def take_back(self, line: int) -> None:
        """Unwrites a line."""
        self.out[line] = None

    def charge(self, *, resume: bool = True) -> None:
        """Begins a basic block, or only ends one: what it costs is written at its start once its end is known."""
        if not self.fuel:
            return
        if self.mark >= 0:
            text = self.out[self.mark] or ""
            cost = f"F[0]-={self.count}" if self.count else "pass"
            self.out[self.mark] = text[: len(text) - len(text.lstrip())] + cost
        self.count = 0
        self.mark = self.line("pass") if resume and not self.dead else -1

    def poll(self) -> None:
        """Stops an endless loop or recursion, if asked to."""
        if self.fuel:
            self.line("if F[0]<0:out_of_fuel()")
        if self.polls:
            self.line("if I[0]:interrupted()")

    # --- operands ------------------------------------------------------------------------------
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
            # Whatever may trap or act comes after what does so before it.
            if self.stack[other].deps & bit or (v.cls and self.stack[other].cls):
                self.settle(other)
        for other in range(height + 1, len(self.stack)):
            if self.stack[other].deps & bit:
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

    # --- loops ---------------------------------------------------------------------------------
    def steady(self, v: V) -> V:
        """`v`, or a variable that holds it where it is the same in every turn of a loop and worth moving before it.

        What is moved may be evaluated though its place is never reached, so it has to be arithmetic that cannot fail.
        """
        loops = self.loops
        if not loops or not v.d or v.cls or v.b or v.lit or v.deps & loops[-1].assigned:
            return v
        if _slots(v.deps) & v.deps or len(self.ind) != loops[-1].inside or _UNMOVABLE.search(v.s):
            return v
        place = len(loops) - 1
        while place and loops[place].outside == loops[place - 1].inside and not v.deps & loops[place - 1].assigned:
            place -= 1
        loop = loops[place]
        name = loop.moved.get(v.s)
        if name is None:
            if len(loop.moved) >= MAX_MOVED:
                return v
            name = loop.moved[v.s] = f"w{self.moved}"
            self.moved += 1
        r = V(name, 0, v.lo, v.hi, v.deps, PURE, 0, v.tz)
        r.m, r.sum, r.shl = v.m, v.sum, v.shl
        return r

    def steady_pair(self, a: V, b: V) -> tuple[V, V]:
        """Two operands, one of which may be steady where the other is not."""
        assigned = self.loops[-1].assigned
        if a.deps & assigned:
            if b.d:
                b = self.steady(b)
        elif a.d and b.deps & assigned:
            a = self.steady(a)
        return a, b

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

    def end_steady(self, header: int) -> None:
        """Ends the innermost loop, whose first line is `header`: writes what was moved out of it and is needed."""
        loop = self.loops.pop()
        if loop.moved:
            body = "\n".join(text for text in self.out[header:] if text is not None)
            used = set(_MOVED.findall(body))
            texts: list[str] = []
            for text, name in reversed(loop.moved.items()):
                if name in used:
                    texts.append(f"{name}={text}")
                    used.update(_MOVED.findall(text))
            if texts:
                self.out[loop.before] = f"{' ' * loop.outside}{';'.join(reversed(texts))}"

    # --- order ---------------------------------------------------------------------------------
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

    # --- locals --------------------------------------------------------------------------------
    def local_get(self, index: int) -> V:
        """A local as an operand."""
        m = self.masks[index]
        if not m:
            return V(f"l{index}", 0, 1, 0, local_bit(index))
        known = self.ranges.get(index)
        if known is None:
            v = V(f"l{index}", 0, 0, m, local_bit(index))
        else:
            lo, hi, tz = known
            if lo == hi:
                return constant(lo)
            v = V(f"l{index}", 0, lo, hi, local_bit(index), PURE, 0, tz)
        v.loc = index
        return v

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
        """Notes that a local has been assigned `v` without a word: by the loop that counts with it."""
        self.flush_deps(local_bit(index))
        m = self.masks[index]
        lo, hi = (v.lo, v.hi) if 0 <= v.lo <= v.hi <= m else (0, m)
        self.ranges[index] = (lo, hi, v.tz)
        self.underive(index)

    def derived(self, kind: int, index: int) -> bool:
        """Whether a variable made from a local (see `DERIVED`) is there and still right."""
        return kind - index in self.ranges

    def derive(self, kind: int, index: int, text: str) -> None:
        """Makes such a variable; it is good until the local is assigned, on every path where it was made."""
        self.line(text)
        self.ranges[kind - index] = (0, 0, 0)
        self.derives.add(index)

    def underive(self, index: int) -> None:
        """Notes that a local has changed, and what was made from it has not."""
        if index in self.derives:
            for derived in DERIVED:
                self.ranges.pop(derived - index, None)

    def rotates_again(self, index: int) -> bool:
        """Whether a local is rotated by a constant once more before it changes, not far from here."""
        instructions = self.body.code
        for at in range(self.place + 1, min(self.place + LOOK_AHEAD, len(instructions) - 2)):
            op, item, _ = instructions[at]
            if op in _STOPS or (op in LOCAL_WRITES and item == index):
                return False
            if (
                op == LOCAL_GET
                and item == index
                and instructions[at + 1][0] == _I32_CONST
                and instructions[at + 2][0] in _ROTATIONS
            ):
                return True
        return False

    def read_again(self, index: int) -> bool:
        """Whether a local is read once more before it changes, not far from here."""
        instructions = self.body.code
        for at in range(self.place + 1, min(self.place + LOOK_AHEAD, len(instructions))):
            op, item, _ = instructions[at]
            if op == LOCAL_GET and item == index:
                return True
            if op in _STOPS or (op in LOCAL_WRITES and item == index):
                return False
        return False

    def forget(self, assigned: int) -> None:
        """Drops what is known about locals that are assigned somewhere."""
        if assigned:
            self.ranges = {
                i: r for i, r in self.ranges.items() if not assigned >> 2 * (i if i >= 0 else -i % MAX_LOCAL) & 1
            }

    def restrict(self, v: V, lo: int, hi: int) -> None:
        """Notes that an operand lies between `lo` and `hi`, where it stands for a local."""
        index = v.loc
        if index < 0:
            return
        lo -= v.add
        hi -= v.add
        known = self.ranges.get(index)
        if known is None:
            m = self.masks[index]
            lo, hi = max(lo, 0), min(hi, m)
            if lo <= hi and (lo > 0 or hi < m):
                self.ranges[index] = (lo, hi, 0)
        else:
            lo, hi = max(lo, known[0]), min(hi, known[1])
            if lo <= hi:
                self.ranges[index] = (lo, hi, known[2])

    def assume(self, condition: V) -> None:
        """Learns from a condition that holds here."""
        if condition.cmp is None:
            return
        relation, a, b = condition.cmp
        if relation == "<":
            self.restrict(a, a.lo, b.hi - 1)
            self.restrict(b, a.lo + 1, b.hi)
        elif relation == "<=":
            self.restrict(a, a.lo, b.hi)
            self.restrict(b, a.lo, b.hi)
        elif relation == ">":
            self.restrict(a, b.lo + 1, a.hi)
            self.restrict(b, b.lo, a.hi - 1)
        elif relation == ">=":
            self.restrict(a, b.lo, a.hi)
            self.restrict(b, b.lo, a.hi)
        elif relation == "==":
            self.restrict(a, b.lo, b.hi)
            self.restrict(b, a.lo, a.hi)
        elif relation == "in":
            self.restrict(a, b.lo, b.hi)
        elif relation == "!=" and b.k == 0:
            self.restrict(a, max(a.lo, 1), a.hi)

    # --- conditions and label values ------------------------------------------------------------
    def pop_condition(self) -> V:
        """Pops an i32 as a condition."""
        return truth(self.pop(), M32)

    def assign_slots(self, height: int, values: list[V]) -> None:
        """Moves values into the slots a label's values are expected in."""
        moves = [(f"s{height + i}", v) for i, v in enumerate(values) if v.s != f"s{height + i}" or v.lit]
        if not moves:
            return
        targets = ",".join(name for name, _ in moves)
        texts = [self.exact(v) for _, v in moves]
        self.line(f"{targets}={','.join(v.s if v.p < 13 else f'({v.s})' for v in texts)}")

    def typed_slots(self, height: int, types: tuple[int, ...]) -> list[V]:
        """The slots a label's values are in, as operands."""
        return [self.slot(height + i, _MASKS.get(t, 0)) for i, t in enumerate(types)]

    def enter(self, construct: Construct, *, settle_params: bool) -> None:
        """Prepares the stack for a construct: what lies below stays as it is until the construct's end."""
        height = construct.height = len(self.stack) - construct.params
        assigned = construct.assigned
        for i, v in enumerate(self.stack):
            if v.lit:
                continue
            own = slot_bit(i)
            # Slots above may be written inside; locals only where it assigns them.
            if v.cls != PURE or v.deps & assigned or v.deps & ~own & _slots(v.deps) or (settle_params and i >= height):
                self.settle(i)
        if settle_params:
            for i in range(height, len(self.stack)):
                v = self.stack[i]
                if v.lit:
                    self.line(f"s{i}={v.s}")
                self.stack[i] = self.slot(i, type_mask(construct.param_types[i - height]))


def _slots(deps: int) -> int:
    """The bits of all slots that `deps` may name."""
    return (1 << 2 * (deps.bit_length() // 2 + 1)) // 3 * 2
