"""Typing of a function body, one instruction after another. Spec: core, validation, instructions (3.4).

A row of the opcode table with a signature needs no more than that; the others are typed by hand, by a rule in
`control`, `variables`, `references` or `aggregates`. A test fails where a row has neither, or both.

This one decides: `fast` accepts most bodies of real modules in a tenth of the time, and leaves to it whatever it is
not sure about. So every error, and its place, is found here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax.opcodes import ADDRESS, BY_MNEMONIC, OPCODES, Immediate
from wasm2oci.engine.syntax.types import FuncType
from wasm2oci.engine.validate import aggregates, control, references, variables
from wasm2oci.engine.validate.algorithm import FunctionValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.validate.context import Context

__all__ = ["RULES", "validate_body", "validate_expression"]

_PREFIXES = frozenset({0xFB, 0xFC, 0xFD, 0xFE})


def validate_body(context: Context, type_: FuncType, start: int, end: int) -> None:
    """Checks the code of one function.

    Args:
        context: the module.
        type_: the function's type.
        start: where the code begins, locals included.
        end: past its last byte.

    Raises:
        MalformedError: the body does not decode.
        InvalidModuleError: it does not type-check, or uses a feature that is not allowed.
    """
    validator = FunctionValidator(context, type_, start, end)
    validator.read_locals()
    _instructions(validator)


def validate_expression(context: Context, type_: int, start: int, end: int) -> None:
    """Checks an expression that leaves one value, as a constant expression does; `end` is past its `end` opcode."""
    _instructions(FunctionValidator(context, FuncType((), (type_,)), start, end))


def _instructions(validator: FunctionValidator) -> None:
    validator.push_ctrl("function", (), validator.results)
    context = validator.context
    reader, ctrls = validator.reader, validator.ctrls
    opcodes, rules, seen = OPCODES, RULES, 0
    while ctrls:
        validator.at = at = reader.pos
        code = reader.byte()
        if code in _PREFIXES:
            code = code << 16 | min(reader.u32(), 0xFFFF)  # no instruction has that number
        row = opcodes.get(code)
        if row is None:
            raise MalformedError(f"illegal opcode {code:#04x}", at)
        feature = int(row.feature)
        if feature & ~seen:
            seen |= feature
            context.use(feature, at)
        rule = rules.get(code)
        if rule is not None:
            rule(validator)
        else:
            _simple(validator, row)
    if reader.pos != reader.end:
        raise MalformedError("END opcode expected: the body goes on after its last end", reader.pos)


def _simple(validator: FunctionValidator, row: Opcode) -> None:
    """Types an instruction by its signature."""
    address = 0
    for kind in row.immediates:
        address = _IMMEDIATES[kind](validator, row) or address
    params, results = row.params, row.results
    if params is None or results is None:
        raise AssertionError(f"{row.mnemonic} has neither a signature nor a rule")
    for type_ in reversed(params):
        validator.pop_val(address if type_ == ADDRESS else type_)
    for type_ in results:
        validator.push_val(address if type_ == ADDRESS else type_)


def _lane(validator: FunctionValidator, row: Opcode) -> int:
    lane = validator.reader.byte()
    lanes = 16 // row.width if row.width else int(row.mnemonic.split(".")[0].split("x")[1])
    if lane >= lanes:
        raise validator.invalid(f"invalid lane index {lane}")
    return 0


def _lanes(validator: FunctionValidator, _row: Opcode) -> int:
    if max(validator.reader.take(16)) >= 32:
        raise validator.invalid("invalid lane index")
    return 0


def _fence(validator: FunctionValidator, _row: Opcode) -> int:
    if validator.reader.byte() != 0:
        raise MalformedError("zero byte expected", validator.at)
    return 0


# How the immediates of rows with a signature are read; each gives an index type, or 0.
_IMMEDIATES: dict[Immediate, Callable[[FunctionValidator, Opcode], int]] = {
    Immediate.MEMARG: FunctionValidator.memory_argument,
    Immediate.MEMORY: lambda v, _: v.context.memory(v.reader.u32(), v.at),
    Immediate.DATA: lambda v, _: v.data_index() and 0,
    Immediate.ELEM: lambda v, _: v.elem_index() and 0,
    Immediate.LANE: _lane,
    Immediate.LANES16: _lanes,
    Immediate.FENCE: _fence,
    Immediate.I32: lambda v, _: v.reader.s32() and 0,
    Immediate.I64: lambda v, _: v.reader.s64() and 0,
    Immediate.F32: lambda v, _: len(v.reader.take(4)) and 0,
    Immediate.F64: lambda v, _: len(v.reader.take(8)) and 0,
    Immediate.V128: lambda v, _: len(v.reader.take(16)) and 0,
}

RULES: dict[int, Callable[[FunctionValidator], None]] = {
    BY_MNEMONIC[mnemonic].code: rule
    for part in (control.RULES, variables.RULES, references.RULES, aggregates.RULES)
    for mnemonic, rule in part.items()
}
"""The instructions typed by hand: the opcode has been read, the immediates have not."""
