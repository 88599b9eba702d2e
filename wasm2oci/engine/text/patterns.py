"""The shapes of atoms, as parts of regular expressions. Spec: core, text format (6.2, 6.3).

All are possessive: a repetition never gives back what it matched. A group that is repeated possessively has an empty
alternative at its end, here and in all patterns: Python before 3.11.5 otherwise goes on from the middle of a repetition
that failed.

A pattern that is used to search has to be linear, too: an unclosed string must not make it fail, or each escaped quote
in the string would begin another one that is read to the same end. So such a pattern matches a string closed or not
(`OPEN_STRING`), and its caller tells them apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ANNOTATION",
    "ANNOTATIONS",
    "CHARACTERS",
    "DIGITS",
    "HEX_DIGITS",
    "HINTS",
    "ID",
    "OPEN_STRING",
    "STRING",
    "atom_offset",
    "atom_places",
    "atoms",
    "first_atom",
]

ID: Final = r"0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~"
"""The characters of identifiers and keywords, for a character class."""

DIGITS: Final = r"[0-9](?:_?[0-9]|)*+"
HEX_DIGITS: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F]|)*+"

CHARACTERS: Final = rf"""(?:[^"\\\x00-\x1f\x7f]++|\\(?:[0-9a-fA-F]{{2}}|[tnr"'\\]|u\{{{HEX_DIGITS}\}})|)*+"""
"""What may stand in a string, as far as it goes."""

STRING: Final = f'"{CHARACTERS}"'

OPEN_STRING: Final = f"{STRING}?"
"""A string, or what there is of one that is not closed: up to the first character that cannot be in it."""

ANNOTATION: Final = rf"@(?:{STRING}|[{ID}]*+)"
"""What follows the parenthesis at an annotation's head."""

ANNOTATIONS: Final = frozenset({"(@name", "(@custom", "(@producers", "(@metadata.code.branch_hint"})
"""The heads of the annotations that are kept; all others are as good as comments."""
HINTS: Final = (b"\0", b"\1")
"""The values of a branch hint: unlikely, likely. Spec: branch hinting."""

_ATOM: Final = re.compile(rf"""(?=[{ID}"])(?:[{ID}]++|{OPEN_STRING}|)*+""")  # in a run, all strings are closed


def atoms(run: str) -> list[str]:
    """The atoms of a run, in order; `$"x"` is one, as it is written."""
    return _ATOM.findall(run) if '"' in run else run.split()


def first_atom(run: str) -> str:
    """The first atom of a run."""
    found = _ATOM.match(run) if '"' in run else None
    return found[0] if found else run.split(None, 1)[0]


def atom_offset(run: str, number: int) -> int:
    """Where atom `number` starts within its run."""
    return next((offset for place, (_, offset) in enumerate(atom_places(run)) if place == number), len(run))


def atom_places(run: str) -> Iterator[tuple[str, int]]:
    """The atoms of a run, in order, with where they start within it."""
    return ((found[0], found.start()) for found in _ATOM.finditer(run))
