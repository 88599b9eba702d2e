"""Lowerings of calls, variables, and the parametric instructions.

Names: `f3` the callable of function 3, `R3` the function itself, `t0_2[i]` the callable at `i` of table 0 when called
with type 2 (it traps where the types differ), `G1` a global, `X0` a tag.

A tail call other than to the function itself makes the function return a `TailCall` that its caller runs in a
loop; see `loader`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.codes import INTEGER_CONSTANTS
from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.ranges import type_mask
from wasm2oci.engine.translate.value import EFFECT, M32, M64, PURE, READ, V, constant, mask, paren

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.types import FuncType

__all__ = ["CALLS"]

Lowering = Callable[[Emitter, Any], None]


def _arguments(e: Emitter, type_: FuncType) -> list[V]:
    values = e.popn(len(type_.params))
    return [e.exact(mask(v, m)) if (m := type_mask(t)) else v for v, t in zip(values, type_.params, strict=True)]


def _finish(e: Emitter, callee: str, arguments: list[V], results: tuple[int, ...], extra: V | None = None) -> None:
    """Writes or pushes a call."""
    deps = d = 0
    for v in arguments if extra is None else [*arguments, extra]:
        deps |= v.deps
        d = max(d, v.d)
    text = f"{callee}({','.join([v.s for v in arguments])})"
    if not results:
        e.flush(READ)
        e.line(text)
    elif len(results) == 1:
        m = type_mask(results[0])
        v = V(text, 0, 0, m, deps, EFFECT, d + 1) if m else V(text, 0, 1, 0, deps, EFFECT, d + 1)
        e.push(v)
        if e.guarded:
            e.flush(READ)
    else:
        e.flush(READ)
        base = len(e.stack)
        bits = 0
        for i in range(len(results)):
            bits |= 2 << 2 * (base + i)
        e.flush_deps(bits)
        slots = e.typed_slots(base, results)
        e.line(f"{','.join(v.s for v in slots)}={text}")
        e.stack.extend(slots)


def _call(e: Emitter, index: Any) -> None:
    type_ = e.module.func_type(index)
    _finish(e, f"f{index}", _arguments(e, type_), type_.results)


def _index_mask(e: Emitter, table: int) -> int:
    return M64 if e.module.tables[table].type.limits.is64 else M32


def _late(e: Emitter, v: V, arguments: int) -> V:
    """The callee, popped last and written first: the arguments are evaluated before it where either could notice."""
    below = e.stack[len(e.stack) - arguments :] if arguments else []
    if any(a.cls for a in below):
        e.stack.append(v)
        e.flush(READ)
        return e.hold() if v.cls else e.stack.pop()
    return v


def _call_indirect(e: Emitter, imm: Any) -> None:
    type_index, table = imm
    type_ = e.module.types[type_index].func
    v = _late(e, e.exact(mask(e.stack.pop(), _index_mask(e, table))), len(type_.params))
    _finish(e, f"t{table}_{type_index}[{v.s}]", _arguments(e, type_), type_.results, v)


def _call_ref(e: Emitter, type_index: Any) -> None:
    type_ = e.module.types[type_index].func
    v = _late(e, e.stack.pop(), len(type_.params))
    _finish(e, f"{paren(v, 0)}.call", _arguments(e, type_), type_.results, v)


def _tail(e: Emitter, callee: str, arguments: list[V]) -> None:
    """Returns a call for the caller to make."""
    e.tails = True
    e.flush(READ)
    inner = "".join(f"{v.s}," for v in arguments)
    e.line(f"return TailCall({callee},({inner}))")
    e.dead = True


def _return_call(e: Emitter, index: Any) -> None:
    type_ = e.module.func_type(index)
    _tail(e, f"R{index}", _arguments(e, type_))


def _return_call_indirect(e: Emitter, imm: Any) -> None:
    type_index, table = imm
    type_ = e.module.types[type_index].func
    v = _late(e, e.exact(mask(e.stack.pop(), _index_mask(e, table))), len(type_.params))
    # The element is checked now: whether it may be called is this function's trap.
    _tail(e, f"checked(T{table},{v.s},Y{type_index})", _arguments(e, type_))


def _return_call_ref(e: Emitter, type_index: Any) -> None:
    type_ = e.module.types[type_index].func
    v = _late(e, e.stack.pop(), len(type_.params))
    _tail(e, f"callable_ref({v.s})", _arguments(e, type_))


# --- variables -------------------------------------------------------------------------------------------------------


def _local_get(e: Emitter, index: Any) -> None:
    e.stack.append(e.local_get(index))


def _local_set(e: Emitter, index: Any) -> None:
    e.local_set(index, e.stack.pop())


def _local_tee(e: Emitter, index: Any) -> None:
    v = e.stack.pop()
    if v.lit and v.k is None:
        e.local_set(index, v)
        e.stack.append(v)
        return
    e.local_set(index, v)
    e.stack.append(e.local_get(index))


def _global_get(e: Emitter, index: Any) -> None:
    type_ = e.module.globals[index].type
    m = type_mask(type_.value)
    if not type_.mutable:
        init = e.module.globals[index].init
        if init is not None and len(init.ops) == 1 and init.ops[0][0] in INTEGER_CONSTANTS:
            e.stack.append(constant(init.ops[0][1]))
            return
        v = V(f"G{index}.value", 0, 0, m) if m else V(f"G{index}.value", 0, 1, 0)
        e.stack.append(v)
        return
    v = V(f"G{index}.value", 0, 0, m, 0, READ, 1) if m else V(f"G{index}.value", 0, 1, 0, 0, READ, 1)
    e.stack.append(v)


def _global_set(e: Emitter, index: Any) -> None:
    v = e.stack.pop()
    e.flush(READ)
    m = type_mask(e.module.globals[index].type.value)
    if m:
        v = e.exact(mask(v, m))
    e.line(f"G{index}.value={v.s}")


# --- parametric ------------------------------------------------------------------------------------------------------


def _nop(_: Emitter, __: Any) -> None:
    pass


def _unreachable(e: Emitter, _: Any) -> None:
    e.flush(READ)
    e.line("unreachable()")
    e.dead = True


def _drop(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    if v.cls != PURE:
        e.flush_for(v.cls)
        e.line(v.s)


def _select(e: Emitter, _: Any) -> None:
    condition = e.pop_condition()
    if condition.cls != PURE and any(v.cls for v in e.stack[-2:]):
        # Order: both values, then the condition.
        e.stack.append(condition)
        e.flush(READ)
        condition = e.pop_condition()
    for height in (len(e.stack) - 2, len(e.stack) - 1):
        if e.stack[height].cls != PURE:
            e.flush_for(e.stack[height].cls)
            e.settle(height)
    b = e.stack.pop()
    a = e.stack.pop()
    if a.lo <= a.hi and b.lo <= b.hi:
        a, b = e.exact(a) if a.b else a, e.exact(b) if b.b else b
        r = V("", 13, min(a.lo, b.lo), max(a.hi, b.hi))
        r.m = a.m or b.m
        r.tz = min(a.tz, b.tz)
    else:
        r = V("", 13, 1, 0)
    r.s = f"{paren(a, 12)} if {paren(condition, 12)} else {b.s}"
    r.deps = a.deps | b.deps | condition.deps
    r.cls = condition.cls
    r.d = max(a.d, b.d, condition.d) + 1
    e.push(r)


def _throw(e: Emitter, tag: Any) -> None:
    arguments = _arguments(e, e.module.tags[tag].type.func)
    e.flush(READ)
    inner = "".join(f"{v.s}," for v in arguments)
    e.line(f"raise WasmException(X{tag},({inner}))")
    e.dead = True


def _throw_ref(e: Emitter, _: Any) -> None:
    v = e.stack.pop()
    e.flush(READ)
    e.line(f"throw_ref({v.s})")
    e.dead = True


CALLS: Final[dict[str, Lowering]] = {
    "unreachable": _unreachable,
    "nop": _nop,
    "throw": _throw,
    "throw_ref": _throw_ref,
    "call": _call,
    "call_indirect": _call_indirect,
    "call_ref": _call_ref,
    "return_call": _return_call,
    "return_call_indirect": _return_call_indirect,
    "return_call_ref": _return_call_ref,
    "drop": _drop,
    "select": _select,
    "select_t": _select,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
}
"""Mnemonic to lowering."""
