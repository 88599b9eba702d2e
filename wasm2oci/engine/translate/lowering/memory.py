"""Lowerings of loads, stores and bulk instructions on memories.

Words go through cast views when the address is a multiple of their size, which is proven where possible and tested
where not; other addresses go through `struct`. An index never becomes negative, so reaching outside raises
`IndexError` or `struct.error`, which are the trap when they leave the guest. 32-bit memories are never larger than
2 GiB, so an address that was used once is known to be below 2**31.

Names: `B0` the bytes of memory 0, `H0 I0 Q0` words of 2, 4, 8 bytes, `b0 h0 i0` signed, `F0 D0` floats, `M0` the
memory itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.lowering.operands import call
from wasm2oci.engine.translate.ranges import LOW2, LOW4, LOW8
from wasm2oci.engine.translate.value import EFFECT, M32, M64, PURE, READ, V, mask, paren

__all__ = ["MEMORY", "canonical", "effective_address", "statement_call"]

Lowering = Callable[[Emitter, Any], None]

_VIEWS: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
_SIGNED: Final = {1: "b", 2: "h", 4: "i"}
_WHOLE: Final = {M32: M32, M64: M64}
_LOG2: Final = {1: 0, 2: 1, 4: 2, 8: 3}
CEILING: Final = 1 << 31
"""No 32-bit memory is larger."""


def _address_mask(e: Emitter, memory: int) -> int:
    return M64 if e.module.mems[memory].limits.is64 else M32


def _address(e: Emitter, v: V, memory: int) -> V:
    """An operand as an address."""
    m = _address_mask(e, memory)
    if v.b:
        return e.exact(v)
    if v.sum is not None and (v.hi > m or v.lo < 0):
        r = mask(v, m)
        r.sum = v.sum  # should the address be divided, so can the terms be
        return r
    if v.shl is not None and v.hi > m:
        inner, k = v.shl  # x << k, masked before the shift rather than after it
        if k < m.bit_length():
            inner = V(f"{paren(inner, 6)}&{m >> k}", 6, 0, m >> k, inner.deps, inner.cls, inner.d + 1)
            r = V(f"({inner.s})<<{k}", 5, 0, (m >> k) << k, v.deps, v.cls, v.d + 1, v.tz)
            r.shl = (inner, k)
            return r
    return mask(v, m)


def _learn(e: Emitter, v: V, memory: int, offset: int, size: int) -> None:
    """After an access: the address lay inside the memory."""
    if v.loc >= 0 and _address_mask(e, memory) == M32:
        e.restrict(v, v.lo, CEILING - offset - size)


def _sum(v: V, offset: int) -> str:
    """Address plus offset, as an expression of precedence 4."""
    if not offset:
        return v.s
    if v.k is not None:
        return str(v.k + offset)
    if v.loc >= 0 and v.add:
        total = v.add + offset
        return f"l{v.loc}+{total}" if total > 0 else f"l{v.loc}-{-total}" if total else f"l{v.loc}"
    return f"{paren(v, 4)}+{offset}"


def effective_address(e: Emitter, v: V, memory: int, offset: int) -> V:
    """An address plus the offset of the instruction, as an argument of a call: not wrapped around."""
    v = _address(e, v, memory)
    return V(_sum(v, offset), 4, 0, 1 << 65, v.deps, v.cls, v.d + 1)


def _element(e: Emitter, view: str, v: V, offset: int, size: int, memory: int) -> str:  # noqa: PLR0917 - as V's
    """An element of a view at an address known to be aligned."""
    shift = _LOG2[size]
    if not shift:
        return f"{view}{memory}[{_sum(v, offset)}]"
    if v.k is not None:
        return f"{view}{memory}[{v.k + offset >> shift}]"
    if v.shl is not None and v.shl[1] >= shift:
        inner, k = v.shl
        text = paren(inner, 5) + f"<<{k - shift}" if k > shift else inner.s
        p = 5 if k > shift else inner.p
        if offset >> shift:
            text = (f"({text})" if p > 4 else text) + f"+{offset >> shift}"
        return f"{view}{memory}[{text}]"
    if v.sum is not None and v.tz >= shift and not offset & (size - 1) and v.p == 6:
        m = _WHOLE[v.hi]
        text = f"{_divided(e, v.sum[0], shift, m)}+{_divided(e, v.sum[1], shift, m)}&{m >> shift}"
        if offset:
            text = f"({text})+{offset >> shift}"
        return f"{view}{memory}[{text}]"
    text = _sum(v, offset)
    # + binds tighter than >>, so a sum needs no parentheses
    return f"{view}{memory}[{text if offset else paren(v, 5)}>>{shift}]"


def _divided(e: Emitter, v: V, shift: int, m: int) -> str:
    """A term of an aligned sum, divided; modulo the mask's width less the shift, as a term of a sum."""
    if v.k is not None:
        return str(v.k >> shift) if v.k >= 0 else f"({v.k >> shift})"
    if v.shl is not None and v.shl[1] >= shift:
        inner, k = v.shl
        if k == shift:
            return paren(e.steady(inner), 4)
        return paren(e.steady(V(f"{paren(inner, 5)}<<{k - shift}", 5, 0, 0, inner.deps, inner.cls, inner.d + 1)), 4)
    if v.sum is not None and v.tz >= shift:
        return f"{_divided(e, v.sum[0], shift, m)}+{_divided(e, v.sum[1], shift, m)}"
    v = mask(v, m)
    return paren(e.steady(V(f"{paren(v, 5)}>>{shift}", 5, 0, 0, v.deps, v.cls, v.d + 1)), 4)


def _aligned(v: V, offset: int, size: int) -> bool:
    shift = _LOG2[size]
    return not offset & (size - 1) and v.tz >= shift if v.k is None else not (v.k + offset) & (size - 1)


_LOW: Final = {2: LOW2, 4: LOW4, 8: LOW8}


def _tested(e: Emitter, v: V, offset: int, size: int) -> tuple[V, str]:
    """An address whose alignment is unknown, as something to write twice, and the test that it is not aligned."""
    if v.loc >= 0 and not v.add & (size - 1) and not offset & (size - 1):
        # The local decides; the test is kept for the next access through it.
        name = f"n{v.loc}_{size}"
        if not e.derived(_LOW[size], v.loc):
            if not e.read_again(v.loc):
                return v, f"l{v.loc}&{size - 1}"
            e.derive(_LOW[size], v.loc, f"{name}=l{v.loc}&{size - 1}")
        return v, name
    v = e.atom(v, len(e.stack))
    return v, f"{_sum(v, offset & (size - 1))}&{size - 1}"


def _load(size: int, m: int, *, is_signed: bool = False) -> Lowering:
    view = _SIGNED[size] if is_signed else _VIEWS[size]
    most = (1 << 8 * size) - 1
    half = most >> 1
    unpack = f"unpack_{view}"

    def lower(e: Emitter, imm: Any) -> None:
        offset, memory = imm
        v = _address(e, e.stack.pop(), memory)
        if v.cls == EFFECT:  # it may grow the memory, and Python takes the view first
            v = e.atom(v, len(e.stack))
        if size == 1 or _aligned(v, offset, size):
            text, p = _element(e, view, v, offset, size, memory), 0
        elif e.compact:
            text, p = f"{unpack}(B{memory},{_sum(v, offset)})[0]", 0
        else:
            v, test = _tested(e, v, offset, size)
            text = (
                f"{unpack}(B{memory},{_sum(v, offset)})[0] if {test} else {_element(e, view, v, offset, size, memory)}"
            )
            p = 13
        lo, hi = (-half - 1, half) if is_signed else (0, most)
        r = V(text, p, lo, hi, v.deps, max(READ, v.cls), v.d + 2)
        r.m = m
        e.push(r)
        _learn(e, v, memory, offset, size)

    return lower


def _load_float(view: str, size: int) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        offset, memory = imm
        v = _address(e, e.stack.pop(), memory)
        if v.cls == EFFECT:  # it may grow the memory, and Python takes the view first
            v = e.atom(v, len(e.stack))
        aligned = _aligned(v, offset, size)
        test = ""
        if size == 4:
            v = e.atom(v, len(e.stack))
        if not aligned:
            v, test = _tested(e, v, offset, size)
        text, p = _element(e, view, v, offset, size, memory), 0
        if size == 4:
            # A NaN would lose its signalling bit on the way through a C float: it goes by its bits.
            bits = f"{_element(e, 'I', v, offset, 4, memory)}"
            text, p = f"x if (x:={text})==x else f32_from_bits({bits})", 13
        if not aligned:
            other = (
                f"f32_from_bits(unpack_I(B{memory},{_sum(v, offset)})[0])"
                if size == 4
                else f"unpack_D(B{memory},{_sum(v, offset)})[0]"
            )
            text, p = f"{other} if {test} else {text}", 13
        e.push(V(text, p, 1, 0, v.deps, max(READ, v.cls), v.d + 2))
        _learn(e, v, memory, offset, size)

    return lower


def _operands(e: Emitter, memory: int) -> tuple[V, V]:
    """Pops the value and the address of a store, ready to be written in the other order."""
    value = e.stack.pop()
    address = e.stack.pop()
    address = _address(e, address, memory)
    return value, address


def _store(size: int) -> Lowering:
    most = (1 << 8 * size) - 1
    view = _VIEWS[size]

    def lower(e: Emitter, imm: Any) -> None:
        offset, memory = imm
        value, v = _operands(e, memory)
        value = mask(value, most)
        base = len(e.stack)
        e.flush(READ)
        if value.b and size > 1:
            value = e.exact(value)
        # Python evaluates the value first, the address after it.
        if v.cls == EFFECT or (v.cls and value.cls):
            v = e.atom(v, base)
        if size == 1 or _aligned(v, offset, size):
            e.line(f"{_element(e, view, v, offset, size, memory)}={value.s}")
        elif e.compact:
            e.line(f"pack_{view}(B{memory},{_sum(v, offset)},{value.s})")
        else:
            v, test = _tested(e, v, offset, size)
            if value.cls != PURE or value.d > 1:
                value = e.scratch("y", value)
            e.line(f"if {test}:pack_{view}(B{memory},{_sum(v, offset)},{value.s})")
            e.line(f"else:{_element(e, view, v, offset, size, memory)}={value.s}")
        _learn(e, v, memory, offset, size)

    return lower


def _store_float(view: str, size: int) -> Lowering:
    def lower(e: Emitter, imm: Any) -> None:
        offset, memory = imm
        value, v = _operands(e, memory)
        base = len(e.stack)
        e.flush(READ)
        if v.cls == EFFECT or (v.cls and value.cls):
            v = e.atom(v, base)
        aligned = _aligned(v, offset, size)
        test = ""
        if not aligned:
            v, test = _tested(e, v, offset, size)
        if not aligned or size == 4:
            value = e.scratch("y", value)
        if size == 4 and not value.lit:
            name = value.s
            e.line(f"if {name}!={name}:pack_I(B{memory},{_sum(v, offset)},f32_bits({name}))")
            start = "elif"
        else:
            start = "if"
        if not aligned:
            e.line(f"{start} {test}:pack_{view}(B{memory},{_sum(v, offset)},{value.s})")
            start = "elif"
        prefix = "else:" if start == "elif" else ""
        e.line(f"{prefix}{_element(e, view, v, offset, size, memory)}={value.s}")
        _learn(e, v, memory, offset, size)

    return lower


# --- size, growth, bulk ---------------------------------------------------------------------------------------------


def _memory_size(e: Emitter, memory: Any) -> None:
    bits = e.module.mems[memory].page_bits
    m = _address_mask(e, memory)
    e.push(V(f"len(B{memory})>>{bits}", 5, 0, m, 0, READ, 1))


def _memory_grow(e: Emitter, memory: Any) -> None:
    m = _address_mask(e, memory)
    v = e.exact(mask(e.stack.pop(), m))
    call(e, "memory_grow", [V(f"M{memory}", 0, 1, 0), v], EFFECT, m)


def statement_call(e: Emitter, name: str, fixed: list[str], arguments: list[V]) -> None:
    """Writes a call of a helper that returns nothing; the arguments come after the fixed ones."""
    text = ",".join(fixed + [e.exact(v).s for v in arguments])
    e.statement(f"{name}({text})")


def canonical(values: list[V], masks: list[int]) -> list[V]:
    """Operands as others may see them, each masked with its own mask; 0 leaves one as it is."""
    return [mask(v, m) if m else v for v, m in zip(values, masks, strict=True)]


def _memory_fill(e: Emitter, memory: Any) -> None:
    m = _address_mask(e, memory)
    statement_call(e, "memory_fill", [f"M{memory}"], canonical(e.popn(3), [m, M32, m]))


def _memory_copy(e: Emitter, imm: Any) -> None:
    to, source = imm
    mt, ms = _address_mask(e, to), _address_mask(e, source)
    statement_call(e, "memory_copy", [f"M{to}", f"M{source}"], canonical(e.popn(3), [mt, ms, min(mt, ms)]))


def _memory_init(e: Emitter, imm: Any) -> None:
    data, memory = imm
    m = _address_mask(e, memory)
    e.flush_arguments(3)
    statement_call(e, "memory_init", [f"M{memory}", f"DATAS[{data}]"], canonical(e.popn(3), [m, M32, M32]))


def _data_drop(e: Emitter, data: Any) -> None:
    e.statement(f"DATAS[{data}]=b''")


MEMORY: Final[dict[str, Lowering]] = {
    "i32.load": _load(4, M32),
    "i64.load": _load(8, M64),
    "f32.load": _load_float("F", 4),
    "f64.load": _load_float("D", 8),
    "i32.load8_s": _load(1, M32, is_signed=True),
    "i32.load8_u": _load(1, M32),
    "i32.load16_s": _load(2, M32, is_signed=True),
    "i32.load16_u": _load(2, M32),
    "i64.load8_s": _load(1, M64, is_signed=True),
    "i64.load8_u": _load(1, M64),
    "i64.load16_s": _load(2, M64, is_signed=True),
    "i64.load16_u": _load(2, M64),
    "i64.load32_s": _load(4, M64, is_signed=True),
    "i64.load32_u": _load(4, M64),
    "i32.store": _store(4),
    "i64.store": _store(8),
    "f32.store": _store_float("F", 4),
    "f64.store": _store_float("D", 8),
    "i32.store8": _store(1),
    "i32.store16": _store(2),
    "i64.store8": _store(1),
    "i64.store16": _store(2),
    "i64.store32": _store(4),
    "memory.size": _memory_size,
    "memory.grow": _memory_grow,
    "memory.fill": _memory_fill,
    "memory.copy": _memory_copy,
    "memory.init": _memory_init,
    "data.drop": _data_drop,
}
"""Mnemonic to lowering."""
