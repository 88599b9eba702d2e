"""What a registry wants its user to know: the header field `Warning`.

Spec: distribution-spec, Warnings.
"""

from __future__ import annotations

import re
from typing import Final

from wasm2oci.base.text import one_line

__all__ = ["warning_text"]

_WARNING: Final = re.compile(r'\s*299\s+\S+\s+"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_WARNING_MAX: Final = 4096


def warning_text(value: str) -> str:
    """The text of a `Warning` of the registry's own (code 299), made printable; empty if it is something else."""
    match = _WARNING.match(value[:_WARNING_MAX])
    return "" if match is None else one_line(_ESCAPE.sub(r"\1", match.group(1)))
