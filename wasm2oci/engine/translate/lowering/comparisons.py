"""Lowerings of comparisons of integers.

Comparing signed numbers held unsigned is a range test where one side is known not to be negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.lowering.operands import signed
from wasm2oci.engine.translate.value import EFFECT, SMALL, V, boolean, constant, mask, negated, paren, truth

if TYPE_CHECKING:
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.lowering.operands import Lowering

__all__ = ["PYTHON", "equal", "eqz", "signed_order", "unsigned_order"]

PYTHON: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
"""Relations of the mnemonics as Python writes them."""
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _bool(v: V) -> V:
    """A condition as a Python bool: an expression that is only truthy, such as a nonzero integer, is converted."""
    if 9 <= v.p <= 12 or v.p == v.np == 13:
        return v
    r = boolean(f"{paren(v, 8)}!=0", 9, f"not {paren(v, 9)}", 10, v)
    r.cmp = v.cmp
    return r


def _compare(relation: str, a: V, b: V) -> V:
    """A comparison of operands whose Python values compare as the guest's do."""
    left, right = paren(a, 8), paren(b, 8)
    opposite = _OPPOSITE[relation]
    r = boolean(f"{left}{relation}{right}", 9, f"{left}{opposite}{right}", 9, a, b)
    r.cmp = (relation, a, b)
    return r


def eqz(m: int) -> Lowering:
    """`eqz`."""

    def lower(e: Emitter, _: Any) -> None:
        v = e.stack.pop()
        if v.k is not None:
            e.stack.append(constant(int(not v.k & m)))
        else:
            e.push(_bool(negated(truth(v, m))))

    return lower


def equal(relation: str, m: int) -> Lowering:
    """`eq` (`==`) and `ne` (`!=`)."""

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if a.k is not None and b.k is not None:
            same = (a.k ^ b.k) & m == 0
            e.stack.append(constant(int(same == (relation == "=="))))
            return
        # Two signed numbers within the width are equal exactly when their canonical forms are.
        half = m >> 1
        if not (-half - 1 <= a.lo and a.hi <= half and -half - 1 <= b.lo and b.hi <= half):
            a, b = mask(a, m), mask(b, m)
        if b.k == 0:
            v = truth(a, m)
            e.push(_bool(v if relation == "!=" else negated(v)))
        else:
            if e.loops:
                a, b = e.steady_pair(a, b)
            e.push(_compare(relation, a, b))

    return lower


def unsigned_order(relation: str, m: int) -> Lowering:
    """`lt_u`, `le_u`, `gt_u` and `ge_u`, by their relation in Python."""

    def lower(e: Emitter, _: Any) -> None:
        b = mask(e.stack.pop(), m)
        a = mask(e.stack.pop(), m)
        if a.k is not None and b.k is not None:
            outcomes = {"<": a.k < b.k, "<=": a.k <= b.k, ">": a.k > b.k, ">=": a.k >= b.k}
            e.stack.append(constant(int(outcomes[relation])))
        else:
            if e.loops:
                a, b = e.steady_pair(a, b)
            e.push(_compare(relation, a, b))

    return lower


def _positive(a: V, low: V, relation: str, half: int) -> V:
    """`low < a <= half` (or `<=`), where `a` is a name; numbers of one digit, the common case, are tested first."""
    opposite = _OPPOSITE[_MIRRORED[relation]]
    return boolean(
        f"{a.s}{_MIRRORED[relation]}{paren(low, 8)} and ({a.s}<={SMALL} or {a.s}<={half})",
        11,
        f"{a.s}{opposite}{paren(low, 8)} or {a.s}>{SMALL} and {a.s}>{half}",
        12,
        low,
        a,
    )


def _within(a: V, low: V, strict_low: str, strict_high: str, high: V) -> V:
    """`low <= a <= high` as one chain."""
    text = f"{paren(low, 8)}{strict_low}{paren(a, 8)}{strict_high}{paren(high, 8)}"
    return boolean(text, 9, f"not {text}", 10, low, a, high)


def signed_order(relation: str, m: int) -> Lowering:
    """`lt_s`, `le_s`, `gt_s` and `ge_s`, by their relation in Python."""
    half = m >> 1

    def inside(v: V) -> bool:
        return v.lo >= -half - 1 and v.hi <= half

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if a.k is not None and b.k is not None:
            x, y = ((a.k & m) ^ (half + 1)), ((b.k & m) ^ (half + 1))
            e.stack.append(constant(int({"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[relation])))
            return
        if a.k is not None:
            a = signed(a, m)
        if b.k is not None:
            b = signed(b, m)
        if inside(a) and inside(b):
            e.push(_compare(relation, a, b))
            return
        if not inside(a):
            a = mask(a, m)
        if not inside(b):
            b = mask(b, m)
        e.push(_ranged(relation, a, b, quick=not e.compact) or _flipped(relation, a, b, quick=not e.compact))

    def _flipped(relation: str, a: V, b: V, *, quick: bool) -> V:
        """Both signs unknown: order them by flipping the top bit."""
        flip = str(half + 1)
        a, b = (mask(v, m) if v.k is None else constant((v.k & m) ^ (half + 1)) for v in (a, b))
        texts = [v.s if v.k is not None else f"({paren(v, 7)}^{flip})" for v in (a, b)]
        text, opposite = f"{texts[0]}{relation}{texts[1]}", f"{texts[0]}{_OPPOSITE[relation]}{texts[1]}"
        if not (quick and a.s.isidentifier() and b.s.isidentifier()):
            return boolean(text, 9, opposite, 9, a, b)
        small = f"{a.s}<={SMALL} and {b.s}<={SMALL}"  # most are, and the test is cheap for numbers of one digit
        return boolean(
            f"{a.s}{relation}{b.s} if {small} else {text}",
            13,
            f"{a.s}{_OPPOSITE[relation]}{b.s} if {small} else {opposite}",
            13,
            a,
            b,
        )

    def _ranged(relation: str, a: V, b: V, *, quick: bool) -> V | None:
        """One side's sign is known: a chain of unsigned comparisons."""
        if EFFECT in (a.cls, b.cls) or (a.cls and b.cls):
            return None  # a chain evaluates the sides in another order
        top = constant(half)
        if inside(a) and not inside(b):
            return _ranged(_MIRRORED[relation], b, a, quick=quick)
        if not inside(b):
            return None
        # a is unsigned, its sign unknown
        if b.lo >= 0:
            if relation in {">", ">="}:  # b < a <= half
                if b.k == 0 and relation == ">=":
                    return _compare("<=", a, top)
                strict = "<" if relation == ">" else "<="
                if quick and a.s.isidentifier() and b.hi <= SMALL:
                    v = _positive(a, b, strict, half)
                else:
                    v = _within(a, b, strict, "<=", top)
                v.cmp = ("in", a, V("", 0, b.lo + (relation == ">"), half))
                return v
            opposite = _ranged(_OPPOSITE[relation], a, b, quick=quick)
            return negated(opposite) if opposite is not None else None
        if b.k is not None:  # negative: half < a < b
            unsigned = constant(b.k + m + 1)
            if relation in {"<", "<="}:
                if relation == "<=" and b.k == -1:
                    return _compare(">", a, top)
                v = _within(a, top, "<", relation, unsigned)
                v.cmp = ("in", a, V("", 0, half + 1, unsigned.k or 0))
                return v
            opposite = _ranged(_OPPOSITE[relation], a, b, quick=quick)
            return negated(opposite) if opposite is not None else None
        return None

    return lower
