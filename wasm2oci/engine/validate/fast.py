"""The fast path of validation: accepts most bodies of real modules, and is never wrong when it does.

`settles` decodes and types a body in one pass, with exact types only: where the specification asks for a subtype it
wants the same type, and where anything is unusual (a rare instruction, an overlong integer, code after a branch that
takes from the polymorphic stack, any fault at all) it says "not sure" and `body` decides. A test runs both on the same
bodies: whatever this accepts, the specification's algorithm accepts, with the same features.

How it is fast, six to seven million instructions a second:

- The body is read through one iterator: no position to keep, none to check. Running off the end raises StopIteration.
- The operand stack holds the types themselves. Below the values of each block lies a sentinel, 0 (or -1 when the rest
  of the block is unreachable), so that popping past a block's start gives no type, and no height is compared.
- A local, global or function is looked up in a list that answers -2 for an index that does not exist or needs another
  byte; no type is -2, so the ordinary comparison of types finds it.
- Instructions with a signature are told apart by class (`CLASSES`), made from the opcode table; only the common ones
  have a branch of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.limits import MAX_LOCALS, MAX_OPERAND_STACK
from wasm2oci.engine.syntax.types import F32, F64, FUNCREF, I32, I64, V128, FuncType
from wasm2oci.engine.validate.fast_legacy import legacy
from wasm2oci.engine.validate.fast_tables import (
    ALIGNMENT,
    BINARY,
    BINARY_I32,
    BLOCK,
    BLOCK_FRAMES,
    BR,
    BR_IF,
    BULK_MEMORY,
    CLASSES,
    EMPTY,
    END,
    EXCEPTIONS,
    EXN_REFS,
    I64_CONST,
    IF,
    IF_FRAMES,
    KINDS,
    LAST_OF_S32,
    LAST_OF_S64,
    LEGACY,
    LEGACY_EXCEPTIONS,
    LOAD,
    LOOP_FRAMES,
    MULTIVALUE,
    NONE,
    NONTRAPPING_FPTOINT,
    NOT_SURE,
    ONE_BYTE,
    PARAM,
    REFERENCE_TYPES,
    RELAXED_SIMD,
    RESULT,
    SATURATING,
    SET,
    SIGN_EXT,
    SIGN_EXTEND,
    SIMD,
    STORE,
    TRY_OPCODE,
    UNARY,
    V_LANE,
    V_LANES,
    V_MEMARG,
    V_MEMARG_LANE,
    V_NOT_SURE,
    VALUE_FEATURES,
    VALUE_TYPES,
    VECTOR,
    VECTORS,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.validate.fast_tables import (
        Frame,
    )

__all__ = ["NOT_SURE", "FastPath"]


def _long(byte: int, nxt: Callable[[], int]) -> int:
    """The rest of an index of which one byte, with more to come, has been read; LLVM pads indices to five bytes.

    Raises:
        IndexError: it is malformed.
    """
    value, shift = byte & 0x7F, 7
    while byte >= ONE_BYTE:
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
        self._by_type = [signature(type_) for type_ in signatures]
        self._funcs = [self._by_type[index] for index in module.func_types]
        globals_ = [global_.type for global_ in module.globals]
        self._global_get = [type_.value for type_ in globals_]
        self._global_set = [type_.value if type_.mutable else NONE for type_ in globals_]
        self._tags = [list(tag.type.func.params) for tag in module.tags]
        # Without a memory, and with one of 64 bits, every access is left to `body`.
        self._address = I32 if module.mems and not module.mems[0].limits.is64 else NONE
        table = module.tables[0].type if module.tables else None
        self._indirect = table is not None and table.element == FUNCREF and not table.limits.is64

    def settles(self, type_: FuncType, start: int, end: int) -> int:
        """Decodes and types one body.

        Args:
            type_: the function's type.
            start: where the code begins, locals included.
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
        if declarations >= ONE_BYTE:
            return NOT_SURE
        for _ in range(declarations):
            count = nxt()
            if count >= ONE_BYTE:
                byte = nxt()
                count = count & 0x7F | byte << 7
                if byte >= ONE_BYTE:
                    return NOT_SURE
            byte = nxt()
            kind = VALUE_TYPES.get(byte)
            if kind is None:
                return NOT_SURE
            used |= VALUE_FEATURES.get(byte, 0)
            if total < ONE_BYTE:
                local += [kind] * min(count, ONE_BYTE)
            total += count
            ends.append(total)
            kinds.append(kind)
        if total > MAX_LOCALS:
            return NOT_SURE
        if len(local) > ONE_BYTE:
            if not ends or len(type_.params) >= ONE_BYTE:
                ends, kinds = [*range(1, len(type_.params) + 1), *ends], [*type_.params, *kinds]
            del local[ONE_BYTE:]
        local += [NONE] * (256 - len(local))

        result_types = list(type_.results)
        frames: list[Frame] = [(result_types, result_types, 0, EMPTY)]
        vals = [0]
        push, pop = vals.append, vals.pop
        open_, close = frames.append, frames.pop
        funcs, address = self._funcs, self._address
        classes, param, result, alignment = CLASSES, PARAM, RESULT, ALIGNMENT
        block_frames = BLOCK_FRAMES
        i32 = I32

        for op in body:
            if op == 0x20:  # local.get
                index = nxt()
                kind = local[index]
                if kind < 0:
                    byte = nxt()
                    if index < ONE_BYTE or not 0 < byte < ONE_BYTE:
                        return NOT_SURE
                    kind = kinds[bisect_right(ends, index & 0x7F | byte << 7)]
                push(kind)
                continue
            if op == 0x41:  # i32.const
                if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() not in LAST_OF_S32:
                    return NOT_SURE
                push(i32)
                continue
            class_ = classes[op]
            if class_ < 4:
                if class_ == BINARY_I32:
                    if pop() != i32 or vals[-1] != i32:
                        return NOT_SURE
                elif class_ == BR_IF:
                    depth = nxt()
                    if depth >= ONE_BYTE:
                        byte = nxt()
                        if byte >= ONE_BYTE:
                            return NOT_SURE
                        depth = depth & 0x7F | byte << 7
                    label = frames[~depth][0]
                    if pop() != i32 or (label and vals[-len(label) :] != label):
                        return NOT_SURE
                elif class_ == END:
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
                        if kind > 0 and params != results:
                            return NOT_SURE
                        vals += results
                        if len(vals) > MAX_OPERAND_STACK:
                            return NOT_SURE
                    elif pop() > 0 or (kind > 0 and params):
                        return NOT_SURE
                    if not frames:
                        break
                else:  # local.tee
                    index = nxt()
                    kind = local[index]
                    if kind < 0:
                        byte = nxt()
                        if index < ONE_BYTE or not 0 < byte < ONE_BYTE:
                            return NOT_SURE
                        kind = kinds[bisect_right(ends, index & 0x7F | byte << 7)]
                    if vals[-1] != kind:
                        return NOT_SURE
            elif class_ < 8:
                if class_ == LOAD:
                    if nxt() > alignment[op]:
                        return NOT_SURE
                    if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x0F:
                        return NOT_SURE
                    if vals[-1] != address:
                        return NOT_SURE
                    vals[-1] = result[op]
                elif class_ == SET:
                    index = nxt()
                    kind = local[index]
                    if kind < 0:
                        byte = nxt()
                        if index < ONE_BYTE or not 0 < byte < ONE_BYTE:
                            return NOT_SURE
                        kind = kinds[bisect_right(ends, index & 0x7F | byte << 7)]
                    if pop() != kind:
                        return NOT_SURE
                elif class_ == BLOCK:
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
                    if index >= ONE_BYTE:
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
            elif class_ == STORE:
                if nxt() > alignment[op]:
                    return NOT_SURE
                if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x0F:
                    return NOT_SURE
                if pop() != param[op] or pop() != address:
                    return NOT_SURE
            elif class_ == BR:
                depth = nxt()
                if depth >= ONE_BYTE:
                    byte = nxt()
                    if byte >= ONE_BYTE:
                        return NOT_SURE
                    depth = depth & 0x7F | byte << 7
                label = frames[~depth][0]
                if label and vals[-len(label) :] != label and vals[-1] != -1:
                    return NOT_SURE
                while pop() > 0:
                    pass
                push(-1)
            elif class_ == UNARY:
                if vals[-1] != param[op]:
                    return NOT_SURE
                vals[-1] = result[op]
            elif class_ == BINARY:
                kind = param[op]
                if pop() != kind or vals[-1] != kind:
                    return NOT_SURE
                vals[-1] = result[op]
            elif class_ == I64_CONST:
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
                    and nxt() not in LAST_OF_S64
                ):
                    return NOT_SURE
                push(I64)
            elif class_ == VECTOR:
                number = nxt()
                if number >= ONE_BYTE:
                    number = number & 0x7F | nxt() << 7
                immediates, largest, lanes, count, params, results = VECTORS[number]
                if immediates:
                    if immediates in {V_MEMARG, V_MEMARG_LANE}:
                        if address != i32 or nxt() > largest:
                            return NOT_SURE
                        if nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x7F and nxt() > 0x0F:
                            return NOT_SURE
                        if lanes and nxt() >= lanes:
                            return NOT_SURE
                    elif immediates == V_LANE:
                        if nxt() >= lanes:
                            return NOT_SURE
                    elif immediates == V_NOT_SURE:
                        return NOT_SURE
                    else:
                        most = 31 if immediates == V_LANES else 255
                        for _ in range(16):
                            if nxt() > most:
                                return NOT_SURE
                if count:
                    if vals[-count:] != params:
                        return NOT_SURE
                    del vals[-count:]
                vals += results
                used |= SIMD if number < 0x100 else RELAXED_SIMD
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
                frame = LOOP_FRAMES[byte]
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
                frame = IF_FRAMES[byte]
                if frame is None:
                    used |= self._open(byte, op, frames, vals)
                    if used < 0:
                        return NOT_SURE
                else:
                    open_(frame)
                    push(0)
            elif op == 0x05:  # else
                label, results, kind, params = close()
                if kind != IF:
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
                if count >= ONE_BYTE:
                    byte = nxt()
                    if byte >= ONE_BYTE:
                        return NOT_SURE
                    count = count & 0x7F | byte << 7
                depths = set()
                for _ in range(count + 1):
                    depth = nxt()
                    if depth >= ONE_BYTE:
                        byte = nxt()
                        if byte >= ONE_BYTE:
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
                push(self._global_get[index if index < ONE_BYTE else _long(index, nxt)])
            elif op == 0x24:  # global.set
                index = nxt()
                if pop() != self._global_set[index if index < ONE_BYTE else _long(index, nxt)]:
                    return NOT_SURE
            elif op == 0x11:  # call_indirect
                index = nxt()
                if index >= ONE_BYTE:
                    index = _long(index, nxt)
                byte = nxt()
                if byte:  # table 0, as LLVM writes it: padded to five bytes
                    if (byte, nxt(), nxt(), nxt(), nxt()) != (0x80, 0x80, 0x80, 0x80, 0):
                        return NOT_SURE
                    used |= REFERENCE_TYPES
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
            elif op == 0x1F:  # try_table
                opened = nxt()
                count = nxt()
                if count >= ONE_BYTE:
                    return NOT_SURE
                for _ in range(count):
                    clause = nxt()
                    if clause > 3:
                        return NOT_SURE
                    carried = EMPTY
                    if clause < 2:
                        index = nxt()
                        carried = self._tags[index if index < ONE_BYTE else _long(index, nxt)]
                    depth = nxt()
                    label = frames[~(depth if depth < ONE_BYTE else _long(depth, nxt))][0]
                    if clause & 1:
                        if not label or label[-1] not in EXN_REFS or label[:-1] != carried:
                            return NOT_SURE
                    elif label != carried:
                        return NOT_SURE
                used |= EXCEPTIONS
                frame = block_frames[opened]
                if frame is None:
                    used |= self._open(opened, op, frames, vals)
                    if used < 0:
                        return NOT_SURE
                else:
                    open_(frame)
                    push(0)
            elif op == 0x08 or op == 0x0A:  # throw, throw_ref  # noqa: PLR1714 - a set is slower
                if op == 0x0A:
                    used |= EXCEPTIONS
                    if pop() not in EXN_REFS:
                        return NOT_SURE
                else:
                    index = nxt()
                    carried = self._tags[index if index < ONE_BYTE else _long(index, nxt)]
                    if carried and vals[-len(carried) :] != carried:
                        return NOT_SURE
                while pop() > 0:
                    pass
                push(-1)
            elif op in LEGACY:
                used |= (
                    self._open(nxt(), op, frames, vals)
                    if op == TRY_OPCODE
                    else legacy(op, nxt, frames, vals, self._tags)
                )
                if used < 0:
                    return NOT_SURE
                used |= LEGACY_EXCEPTIONS
            elif op == 0x44:  # f64.const
                nxt(), nxt(), nxt(), nxt(), nxt(), nxt(), nxt(), nxt()
                push(F64)
            elif op == 0x43:  # f32.const
                nxt(), nxt(), nxt(), nxt()
                push(F32)
            elif op in SIGN_EXTEND:
                if vals[-1] != SIGN_EXTEND[op]:
                    return NOT_SURE
                used |= SIGN_EXT
            elif op == 0xFC:
                number = nxt()
                if number < len(SATURATING):
                    (before,), (after,) = SATURATING[number]
                    if vals[-1] != before:
                        return NOT_SURE
                    vals[-1] = after
                    used |= NONTRAPPING_FPTOINT
                elif number in {0x0A, 0x0B}:  # memory.copy, memory.fill
                    if nxt() or (number == 0x0A and nxt()) or address != i32:
                        return NOT_SURE
                    if pop() != i32 or pop() != i32 or pop() != i32:
                        return NOT_SURE
                    used |= BULK_MEMORY
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

    def _open(self, byte: int, op: int, frames: list[Frame], vals: list[int]) -> int:
        """Opens a block by the byte its type is written with; gives the feature that type needs, or NOT_SURE."""
        if byte in VALUE_TYPES:
            params, results, used = EMPTY, [VALUE_TYPES[byte]], VALUE_FEATURES.get(byte, 0)
        elif byte == 0x40:
            params = results = EMPTY
            used = 0
        elif byte < 0x40:
            if self._types[byte] is None:
                return NOT_SURE
            _, _, params, _, _, results = self._by_type[byte]
            used = MULTIVALUE
        else:
            return NOT_SURE
        if params:
            if vals[-len(params) :] != params:
                return NOT_SURE
            del vals[-len(params) :]
        frames.append((params if op == 0x03 else results, results, KINDS.get(op, 0), params))
        vals.append(0)
        vals += params
        if len(vals) > MAX_OPERAND_STACK:
            return NOT_SURE
        return used
