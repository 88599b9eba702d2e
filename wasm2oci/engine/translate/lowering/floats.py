"""Lowerings of floating-point instructions.

An f64 is a Python float and CPython's `+ - *` are the guest's. An f32 is the double of equal value: results are
rounded by way of a one-element `float` view, `R` (twice as fast as any call), except where they are exact anyway.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.lowering.operands import call, signed
from wasm2oci.engine.translate.value import EFFECT, M32, M64, PURE, V, binary, boolean, mask, paren

__all__ = ["FLOATS"]

Lowering = Callable[[Emitter, Any], None]

SHORT: Final = 40
"""Expressions up to so many characters may be written twice."""


def _float(text: str, p: int, *parts: V) -> V:
    deps = cls = d = 0
    for part in parts:
        deps |= part.deps
        cls = max(cls, part.cls)
        d = max(d, part.d)
    return V(text, p, 1, 0, deps, cls, d + 1)


def _round(e: Emitter, v: V) -> None:
    """Pushes a double rounded to f32."""
    e.flush_for(v.cls)
    height = len(e.stack)
    slot = e.slot(height)
    e.flush_deps(slot.deps)
    e.line(f"R[0]={v.s};s{height}=R[0]")
    e.stack.append(slot)


def _constant(width: int) -> Lowering:
    def lower(e: Emitter, bits: Any) -> None:
        if width == 32:
            number = struct.unpack("<f", bits.to_bytes(4, "little"))[0]
        else:
            number = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
        if number != number:  # noqa: PLR0124 - a NaN, whose bits matter
            v = V(f"f{width}_reinterpret_i{width}({bits})", 0, 1, 0)
        elif number in {float("inf"), float("-inf")}:
            v = V("1e999" if number > 0 else "-1e999", 0 if number > 0 else 2, 1, 0)
            v.lit = True
        else:
            text = repr(number)
            v = V(text, 2 if text[0] == "-" else 0, 1, 0)
            v.lit = True
        e.stack.append(v)

    return lower


def _arithmetic(op: str, p: int, *, single: bool) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        if e.loops:
            a, b = e.steady_pair(a, b)
        v = binary(a, op, b, p)
        if single:
            _round(e, v)
        else:
            e.push(v)

    return lower


def _divide(*, single: bool) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        if e.stack[-1].lit and e.stack[-1].s not in {"0.0", "-0.0"}:
            b = e.stack.pop()
            v = binary(e.stack.pop(), "/", b, 3)
        else:
            b = e.hold()
            # Both uses of the dividend are guarded by the test.
            a = e.hold() if e.stack[-1].cls != PURE or len(e.stack[-1].s) > SHORT else e.stack.pop()
            v = _float(f"{paren(a, 3)}/{b.s} if {b.s} else f64_div({a.s},{b.s})", 13, a, b)
        if single:
            _round(e, v)
        else:
            e.push(v)

    return lower


def _compare(relation: str) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        text = f"{paren(a, 8)}{relation}{paren(b, 8)}"
        opposite = {"==": "!=", "!=": "=="}.get(relation)
        if opposite:
            e.push(boolean(text, 9, f"{paren(a, 8)}{opposite}{paren(b, 8)}", 9, a, b))
        else:
            e.push(boolean(text, 9, f"not {text}", 10, a, b))

    return lower


def _helper(name: str, count: int, cls: int = PURE, m: int = 0) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        arguments = [e.exact(v) for v in e.popn(count)]
        call(e, name, arguments, cls, m)

    return lower


def _neg(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    e.push(_float(f"-{paren(v, 2)}", 2, v))


def _square_root(*, single: bool) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        v = e.stack.pop()
        r = _float(f"f64_sqrt({v.s})", 0, v)
        if single:
            _round(e, r)
        else:
            e.push(r)

    return lower


def _convert(m: int, *, is_signed: bool, single: bool) -> Lowering:
    """Integer to float: exact for i32 to f64, else the helper rounds once."""

    def lower(e: Emitter, _: Any) -> None:
        v = e.stack.pop()
        if v.b:
            v = e.exact(v)
        if is_signed:
            if not (v.s.isidentifier() or (v.hi <= m >> 1 and v.lo >= -(m >> 1))):
                v = e.atom(mask(v, m), len(e.stack))
            number = signed(v, m)
        else:
            number = mask(v, m)
        if single and not (number.lo >= -(1 << 24) and number.hi <= 1 << 24):
            if m == M32:
                _round(e, _float(f"{paren(number, 3)}*1.0", 3, number))
            else:
                call(e, f"f32_convert_i64_{'s' if is_signed else 'u'}", [e.exact(mask(v, m))], PURE, 0)
            return
        if m == M64 and not (number.lo >= -(1 << 53) and number.hi <= 1 << 53):
            call(e, "float", [number], PURE, 0)
            return
        e.push(_float(f"{paren(number, 3)}*1.0", 3, number))

    return lower


def _rows() -> dict[str, Lowering]:
    rows: dict[str, Lowering] = {}
    for name, width in (("f32.", 32), ("f64.", 64)):
        single = width == 32
        rows[name + "const"] = _constant(width)
        rows[name + "add"] = _arithmetic("+", 4, single=single)
        rows[name + "sub"] = _arithmetic("-", 4, single=single)
        rows[name + "mul"] = _arithmetic("*", 3, single=single)
        rows[name + "div"] = _divide(single=single)
        for text, relation in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">=")):
            rows[name + text] = _compare(relation)
        for text in ("min", "max", "copysign"):
            rows[name + text] = _helper(f"f{width}_{text}", 2)
        for text in ("ceil", "floor", "trunc", "nearest"):
            rows[name + text] = _helper(f"f{width}_{text}", 1)
        rows[name + "abs"] = _helper(f"f{width}_abs", 1)
        rows[name + "neg"] = _neg
        rows[name + "sqrt"] = _square_root(single=single)
        for m, integer in ((M32, "i32"), (M64, "i64")):
            for sign in ("s", "u"):
                rows[f"{name}convert_{integer}_{sign}"] = _convert(m, is_signed=sign == "s", single=single)
                rows[f"{integer}.trunc_{name[:3]}_{sign}"] = _helper(f"{integer}_trunc_{name[:3]}_{sign}", 1, EFFECT, m)
                rows[f"{integer}.trunc_sat_{name[:3]}_{sign}"] = _helper(
                    f"{integer}_trunc_sat_{name[:3]}_{sign}", 1, PURE, m
                )
    rows["f32.demote_f64"] = _helper("f32_demote_f64", 1)
    rows["f64.promote_f32"] = _helper("f64_promote_f32", 1)
    rows["i32.reinterpret_f32"] = _helper("i32_reinterpret_f32", 1, PURE, M32)
    rows["i64.reinterpret_f64"] = _helper("i64_reinterpret_f64", 1, PURE, M64)
    rows["f32.reinterpret_i32"] = _helper("f32_reinterpret_i32", 1)
    rows["f64.reinterpret_i64"] = _helper("f64_reinterpret_i64", 1)
    return rows


FLOATS: Final = _rows()
"""Mnemonic to lowering."""
