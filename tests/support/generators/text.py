"""A small module in the text format, with names for indices: only what its exported functions need is written."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from tests.support.interpreter import instructions
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.syntax.module import SegmentMode
from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate
from wasm2oci.engine.syntax.types import (
    ArrayType,
    ExternKind,
    StructType,
    heap_text,
    type_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tests.support.interpreter import Instruction
    from wasm2oci.engine.syntax.module import ConstExpr
    from wasm2oci.engine.syntax.types import (
        FieldType,
        FuncType,
        Limits,
        TableType,
    )

__all__ = ["module_text"]

_LETTERS = {
    Immediate.FUNC: "f",
    Immediate.TYPE: "t",
    Immediate.TABLE: "table",
    Immediate.LOCAL: "l",
    Immediate.GLOBAL: "g",
    Immediate.MEMORY: "m",
    Immediate.TAG: "e",
    Immediate.DATA: "data",
    Immediate.ELEM: "elem",
}
_CLAUSES = ("catch", "catch_ref", "catch_all", "catch_all_ref")
_SPELLED = {"select_t": "select", "ref.test_null": "ref.test", "ref.cast_null": "ref.cast"}
# The text names the destination, or the table, first.
_REVERSED = frozenset({"table.init", "memory.init", "call_indirect", "return_call_indirect"})
_ROWS = {row.mnemonic: row for row in OPCODES.values()}
_OPENERS = frozenset({"block", "loop", "if", "try_table"})


class _Printer:
    def __init__(self, data: bytes, exports: Collection[str]) -> None:
        self.module = decode_module(data)
        self.exports = [e for e in self.module.exports if e.name in exports]
        self.indices = {id_: f"$t{index}" for id_, index in self.module.type_indices().items()}
        self.references: set[int] = set()
        self.used: dict[str, set[int]] = {letter: set() for letter in (*_LETTERS.values(), "t")}

    # --- types ---------------------------------------------------------------------------------
    def type(self, type_: int) -> str:
        if type_ > 0xFF:
            self.heap(type_ >> 8)
        return type_text(type_, self.indices)  # type: ignore[arg-type]  # names do for indices

    def heap(self, heap: int) -> str:
        if heap in self.indices:
            self.used["t"].add(int(self.indices[heap][2:]))
        return heap_text(heap, self.indices)  # type: ignore[arg-type]  # names do for indices

    def signature(self, type_: FuncType, names: str = "") -> str:
        params = [f"(param {f'${names}{i} ' if names else ''}{self.type(t)})" for i, t in enumerate(type_.params)]
        results = f"(result {' '.join(map(self.type, type_.results))})" if type_.results else ""
        return " ".join([*params, results]).strip()

    def field(self, field: FieldType) -> str:
        text = self.type(field.storage)
        return f"(mut {text})" if field.mutable else text

    def typedef(self, index: int) -> str:
        composite = self.module.types[index].composite
        if isinstance(composite, StructType):
            inner = f"(struct {' '.join(f'(field {self.field(each)})' for each in composite.fields)})"
        elif isinstance(composite, ArrayType):
            inner = f"(array {self.field(composite.element)})"
        else:
            inner = f"(func {self.signature(composite)})"
        above, final = self.module.supers[index], self.module.types[index].final
        self.used["t"] |= set(above)
        if final and not above:
            return f"(type $t{index} {inner})"
        return f"(type $t{index} (sub {'final ' if final else ''}{''.join(f'$t{i} ' for i in above)}{inner}))"

    # --- instructions --------------------------------------------------------------------------
    def function(self, index: int) -> list[str]:
        module = self.module
        type_ = module.func_type(index)
        locals_, code = instructions(module, index - module.imported_funcs)
        names = "".join(f' (export "{e.name}")' for e in self.exports if e.kind is ExternKind.FUNC and e.index == index)
        seen = {each for instruction in code for each in self.locals(instruction)}
        declared = [f"(local $l{i} {self.type(t)})" for i, t in enumerate(locals_, len(type_.params)) if i in seen]
        head = [f"func $f{index}{names}", f"(type $t{module.func_types[index]})", self.signature(type_, "l"), *declared]
        self.used["t"].add(module.func_types[index])
        lines = [f"  ({' '.join(part for part in head if part)}"]
        depth = 0
        for instruction in code[:-1]:
            if instruction.mnemonic in {"end", "else"}:
                depth -= 1
            lines.append("  " * (depth + 2) + self.instruction(instruction, depth))
            if instruction.mnemonic == "else" or instruction.mnemonic in _OPENERS:
                depth += 1
        return [*lines[:-1], lines[-1] + ")"]

    def instruction(self, instruction: Instruction, depth: int) -> str:
        """One instruction; a block's label is its depth in the body."""
        name = instruction.mnemonic
        kinds = _ROWS[name].immediates
        parts = [_SPELLED.get(name, name)]
        if name in _OPENERS:
            parts.append(f"$b{depth}")
        given = list(instruction.immediates)
        if name in _REVERSED:
            given, kinds = given[::-1], kinds[::-1]
        if name.startswith("br_on_cast"):
            flags, label, source, target = given
            casts = (self.reference(source, nullable=flags & 1), self.reference(target, nullable=flags & 2))
            return " ".join([name, self.label(depth, label), *casts])
        parts += [self.immediate(kind, value, depth, name) for kind, value in zip(kinds, given, strict=True)]
        return " ".join(part for part in parts if part)

    def locals(self, instruction: Instruction) -> Iterable[int]:
        """The locals it names; those that are named nowhere are not declared."""
        kinds = _ROWS[instruction.mnemonic].immediates
        return (v for kind, v in zip(kinds, instruction.immediates, strict=True) if kind is Immediate.LOCAL)

    def immediate(self, kind: Immediate, value: Any, depth: int, name: str) -> str:
        if kind in _LETTERS:
            letter = _LETTERS[kind]
            self.used[letter].add(value)
            if name == "ref.func":
                self.references.add(value)
            return f"(type $t{value})" if name.endswith("call_indirect") and letter == "t" else f"${letter}{value}"
        if kind is Immediate.BLOCKTYPE:
            return self.signature(value)
        if kind is Immediate.LABEL:
            return self.label(depth, value)
        if kind is Immediate.LABELS:
            return " ".join(self.label(depth, each) for each in value)
        if kind is Immediate.CATCHES:
            return " ".join(self.clause(depth, *each) for each in value)
        if kind is Immediate.VALTYPES:
            return f"(result {' '.join(map(self.type, value))})"
        if kind is Immediate.HEAPTYPE:
            if name == "ref.null":
                return self.heap(value)
            return self.reference(value, nullable=name.endswith("_null"))
        if kind is Immediate.MEMARG:
            self.used["m"].add(value[0])
            return f"$m{value[0]}" + (f" offset={value[1]}" if value[1] else "")
        if kind is Immediate.FENCE:
            return ""
        if kind is Immediate.V128:
            return "i64x2 " + " ".join(f"{part:#x}" for part in struct.unpack("<2Q", value.to_bytes(16, "little")))
        if kind is Immediate.LANES16:
            return " ".join(map(str, value))
        if kind in {Immediate.F32, Immediate.F64}:
            return _float(value, 32 if kind is Immediate.F32 else 64)
        if kind in {Immediate.I32, Immediate.I64}:
            bits = 32 if kind is Immediate.I32 else 64
            return str(value - (1 << bits) if value >> bits - 1 else value)
        return str(value)

    def reference(self, heap: int, *, nullable: int) -> str:
        return f"(ref {'null ' if nullable else ''}{self.heap(heap)})"

    def label(self, depth: int, value: int) -> str:
        return f"$b{depth - 1 - value}" if value < depth else str(value)

    def clause(self, depth: int, form: int, tag: int | None, label: int) -> str:
        if tag is not None:
            self.used["e"].add(tag)
        return f"({_CLAUSES[form]} {'' if tag is None else f'$e{tag} '}{self.label(depth, label)})"

    # --- the module ----------------------------------------------------------------------------
    def constant(self, expression: ConstExpr) -> str:
        parts = []
        for code, *values in expression.ops:
            row = OPCODES[code]
            texts = [
                self.immediate(kind, value, 0, row.mnemonic) for kind, value in zip(row.immediates, values, strict=True)
            ]
            parts.append(" ".join([row.mnemonic, *texts]))
        return f"({' '.join(parts)})" if len(parts) == 1 else " ".join(parts)

    def table(self, index: int) -> str:
        type_: TableType = self.module.tables[index].type
        return f"  (table $table{index} {_limits(type_.limits)} {self.type(type_.element)})"

    def text(self) -> str:
        module, used = self.module, self.used
        exported = {kind: {e.index for e in self.exports if e.kind is kind} for kind in ExternKind}
        used["f"] |= exported[ExternKind.FUNC]
        used["g"] |= exported[ExternKind.GLOBAL]
        used["m"] |= exported[ExternKind.MEMORY]
        functions: dict[int, list[str]] = {}
        elements: dict[int, str] = {}
        while len(functions) < len(used["f"]) or set(elements) < used["elem"]:
            for index in sorted(used["f"] - set(functions)):
                functions[index] = self.function(index)
            for index, segment in enumerate(module.elements):
                active = segment.mode is SegmentMode.ACTIVE and segment.table in used["table"]
                if active or index in used["elem"] or segment.mode is SegmentMode.DECLARATIVE:
                    elements[index] = self.element(index)
                    used["elem"].add(index)
        lines = [self.table(index) for index in sorted(used["table"])]
        for index in sorted(used["m"]):
            names = self.names(ExternKind.MEMORY, index)
            memory = module.mems[index]
            lines.append(f"  (memory $m{index}{names} {_limits(memory.limits)}{' shared' if memory.shared else ''})")
        lines += [f"  (tag $e{i} {self.signature(module.tags[i].type.func)})" for i in sorted(used["e"])]
        for index in sorted(used["g"]):
            item = module.globals[index]
            type_ = self.type(item.type.value)
            init = self.constant(item.init) if item.init is not None else ""
            text = f"(mut {type_})" if item.type.mutable else type_
            lines.append(f"  (global $g{index}{self.names(ExternKind.GLOBAL, index)} {text} {init})")
        lines += elements.values()
        if self.references:
            lines.append(f"  (elem declare func {' '.join(f'$f{index}' for index in sorted(self.references))})")
        for index, data in enumerate(module.datas):
            if (data.mode is SegmentMode.ACTIVE and data.memory in used["m"]) or index in used["data"]:
                start = f"(memory $m{data.memory}) {self.constant(data.start)} " if data.start is not None else ""
                content = "".join(f"\\{byte:02x}" for byte in module.data[slice(*data.content)])
                lines.append(f'  (data $data{index} {start}"{content}")')
        for index in sorted(functions):
            lines += functions[index]
        return "\n".join(["(module", *self.types(), *lines]) + ")\n"

    def element(self, index: int) -> str:
        segment = self.module.elements[index]
        if segment.funcs is not None:
            self.used["f"] |= set(segment.funcs)
            items = "func " + " ".join(f"$f{each}" for each in segment.funcs)
        else:
            items = f"{self.type(segment.type)} " + " ".join(f"(item {self.constant(e)})" for e in segment.exprs or ())
        mode = "declare " if segment.mode is SegmentMode.DECLARATIVE else ""
        if segment.start is not None:
            self.used["table"].add(segment.table)
            mode = f"(table $table{segment.table}) (offset {self.constant(segment.start)}) "
        return f"  (elem $elem{index} {mode}{items})"

    def names(self, kind: ExternKind, index: int) -> str:
        return "".join(f' (export "{e.name}")' for e in self.exports if e.kind is kind and e.index == index)

    def types(self) -> Iterable[str]:
        """The types in use, whole recursion groups of them."""
        texts: dict[int, list[str]] = {}
        groups = self.module.rec_groups
        while missing := {low for low, high in groups if any(low <= i < high for i in self.used["t"])} - set(texts):
            for low in missing:
                high = next(end for start, end in groups if start == low)
                inner = [self.typedef(index) for index in range(low, high)]
                texts[low] = [f"  {inner[0]}"] if len(inner) == 1 else ["  (rec", *[f"    {i}" for i in inner], "  )"]
        return [line for low in sorted(texts) for line in texts[low]]


def _limits(limits: Limits) -> str:
    most = "" if limits.maximum is None else f" {limits.maximum}"
    return f"{'i64 ' if limits.is64 else ''}{limits.minimum}{most}"


def _float(bits: int, width: int) -> str:
    """A float by its bits, as a hexadecimal number, an infinity or a NaN with its payload."""
    mantissa = 23 if width == 32 else 52
    sign = "-" if bits >> width - 1 else ""
    value = struct.unpack("<f" if width == 32 else "<d", bits.to_bytes(width // 8, "little"))[0]
    if math.isnan(value):
        return f"{sign}nan:{bits & (1 << mantissa) - 1:#x}"
    return f"{sign}inf" if math.isinf(value) else float(value).hex()


def module_text(data: bytes, exports: Collection[str]) -> str:
    """The text of a module as far as these exports need it."""
    return _Printer(data, exports).text()
