"""Views of memory in variables of their own, for loops in which no memory can grow.

`I0[l1>>2]` looks a view up among the globals each time; a variable is quicker. A memory that grows gets new views, so
a loop qualifies when everything it calls is known and grows nothing.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["hoist_views"]

_VIEW: Final = re.compile(r"\b[BHIQbhiFD]\d+\b")
_CALL: Final = re.compile(r"(?<![\w.\])])([\w.\])]+)\(")
_FOREIGN: Final = re.compile(r"\bf\d+\(|[\])]\(")
"""The calls that most loops are given up for: of a function by its number, or of what is in a table."""
_HARMLESS: Final = re.compile(
    r"(un)?pack_\w|([if]\d+(x\d+)?|v128)_\w+|memory_(fill|copy|init)|len|float|range|out_of_fuel|interrupted"
    r"|unreachable|[\w.\])]*\.bit_(length|count)"
)


def hoist_views(lines: list[str], offsets: list[int]) -> tuple[list[str], list[int]]:
    """Rewrites a function's lines, each with its offset in the module; what comes back may be longer."""
    result: list[str] = []
    places: list[int] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        text = line.lstrip()
        if not text.startswith(("while ", "for ")):
            result.append(line)
            places.append(offsets[at])
            at += 1
            continue
        indent = len(line) - len(text)
        end = at + 1
        inner = " " * (indent + 1)
        while end < len(lines) and lines[end].startswith(inner):
            end += 1
        body = "\n".join(lines[at:end])
        views = [] if _FOREIGN.search(body) else sorted(set(_VIEW.findall(body)))
        if views and all(_HARMLESS.fullmatch(name) for name in set(_CALL.findall(body))):
            result.append(" " * indent + ";".join(f"v{name}={name}" for name in views))
            places.append(offsets[at])
            result += _VIEW.sub(r"v\g<0>", body).split("\n")
            places += offsets[at:end]
            at = end
        else:  # perhaps a loop inside it does
            result.append(line)
            places.append(offsets[at])
            at += 1
    return result, places
