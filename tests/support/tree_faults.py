"""Faults planted in a function's control-flow tree, for showing that the checker finds them.

`FAULTS` has a row for each kind: what it does to one node, in place. It returns False where the node offers no such
fault. Many faults are harmless somewhere (a `continue` at the end of a loop may as well be missing), so what the
checker lets through has to be run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.translate.tree import (
    Break,
    Carry,
    Catches,
    Close,
    Code,
    Continue,
    Else,
    Evaluate,
    Head,
    If,
    Lookup,
    Open,
    Raise,
    Return,
    Set,
    Table,
    Test,
    Try,
    While,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.engine.translate.tree import (
        Node,
    )

__all__ = ["FAULTS", "Site", "sites"]


class Site(NamedTuple):
    """A place in a tree: a node, where it is, and what is around that."""

    nodes: list[Node]
    place: int
    node: Node
    parents: tuple[tuple[list[Node], int], ...]

    @property
    def before(self) -> Node | None:
        """The node before it in the same list."""
        return self.nodes[self.place - 1] if self.place else None

    @property
    def after(self) -> Node | None:
        """The node after it in the same list."""
        return self.nodes[self.place + 1] if self.place + 1 < len(self.nodes) else None

    def replace(self, *nodes: Node) -> bool:
        """Puts other nodes in its place."""
        self.nodes[self.place : self.place + 1] = nodes
        return True


def children(node: Node) -> Iterator[list[Node]]:
    """The lists of nodes inside a node."""
    if isinstance(node, If | Test):
        yield node.then
        yield node.orelse
    elif isinstance(node, While):
        yield node.body
    elif isinstance(node, Try):
        yield node.body
        yield node.handler
    elif isinstance(node, Catches):
        for _, nodes in node.clauses:
            yield nodes
        yield node.orelse
    elif isinstance(node, Table):
        for _, nodes in node.runs:
            yield nodes


def sites(nodes: list[Node], parents: tuple[tuple[list[Node], int], ...] = ()) -> Iterator[Site]:
    """All places in a tree, outer ones first."""
    for index, node in enumerate(list(nodes)):
        yield Site(nodes, index, node, parents)
        for inner in children(node):
            yield from sites(inner, (*parents, (nodes, index)))


def _becomes(kind: type[Node], make: Callable[[Node], list[Node]]) -> Callable[[Site], bool]:
    """A node of a kind is replaced."""
    return lambda site: isinstance(site.node, kind) and site.replace(*make(site.node))


def _drop(kind: type[Node]) -> Callable[[Site], bool]:
    """A node of a kind is missing."""
    return _becomes(kind, lambda _: [])


def _twice(kind: type[Node]) -> Callable[[Site], bool]:
    """A node of a kind is there twice."""
    return _becomes(kind, lambda node: [node, node])


def _within(kind: type[Node], change: Callable[[Node], object]) -> Callable[[Site], bool]:
    """Something inside a node changes; `change` returns False where it cannot."""
    return lambda site: isinstance(site.node, kind) and change(site.node) is not False


def _attribute(kind: type[Node], name: str, change: Callable[[int], object]) -> Callable[[Site], bool]:
    """An attribute of a node of a kind has another value."""
    return _within(kind, lambda node: setattr(node, name, change(getattr(node, name))))


def _swap_lists(node: Node) -> None:
    if isinstance(node, If | Test):
        node.then, node.orelse = node.orelse, node.then


def _one_level_out(site: Site) -> bool:
    """A jump leaves one loop more: it comes after the loop that it was in."""
    if not isinstance(site.node, Break | Continue):
        return False
    for nodes, index in reversed(site.parents):
        if isinstance(nodes[index], While):
            nodes.insert(index + 1, site.node)
            return site.replace(Break())
    return False


def _one_level_in(site: Site) -> bool:
    """A jump is inside a loop of its own, and leaves only that."""
    if not isinstance(site.node, Break | Continue):
        return False
    loop = While(None)
    loop.body = [site.node, Break()]
    return site.replace(loop)


def _exchange(site: Site) -> bool:
    """Two statements are exchanged."""
    other = site.after
    if other is None:
        return False
    site.nodes[site.place : site.place + 2] = [other, site.node]
    return True


def _next_into_else(site: Site) -> bool:
    """What follows an `if` is in its `else`."""
    if not isinstance(site.node, If | Test) or site.after is None:
        return False
    site.node.orelse.append(site.nodes.pop(site.place + 1))
    return True


def _next_into_then(site: Site) -> bool:
    """What follows an `if` is at the end of its first arm."""
    if not isinstance(site.node, If | Test) or site.after is None:
        return False
    site.node.then.append(site.nodes.pop(site.place + 1))
    return True


def _else_flat(site: Site) -> bool:
    """An `else` is missing: the second arm is run after the first one."""
    if not isinstance(site.node, If | Test) or not site.node.orelse:
        return False
    nodes, site.node.orelse = site.node.orelse, []
    return site.replace(site.node, *nodes)


def _last_out(site: Site) -> bool:
    """The last statement of a loop comes after it."""
    if not isinstance(site.node, While) or not site.node.body:
        return False
    return site.replace(site.node, site.node.body.pop())


def _next_in(site: Site) -> bool:
    """What follows a loop is part of it."""
    if not isinstance(site.node, While) or site.after is None:
        return False
    site.node.body.append(site.nodes.pop(site.place + 1))
    return True


def _other_target(node: Node) -> object:
    if not isinstance(node, Carry) or node.target.parent is None or node.target.parent.kind == "function":
        return False
    node.target = node.target.parent
    return True


def _shift(node: Node) -> object:
    if not isinstance(node, Test):
        return False
    node.low, node.high = node.low + 1, node.high + 1
    return True


def _drop_else(node: Node) -> object:
    if not isinstance(node, If) or not node.orelse:
        return False
    node.orelse = []
    return True


def _default(node: Node) -> object:
    if not isinstance(node, Lookup):
        return False
    node.values[-1] += 1
    return True


def _exchange_values(node: Node) -> object:
    if not isinstance(node, Lookup) or len(set(node.values)) < 2:
        return False
    other = next(i for i, value in enumerate(node.values) if value != node.values[0])
    node.values[0], node.values[other] = node.values[other], node.values[0]
    return True


def _exchange_runs(node: Node) -> object:
    if not isinstance(node, Table):
        return False
    (first, one), (second, two) = node.runs[:2]
    node.runs[:2] = [(first, two), (second, one)]
    return True


def _shift_run(node: Node) -> object:
    if not isinstance(node, Table):
        return False
    node.runs[1] = (node.runs[1][0] + 1, node.runs[1][1])
    return True


def _drop_run(node: Node) -> object:
    if not isinstance(node, Table):
        return False
    del node.runs[1]
    return True


def _run_falls(node: Node) -> object:
    if not isinstance(node, Table):
        return False
    node.runs[0] = (node.runs[0][0], node.runs[0][1][:-1])
    return True


def _exchange_clauses(node: Node) -> object:
    if not isinstance(node, Catches) or len(node.clauses) < 2:
        return False
    node.clauses[:2] = reversed(node.clauses[:2])
    return True


def _exchange_clause_jumps(node: Node) -> object:
    if not isinstance(node, Catches) or len(node.clauses) < 2:
        return False
    (one, first), (two, second) = node.clauses[:2]
    node.clauses[:2] = [(one, second), (two, first)]
    return True


def _drop_clause(node: Node) -> object:
    if not isinstance(node, Catches):
        return False
    node.clauses.pop()
    return True


def _entry(node: Node) -> object:
    if not isinstance(node, While) or not node.entries:
        return False
    number, entry = node.entries.popitem()
    node.entries[number + 1] = entry
    return True


def _unwrap(node: Node) -> list[Node]:
    return node.body if isinstance(node, While | Try) else []


def _wrap(node: Node) -> list[Node]:
    loop = While(None)
    loop.body = [node]
    return [loop]


def _wrap_once(node: Node) -> list[Node]:
    loop = While(None)
    loop.body = [node, Break()]
    return [loop]


def _if_evaluated(site: Site) -> bool:
    """A branch is taken for one that decides nothing."""
    if not isinstance(site.node, If) or not site.parents:
        return False
    return site.replace(Evaluate(site.node.at), *site.node.orelse)


def _evaluated_dropped(site: Site) -> bool:
    """An operand is not evaluated."""
    return isinstance(site.node, Evaluate) and site.replace()


def _renamed(site: Site) -> bool:
    """Another variable is set."""
    if not isinstance(site.node, Set):
        return False
    site.node.name += "1"
    return True


def _after_jump(site: Site) -> bool:
    """A flag is set after the jump that it belongs to."""
    return isinstance(site.node, Set) and isinstance(site.after, Break | Continue) and _exchange(site)


FAULTS: Final[dict[str, Callable[[Site], bool]]] = {
    "break for continue": _becomes(Continue, lambda _: [Break()]),
    "continue for break": _becomes(Break, lambda _: [Continue()]),
    "break missing": _drop(Break),
    "continue missing": _drop(Continue),
    "break for return": _becomes(Return, lambda _: [Break()]),
    "return missing": _drop(Return),
    "return for break": _becomes(Break, lambda _: [Return(0)]),
    "jump one level too far": _one_level_out,
    "jump one level too short": _one_level_in,
    "break before a statement": _becomes(Code, lambda node: [Break(), node]),
    "continue before a statement": _becomes(Code, lambda node: [Continue(), node]),
    "break after a statement": _becomes(Code, lambda node: [node, Break()]),
    "set missing": _drop(Set),
    "set to the next value": _attribute(Set, "value", lambda value: value + 1),
    "set to zero": _attribute(Set, "value", lambda _: 0),
    "set to the value before": _attribute(Set, "value", lambda value: value - 1),
    "another variable set": _renamed,
    "set after the jump": _after_jump,
    "test missing": _becomes(Test, lambda node: node.then if isinstance(node, Test) else []),
    "test never true": _becomes(Test, lambda node: node.orelse if isinstance(node, Test) else []),
    "test of a higher bound": _attribute(Test, "high", lambda value: value + 1),
    "test of a lower bound": _attribute(Test, "high", lambda value: value - 1),
    "test of the next value": _within(Test, _shift),
    "arms of a test exchanged": _within(Test, _swap_lists),
    "arms of an if exchanged": _within(If, _swap_lists),
    "first arm missing": _within(If, lambda node: setattr(node, "then", [])),
    "second arm missing": _within(If, _drop_else),
    "else missing": _else_flat,
    "too much in an else": _next_into_else,
    "too much in a first arm": _next_into_then,
    "branch taken for a tail": _attribute(If, "tail", lambda value: not value),
    "branch that decides taken for one that does not": _if_evaluated,
    "operand not evaluated": _evaluated_dropped,
    "values not carried": _drop(Carry),
    "values carried to an outer label": _within(Carry, _other_target),
    "start of a loop for its end": _attribute(Carry, "back", lambda value: not value),
    "values carried twice": _twice(Carry),
    "values not taken up": _attribute(Close, "joins", lambda _: False),
    "end missing": _drop(Close),
    "end twice": _twice(Close),
    "instruction missing": _attribute(Code, "end", lambda value: value - 1),
    "instruction skipped": _attribute(Code, "start", lambda value: value + 1),
    "instructions missing": _drop(Code),
    "instructions twice": _twice(Code),
    "instruction taken to end": _attribute(Code, "ends", lambda value: not value),
    "table's values exchanged": _within(Lookup, _exchange_values),
    "table's default wrong": _within(Lookup, _default),
    "table missing": _drop(Lookup),
    "table's runs exchanged": _within(Table, _exchange_runs),
    "table's run begins late": _within(Table, _shift_run),
    "table's run missing": _within(Table, _drop_run),
    "table's run falls": _within(Table, _run_falls),
    "start missing": _drop(Open),
    "label of a loop missing": _drop(Head),
    "second arm not begun": _drop(Else),
    "loop unwrapped": _becomes(While, _unwrap),
    "loop around a statement": _becomes(If, _wrap),
    "loop of one turn around a statement": _becomes(If, _wrap_once),
    "loop's last statement after it": _last_out,
    "statement after a loop in it": _next_in,
    "entry of a loop wrong": _within(While, _entry),
    "try unwrapped": _becomes(Try, _unwrap),
    "handler missing": _within(Try, lambda node: setattr(node, "handler", [])),
    "clauses exchanged": _within(Catches, _exchange_clauses),
    "jumps of clauses exchanged": _within(Catches, _exchange_clause_jumps),
    "clause missing": _within(Catches, _drop_clause),
    "exception not raised again": _drop(Raise),
    "statements exchanged": _exchange,
}
"""What to do -> how. Each takes a place in a tree and returns whether it did it."""
