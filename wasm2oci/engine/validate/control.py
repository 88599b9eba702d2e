"""Rules of control instructions, and of calls.

Spec: core, 3.4.3 to 3.4.5; legacy: exception-handling, legacy proposal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.limits import MAX_BR_TABLE_SIZE
from wasm2oci.engine.syntax.matching import matches_value
from wasm2oci.engine.syntax.types import EXN, EXNREF, FUNCREF, I32, REF, ref
from wasm2oci.engine.validate.algorithm import FunctionValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.types import FuncType

__all__ = ["RULES"]

_V = FunctionValidator
_EXN_NOT_NULL = EXN << 8 | REF


def _unreachable(v: _V) -> None:
    v.unreachable()


def _block(v: _V) -> None:
    _open(v, "block")


def _loop(v: _V) -> None:
    _open(v, "loop")


def _if(v: _V) -> None:
    type_ = v.block_type()
    v.pop_val(I32)
    v.pop_vals(type_.params)
    v.push_ctrl("if", type_.params, type_.results)


def _open(v: _V, opcode: str) -> None:
    type_ = v.block_type()
    v.pop_vals(type_.params)
    v.push_ctrl(opcode, type_.params, type_.results)


def _else(v: _V) -> None:
    if v.ctrls[-1].opcode != "if":
        raise MalformedError("END opcode expected: else without if", v.at)
    frame = v.pop_ctrl()
    v.push_ctrl("else", frame.start_types, frame.end_types)


def _end(v: _V) -> None:
    frame = v.pop_ctrl()
    if frame.opcode == "if":  # the else that is not there passes on what the block took
        v.push_ctrl("else", frame.start_types, frame.end_types)
        v.pop_ctrl()
    v.push_vals(frame.end_types)


def _br(v: _V) -> None:
    v.pop_vals(v.label(v.reader.u32()))
    v.unreachable()


def _br_if(v: _V) -> None:
    types = v.label(v.reader.u32())
    v.pop_val(I32)
    v.pop_vals(types)
    v.push_vals(types)


def _br_table(v: _V) -> None:
    depths = v.reader.indices(v.reader.count(MAX_BR_TABLE_SIZE, "labels"))
    default = v.label(v.reader.u32())
    v.pop_val(I32)
    checked = set()
    for depth in dict.fromkeys(depths):
        types = v.label(depth)
        if types in checked:
            continue
        checked.add(types)
        if len(types) != len(default):
            raise v.invalid("type mismatch: the labels of br_table carry different numbers of values")
        v.peek_vals(types)
    v.pop_vals(default)
    v.unreachable()


def _return(v: _V) -> None:
    v.pop_vals(v.results)
    v.unreachable()


# --- calls ------------------------------------------------------------------------------------------------------


def _call(v: _V) -> None:
    _invoke(v, _callee(v))


def _return_call(v: _V) -> None:
    _tail(v, _callee(v))


def _callee(v: _V) -> FuncType:
    index = v.reader.u32()
    if index >= len(v.context.funcs):
        raise v.invalid(f"unknown function {index}")
    return v.context.signatures[v.context.funcs[index]]


def _call_indirect(v: _V) -> None:
    _invoke(v, _indirect(v))


def _return_call_indirect(v: _V) -> None:
    _tail(v, _indirect(v))


def _indirect(v: _V) -> FuncType:
    reader = v.reader
    index = reader.u32()
    before = reader.pos
    table = reader.u32()
    if table or reader.pos != before + 1:
        v.context.use(Feature.REFERENCE_TYPES, v.at)
    address = v.context.table(table, v.at)
    type_ = v.context.signature(index, v.at)
    if not matches_value(v.context.module.tables[table].type.element, FUNCREF, v.defs):
        raise v.invalid("type mismatch: the table holds no functions")
    v.pop_val(address)
    return type_


def _call_ref(v: _V) -> None:
    _invoke(v, _referenced(v))


def _return_call_ref(v: _V) -> None:
    _tail(v, _referenced(v))


def _referenced(v: _V) -> FuncType:
    index = v.reader.u32()
    type_ = v.context.signature(index, v.at)
    v.pop_val(ref(v.context.types[index].id, nullable=True))
    return type_


def _invoke(v: _V, type_: FuncType) -> None:
    v.pop_vals(type_.params)
    v.push_vals(type_.results)


def _tail(v: _V, type_: FuncType) -> None:
    if len(type_.results) != len(v.results) or not all(
        matches_value(a, b, v.defs) for a, b in zip(type_.results, v.results, strict=True)
    ):
        raise v.invalid("type mismatch: the callee's results are not those of the function")
    v.pop_vals(type_.params)
    v.unreachable()


# --- exceptions -------------------------------------------------------------------------------------------------


def _tag(v: _V) -> tuple[int, ...]:
    index = v.reader.u32()
    if index >= len(v.context.module.tags):
        raise v.invalid(f"unknown tag {index}")
    return v.context.module.tags[index].type.func.params


def _throw(v: _V) -> None:
    v.pop_vals(_tag(v))
    v.unreachable()


def _throw_ref(v: _V) -> None:
    v.pop_val(EXNREF)
    v.unreachable()


def _try_table(v: _V) -> None:
    type_ = v.block_type()
    v.pop_vals(type_.params)
    for _ in range(v.reader.count(MAX_BR_TABLE_SIZE, "catch clauses", 2)):
        at = v.reader.pos
        kind = v.reader.byte()
        if kind > 3:
            raise MalformedError("malformed catch clause", at)
        carried = () if kind & 2 else _tag(v)
        if kind & 1:
            carried = (*carried, _EXN_NOT_NULL)
        label = v.label(v.reader.u32())
        if carried != label and (
            len(carried) != len(label)
            or not all(matches_value(a, b, v.defs) for a, b in zip(carried, label, strict=True))
        ):
            raise v.invalid("type mismatch: the label takes something else than what the clause catches")
    v.push_ctrl("try_table", type_.params, type_.results)


def _try(v: _V) -> None:
    _open(v, "try")


def _catch(v: _V) -> None:
    params = _tag(v)
    if v.ctrls[-1].opcode not in {"try", "catch"}:
        raise MalformedError("catch without try", v.at)
    frame = v.pop_ctrl()
    v.push_ctrl("catch", (), frame.end_types)
    v.push_vals(params)


def _catch_all(v: _V) -> None:
    if v.ctrls[-1].opcode not in {"try", "catch"}:
        raise MalformedError("catch_all without try", v.at)
    frame = v.pop_ctrl()
    v.push_ctrl("catch_all", (), frame.end_types)


def _delegate(v: _V) -> None:
    depth = v.reader.u32()
    if v.ctrls[-1].opcode != "try":
        raise MalformedError("delegate without try", v.at)
    frame = v.pop_ctrl()
    v.label(depth)
    v.push_vals(frame.end_types)


def _rethrow(v: _V) -> None:
    depth = v.reader.u32()
    v.label(depth)
    if v.ctrls[-1 - depth].opcode not in {"catch", "catch_all"}:
        raise v.invalid("invalid rethrow label: it is no catch")
    v.unreachable()


RULES: dict[str, Callable[[FunctionValidator], None]] = {
    "unreachable": _unreachable,
    "block": _block,
    "loop": _loop,
    "if": _if,
    "else": _else,
    "end": _end,
    "br": _br,
    "br_if": _br_if,
    "br_table": _br_table,
    "return": _return,
    "call": _call,
    "call_indirect": _call_indirect,
    "return_call": _return_call,
    "return_call_indirect": _return_call_indirect,
    "call_ref": _call_ref,
    "return_call_ref": _return_call_ref,
    "throw": _throw,
    "throw_ref": _throw_ref,
    "try_table": _try_table,
    "try": _try,
    "catch": _catch,
    "catch_all": _catch_all,
    "delegate": _delegate,
    "rethrow": _rethrow,
}
