"""The order of tags that are versions: 1.9 before 1.10, and a release candidate before its release.

Spec: Semantic Versioning 2.0.0, section 11 (precedence), widened to tags of any shape.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["version_key"]

_PART: Final = re.compile(r"[0-9]+|[^0-9]+")
_ZERO: Final = (0, "")
_VERSION: Final = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*)(.*)\Z", re.DOTALL)


def version_key(tag: str) -> tuple[object, ...]:
    """What to sort tags by: those that begin with no number first, by name; then versions, the oldest first.

    `1.0` and `1.0.0` are the same version, and then the name decides.
    """
    match = _VERSION.match(tag)
    if match is None:
        return (0, _parts(tag), tag)
    numbers = [_size(number) for number in match[1].split(".")]
    while numbers and numbers[-1] == _ZERO:
        numbers.pop()
    rest = match[2]
    return (1, tuple(numbers), not rest.startswith("-"), _parts(rest), tag)


def _parts(text: str) -> tuple[tuple[bool, tuple[int, str], str], ...]:
    # Names in layouts may hold digits of other scripts: those are text.
    parts = [(part, part.isascii() and part.isdigit()) for part in _PART.findall(text)]
    return tuple((not number, _size(part) if number else _ZERO, part) for part, number in parts)


def _size(digits: str) -> tuple[int, str]:
    # Names in layouts may be of any length, and Python makes no `int` of more than 4300 digits.
    significant = digits.lstrip("0")
    return len(significant), significant
