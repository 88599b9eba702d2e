"""Lowerings of vector instructions: the frequent ones written out, all others calls of the runtime's functions.

A v128 is one unsigned int of 128 bits, lane 0 lowest. Adding lanes at once keeps carries from crossing them by adding
without the top bits and putting those in with an exclusive or.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.opcodes import ADDRESS, OPCODES, Immediate
from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.lowering.operands import call
from wasm2oci.engine.translate.ranges import type_mask
from wasm2oci.engine.translate.value import M32, M64, PURE, READ, V, binary, constant, mask, paren

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.opcodes import Opcode

__all__ = ["VECTORS"]

Lowering = Callable[[Emitter, Any], None]

ALL: Final = (1 << 128) - 1
_LANES: Final = {"i8x16": 8, "i16x8": 16, "i32x4": 32, "i64x2": 64}


def _tops(bits: int) -> int:
    return sum(1 << i + bits - 1 for i in range(0, 128, bits))


def _const(e: Emitter, imm: Any) -> None:
    k = constant(int.from_bytes(imm[0], "little"))
    k.tz = 0
    e.stack.append(k)


def _bitwise(op: str, p: int) -> Lowering:
    def lower(e: Emitter, _: Any) -> None:
        b = e.stack.pop()
        a = e.stack.pop()
        e.push(binary(a, op, b, p, 0, ALL))

    return lower


def _not(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    e.push(V(f"{paren(v, 7)}^{ALL}", 7, 0, ALL, v.deps, v.cls, v.d + 1))


def _andnot(e: Emitter, _: Any) -> None:
    b = e.stack.pop()
    a = e.stack.pop()
    r = binary(a, "&", V(f"~{paren(b, 2)}", 2, 0, ALL, b.deps, b.cls, b.d + 1), 6, 0, ALL)
    e.push(r)


def _any_true(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    text = paren(v, 8)
    r = V(f"{text}!=0", 9, 0, 1, v.deps, v.cls, v.d + 1)
    r.b = True
    r.n, r.np = f"{text}==0", 9
    e.push(r)


def _add(bits: int) -> Lowering:
    tops = _tops(bits)
    rest = ALL ^ tops

    def lower(e: Emitter, _: Any) -> None:
        b = e.hold()
        a = e.hold()
        # a was below b: were b's slot written since, it would have been moved; holding a writes its own slot only
        text = f"(({a.s}&{rest})+({b.s}&{rest}))^(({a.s}^{b.s})&{tops})"
        e.push(V(text, 7, 0, ALL, a.deps | b.deps, PURE, max(a.d, b.d) + 3))

    return lower


def _sub(bits: int) -> Lowering:
    tops = _tops(bits)
    rest = ALL ^ tops

    def lower(e: Emitter, _: Any) -> None:
        b = e.hold()
        a = e.hold()
        text = f"(({a.s}|{tops})-({b.s}&{rest}))^(~({a.s}^{b.s})&{tops})"
        e.push(V(text, 7, 0, ALL, a.deps | b.deps, PURE, max(a.d, b.d) + 3))

    return lower


def _extract(bits: int, m: int, *, sign: bool) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        v = e.stack.pop()
        shift = imm[0] * bits
        lane = (1 << bits) - 1
        text = f"{paren(v, 5)}>>{shift}" if shift else v.s
        text = text if shift + bits == 128 else f"{paren(v, 5)}>>{shift}&{lane}" if shift else f"{paren(v, 6)}&{lane}"
        if sign and bits < 32:
            half = 1 << (bits - 1)
            r = V(f"(({text})^{half})-{half}", 4, -half, half - 1, v.deps, v.cls, v.d + 3)
            r.m = m
        else:
            r = V(text, 6 if shift + bits != 128 else 5, 0, lane, v.deps, v.cls, v.d + 2)
        e.push(r)

    return lower


def _splat(bits: int) -> Lowering:
    ones = sum(1 << i for i in range(0, 128, bits))

    def lower(e: Emitter, _: Any) -> None:
        v = mask(e.stack.pop(), (1 << bits) - 1)
        e.push(V(f"{paren(v, 3)}*{ones}", 3, 0, ALL, v.deps, v.cls, v.d + 1))

    return lower


def _address_mask(e: Emitter, memory: int) -> int:
    return M64 if e.module.mems[memory].limits.is64 else M32


def _helper(row: Opcode) -> Lowering:
    """A call of the runtime's function: memory and address, operands, then immediates."""
    name = row.mnemonic.replace(".", "_")
    params = row.params or ()
    results = row.results or ()
    touches = Immediate.MEMARG in row.immediates

    def lower(e: Emitter, imm: Any) -> None:
        values = e.popn(len(params))
        arguments: list[V] = []
        immediates = imm if isinstance(imm, tuple) else ()
        memory = 0
        if touches:
            # A lane follows the memarg as a second immediate; alone it is the immediate.
            (offset, memory), lanes = (imm[0], imm[1:]) if isinstance(imm[0], tuple) else (imm, ())
            immediates = lanes
            m = _address_mask(e, memory)
            address = e.exact(mask(values[0], m))
            if offset:
                address = binary(address, "+", constant(offset), 4, 0, m + offset)
            arguments += [V(f"M{memory}", 0, 1, 0), address]
            values = values[1:]
        for v, type_ in zip(values, params[1:] if touches else params, strict=True):
            m = type_mask(type_) if type_ != ADDRESS else _address_mask(e, memory)
            arguments.append(e.exact(mask(v, m)) if m else v)
        arguments += [V(repr(i), 0, 1, 0) for i in immediates]
        if not results:
            e.statement(f"{name}({','.join(v.s for v in arguments)})")
        elif len(results) == 1:
            call(e, name, arguments, READ if touches else PURE, type_mask(results[0]))
        else:
            raise AssertionError(f"{row.mnemonic} has several results")

    return lower


def _rows() -> dict[str, Lowering]:
    rows: dict[str, Lowering] = {}
    for row in OPCODES.values():
        if row.code >> 16 == 0xFD and row.params is not None:
            rows[row.mnemonic] = _helper(row)
    rows["v128.const"] = _const
    rows["v128.and"] = _bitwise("&", 6)
    rows["v128.or"] = _bitwise("|", 8)
    rows["v128.xor"] = _bitwise("^", 7)
    rows["v128.not"] = _not
    rows["v128.andnot"] = _andnot
    rows["v128.any_true"] = _any_true
    for shape, bits in _LANES.items():
        m = M64 if bits == 64 else M32
        rows[f"{shape}.add"] = _add(bits)
        rows[f"{shape}.sub"] = _sub(bits)
        rows[f"{shape}.splat"] = _splat(bits)
        if bits < 32:
            rows[f"{shape}.extract_lane_s"] = _extract(bits, m, sign=True)
            rows[f"{shape}.extract_lane_u"] = _extract(bits, m, sign=False)
        else:
            rows[f"{shape}.extract_lane"] = _extract(bits, m, sign=False)
    return rows


VECTORS: Final = _rows()
"""Mnemonic to lowering."""
