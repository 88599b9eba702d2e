"""Canonical functions, from text to binary: one row each. Spec: component model, CanonicalABI.md and Binary.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.canon import BUILTINS, OPTION_SORTS, OPTIONS
from wasm2oci.engine.text.component.references import item, reference
from wasm2oci.engine.text.component.types import TypeReader
from wasm2oci.engine.text.encode import uleb, vector

if TYPE_CHECKING:
    from wasm2oci.engine.text.component.scope import Reference, Scope
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["builtin", "encoded_options", "lift", "options"]

_LIFT: Final = b"\0\0"
_CODES: Final = {keyword: bytes([code]) for code, keyword in enumerate(OPTIONS)}
_FUNCTIONS: Final = [keyword for keyword, sort in OPTION_SORTS.items() if sort == "core func"]


def options(cursor: Cursor) -> list[tuple[bytes, Reference | None]]:
    """The options of a canonical function, as far as they go: code, and a reference where one belongs to it."""
    out: list[tuple[bytes, Reference | None]] = []
    while True:
        flag = cursor.peek()
        if flag in _CODES and flag not in OPTION_SORTS:
            cursor.next()
            out.append((_CODES[flag], None))
        elif cursor.open("memory"):
            out.append((_CODES["memory"], reference(cursor, "core memory", parenthesised=True)))
            cursor.close()
        elif keyword := cursor.open(*_FUNCTIONS):
            out.append((_CODES[keyword], reference(cursor, "core func", parenthesised=True)))
            cursor.close()
        elif cursor.open("core-type"):
            out.append((_CODES["core-type"], reference(cursor, "core type", parenthesised=True)))
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
