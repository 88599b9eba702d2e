"""What the check of control flow moves through a tree: tokens, each a place in the function and what is known there.

Places are numbers: n >= 0 is instruction n; a label that is the end of construct c is `~(2 * n)` while its values are
still on the operand stack and `~(2 * n + 1)` once they are in their slots, n being one more than the start of the
outermost construct that ends in the same place (0: the function). The label of a loop that starts at n is `LABEL - n`
once its values are in their slots.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "BACK",
    "IDLE",
    "LABEL",
    "MOVED",
    "NOTHING",
    "RAISED",
    "RETURNED",
    "SECOND",
    "SETTLED",
    "ControlFlowError",
    "Known",
    "Scope",
    "Token",
    "Tokens",
    "join",
    "merge",
]

Known = dict[str, tuple[int, int]]
"""Bounds of selectors and flags; a name that is missing may not have been set."""
Token = tuple[int, Known, int]
"""A place; what is known there; and one of the following three."""
Tokens = list[Token]

IDLE: Final = 0
"""Nothing of the source was executed since the start of the innermost loop."""
MOVED: Final = 1
SETTLED: Final = 2
"""Values were just taken up from their slots, and are still in them too."""

NOTHING: Final[Known] = {}
RETURNED: Final = ~0
"""On the way out of the function, its results on the operand stack."""
LABEL: Final = -(1 << 40)
"""Less the start of a loop: its label."""
BACK: Final = -(1 << 41)
"""Less the start of a loop: a branch to it whose values are not in place."""
SECOND: Final = -(1 << 42)
"""Less the `else` of an `if`: its second arm, which nothing falls into."""
RAISED: Final = -(1 << 50)
"""Less n: an exception for the try_table that starts at n - 1, or for the caller, if n is 0."""


class ControlFlowError(AssertionError):
    """A tree does not do what its function says: a bug in this package, found before the code could run."""


class Scope:
    """Where jumps and exceptions in a stretch of the tree lead to; None: there is no such place."""

    __slots__ = ("breaks", "continues", "raised")

    def __init__(self, breaks: Tokens | None, continues: Tokens | None, raised: dict[Any, Token] | None) -> None:
        self.breaks = breaks
        self.continues = continues
        self.raised = raised


def join(tokens: Tokens) -> Known:
    """What is known in all tokens."""
    result = tokens[0][1]
    for _, known, _ in tokens[1:]:
        joined = {}
        for name, bounds in result.items():
            other = known.get(name)
            if other == bounds:
                joined[name] = bounds
            elif other is not None:
                joined[name] = (min(bounds[0], other[0]), max(bounds[1], other[1]))
        result = joined
    return result


def merge(tokens: Tokens) -> Tokens:
    """Tokens without repetitions."""
    if len(tokens) < 2:
        return tokens
    if len(tokens) == 2:
        (place, known, state), (there, other, also) = tokens
        return [(place, known, min(state, also))] if place == there and known == other else tokens
    places: dict[int, Tokens] = {}
    for token in tokens:
        place, known, state = token
        same = places.setdefault(place, [])
        for at, (_, other, also) in enumerate(same):
            if known is other or known == other:
                same[at] = (place, other, min(state, also))
                break
        else:
            same.append(token)
    return [token for same in places.values() for token in same]
