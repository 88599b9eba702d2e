"""Canonical functions, from text to binary: one row each. Spec: component model, CanonicalABI.md and Binary.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.text.component.references import item, reference
from wasm2oci.engine.text.component.types import TypeReader
from wasm2oci.engine.text.encode import uleb, vector

if TYPE_CHECKING:
    from wasm2oci.engine.text.component.scope import Reference, Scope
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["BUILTINS", "builtin", "lift", "options"]

_LIFT, _LOWER = b"\0\0", b"\1\0"
_FLAGS: Final = {
    "string-encoding=utf8": b"\0",
    "string-encoding=utf16": b"\1",
    "string-encoding=latin1+utf16": b"\2",
    "async": b"\6",
    "gc": b"\x09",
}
_MEMORY, _CORE_TYPE = b"\3", b"\x08"
_FUNCTIONS: Final = {"realloc": b"\4", "post-return": b"\5", "callback": b"\7"}


class Builtin(NamedTuple):
    """A canonical built-in.

    Attributes:
        code: its byte.
        operands: what follows, in order: `type` (a reference), `result` (an optional result type), `slot` (a type of a
            slot and its number), `async` and `cancellable` (flags), `memory`, `table`, `core type`, `options`.
    """

    code: int
    operands: str = ""


BUILTINS: Final = {
    "lower": Builtin(0x01, "func options"),
    "resource.new": Builtin(0x02, "type"),
    "resource.drop": Builtin(0x03, "type"),
    "resource.rep": Builtin(0x04, "type"),
    "task.cancel": Builtin(0x05),
    "subtask.cancel": Builtin(0x06, "async"),
    "backpressure.set": Builtin(0x08),
    "task.return": Builtin(0x09, "result options"),
    "context.get": Builtin(0x0A, "slot"),
    "context.set": Builtin(0x0B, "slot"),
    "thread.yield": Builtin(0x0C, "cancellable"),
    "subtask.drop": Builtin(0x0D),
    "stream.new": Builtin(0x0E, "type"),
    "stream.read": Builtin(0x0F, "type options"),
    "stream.write": Builtin(0x10, "type options"),
    "stream.cancel-read": Builtin(0x11, "type async"),
    "stream.cancel-write": Builtin(0x12, "type async"),
    "stream.drop-readable": Builtin(0x13, "type"),
    "stream.drop-writable": Builtin(0x14, "type"),
    "future.new": Builtin(0x15, "type"),
    "future.read": Builtin(0x16, "type options"),
    "future.write": Builtin(0x17, "type options"),
    "future.cancel-read": Builtin(0x18, "type async"),
    "future.cancel-write": Builtin(0x19, "type async"),
    "future.drop-readable": Builtin(0x1A, "type"),
    "future.drop-writable": Builtin(0x1B, "type"),
    "error-context.new": Builtin(0x1C, "options"),
    "error-context.debug-message": Builtin(0x1D, "options"),
    "error-context.drop": Builtin(0x1E),
    "waitable-set.new": Builtin(0x1F),
    "waitable-set.wait": Builtin(0x20, "cancellable memory"),
    "waitable-set.poll": Builtin(0x21, "cancellable memory"),
    "waitable-set.drop": Builtin(0x22),
    "waitable.join": Builtin(0x23),
    "backpressure.inc": Builtin(0x24),
    "backpressure.dec": Builtin(0x25),
    "thread.index": Builtin(0x26),
    "thread.new-indirect": Builtin(0x27, "core-type table"),
    "thread.resume-later": Builtin(0x28),
    "thread.suspend": Builtin(0x29, "cancellable"),
    "thread.suspend-then-resume": Builtin(0x2A, "cancellable"),
    "thread.yield-then-resume": Builtin(0x2B, "cancellable"),
    "thread.suspend-then-promote": Builtin(0x2C, "cancellable"),
    "thread.yield-then-promote": Builtin(0x2D, "cancellable"),
    "thread.spawn-ref": Builtin(0x40, "core-type"),
    "thread.spawn-indirect": Builtin(0x41, "core-type table"),
    "thread.available-parallelism": Builtin(0x42),
}


def options(cursor: Cursor) -> list[tuple[bytes, Reference | None]]:
    """The options of a canonical function, as far as they go: code, and a reference where one belongs to it."""
    out: list[tuple[bytes, Reference | None]] = []
    while True:
        flag = _FLAGS.get(cursor.peek())
        if flag is not None:
            cursor.next()
            out.append((flag, None))
        elif cursor.open("memory"):
            out.append((_MEMORY, reference(cursor, "core memory", parenthesised=True)))
            cursor.close()
        elif keyword := cursor.open(*_FUNCTIONS):
            out.append((_FUNCTIONS[keyword], reference(cursor, "core func", parenthesised=True)))
            cursor.close()
        elif cursor.open("core-type"):
            out.append((_CORE_TYPE, reference(cursor, "core type", parenthesised=True)))
            cursor.close()
        else:
            return out


def encoded_options(scope: Scope, cursor: Cursor, found: list[tuple[bytes, Reference | None]]) -> bytes:
    """Options in binary."""
    return vector([code + (b"" if ref is None else uleb(scope.resolve(cursor, ref))) for code, ref in found])


def lift(scope: Scope, cursor: Cursor) -> bytes:
    """`lift`, after its keyword and without its type: `(core func $f)` and options."""
    function = item(cursor, core=True)
    found = options(cursor)
    return _LIFT + uleb(scope.resolve(cursor, function)) + encoded_options(scope, cursor, found)


def builtin(scope: Scope, cursor: Cursor) -> bytes:
    """A canonical function that makes a core function, after `canon` and up to a closing parenthesis."""
    keyword = cursor.next()
    row = BUILTINS.get(keyword)
    if row is None:
        raise cursor.error_before("unexpected token, expected a canonical function")
    out = bytes([row.code]) + (b"\0" if keyword == "lower" else b"")
    pending: list[bytes | Reference | list[tuple[bytes, Reference | None]]] = []
    types = TypeReader(scope, cursor)
    for operand in row.operands.split():
        if operand == "func":
            pending.append(item(cursor))
        elif operand == "type":
            pending.append(reference(cursor, "type", parenthesised=True))
        elif operand == "core-type":
            pending.append(reference(cursor, "core type", parenthesised=True))
        elif operand == "memory":
            if not cursor.open("memory"):
                raise cursor.error("unexpected token, expected memory")
            pending.append(reference(cursor, "core memory", parenthesised=True))
            cursor.close()
        elif operand == "table":
            if cursor.open("table"):
                pending.append(reference(cursor, "core table"))
                cursor.close()
            else:
                pending.append(reference(cursor, "core table", parenthesised=True))
        elif operand in {"async", "cancellable"}:
            pending.append(b"\1" if cursor.accept(operand) else b"\0")
        elif operand == "slot":
            wide = cursor.accept("i64") or (cursor.accept("i32") and False)
            pending.append((b"\x7e" if wide else b"\x7f") + uleb(cursor.unsigned()))
        elif operand == "result":
            if cursor.open("result"):
                type_ = types.value()
                cursor.close()
                pending.append(b"\0" + types.finish(type_))
            else:
                pending.append(b"\1\0")
        else:
            pending.append(options(cursor))
    for each in pending:
        if isinstance(each, bytes):
            out += each
        elif isinstance(each, list):
            out += encoded_options(scope, cursor, each)
        else:
            out += uleb(scope.resolve(cursor, each))
    return out
