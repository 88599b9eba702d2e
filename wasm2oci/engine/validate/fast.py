"""The fast path of validation: accepts most bodies of real modules, and is never wrong when it does.

`settles` decodes and types a body in one pass, with exact types only: where the specification asks for a subtype it
wants the same type, and where anything is unusual (a rare instruction, an overlong integer, code after a branch that
takes from the polymorphic stack, any fault at all) it says "not sure" and `body` decides. A test runs both on the same
bodies: whatever this accepts, the specification's algorithm accepts, with the same features.

How it is fast, about ten million instructions a second:

- The body is read through one iterator: no position to keep, none to check. Running off the end raises StopIteration.
- The operand stack holds the types themselves. Below the values of each block lies a sentinel, 0 (or -1 when the rest
  of the block is unreachable), so that popping past a block's start gives no type, and no height is compared.
- A local, global or function is looked up in a list that answers -2 for an index that does not exist or needs another
  byte; no type is -2, so the ordinary comparison of types finds it.
- Instructions with a signature are told by class (`_CLASSES`), made from the opcode table; only the common ones have a
  branch of their own.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from wasm2oci.engine.syntax.features import Feature
from wasm2oci.engine.syntax.limits import MAX_LOCALS, MAX_OPERAND_STACK
from wasm2oci.engine.syntax.module import Module
from wasm2oci.engine.syntax.opcodes import ADDRESS, OPCODES, Immediate, Opcode
from wasm2oci.engine.syntax.types import EXTERN, EXTERNREF, F32, F64, FUNC, FUNCREF, I32, I64, V128, FuncType

__all__ = ["NOT_SURE", "FastPath"]

NOT_SURE: Final = -1

_NONE = -2  # stands for a local, global or type that is not there; never on the stack
_ONE_BYTE = 0x80
_IF = 1  # the frame of an if without its else

_Frame = tuple[list[int], list[int], int, list[int]]
"""An open block: what its label carries, what it leaves, whether it is an if, what it took."""

_Signature = tuple[int, int, list[int], int, int, list[int]]
"""How many parameters, the last of them, all of them; the same of the results."""

# Classes of opcodes, in the order `settles` asks for them: what is common first.
(
    _BR_IF,
    _BINARY_I32,
    _END,
    _TEE,
    _LOAD,
    _SET,
    _BLOCK,
    _CALL,
    _STORE,
    _I64_CONST,
    _BR,
    _UNARY,
    _BINARY,
    _VECTOR,
    _OTHER,
) = range(15)


def _classes() -> bytes:
    """The class of each one-byte opcode."""
    classes = bytearray([_OTHER]) * 256
    named = {0x0D: _BR_IF, 0x0B: _END, 0x22: _TEE, 0x21: _SET, 0x02: _BLOCK, 0x10: _CALL, 0x42: _I64_CONST, 0x0C: _BR}
    named[0xFD] = _VECTOR
    for code, class_ in named.items():
        classes[code] = class_
    for row in _plain(Immediate.MEMARG):
        classes[row.code] = _LOAD if row.results else _STORE
    for row in _plain():
        if row.params == (I32, I32) and row.results == (I32,):
            classes[row.code] = _BINARY_I32
        elif row.params is not None and row.results is not None and len(row.results) == 1:
            if len(row.params) == 1:
                classes[row.code] = _UNARY
            elif len(row.params) == 2 and row.params[0] == row.params[1]:
                classes[row.code] = _BINARY
    return bytes(classes)


def _plain(*immediates: Immediate) -> list[Opcode]:
    """The rows of version 1 with a one-byte opcode, a signature of numbers, and just these immediates."""
    return [
        row
        for row in OPCODES.values()
        if row.code < 0x100 and row.immediates == immediates and row.params is not None and row.feature == Feature.MVP
    ]


def _column(pick: int) -> list[int]:
    """For each one-byte opcode one type of its signature: 0 the last parameter, 1 the result."""
    column = [_NONE] * 256
    for row in OPCODES.values():
        types = row.results if pick else row.params
        if row.code < 0x100 and types:
            column[row.code] = types[-1]
    return column


def _alignments() -> list[int]:
    """For each one-byte opcode the largest alignment its access may state, as an exponent."""
    return [OPCODES[code].width.bit_length() - 1 if code in OPCODES else -1 for code in range(256)]


# How the immediates of a vector instruction are read.
_V_NONE, _V_MEMARG, _V_LANE, _V_MEMARG_LANE, _V_BYTES, _V_LANES, _V_NOT_SURE = range(7)
_VECTOR_IMMEDIATES = {
    (): _V_NONE,
    (Immediate.MEMARG,): _V_MEMARG,
    (Immediate.LANE,): _V_LANE,
    (Immediate.MEMARG, Immediate.LANE): _V_MEMARG_LANE,
    (Immediate.V128,): _V_BYTES,
    (Immediate.LANES16,): _V_LANES,
}
_Vector = tuple[int, int, int, int, list[int], list[int]]
"""Immediates, largest alignment, lanes, how many parameters and what (memories have 32-bit addresses here), results."""


def _vectors() -> list[_Vector]:
    """The vector instructions by the number after their prefix."""
    table: list[_Vector] = [(_V_NOT_SURE, 0, 0, 0, [], [])] * 0x114
    for row in OPCODES.values():
        if row.code >> 16 == 0xFD and row.params is not None and row.results is not None:
            params = [I32 if type_ == ADDRESS else type_ for type_ in row.params]
            lanes = 0
            if Immediate.LANE in row.immediates:
                lanes = 16 // row.width if row.width else int(row.mnemonic.split(".")[0].split("x")[1])
            entry = (
                _VECTOR_IMMEDIATES[row.immediates],
                row.width.bit_length() - 1,
                lanes,
                len(params),
                params,
                list(row.results),
            )
            table[row.code & 0xFFFF] = entry
    return table


_CLASSES = _classes()
_PARAM = _column(0)
_RESULT = _column(1)
_ALIGNMENT = _alignments()
_VECTORS = _vectors()
_SIGN_EXTEND = {0xC0: I32, 0xC1: I32, 0xC2: I64, 0xC3: I64, 0xC4: I64}
_SATURATING = [(row.params or (0,), row.results or (0,)) for row in map(OPCODES.__getitem__, range(0xFC0000, 0xFC0008))]
_VALUE_TYPES = {type_: type_ for type_ in (I32, I64, F32, F64, V128)}
_VALUE_TYPES |= {FUNC: FUNCREF, EXTERN: EXTERNREF}
# As plain ints: a flag joined with NOT_SURE would be no negative number any more.
_SIGN_EXT = int(Feature.SIGN_EXT)
_NONTRAPPING_FPTOINT = int(Feature.NONTRAPPING_FPTOINT)
_MULTIVALUE = int(Feature.MULTIVALUE)
_BULK_MEMORY = int(Feature.BULK_MEMORY)
_REFERENCE_TYPES = int(Feature.REFERENCE_TYPES)
_SIMD = int(Feature.SIMD)
_RELAXED_SIMD = int(Feature.RELAXED_SIMD)
_EMPTY: list[int] = []
_LAST_OF_S32 = frozenset({*range(0x08), *range(0x78, 0x80)})  # what the fifth byte of an i32 may be
_LAST_OF_S64 = frozenset({0x00, 0x7F})  # what the tenth byte of an i64 may be


def _frames(kind: int, *, loop: bool = False) -> list[_Frame | None]:
    """The frame a block opens by the byte its type is written with; None where that says nothing."""
    frames: list[_Frame | None] = [None] * 256
    frames[0x40] = (_EMPTY, _EMPTY, kind, _EMPTY)
    for byte in (I32, I64, F32, F64):
        results = [byte]
        frames[byte] = (_EMPTY if loop else results, results, kind, _EMPTY)
    return frames


_BLOCK_FRAMES = _frames(0)
_LOOP_FRAMES = _frames(0, loop=True)
_IF_FRAMES = _frames(_IF)


def _signature(type_: FuncType) -> _Signature:
    params, results = list(type_.params), list(type_.results)
    return (len(params), params[-1] if params else 0, params, len(results), results[-1] if results else 0, results)


def _long(byte: int, nxt: Callable[[], int]) -> int:
    """The rest of an index of which one byte, with more to come, has been read; LLVM pads indices to five bytes.

    Raises:
        IndexError: it is malformed.
    """
    value, shift = byte & 0x7F, 7
    while byte >= _ONE_BYTE:
        byte = nxt()
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 28 and byte > 0x0F:
            raise IndexError
    return value


class FastPath:
    """What the fast path knows of a module.

    Args:
        module: the decoded module; everything outside bodies has been validated.
        signatures: the function type of each type index; any for types that are no function types.
    """

    def __init__(self, module: Module, signatures: list[FuncType]) -> None:
        self._data = module.data
        self._types = [type_.composite if isinstance(type_.composite, FuncType) else None for type_ in module.types]
        self._by_type = [_signature(type_) for type_ in signatures]
        self._funcs = [self._by_type[index] for index in module.func_types]
        globals_ = [global_.type for global_ in module.globals]
        self._global_get = [type_.value for type_ in globals_]
        self._global_set = [type_.value if type_.mutable else _NONE for type_ in globals_]
        # Without a memory, and with one of 64 bits, every access is left to `body`.
        self._address = I32 if module.mems and not module.mems[0].limits.is64 else _NONE
        table = module.tables[0].type if module.tables else None
        self._indirect = table is not None and table.element == FUNCREF and not table.limits.is64

    def settles(self, type_: FuncType, start: int, end: int) -> int:
        """Decodes and types one body.

        Args:
            type_: the function's type.
            start: where the code stands, locals included.
            end: past its last byte.

        Returns:
            The features it uses, as bits, where it is valid for certain; else NOT_SURE.
        """
        try:
            return self._settles(type_, start, end)
        except (StopIteration, IndexError):  # ran off the end of the body, of the stack, or of an index space
            return NOT_SURE

    def _settles(self, type_: FuncType, start: int, end: int) -> int:
        body = iter(self._data[start:end])
        nxt = body.__next__
        used = 0

        # Locals: `local` answers for the first 128, `ends` and `kinds` for all.
        local = list(type_.params)
        total = len(local)
        ends: list[int] = []
        kinds: list[int] = []
        declarations = nxt()
        if declarations >= _ONE_BYTE:
            return NOT_SURE
        for _ in range(declarations):
            count = nxt()
            if count >= _ONE_BYTE:
                byte = nxt()
                count = count & 0x7F | byte << 7
                if byte >= _ONE_BYTE:
                    return NOT_SURE
            byte = nxt()
            kind = _VALUE_TYPES.get(byte)
            if kind is None:
                return NOT_SURE
            if kind > F32 or kind < F64:
                if byte == V128:
                    used |= _SIMD
                elif kind > 0xFF:
                    used |= _REFERENCE_TYPES
            if total < _ONE_BYTE:
                local += [kind] * min(count, _ONE_BYTE)
            total += count
            ends.append(total)
            kinds.append(kind)
        if total > MAX_LOCALS:
            return NOT_SURE
        if len(local) > _ONE_BYTE:
            if not ends or len(type_.params) >= _ONE_BYTE:
                ends, kinds = [*range(1, len(type_.params) + 1), *ends], [*type_.params, *kinds]
            del local[_ONE_BYTE:]
        local += [_NONE] * (256 - len(local))

        result_types = list(type_.results)
        frames: list[_Frame] = [(result_types, result_types, 0, _EMPTY)]
        vals = [0]
        push, pop = vals.append, vals.pop
        open_, close = frames.append, frames.pop
        funcs, address = self._funcs, self._address
        classes, param, result, alignment = _CLASSES, _PARAM, _RESULT, _ALIGNMENT
        block_frames = _BLOCK_FRAMES
        i32 = I32

        for op in body:
            if op == 0x20:  # local.get
                index = nxt()
                kind = local[index]
                if kind < 0:
                    byte = nxt()
                    if index < _ONE_BYTE or not 0 < byte < _ONE_BYTE:
                        return NOT_SURE
                    kind = kinds[bisect_right(ends, index & 0x7F | byte << 7)]
                push(kind)
                continue
            if op == 0x41:  # i32.const
                if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() not in _LAST_OF_S32:
                    return NOT_SURE
                push(i32)
                continue
            class_ = classes[op]
            if class_ < 4:
                if class_ == _BINARY_I32:
                    if pop() != i32 or vals[-1] != i32:
                        return NOT_SURE
                elif class_ == _BR_IF:
                    depth = nxt()
                    if depth >= _ONE_BYTE:
                        byte = nxt()
                        if byte >= _ONE_BYTE:
                            return NOT_SURE
                        depth = depth & 0x7F | byte << 7
                    label = frames[~depth][0]
                    if pop() != i32 or (label and vals[-len(label) :] != label):
                        return NOT_SURE
                elif class_ == _END:
                    _, results, kind, params = close()
                    if results:
                        if vals[-1] == -1:
                            pop()
                        else:
                            for wanted in reversed(results):
                                if pop() != wanted:
                                    return NOT_SURE
                            if pop() > 0:
                                return NOT_SURE
                        if kind and params != results:
                            return NOT_SURE
                        vals += results
                        if len(vals) > MAX_OPERAND_STACK:
                            return NOT_SURE
                    elif pop() > 0 or (kind and params):
                        return NOT_SURE
                    if not frames:
                        break
                else:  # local.tee
                    index = nxt()
                    kind = local[index]
                    if kind < 0:
                        byte = nxt()
                        if index < _ONE_BYTE or not 0 < byte < _ONE_BYTE:
                            return NOT_SURE
                        kind = kinds[bisect_right(ends, index & 0x7F | byte << 7)]
                    if vals[-1] != kind:
                        return NOT_SURE
            elif class_ < 8:
                if class_ == _LOAD:
                    if nxt() > alignment[op]:
                        return NOT_SURE
                    if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x0F:
                        return NOT_SURE
                    if vals[-1] != address:
                        return NOT_SURE
                    vals[-1] = result[op]
                elif class_ == _SET:
                    index = nxt()
                    kind = local[index]
                    if kind < 0:
                        byte = nxt()
                        if index < _ONE_BYTE or not 0 < byte < _ONE_BYTE:
                            return NOT_SURE
                        kind = kinds[bisect_right(ends, index & 0x7F | byte << 7)]
                    if pop() != kind:
                        return NOT_SURE
                elif class_ == _BLOCK:
                    byte = nxt()
                    frame = block_frames[byte]
                    if frame is None:
                        used |= self._open(byte, op, frames, vals)
                        if used < 0:
                            return NOT_SURE
                    else:
                        open_(frame)
                        push(0)
                else:  # call
                    index = nxt()
                    if index >= _ONE_BYTE:
                        index = _long(index, nxt)
                    count, param_type, params, arity, result_type, results = funcs[index]
                    if count == 1:
                        if pop() != param_type:
                            return NOT_SURE
                    elif count:
                        if vals[-count:] != params:
                            return NOT_SURE
                        del vals[-count:]
                    if arity == 1:
                        push(result_type)
                    elif arity:
                        vals += results
                        if len(vals) > MAX_OPERAND_STACK:
                            return NOT_SURE
            elif class_ == _STORE:
                if nxt() > alignment[op]:
                    return NOT_SURE
                if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x0F:
                    return NOT_SURE
                if pop() != param[op] or pop() != address:
                    return NOT_SURE
            elif class_ == _BR:
                depth = nxt()
                if depth >= _ONE_BYTE:
                    byte = nxt()
                    if byte >= _ONE_BYTE:
                        return NOT_SURE
                    depth = depth & 0x7F | byte << 7
                label = frames[~depth][0]
                if label and vals[-len(label) :] != label and vals[-1] != -1:
                    return NOT_SURE
                while pop() > 0:
                    pass
                push(-1)
            elif class_ == _UNARY:
                if vals[-1] != param[op]:
                    return NOT_SURE
                vals[-1] = result[op]
            elif class_ == _BINARY:
                kind = param[op]
                if pop() != kind or vals[-1] != kind:
                    return NOT_SURE
                vals[-1] = result[op]
            elif class_ == _I64_CONST:
                if (
                    nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() > 0x7F
                    and nxt() not in _LAST_OF_S64
                ):
                    return NOT_SURE
                push(I64)
            elif class_ == _VECTOR:
                number = nxt()
                if number >= _ONE_BYTE:
                    number = number & 0x7F | nxt() << 7
                immediates, largest, lanes, count, params, results = _VECTORS[number]
                if immediates:
                    if immediates in {_V_MEMARG, _V_MEMARG_LANE}:
                        if address != i32 or nxt() > largest:
                            return NOT_SURE
                        if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x0F:
                            return NOT_SURE
                        if lanes and nxt() >= lanes:
                            return NOT_SURE
                    elif immediates == _V_LANE:
                        if nxt() >= lanes:
                            return NOT_SURE
                    elif immediates == _V_NOT_SURE:
                        return NOT_SURE
                    else:
                        most = 31 if immediates == _V_LANES else 255
                        for _ in range(16):
                            if nxt() > most:
                                return NOT_SURE
                if count:
                    if vals[-count:] != params:
                        return NOT_SURE
                    del vals[-count:]
                vals += results
                used |= _SIMD if number < 0x100 else _RELAXED_SIMD
            elif op == 0x1A:  # drop
                if pop() <= 0:
                    return NOT_SURE
            elif op == 0x1B:  # select
                if pop() != i32:
                    return NOT_SURE
                kind = pop()
                if vals[-1] != kind or not V128 <= kind <= i32:
                    return NOT_SURE
            elif op == 0x03:  # loop
                byte = nxt()
                frame = _LOOP_FRAMES[byte]
                if frame is None:
                    used |= self._open(byte, op, frames, vals)
                    if used < 0:
                        return NOT_SURE
                else:
                    open_(frame)
                    push(0)
            elif op == 0x04:  # if
                if pop() != i32:
                    return NOT_SURE
                byte = nxt()
                frame = _IF_FRAMES[byte]
                if frame is None:
                    used |= self._open(byte, op, frames, vals)
                    if used < 0:
                        return NOT_SURE
                else:
                    open_(frame)
                    push(0)
            elif op == 0x05:  # else
                label, results, kind, params = close()
                if kind != _IF:
                    return NOT_SURE
                if vals[-1] == -1:
                    pop()
                else:
                    for wanted in reversed(results):
                        if pop() != wanted:
                            return NOT_SURE
                    if pop() > 0:
                        return NOT_SURE
                open_((label, results, 0, params))
                push(0)
                vals += params
            elif op == 0x0F or op == 0x00:  # return, unreachable  # noqa: PLR1714 - a set is slower
                if op and result_types and vals[-len(result_types) :] != result_types and vals[-1] != -1:
                    return NOT_SURE
                while pop() > 0:
                    pass
                push(-1)
            elif op == 0x0E:  # br_table
                if pop() != i32:
                    return NOT_SURE
                count = nxt()
                if count >= _ONE_BYTE:
                    byte = nxt()
                    if byte >= _ONE_BYTE:
                        return NOT_SURE
                    count = count & 0x7F | byte << 7
                depths = set()
                for _ in range(count + 1):
                    depth = nxt()
                    if depth >= _ONE_BYTE:
                        byte = nxt()
                        if byte >= _ONE_BYTE:
                            return NOT_SURE
                        depth = depth & 0x7F | byte << 7
                    depths.add(depth)
                label = frames[~depth][0]
                for depth in depths:
                    if frames[~depth][0] != label:
                        return NOT_SURE
                if label and vals[-len(label) :] != label and vals[-1] != -1:
                    return NOT_SURE
                while pop() > 0:
                    pass
                push(-1)
            elif op == 0x23:  # global.get
                index = nxt()
                push(self._global_get[index if index < _ONE_BYTE else _long(index, nxt)])
            elif op == 0x24:  # global.set
                index = nxt()
                if pop() != self._global_set[index if index < _ONE_BYTE else _long(index, nxt)]:
                    return NOT_SURE
            elif op == 0x11:  # call_indirect
                index = nxt()
                if index >= _ONE_BYTE:
                    index = _long(index, nxt)
                byte = nxt()
                if byte:  # table 0, as LLVM writes it: padded to five bytes
                    if (byte, nxt(), nxt(), nxt(), nxt()) != (0x80, 0x80, 0x80, 0x80, 0):
                        return NOT_SURE
                    used |= _REFERENCE_TYPES
                if self._types[index] is None or not self._indirect or pop() != i32:
                    return NOT_SURE
                count, param_type, params, arity, result_type, results = self._by_type[index]
                if count == 1:
                    if pop() != param_type:
                        return NOT_SURE
                elif count:
                    if vals[-count:] != params:
                        return NOT_SURE
                    del vals[-count:]
                if arity == 1:
                    push(result_type)
                elif arity:
                    vals += results
                    if len(vals) > MAX_OPERAND_STACK:
                        return NOT_SURE
            elif op == 0x44:  # f64.const
                nxt(), nxt(), nxt(), nxt(), nxt(), nxt(), nxt(), nxt()
                push(F64)
            elif op == 0x43:  # f32.const
                nxt(), nxt(), nxt(), nxt()
                push(F32)
            elif op in _SIGN_EXTEND:
                if vals[-1] != _SIGN_EXTEND[op]:
                    return NOT_SURE
                used |= _SIGN_EXT
            elif op == 0xFC:
                number = nxt()
                if number < len(_SATURATING):
                    (before,), (after,) = _SATURATING[number]
                    if vals[-1] != before:
                        return NOT_SURE
                    vals[-1] = after
                    used |= _NONTRAPPING_FPTOINT
                elif number in {0x0A, 0x0B}:  # memory.copy, memory.fill
                    if nxt() or (number == 0x0A and nxt()) or address != i32:
                        return NOT_SURE
                    if pop() != i32 or pop() != i32 or pop() != i32:
                        return NOT_SURE
                    used |= _BULK_MEMORY
                else:
                    return NOT_SURE
            elif op == 0x3F or op == 0x40:  # memory.size, memory.grow  # noqa: PLR1714 - a set is slower
                if nxt() or address != i32 or (op == 0x40 and pop() != i32):
                    return NOT_SURE
                push(i32)
            elif op != 0x01:  # nop
                return NOT_SURE
        if frames:
            return NOT_SURE
        for _ in body:
            return NOT_SURE
        return used

    def _open(self, byte: int, op: int, frames: list[_Frame], vals: list[int]) -> int:
        """Opens a block whose type is a type index or V128; gives the feature that needs, or NOT_SURE."""
        if byte == V128:
            params, results, used = _EMPTY, [V128], _SIMD
        elif byte < 0x40:
            if self._types[byte] is None:
                return NOT_SURE
            _, _, params, _, _, results = self._by_type[byte]
            used = _MULTIVALUE
        else:
            return NOT_SURE
        if params:
            if vals[-len(params) :] != params:
                return NOT_SURE
            del vals[-len(params) :]
        frames.append((params if op == 0x03 else results, results, _IF if op == 0x04 else 0, params))
        vals.append(0)
        vals += params
        if len(vals) > MAX_OPERAND_STACK:
            return NOT_SURE
        return used
