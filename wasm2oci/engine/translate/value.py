"""Operands as Python expressions that have not been written yet, with what is known about their values.

An integer operand may be *lazy*: its expression gives the right value modulo 2**32 (or 2**64), and `lo <= value <= hi`
says how far it may stray. Masks are written only where a canonical value (unsigned, in range) is asked for. Ranges are
of the Python integer itself, so `0 <= lo and hi <= mask` is what canonical means.

Precedences (`p`), tightest first: 0 atom, 2 unary, 3 * / // %, 4 + -, 5 << >>, 6 &, 7 ^, 8 |, 9 comparison, 10 not,
11 and, 12 or, 13 conditional.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "EFFECT",
    "LITERALS",
    "M32",
    "M64",
    "PURE",
    "READ",
    "SMALL",
    "V",
    "binary",
    "boolean",
    "constant",
    "local_bit",
    "mask",
    "negated",
    "paren",
    "slot_bit",
    "truth",
]

M32: Final = 0xFFFFFFFF
M64: Final = 0xFFFFFFFFFFFFFFFF
SMALL: Final = 0x3FFFFFFF
"""The largest int CPython holds in one digit; comparing with it is quick, masking and comparing with more is not."""
LITERALS: Final = {M32: "4294967295", M64: "18446744073709551615"}

PURE: Final = 0
"""Evaluating it can neither fail nor be noticed."""
READ: Final = 1
"""It reads memory, tables, globals or objects, and may trap in doing so; it stays in order with its like."""
EFFECT: Final = 2
"""It changes something, or traps in a way of its own: it stays where it is."""


def local_bit(index: int) -> int:
    """The dependency on a local."""
    return 1 << 2 * index


def slot_bit(height: int) -> int:
    """The dependency on the variable of an operand stack slot."""
    return 2 << 2 * height


class V:
    """One operand.

    Attributes:
        s: the expression.
        p: its precedence.
        lo, hi: bounds of an integer; `hi < lo` for anything else.
        deps: locals and slots it reads, as bits.
        cls: `PURE`, `READ` or `EFFECT`.
        d: how deep the expression nests.
        b: it is a bool.
        n, np: the negated expression and its precedence, "" where there is none better than `not`.
        cmp: what its truth says about locals: (relation, left, right), see `ranges`.
        loc, add: it is local `loc` plus `add`; `loc` is -1 for other expressions.
        tz: so many low bits are known to be zero.
        shl: it is the first operand shifted left by the second, unmasked.
        sum: it is the sum of two operands, unmasked.
        conj: it is the bitwise conjunction of two operands.
        k: the value of an integer constant, else None.
        lit: it never changes: a constant of any type.
        m: the mask that makes a lazy integer canonical; only set where it may be needed.
    """

    __slots__ = (
        "add",
        "b",
        "cls",
        "cmp",
        "conj",
        "d",
        "deps",
        "hi",
        "k",
        "lit",
        "lo",
        "loc",
        "m",
        "n",
        "np",
        "p",
        "s",
        "shl",
        "sum",
        "tz",
    )

    def __init__(  # noqa: PLR0917 - made a million times, so briefly
        self, s: str, p: int, lo: int, hi: int, deps: int = 0, cls: int = PURE, d: int = 0, tz: int = 0
    ) -> None:
        self.s = s
        self.p = p
        self.lo = lo
        self.hi = hi
        self.deps = deps
        self.cls = cls
        self.d = d
        self.tz = tz
        self.b = False
        self.n = ""
        self.np = 0
        self.cmp: tuple[str, V, V] | None = None
        self.loc = -1
        self.add = 0
        self.shl: tuple[V, int] | None = None
        self.sum: tuple[V, V] | None = None
        self.conj: tuple[V, V] | None = None
        self.k: int | None = None
        self.lit = False
        self.m = 0

    def __repr__(self) -> str:
        return f"V({self.s!r}, {self.lo}..{self.hi})"


def constant(k: int) -> V:
    """An integer constant."""
    v = V(str(k), 0 if k >= 0 else 2, k, k)
    v.k = k
    v.lit = True
    v.tz = 64 if k == 0 else (k & -k).bit_length() - 1
    return v


def paren(v: V, limit: int) -> str:
    """The expression as an operand of one that binds as tightly as `limit`."""
    return v.s if v.p <= limit else f"({v.s})"


def binary(a: V, op: str, b: V, p: int, lo: int = 1, hi: int = 0) -> V:  # noqa: PLR0917 - as above
    """`a op b`, an operator that associates to the left, of precedence `p`."""
    left = a.s if a.p <= p else f"({a.s})"
    right = b.s if b.p < p else f"({b.s})"
    ac, bc, ad, bd = a.cls, b.cls, a.d, b.d
    return V(f"{left}{op}{right}", p, lo, hi, a.deps | b.deps, max(bc, ac), (max(bd, ad)) + 1)


def boolean(s: str, p: int, n: str, np: int, *parts: V) -> V:
    """A condition and its negation, made of `parts`."""
    deps = cls = d = 0
    for part in parts:
        deps |= part.deps
        cls = max(cls, part.cls)
        d = max(d, part.d)
    v = V(s, p, 0, 1, deps, cls, d + 1)
    v.b = True
    v.n = n
    v.np = np
    return v


def mask(v: V, m: int) -> V:
    """A canonical operand, masked where it may not be one already."""
    if v.lo >= 0 and v.hi <= m:
        return v
    if v.k is not None:
        return constant(v.k & m)
    return V(f"{paren(v, 6)}&{m}", 6, 0, m, v.deps, v.cls, v.d + 1, v.tz)


def truth(v: V, m: int) -> V:
    """A condition that holds when an integer is not zero."""
    if v.b:
        return v
    v = mask(v, m)
    r = boolean(v.s, v.p, f"not {paren(v, 9)}", 10, v)
    if v.loc >= 0 and not v.add:
        r.cmp = ("!=", v, constant(0))
    return r


_NEGATED: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==", "in": "out", "out": "in"}


def negated(v: V) -> V:
    """The opposite of a condition."""
    r = V(v.n, v.np, 0, 1, v.deps, v.cls, v.d) if v.n else V(f"not {paren(v, 9)}", 10, 0, 1, v.deps, v.cls, v.d + 1)
    r.b = True
    r.n, r.np = v.s, v.p
    if v.cmp is not None:
        relation, a, b = v.cmp
        r.cmp = (_NEGATED[relation], a, b)
    return r
