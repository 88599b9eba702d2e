"""Proof that a function's tree does what its instructions say: every branch comes out at its label, with its values.

The tree is executed abstractly, as Python would. What runs through it are *tokens*: where control is in the function
at this point, and what is known of selectors and flags. A token is at the instruction that is next, or on its way to a
label. Nodes of instructions accept only tokens that are there, and make tokens for each place control may
go to from there; jumps hand tokens on as Python does: to the end of the innermost `while`, to its start, to what
follows an `if`. So each branch of the function is followed until it arrives, and arriving anywhere else is an error. At
the start of a loop the tokens that may come are assumed (`While.entries`), and each that does come is compared.

Nothing is taken from the analysis that built the tree: where labels lead is worked out again (`labels`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.check.branches import CARRIES, BranchCheck
from wasm2oci.engine.translate.check.order import order
from wasm2oci.engine.translate.check.tokens import (
    IDLE,
    LABEL,
    MOVED,
    NOTHING,
    RAISED,
    SECOND,
    SETTLED,
    ControlFlowError,
    Scope,
    join,
    merge,
)
from wasm2oci.engine.translate.codes import BR, BR_IF, CASTS, ELSE, IF, TERMINAL
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
    from collections.abc import Callable

    from wasm2oci.engine.translate.body import Body, Construct
    from wasm2oci.engine.translate.check.tokens import Token, Tokens
    from wasm2oci.engine.translate.tree import (
        Node,
        Tree,
    )

__all__ = ["check"]


_GOES_ON: Final = frozenset((Set, Continue))
_USUAL: Final = frozenset((Code, Carry, Close, Open, If, Set))


def check(body: Body, tree: Tree) -> None:
    """Checks a function's tree.

    Raises:
        ControlFlowError: it does something else than the function.
    """
    checker = _Checker(body)
    closed: set[Construct] = set()
    order(tree.nodes, closed)
    rest = checker.run(tree.nodes, [(0, NOTHING, MOVED)], Scope(None, None, None))
    if rest:
        raise ControlFlowError("control runs out of the function", rest)
    for c in checker.noted:
        if c not in closed:
            raise ControlFlowError("a label is missing", c.end)


class _Checker(BranchCheck):
    """The check of one function."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self.last: set[Node] = set()  # nodes at the end of a loop

    def run(self, nodes: list[Any], tokens: Tokens, scope: Scope) -> Tokens:
        """Executes nodes; returns the tokens that come out at the end.

        Most nodes meet one token, and nothing is wrong with it: those are done here, without a call.
        """
        code, steps, fallen = self.code, _STEPS, self.fallen
        for node in nodes:
            kind = type(node)
            if len(tokens) == 1 and kind in _USUAL:
                place, known, state = tokens[0]
                if kind is Code:
                    end = node.end
                    if place == node.start and not self.tries and (code[end - 1][0] in TERMINAL) == node.ends:
                        if node.ends:
                            return []
                        tokens = [(end, known, MOVED)]
                        continue
                elif kind is Carry:
                    target = node.target
                    op, item, _ = code[node.at]
                    back = op == BR and target.kind == "loop"
                    if place == node.at and item is target and op in CARRIES and node.back == back:
                        if back:
                            place = self.arrived[target]
                        else:
                            self.noted.add(target)
                            place = fallen[target]
                        tokens = [(place, known, MOVED)]
                        continue
                elif kind is Close:
                    c = node.construct
                    if node.joins:
                        if place == fallen[c]:
                            tokens = [(c.end + 1 if self.labels[c] == c.start + 1 else place, known, SETTLED)]
                            continue
                    elif place == c.end and c not in self.noted:
                        tokens = [(place + 1, known, state)]
                        continue
                elif kind is Open:
                    c = node.construct
                    if place == c.start:
                        place = LABEL - place if c.kind == "loop" and c.targeted else place + 1
                        tokens = [(place, known, MOVED)]
                        continue
                elif kind is Set:
                    tokens = [(place, {**known, node.name: (node.value, node.value)}, state)]
                    continue
                elif place == node.at and not node.tail and not node.orelse:
                    op, target, _ = code[place]
                    if op == BR_IF and self.leaves(node.then, target, known, scope):
                        tokens = [(place + 1, known, MOVED)]
                        continue
            elif not tokens:
                break
            tokens = steps[kind](self, node, tokens, scope)
        return tokens

    # --- nodes of instructions -----------------------------------------------------------------------
    def straight(self, node: Code, tokens: Tokens, scope: Scope) -> Tokens:
        """Instructions that do not branch."""
        start = node.start
        known = tokens[0][1] if len(tokens) == 1 and tokens[0][0] == start else self.at(start, tokens)
        if node.ends != (self.code[node.end - 1][0] in TERMINAL):
            raise ControlFlowError("an instruction does not go on as it should", node.end - 1)
        if self.tries:
            self.throw((self.around(node.start), known, MOVED), scope)
        return [] if node.ends else [(node.end, known, MOVED)]

    def open(self, node: Open, tokens: Tokens, __: Scope) -> Tokens:
        """The start of a block, loop or try_table."""
        c = node.construct
        known = self.at(c.start, tokens)
        return [(LABEL - c.start if c.kind == "loop" and c.targeted else c.start + 1, known, MOVED)]

    def head(self, node: Head, tokens: Tokens, __: Scope) -> Tokens:
        """A loop's label; tokens that enter a dispatch in another way pass on."""
        c = node.construct
        place = LABEL - c.start
        if node.alone:
            return [(c.start + 1, self.at(place, tokens), MOVED)]
        return [(c.start + 1, token[1], MOVED) if token[0] == place else token for token in tokens]

    def else_(self, node: Else, tokens: Tokens, __: Scope) -> Tokens:
        """The start of a second arm."""
        els = node.construct.els
        return [(els + 1, self.at(SECOND - els, tokens), MOVED)]

    def close(self, node: Close, tokens: Tokens, __: Scope) -> Tokens:
        """The end of a construct: tokens that fell or branched here have arrived; others go on to an outer end."""
        c = node.construct
        joins = node.joins
        if c in self.noted and not joins:
            raise ControlFlowError("a label is not joined", c.end)
        carried = self.fallen[c]
        outermost = self.labels[c] == c.start + 1
        if not c.results and len(tokens) == 2:
            # What most ends meet: what falls to them, and what was carried there, with no values.
            (one, known, state), (two, other, also) = tokens
            end = c.end
            if (one == end or (one == carried and outermost)) and (two == end or (two == carried and outermost)):
                if joins:
                    state = also = SETTLED
                elif one != end or two != end:
                    state, also = SETTLED if one != end else state, SETTLED if two != end else also
                if known is other or known == other:
                    return [(end + 1, known, min(state, also))]
                return [(end + 1, known, state), (end + 1, other, also)]
        result: Tokens = []
        for place, known, state in tokens:
            if place == carried:
                result.append((c.end + 1 if outermost else place, known, SETTLED))
            elif place != c.end:
                raise ControlFlowError("control comes out at a wrong end", c.end, place)
            elif joins and c.results and state != SETTLED:
                raise ControlFlowError("values fall to a label without being carried", c.end)
            else:
                result.append((c.end + 1, known, SETTLED if joins else state))
        if len(result) == 1:
            return result
        if c.results and not joins:
            self.in_place(tokens, carried)
        return merge(result)

    def fork(self, node: If, tokens: Tokens, scope: Scope) -> Tokens:
        """An `if`, or a conditional branch."""
        at = node.at
        known = self.at(at, tokens)
        op, item, _ = self.code[at]
        if op == IF:
            if item.els >= 0:
                no = SECOND - item.els
            else:
                no = self.fallen[item]
                self.noted.add(item)
            if not node.then and not all(type(each) in _GOES_ON for each in node.orelse):
                raise ControlFlowError("an `if` without a first arm does more than jumping", at)
            taken = self.run(node.then, [(at + 1, known, MOVED)], scope)
            other = self.run(node.orelse, [(no, known, MOVED)], scope)
        else:
            target = item[1] if op in CASTS else item
            if node.orelse and (len(node.then) != 1 or not isinstance(node.then[0], Carry)):
                raise ControlFlowError("a branch that jumps has something else to do", at)
            if node.tail and (node not in self.last or len(node.orelse) != 1 or not isinstance(node.orelse[0], Break)):
                raise ControlFlowError("a loop's last test does not leave it", at)
            taken = self.jump(node.then, target, known, scope)
            other = [(at + 1, known, MOVED)]
            if node.orelse:
                other = self.run(node.orelse, other, scope)
        return merge(taken + other) if taken and other else taken or other

    # --- Python's own --------------------------------------------------------------------------------
    def set(self, node: Set, tokens: Tokens, __: Scope) -> Tokens:
        """A selector or flag is set."""
        value = (node.value, node.value)
        return [(place, {**known, node.name: value}, state) for place, known, state in tokens]

    def test(self, node: Test, tokens: Tokens, scope: Scope) -> Tokens:
        """A selector or flag is tested."""
        name, low, high = node.name, node.low, node.high
        yes: Tokens = []
        no: Tokens = []
        for token in tokens:
            bounds = token[1].get(name)
            if bounds is None:
                raise ControlFlowError("a variable is tested that may not be set", name, token[0])
            least, most = bounds
            if most <= high and low <= least:
                yes.append(token)
            elif least > high or most < low:
                no.append(token)
            else:
                raise ControlFlowError("a variable is tested that several paths have left different", name, token[0])
        if yes:
            if node.then and type(node.then[0]) is not Test:
                # Which of the numbers it was does not matter any more: paths are the same again sooner.
                wide = (low, high)
                yes = [(place, {**known, name: wide}, state) for place, known, state in yes]
            yes = self.run(node.then, yes, scope)
        if no and node.orelse:
            no = self.run(node.orelse, no, scope)
        return yes + no if yes else no

    def leave(self, _: Break, tokens: Tokens, scope: Scope) -> Tokens:
        """`break`."""
        if scope.breaks is None:
            raise ControlFlowError("break outside of a loop")
        scope.breaks += tokens
        return []

    def repeat(self, _: Continue, tokens: Tokens, scope: Scope) -> Tokens:
        """`continue`."""
        if scope.continues is None:
            raise ControlFlowError("continue outside of a loop")
        scope.continues += tokens
        return []

    def loop(self, node: While, tokens: Tokens, scope: Scope) -> Tokens:
        """An endless loop: what comes back to its start must be among what is assumed to come."""
        name = node.name
        if node.body:
            self.last.add(node.body[-1])
        common = join(tokens)
        assumed: dict[tuple[int, int], Token] = {}
        for place, known, _ in tokens:
            value, high = known.get(name, (0, 1)) if name else (0, 0)
            if value != high:
                raise ControlFlowError("a selector is not known", name)
            assumed[place, value] = (place, {**common, name: (value, value)} if name else common, IDLE)
        for value, entry in node.entries.items():
            if isinstance(entry, int):
                place = SECOND - entry if self.code[entry][0] == ELSE else entry
            else:
                place = self.arrived[entry]
            assumed[place, value] = (place, {**common, name: (value, value)}, IDLE)
        breaks: Tokens = []
        back: Tokens = []
        back += self.run(node.body, list(assumed.values()), Scope(breaks, back, scope.raised))
        others = len(common) > (name in common)
        for place, known, state in back:
            if state == IDLE:
                raise ControlFlowError("control goes round without getting on", place)
            value, high = known.get(name, (0, 1)) if name else (0, 0)
            if value != high or (place, value) not in assumed:
                raise ControlFlowError("control goes back to a loop that does not start there", place, value)
            if others and any(known.get(each) != bounds for each, bounds in common.items() if each != name):
                raise ControlFlowError("a loop changes a variable that was set before it", place)
        return merge(breaks)

    # --- exceptions ------------------------------------------------------------------------------------
    def throw(self, token: Token, scope: Scope) -> None:
        """An exception is raised."""
        if scope.raised is not None:
            scope.raised[token[0], tuple(sorted(token[1].items()))] = token
        elif token[0] != RAISED:
            raise ControlFlowError("an exception is not caught", token)

    def guard(self, node: Try, tokens: Tokens, scope: Scope) -> Tokens:
        """A guarded body and its handler."""
        raised: dict[Any, Token] = {}
        rest = self.run(node.body, tokens, Scope(scope.breaks, scope.continues, raised))
        return merge(rest + self.run(node.handler, list(raised.values()), scope))

    def catches(self, node: Catches, tokens: Tokens, scope: Scope) -> Tokens:
        """The clauses of a try_table."""
        c = node.construct
        known = self.at(RAISED - c.start - 1, tokens)
        rest: Tokens = []
        everything = False
        for (clause, nodes), source in zip(node.clauses, c.catches, strict=False):
            if clause is not source:
                raise ControlFlowError("clauses are in another order", c.start)
            rest += self.jump(nodes, clause.target, known, scope)
            if clause.kind >= 2:
                everything = True
                break
        if everything:
            return rest
        if len(node.clauses) != len(c.catches):
            raise ControlFlowError("a clause is missing", c.start)
        return rest + self.run(node.orelse, [(self.around(c.start), known, MOVED)], scope)

    def rethrow(self, _: Raise, tokens: Tokens, scope: Scope) -> Tokens:
        """The exception goes on."""
        for token in tokens:
            if token[0] > RAISED:
                raise ControlFlowError("no exception", token)
            self.throw(token, scope)
        return []


_STEPS: Final[dict[type[Node], Callable[[_Checker, Any, Tokens, Scope], Tokens]]] = {
    Code: _Checker.straight,
    Carry: _Checker.carry,
    Close: _Checker.close,
    If: _Checker.fork,
    Open: _Checker.open,
    While: _Checker.loop,
    Test: _Checker.test,
    Set: _Checker.set,
    Break: _Checker.leave,
    Continue: _Checker.repeat,
    Head: _Checker.head,
    Return: _Checker.return_,
    Else: _Checker.else_,
    Evaluate: _Checker.evaluate,
    Lookup: _Checker.lookup,
    Table: _Checker.table,
    Try: _Checker.guard,
    Catches: _Checker.catches,
    Raise: _Checker.rethrow,
}
