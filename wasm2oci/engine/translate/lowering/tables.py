"""Lowerings of the instructions on tables: each is a call of a function of `runtime.table`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasm2oci.engine.syntax.types import I32
from wasm2oci.engine.translate.emitter import Emitter
from wasm2oci.engine.translate.lowering.memory import canonical, statement_call
from wasm2oci.engine.translate.lowering.operands import call
from wasm2oci.engine.translate.value import EFFECT, M32, M64, READ, V, mask

__all__ = ["TABLES"]

Lowering = Callable[[Emitter, Any], None]


def _table_mask(e: Emitter, table: int) -> int:
    return M32 if e.module.tables[table].type.limits.address == I32 else M64


def _table_get(e: Emitter, table: Any) -> None:
    v = e.exact(mask(e.stack.pop(), _table_mask(e, table)))
    call(e, "table_get", [V(f"T{table}", 0, 1, 0), v], READ, 0)


def _table_set(e: Emitter, table: Any) -> None:
    statement_call(e, "table_set", [f"T{table}"], canonical(e.popn(2), [_table_mask(e, table), 0]))


def _table_size(e: Emitter, table: Any) -> None:
    call(e, "table_size", [V(f"T{table}", 0, 1, 0)], READ, _table_mask(e, table))


def _table_grow(e: Emitter, table: Any) -> None:
    m = _table_mask(e, table)
    values = canonical(e.popn(2), [0, m])
    call(e, "table_grow", [V(f"T{table}", 0, 1, 0), *map(e.exact, values)], EFFECT, m)


def _table_fill(e: Emitter, table: Any) -> None:
    m = _table_mask(e, table)
    statement_call(e, "table_fill", [f"T{table}"], canonical(e.popn(3), [m, 0, m]))


def _table_copy(e: Emitter, imm: Any) -> None:
    to, source = imm
    mt, ms = _table_mask(e, to), _table_mask(e, source)
    statement_call(e, "table_copy", [f"T{to}", f"T{source}"], canonical(e.popn(3), [mt, ms, min(mt, ms)]))


def _table_init(e: Emitter, imm: Any) -> None:
    elem, table = imm
    m = _table_mask(e, table)
    e.flush_arguments(3)
    statement_call(e, "table_init", [f"T{table}", f"ELEMS[{elem}]"], canonical(e.popn(3), [m, M32, M32]))


def _elem_drop(e: Emitter, elem: Any) -> None:
    e.statement(f"ELEMS[{elem}]=[]")


TABLES: Final[dict[str, Lowering]] = {
    "table.get": _table_get,
    "table.set": _table_set,
    "table.size": _table_size,
    "table.grow": _table_grow,
    "table.fill": _table_fill,
    "table.copy": _table_copy,
    "table.init": _table_init,
    "elem.drop": _elem_drop,
}
"""Mnemonic to lowering."""
