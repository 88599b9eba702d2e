"""Lowerings of sums, products and quotients.

Arithmetic stays lazy: sums and products are written without masks, and ranges say whether the result needs one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.translate.lowering.operands import call, fold, operand, signed_constant
from wasm2oci.engine.translate.value import EFFECT, PURE, V, binary, constant, mask, paren

if TYPE_CHECKING:
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.lowering.operands import Lowering

__all__ = ["add", "div_s", "div_u", "mul"]


def add(m: int, *, minus: bool) -> Lowering:
    """`add`, and with `minus` `sub`."""

    def lower(e: Emitter, _: Any) -> None:
        b = operand(e, m)
        a = operand(e, m)
        kb = signed_constant(b, m)
        ka = signed_constant(a, m)
        if kb is not None and ka is not None:
            fold(e, ka - kb if minus else ka + kb, m)
            return
        if ka is not None and not minus:  # the constant goes last; it has no effects to keep in order
            a, b, ka, kb = b, a, kb, ka
        if kb is not None:
            if minus:
                kb = -kb
            _add_constant(e, a, kb, m)
            return
        if ka is not None and ka != a.k:
            a = constant(ka)
        if e.loops:
            a, b = e.steady_pair(a, b)
        r = binary(a, "-", b, 4, a.lo - b.hi, a.hi - b.lo) if minus else binary(a, "+", b, 4, a.lo + b.lo, a.hi + b.hi)
        r.tz = min(a.tz, b.tz)
        r.m = m
        if not minus:
            r.sum = (a, b)
        e.push(r)

    return lower


def _add_constant(e: Emitter, a: V, k: int, m: int) -> None:
    if k == 0:
        e.stack.append(a)
        return
    lo, hi = a.lo + k, a.hi + k
    if a.loc >= 0 and a.add and not a.lo < 0:
        # local + c1 + c2; exact, because the inner sum is one
        total = a.add + k
        base = f"l{a.loc}"
        text = base if not total else f"{base}+{total}" if total > 0 else f"{base}-{-total}"
        r = V(text, 4 if total else 0, lo, hi, a.deps, a.cls, 1)
        r.loc, r.add = a.loc, total
    else:
        text = f"{paren(a, 4)}+{k}" if k > 0 else f"{paren(a, 4)}-{-k}"
        r = V(text, 4, lo, hi, a.deps, a.cls, a.d + 1)
        if a.loc >= 0 and not a.add:
            r.loc, r.add = a.loc, k
    r.tz = min(a.tz, (k & -k).bit_length() - 1)
    r.m = m
    r.sum = (a, constant(k))
    e.push(r)


def mul(m: int) -> Lowering:
    """`mul`."""

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if b.lo < -(m + 1) or b.hi > m:
            b = mask(b, m)
        if a.lo < -(m + 1) or a.hi > m:
            a = mask(a, m)
        kb = signed_constant(b, m)
        ka = signed_constant(a, m)
        if kb is not None and ka is not None:
            fold(e, ka * kb, m)
            return
        if kb is not None:
            b = constant(kb)
        if ka is not None:
            a = constant(ka)
        if e.loops:
            a, b = e.steady_pair(a, b)
        ends = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
        r = binary(a, "*", b, 3, min(ends), max(ends))
        r.tz = min(a.tz + b.tz, 63)
        r.m = m
        e.push(r)

    return lower


def div_u(m: int, op: str) -> Lowering:
    """`div_u` (`//`) and `rem_u` (`%`)."""

    def lower(e: Emitter, _: Any) -> None:
        b = e.exact(mask(e.stack.pop(), m))
        a = e.exact(mask(e.stack.pop(), m))
        r = binary(a, op, b, 3, 0, a.hi) if op == "//" else binary(a, op, b, 3, 0, max(0, min(a.hi, b.hi - 1)))
        if b.lo <= 0:
            r.cls = EFFECT
        e.push(r)

    return lower


def div_s(m: int, op: str) -> Lowering:
    """`div_s` (`//`) and `rem_s` (`%`), for numbers that are not negative without a call."""
    name = f"i{m.bit_length()}_{'div' if op == '//' else 'rem'}_s"
    half = m >> 1

    def lower(e: Emitter, _: Any) -> None:
        b = e.exact(mask(e.stack.pop(), m))
        a = e.exact(mask(e.stack.pop(), m))
        if a.hi <= half and b.hi <= half:
            r = binary(a, op, b, 3, 0, a.hi)
            if b.lo <= 0:
                r.cls = EFFECT
            e.push(r)
            return
        call(e, name, [a, b], PURE if b.k not in {None, 0, m} else EFFECT, m)

    return lower
