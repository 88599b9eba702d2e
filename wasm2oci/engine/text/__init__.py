"""The text format (core specification, chapter 6).

    assemble(text)           text -> binary
    is_text(head)            whether a file is text
    binary(data)             a file's binary form, whichever it is

Text becomes bytes and nothing else: what a module is, and whether it is valid, the rest of the engine says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.lazy import lazily
from wasm2oci.engine.text.source import binary, is_text

if TYPE_CHECKING:
    from wasm2oci.engine.text.assembler import assemble
    from wasm2oci.engine.text.errors import TextError

__all__ = ["TextError", "assemble", "binary", "is_text"]

__getattr__ = lazily(__name__, {"assembler": ("assemble",), "errors": ("TextError",)})
