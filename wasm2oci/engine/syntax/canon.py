"""Canonical functions and their options: one row each. Spec: component model, Binary.md and CanonicalABI.md."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["BUILTINS", "BY_CODE", "OPTIONS", "OPTION_SORTS", "Builtin"]


class Builtin(NamedTuple):
    """A canonical built-in: what makes a core function.

    Attributes:
        code: its byte.
        operands: what follows, in order: `func`, `type`, `core-type`, `memory`, `table` (references),
            `result` (an optional result type), `slot` (a type of a slot and its number), `async` and `cancellable`
            (flags), `options`.
        params: the core function's parameters, a letter each: `i` i32, `l` i64, `p` an address in the memory it names,
            `r` what represents the resource, `s` the slot's type. `*`: they follow from the function or the result.
        results: its results, likewise.
        wants: the kind that the type has to be of: `resource`, `local resource` (defined in the same component),
            `stream`, `future`; empty where there is none.
    """

    code: int
    operands: str = ""
    params: str = ""
    results: str = ""
    wants: str = ""


BUILTINS: Final = {
    "lower": Builtin(0x01, "func options", "*", "*"),
    "resource.new": Builtin(0x02, "type", "r", "i", "local resource"),
    "resource.drop": Builtin(0x03, "type", "i", "", "resource"),
    "resource.rep": Builtin(0x04, "type", "i", "r", "local resource"),
    "task.cancel": Builtin(0x05),
    "subtask.cancel": Builtin(0x06, "async", "i", "i"),
    "backpressure.set": Builtin(0x08, "", "i"),
    "task.return": Builtin(0x09, "result options", "*"),
    "context.get": Builtin(0x0A, "slot", "", "s"),
    "context.set": Builtin(0x0B, "slot", "s"),
    "thread.yield": Builtin(0x0C, "cancellable", "", "i"),
    "subtask.drop": Builtin(0x0D, "", "i"),
    "stream.new": Builtin(0x0E, "type", "", "l", "stream"),
    "stream.read": Builtin(0x0F, "type options", "ipp", "p", "stream"),
    "stream.write": Builtin(0x10, "type options", "ipp", "p", "stream"),
    "stream.cancel-read": Builtin(0x11, "type async", "i", "i", "stream"),
    "stream.cancel-write": Builtin(0x12, "type async", "i", "i", "stream"),
    "stream.drop-readable": Builtin(0x13, "type", "i", "", "stream"),
    "stream.drop-writable": Builtin(0x14, "type", "i", "", "stream"),
    "future.new": Builtin(0x15, "type", "", "l", "future"),
    "future.read": Builtin(0x16, "type options", "ip", "i", "future"),
    "future.write": Builtin(0x17, "type options", "ip", "i", "future"),
    "future.cancel-read": Builtin(0x18, "type async", "i", "i", "future"),
    "future.cancel-write": Builtin(0x19, "type async", "i", "i", "future"),
    "future.drop-readable": Builtin(0x1A, "type", "i", "", "future"),
    "future.drop-writable": Builtin(0x1B, "type", "i", "", "future"),
    "error-context.new": Builtin(0x1C, "options", "pp", "i"),
    "error-context.debug-message": Builtin(0x1D, "options", "ip"),
    "error-context.drop": Builtin(0x1E, "", "i"),
    "waitable-set.new": Builtin(0x1F, "", "", "i"),
    "waitable-set.wait": Builtin(0x20, "cancellable memory", "ip", "i"),
    "waitable-set.poll": Builtin(0x21, "cancellable memory", "ip", "i"),
    "waitable-set.drop": Builtin(0x22, "", "i"),
    "waitable.join": Builtin(0x23, "", "ii"),
    "backpressure.inc": Builtin(0x24),
    "backpressure.dec": Builtin(0x25),
    "thread.index": Builtin(0x26, "", "", "i"),
    "thread.new-indirect": Builtin(0x27, "core-type table", "ii", "i"),
    "thread.resume-later": Builtin(0x28, "", "i"),
    "thread.suspend": Builtin(0x29, "cancellable", "", "i"),
    "thread.suspend-then-resume": Builtin(0x2A, "cancellable", "i", "i"),
    "thread.yield-then-resume": Builtin(0x2B, "cancellable", "i", "i"),
    "thread.suspend-then-promote": Builtin(0x2C, "cancellable", "i", "i"),
    "thread.yield-then-promote": Builtin(0x2D, "cancellable", "i", "i"),
    "thread.spawn-ref": Builtin(0x40, "core-type", "*", "i"),
    "thread.spawn-indirect": Builtin(0x41, "core-type table", "ii", "i"),
    "thread.available-parallelism": Builtin(0x42, "", "", "i"),
}

BY_CODE: Final = {row.code: keyword for keyword, row in BUILTINS.items()}

OPTIONS: Final = (
    "string-encoding=utf8",
    "string-encoding=utf16",
    "string-encoding=latin1+utf16",
    "memory",
    "realloc",
    "post-return",
    "async",
    "callback",
    "core-type",
    "gc",
)
"""Options by code."""

OPTION_SORTS: Final = {
    "memory": "core memory",
    "realloc": "core func",
    "post-return": "core func",
    "callback": "core func",
    "core-type": "core type",
}
"""The sort of the item that an option names; the others are flags."""
