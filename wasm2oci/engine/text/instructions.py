"""Instructions and their immediates, from text to binary. Spec: core, text format, instructions (6.5).

`OPCODES` says which immediates an instruction has, and `_READERS` how each is read. Where the text has another order
than the binary, or leaves something out, `_SPECIAL` has a function for the instruction. Blocks are in `code`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate, Opcode
from wasm2oci.engine.text.encode import sleb, uleb, vector
from wasm2oci.engine.text.numbers import F32, F64, FloatFormat
from wasm2oci.engine.text.opcodes import BINARY_ONLY, BY_MNEMONIC

if TYPE_CHECKING:
    from wasm2oci.engine.text.code import Code
    from wasm2oci.engine.text.spaces import IndexSpace

__all__ = ["CONTROL", "PLAIN", "block_opcode", "instruction"]

CONTROL: Final = frozenset({"block", "loop", "if", "else", "end", "try_table", "try", "catch", "catch_all", "delegate"})


def _opcode(row: Opcode) -> bytes:
    return bytes([row.code]) if row.code < 0x100 else bytes([row.code >> 16]) + uleb(row.code & 0xFFFF)


_ENCODED: Final = {mnemonic: _opcode(row) for mnemonic, row in BY_MNEMONIC.items()}
PLAIN: Final[dict[str, bytes]] = {
    row.mnemonic: _ENCODED[row.mnemonic]
    for row in OPCODES.values()
    if not row.immediates and row.mnemonic not in CONTROL | {"select"}
}
"""The instructions without immediates, whole."""


def block_opcode(mnemonic: str) -> bytes:
    """The opcode of a block instruction, `else`, `end` and the like."""
    return _ENCODED[mnemonic]


def instruction(code: Code, mnemonic: str) -> bytes:
    """Reads the immediates of an instruction whose name was just read; gives it in binary.

    Raises:
        TextError: there is no such instruction, or an immediate is missing or wrong.
    """
    row = BY_MNEMONIC.get(mnemonic)
    if row is None or mnemonic in CONTROL or mnemonic in BINARY_ONLY:
        what = "unexpected token" if mnemonic[:1] in {"$", '"', "(", ")", ""} else "unknown operator"
        raise code.cursor.error_before(f"{what} {mnemonic}" if mnemonic else "unexpected end-of-file")
    special = _SPECIAL.get(mnemonic)
    if special is not None:
        return special(code, row)
    out = _ENCODED[mnemonic]
    for immediate in row.immediates:
        out += _READERS[immediate](code, row)
    return out


# --- immediates, one by one -------------------------------------------------------------------------------------

_Reader = Callable[["Code", Opcode], bytes]


def _index(space: Callable[[Code], IndexSpace]) -> _Reader:
    return lambda code, _: uleb(space(code).index(code.cursor))


def _optional_index(space: Callable[[Code], IndexSpace]) -> _Reader:
    """An index that is 0 where it is left out."""
    return lambda code, _: uleb(space(code).index(code.cursor)) if code.cursor.at_index() else b"\0"


def _data(code: Code, _row: Opcode) -> bytes:
    return uleb(code.data())


def _local(code: Code, _row: Opcode) -> bytes:
    return uleb(code.local())


def _label(code: Code, _row: Opcode) -> bytes:
    return uleb(code.label())


def _labels(code: Code, _row: Opcode) -> bytes:
    code.lasting = False  # more labels may follow on the next line
    labels = [uleb(code.label())]
    while code.cursor.at_index():
        labels.append(uleb(code.label()))
    return vector(labels[:-1]) + labels[-1]


def _memory_argument(code: Code, row: Opcode) -> bytes:
    memory = code.context.memories.index(code.cursor) if code.cursor.at_index() else 0
    return _access(code, row, memory)


def _access(code: Code, row: Opcode, memory: int) -> bytes:
    """`offset=n align=n`, with the memory that was named before."""
    cursor = code.cursor
    offset, align = 0, row.width
    if cursor.peek().startswith("offset="):
        offset = cursor.assigned("offset=", 64)
    if cursor.peek().startswith("align="):
        align = cursor.assigned("align=", 64)
        if not align or align & align - 1:
            raise cursor.error_before("malformed alignment: it must be a power of two")
    power = align.bit_length() - 1
    return (bytes([power]) if not memory else bytes([power | 0x40]) + uleb(memory)) + uleb(offset)


def _lane(code: Code, _row: Opcode) -> bytes:
    value = code.cursor.unsigned()
    if value > 0xFF:
        raise code.cursor.error_before("malformed lane index")
    return bytes([value])


def _lanes(code: Code, row: Opcode) -> bytes:
    out = b""
    for _ in range(16):
        if not code.cursor.at_index():
            raise code.cursor.error("invalid lane length: sixteen lane indices are expected")
        out += _lane(code, row)
    return out


def _float(form: FloatFormat) -> _Reader:
    return lambda code, _: code.cursor.float_bits(form).to_bytes(form.size, "little")


def _vector_constant(code: Code, _row: Opcode) -> bytes:
    shape = code.cursor.next()
    lanes = _SHAPES.get(shape)
    if lanes is None:
        raise code.cursor.error_before("unknown operator: expected the shape of a vector")
    count, kind = lanes
    out = b""
    for _ in range(count):
        if not code.cursor.at_word():
            raise code.cursor.error("wrong number of lane literals")
        if isinstance(kind, FloatFormat):
            out += code.cursor.float_bits(kind).to_bytes(kind.size, "little")
        else:
            out += (code.cursor.integer(kind) & (1 << kind) - 1).to_bytes(kind // 8, "little")
    return out


_SHAPES: Final[dict[str, tuple[int, int | FloatFormat]]] = {
    "i8x16": (16, 8),
    "i16x8": (8, 16),
    "i32x4": (4, 32),
    "i64x2": (2, 64),
    "f32x4": (4, F32),
    "f64x2": (2, F64),
}

_READERS: Final[dict[Immediate, _Reader]] = {
    Immediate.LABEL: _label,
    Immediate.LABELS: _labels,
    Immediate.FUNC: _index(lambda code: code.context.funcs),
    Immediate.TYPE: _index(lambda code: code.context.types.space),
    Immediate.TABLE: _optional_index(lambda code: code.context.tables),
    Immediate.LOCAL: _local,
    Immediate.GLOBAL: _index(lambda code: code.context.globals),
    Immediate.MEMORY: _optional_index(lambda code: code.context.memories),
    Immediate.TAG: _index(lambda code: code.context.tags),
    Immediate.DATA: _data,
    Immediate.ELEM: _index(lambda code: code.context.elems),
    Immediate.COUNT: lambda code, _: uleb(code.cursor.unsigned()),
    Immediate.HEAPTYPE: lambda code, _: code.context.types.heap(code.cursor),
    Immediate.MEMARG: _memory_argument,
    Immediate.LANE: _lane,
    Immediate.LANES16: _lanes,
    Immediate.FENCE: lambda _code, _row: b"\0",
    Immediate.I32: lambda code, _: sleb(code.cursor.integer(32)),
    Immediate.I64: lambda code, _: sleb(code.cursor.integer(64)),
    Immediate.F32: _float(F32),
    Immediate.F64: _float(F64),
    Immediate.V128: _vector_constant,
}


# --- instructions whose text is not their binary's order ----------------------------------------------------------


def _select(code: Code, _row: Opcode) -> bytes:
    code.lasting = False  # a result type may follow
    if not code.cursor.at_form("result"):
        return _ENCODED["select"]
    return _ENCODED["select_t"] + vector(code.context.types.results(code.cursor))


def _call_indirect(code: Code, row: Opcode) -> bytes:
    code.lasting = False  # a type may follow
    table = code.context.tables.index(code.cursor) if code.cursor.at_index() else 0
    use = code.context.types.use(code.cursor, ids=False)
    return _ENCODED[row.mnemonic] + uleb(use.type) + uleb(table)


def _init(target: Callable[[Code], IndexSpace], source: _Reader) -> _Reader:
    """What is written to may be left out, and comes first; in binary it comes last."""

    def read(code: Code, row: Opcode) -> bytes:
        to = uleb(target(code).index(code.cursor)) if code.cursor.index_follows() else b"\0"
        return _ENCODED[row.mnemonic] + source(code, row) + to

    return read


def _copy(space: Callable[[Code], IndexSpace]) -> _Reader:
    """Both indices or none."""

    def read(code: Code, row: Opcode) -> bytes:
        if not code.cursor.at_index():
            return _ENCODED[row.mnemonic] + b"\0\0"
        to = space(code).index(code.cursor)
        return _ENCODED[row.mnemonic] + uleb(to) + uleb(space(code).index(code.cursor))

    return read


def _lane_access(code: Code, row: Opcode) -> bytes:
    """A memory index may stand before the lane; alone, a number is the lane."""
    cursor = code.cursor
    memory = code.context.memories.index(cursor) if cursor.index_follows("offset=", "align=") else 0
    return _ENCODED[row.mnemonic] + _access(code, row, memory) + _lane(code, row)


def _reference_cast(code: Code, row: Opcode) -> bytes:
    nullable, heap, _ = code.context.types.nullable_heap(code.cursor)
    return _ENCODED[f"{row.mnemonic}_null" if nullable else row.mnemonic] + heap


def _branch_on_cast(code: Code, row: Opcode) -> bytes:
    label = code.label()
    from_null, from_, _ = code.context.types.nullable_heap(code.cursor)
    to_null, to, _ = code.context.types.nullable_heap(code.cursor)
    return _ENCODED[row.mnemonic] + bytes([from_null | to_null << 1]) + uleb(label) + from_ + to


def _field(code: Code, row: Opcode) -> bytes:
    type_ = code.context.types.space.index(code.cursor)
    fields = code.context.types.fields.get(type_)
    if fields is None:
        if code.cursor.peek()[:1] == "$":
            raise code.cursor.error("unknown field")
        return _ENCODED[row.mnemonic] + uleb(type_) + uleb(code.cursor.unsigned())
    return _ENCODED[row.mnemonic] + uleb(type_) + uleb(fields.index(code.cursor))


_SPECIAL: Final[dict[str, _Reader]] = {
    "select": _select,
    **dict.fromkeys(("call_indirect", "return_call_indirect"), _call_indirect),
    "memory.init": _init(lambda code: code.context.memories, _data),
    "table.init": _init(lambda code: code.context.tables, _index(lambda code: code.context.elems)),
    "memory.copy": _copy(lambda code: code.context.memories),
    "table.copy": _copy(lambda code: code.context.tables),
    **{row.mnemonic: _lane_access for row in OPCODES.values() if row.immediates == (Immediate.MEMARG, Immediate.LANE)},
    **dict.fromkeys(("ref.test", "ref.cast", "ref.cast_desc_eq"), _reference_cast),
    **dict.fromkeys(
        ("br_on_cast", "br_on_cast_fail", "br_on_cast_desc_eq", "br_on_cast_desc_eq_fail"), _branch_on_cast
    ),
    **{row.mnemonic: _field for row in OPCODES.values() if row.immediates == (Immediate.TYPE, Immediate.FIELD)},
}
