"""Files that may be in the text format: which they are, and their binary form."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["binary", "is_text"]

_BEGINNING: Final = re.compile(rb"[ \t\r\n]*+(?:\((?![\x80-\xff])|;;)")  # a zstd frame begins with a parenthesis too
_MAGIC: Final = b"\0asm"


def is_text(head: bytes) -> bool:
    """Whether a file that begins like this is in the text format: with a parenthesis or a comment, after blanks."""
    return bool(_BEGINNING.match(head))


def binary(data: bytes) -> bytes:
    """The binary form of a file: itself, or what its text assembles to.

    Raises:
        TextError: it begins as text does, and is no module.
    """
    if data[:4] == _MAGIC or not is_text(data):
        return data
    from wasm2oci.engine.text.assembler import assemble  # noqa: PLC0415 - most files are binary

    return assemble(data)
