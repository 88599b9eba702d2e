"""A function's control flow as a tree of Python statements, before any text is written.

`structuring` and `states` build it, `check` proves it, `renderer` writes it. A list of nodes runs from front to back.
`While` is `while True:`: the end of its body goes back to its start, `Break` and `Continue` are those of the innermost
one. Nodes stand in the order of the instructions they cover. Tests of variables, and jumps, have no instruction of
their own.

Values: a label's values are expected in the variables of its operand slots. `Carry` moves them there, on each path that
meets another at a label; `Close` takes them up from there where it `joins`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Catch, Construct

__all__ = [
    "LOWEST",
    "Break",
    "Carry",
    "Catches",
    "Close",
    "Code",
    "Continue",
    "Else",
    "Evaluate",
    "Head",
    "If",
    "Lookup",
    "Node",
    "Open",
    "Raise",
    "Return",
    "Set",
    "Table",
    "Test",
    "Tree",
    "Try",
    "While",
]

LOWEST: Final = -(1 << 30)
"""Below every value of a selector."""


class Node:
    """A statement."""

    __slots__ = ()


class Code(Node):
    """Instructions from `start` to before `end`, none of which branches.

    Attributes:
        ends: the last one never goes on (`unreachable`, a throw, a tail call).
    """

    __slots__ = ("end", "ends", "start")

    def __init__(self, start: int, end: int, *, ends: bool = False) -> None:
        self.start = start
        self.end = end
        self.ends = ends


class Open(Node):
    """The start of a block, loop or try_table; that of an `if` is the `If` itself."""

    __slots__ = ("construct",)

    def __init__(self, construct: Construct) -> None:
        self.construct = construct


class Head(Node):
    """The label of a loop that is branched to. `alone`: its `While` is no dispatch."""

    __slots__ = ("alone", "construct")

    def __init__(self, construct: Construct, *, alone: bool) -> None:
        self.construct = construct
        self.alone = alone


class Else(Node):
    """The start of the second arm of an `if`."""

    __slots__ = ("construct",)

    def __init__(self, construct: Construct) -> None:
        self.construct = construct


class Close(Node):
    """The end of a construct. `joins`: more than one path may come out here, with its values in their slots."""

    __slots__ = ("construct", "joins")

    def __init__(self, construct: Construct, *, joins: bool) -> None:
        self.construct = construct
        self.joins = joins


class Carry(Node):
    """Moves a label's values to where they are expected, before a jump or a fall to it.

    Attributes:
        target: the label's construct.
        at: the instruction that branches, or the end that is fallen to.
        back: to the start of a loop, rather than to the end of the construct.
    """

    __slots__ = ("at", "back", "target")

    def __init__(self, target: Construct, at: int, *, back: bool) -> None:
        self.target = target
        self.at = at
        self.back = back


class If(Node):
    """An `if`, or a conditional branch, whose `then` is what is done where it is taken.

    Attributes:
        at: the instruction.
        tail: it decides at the end of a loop whether that goes on.
    """

    __slots__ = ("at", "orelse", "tail", "then")

    def __init__(self, at: int, then: list[Node], orelse: list[Node]) -> None:
        self.at = at
        self.then = then
        self.orelse = orelse
        self.tail = False


class Evaluate(Node):
    """A branch all of whose ways lead to the same place: its operand is evaluated for what that does."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Table(Node):
    """A `br_table` by comparison: runs of (first index, jump), in order; the default is part of the last one."""

    __slots__ = ("at", "runs")

    def __init__(self, at: int, runs: list[tuple[int, list[Node]]]) -> None:
        self.at = at
        self.runs = runs


class Lookup(Node):
    """A `br_table` that sets a selector: a value for each index, the default's last."""

    __slots__ = ("at", "name", "values")

    def __init__(self, at: int, name: str, values: list[int]) -> None:
        self.at = at
        self.name = name
        self.values = values


class While(Node):
    """An endless loop.

    Attributes:
        owner: the construct it realises; None for a dispatch on states.
        name: of the selector a dispatch in it tests, or "".
        entries: each value the selector may have at the loop's start, and what is then next: a label, named by its
            construct (a loop's start, any other's end), or an instruction, by its index (`else`: the second arm).
    """

    __slots__ = ("body", "entries", "name", "owner")

    def __init__(self, owner: Construct | None, name: str = "") -> None:
        self.owner = owner
        self.name = name
        self.body: list[Node] = []
        self.entries: dict[int, int | Construct] = {}


class Set(Node):
    """Sets a selector or flag."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value


class Test(Node):
    """Whether a selector or flag lies between two numbers, both included."""

    __slots__ = ("high", "low", "name", "orelse", "then")

    def __init__(self, name: str, low: int, high: int) -> None:
        self.name = name
        self.low = low
        self.high = high
        self.then: list[Node] = []
        self.orelse: list[Node] = []


class Break(Node):
    """Leaves the innermost `While`."""

    __slots__ = ()


class Continue(Node):
    """Goes to the start of the innermost `While`."""

    __slots__ = ()


class Return(Node):
    """Leaves the function, with the topmost operands."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Try(Node):
    """A guarded body, and what is done with an exception out of it; `number` names the exception's variable."""

    __slots__ = ("body", "handler", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.body: list[Node] = []
        self.handler: list[Node] = []


class Catches(Node):
    """The clauses of a try_table, each with its jump, and what is done where none matches."""

    __slots__ = ("clauses", "construct", "orelse")

    def __init__(self, construct: Construct, clauses: list[tuple[Catch, list[Node]]], orelse: list[Node]) -> None:
        self.construct = construct
        self.clauses = clauses
        self.orelse = orelse


class Raise(Node):
    """Raises the exception that is being handled again."""

    __slots__ = ()


class Tree:
    """A whole function.

    Attributes:
        nodes: its statements.
        dispatches: most of its instructions are in a loop that is a chain, see `chains`.
    """

    __slots__ = ("dispatches", "nodes")

    def __init__(self, nodes: list[Node], *, dispatches: bool) -> None:
        self.nodes = nodes
        self.dispatches = dispatches
