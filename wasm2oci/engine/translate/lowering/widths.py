"""Lowerings of what changes the width of an integer: sign extension, wrapping, extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.translate.lowering.operands import LAZY, lazy, signed
from wasm2oci.engine.translate.value import M32, M64, V, constant, mask, paren

if TYPE_CHECKING:
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.lowering.operands import Lowering

__all__ = ["extend", "extend_s", "extend_u", "extend_value", "wrap"]


def extend_value(e: Emitter, a: V, bits: int, m: int) -> None:
    """Sign-extends the low `bits` of an operand."""
    half = 1 << (bits - 1)
    if a.lo >= -half and a.hi < half:
        e.push(lazy(a, m))
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


def extend(bits: int, m: int) -> Lowering:
    """`extend8_s`, `extend16_s` and `extend32_s`."""

    def lower(e: Emitter, _: Any) -> None:
        extend_value(e, e.stack.pop(), bits, m)

    return lower


def wrap(e: Emitter, _: Any) -> None:
    """`i32.wrap_i64`."""
    v = e.stack[-1]
    if v.k is not None:
        e.stack[-1] = constant(v.k & M32)
    elif v.hi > M32 or v.lo < 0:
        r = V(v.s, v.p, v.lo, v.hi, v.deps, v.cls, v.d, v.tz)
        r.m = M32
        if v.lo < -LAZY or v.hi > LAZY:
            r = mask(r, M32)
        e.stack[-1] = r


def extend_u(e: Emitter, _: Any) -> None:
    """`i64.extend_i32_u`."""
    v = e.stack[-1]
    if v.b:
        e.stack[-1] = V(v.s, v.p, 0, 1, v.deps, v.cls, v.d)
        e.stack[-1] = e.exact(v)
    else:
        e.stack[-1] = mask(v, M32)


def extend_s(e: Emitter, _: Any) -> None:
    """`i64.extend_i32_s`."""
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
