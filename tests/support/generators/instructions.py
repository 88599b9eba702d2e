"""Random valid modules, for running one program on two engines and comparing everything that can be seen.

A module has three to six functions over numbers, vectors and references, two memories, two tables, globals, tags, data
and element segments, structures and arrays. The second memory and the second table have indices of 64 bits in half of
the modules each. Any instruction the opcode table gives a signature for can occur, so a new row is tested here without
being mentioned. Control flow is blocks with parameters and results, loops, branches of all kinds, calls of all kinds,
exceptions.

What makes two engines comparable:

- Every call and every turn of a loop takes one from the global `budget`, and traps at zero: programs end.
- The bits of a NaN that arithmetic makes are not determined, so each such result is replaced by one NaN if it is one.
- Relaxed instructions may differ, and are left out.
- Signatures of exported functions are numbers only (`numbers_only=False` lifts that).
"""

import random
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.support.generators.cases import NUMBERS, Call, Case
from wasm2oci.engine.runtime import numeric
from wasm2oci.engine.syntax.features import WASM_3, Feature
from wasm2oci.engine.syntax.opcodes import ADDRESS, BY_MNEMONIC, OPCODES, Immediate, Opcode
from wasm2oci.engine.syntax.types import ANYREF, ARRAYREF, EQREF, EXTERNREF, F32, F64, FUNCREF, I31REF, I32, I64, V128

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["program_case"]

CALLS: Final = 4
"""How often each of them is called."""

ENTRY_COUNT: Final = 3
"""How many functions a program exports: "f0", "f1", ..."""

BUDGET: Final = 300

# Types 0 to 5 are these; function types follow. References to them are written with one-byte type indices.
_STRUCT, _SUBSTRUCT, _BYTES, _WORDS, _DOUBLES, _ANYS = range(6)
_REF_TYPES: Final = (FUNCREF, EXTERNREF, ANYREF, EQREF, I31REF, ARRAYREF)
_GC_REFS: Final = tuple(-1 - index for index in range(6))
"""Stand-ins for nullable references to the types above: -1 is `(ref null 0)`."""

_STRUCT_FIELDS: Final = (I32, I64, I32, F64, -1)  # the third is packed
_SUB_FIELDS: Final = (*_STRUCT_FIELDS, F32)
_ELEMENTS: Final = {_BYTES: I32, _WORDS: I32, _DOUBLES: F64, _ANYS: ANYREF}

_ROUNDED: Final = frozenset(
    (
        *("add", "sub", "mul", "div", "sqrt", "min", "max", "ceil", "floor", "trunc", "nearest"),
        *("demote_f64", "promote_f32", "demote_f64x2_zero", "promote_low_f32x4"),
    )
)

_BY_RESULT: Final[dict[int, list[Opcode]]] = {type_: [] for type_ in (*NUMBERS, V128)}
_STORES: Final[list[Opcode]] = []
for _row in OPCODES.values():
    if _row.params is None or _row.results is None or _row.feature & ~(WASM_3 | Feature.THREADS):
        continue
    if _row.feature & Feature.RELAXED_SIMD or not {*_row.params, *_row.results} <= {*NUMBERS, V128, ADDRESS}:
        continue
    if not {*_row.immediates} <= {Immediate.LANE, Immediate.MEMARG, Immediate.LANES16}:
        continue
    if len(_row.results) == 1:
        _BY_RESULT[_row.results[0]].append(_row)
    elif Immediate.MEMARG in _row.immediates:
        _STORES.append(_row)


# --- encoding ----------------------------------------------------------------------------------
def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


def _signed(value: int) -> bytes:
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value & 0x7F,))


def _vector(items: list[bytes]) -> bytes:
    return _unsigned(len(items)) + b"".join(items)


def _section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + _unsigned(len(content)) + content


def _opcode(mnemonic: str) -> bytes:
    code = BY_MNEMONIC[mnemonic].code
    return bytes((code,)) if code < 0x100 else bytes((code >> 16,)) + _unsigned(code & 0xFFFF)


def _type(type_: int) -> bytes:
    if type_ < 0:
        return bytes((0x63, -1 - type_))
    return bytes((type_ >> 8,)) if type_ > 0xFF else bytes((type_,))


def _heap(type_: int) -> bytes:
    return bytes((-1 - type_,)) if type_ < 0 else bytes((type_ >> 8,))


@dataclass(frozen=True, slots=True)
class Signature:
    """Parameters and results of a function or a block."""

    params: tuple[int, ...]
    results: tuple[int, ...]


class _Writer:
    """Writes one function; see the rules at the top."""

    def __init__(self, module: "_ModuleWriter", signature: Signature) -> None:
        self.module = module
        self.random = module.random
        self.signature = signature
        self.locals = list(signature.params)
        kinds = (*NUMBERS, I32, I64, V128, FUNCREF, EXTERNREF, ANYREF, *_GC_REFS)
        self.locals += [I32, I64, F32, F64, V128]
        self.locals += [self.random.choice(kinds) for _ in range(self.random.randint(0, 6))]
        self.labels: list[tuple[int, ...]] = [signature.results]
        self.out = bytearray()
        self.size = 0

    # --- parts -------------------------------------------------------------------------------
    def emit(self, mnemonic: str, *immediates: bytes | int) -> None:
        self.out += _opcode(mnemonic)
        for immediate in immediates:
            self.out += _unsigned(immediate) if isinstance(immediate, int) else immediate
        self.size += 1

    def body(self) -> bytes:
        self.spend()
        for _ in range(self.random.randint(1, 4)):
            self.statement(3)
        for type_ in self.signature.results:
            self.expression(type_, 4)
        self.emit("end")
        declared = self.locals[len(self.signature.params) :]
        code = _vector([b"\x01" + _type(type_) for type_ in declared]) + bytes(self.out)
        return _unsigned(len(code)) + code

    def spend(self) -> None:
        self.emit("global.get", 0)
        self.emit("i32.eqz")
        self.emit("if", b"\x40")
        self.emit("unreachable")
        self.emit("end")
        self.emit("global.get", 0)
        self.emit("i32.const", b"\x01")
        self.emit("i32.sub")
        self.emit("global.set", 0)

    def block_type(self, signature: Signature) -> bytes:
        if not signature.params and not signature.results:
            return b"\x40"
        if not signature.params and len(signature.results) == 1:
            return _type(signature.results[0])
        return _signed(self.module.type_index(signature))

    def pick_local(self, type_: int) -> int | None:
        found = [index for index, local in enumerate(self.locals) if local == type_]
        return self.random.choice(found) if found else None

    # --- expressions -------------------------------------------------------------------------
    def constant(self, type_: int) -> None:
        draw = self.random
        if type_ == I32:
            self.emit("i32.const", _signed(self.integer(32)))
        elif type_ == I64:
            self.emit("i64.const", _signed(self.integer(64)))
        elif type_ == F32:
            self.emit("f32.const", struct.pack("<f", draw.choice(_FLOATS32)))
        elif type_ == F64:
            self.emit("f64.const", struct.pack("<d", draw.choice(_FLOATS64)))
        elif type_ == V128:
            raw = bytes(draw.choice((0, 0xFF, 0x7F, 0x80, draw.getrandbits(8))) for _ in range(16))
            floats = struct.pack("<4f", *[draw.choice(_FLOATS32) for _ in range(4)])
            self.emit("v128.const", raw if draw.random() < 0.6 else floats)
        elif type_ == FUNCREF and draw.random() < 0.7:
            self.emit("ref.func", draw.randrange(self.module.count))
        elif type_ in {I31REF, EQREF, ANYREF} and draw.random() < 0.6:
            self.constant(I32)
            self.emit("ref.i31")
        elif type_ in {-1 - _STRUCT, -1 - _SUBSTRUCT} and draw.random() < 0.7:
            self.emit("struct.new_default", -1 - type_)
        elif type_ in _GC_REFS[_BYTES:] and draw.random() < 0.7:
            self.emit("i32.const", _signed(draw.randint(0, 12)))
            self.emit("array.new_default", -1 - type_)
        else:
            self.emit("ref.null", _heap(type_))

    def integer(self, bits: int) -> int:
        draw = self.random
        kind = draw.random()
        if kind < 0.4:
            return draw.randint(-2, 20)
        if kind < 0.6:
            return draw.choice((-1, 1, 0)) + draw.choice((-(1 << bits - 1) + 1, (1 << bits - 1) - 2, 255, 65535))
        return draw.getrandbits(draw.randint(1, bits)) - (1 << bits - 1)

    def expression(self, type_: int, depth: int) -> None:
        """Pushes a value of a type."""
        draw = self.random
        if depth <= 0 or self.size > 1500:
            local = self.pick_local(type_)
            if local is not None and draw.random() < 0.7:
                self.emit("local.get", local)
            else:
                self.constant(type_)
            return
        choice = draw.random()
        if choice < 0.5:
            self.operation(type_, depth)
        elif choice < 0.62:
            local = self.pick_local(type_)
            if local is None:
                self.constant(type_)
            elif draw.random() < 0.7:
                self.emit("local.get", local)
            else:
                self.expression(type_, depth - 1)
                self.emit("local.tee", local)
        elif choice < 0.72:
            self.structured(Signature((), (type_,)), depth)
        elif choice < 0.78:
            self.expression(type_, depth - 1)
            self.expression(type_, depth - 1)
            self.expression(I32, depth - 1)
            if type_ in {*NUMBERS, V128} and draw.random() < 0.7:
                self.emit("select")
            else:
                self.emit("select_t", b"\x01" + _type(type_))
        elif choice < 0.84:
            self.call_for((type_,), depth)
        elif choice < 0.88:
            self.branch_with(type_, depth)
        elif choice < 0.92:
            self.global_get(type_)
        elif choice < 0.95:
            self.many(type_, depth)
        else:
            self.constant(type_)

    def operation(self, type_: int, depth: int) -> None:
        if type_ not in _BY_RESULT:
            self.reference(type_, depth)
            return
        if type_ in {I32, I64, F32, F64} and self.random.random() < 0.15:
            self.observation(type_, depth)
            return
        row = self.random.choice(_BY_RESULT[type_])
        if Immediate.MEMARG in row.immediates:
            self.access(row, depth)
            return
        for param in row.params or ():
            self.expression(param, depth - 1)
        self.emit(row.mnemonic, *[self.lanes(row, kind) for kind in row.immediates])
        self.canonical(row)

    def lanes(self, row: Opcode, kind: Immediate) -> bytes:
        if kind is Immediate.LANE:
            shape = row.mnemonic.split(".")[0]
            lanes = int(shape.split("x")[1]) if "x" in shape else 128 // int(row.mnemonic[9:].split("_")[0].lstrip("e"))
            return bytes((self.random.randrange(lanes),))
        return bytes(self.random.randrange(32) for _ in range(16))

    def canonical(self, row: Opcode) -> None:
        """Replaces a NaN that arithmetic may have made by one that is the same everywhere."""
        shape, name = row.mnemonic.split(".")
        if name not in _ROUNDED:
            return
        if shape in {"f32", "f64"}:
            type_ = F32 if shape == "f32" else F64
            local = self.locals.index(type_, len(self.signature.params))
            self.emit("local.tee", local)
            self.emit(f"{shape}.const", struct.pack("<f" if type_ == F32 else "<d", float("nan")))
            self.emit("local.get", local)
            self.emit("local.get", local)
            self.emit(f"{shape}.eq")
            self.emit("select")
            self.emit("local.tee", local)
        elif shape in {"f32x4", "f64x2"}:
            local = self.locals.index(V128, len(self.signature.params))
            nans = (
                struct.pack("<4f", *[float("nan")] * 4) if shape == "f32x4" else struct.pack("<2d", *[float("nan")] * 2)
            )
            self.emit("local.tee", local)
            self.emit("v128.const", nans)
            self.emit("local.get", local)
            self.emit("local.get", local)
            self.emit(f"{shape}.eq")
            self.emit("v128.bitselect")
            self.emit("local.tee", local)

    def address(self, memory: int, depth: int) -> None:
        """An address, which mostly lies inside of the memory."""
        type_ = self.module.memory_types[memory]
        self.expression(type_, depth - 1)
        if self.random.random() < 0.85:
            shape = "i64" if type_ == I64 else "i32"
            self.emit(f"{shape}.const", _signed(self.random.choice((0xFF, 0xFFF, 0xFFFC, 0x10FFF, 0xF8))))
            self.emit(f"{shape}.and")

    def memarg(self, row: Opcode, memory: int) -> bytes:
        draw = self.random
        atomic = row.feature == Feature.THREADS  # which ask for the alignment of their width
        align = row.width.bit_length() - 1 if atomic else draw.randrange(row.width.bit_length())
        wide = self.module.memory_types[memory] == I64
        far = draw.choice((0, 0xFFFFFFF0, 0xFFFFFFFF, 1 << 32, (1 << 64) - 8) if wide else (0, 0xFFFFFFF0, 0xFFFFFFFF))
        edge = draw.choice((65528, 65532, 65535, 65536 - row.width))
        offset = draw.choice((0, 0, 4, 8, draw.randrange(100), edge, far))
        if memory or draw.random() < 0.1:
            return bytes((align | 0x40, memory)) + _unsigned(offset)
        return bytes((align,)) + _unsigned(offset)

    def access(self, row: Opcode, depth: int) -> None:
        memory = int(self.random.random() < 0.35)
        for param in row.params or ():
            if param == ADDRESS:
                self.address(memory, depth)
            else:
                self.expression(param, depth - 1)
        lane = [self.lanes(row, kind) for kind in row.immediates if kind is Immediate.LANE]
        self.emit(row.mnemonic, self.memarg(row, memory), *lane)

    def observation(self, type_: int, depth: int) -> None:
        """A number learned from a memory, a table, or a reference."""
        draw = self.random
        pick = draw.randrange(8)
        memory, table = draw.randrange(2), draw.randrange(2)
        if pick == 0 and type_ == self.module.memory_types[memory]:
            self.emit("memory.size", memory)
        elif pick == 1 and type_ == self.module.memory_types[memory]:
            self.expression(type_, 0)
            if draw.random() < 0.9:
                shape = "i64" if type_ == I64 else "i32"
                self.emit(f"{shape}.const", b"\x01")
                self.emit(f"{shape}.and")
            self.emit("memory.grow", memory)
        elif pick == 2 and type_ == self.module.table_types[table]:
            self.emit("table.size", table)
        elif type_ == I32 and pick == 3:
            self.expression(draw.choice((FUNCREF, EXTERNREF, ANYREF, *_GC_REFS)), depth - 1)
            self.emit("ref.is_null")
        elif type_ == I32 and pick == 4:
            self.expression(ANYREF, depth - 1)
            self.emit(
                draw.choice(("ref.test", "ref.test_null")), _heap(draw.choice((*_GC_REFS, EQREF, I31REF, ARRAYREF)))
            )
        elif type_ == I32 and pick == 5:
            self.expression(EQREF, depth - 1)
            self.expression(draw.choice((EQREF, I31REF, *_GC_REFS)), depth - 1)
            self.emit("ref.eq")
        elif type_ == I32 and pick == 6:
            self.expression(I31REF, depth - 1)
            self.emit(draw.choice(("i31.get_s", "i31.get_u")))
        else:
            self.field(type_, depth)

    def field(self, type_: int, depth: int) -> None:
        draw = self.random
        arrays = [index for index, element in _ELEMENTS.items() if element == type_]
        fields = [index for index, field in enumerate(_SUB_FIELDS) if field == type_]
        if arrays and draw.random() < 0.5:
            array = draw.choice(arrays)
            self.expression(-1 - array, depth - 1)
            self.index(depth)
            self.emit(draw.choice(("array.get_s", "array.get_u")) if array == _BYTES else "array.get", array)
        elif fields:
            field = draw.choice(fields)
            struct_type = _SUBSTRUCT if field == 5 else draw.choice((_STRUCT, _SUBSTRUCT))
            self.expression(-1 - struct_type, depth - 1)
            self.emit(draw.choice(("struct.get_s", "struct.get_u")) if field == 2 else "struct.get", struct_type, field)
        else:
            self.constant(type_)

    def index(self, depth: int, type_: int = I32, *, always: bool = False) -> None:
        """A small number, nearly always."""
        self.expression(type_, depth - 1)
        if always or self.random.random() < 0.9:
            shape = "i64" if type_ == I64 else "i32"
            self.emit(f"{shape}.const", b"\x07")
            self.emit(f"{shape}.and")

    def reference(self, type_: int, depth: int) -> None:
        draw = self.random
        if type_ == FUNCREF:
            self.index(depth)
            self.emit("table.get", 0)
        elif type_ == EXTERNREF:
            self.expression(ANYREF, depth - 1)
            self.emit("extern.convert_any")
        elif type_ == ANYREF and draw.random() < 0.2:
            self.expression(EXTERNREF, depth - 1)
            self.emit("any.convert_extern")
        elif type_ in {ANYREF, EQREF}:
            self.expression(draw.choice((I31REF, *_GC_REFS)), depth - 1)
        elif type_ == I31REF:
            self.expression(I32, depth - 1)
            self.emit("ref.i31")
        elif type_ == ARRAYREF:
            self.expression(-1 - draw.choice((_BYTES, _WORDS, _DOUBLES, _ANYS)), depth - 1)
        elif draw.random() < 0.25:
            self.expression(ANYREF, depth - 1)
            self.emit("ref.cast_null", _heap(type_))
        else:
            self.aggregate(-1 - type_, depth)

    def aggregate(self, index: int, depth: int) -> None:
        draw = self.random
        if index == _STRUCT and draw.random() < 0.3:
            index = _SUBSTRUCT
        if index in {_STRUCT, _SUBSTRUCT}:
            if draw.random() < 0.3:
                self.emit("struct.new_default", index)
                return
            for field in _STRUCT_FIELDS if index == _STRUCT else _SUB_FIELDS:
                self.expression(field, depth - 2)
            self.emit("struct.new", index)
            return
        pick = draw.randrange(4)
        if pick == 0:
            self.index(depth, always=True)
            self.emit("array.new_default", index)
        elif pick == 1:
            self.expression(_ELEMENTS[index], depth - 1)
            self.index(depth, always=True)
            self.emit("array.new", index)
        elif pick == 2 and index != _ANYS:
            self.index(depth)
            self.index(depth)
            self.emit("array.new_data", index, 1)
        else:
            count = draw.randint(0, 4)
            for _ in range(count):
                self.expression(_ELEMENTS[index], depth - 2)
            self.emit("array.new_fixed", index, count)

    def global_get(self, type_: int) -> None:
        found = [index for index, global_ in enumerate(self.module.globals) if index and global_ == type_]
        if found:
            self.emit("global.get", self.random.choice(found))
        else:
            self.constant(type_)

    def many(self, type_: int, depth: int) -> None:
        """A value on its way through a block with several parameters and results."""
        draw = self.random
        params = tuple(draw.choice((*NUMBERS, V128)) for _ in range(draw.randint(0, 2)))
        results = (type_, *[draw.choice(NUMBERS) for _ in range(draw.randint(1, 2))])
        for param in params:
            self.expression(param, depth - 2)
        self.structured(Signature(params, results), depth)
        for dropped in reversed(results[1:]):
            local = self.pick_local(dropped)
            if local is not None and draw.random() < 0.5:
                self.emit("local.set", local)
            else:
                self.emit("drop")

    def branch_with(self, type_: int, depth: int) -> None:
        """A value that may leave by a branch instead."""
        draw = self.random
        labels = [depth_ for depth_, types in enumerate(reversed(self.labels)) if types == (type_,)]
        if not labels:
            self.constant(type_)
            return
        self.expression(type_, depth - 1)
        if type_ in {FUNCREF, EXTERNREF, ANYREF, *_GC_REFS} and draw.random() < 0.3:
            # Labels of no types at all: null leaves.
            empty = [depth_ for depth_, types in enumerate(reversed(self.labels)) if not types]
            if empty:
                self.emit("br_on_null", draw.choice(empty))
                return
        self.expression(I32, depth - 1)
        self.emit("br_if", draw.choice(labels))

    # --- structure ---------------------------------------------------------------------------
    def structured(self, signature: Signature, depth: int) -> None:
        """A block, loop, if or try_table; its parameters are on the stack."""
        draw = self.random
        kind = draw.choice(("block", "block", "loop", "if", "if", "try"))
        if kind == "if":
            self.expression(I32, depth - 1)
            self.emit("if", self.block_type(signature))
            self.inside(signature, signature.results, depth)
            if signature.params != signature.results or draw.random() < 0.7:
                self.emit("else")
                self.inside(signature, signature.results, depth)
            self.emit("end")
        elif kind == "loop":
            self.emit("loop", self.block_type(signature))
            self.inside(signature, signature.params, depth, spend=True)
            self.emit("end")
        elif kind == "try" and not signature.params:
            self.handler(signature, depth)
        else:
            self.emit("block", self.block_type(signature))
            self.inside(signature, signature.results, depth)
            self.emit("end")

    def inside(self, signature: Signature, label: tuple[int, ...], depth: int, *, spend: bool = False) -> None:
        draw = self.random
        self.labels.append(label)
        for param in reversed(signature.params):
            local = self.pick_local(param)
            if local is not None and draw.random() < 0.7:
                self.emit("local.set", local)
            else:
                self.emit("drop")
        if spend:
            self.spend()
        for _ in range(draw.randint(0, 2)):
            self.statement(depth - 1)
        if spend and draw.random() < 0.8:
            for param in signature.params:
                self.expression(param, depth - 2)
            self.expression(I32, depth - 1)
            self.emit("br_if", 0)
            for _ in signature.params:
                self.emit("drop")
        for result in signature.results:
            self.expression(result, depth - 1)
        self.labels.pop()

    def handler(self, signature: Signature, depth: int) -> None:
        """A try_table whose handlers' values are turned into the results."""
        draw = self.random
        tag = draw.randrange(len(self.module.tags))
        carried = self.module.tags[tag] if (catch_all := draw.random() < 0.3) is False else ()
        self.emit("block", self.block_type(signature))
        self.labels.append(signature.results)
        self.emit("block", self.block_type(Signature((), carried)))
        self.labels.append(carried)
        clause = b"\x02" + _unsigned(0) if catch_all else b"\x00" + _unsigned(tag) + _unsigned(0)
        self.emit("try_table", self.block_type(signature), b"\x01" + clause)
        self.inside(Signature((), signature.results), signature.results, depth)
        self.emit("end")
        self.emit("br", 1)
        self.emit("end")
        self.labels.pop()
        for type_ in reversed(carried):
            local = self.pick_local(type_)
            if local is None:
                self.emit("drop")
            else:
                self.emit("local.set", local)
        for result in signature.results:
            self.expression(result, depth - 1)
        self.labels.pop()
        self.emit("end")

    def call_for(self, results: tuple[int, ...], depth: int) -> None:
        """A call of some kind with these results, or constants where no function has them."""
        draw = self.random
        found = [i for i, signature in enumerate(self.module.signatures) if signature.results == results]
        if not found:
            for type_ in results:
                self.constant(type_)
            return
        callee = draw.choice(found)
        for param in self.module.signatures[callee].params:
            self.expression(param, depth - 1)
        self.call(callee, depth, "")

    def call(self, callee: int, depth: int, prefix: str) -> None:
        draw = self.random
        kind = draw.random()
        type_ = self.module.type_index(self.module.signatures[callee])
        if kind < 0.5:
            self.emit(f"{prefix}call", callee)
        elif kind < 0.8:
            if draw.random() < 0.6:
                self.emit("i32.const", _signed(callee))
            else:
                self.index(depth)
            self.emit(f"{prefix}call_indirect", type_, 0)
        elif draw.random() < 0.8:
            self.emit("ref.func", callee)
            self.emit(f"{prefix}call_ref", type_)
        else:
            self.emit("i32.const", _signed(callee))
            self.emit("table.get", 0)
            self.emit("ref.cast_null", _signed(type_))
            self.emit(f"{prefix}call_ref", type_)

    # --- statements --------------------------------------------------------------------------
    def statement(self, depth: int) -> None:
        """Something that leaves the stack as it was."""
        draw = self.random
        if depth <= 0 or self.size > 1500:
            return
        choices: list[tuple[float, Callable[[int], None]]] = [
            (5, self.set_local),
            (3, self.set_global),
            (4, self.store),
            (3, self.plain_block),
            (2, self.branch),
            (1.5, self.bulk),
            (2, self.tables),
            (1.5, self.set_field),
            (1, self.throw),
            (0.4, self.leave),
            (1, self.drop_call),
            (0.1, lambda _: self.emit("unreachable")),
        ]
        weights, actions = zip(*choices, strict=True)
        draw.choices(actions, weights)[0](depth)

    def set_local(self, depth: int) -> None:
        local = self.random.randrange(len(self.locals))
        self.expression(self.locals[local], depth)
        self.emit("local.set", local)

    def set_global(self, depth: int) -> None:
        index = self.random.randrange(1, len(self.module.globals))
        self.expression(self.module.globals[index], depth)
        self.emit("global.set", index)

    def store(self, depth: int) -> None:
        self.access(self.random.choice(_STORES), depth)

    def plain_block(self, depth: int) -> None:
        self.structured(Signature((), ()), depth)

    def branch(self, depth: int) -> None:
        draw = self.random
        if draw.random() < 0.3:
            target = draw.randrange(len(self.labels))
            types = self.labels[-1 - target]
            same = [i for i, other in enumerate(reversed(self.labels)) if other == types]
            for type_ in types:
                self.expression(type_, depth - 1)
            if draw.random() < 0.5:
                self.expression(I32, depth - 1)
                listed = [_unsigned(draw.choice(same)) for _ in range(draw.randint(0, 5))]
                self.emit("br_table", _vector(listed), target)
            else:
                self.emit("br", target)
            return
        target = draw.randrange(len(self.labels))
        types = self.labels[-1 - target]
        for type_ in types:
            self.expression(type_, depth - 1)
        self.expression(I32, depth - 1)
        self.emit("br_if", target)
        for _ in types:
            self.emit("drop")

    def leave(self, depth: int) -> None:
        draw = self.random
        found = [i for i, s in enumerate(self.module.signatures) if s.results == self.signature.results]
        if found and draw.random() < 0.6:
            callee = draw.choice(found)
            for param in self.module.signatures[callee].params:
                self.expression(param, depth - 1)
            self.call(callee, depth, "return_")
            return
        for type_ in self.signature.results:
            self.expression(type_, depth - 1)
        self.emit("return")

    def drop_call(self, depth: int) -> None:
        callee = self.random.randrange(self.module.count)
        signature = self.module.signatures[callee]
        for param in signature.params:
            self.expression(param, depth - 1)
        self.call(callee, depth, "")
        for _ in signature.results:
            self.emit("drop")

    def throw(self, depth: int) -> None:
        tag = self.random.randrange(len(self.module.tags))
        self.expression(I32, depth - 1)
        self.emit("if", b"\x40")
        self.labels.append(())
        for type_ in self.module.tags[tag]:
            self.expression(type_, depth - 1)
        self.emit("throw", tag)
        self.labels.pop()
        self.emit("end")

    def bulk(self, depth: int) -> None:
        draw = self.random
        pick = draw.randrange(5)
        if pick == 4:
            self.emit("data.drop", 1)
            return
        types = self.module.memory_types
        memory, source = draw.randrange(2), draw.randrange(2)
        self.address(memory, depth)
        if pick == 0:
            self.expression(I32, depth - 1)
            self.index(depth, types[memory])
            self.emit("memory.fill", memory)
        elif pick == 1:
            self.index(depth)
            self.index(depth)
            self.emit("memory.init", 1, memory)
        else:
            self.address(source, depth)
            self.index(depth, I32 if I32 in {types[memory], types[source]} else I64)
            self.emit("memory.copy", memory, source)

    def tables(self, depth: int) -> None:
        draw = self.random
        pick = draw.randrange(6)
        types = self.module.table_types
        table, source = draw.randrange(2), draw.randrange(2)
        if pick == 0:
            self.expression(FUNCREF, depth - 1)
            self.index(depth, types[table])
            self.emit("table.grow", table)
            self.emit("drop")
            return
        if pick == 5:
            self.emit("elem.drop", 1)
            return
        self.index(depth, types[table])
        if pick == 1:
            self.expression(FUNCREF, depth - 1)
            self.emit("table.set", table)
        elif pick == 2:
            self.expression(FUNCREF, depth - 1)
            self.index(depth, types[table])
            self.emit("table.fill", table)
        elif pick == 3:
            self.index(depth, types[source])
            self.index(depth, I32 if I32 in {types[table], types[source]} else I64)
            self.emit("table.copy", table, source)
        else:
            self.index(depth)
            self.index(depth)
            self.emit("table.init", 1, table)

    def set_field(self, depth: int) -> None:
        draw = self.random
        if draw.random() < 0.4:
            index = draw.choice((_STRUCT, _SUBSTRUCT))
            fields = _STRUCT_FIELDS if index == _STRUCT else _SUB_FIELDS
            field = draw.randrange(len(fields))
            self.expression(-1 - index, depth - 1)
            self.expression(fields[field], depth - 1)
            self.emit("struct.set", index, field)
            return
        array = draw.choice(tuple(_ELEMENTS))
        self.expression(-1 - array, depth - 1)
        self.index(depth)
        pick = draw.randrange(4)
        if pick == 0:
            self.expression(_ELEMENTS[array], depth - 1)
            self.emit("array.set", array)
        elif pick == 1:
            self.expression(_ELEMENTS[array], depth - 1)
            self.index(depth)
            self.emit("array.fill", array)
        elif pick == 2 and array != _ANYS:
            self.index(depth)
            self.index(depth)
            self.emit("array.init_data", array, 1)
        else:
            # Were the source null and the target too short, either trap would do.
            self.expression(-1 - array, depth - 1)
            self.emit("ref.as_non_null")
            self.index(depth)
            self.index(depth)
            self.emit("array.copy", array, array)


_INFINITY: Final = float("inf")
_FLOATS32: Final = (
    *(0.0, -0.0, 1.0, -1.5, 3.5, 2.5, 1e-45, 3.4028234663852886e38),
    *(_INFINITY, -_INFINITY, float("nan"), 16777217.0, 2147483648.0),
)
_FLOATS64: Final = (
    *_FLOATS32,
    *(5e-324, 1.7976931348623157e308, 4503599627370497.5, 9.223372036854776e18, -2147483649.0, 0.1),
)


class _ModuleWriter:
    """Writes a module around the functions."""

    def __init__(self, seed: int, *, numbers_only: bool) -> None:
        self.random = draw = random.Random(seed)
        self.count = draw.randint(ENTRY_COUNT, 6)
        self.types: list[Signature] = []
        self.globals = [I32, *NUMBERS, V128, *[draw.choice((*NUMBERS, V128)) for _ in range(draw.randint(0, 2))]]
        self.memory_types = (I32, draw.choice((I32, I64)))
        self.table_types = (I32, draw.choice((I32, I64)))
        self.tags = [tuple(draw.choice(NUMBERS) for _ in range(draw.randint(0, 2))) for _ in range(2)]
        inner = (*NUMBERS, *NUMBERS, V128, FUNCREF, EXTERNREF, ANYREF, *_GC_REFS)
        self.signatures = [
            self.signature(NUMBERS if index < ENTRY_COUNT and numbers_only else inner) for index in range(self.count)
        ]

    def signature(self, kinds: tuple[int, ...]) -> Signature:
        draw = self.random
        results = draw.choices((0, 1, 2, 3), (1, 6, 2, 1))[0]
        return Signature(
            tuple(draw.choice(kinds) for _ in range(draw.randint(0, 3))),
            tuple(draw.choice(kinds) for _ in range(results)),
        )

    def type_index(self, signature: Signature) -> int:
        if signature not in self.types:
            self.types.append(signature)
        return len(_ELEMENTS) + 2 + self.types.index(signature)

    def write(self) -> bytes:
        draw = self.random
        functions = [self.type_index(signature) for signature in self.signatures]
        tags = [self.type_index(Signature(params, ())) for params in self.tags]
        reset = self.type_index(Signature((), ()))
        bodies = [_Writer(self, signature).body() for signature in self.signatures]
        refill = b"\x00\x41" + _signed(BUDGET) + b"\x24\x00\x0b"
        mutable = b"\x01"
        fields = [bytes((0x7F,)), bytes((0x7E,)), b"\x78", bytes((0x7C,)), b"\x63\x00"]
        types = [
            b"\x50\x00\x5f" + _vector([f + mutable for f in fields]),
            b"\x50\x01\x00\x5f" + _vector([f + mutable for f in (*fields, bytes((0x7D,)))]),
            *[b"\x5e" + element + mutable for element in (b"\x78", b"\x7f", b"\x7c", b"\x6e")],
            *[
                b"\x60" + _vector([_type(t) for t in s.params]) + _vector([_type(t) for t in s.results])
                for s in self.types
            ],
        ]
        zeros = {I32: b"\x41\x00", I64: b"\x42\x00", F32: b"\x43" + bytes(4), F64: b"\x44" + bytes(8)}
        zeros[V128] = b"\xfd\x0c" + bytes(16)
        exports = [(f"f{index}", 0, index) for index in range(ENTRY_COUNT)]
        exports += [("reset", 0, self.count), ("m0", 2, 0), ("m1", 2, 1)]
        exports += [(f"g{index}", 3, index) for index, type_ in enumerate(self.globals) if type_ in NUMBERS]
        members = [draw.randrange(self.count) for _ in range(3)]
        content = bytes(draw.getrandbits(8) for _ in range(24))
        limits = [5 if types[1] == I64 else 1 for types in (self.memory_types, self.table_types)]
        sections = [
            (1, _vector(types)),
            (3, _vector([_unsigned(index) for index in (*functions, reset)])),
            (4, _vector([b"\x70\x01" + _unsigned(self.count + 2) + b"\x10", bytes((0x70, limits[1], 4, 10))])),
            (5, _vector([b"\x01\x01\x03", bytes((limits[0], 1, 2))])),
            (13, _vector([b"\x00" + _unsigned(index) for index in tags])),
            (6, _vector([bytes((type_, 1)) + zeros[type_] + b"\x0b" for type_ in self.globals])),
            (7, _vector([_name(name) + bytes((kind,)) + _unsigned(index) for name, kind, index in exports])),
            (
                9,
                _vector(
                    [
                        b"\x00\x41\x00\x0b" + _vector([_unsigned(index) for index in range(self.count)]),
                        b"\x01\x00" + _vector([_unsigned(index) for index in members]),
                    ]
                ),
            ),
            (12, _unsigned(2)),
            (10, _vector([*bodies, _unsigned(len(refill)) + refill])),
            (11, _vector([b"\x00\x41\x00\x0b" + _vector_bytes(content), b"\x01" + _vector_bytes(content[::-1])])),
        ]
        return b"\0asm\x01\0\0\0" + b"".join(_section(number, content) for number, content in sections)


def _name(text: str) -> bytes:
    return _vector_bytes(text.encode())


def _vector_bytes(content: bytes) -> bytes:
    return _unsigned(len(content)) + content


def program_case(seed: int, *, numbers_only: bool = True) -> Case:
    """A program and calls of it: always the same for the same seed and version of this file."""
    writer = _ModuleWriter(seed, numbers_only=numbers_only)
    data = writer.write()
    draw = random.Random(seed ^ 0x5EED)
    calls = [
        Call(f"f{entry}", tuple(_argument(draw, type_) for type_ in writer.signatures[entry].params))
        for _ in range(CALLS)
        for entry in range(ENTRY_COUNT)
    ]
    return Case(data, tuple(calls), reset="reset")


def _argument(draw: random.Random, type_: int) -> Any:
    if type_ not in NUMBERS:
        return draw.getrandbits(128) if type_ == V128 else None
    if type_ in {F32, F64}:
        value = draw.choice((0.0, -0.0, 1.0, -2.5, 1e10, -1e30, 1e300, float("inf"), 0.5))
        return numeric.round_to_f32(value) if type_ == F32 else value
    bits = 32 if type_ == I32 else 64
    return draw.choice((0, 1, 2, 5, (1 << bits) - 1, 1 << bits - 1, (1 << bits - 1) - 1, draw.getrandbits(bits)))
