"""What the lowerings of integers share: operands, constants, signs, and calls of helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.value import SMALL, V, constant, mask, paren

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.translate.emitter import Emitter

    Lowering = Callable[[Emitter, Any], None]

__all__ = ["LAZY", "call", "fold", "lazy", "operand", "signed", "signed_constant"]

LAZY: Final = 1 << 72
"""Operands that may be further out than this are masked before they are used in arithmetic."""


def operand(e: Emitter, m: int) -> V:
    """Pops an operand for arithmetic: lazy, but an int and not too large."""
    v = e.stack.pop()
    if v.hi > LAZY or v.lo < -LAZY:
        return mask(v, m)
    return v


def lazy(v: V, m: int) -> V:
    """An operand whose value counts modulo the width of mask `m`."""
    v.m = m
    return v


def signed_constant(v: V, m: int) -> int | None:
    """A constant as the smallest number with the same value modulo the width."""
    if v.k is None:
        return None
    k = v.k & m
    return k - m - 1 if k > m >> 1 else k


def fold(e: Emitter, k: int, m: int) -> None:
    """Pushes a constant."""
    e.stack.append(constant(k & m))


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
        test = f"{v.s}<={SMALL} or {v.s}<={half}"  # most are, and the test is cheap for numbers of one digit
        r = V(f"{v.s} if {test} else {v.s}-{m + 1}", 13, -half - 1, half, v.deps, v.cls, v.d + 1, v.tz)
    else:
        r = V(f"({paren(v, 7)}^{half + 1})-{half + 1}", 4, -half - 1, half, v.deps, v.cls, v.d + 2, v.tz)
    return r


def call(e: Emitter, name: str, arguments: list[V], cls: int, m: int) -> None:
    """Pushes a call of a helper whose result is an integer of mask `m`, or no integer (0)."""
    deps = d = 0
    for v in arguments:
        deps |= v.deps
        cls = max(cls, v.cls)
        d = max(d, v.d)
    text = f"{name}({','.join(v.s for v in arguments)})"
    e.push(V(text, 0, 0, m, deps, cls, d + 1) if m else V(text, 0, 1, 0, deps, cls, d + 1))
