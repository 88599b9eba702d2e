"""The text format (core specification, chapter 6).

    assemble(text)           text -> binary
    is_text(head)            whether a file is text
    binary(data)             a file's binary form, whichever it is
    print_text(data)         binary -> text, flat or folded, whole or one function

Text becomes bytes and nothing else: what a module is, and whether it is valid, the rest of the engine says. What is
printed and read again is the same module, and prints the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.lazy import lazily
from wasm2oci.engine.text.source import binary, is_text

if TYPE_CHECKING:
    from wasm2oci.engine.text.assembler import assemble
    from wasm2oci.engine.text.errors import TextError
    from wasm2oci.engine.text.printing import print_text

__all__ = ["TextError", "assemble", "binary", "is_text", "print_text"]

if not TYPE_CHECKING:  # a type checker would take any name for one of the package
    __getattr__ = lazily(__name__, {"assembler": ("assemble",), "errors": ("TextError",), "printing": ("print_text",)})
