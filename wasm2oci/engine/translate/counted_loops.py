"""Loops that count, as `for i in range(...)`: CPython counts faster than guests do.

A loop qualifies when one local is assigned once, right before the only branch back, by adding a step that does not
change in the loop; when the bound it is compared with does not change either; and when it cannot wrap on the way. It
may be left early: the variable has the local's value in every turn. After the last one `else:` takes the last step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.engine.translate.codes import (
    BLOCK,
    BR,
    BR_IF,
    INTEGER_CONSTANTS,
    LOCAL_GET,
    LOCAL_SET,
    LOCAL_TEE,
    LOCAL_WRITES,
    LOOP,
    RETURN,
    code,
)
from wasm2oci.engine.translate.value import M32, M64

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body, Construct, Instruction
    from wasm2oci.engine.translate.ranges import Range
    from wasm2oci.engine.translate.value import V

__all__ = ["Count", "Tail", "at_the_end", "at_the_start", "find_tail"]

MIN_TURNS: Final = 16
"""Making a range takes as long as ten turns save."""
_ADD: Final = {code("i32.add"): M32, code("i64.add"): M64}
_SUB: Final = {code("i32.sub"): M32, code("i64.sub"): M64}
_I32_CONST: Final = code("i32.const")
_RELATIONS: Final = {
    code(f"{type_}.{name}"): (relation, signed)
    for type_ in ("i32", "i64")
    for name, relation, signed in (
        ("ne", "!=", False),
        ("lt_s", "<", True),
        ("lt_u", "<", False),
        ("gt_s", ">", True),
        ("gt_u", ">", False),
    )
}


class Tail(NamedTuple):
    """The end of a loop that counts.

    Attributes:
        local: the counter.
        at: the instruction that assigns it.
        mask: of its type.
        step: by how much; 0 where it is a local.
        step_local: that local, or -1.
        relation: what keeps the loop going; "" where its end is a plain branch back.
        signed: how that compares.
        bound: an instruction: a constant or `local.get`.
    """

    local: int
    at: int
    mask: int
    step: int
    step_local: int
    relation: str
    signed: bool
    bound: Instruction


class Count(NamedTuple):
    """A loop to be written as `for`.

    Attributes:
        header: its first line.
        local: the counter.
        at: the instruction that assigns it.
        last: the statement after the last turn.
        range: of the counter, in the loop; None: nothing new.
    """

    header: str
    local: int
    at: int
    last: str
    range: Range | None


def _signed(k: int, m: int) -> int:
    return k - m - 1 if k > m >> 1 else k


def find_tail(body: Body, c: Construct) -> Tail | None:
    """The end of an innermost loop, if it counts."""
    instructions = body.code
    if c.targeted != 1 or c.params or c.results or c.end - c.start < 6:
        return None
    op, target, _ = instructions[c.end - 1]
    if target is not c:
        return None
    relation, signed = "", False
    bound: Instruction = (_I32_CONST, 0, 0)
    at = c.end - 2
    if op == BR_IF:
        op, item, _ = instructions[at]
        if op in _RELATIONS:
            relation, signed = _RELATIONS[op]
            bound = instructions[at - 1]
            if bound[0] not in INTEGER_CONSTANTS and (bound[0] != LOCAL_GET or c.assigned >> 2 * bound[1] & 1):
                return None
            at -= 2
            op, item, _ = instructions[at]
        else:
            relation = "!="
        if op == LOCAL_GET:
            at -= 1
            if instructions[at][0] != LOCAL_SET or instructions[at][1] != item:
                return None
        elif op != LOCAL_TEE:
            return None
    elif op != BR or instructions[at][0] != LOCAL_SET:
        return None
    local: int = instructions[at][1]
    if at - 3 <= c.start:
        return None
    (first, one, _), (second, other, _), (op, _, _) = instructions[at - 3 : at]
    step, step_local = 0, -1
    mask = _ADD.get(op) or _SUB.get(op)
    if mask is None or first != LOCAL_GET:
        return None
    if second in INTEGER_CONSTANTS and one == local:
        step = _signed(other if op in _ADD else -other & mask, mask)
    elif second == LOCAL_GET and op in _ADD and local in {one, other} and one != other:
        step_local = other if one == local else one
        if c.assigned >> 2 * step_local & 1:
            return None
    else:
        return None
    inside = instructions[c.start + 1 : c.end]
    if (
        any(op == LOOP for op, _, _ in inside)
        or sum(op in LOCAL_WRITES and item == local for op, item, _ in inside) > 1
    ):
        return None
    if not step and step_local < 0:
        return None
    return Tail(local, at, mask, step, step_local, relation, signed, bound)


def _live(body: Body, c: Construct, local: int, start: Range) -> bool:
    """Whether what a loop leaves in its counter may be read, be it by its own first line the next time."""
    instructions = body.code
    if any(op == LOCAL_GET and item == local for op, item, _ in instructions[: c.start] + instructions[c.end :]):
        return True
    if start[0] == start[1]:
        return False
    for op, item, _ in reversed(instructions[: c.start]):
        if op in LOCAL_WRITES and item == local:
            return False
        if op != BLOCK and op <= RETURN:
            return True
    return True


def at_the_end(body: Body, c: Construct, tail: Tail, known: dict[int, Range]) -> Count | None:
    """A loop that tests after each turn, given what is known before it."""
    m = tail.mask
    top = m >> 1 if tail.signed else m
    step, local = tail.step, tail.local
    lo, hi, tz = known.get(local, (0, m, 0))
    op, item, _ = tail.bound
    low, high, _ = known.get(item, (0, m, 0)) if op == LOCAL_GET else (item & m, item & m, 0)
    if not step or hi > top or high > top:
        return None
    name = f"l{local}"
    end = f"l{item}" if op == LOCAL_GET and low != high else str(low)
    constant = lo == hi and low == high
    if constant and abs(low - lo) // abs(step) < MIN_TURNS:
        return None
    start = str(lo) if lo == hi else name
    tz = min(tz, (step & -step).bit_length() - 1)
    if tail.relation == "!=":
        if not (hi < low if step > 0 else lo > high):
            return None
        if abs(step) != 1 and not (constant and (low - lo) % step == 0):
            return None
        inside = (lo, high - 1, tz) if step > 0 else (low + 1, hi, tz)
    elif tail.relation == "<" and step > 0:
        if hi + step > top or high - 1 + step > top:
            return None
        if hi >= low:
            other = str(lo + 1) if lo == hi else f"{name}+1"
            end = f"{end} or 1" if start == "0" else f"{end} if {start}<{end} else {other}"
        inside = (lo, max(hi, high - 1), tz)
    else:
        return None
    by = f",{step}" if step != 1 else ""
    last = f"{name}={name}{step:+d}" if _live(body, c, local, (lo, hi, 0)) else ""
    return Count(f"for {name} in range({_start(start, by)}{end}{by}):", local, tail.at, last, inside)


def _start(start: str, by: str) -> str:
    return "" if start == "0" and not by else f"{start},"


def at_the_start(
    body: Body, c: Construct, tail: Tail, stays: V, before: dict[int, Range], *, proven: bool
) -> Count | None:
    """A loop that tests before each turn.

    Args:
        body: the function.
        c: the loop.
        tail: its end.
        stays: the condition on which it goes on.
        before: what is known before the loop.
        proven: the counter was found not to wrap.
    """
    if stays.cmp is None:
        return None
    relation, a, b = stays.cmp
    if a.loc != tail.local or a.add or (b.k is None and (b.loc < 0 or b.add or c.assigned >> 2 * b.loc & 1)):
        return None
    m, step = tail.mask, tail.step
    if tail.step_local >= 0:
        if relation != "<" or not proven or before.get(tail.step_local, (0, 0, 0))[0] < 1:
            return None
        by, more = f",l{tail.step_local}", f"+l{tail.step_local}"
    elif relation == "<" and step > 0 and (proven or b.hi - 1 + step <= m):
        by, more = (f",{step}" if step != 1 else ""), f"+{step}"
    elif relation == ">" and step < 0 and -step <= b.lo + 1:
        by, more = f",{step}", str(step)
    else:
        return None
    if b.k is not None and abs(b.k) // (abs(step) or 1) < MIN_TURNS and step > 0:
        return None
    name = f"l{tail.local}"
    first = before.get(tail.local, (0, m, 0))
    start = str(first[0]) if first[0] == first[1] else name
    last = f"if {name}{relation}{b.s}:{name}={name}{more}" if _live(body, c, tail.local, first) else ""
    return Count(f"for {name} in range({_start(start, by)}{b.s}{by}):", tail.local, tail.at, last, None)
