"""Decoding of function bodies: their live instructions, with labels resolved.

The body was validated, so nothing is checked here. Code that cannot be reached is left out, and constructs are numbered
and linked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate
from wasm2oci.engine.syntax.types import REF, REF_NULL, FuncType
from wasm2oci.engine.translate.body import FUNCTION_END, Body, Catch, Construct
from wasm2oci.engine.translate.codes import (
    BR_IF,
    BRANCHES_ON_CONDITION,
    ELSE,
    END,
    LOCAL_WRITES,
    OPENERS,
    RETURN,
    TERMINAL,
    TRY_TABLE,
)

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.module import Module
    from wasm2oci.engine.translate.body import Instruction

__all__ = ["decode_body"]

# Shapes of immediates that are common enough for a branch of their own in the decoding loop.
_NONE, _U32, _LABEL, _BLOCK, _MEMARG, _S32, _S64, _F32, _F64, _OTHER, _LABELS, _PREFIX, _TABLE2 = range(13)
_SHAPES: Final = {
    (): _NONE,
    (Immediate.LABEL,): _LABEL,
    (Immediate.BLOCKTYPE,): _BLOCK,
    (Immediate.MEMARG,): _MEMARG,
    (Immediate.I32,): _S32,
    (Immediate.I64,): _S64,
    (Immediate.F32,): _F32,
    (Immediate.F64,): _F64,
    (Immediate.LABELS,): _LABELS,
}
_INDICES: Final = frozenset(
    (
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
    )
)


def _shape(immediates: tuple[Immediate, ...]) -> int:
    if len(immediates) == 1 and immediates[0] in _INDICES:
        return _U32
    return _SHAPES.get(immediates, _OTHER)


_SHAPE: Final = [_OTHER] * 256
for _row in OPCODES.values():
    if _row.code <= 0xFF:
        _SHAPE[_row.code] = _shape(_row.immediates)
for _prefix in (0xFB, 0xFC, 0xFD, 0xFE):
    _SHAPE[_prefix] = _PREFIX
_PREFIXED: Final = {code: _shape(row.immediates) for code, row in OPCODES.items() if code > 0xFF}


def _leb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and the place after it."""
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _sleb(data: bytes, at: int) -> tuple[int, int]:
    """A signed LEB128 number, and the place after it."""
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (result - (1 << shift) if byte & 0x40 else result), at


def _heap(module: Module, data: bytes, at: int) -> tuple[int, int]:
    number, at = _sleb(data, at)
    return (module.types[number].id if number >= 0 else number & 0x7F), at


def _value_type(module: Module, data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte in {REF, REF_NULL}:
        heap, at = _heap(module, data, at + 1)
        return heap << 8 | byte, at
    if byte < 0x78:
        return byte << 8 | REF_NULL, at + 1
    return byte, at + 1


_EMPTY: Final = FuncType((), ())


def _block_type(module: Module, data: bytes, at: int) -> tuple[FuncType, int]:
    if data[at] == 0x40:
        return _EMPTY, at + 1
    number, after = _sleb(data, at)
    if number >= 0:
        return module.types[number].func, after
    type_, after = _value_type(module, data, at)
    return FuncType((), (type_,)), after


def _memarg(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    flags, at = _leb(data, at)
    memory = 0
    if flags & 0x40:
        memory, at = _leb(data, at)
    offset, at = _leb(data, at)
    return (offset, memory), at


def _others(module: Module, data: bytes, at: int, immediates: tuple[Immediate, ...]) -> tuple[tuple[Any, ...], int]:
    """Immediates of rarer shapes, one item each; labels and catches stay numbers."""
    items: list[Any] = []
    for immediate in immediates:
        item: Any
        if immediate in _INDICES or immediate is Immediate.LABEL:
            item, at = _leb(data, at)
        elif immediate is Immediate.MEMARG:
            item, at = _memarg(data, at)
        elif immediate in {Immediate.LANE, Immediate.CASTFLAGS, Immediate.FENCE}:
            item, at = data[at], at + 1
        elif immediate is Immediate.HEAPTYPE:
            item, at = _heap(module, data, at)
        elif immediate in {Immediate.V128, Immediate.LANES16}:
            item, at = data[at : at + 16], at + 16
        elif immediate is Immediate.VALTYPES:
            count, at = _leb(data, at)
            item = []
            for _ in range(count):
                type_, at = _value_type(module, data, at)
                item.append(type_)
        elif immediate is Immediate.BLOCKTYPE:
            item, at = _block_type(module, data, at)
        elif immediate is Immediate.CATCHES:
            count, at = _leb(data, at)
            item = []
            for _ in range(count):
                kind = data[at]
                tag, at = _leb(data, at + 1) if kind < 2 else (-1, at + 1)
                label, at = _leb(data, at)
                item.append((kind, tag, label))
        else:
            raise AssertionError(immediate)
        items.append(item)
    return tuple(items), at


def decode_locals(module: Module, index: int) -> tuple[list[int], int]:
    """Value types of the locals of a defined function, and where its code starts."""
    data = module.data
    at, _ = module.codes[index - module.imported_funcs]
    types = list(module.func_type(index).params)
    runs, at = _leb(data, at)
    for _ in range(runs):
        count, at = _leb(data, at)
        type_, at = _value_type(module, data, at)
        types.extend([type_] * count)
    return types, at


_INDEXED: Final = frozenset((_U32, _LABEL))
_LABELLED: Final = BRANCHES_ON_CONDITION - {BR_IF}

_PLAIN: Final = frozenset(
    code
    for code, shape in enumerate(_SHAPE)
    if shape not in {_LABEL, _LABELS, _PREFIX}
    and code not in OPENERS
    and code not in _LABELLED
    and code not in TERMINAL
    and code not in {ELSE, END, *LOCAL_WRITES}
)
"""Instructions that only have to be listed: neither control, nor local.set and local.tee."""


def decode_body(module: Module, index: int) -> Body:
    """Decodes a defined function's body.

    Args:
        module: a valid module.
        index: in the function index space.
    """
    data = module.data
    types, at = decode_locals(module, index)
    end = module.codes[index - module.imported_funcs][1]
    func_type = module.func_type(index)
    code: list[Instruction] = []
    append = code.append
    shapes, plain = _SHAPE, _PLAIN
    none, s32, memarg = _NONE, _S32, _MEMARG
    top = Construct("function", None, -1, FuncType((), func_type.results))
    constructs = [top]
    control: list[int] = []
    open_: list[Construct] = [top]
    dead = False
    first_dead: set[Construct] = set()  # `if`s whose first arm's end is not reached
    skipped = 0  # constructs opened in dead code
    item: Any
    while at < end:
        offset = at
        op = data[at]
        at += 1
        shape = shapes[op]
        if shape == _PREFIX:
            sub, at = _leb(data, at)
            op = op << 16 | sub
            shape = _PREFIXED[op]
        if shape == none:
            item = None
        elif shape in _INDEXED:
            item = data[at]
            at += 1
            if item >= 0x80:
                item, at = _leb(data, at - 1)
        elif shape == s32:
            item = data[at]
            at += 1
            if item >= 0x80:
                item, at = _sleb(data, at - 1)
                item &= 0xFFFFFFFF
            elif item & 0x40:
                item += 0xFFFFFF80
        elif shape == memarg:
            flags, item = data[at], data[at + 1]
            if flags < 0x40 and item < 0x80:
                item = (item, 0)
                at += 2
            else:
                item, at = _memarg(data, at)
        elif shape == _BLOCK:
            item, at = _block_type(module, data, at)
        elif shape == _S64:
            item, at = _sleb(data, at)
            item &= 0xFFFFFFFFFFFFFFFF
        elif shape == _F32:
            item = int.from_bytes(data[at : at + 4], "little")
            at += 4
        elif shape == _F64:
            item = int.from_bytes(data[at : at + 8], "little")
            at += 8
        elif shape == _LABELS:
            count, at = _leb(data, at)
            item = []
            for _ in range(count + 1):
                label, at = _leb(data, at)
                item.append(label)
        else:
            item, at = _others(module, data, at, OPCODES[op].immediates)

        if op in plain:
            if not dead:
                append((op, item, offset))
            continue
        # --- constructs --------------------------------------------------------------------
        if op in OPENERS:
            if dead:
                skipped += 1
                continue
            type_ = item[0] if op == TRY_TABLE else item
            construct = Construct(OPENERS[op], open_[-1], len(code), type_)
            if op == TRY_TABLE:
                for kind, tag, label in item[1]:
                    target = open_[-1 - label]
                    target.targeted += 1
                    construct.catches.append(Catch(kind, tag, target))
            control.append(len(code))
            append((op, construct, offset))
            constructs.append(construct)
            open_.append(construct)
            continue
        if op == END:
            if skipped:
                skipped -= 1
                continue
            construct = open_.pop()
            construct.end = len(code)
            control.append(len(code))
            append((END, construct, offset))
            if not open_:
                break
            if construct.kind == "loop":
                pass  # dead after it exactly when its end is
            elif (construct.kind == "if" and construct.els < 0) or construct.targeted:
                dead = False
            elif construct.kind == "if":
                dead = dead and construct in first_dead
            open_[-1].assigned |= construct.assigned
            continue
        if op == ELSE:
            if skipped:
                continue
            construct = open_[-1]
            construct.els = len(code)
            if dead:
                first_dead.add(construct)
            control.append(len(code))
            append((ELSE, construct, offset))
            dead = False
            continue
        if dead:
            continue
        if shape == _LABEL:
            target = open_[-1 - item]
            target.targeted += 1
            item = target
        elif shape == _LABELS:
            item = [open_[-1 - label] for label in item]
            for target in set(item):
                target.targeted += 1
            open_[-1].has_table = True
        elif op == RETURN:
            item = top
            top.targeted += 1
        elif op in LOCAL_WRITES:  # local.set, local.tee
            open_[-1].assigned |= 1 << 2 * item
            append((op, item, offset))
            continue
        elif op in _LABELLED and shape == _OTHER:  # br_on_cast: flags, label, from, to
            target = open_[-1 - item[1]]
            target.targeted += 1
            item = (item[0], target, item[2], item[3])
        elif op not in TERMINAL:
            append((op, item, offset))
            continue
        control.append(len(code))
        append((op, item, offset))
        if op in TERMINAL:
            dead = True
    _continuations(code, constructs)
    return Body(func_type, types, code, constructs, control)


def _continuations(code: list[Instruction], constructs: list[Construct]) -> None:
    """Sets `cont` and `after`: outer constructs first, because an inner one may end where the outer one does."""
    for construct in constructs:
        if construct.kind == "function":
            construct.cont = construct.after = FUNCTION_END
            continue
        after = construct.end + 1
        op, outer, _ = code[after]
        # Values pass through the outer end untouched only where it has as many results.
        if op in {END, ELSE} and outer.results == construct.results and outer.kind != "try":
            after = outer.after
        construct.after = after
        construct.cont = construct.start if construct.kind == "loop" else after
