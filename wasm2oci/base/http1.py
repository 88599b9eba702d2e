"""What both ends of HTTP/1.1 read alike: fields, and the first line of a chunk. Spec: RFC 9110, RFC 9112."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["chunk_size", "is_field_name", "is_field_value"]

_FIELD_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[ -~\t]*)?\Z")


def is_field_name(name: bytes) -> bool:
    """Whether these bytes are the name of a field, which is a token (methods are, too)."""
    return _FIELD_NAME.match(name) is not None


def is_field_value(value: bytes) -> bool:
    """Whether these bytes can be the value of a field: no control characters but tabs."""
    return _BAD_VALUE.search(value) is None


def chunk_size(line: bytes) -> int | None:
    """The size in a chunk's first line, without its end of line; extensions are passed over. None: it is malformed."""
    match = _CHUNK.match(line)
    return None if match is None else int(match[1], 16)
