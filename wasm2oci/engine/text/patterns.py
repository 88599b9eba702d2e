"""The shapes of atoms, as parts of regular expressions. Spec: core, text format (6.2, 6.3).

All are possessive: a text that does not fit is given up at once, so every pattern made of them is linear.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ANNOTATION", "ANNOTATIONS", "DIGITS", "HEX_DIGITS", "ID", "STRING", "atom_offset", "atoms", "first_atom"]

ID: Final = r"0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~"
"""The characters of identifiers and keywords, for a character class."""

DIGITS: Final = r"[0-9](?:_?[0-9])*+"
HEX_DIGITS: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*+"

STRING: Final = rf'"(?:[^"\\\x00-\x1f\x7f]++|\\(?:[0-9a-fA-F]{{2}}|[tnr"\'\\]|u\{{{HEX_DIGITS}\}}))*+"'

ANNOTATION: Final = rf"@(?:{STRING}|[{ID}]*+)"
"""What follows the parenthesis at an annotation's head."""

ANNOTATIONS: Final = frozenset({"(@name", "(@custom", "(@producers", "(@metadata.code.branch_hint"})
"""The heads of the annotations that are kept; all others are as good as comments."""

_ATOM: Final = re.compile(rf"(?:[{ID}]++|{STRING})++")


def atoms(run: str) -> list[str]:
    """The atoms of a run, in order; `$"x"` is one, as it is written."""
    return _ATOM.findall(run) if '"' in run else run.split()


def first_atom(run: str) -> str:
    """The first atom of a run."""
    found = _ATOM.match(run) if '"' in run else None
    return found[0] if found else run.split(None, 1)[0]


def atom_offset(run: str, number: int) -> int:
    """Where atom `number` starts within its run."""
    for place, found in enumerate(_ATOM.finditer(run)):
        if place == number:
            return found.start()
    return len(run)
