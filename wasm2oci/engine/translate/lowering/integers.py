"""The lowerings of integer instructions, by mnemonic: those of both widths are written once, with their mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.lowering.arithmetic import add, div_s, div_u, mul
from wasm2oci.engine.translate.lowering.bits import and_, count, or_xor, rot, shl, shr_s, shr_u
from wasm2oci.engine.translate.lowering.comparisons import PYTHON, equal, eqz, signed_order, unsigned_order
from wasm2oci.engine.translate.lowering.widths import extend, extend_s, extend_u, wrap
from wasm2oci.engine.translate.value import M32, M64, constant

if TYPE_CHECKING:
    from wasm2oci.engine.translate.emitter import Emitter
    from wasm2oci.engine.translate.lowering.operands import Lowering

__all__ = ["INTEGERS"]


def _constant(m: int) -> Lowering:
    def lower(e: Emitter, k: Any) -> None:
        e.stack.append(constant(k & m))

    return lower


def _rows() -> dict[str, Lowering]:
    rows: dict[str, Lowering] = {}
    for name, m in (("i32.", M32), ("i64.", M64)):
        rows[name + "const"] = _constant(m)
        rows[name + "add"] = add(m, minus=False)
        rows[name + "sub"] = add(m, minus=True)
        rows[name + "mul"] = mul(m)
        rows[name + "and"] = and_(m)
        rows[name + "or"] = or_xor(m, "|", 8)
        rows[name + "xor"] = or_xor(m, "^", 7)
        rows[name + "shl"] = shl(m)
        rows[name + "shr_u"] = shr_u(m)
        rows[name + "shr_s"] = shr_s(m)
        rows[name + "rotl"] = rot(m, left=True)
        rows[name + "rotr"] = rot(m, left=False)
        rows[name + "div_u"] = div_u(m, "//")
        rows[name + "rem_u"] = div_u(m, "%")
        rows[name + "div_s"] = div_s(m, "//")
        rows[name + "rem_s"] = div_s(m, "%")
        for text in ("clz", "ctz", "popcnt"):
            rows[name + text] = count(text, m)
        rows[name + "eqz"] = eqz(m)
        for text, relation in PYTHON.items():
            if text in {"eq", "ne"}:
                rows[name + text] = equal(relation, m)
            else:
                rows[f"{name}{text}_u"] = unsigned_order(relation, m)
                rows[f"{name}{text}_s"] = signed_order(relation, m)
        rows[name + "extend8_s"] = extend(8, m)
        rows[name + "extend16_s"] = extend(16, m)
    rows["i64.extend32_s"] = extend(32, M64)
    rows["i32.wrap_i64"] = wrap
    rows["i64.extend_i32_u"] = extend_u
    rows["i64.extend_i32_s"] = extend_s
    return rows


INTEGERS: Final = _rows()
"""Mnemonic to lowering."""
