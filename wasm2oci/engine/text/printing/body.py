"""Function bodies and constant expressions, flat: one instruction a line. Spec: core, instructions (6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.text.opcodes import BY_CODE
from wasm2oci.engine.text.printing.identifiers import LONGEST, identifier, quoted
from wasm2oci.engine.text.printing.instructions import InstructionPrinter
from wasm2oci.engine.text.strings import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wasm2oci.engine.binary.reader import Reader
    from wasm2oci.engine.syntax.opcodes import Opcode
    from wasm2oci.engine.text.printing.context import PrintContext

__all__ = ["Instruction", "body", "constant", "hint_text"]

_BLOCKS: Final = frozenset({"block", "loop", "if", "try_table", "try"})
_MIDDLES: Final = frozenset({"else", "catch", "catch_all"})
_PARTS_OF: Final = {"else": ("if",), "catch": ("try", "catch"), "catch_all": ("try", "catch"), "delegate": ("try",)}
"""What a part of a block may follow."""
_PLAIN: Final = tuple(
    BY_CODE[code].mnemonic
    if code in BY_CODE and not BY_CODE[code].immediates and BY_CODE[code].mnemonic not in {*_MIDDLES, "end"}
    else None
    for code in range(256)
)
"""The text of each instruction of one byte, else None."""
_ROWS: Final = tuple(BY_CODE.get(code, BY_CODE[0]) for code in range(256))
_LOCALS: Final = range(0x20, 0x23)
_SHORT: Final = 3  # bytes of instructions whose texts are kept


Instruction = tuple[int, int, str, "Opcode", "bytes | None", "tuple[int, int] | None"]
"""An instruction as text. There are many, so it is a plain tuple:

offset      of its opcode
depth       of blocks around it; an `end` is as deep as its block
text        the instruction, with a comment where it opens a label
row         its row
hint        its branch hint, or None
operands    how many values a block takes and gives, or None where it is no block
"""


def constant(context: PrintContext, reader: Reader) -> list[str]:
    """Reads a constant expression and its `end`; gives the text of each instruction."""
    return [text for _, _, text, *_ in _instructions(InstructionPrinter(context, reader), reader, {}, {})][:-1]


def body(
    printer: InstructionPrinter, labels: Mapping[int, str], hints: Mapping[int, bytes], start: int
) -> Iterator[Instruction]:
    """Reads the instructions of a function's body, the last `end` included.

    Args:
        printer: at the first instruction; its reader ends with the body.
        labels: names of labels by their number.
        hints: branch hints by offset in the body.
        start: where the body starts, locals included.
    """
    reader = printer.reader
    yield from _instructions(printer, reader, labels, {start + offset: hint for offset, hint in hints.items()})
    if reader.pos != reader.end:
        raise MalformedError("unexpected content after the end of a function", reader.pos)


def _instructions(
    printer: InstructionPrinter, reader: Reader, labels: Mapping[int, str], hints: Mapping[int, bytes]
) -> Iterator[Instruction]:
    """Reads instructions up to the `end` that closes no block."""
    data, end, depth, number = reader.data, reader.end, 0, 0
    texts, local_texts = printer.context.texts, printer.local_texts
    kinds: list[str] = []  # of the blocks around this place
    pos = reader.pos
    while True:
        if pos >= end:
            raise MalformedError("unexpected end of a section or function", pos)
        offset = pos
        hint = hints.get(offset) if hints else None
        byte = data[offset]
        known = _PLAIN[byte]
        if known is not None:
            pos += 1
            yield offset, depth, known, _ROWS[byte], hint, None
            continue
        # No instruction begins another one, so two or three bytes that are one are that one everywhere.
        memo = local_texts if byte in _LOCALS else texts
        known = memo.get(data[offset : offset + 2])
        if known is not None:
            pos += 2
            yield offset, depth, known, _ROWS[byte], hint, None
            continue
        known = memo.get(data[offset : offset + 3])
        if known is not None:
            pos += 3
            yield offset, depth, known, _ROWS[byte], hint, None
            continue
        reader.pos = pos
        row = printer.opcode()
        mnemonic = row.mnemonic
        if mnemonic in _BLOCKS:
            type_, params, results = printer.context.types.block(reader)
            clauses = printer.clauses() if mnemonic == "try_table" else ""
            declared, id_ = _declared(labels.get(number))
            number += 1
            printer.enter(id_)
            kinds.append(mnemonic)
            shown = f" ;; label = @{len(printer.labels)}" if id_ is None else ""
            yield offset, depth, f"{mnemonic}{declared}{type_}{clauses}{shown}", row, hint, (params, results)
            depth += 1
        elif mnemonic == "end":
            if not depth:
                yield offset, 0, mnemonic, row, None, None
                return
            depth -= 1
            printer.leave()
            kinds.pop()
            yield offset, depth, mnemonic, row, None, None
        elif mnemonic in _MIDDLES or mnemonic == "delegate":
            if not depth or kinds[-1] not in _PARTS_OF[mnemonic]:
                raise MalformedError(f"unexpected {mnemonic}", offset)
            if mnemonic == "delegate":
                depth -= 1
                printer.leave()
                kinds.pop()
                yield offset, depth, f"delegate {printer.label(reader.u32())}", row, None, None
            else:
                kinds[-1] = mnemonic
                yield offset, depth - 1, printer.text(row), row, None, None
        else:
            text = printer.text(row)
            if reader.pos - offset <= _SHORT and printer.lasts(row):
                memo[data[offset : reader.pos]] = text
            yield offset, depth, text, row, hint, None
        pos = reader.pos


def _declared(name: str | None) -> tuple[str, str | None]:
    """A label as it is written in its block, with a blank before it, and its identifier."""
    if name is None:
        return "", None
    if not name or len(name) > LONGEST:
        return f" (@name {quoted(name)})", None
    id_ = identifier(name)
    return f" {id_}", id_


def hint_text(hint: bytes) -> str:
    """A branch hint as an annotation."""
    return f"(@metadata.code.branch_hint {escaped(hint)})"
