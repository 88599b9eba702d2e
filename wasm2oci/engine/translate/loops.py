"""What is known of locals at a loop's start, and loops that are written as `for`.

A walk over a function learns what holds at each loop's back edges (`learned`); the next walk starts with it (`hints`).
Some things are assumed before they are known, and given up in the next walk where they turned out wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.opcodes import OPCODES
from wasm2oci.engine.translate.codes import END, INTEGER_CONSTANTS, LOCAL_WRITES, code, codes
from wasm2oci.engine.translate.counted_loops import at_the_end, at_the_start, find_tail
from wasm2oci.engine.translate.ranges import merge

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Construct, Instruction
    from wasm2oci.engine.translate.counted_loops import Count, Tail
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.ranges import Range
    from wasm2oci.engine.translate.value import V

__all__ = ["Learned", "LoopFacts", "OpenLoop"]

_COUNTS: Final = [
    code(name) for name in ("local.get", "i32.const", "i32.add", "local.tee", "i32.const", "i32.ne", "br_if")
]


_SUMS: Final = codes(".add", ".sub")
_UNALIGNED: Final = codes("call", "call_indirect", "global.get") | {
    row.code for row in OPCODES.values() if ".load" in row.mnemonic
}
"""Instructions whose result may have any low bits."""


class OpenLoop:
    """A Python loop that is being written.

    Attributes:
        owner: its construct.
        ind: the indentation around it.
        header: its first line.
        steady: expressions may be moved out of it.
        tail: how it counts, if it does.
        before: what is known of locals before it, then.
        count: how it is written as a `for`, if it is.
    """

    __slots__ = ("before", "count", "header", "ind", "owner", "steady", "tail")

    def __init__(self, owner: Construct | None, ind: str, header: int, *, steady: bool) -> None:
        self.owner = owner
        self.ind = ind
        self.header = header
        self.steady = steady
        self.tail: Tail | None = None
        self.before: dict[int, Range] = {}
        self.count: Count | None = None


class Learned:
    """What walks over a function learn for the next one.

    Args:
        code: the function's instructions.
        trusts: something may be assumed of what a loop assigns.

    Attributes:
        hints: for loops, what an earlier walk learned about locals at their back edges; None: there was none.
        caps: for loops, how far locals were found to be aligned.
        bounded: assignments of numbers that are aligned so far at most: (place, local, zero bits), in order.
        given: loops whose counters were found not to wrap.
    """

    def __init__(self, code: list[Instruction], *, trusts: bool) -> None:
        self.hints: dict[int, dict[int, Range]] | None = None
        self.caps: dict[int, dict[int, int]] = {}
        self.bounded = _bounded(code) if trusts else []
        self.given: set[int] = set()
        self.trusts = trusts


def _bounded(code: list[Instruction]) -> list[tuple[int, int, int]]:
    """Assignments of what is loaded, returned or constant, or of a sum with a constant: seen before the first walk."""
    found = []
    for place, (op, item, _) in enumerate(code):
        if op in LOCAL_WRITES:
            made, number, _ = code[place - 1]
            if made in _SUMS:
                made, number, _ = code[place - 2]
                made = made if made in INTEGER_CONSTANTS else END
            if made in _UNALIGNED:
                found.append((place, item, 0))
            elif made in INTEGER_CONSTANTS and number:
                found.append((place, item, (number & -number).bit_length() - 1))
    return found


class LoopFacts:
    """What one walk knows and finds out about loops.

    Args:
        e: where operands and lines are kept.
        earlier: what was learned before.

    Attributes:
        learned: what holds at back edges.
        counters: instructions that take a counting loop's step.
        proven: loops whose counters were found not to wrap, where that was not clear beforehand.
    """

    def __init__(self, e: Emitter, earlier: Learned) -> None:
        self.e = e
        self.earlier = earlier
        self.learned: dict[int, dict[int, Range]] = {}
        self.assumed: dict[int, dict[int, int]] = {}
        self.counters: dict[int, OpenLoop] = {}
        self.proven: set[int] = set()

    def repeat(self, c: Construct) -> None:
        """Notes what holds where control goes back to a loop's start."""
        self.learned[c.start] = merge(self.learned.get(c.start), self.e.ranges)

    def enter(self, c: Construct, loop: OpenLoop | None) -> None:
        """Begins a loop's body; `loop` is the Python loop it has for itself."""
        e = self.e
        before = e.ranges
        e.forget(c.assigned)
        counted = self._counter(c, before)
        hint = (self.earlier.hints or {}).get(c.start)
        if hint is not None:
            for index, (lo, hi, _) in merge(before, hint).items():
                if index >= 0 and c.assigned >> 2 * index & 1:
                    e.ranges[index] = (lo, hi, 0)  # alignment is `_align`'s
        if counted is not None:
            e.ranges[counted[0]] = counted[1]
        if self.earlier.trusts:
            self._align(c, before)
        if loop is not None and loop.steady and not e.fuel and not e.polls:
            self._count(c, loop, before)

    def _count(self, c: Construct, loop: OpenLoop, before: dict[int, Range]) -> None:
        """See whether a loop counts, and write it as a `for` if that is certain already."""
        e = self.e
        tail = loop.tail = find_tail(e.body, c)
        if tail is None:
            return
        self.counters[tail.at] = loop
        loop.before = before
        if tail.relation:
            count = loop.count = at_the_end(e.body, c, tail, before)
            if count is not None:
                e.out[loop.header] = f"{loop.ind}{count.header}"
                if count.range is not None:
                    e.ranges[tail.local] = count.range

    def leading_exit(self, loop: OpenLoop, stays: V) -> bool:
        """Whether a loop that begins with an exit test counts; its first line is written then.

        Args:
            loop: the loop.
            stays: the condition on which it goes on.
        """
        e, tail, c = self.e, loop.tail, loop.owner
        if tail is None or c is None or tail.relation or loop.count is not None or not e.fresh(loop.header):
            return False
        if e.out[loop.header] != f"{loop.ind}while True:":
            return False
        proven = c.start in self.earlier.given
        count = loop.count = at_the_start(e.body, c, tail, stays, loop.before, proven=proven)
        if count is None:
            return False
        e.out[loop.header] = f"{loop.ind}{count.header}"
        e.offsets[loop.header] = e.at
        return True

    def _counter(self, c: Construct, before: dict[int, Range]) -> tuple[int, Range] | None:
        """The counter of a loop that ends with `counter += step; if counter != last: continue`, and nothing else.

        It starts at a known number, is assigned nowhere else, and hits the last number exactly: so it stays between.
        """
        instructions = self.e.body.code
        if c.targeted != 1 or c.params or c.end - c.start < 7:
            return None
        tail = instructions[c.end - 7 : c.end]
        opcodes = [op for op, _, _ in tail]
        if opcodes != _COUNTS:
            return None
        local, step, last = tail[0][1], tail[1][1], tail[4][1]
        if tail[3][1] != local:
            return None
        start = before.get(local)
        if tail[6][1] is not c or start is None or start[0] != start[1]:
            return None
        first = start[0]
        if not first < last or not step or (last - first) % step:
            return None
        if sum(op in LOCAL_WRITES and item == local for op, item, _ in instructions[c.start : c.end]) != 1:
            return None
        tz = min((number & -number).bit_length() - 1 if number else 64 for number in (first, step))
        return local, (first, last - step, tz)

    def _align(self, c: Construct, before: dict[int, Range]) -> None:
        """Assumes that locals a loop assigns stay as aligned as they come in; `unfounded` says where that was wrong."""
        ranges = self.e.ranges
        capped = self.earlier.caps.get(c.start)
        if capped is None:
            capped = self.earlier.caps[c.start] = self._capped(c)
        used = self.assumed[c.start] = {}
        for index, (_, _, zeros) in before.items():
            if index < 0 or not c.assigned >> 2 * index & 1:
                continue
            tz = min(zeros, capped.get(index, 64))
            known = ranges.get(index)
            if tz > (known[2] if known is not None else 0):
                lo, hi = (known[0], known[1]) if known is not None else (0, self.e.masks[index])
                ranges[index] = (lo, hi, tz)
                used[index] = tz

    def _capped(self, c: Construct) -> dict[int, int]:
        """How far the locals that a loop assigns can be aligned at most, by what one look at it shows."""
        bounded = self.earlier.bounded
        capped: dict[int, int] = {}
        for _, local, zeros in bounded[bisect_left(bounded, (c.start,)) : bisect_left(bounded, (c.end,))]:
            capped[local] = min(zeros, capped.get(local, zeros))
        return capped

    def unfounded(self) -> bool:
        """Whether an assumption of `_align` did not hold; it is given up for the next walk."""
        wrong = False
        for start, used in self.assumed.items():
            learned = self.learned.get(start, {})
            for index, tz in used.items():
                found = learned.get(index, (0, 0, 0))[2]
                if found < tz:
                    self.earlier.caps[start][index] = found
                    wrong = True
        return wrong

    def useful(self) -> bool:
        """Whether anything is known at a loop's back edges about a local that it assigns."""
        by_start = {c.start: c for c in self.e.body.constructs if c.kind == "loop"}
        return any(
            index >= 0 and by_start[start].assigned >> 2 * index & 1
            for start, ranges in self.learned.items()
            for index in ranges
        )
