"""Expressions that are the same in every turn of a loop, and are moved before it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.translate.ranges import Ranges
from wasm2oci.engine.translate.value import PURE, V

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body

__all__ = ["InvariantMotion", "Invariants", "slots_of"]

_UNMOVABLE: Final = re.compile(r"//|%|:=|\[|[\w\])]\(|(<<|>>)(?!\d)|(?<![\w.])(?!l\d|w\d|if\b|else\b|or\b)[A-Za-z_]")
"""What could fail, cost without bounds or read something but locals, if it were evaluated before a loop."""
_MOVED: Final = re.compile(r"\bw\d+\b")
MAX_MOVED: Final = 24
"""So many expressions are moved out of one loop."""


class InvariantMotion:
    """A loop that is open, and what was moved out of it because it is the same in every turn.

    Attributes:
        assigned: the locals it assigns, as bits.
        before: the line before it that is kept for what is moved.
        outside, inside: how far the loop and its body are indented.
        moved: expression to variable.
    """

    __slots__ = ("assigned", "before", "inside", "moved", "outside")

    def __init__(self, assigned: int, before: int, outside: int, inside: int) -> None:
        self.assigned = assigned
        self.before = before
        self.outside = outside
        self.inside = inside
        self.moved: dict[str, str] = {}


class Invariants(Ranges):
    """Finds them.

    Attributes:
        loops: open loops expressions may be moved out of, outermost first.
    """

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self.loops: list[InvariantMotion] = []
        self.moved = 0

    def steady(self, v: V) -> V:
        """`v`, or a variable that holds it where it is the same in every turn of a loop and worth moving before it.

        What is moved may be evaluated though its place is never reached, so it has to be arithmetic that cannot fail.
        """
        loops = self.loops
        if not loops or not v.d or v.cls or v.b or v.lit or v.deps & loops[-1].assigned:
            return v
        if slots_of(v.deps) & v.deps or len(self.ind) != loops[-1].inside or _UNMOVABLE.search(v.s):
            return v
        place = len(loops) - 1
        while place and loops[place].outside == loops[place - 1].inside and not v.deps & loops[place - 1].assigned:
            place -= 1
        loop = loops[place]
        name = loop.moved.get(v.s)
        if name is None:
            if len(loop.moved) >= MAX_MOVED:
                return v
            name = loop.moved[v.s] = f"w{self.moved}"
            self.moved += 1
        r = V(name, 0, v.lo, v.hi, v.deps, PURE, 0, v.tz)
        r.m, r.sum, r.shl = v.m, v.sum, v.shl
        return r

    def steady_pair(self, a: V, b: V) -> tuple[V, V]:
        """Two operands, one of which may be steady where the other is not."""
        assigned = self.loops[-1].assigned
        if a.deps & assigned:
            if b.d:
                b = self.steady(b)
        elif a.d and b.deps & assigned:
            a = self.steady(a)
        return a, b

    def end_steady(self, header: int) -> None:
        """Ends the innermost loop, whose first line is `header`: writes what was moved out of it and is needed."""
        loop = self.loops.pop()
        if loop.moved:
            body = "\n".join(text for text in self.out[header:] if text is not None)
            used = set(_MOVED.findall(body))
            texts: list[str] = []
            for text, name in reversed(loop.moved.items()):
                if name in used:
                    texts.append(f"{name}={text}")
                    used.update(_MOVED.findall(text))
            if texts:
                self.out[loop.before] = f"{' ' * loop.outside}{';'.join(reversed(texts))}"


def slots_of(deps: int) -> int:
    """The bits of all slots that `deps` may name."""
    return (1 << 2 * (deps.bit_length() // 2 + 1)) // 3 * 2
