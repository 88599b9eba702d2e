"""A file in the text format, from text to binary. Spec: core, text format, modules (6.6)."""

from __future__ import annotations

from wasm2oci.engine.text.cursor import Cursor
from wasm2oci.engine.text.errors import TextError
from wasm2oci.engine.text.module import module_fields
from wasm2oci.engine.text.spaces import named

__all__ = ["assemble"]


def assemble(source: str | bytes, *, confusing: bool = False) -> bytes:
    """The binary of a module in the text format.

    Args:
        source: `(module ...)`, or the fields of a module alone; bytes are UTF-8.
        confusing: whether characters that turn the direction of text round are accepted, in strings and comments.

    Raises:
        TextError: it is no module; with line and column.
    """
    text = source if isinstance(source, str) else _decoded(source)
    cursor = Cursor(text, confusing=confusing)
    if cursor.open("module"):
        out = _module(cursor)
        cursor.close()
    else:
        out = module_fields(cursor)
    if cursor.peek():
        raise cursor.error("unexpected token: extra tokens remaining after parse")
    return out


def _module(cursor: Cursor) -> bytes:
    """A module after its keyword, up to its closing parenthesis."""
    _, name = named(cursor)
    if cursor.accept("binary"):
        return cursor.strings()
    return module_fields(cursor, name)


def _decoded(source: bytes) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode()
        raise TextError("malformed UTF-8 encoding", before, len(before)) from error
