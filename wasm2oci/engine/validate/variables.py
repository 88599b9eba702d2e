"""Rules of parametric, variable, table and memory instructions typed by hand.

Spec: core, 3.4.1, 3.4.6, 3.4.9, 3.4.10.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.limits import MAX_RESULTS
from wasm2oci.engine.syntax.matching import matches_value
from wasm2oci.engine.syntax.types import BOT, I32, is_defaultable
from wasm2oci.engine.validate.algorithm import FunctionValidator

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RULES"]

_V = FunctionValidator


def _drop(v: _V) -> None:
    v.pop_any()


def _select(v: _V) -> None:
    v.pop_val(I32)
    first, second = v.pop_any(), v.pop_any()
    if first > 0xFF or second > 0xFF:
        raise v.invalid("type mismatch: select without a type takes numbers and vectors only")
    if first != second and BOT not in {first, second}:
        text = v.context.text
        raise v.invalid(f"type mismatch: select between {text(second)} and {text(first)}")
    v.push_val(second if first == BOT else first)


def _select_t(v: _V) -> None:
    types = v.types.results(v.reader, MAX_RESULTS, "results")
    if len(types) != 1:
        raise v.invalid("invalid result arity")
    v.pop_val(I32)
    v.pop_val(types[0])
    v.pop_val(types[0])
    v.push_val(types[0])


# --- variables ----------------------------------------------------------------------------------------------------


def _local(v: _V) -> tuple[int, int]:
    """The index and type of a local."""
    index = v.reader.u32()
    run = bisect_right(v.local_ends, index)
    if run == len(v.local_ends):
        raise v.invalid(f"unknown local {index}")
    return index, v.local_types[run]


def _local_get(v: _V) -> None:
    index, type_ = _local(v)
    if not is_defaultable(type_) and index >= v.params and index not in v.initialised:
        raise v.invalid(f"uninitialized local {index}")
    v.push_val(type_)


def _local_set(v: _V) -> None:
    index, type_ = _local(v)
    v.pop_val(type_)
    _initialised(v, index, type_)


def _local_tee(v: _V) -> None:
    index, type_ = _local(v)
    v.pop_val(type_)
    _initialised(v, index, type_)
    v.push_val(type_)


def _initialised(v: _V, index: int, type_: int) -> None:
    if not is_defaultable(type_) and index >= v.params and index not in v.initialised:
        v.initialised.add(index)
        v.inits.append(index)


def _global_get(v: _V) -> None:
    index = v.reader.u32()
    if index >= len(v.context.module.globals):
        raise v.invalid(f"unknown global {index}")
    v.push_val(v.context.module.globals[index].type.value)


def _global_set(v: _V) -> None:
    index = v.reader.u32()
    if index >= len(v.context.module.globals):
        raise v.invalid(f"unknown global {index}")
    type_ = v.context.module.globals[index].type
    if not type_.mutable:
        raise v.invalid("immutable global")
    v.pop_val(type_.value)


# --- tables and memories ------------------------------------------------------------------------------------------


def _table(v: _V) -> tuple[int, int]:
    """The element and index type of a table."""
    index = v.reader.u32()
    address = v.context.table(index, v.at)
    return v.context.module.tables[index].type.element, address


def _table_get(v: _V) -> None:
    element, address = _table(v)
    v.pop_val(address)
    v.push_val(element)


def _table_set(v: _V) -> None:
    element, address = _table(v)
    v.pop_val(element)
    v.pop_val(address)


def _table_size(v: _V) -> None:
    _, address = _table(v)
    v.push_val(address)


def _table_grow(v: _V) -> None:
    element, address = _table(v)
    v.pop_val(address)
    v.pop_val(element)
    v.push_val(address)


def _table_fill(v: _V) -> None:
    element, address = _table(v)
    v.pop_val(address)
    v.pop_val(element)
    v.pop_val(address)


def _table_copy(v: _V) -> None:
    target, target_address = _table(v)
    source, source_address = _table(v)
    if not matches_value(source, target, v.defs):
        raise v.invalid("type mismatch: the tables hold different references")
    v.pop_val(v.context.narrower(target_address, source_address))
    v.pop_val(source_address)
    v.pop_val(target_address)


def _table_init(v: _V) -> None:
    segment = v.elem_index()
    element, address = _table(v)
    if not matches_value(v.context.module.elements[segment].type, element, v.defs):
        raise v.invalid("type mismatch: the segment holds other references than the table")
    v.pop_val(I32)
    v.pop_val(I32)
    v.pop_val(address)


def _memory_copy(v: _V) -> None:
    target = v.context.memory(v.reader.u32(), v.at)
    source = v.context.memory(v.reader.u32(), v.at)
    v.pop_val(v.context.narrower(target, source))
    v.pop_val(source)
    v.pop_val(target)


RULES: dict[str, Callable[[FunctionValidator], None]] = {
    "drop": _drop,
    "select": _select,
    "select_t": _select_t,
    "local.get": _local_get,
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": _global_get,
    "global.set": _global_set,
    "table.get": _table_get,
    "table.set": _table_set,
    "table.size": _table_size,
    "table.grow": _table_grow,
    "table.fill": _table_fill,
    "table.copy": _table_copy,
    "table.init": _table_init,
    "memory.copy": _memory_copy,
}
