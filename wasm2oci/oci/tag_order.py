"""The order of tags that are versions: 1.9 before 1.10, and a release candidate before its release.

Spec: Semantic Versioning 2.0.0, section 11 (precedence), widened to tags of any shape.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["version_key"]

_PART: Final = re.compile(r"[0-9]+|[^0-9]+")
_VERSION: Final = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*)(.*)\Z", re.DOTALL)


def version_key(tag: str) -> tuple[object, ...]:
    """What to sort tags by: those that begin with no number first, by name; then versions, the oldest first.

    `1.0` and `1.0.0` are the same version, and then the name decides.
    """
    match = _VERSION.match(tag)
    if match is None:
        return (0, _parts(tag), tag)
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    rest = match[2]
    return (1, tuple(numbers), not rest.startswith("-"), _parts(rest), tag)


def _parts(text: str) -> tuple[tuple[bool, int, str], ...]:
    # Names in layouts may hold digits of other scripts: those are text.
    parts = [(part, part.isascii() and part.isdigit()) for part in _PART.findall(text)]
    return tuple((not number, int(part) if number else 0, part) for part, number in parts)
