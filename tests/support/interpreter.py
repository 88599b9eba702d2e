"""A plain interpreter of function bodies: the second opinion on what the translator makes of them.

It walks over instructions one by one with a value stack and a label stack, as the specification describes execution,
and is as slow as that sounds. It shares the run-time library (`engine.runtime`) with the translator and nothing else,
so it can check programs that wasmtime's Python binding cannot run: those with v128 or GC references in signatures.

`interpret(instance)` takes the place of `translate.prepare(instance)`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.runtime import gc, memory, table
from wasm2oci.engine.runtime.constant import pack
from wasm2oci.engine.runtime.limits import CALLS
from wasm2oci.engine.runtime.numeric import NUMERIC, f32_bits, f32_from_bits, f64_bits, f64_from_bits
from wasm2oci.engine.runtime.simd_float import SIMD_FLOAT
from wasm2oci.engine.runtime.simd_integer import SIMD_INTEGER
from wasm2oci.engine.runtime.simd_lanes import SIMD_LANES
from wasm2oci.engine.runtime.simd_memory import SIMD_MEMORY
from wasm2oci.engine.runtime.trap import Trap, TrapKind, WasmException
from wasm2oci.engine.runtime.values import default
from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate
from wasm2oci.engine.syntax.types import I8, I16, REF, REF_NULL, ArrayType, FuncType, StructType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.engine.runtime.function import Function
    from wasm2oci.engine.runtime.instance import ModuleInstance
    from wasm2oci.engine.syntax.module import Module

__all__ = ["instructions", "interpret", "read_immediate"]

_VECTOR = {**SIMD_INTEGER, **SIMD_FLOAT, **SIMD_LANES}
_U32 = {
    Immediate.LABEL,
    Immediate.FUNC,
    Immediate.TYPE,
    Immediate.TABLE,
    Immediate.LOCAL,
    Immediate.GLOBAL,
    Immediate.MEMORY,
    Immediate.TAG,
    Immediate.DATA,
    Immediate.ELEM,
    Immediate.FIELD,
    Immediate.COUNT,
}
_FIXED = {Immediate.F32: 4, Immediate.F64: 8, Immediate.V128: 16}
_OPENERS = {"block", "loop", "if", "try_table"}


# --- decoding ----------------------------------------------------------------------------------
@dataclass(slots=True)
class Instruction:
    """One instruction; `end` and `els` are indices of what closes it, where it opens a block."""

    mnemonic: str
    immediates: tuple[Any, ...]
    end: int = -1
    els: int = -1


def _heap(reader: Reader, module: Module) -> int:
    number = reader.s33()
    return module.types[number].id if number >= 0 else number & 0x7F


def _value_type(reader: Reader, module: Module) -> int:
    byte = reader.byte()
    if byte in {REF, REF_NULL}:
        return _heap(reader, module) << 8 | byte
    return byte << 8 | REF_NULL if byte < I16 else byte


def read_immediate(kind: Immediate, reader: Reader, module: Module) -> Any:
    if kind in _U32:
        return reader.u32()
    if kind in _FIXED:
        return int.from_bytes(reader.take(_FIXED[kind]), "little")
    if kind is Immediate.BLOCKTYPE:
        if reader.data[reader.pos] == 0x40:
            reader.pos += 1
            return FuncType((), ())
        if reader.data[reader.pos] & 0xC0 == 0x40:
            return FuncType((), (_value_type(reader, module),))
        return module.types[reader.s33()].func
    if kind is Immediate.LABELS:
        return [reader.u32() for _ in range(reader.u32() + 1)]
    if kind is Immediate.VALTYPES:
        return [_value_type(reader, module) for _ in range(reader.u32())]
    if kind is Immediate.HEAPTYPE:
        return _heap(reader, module)
    if kind is Immediate.CATCHES:
        clauses = []
        for _ in range(reader.u32()):
            clause = reader.byte()
            clauses.append((clause, reader.u32() if clause < 2 else None, reader.u32()))
        return clauses
    if kind is Immediate.MEMARG:
        flags = reader.u32()
        index = reader.u32() if flags & 0x40 else 0
        return index, reader.u64()
    if kind is Immediate.LANES16:
        return reader.take(16)
    if kind is Immediate.I32:
        return reader.s32() & 0xFFFFFFFF
    if kind is Immediate.I64:
        return reader.s64() & 0xFFFFFFFFFFFFFFFF
    return reader.byte()  # LANE, CASTFLAGS


def instructions(module: Module, defined: int) -> tuple[list[int], list[Instruction]]:
    """The types of the declared locals, and the instructions, of the function with code `defined`."""
    start, stop = module.codes[defined]
    reader = Reader(module.data, start, stop)
    locals_: list[int] = []
    for _ in range(reader.u32()):
        count = reader.u32()
        locals_ += [_value_type(reader, module)] * count
    code: list[Instruction] = []
    open_: list[Instruction] = []
    while reader.pos < stop:
        opcode = reader.byte()
        if opcode in {0xFB, 0xFC, 0xFD, 0xFE}:
            opcode = opcode << 16 | reader.u32()
        row = OPCODES[opcode]
        instruction = Instruction(
            row.mnemonic, tuple([read_immediate(kind, reader, module) for kind in row.immediates])
        )
        if row.mnemonic in _OPENERS:
            open_.append(instruction)
        elif row.mnemonic == "else":
            open_[-1].els = len(code)
        elif row.mnemonic == "end" and open_:
            opener = open_.pop()
            opener.end = len(code)
            if opener.els >= 0:
                code[opener.els].end = len(code)
        code.append(instruction)
    return locals_, code


# --- execution ---------------------------------------------------------------------------------
@dataclass(slots=True)
class _Label:
    """A block being executed: where a branch to it goes on, with how many values, at which height."""

    target: int
    arity: int
    height: int
    loop: bool = False
    catches: list[tuple[int, int | None, int]] = field(default_factory=list)


class _Call(NamedTuple):
    """What a call instruction asks for; `tail` takes the place of the activation."""

    function: Function
    arguments: list[Any]
    tail: bool


class _Body:
    """A function of an instance, which is called as any other; its instructions are decoded at the first call."""

    def __init__(self, instance: ModuleInstance, function: Function, defined: int) -> None:
        self.instance = instance
        self.results = len(function.type_.func.results)
        self.defined = defined
        self.steps: list[_Step] = []
        self.defaults: list[Any] = []

    def activate(self, arguments: Iterable[Any]) -> _Activation:
        """The start of a call."""
        if not self.steps:
            locals_, code = instructions(self.instance.module, self.defined)
            self.defaults = [default(type_) for type_ in locals_]
            self.steps = [_step(instruction) for instruction in code]
        return _Activation(self.instance, self.steps, [*arguments, *self.defaults], self.results)

    def __call__(self, *arguments: Any) -> Any:
        """Executes the function, and what it calls, on a stack of activations of their own.

        Python's own stack has no part in it: how deeply a program may call does not depend on who else is running.
        """
        activations = [self.activate(arguments)]
        while True:
            try:
                call = activations[-1].run()
                if call is None:
                    returned = activations.pop().finish()
                else:
                    if call.tail:
                        activations.pop()
                    if isinstance(call.function.call, _Body):
                        if len(activations) == CALLS:
                            raise Trap(TrapKind.CALL_STACK)
                        activations.append(call.function.call.activate(call.arguments))
                        continue
                    results = len(call.function.type_.func.results)
                    returned = call.function.call(*call.arguments)
                    returned = [] if not results else [returned] if results == 1 else list(returned)
                if not activations:
                    return None if not returned else returned[0] if len(returned) == 1 else tuple(returned)
                activations[-1].stack += returned
            except WasmException as exception:
                while not activations[-1].handle(exception):
                    activations.pop()
                    if not activations:
                        raise


class _Activation:
    """One call of one function."""

    def __init__(self, instance: ModuleInstance, steps: list[_Step], locals_: list[Any], results: int) -> None:
        self.instance = instance
        self.steps = steps
        self.locals = locals_
        self.results = results
        self.stack: list[Any] = []
        self.labels = [_Label(len(steps), results, 0)]
        self.pc = 0

    def run(self) -> _Call | None:
        """Goes on until the next call, or the end."""
        steps = self.steps
        end = len(steps)
        while (pc := self.pc) < end:
            self.pc = pc + 1
            asked = steps[pc](self)
            if asked is not None:
                return asked
        return None

    def finish(self) -> list[Any]:
        """The results."""
        return self.stack[len(self.stack) - self.results :]

    def pop(self, count: int) -> list[Any]:
        start = len(self.stack) - count
        values = self.stack[start:]
        del self.stack[start:]
        return values

    # --- control -----------------------------------------------------------------------------
    def enter(self, instruction: Instruction, target: int, arity: int) -> None:
        params = len(instruction.immediates[0].params)
        self.labels.append(_Label(target, arity, len(self.stack) - params))

    def branch(self, depth: int) -> None:
        label = self.labels[-1 - depth]
        values = self.pop(label.arity)
        del self.stack[label.height :]
        self.stack += values
        # A branch to a loop starts it again, so its label stays.
        del self.labels[len(self.labels) - depth - (0 if label.loop else 1) :]
        self.pc = label.target

    def handle(self, exception: WasmException) -> bool:
        """Looks for a handler, from the innermost block out; branches to it where there is one."""
        while self.labels:
            label = self.labels[-1]
            for clause, tag, depth in label.catches:
                if clause < 2 and self.instance.tags[tag or 0] is not exception.tag:
                    continue
                del self.stack[label.height :]
                self.labels.pop()  # the handler's labels count from outside the block
                if clause in {0, 1}:
                    self.stack += exception.values
                if clause in {1, 3}:
                    self.stack.append(exception)
                self.branch(depth)
                return True
            self.labels.pop()
        return False

    def call(self, function: Function, *, tail: bool = False) -> _Call:
        return _Call(function, self.pop(len(function.type_.func.params)), tail)

    def indirect(self, immediates: tuple[Any, ...]) -> Function:
        type_index, table_index = immediates
        elements = self.instance.tables[table_index].elems
        index = self.stack.pop()
        if index >= len(elements):
            raise Trap(TrapKind.UNDEFINED_ELEMENT)
        function: Function | None = elements[index]
        if function is None:
            raise Trap(TrapKind.UNINITIALIZED_ELEMENT)
        if self.instance.module.types[type_index].id not in function.above:
            raise Trap(TrapKind.INDIRECT_CALL)
        return function

    # --- everything else ---------------------------------------------------------------------
    def vector_memory(self, mnemonic: str, immediates: tuple[Any, ...]) -> None:
        (index, offset), *lane = immediates
        address, *operand = self.pop(len(_row(mnemonic).params or ()))
        got = SIMD_MEMORY[mnemonic](self.instance.mems[index], address + offset, *operand, *lane)
        if _row(mnemonic).results:
            self.stack.append(got)

    def atomic(self, mnemonic: str, immediates: tuple[Any, ...]) -> None:
        """An atomic access. There is one thread: a notify wakes no other one, and a wait ends with its time-out."""
        row = _row(mnemonic)
        index, offset = immediates[0]
        address, *operands = self.pop(len(row.params or ()))
        address += offset
        if address % row.width:
            raise Trap(TrapKind.UNALIGNED)
        where = self.instance.mems[index]
        before = int.from_bytes(where.read(address, row.width), "little")
        most = (1 << 8 * row.width) - 1
        name = mnemonic.rpartition(".")[2].partition("_")[0].rstrip("0123456789")
        if name == "wait":
            if not where.type_.shared:
                raise Trap(TrapKind.UNSHARED)
            self.stack.append(1 if before != operands[0] else 2)
        elif name in _ATOMIC:
            after = _ATOMIC[name](before, *(operand & most for operand in operands)) & most
            where.write(address, after.to_bytes(row.width, "little"))
        if name == "notify":
            self.stack.append(0)
        elif name not in {"store", "wait"}:
            self.stack.append(before)

    def access(self, mnemonic: str, immediates: tuple[Any, ...]) -> None:
        row = _row(mnemonic)
        index, offset = immediates[0]
        address, *operand = self.pop(len(row.params or ()))
        address += offset
        where = self.instance.mems[index]
        if not row.results:
            value = operand[0]
            bits = f32_bits(value) if mnemonic[:3] == "f32" else f64_bits(value) if mnemonic[:3] == "f64" else value
            where.write(address, (bits & (1 << 8 * row.width) - 1).to_bytes(row.width, "little"))
            return
        bits = int.from_bytes(where.read(address, row.width), "little")
        if mnemonic[0] == "f":
            self.stack.append(f32_from_bits(bits) if row.width == 4 else f64_from_bits(bits))
        elif mnemonic.endswith("_s") and bits >> 8 * row.width - 1:
            self.stack.append(bits - (1 << 8 * row.width) & (1 << int(mnemonic[1:3])) - 1)
        else:
            self.stack.append(bits)


_ROWS = {row.mnemonic: row for row in OPCODES.values()}
_ATOMIC: dict[str, Callable[..., int]] = {
    "store": lambda _, value: value,
    "xchg": lambda _, value: value,
    "add": operator.add,
    "sub": operator.sub,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "cmpxchg": lambda before, expected, value: value if before == expected else before,
}
"""What an atomic access leaves in memory, of what was there and its operands."""


def _row(mnemonic: str) -> Any:
    return _ROWS[mnemonic]


# --- control instructions ----------------------------------------------------------------------
def _block(a: _Activation, i: Instruction) -> None:
    a.enter(i, i.end + 1, len(i.immediates[0].results))


def _loop(a: _Activation, i: Instruction) -> None:
    a.enter(i, a.pc, len(i.immediates[0].params))
    a.labels[-1].loop = True


def _if(a: _Activation, i: Instruction) -> None:
    if a.stack.pop():
        a.enter(i, i.end + 1, len(i.immediates[0].results))
    elif i.els >= 0:
        a.enter(i, i.end + 1, len(i.immediates[0].results))
        a.pc = i.els + 1
    else:
        a.pc = i.end + 1


def _else(a: _Activation, i: Instruction) -> None:
    a.pc = i.end


def _try_table(a: _Activation, i: Instruction) -> None:
    a.enter(i, i.end + 1, len(i.immediates[0].results))
    a.labels[-1].catches = i.immediates[1]


def _end(a: _Activation, i: Instruction) -> None:
    a.labels.pop()


def _return(a: _Activation, i: Instruction) -> None:
    a.branch(len(a.labels) - 1)


def _br_if(a: _Activation, i: Instruction) -> None:
    if a.stack.pop():
        a.branch(i.immediates[0])


def _br_table(a: _Activation, i: Instruction) -> None:
    labels = i.immediates[0]
    a.branch(labels[min(a.stack.pop(), len(labels) - 1)])


def _br_on_null(a: _Activation, i: Instruction) -> None:
    if a.stack[-1] is None:
        a.stack.pop()
        a.branch(i.immediates[0])


def _br_on_non_null(a: _Activation, i: Instruction) -> None:
    if a.stack[-1] is None:
        a.stack.pop()
    else:
        a.branch(i.immediates[0])


def _br_on_cast(a: _Activation, i: Instruction) -> None:
    flags, label, _, heap = i.immediates
    if gc.matches(a.stack[-1], heap, nullable=bool(flags & 2)):
        a.branch(label)


def _br_on_cast_fail(a: _Activation, i: Instruction) -> None:
    flags, label, _, heap = i.immediates
    if not gc.matches(a.stack[-1], heap, nullable=bool(flags & 2)):
        a.branch(label)


def _throw(a: _Activation, i: Instruction) -> None:
    tag = a.instance.tags[i.immediates[0]]
    raise WasmException(tag, tuple(a.pop(len(tag.type_.type.func.params))))


def _throw_ref(a: _Activation, i: Instruction) -> None:
    exception = a.stack.pop()
    if exception is None:
        raise Trap(TrapKind.NULL_EXCEPTION)
    raise exception


def _callee_ref(a: _Activation) -> Function:
    function: Function | None = a.stack.pop()
    if function is None:
        raise Trap(TrapKind.NULL_FUNCTION)
    return function


_CONTROL: dict[str, Callable[[_Activation, Instruction], _Call | None]] = {
    "block": _block,
    "loop": _loop,
    "if": _if,
    "else": _else,
    "try_table": _try_table,
    "end": _end,
    "return": _return,
    "br": lambda a, i: a.branch(i.immediates[0]),
    "br_if": _br_if,
    "br_table": _br_table,
    "br_on_null": _br_on_null,
    "br_on_non_null": _br_on_non_null,
    "br_on_cast": _br_on_cast,
    "br_on_cast_fail": _br_on_cast_fail,
    "throw": _throw,
    "throw_ref": _throw_ref,
    "call": lambda a, i: a.call(a.instance.funcs[i.immediates[0]]),
    "call_indirect": lambda a, i: a.call(a.indirect(i.immediates)),
    "call_ref": lambda a, i: a.call(_callee_ref(a)),
    "return_call": lambda a, i: a.call(a.instance.funcs[i.immediates[0]], tail=True),
    "return_call_indirect": lambda a, i: a.call(a.indirect(i.immediates), tail=True),
    "return_call_ref": lambda a, i: a.call(_callee_ref(a), tail=True),
}


# --- plain instructions ------------------------------------------------------------------------
def _select(a: _Activation, *_: Any) -> None:
    first, second, condition = a.pop(3)
    a.stack.append(first if condition else second)


def _drop(a: _Activation) -> None:
    a.stack.pop()


def _local_set(a: _Activation, index: int) -> None:
    a.locals[index] = a.stack.pop()


def _local_tee(a: _Activation, index: int) -> None:
    a.locals[index] = a.stack[-1]


def _global_set(a: _Activation, index: int) -> None:
    a.instance.globals[index].value = a.stack.pop()


def _unreachable(a: _Activation) -> None:
    raise Trap(TrapKind.UNREACHABLE)


def _ref_as_non_null(a: _Activation) -> None:
    if a.stack[-1] is None:
        raise Trap(TrapKind.NULL_REFERENCE)


def _unary(function: Callable[[Any], Any]) -> Callable[..., None]:
    def act(a: _Activation) -> None:
        a.stack[-1] = function(a.stack[-1])

    return act


def _table_set(a: _Activation, index: int) -> None:
    at, element = a.pop(2)
    a.instance.tables[index].set(at, element)


def _elem_drop(a: _Activation, index: int) -> None:
    a.instance.elems[index] = []


def _data_drop(a: _Activation, index: int) -> None:
    a.instance.datas[index] = b""


def _struct_type(a: _Activation, index: int) -> StructType:
    composite = a.instance.module.types[index].composite
    assert isinstance(composite, StructType)
    return composite


def _element(a: _Activation, index: int) -> int:
    composite = a.instance.module.types[index].composite
    assert isinstance(composite, ArrayType)
    return composite.element.storage


def _extended(storage: int, value: int) -> int:
    bits = {I8: 8, I16: 16}[storage]
    return value - (1 << bits) & 0xFFFFFFFF if value >> bits - 1 else value


def _struct_new(a: _Activation, index: int) -> None:
    fields = _struct_type(a, index).fields
    values = [pack(f.storage, v) for f, v in zip(fields, a.pop(len(fields)), strict=True)]
    a.stack.append(a.instance.class_of(index)(*values))


def _struct_get(a: _Activation, index: int, number: int, *, signed: bool = False) -> None:
    structure = a.stack.pop()
    if structure is None:
        raise Trap(TrapKind.NULL_STRUCTURE)
    value = getattr(structure, f"f{number}")
    a.stack.append(_extended(_struct_type(a, index).fields[number].storage, value) if signed else value)


def _struct_set(a: _Activation, index: int, number: int) -> None:
    structure, value = a.pop(2)
    if structure is None:
        raise Trap(TrapKind.NULL_STRUCTURE)
    setattr(structure, f"f{number}", pack(_struct_type(a, index).fields[number].storage, value))


def _array_new(a: _Activation, index: int) -> None:
    value, count = a.pop(2)
    a.stack.append(gc.array_new(a.instance.class_of(index), pack(_element(a, index), value), count))


def _array_new_default(a: _Activation, index: int) -> None:
    a.stack.append(gc.array_new(a.instance.class_of(index), gc.default_value(_element(a, index)), a.stack.pop()))


def _array_new_fixed(a: _Activation, index: int, count: int) -> None:
    a.stack.append(a.instance.class_of(index)([pack(_element(a, index), value) for value in a.pop(count)]))


def _array_get(a: _Activation, index: int, *, signed: bool = False) -> None:
    value = gc.array_get(*a.pop(2))
    a.stack.append(_extended(_element(a, index), value) if signed else value)


def _array_set(a: _Activation, index: int) -> None:
    array, at, value = a.pop(3)
    gc.array_set(array, at, pack(_element(a, index), value))


def _array_fill(a: _Activation, index: int) -> None:
    array, at, value, count = a.pop(4)
    gc.array_fill(array, at, pack(_element(a, index), value), count)


def _array_len(array: Any) -> int:
    if array is None:
        raise Trap(TrapKind.NULL_ARRAY)
    return len(array)


_PLAIN: dict[str, Callable[..., None]] = {
    "nop": lambda a: None,
    "atomic.fence": lambda a, _: None,
    "unreachable": _unreachable,
    "drop": _drop,
    "select": _select,
    "select_t": _select,
    "local.get": lambda a, x: a.stack.append(a.locals[x]),
    "local.set": _local_set,
    "local.tee": _local_tee,
    "global.get": lambda a, x: a.stack.append(a.instance.globals[x].value),
    "global.set": _global_set,
    "ref.null": lambda a, _: a.stack.append(None),
    "ref.func": lambda a, x: a.stack.append(a.instance.funcs[x]),
    "ref.is_null": _unary(lambda r: 1 if r is None else 0),
    "ref.as_non_null": _ref_as_non_null,
    "ref.eq": lambda a: a.stack.append(gc.ref_eq(*a.pop(2))),
    "ref.i31": _unary(gc.ref_i31),
    "i31.get_s": _unary(gc.i31_get_s),
    "i31.get_u": _unary(gc.i31_get_u),
    "any.convert_extern": _unary(gc.any_convert_extern),
    "extern.convert_any": _unary(gc.extern_convert_any),
    "ref.test": lambda a, t: a.stack.append(int(gc.matches(a.stack.pop(), t, nullable=False))),
    "ref.test_null": lambda a, t: a.stack.append(int(gc.matches(a.stack.pop(), t, nullable=True))),
    "ref.cast": lambda a, t: a.stack.append(_cast(a.stack.pop(), t, nullable=False)),
    "ref.cast_null": lambda a, t: a.stack.append(_cast(a.stack.pop(), t, nullable=True)),
    "memory.size": lambda a, m: a.stack.append(a.instance.mems[m].pages),
    "memory.grow": lambda a, m: a.stack.append(memory.memory_grow(a.instance.mems[m], a.stack.pop())),
    "memory.fill": lambda a, m: a.instance.mems[m].fill(*a.pop(3)),
    "memory.copy": lambda a, m, n: memory.memory_copy(a.instance.mems[m], a.instance.mems[n], *a.pop(3)),
    "memory.init": lambda a, d, m: memory.memory_init(a.instance.mems[m], a.instance.datas[d], *a.pop(3)),
    "data.drop": _data_drop,
    "table.get": lambda a, t: a.stack.append(a.instance.tables[t].get(a.stack.pop())),
    "table.set": _table_set,
    "table.size": lambda a, t: a.stack.append(len(a.instance.tables[t])),
    "table.grow": lambda a, t: a.stack.append(table.table_grow(a.instance.tables[t], *a.pop(2))),
    "table.fill": lambda a, t: a.instance.tables[t].fill(*a.pop(3)),
    "table.copy": lambda a, t, u: table.table_copy(a.instance.tables[t], a.instance.tables[u], *a.pop(3)),
    "table.init": lambda a, e, t: table.table_init(a.instance.tables[t], a.instance.elems[e], *a.pop(3)),
    "elem.drop": _elem_drop,
    "struct.new": _struct_new,
    "struct.new_default": lambda a, t: a.stack.append(
        a.instance.class_of(t)(*[gc.default_value(f.storage) for f in _struct_type(a, t).fields])
    ),
    "struct.get": _struct_get,
    "struct.get_u": _struct_get,
    "struct.get_s": lambda a, t, n: _struct_get(a, t, n, signed=True),
    "struct.set": _struct_set,
    "array.new": _array_new,
    "array.new_default": _array_new_default,
    "array.new_fixed": _array_new_fixed,
    "array.new_data": lambda a, t, d: a.stack.append(
        gc.array_new_data(a.instance.class_of(t), a.instance.datas[d], *a.pop(2))
    ),
    "array.new_elem": lambda a, t, e: a.stack.append(
        gc.array_new_elem(a.instance.class_of(t), a.instance.elems[e], *a.pop(2))
    ),
    "array.get": _array_get,
    "array.get_u": _array_get,
    "array.get_s": lambda a, t: _array_get(a, t, signed=True),
    "array.set": _array_set,
    "array.len": _unary(_array_len),
    "array.fill": _array_fill,
    "array.copy": lambda a, t, u: gc.array_copy(*a.pop(5)),
    "array.init_data": lambda a, t, d: _array_init(a, gc.array_init_data, a.instance.datas[d]),
    "array.init_elem": lambda a, t, e: _array_init(a, gc.array_init_elem, a.instance.elems[e]),
}


def _cast(reference: Any, heap: int, *, nullable: bool) -> Any:
    if not gc.matches(reference, heap, nullable=nullable):
        raise Trap(TrapKind.CAST)
    return reference


def _array_init(a: _Activation, function: Callable[..., None], segment: Any) -> None:
    array, at, start, count = a.pop(4)
    function(array, at, segment, start, count)


# --- entry -------------------------------------------------------------------------------------
_Step = Callable[[_Activation], _Call | None]
"""An instruction that was looked up."""


def _step(instruction: Instruction) -> _Step:
    name, immediates = instruction.mnemonic, instruction.immediates
    if name in _CONTROL:
        act = _CONTROL[name]
        return lambda a: act(a, instruction)
    row = _ROWS[name]
    count = len(row.params or ())
    if name in NUMERIC:
        return _numeric(NUMERIC[name], count)
    if name in _VECTOR:
        operation = _VECTOR[name]
        return lambda a: a.stack.append(operation(*a.pop(count), *immediates))
    if name in SIMD_MEMORY:
        return lambda a: a.vector_memory(name, immediates)
    if row.width and row.feature == Feature.THREADS:
        return lambda a: a.atomic(name, immediates)
    if row.width:
        return lambda a: a.access(name, immediates)
    if name.endswith(".const"):
        read = {"f32": f32_from_bits, "f64": f64_from_bits}.get(name[:3])
        value = read(immediates[0]) if read else immediates[0]
        return lambda a: a.stack.append(value)
    plain = _PLAIN[name]
    if len(immediates) == 1:
        only = immediates[0]
        return lambda a: plain(a, only)
    return lambda a: plain(a, *immediates)


def _numeric(operation: Callable[..., Any], count: int) -> _Step:
    def unary(a: _Activation) -> None:
        a.stack[-1] = operation(a.stack[-1])

    def binary(a: _Activation) -> None:
        right = a.stack.pop()
        a.stack[-1] = operation(a.stack[-1], right)

    return unary if count == 1 else binary


def interpret(instance: ModuleInstance) -> None:
    """Gives every function the module defines a `call` that interprets its body."""
    module = instance.module
    for defined, function in enumerate(instance.funcs[module.imported_funcs :]):
        function.call = _Body(instance, function, defined)
