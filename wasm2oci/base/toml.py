"""TOML of files that may hold anything.

The standard parser takes work that grows with the square of the parts of a dotted key (a key of 20 KB takes seconds),
and makes a number of any length from hexadecimal digits, which then cannot be printed. Both are refused here.

Spec: TOML 1.0.0, Keys; Integer ("arbitrary 64-bit signed integers should be accepted").
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

__all__ = ["load_toml"]

_INTEGER_MAX: Final = 1 << 63
_KEY: Final = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]++|\\.|)*+"|'[^'\n]*+')"""
_DOT: Final = r"[ \t]*+\.[ \t]*+"
_TOKEN: Final = re.compile(
    r"""[^"'#A-Za-z0-9_-]++|#[^\n]*+"""
    r"""|"{3}(?:[^"\\]++|\\[\s\S]|"{1,2}(?!")|)*+(?:"{3,5}|\\?\Z)|'{3}(?:[^']++|'{1,2}(?!')|)*+(?:'{3,5}|\Z)"""
    rf"|{_KEY}(?:{_DOT}{_KEY}|){{0,31}}+({_DOT}{_KEY})?"
    r"""|"(?:[^"\\\n]++|\\.|)*+|'[^'\n]*+"""
)
"""What is between, comments, strings of several lines, keys and what looks like them. The group is the 33rd part of a
key; those of known files have six at most. A string that does not end takes all that follows, since the parser goes no
further either."""


def load_toml(raw: bytes) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ValueError: it is not UTF-8, not TOML, nested too deeply, has a key of too many parts, or an integer of more
            than 64 bits.
    """
    text = raw.decode()
    if any(token[1] for token in _TOKEN.finditer(text)):
        raise ValueError("a key has more than 32 parts")
    try:
        tables = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    pending: list[Any] = [tables]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, int) and not -_INTEGER_MAX <= value < _INTEGER_MAX:
            raise ValueError("an integer has more than 64 bits")
    return tables
