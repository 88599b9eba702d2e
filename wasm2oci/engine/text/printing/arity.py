"""How many values an instruction takes from the stack and gives to it, as far as that can be seen from it alone.

Only the look of folded text depends on this: operands stand before their instruction in either form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.text.opcodes import BY_CODE, BY_MNEMONIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.text.printing.context import PrintContext

__all__ = ["arity"]

Arity = tuple[int, int]


def _rows(text: str) -> dict[str, Arity]:
    """`name name: taken given` for each line."""
    out: dict[str, Arity] = {}
    for line in text.strip().splitlines():
        names, _, numbers = line.rpartition(":")
        taken, given = map(int, numbers.split())
        out |= dict.fromkeys(names.split(), (taken, given))
    return out


_FIXED: Final = _rows("""
unreachable nop: 0 0
drop local.set global.set br_if br_table throw_ref br_on_non_null: 1 0
select select_t: 3 1
local.get global.get ref.null ref.func table.size struct.new_default: 0 1
local.tee table.get ref.is_null ref.as_non_null array.new_default array.len: 1 1
struct.get struct.get_s struct.get_u ref.test ref.test_null ref.cast ref.cast_null ref.get_desc: 1 1
br_on_null br_on_cast br_on_cast_fail any.convert_extern extern.convert_any struct.new_default_desc: 1 1
table.set struct.set: 2 0
table.grow array.new array.new_data array.new_elem array.get array.get_s array.get_u: 2 1
ref.cast_desc_eq ref.cast_desc_eq_null br_on_cast_desc_eq br_on_cast_desc_eq_fail: 2 1
memory.copy table.init table.copy table.fill array.set: 3 0
array.fill array.init_data array.init_elem: 4 0
array.copy: 5 0
""")


def _called(type_: int, context: PrintContext, more: int = 0, *, tail: bool = False) -> Arity:
    composite = context.types.composite(type_)
    return len(composite.params) + more, 0 if tail else len(composite.results)


def _of(types: list[int], index: int, context: PrintContext, *, tail: bool = False) -> Arity:
    return _called(types[index], context, tail=tail) if index < len(types) else (0, 0)


_BY_INDEX: Final[dict[str, Callable[[int, Reader, PrintContext], Arity]]] = {
    "call": lambda index, _, context: _of(context.func_types, index, context),
    "return_call": lambda index, _, context: _of(context.func_types, index, context, tail=True),
    "throw": lambda index, _, context: _of(context.tag_types, index, context, tail=True),
    **dict.fromkeys(("call_indirect", "call_ref"), lambda type_, _, context: _called(type_, context, 1)),
    **dict.fromkeys(
        ("return_call_indirect", "return_call_ref"), lambda type_, _, context: _called(type_, context, 1, tail=True)
    ),
    "struct.new": lambda type_, _, context: (context.types.composite(type_).fields, 1),
    "struct.new_desc": lambda type_, _, context: (context.types.composite(type_).fields + 1, 1),
    "array.new_fixed": lambda _, reader, _context: (reader.u32(), 1),
}
"""Instructions whose first immediate tells."""

_STATIC: Final[dict[int, Arity]] = {
    row.code: (len(row.params), len(row.results))
    for row in BY_CODE.values()
    if row.params is not None and row.results is not None
} | {BY_MNEMONIC[mnemonic].code: values for mnemonic, values in _FIXED.items()}


def arity(context: PrintContext, data: bytes, offset: int, row: Opcode, results: int) -> Arity:
    """How many values an instruction takes and gives.

    Args:
        context: the module's types.
        data: the bytes.
        offset: of its opcode.
        row: its row.
        results: how many values the function returns.
    """
    known = _STATIC.get(row.code)
    if known is not None:
        return known
    if row.mnemonic == "return":
        return results, 0
    by_index = _BY_INDEX.get(row.mnemonic)
    if by_index is None:
        return 0, 0
    reader = Reader(data, offset + 1)
    if row.code > 0xFF:
        reader.u32()
    return by_index(reader.u32(), reader, context)
