"""A file in the text format, from text to binary. Spec: core, text format, modules (6.6)."""

from __future__ import annotations

from typing import Final

from wasm2oci.engine.text.cursor import Cursor
from wasm2oci.engine.text.errors import TextError
from wasm2oci.engine.text.module import module_fields
from wasm2oci.engine.text.spaces import named

__all__ = ["assemble"]

_COMMANDS: Final = (
    "assert_exhaustion",
    "assert_exception",
    "assert_invalid",
    "assert_malformed",
    "assert_return",
    "assert_trap",
    "assert_unlinkable",
    "get",
    "invoke",
    "register",
)
"""What a script may say beside its module. Spec: the reference interpreter's scripts (`.wast`)."""


def assemble(source: str | bytes, *, confusing: bool = False) -> bytes:
    """The binary of a module or component in the text format.

    Args:
        source: `(module ...)`, `(component ...)`, or the fields of a module alone; or a script with one module, whose
            other commands (assertions, calls) are passed over. Bytes are UTF-8.
        confusing: whether characters that turn the direction of text round are accepted, in strings and comments.

    Raises:
        TextError: it is none of these; with line and column.
    """
    text = source if isinstance(source, str) else _decoded(source)
    cursor = Cursor(text, confusing=confusing)
    if not cursor.at_form("module", "component"):
        out = module_fields(cursor)
    else:
        out = _whole(cursor)
        while cursor.at_form(*_COMMANDS):
            cursor.open(*_COMMANDS)
            cursor.skip()
        if cursor.at_form("module", "component"):
            raise cursor.error("this script has several modules: only one with a single module can be assembled")
    if cursor.peek():
        raise cursor.error("unexpected token: extra tokens remaining after parse")
    return out


def _whole(cursor: Cursor) -> bytes:
    """`(module ...)` or `(component ...)`."""
    if cursor.open("module"):
        cursor.accept("definition")
        out = _module(cursor)
    else:
        from wasm2oci.engine.text.component import component_fields  # noqa: PLC0415 - most files are modules

        cursor.open("component")
        cursor.accept("definition")
        own = named(cursor)
        out = cursor.strings() if cursor.accept("binary") else component_fields(cursor, own)
    cursor.close()
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
