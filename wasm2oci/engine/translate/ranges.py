"""What is known about a function's locals at the present place: bounds, alignment, and what was made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.types import I32, I64, V128
from wasm2oci.engine.translate.codes import BRANCHES_ON_CONDITION, CONTROL, LOCAL_GET, LOCAL_WRITES, code, codes
from wasm2oci.engine.translate.lines import Lines
from wasm2oci.engine.translate.value import M32, M64, PURE, V, constant, local_bit

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body

__all__ = ["LOW2", "LOW4", "LOW8", "TWICE", "Range", "Ranges", "merge", "type_mask"]

Range = tuple[int, int, int]
"""What is known of an integer local: its bounds, and how many low bits are zero."""

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


def type_mask(type_: int) -> int:
    """The mask of an integer type, 0 for any other."""
    return _MASKS.get(type_, 0)


def merge(a: dict[int, Range] | None, b: dict[int, Range]) -> dict[int, Range]:
    """What is known where two paths meet."""
    if a is None:
        return dict(b)
    result = {}
    for index, known in a.items():
        other = b.get(index)
        if other is known:  # most were known before the paths parted
            result[index] = known
        elif other is not None:
            lo, hi, tz = known
            lo2, hi2, tz2 = other
            result[index] = (min(lo, lo2), max(hi, hi2), min(tz, tz2))
    return result


class Ranges(Lines):
    """What is known about locals.

    Args:
        body: the function.

    Attributes:
        place: the index of the present instruction.
        masks: of the locals, 0 for those that are no integers.
        ranges: known ranges of locals, for the present place.
        derives: locals from which a variable was made somewhere, see `DERIVED`.
    """

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body
        self.place = 0
        self.masks = [_MASKS.get(t, 0) for t in body.locals]
        self.ranges: dict[int, Range] = {}
        self.derives: set[int] = set()

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
