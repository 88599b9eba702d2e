"""One instruction after the other, from binary to text. Spec: core, instructions (5.4, 6.5).

`BY_CODE` says which immediates an instruction has, `_TEXTS` how each is printed; `_SPECIAL` has those whose text has
another order than their binary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.opcodes import Immediate
from wasm2oci.engine.text.numbers import F32, F64, decimal_text, float_text
from wasm2oci.engine.text.opcodes import BINARY_ONLY, BY_CODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.binary.reader import Reader
    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.text.numbers import FloatFormat
    from wasm2oci.engine.text.printing.context import PrintContext
    from wasm2oci.engine.text.printing.identifiers import Identifiers

__all__ = ["InstructionPrinter"]

_CLAUSES: Final = ("catch", "catch_ref", "catch_all", "catch_all_ref")
_PREFIXES: Final = range(0xFB, 0xFF)
_LABELS: Final = frozenset({Immediate.LABEL, Immediate.LABELS, Immediate.CASTFLAGS})


class InstructionPrinter:
    """Reads the instructions of one expression and gives the text of each.

    Args:
        context: the module's names and types.
        reader: at the first instruction.
        locals_: identifiers of locals.

    Attributes:
        local_texts: texts of short instructions that name a local, by their bytes.
        labels: the identifier of each block around this place, the outermost first; None without one.
    """

    def __init__(self, context: PrintContext, reader: Reader, locals_: Identifiers | None = None) -> None:
        self.context = context
        self.reader = reader
        self.locals = locals_
        self.labels: list[str | None] = []
        self._innermost: dict[str, list[int]] = {}  # heights of the labels by identifier
        self.local_texts: dict[bytes, str] = context.local_texts if locals_ is None else {}

    def opcode(self) -> Opcode:
        """Reads the next opcode."""
        reader = self.reader
        offset = reader.pos
        code = reader.byte()
        if code in _PREFIXES:
            code = code << 16 | min(reader.u32(), 0xFFFF)  # no instruction has that number
        row = BY_CODE.get(code)
        if row is None:
            raise MalformedError(f"illegal opcode {code:#04x}", offset)
        return row

    def text(self, row: Opcode) -> str:
        """Reads the immediates of an instruction that is no block; gives its text."""
        special = _SPECIAL.get(row.mnemonic)
        if special is not None:
            return special(self, row)
        return " ".join([row.mnemonic, *filter(None, [_TEXTS[kind](self, row) for kind in row.immediates])])

    @staticmethod
    def lasts(row: Opcode) -> bool:
        """Whether the bytes of an instruction have the same text everywhere: labels have not."""
        return not row.immediates or row.immediates[0] not in _LABELS

    # --- labels -------------------------------------------------------------------------------------------------

    def enter(self, id_: str | None) -> None:
        """Goes into a block."""
        self.labels.append(id_)
        if id_ is not None:
            self._innermost.setdefault(id_, []).append(len(self.labels))

    def leave(self) -> None:
        """Leaves the innermost block."""
        id_ = self.labels.pop()
        if id_ is not None:
            self._innermost[id_].pop()

    def label(self, depth: int) -> str:
        """How a label is referred to: by its identifier where that is the innermost of that name, else by its depth."""
        height = len(self.labels) - depth
        if height <= 0:
            return str(depth)
        id_ = self.labels[height - 1]
        if id_ is None:
            return f"{depth} (;@{height};)"
        return id_ if self._innermost[id_][-1] == height else str(depth)

    def clauses(self) -> str:
        """The clauses of a `try_table`, with a blank before each; its own label is not in scope."""
        reader, out = self.reader, ""
        for _ in range(reader.count(limits.MAX_BR_TABLE_SIZE, "catch clauses", 2)):
            offset = reader.pos
            kind = reader.byte()
            if kind >= len(_CLAUSES):
                raise MalformedError("malformed catch clause", offset)
            tag = f" {self.context.tags.use(reader.u32())}" if "all" not in _CLAUSES[kind] else ""
            out += f" ({_CLAUSES[kind]}{tag} {self.label(reader.u32())})"
        return out


# --- immediates ---------------------------------------------------------------------------------------------------


def _local(self: InstructionPrinter, index: int) -> str:
    return str(index) if self.locals is None else self.locals.use(index)


def _optional(identifiers: Callable[[InstructionPrinter], Identifiers]) -> Callable[[InstructionPrinter, int], str]:
    """An index that is left out where it is 0."""
    return lambda self, index: identifiers(self).use(index) if index else ""


_SPACES: Final[dict[Immediate, Callable[[InstructionPrinter, int], str]]] = {
    Immediate.FUNC: lambda self, index: self.context.funcs.use(index),
    Immediate.TYPE: lambda self, index: self.context.types.names.use(index),
    Immediate.TABLE: lambda self, index: self.context.tables.use(index),
    Immediate.LOCAL: _local,
    Immediate.GLOBAL: lambda self, index: self.context.globals.use(index),
    Immediate.MEMORY: _optional(lambda self: self.context.memories),
    Immediate.TAG: lambda self, index: self.context.tags.use(index),
    Immediate.DATA: lambda self, index: self.context.datas.use(index),
    Immediate.ELEM: lambda self, index: self.context.elems.use(index),
    Immediate.COUNT: lambda _, index: str(index),
}
"""Immediates that are one index."""


def _index(text: Callable[[InstructionPrinter, int], str]) -> Callable[[InstructionPrinter, Opcode], str]:
    return lambda self, _row: text(self, self.reader.u32())


def _labels(self: InstructionPrinter, _row: Opcode) -> str:
    reader = self.reader
    depths = reader.indices(reader.count(limits.MAX_BR_TABLE_SIZE, "labels") + 1)
    return " ".join([self.label(depth) for depth in depths])


def _memory_argument(self: InstructionPrinter, row: Opcode) -> str:
    reader = self.reader
    offset = reader.pos
    flags = reader.u32()
    if flags >= 0x80:
        raise MalformedError("malformed memop flags", offset)
    memory = reader.u32() if flags & 0x40 else 0
    start = reader.u64()
    align = 1 << (flags & 0x3F)
    parts = [self.context.memories.use(memory)] if memory else []
    if start:
        parts.append(f"offset={start}")
    if align != row.width:
        parts.append(f"align={align}")
    return " ".join(parts)


def _float(form: FloatFormat) -> Callable[[InstructionPrinter, Opcode], str]:
    def text(self: InstructionPrinter, _row: Opcode) -> str:
        bits = int.from_bytes(self.reader.take(form.size), "little")
        return f"{float_text(bits, form)} (;={decimal_text(bits, form)};)"

    return text


def _vector_constant(self: InstructionPrinter, _row: Opcode) -> str:
    raw = self.reader.take(16)
    lanes = [int.from_bytes(raw[place : place + 4], "little") for place in range(0, 16, 4)]
    return "i32x4 " + " ".join([f"{lane:#010x}" for lane in lanes])


def _fence(self: InstructionPrinter, _row: Opcode) -> str:
    if self.reader.byte():
        raise MalformedError("zero byte expected", self.reader.pos - 1)
    return ""


_TEXTS: Final[dict[Immediate, Callable[[InstructionPrinter, Opcode], str]]] = {
    **{kind: _index(text) for kind, text in _SPACES.items()},
    Immediate.LABEL: lambda self, _: self.label(self.reader.u32()),
    Immediate.LABELS: _labels,
    Immediate.HEAPTYPE: lambda self, _: self.context.types.heap(self.reader),
    Immediate.MEMARG: _memory_argument,
    Immediate.LANE: lambda self, _: str(self.reader.byte()),
    Immediate.LANES16: lambda self, _: " ".join(map(str, self.reader.take(16))),
    Immediate.FENCE: _fence,
    Immediate.I32: lambda self, _: str(self.reader.s32()),
    Immediate.I64: lambda self, _: str(self.reader.s64()),
    Immediate.F32: _float(F32),
    Immediate.F64: _float(F64),
    Immediate.V128: _vector_constant,
}


# --- instructions whose text is not their binary's order ------------------------------------------------------------


def _select(self: InstructionPrinter, _row: Opcode) -> str:
    return f"select (result {' '.join(self.context.types.values(self.reader))})".replace("(result )", "(result)")


def _call_indirect(self: InstructionPrinter, row: Opcode) -> str:
    type_, table = self.reader.u32(), self.reader.u32()
    shown = f" {self.context.tables.use(table)}" if table else ""
    return f"{row.mnemonic}{shown} (type {self.context.types.names.use(type_)})"


def _init(
    source: Callable[[InstructionPrinter], Identifiers], target: Callable[[InstructionPrinter], Identifiers]
) -> Callable[[InstructionPrinter, Opcode], str]:
    def text(self: InstructionPrinter, row: Opcode) -> str:
        from_, to = self.reader.u32(), self.reader.u32()
        shown = f" {target(self).use(to)}" if to else ""
        return f"{row.mnemonic}{shown} {source(self).use(from_)}"

    return text


def _copy(space: Callable[[InstructionPrinter], Identifiers]) -> Callable[[InstructionPrinter, Opcode], str]:
    def text(self: InstructionPrinter, row: Opcode) -> str:
        to, from_ = self.reader.u32(), self.reader.u32()
        return f"{row.mnemonic} {space(self).use(to)} {space(self).use(from_)}" if to or from_ else row.mnemonic

    return text


def _reference_cast(self: InstructionPrinter, row: Opcode) -> str:
    nullable = row.mnemonic in BINARY_ONLY
    mnemonic = BINARY_ONLY.get(row.mnemonic, row.mnemonic)
    return f"{mnemonic} {self.context.types.reference(self.reader, nullable=nullable)}"


def _branch_on_cast(self: InstructionPrinter, row: Opcode) -> str:
    reader, types = self.reader, self.context.types
    flags = reader.byte()
    if flags > 3:
        raise MalformedError("malformed cast flags", reader.pos - 1)
    label = self.label(reader.u32())
    from_ = types.reference(reader, nullable=bool(flags & 1))
    return f"{row.mnemonic} {label} {from_} {types.reference(reader, nullable=bool(flags & 2))}"


def _field(self: InstructionPrinter, row: Opcode) -> str:
    type_, field = self.reader.u32(), self.reader.u32()
    names = self.context.fields.get(type_)
    return f"{row.mnemonic} {self.context.types.names.use(type_)} {names.use(field) if names else field}"


_SPECIAL: Final[dict[str, Callable[[InstructionPrinter, Opcode], str]]] = {
    "select_t": _select,
    **dict.fromkeys(("call_indirect", "return_call_indirect"), _call_indirect),
    "memory.init": _init(lambda self: self.context.datas, lambda self: self.context.memories),
    "table.init": _init(lambda self: self.context.elems, lambda self: self.context.tables),
    "memory.copy": _copy(lambda self: self.context.memories),
    "table.copy": _copy(lambda self: self.context.tables),
    **dict.fromkeys(
        ("ref.test", "ref.test_null", "ref.cast", "ref.cast_null", "ref.cast_desc_eq", "ref.cast_desc_eq_null"),
        _reference_cast,
    ),
    **{row.mnemonic: _branch_on_cast for row in BY_CODE.values() if Immediate.CASTFLAGS in row.immediates},
    **{row.mnemonic: _field for row in BY_CODE.values() if row.immediates == (Immediate.TYPE, Immediate.FIELD)},
}
