"""Lowerings of integer instructions.

Arithmetic stays lazy: sums, products and the like are written without masks, and ranges say whether the result needs
one. Comparing signed numbers held unsigned is a range test where one side is known not to be negative.
"""

from collections.abc import Callable
from typing import Any, Final

from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.ranges import TWICE
from wasm2oci.engine.translate.value import (
    EFFECT,
    M32,
    M64,
    PURE,
    SMALL,
    V,
    binary,
    boolean,
    constant,
    mask,
    negated,
    paren,
    truth,
)

__all__ = ["INTEGERS", "signed"]

Lowering = Callable[[Emitter, Any], None]

LAZY: Final = 1 << 72
"""Operands that may be further out than this are masked before they are used in arithmetic."""


def _operand(e: Emitter, m: int) -> V:
    """Pops an operand for arithmetic: lazy, but an int and not too large."""
    v = e.stack.pop()
    if v.hi > LAZY or v.lo < -LAZY:
        return mask(v, m)
    return v


def _lazy(v: V, m: int) -> V:
    v.m = m
    return v


def _signed_constant(v: V, m: int) -> int | None:
    """A constant as the smallest number with the same value modulo the width."""
    if v.k is None:
        return None
    k = v.k & m
    return k - m - 1 if k > m >> 1 else k


def _fold(e: Emitter, k: int, m: int) -> None:
    e.stack.append(constant(k & m))


def _bool(v: V) -> V:
    """A condition as a value: what merely counts as true, such as an integer that is not zero, is no bool."""
    if 9 <= v.p <= 12 or v.p == v.np == 13:
        return v
    r = boolean(f"{paren(v, 8)}!=0", 9, f"not {paren(v, 9)}", 10, v)
    r.cmp = v.cmp
    return r


def _add(m: int, *, minus: bool) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = _operand(e, m)
        a = _operand(e, m)
        kb = _signed_constant(b, m)
        ka = _signed_constant(a, m)
        if kb is not None and ka is not None:
            _fold(e, ka - kb if minus else ka + kb, m)
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


def _mul(m: int) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if b.lo < -(m + 1) or b.hi > m:
            b = mask(b, m)
        if a.lo < -(m + 1) or a.hi > m:
            a = mask(a, m)
        kb = _signed_constant(b, m)
        ka = _signed_constant(a, m)
        if kb is not None and ka is not None:
            _fold(e, ka * kb, m)
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


def _and(m: int) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if a.k is not None and b.k is not None:
            _fold(e, a.k & b.k, m)
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


def _or_xor(m: int, op: str, p: int) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = _operand(e, m)
        a = _operand(e, m)
        if a.k is not None and b.k is not None:
            _fold(e, a.k | b.k if op == "|" else a.k ^ b.k, m)
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


def _shl(m: int) -> Lowering:
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
            _fold(e, a.k << k, m)
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


def _shr_u(m: int) -> Lowering:
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
            _fold(e, a.k >> k, m)
            return
        if k == 0:
            e.stack.append(a)
            return
        e.push(V(f"{paren(a, 5)}>>{k}", 5, a.lo >> k, a.hi >> k, a.deps, a.cls, a.d + 1, max(0, a.tz - k)))

    return lower


def signed(v: V, m: int) -> V:
    """An operand as a signed number; `v` was popped from the top of the stack."""
    half = m >> 1
    if v.lo >= -half - 1 and v.hi <= half:
        return v
    if v.k is not None:
        k = v.k & m
        return constant(k - m - 1 if k > half else k)
    v = mask(v, m)
    if v.s.isidentifier():
        test = f"{v.s}<={SMALL} or {v.s}<={half}"  # most are, and in one digit that is soon told
        r = V(f"{v.s} if {test} else {v.s}-{m + 1}", 13, -half - 1, half, v.deps, v.cls, v.d + 1, v.tz)
    else:
        r = V(f"({paren(v, 7)}^{half + 1})-{half + 1}", 4, -half - 1, half, v.deps, v.cls, v.d + 2, v.tz)
    return r


def _shr_s(m: int) -> Lowering:
    width = m.bit_length()

    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        amount = _amount(b, width) if b.k is None else constant(b.k & (width - 1))
        if a.shl is not None and amount.k == a.shl[1] and amount.k in {24, 16, 32, 48, 56}:
            _extend_value(e, a.shl[0], width - amount.k, m)  # the idiom for sign extension
            return
        a = signed(a, m)
        low = amount.k or 0
        r = binary(a, ">>", amount, 5, a.lo >> low if a.lo < 0 else 0, max(0, a.hi >> low))
        r.m = m
        e.push(r)

    return lower


def _extend_value(e: Emitter, a: V, bits: int, m: int) -> None:
    """Sign-extends the low `bits` of an operand."""
    half = 1 << (bits - 1)
    if a.lo >= -half and a.hi < half:
        e.push(_lazy(a, m))
        return
    if a.lo >= 0 and a.hi < 2 * half:
        inner = a
    else:
        inner = V(f"{paren(a, 6)}&{2 * half - 1}", 6, 0, 2 * half - 1, a.deps, a.cls, a.d + 1)
    if inner.s.isidentifier():
        text, p = f"{inner.s} if {inner.s}<{half} else {inner.s}-{2 * half}", 13
    else:
        text, p = f"({paren(inner, 7)}^{half})-{half}", 4
    r = V(text, p, -half, half - 1, a.deps, a.cls, a.d + 2)
    r.m = m
    e.push(r)


def _extend(bits: int, m: int) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        _extend_value(e, e.stack.pop(), bits, m)

    return lower


def _wrap(e: Emitter, _: Any) -> None:
    v = e.stack[-1]
    if v.k is not None:
        e.stack[-1] = constant(v.k & M32)
    elif v.hi > M32 or v.lo < 0:
        r = V(v.s, v.p, v.lo, v.hi, v.deps, v.cls, v.d, v.tz)
        r.m = M32
        if v.lo < -LAZY or v.hi > LAZY:
            r = mask(r, M32)
        e.stack[-1] = r


def _extend_u(e: Emitter, _: Any) -> None:
    v = e.stack[-1]
    if v.b:
        e.stack[-1] = V(v.s, v.p, 0, 1, v.deps, v.cls, v.d)
        e.stack[-1] = e.exact(v)
    else:
        e.stack[-1] = mask(v, M32)


def _rot(m: int, *, left: bool) -> Lowering:
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
            _fold(e, a.k << k | a.k >> (width - k), m)
            return
        r = V(f"{a.s}<<{k}|{a.s}>>{width - k}", 8, 0, (m + 1 << k) - 1, a.deps, a.cls, a.d + 2)
        r.m = m
        e.push(r if r.hi <= LAZY else mask(r, m))

    return lower


def call(e: Emitter, name: str, arguments: list[V], cls: int, m: int) -> None:
    """Pushes a call of a helper whose result is an integer of mask `m`, or no integer (0)."""
    deps = d = 0
    for v in arguments:
        deps |= v.deps
        cls = max(cls, v.cls)
        d = max(d, v.d)
    text = f"{name}({','.join(v.s for v in arguments)})"
    e.push(V(text, 0, 0, m, deps, cls, d + 1) if m else V(text, 0, 1, 0, deps, cls, d + 1))


# --- division: Python's own trap on zero, mapped when it leaves the guest --------------------------------------------


def _div_u(m: int, op: str) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = e.exact(mask(e.stack.pop(), m))
        a = e.exact(mask(e.stack.pop(), m))
        r = binary(a, op, b, 3, 0, a.hi) if op == "//" else binary(a, op, b, 3, 0, max(0, min(a.hi, b.hi - 1)))
        if b.lo <= 0:
            r.cls = EFFECT
        e.push(r)

    return lower


def _div_s(m: int, op: str) -> Lowering:
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


def _count(text: str, m: int) -> Lowering:
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


# --- comparisons -------------------------------------------------------------------------------------------

_PYTHON: Final = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _compare(relation: str, a: V, b: V) -> V:
    """A comparison of operands whose Python values compare as the guest's do."""
    left, right = paren(a, 8), paren(b, 8)
    opposite = _OPPOSITE[relation]
    r = boolean(f"{left}{relation}{right}", 9, f"{left}{opposite}{right}", 9, a, b)
    r.cmp = (relation, a, b)
    return r


def _eqz(m: int) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        v = e.stack.pop()
        if v.k is not None:
            e.stack.append(constant(int(not v.k & m)))
        else:
            e.push(_bool(negated(truth(v, m))))

    return lower


def _equal(relation: str, m: int) -> Lowering:
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


def _unsigned(relation: str, m: int) -> Lowering:
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
    """`low < a <= half` (or `<=`), where `a` is a name: numbers of one digit, the common case, are told first."""
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


def _signed(relation: str, m: int) -> Lowering:
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
        small = f"{a.s}<={SMALL} and {b.s}<={SMALL}"  # most are, and in one digit that is soon told
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


def _constant(m: int) -> Lowering:
    def lower(e: Emitter, k: Any) -> None:
        e.stack.append(constant(k & m))

    return lower


def _extend_s(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    if v.k is not None:
        k = v.k & M32
        e.stack.append(constant(k if k < 1 << 31 else k + (M64 - M32)))
        return
    r = signed(v, M32)
    if r is v:
        r = V(v.s, v.p, v.lo, v.hi, v.deps, v.cls, v.d, v.tz)
        if v.b:
            r = e.exact(v)
    r.m = M64
    e.push(r)


def _rows() -> dict[str, Lowering]:
    rows: dict[str, Lowering] = {}
    for name, m in (("i32.", M32), ("i64.", M64)):
        rows[name + "const"] = _constant(m)
        rows[name + "add"] = _add(m, minus=False)
        rows[name + "sub"] = _add(m, minus=True)
        rows[name + "mul"] = _mul(m)
        rows[name + "and"] = _and(m)
        rows[name + "or"] = _or_xor(m, "|", 8)
        rows[name + "xor"] = _or_xor(m, "^", 7)
        rows[name + "shl"] = _shl(m)
        rows[name + "shr_u"] = _shr_u(m)
        rows[name + "shr_s"] = _shr_s(m)
        rows[name + "rotl"] = _rot(m, left=True)
        rows[name + "rotr"] = _rot(m, left=False)
        rows[name + "div_u"] = _div_u(m, "//")
        rows[name + "rem_u"] = _div_u(m, "%")
        rows[name + "div_s"] = _div_s(m, "//")
        rows[name + "rem_s"] = _div_s(m, "%")
        for text in ("clz", "ctz", "popcnt"):
            rows[name + text] = _count(text, m)
        rows[name + "eqz"] = _eqz(m)
        for text, relation in _PYTHON.items():
            if text in {"eq", "ne"}:
                rows[name + text] = _equal(relation, m)
            else:
                rows[f"{name}{text}_u"] = _unsigned(relation, m)
                rows[f"{name}{text}_s"] = _signed(relation, m)
        rows[name + "extend8_s"] = _extend(8, m)
        rows[name + "extend16_s"] = _extend(16, m)
    rows["i64.extend32_s"] = _extend(32, M64)
    rows["i32.wrap_i64"] = _wrap
    rows["i64.extend_i32_u"] = _extend_u
    rows["i64.extend_i32_s"] = _extend_s
    return rows


INTEGERS: Final = _rows()
"""Mnemonic to lowering."""
