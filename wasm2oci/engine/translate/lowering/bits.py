"""Lowerings of what works on bits: logic, shifts, rotations and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.translate.lowering.operands import LAZY, call, fold, operand, signed
from wasm2oci.engine.translate.lowering.widths import extend_value
from wasm2oci.engine.translate.ranges import TWICE
from wasm2oci.engine.translate.value import M32, PURE, V, binary, boolean, constant, mask, paren

if TYPE_CHECKING:
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.lowering.operands import Lowering

__all__ = ["and_", "count", "or_xor", "rot", "shl", "shr_s", "shr_u"]


def and_(m: int) -> Lowering:
    """`and`."""

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if a.k is not None and b.k is not None:
            fold(e, a.k & b.k, m)
            return
        if a.b and b.b:
            if b.cls == PURE and m == M32:
                both = boolean(f"{paren(a, 11)} and {paren(b, 10)}", 11, "", 0, a, b)
                e.push(both)
            else:
                r = boolean(f"{paren(a, 6)}&{paren(b, 5)}", 6, "", 0, a, b)
                e.push(r)
            return
        if b.k is not None and a.lo >= 0 and b.k + 1 & b.k == 0 and a.hi <= b.k and a.hi <= m:
            e.stack.append(a)  # a mask that takes nothing away
            return
        ac, bc = a.lo >= 0 and a.hi <= m, b.lo >= 0 and b.hi <= m
        if not ac and not bc:
            b = mask(b, m)
            bc = True
        hi = min(a.hi if ac else m, b.hi if bc else m)
        if e.loops:
            a, b = e.steady_pair(a, b)
        r = binary(a, "&", b, 6, 0, hi)
        r.tz = max(a.tz, b.tz)
        r.conj = (a, b)
        e.push(r)

    return lower


def or_xor(m: int, op: str, p: int) -> Lowering:
    """`or` (`|`) and `xor` (`^`); `p` is the operator's precedence."""

    def lower(e: Emitter, _: Any) -> None:
        b = operand(e, m)
        a = operand(e, m)
        if a.k is not None and b.k is not None:
            fold(e, a.k | b.k if op == "|" else a.k ^ b.k, m)
            return
        if op == "^" and b.k == m:
            a = e.exact(a) if a.b else a
            r = V(f"~{paren(a, 2)}", 2, -a.hi - 1, -a.lo - 1, a.deps, a.cls, a.d + 1)
            r.m = m
            e.push(r)
            return
        if b.k == 0:
            e.stack.append(a)
            return
        if a.k == 0:
            e.stack.append(b)
            return
        if a.b and b.b and m == M32:
            if op == "|" and b.cls == PURE:
                r = boolean(f"{paren(a, 12)} or {paren(b, 11)}", 12, "", 0, a, b)
            else:
                r = boolean(f"{paren(a, p)}{op}{paren(b, p - 1)}", p, "", 0, a, b)
            e.push(r)
            return
        if a.conj is not None and b.conj is not None and (merged := _merged(a.conj, b.conj)) is not None:
            e.push(merged)
            return
        if e.loops:
            a, b = e.steady_pair(a, b)
        bits = max(a.hi, b.hi, -1 - a.lo, -1 - b.lo, 0).bit_length()
        lo = 0 if a.lo >= 0 and b.lo >= 0 else -(1 << bits)
        r = binary(a, op, b, p, lo, (1 << bits) - 1)
        r.tz = min(a.tz, b.tz)
        r.m = m
        e.push(r)

    return lower


def _merged(a: tuple[V, V], b: tuple[V, V]) -> V | None:
    """`x&y | ~x&z`, bits of one number where a mask has ones and of another where it has none: `z^x&(y^z)`."""
    for one, other in ((a, b), (b, a)):
        for x, y in (one, one[::-1]):
            for inverse, z in (other, other[::-1]):
                if inverse.s != f"~{x.s}" or not x.s.isidentifier() or not z.s.isidentifier():
                    continue
                if x.lo < 0 or y.lo < 0 or z.lo < 0 or x.cls or y.cls or z.cls:
                    continue
                difference = binary(y, "^", z, 7)
                return binary(z, "^", binary(x, "&", difference, 6), 7, 0, (1 << max(x.hi, z.hi).bit_length()) - 1)
    return None


def shl(m: int) -> Lowering:
    """`shl`."""
    width = m.bit_length()

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if b.k is None:
            a = mask(a, m)
            b = _amount(b, width)
            most = min(b.hi, width - 1)
            r = binary(a, "<<", b, 5, 0, a.hi << most)
            r.m = m
            e.push(r if r.hi <= LAZY else mask(r, m))
            return
        k = b.k & (width - 1)
        if a.k is not None:
            fold(e, a.k << k, m)
            return
        if k == 0:
            e.stack.append(a)
            return
        if a.hi << k > LAZY or a.lo < 0:
            a = V(f"{paren(a, 6)}&{m >> k}", 6, 0, min(m >> k, a.hi if a.lo >= 0 else m), a.deps, a.cls, a.d + 1, a.tz)
        r = V(f"{paren(a, 5)}<<{k}", 5, a.lo << k, a.hi << k, a.deps, a.cls, a.d + 1, min(63, a.tz + k))
        r.shl = (a, k)
        r.m = m
        e.push(r)

    return lower


def _amount(b: V, width: int) -> V:
    """A shift amount, modulo the width."""
    if b.lo >= 0 and b.hi < width:
        return b
    return V(f"{paren(b, 6)}&{width - 1}", 6, 0, width - 1, b.deps, b.cls, b.d + 1)


def shr_u(m: int) -> Lowering:
    """`shr_u`."""
    width = m.bit_length()

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = mask(e.stack.pop(), m)
        if b.k is None:
            b = _amount(b, width)
            e.push(binary(a, ">>", b, 5, 0, a.hi))
            return
        k = b.k & (width - 1)
        if a.k is not None:
            fold(e, a.k >> k, m)
            return
        if k == 0:
            e.stack.append(a)
            return
        e.push(V(f"{paren(a, 5)}>>{k}", 5, a.lo >> k, a.hi >> k, a.deps, a.cls, a.d + 1, max(0, a.tz - k)))

    return lower


def shr_s(m: int) -> Lowering:
    """`shr_s`."""
    width = m.bit_length()

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        amount = _amount(b, width) if b.k is None else constant(b.k & (width - 1))
        if a.shl is not None and amount.k == a.shl[1] and amount.k in {24, 16, 32, 48, 56}:
            extend_value(e, a.shl[0], width - amount.k, m)  # the idiom for sign extension
            return
        a = signed(a, m)
        low = amount.k or 0
        r = binary(a, ">>", amount, 5, a.lo >> low if a.lo < 0 else 0, max(0, a.hi >> low))
        r.m = m
        e.push(r)

    return lower


def rot(m: int, *, left: bool) -> Lowering:
    """`rotl` and `rotr`."""
    width = m.bit_length()
    name = f"i{width}_rot{'l' if left else 'r'}"

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = mask(e.stack.pop(), m)
        if b.k is None:
            call(e, name, [a, e.exact(mask(b, m))], PURE, m)
            return
        k = (b.k if left else -b.k) & (width - 1)
        if k == 0:
            e.stack.append(a)
            return
        if a.loc >= 0 and not a.add and m == M32 and (e.derived(TWICE, a.loc) or e.rotates_again(a.loc)):
            # Two copies side by side: every rotation of it is one shift.
            if not e.derived(TWICE, a.loc):
                e.derive(TWICE, a.loc, f"d{a.loc}={a.s}*4294967297")
            r = V(f"d{a.loc}>>{width - k}", 5, 0, (1 << width + k) - 1, a.deps, PURE, 1)
            r.m = m
            e.push(r)
            return
        a = e.atom(a, len(e.stack))
        if a.k is not None:
            fold(e, a.k << k | a.k >> (width - k), m)
            return
        r = V(f"{a.s}<<{k}|{a.s}>>{width - k}", 8, 0, (m + 1 << k) - 1, a.deps, a.cls, a.d + 2)
        r.m = m
        e.push(r if r.hi <= LAZY else mask(r, m))

    return lower


def count(text: str, m: int) -> Lowering:
    """`clz`, `ctz` and `popcnt`, by that name."""
    width = m.bit_length()

    def lower(e: Emitter, _: Any) -> None:
        v = e.exact(mask(e.stack.pop(), m))
        if text == "clz":
            e.push(V(f"{width}-{paren(v, 0)}.bit_length()", 4, 0, width, v.deps, v.cls, v.d + 1))
        elif text == "popcnt":
            e.push(V(f"{paren(v, 0)}.bit_count()", 0, 0, width, v.deps, v.cls, v.d + 1))
        else:
            v = e.atom(v, len(e.stack))
            e.push(V(f"({v.s}&-{v.s}).bit_length()-1 if {v.s} else {width}", 13, 0, width, v.deps, v.cls, v.d + 2))

    def lower_constant(e: Emitter, imm: Any) -> None:
        v = e.stack[-1]
        if v.k is None:
            lower(e, imm)
            return
        k = v.k & m
        results = {"clz": width - k.bit_length(), "popcnt": k.bit_count()}
        e.stack[-1] = constant(results.get(text, (k & -k).bit_length() - 1 if k else width))

    return lower_constant
