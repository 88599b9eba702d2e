"""Proof that a function's tree does what its instructions say: every branch comes out at its label, with its values.

The tree is executed abstractly, as Python would. What runs through it are *tokens*: where control is in the function
at this point, and what is known of selectors and flags. A token is at the instruction that is next, or on its way to a
label. Nodes that stand for instructions accept only tokens that are there, and make tokens for each place control may
go to from there; jumps hand tokens on as Python does: to the end of the innermost `while`, to its start, to what
follows an `if`. So each branch of the function is followed until it arrives, and arriving anywhere else is an error. At
the start of a loop the tokens that may come are assumed (`While.entries`), and each that does come is compared.

Nothing is taken from the analysis that built the tree: where labels lead is worked out again here.

Places are numbers: n >= 0 is instruction n; a label that is the end of construct c is `~(2 * n)` while its values are
still on the operand stack and `~(2 * n + 1)` once they are in their slots, n being one more than the start of the
outermost construct that ends in the same place (0: the function). The label of a loop that starts at n is `_LABEL - n`
once its values are in their slots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.codes import BR, BR_IF, BR_TABLE, CASTS, ELSE, END, IF, RETURN, TERMINAL
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

    from wasm2oci.engine.translate.instructions import Body, Construct
    from wasm2oci.engine.translate.tree import (
        Node,
        Tree,
    )

__all__ = ["ControlFlowError", "check"]


_BRANCHES: Final = frozenset((BR, RETURN))
_ENDS: Final = frozenset((END, ELSE))
_CARRIES: Final = frozenset((BR, *_ENDS))
_UNPLACED: Final = frozenset((Carry, Set, Continue, Break, Return, Head, Evaluate, Lookup, Table, Catches, Raise))
"""Nodes that stand for no instruction of their own, or share its place with what stands beside them."""
_GOES_ON: Final = frozenset((Set, Continue))
_USUAL: Final = frozenset((Code, Carry, Close, Open, If, Set))

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

_NOTHING: Final[Known] = {}
_RETURNED: Final = ~0
"""On the way out of the function, its results on the operand stack."""
_LABEL: Final = -(1 << 40)
"""Less the start of a loop: its label."""
_BACK: Final = -(1 << 41)
"""Less the start of a loop: a branch to it whose values are not in place."""
_SECOND: Final = -(1 << 42)
"""Less the `else` of an `if`: its second arm, which nothing falls into."""
_RAISED: Final = -(1 << 50)
"""Less n: an exception for the try_table that starts at n - 1, or for the caller, if n is 0."""
MAX_ROUNDS: Final = 8
"""So often what is assumed at a loop's start is weakened."""


class ControlFlowError(AssertionError):
    """A tree does not do what its function says: a bug in this package, found before the code could run."""


class _Scope:
    """Where jumps and exceptions in a stretch of the tree lead to; None: there is no such place."""

    __slots__ = ("breaks", "continues", "raised")

    def __init__(self, breaks: Tokens | None, continues: Tokens | None, raised: dict[Any, Token] | None) -> None:
        self.breaks = breaks
        self.continues = continues
        self.raised = raised


def check(body: Body, tree: Tree) -> None:
    """Checks a function's tree.

    Raises:
        ControlFlowError: it does something else than the function.
    """
    checker = _Checker(body)
    checker.order(tree.nodes)
    rest = checker.run(tree.nodes, [(0, _NOTHING, MOVED)], _Scope(None, None, None))
    if rest:
        raise ControlFlowError("control runs out of the function", rest)
    for c in checker.noted:
        if c not in checker.closed:
            raise ControlFlowError("a label is missing", c.end)


class _Checker:
    """The check of one function."""

    def __init__(self, body: Body) -> None:
        self.code = body.code
        self.results = body.constructs[0].results
        self.labels: dict[Construct, int] = {}  # of ends, see above
        self.fallen: dict[Construct, int] = {}  # the place of an end, values in their slots
        self.arrived: dict[Construct, int] = {}  # the place of a label, values in their slots
        self.target: dict[Construct, int] = {}  # the place of a branch to a label
        self.find_labels(body.constructs)
        self.tries = [c for c in body.constructs if c.kind == "try"]
        self.last: set[Node] = set()  # nodes at the end of a loop
        self.noted: set[Construct] = set()  # constructs whose ends values are carried to
        self.closed: set[Construct] = set()
        self.steps: dict[type[Node], Callable[[Any, Tokens, _Scope], Tokens]] = {
            Code: self.straight,
            Carry: self.carry,
            Close: self.close,
            If: self.fork,
            Open: self.open,
            While: self.loop,
            Test: self.test,
            Set: self.set,
            Break: self.leave,
            Continue: self.repeat,
            Head: self.head,
            Return: self.return_,
            Else: self.else_,
            Evaluate: self.evaluate,
            Lookup: self.lookup,
            Table: self.table,
            Try: self.guard,
            Catches: self.catches,
            Raise: self.rethrow,
        }

    def order(self, nodes: list[Any], position: int = -1) -> int:
        """Nodes stand in the order of the instructions, which writing them relies on; no construct ends twice.

        Args:
            nodes: some of them, and what they hold.
            position: of the node before them: twice its instruction, and one for an end.

        Returns:
            The position of the last one.
        """
        for node in nodes:
            kind = type(node)
            if kind in _UNPLACED:
                continue
            before = position
            if kind is Code:
                position = 2 * node.start
            elif kind is Close:
                c = node.construct
                position = 2 * c.end + 1
                self.closed.add(c)
            elif kind is If:
                position = 2 * node.at
            elif kind is Open:
                position = 2 * node.construct.start
            elif kind is Else:
                position = 2 * node.construct.els
            elif kind is Test:
                position = self.order(node.then, position)
                if node.orelse:
                    position = self.order(node.orelse, position)
                continue
            else:
                position = self.order(node.body, position)
                continue
            if position <= before:
                raise ControlFlowError("nodes are in another order than instructions", position >> 1)
            if kind is If:
                then, orelse = node.then, node.orelse
                if then and (len(then) > 1 or type(then[0]) not in _UNPLACED):
                    position = self.order(then, position)
                if orelse:
                    position = self.order(orelse, position)
        return position

    def run(self, nodes: list[Any], tokens: Tokens, scope: _Scope) -> Tokens:
        """Executes nodes; returns the tokens that come out at the end.

        Most nodes meet one token, and nothing is wrong with it: those are done here, without a call.
        """
        code, steps, fallen = self.code, self.steps, self.fallen
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
                    if place == node.at and item is target and op in _CARRIES and node.back == back:
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
                        if place == c.end and (state == SETTLED or not c.results):
                            tokens = [(place + 1, known, SETTLED)]
                            continue
                    elif place == c.end and c not in self.noted:
                        tokens = [(place + 1, known, state)]
                        continue
                elif kind is Open:
                    c = node.construct
                    if place == c.start:
                        place = _LABEL - place if c.kind == "loop" and c.targeted else place + 1
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
            tokens = steps[kind](node, tokens, scope)
        return tokens

    def leaves(self, nodes: list[Any], target: Construct, known: Known, scope: _Scope) -> bool:
        """Follows a branch that carries to its own label and then leaves or goes round; False: it is not so simple."""
        count = len(nodes)
        if not 2 <= count <= 3:
            return False
        first, last = nodes[0], nodes[-1]
        loops = target.kind == "loop"
        if type(first) is not Carry or first.target is not target or first.back != loops:
            return False
        way = scope.breaks if type(last) is Break else scope.continues if type(last) is Continue else None
        if way is None:
            return False
        if count == 3:
            middle = nodes[1]
            if type(middle) is not Set:
                return False
            known = {**known, middle.name: (middle.value, middle.value)}
        if not loops and self.target[target] != _RETURNED:
            self.noted.add(target)
        way.append((self.arrived[target], known, MOVED))
        return True

    # --- the source ------------------------------------------------------------------------------
    def find_labels(self, constructs: list[Construct]) -> None:
        """Works out where labels lead, outer constructs first."""
        code, labels = self.code, self.labels
        for c in constructs:
            if c.kind == "function":
                number = 0
            else:
                op, outer, _ = code[c.end + 1]
                same = op in _ENDS and outer.results == c.results and outer.kind != "try"
                number = labels[outer] if same else c.start + 1
            labels[c] = number
            self.fallen[c] = ~(2 * number + 1)
            if c.kind == "loop":
                self.arrived[c] = _LABEL - c.start
                self.target[c] = (_BACK if c.params else _LABEL) - c.start
            else:
                self.arrived[c] = ~(2 * number + 1)
                self.target[c] = ~(2 * number + (number > 0 and not c.results))

    def taken(self, c: Construct) -> int:
        """The place of a branch that is written here."""
        place = self.target[c]
        if place != _RETURNED and c.kind != "loop":
            self.noted.add(c)
        return place

    def around(self, at: int) -> int:
        """The exception's place for an instruction: that of the innermost try_table around it."""
        number = 0
        for c in self.tries:
            if c.start < at < c.end:
                number = c.start + 1
        return _RAISED - number

    # --- nodes that stand for instructions -----------------------------------------------------------
    def at(self, place: int, tokens: Tokens) -> Known:
        """All tokens, which must be at an instruction, as one: what is known in all of them."""
        for token in tokens:
            if token[0] != place:
                raise ControlFlowError("control comes from elsewhere", place, token)
        return tokens[0][1] if len(tokens) == 1 else _join(tokens)

    def straight(self, node: Code, tokens: Tokens, scope: _Scope) -> Tokens:
        """Instructions that do not branch."""
        start = node.start
        known = tokens[0][1] if len(tokens) == 1 and tokens[0][0] == start else self.at(start, tokens)
        if node.ends != (self.code[node.end - 1][0] in TERMINAL):
            raise ControlFlowError("an instruction does not go on as it should", node.end - 1)
        if self.tries:
            self.throw((self.around(node.start), known, MOVED), scope)
        return [] if node.ends else [(node.end, known, MOVED)]

    def open(self, node: Open, tokens: Tokens, __: _Scope) -> Tokens:
        """The start of a block, loop or try_table."""
        c = node.construct
        known = self.at(c.start, tokens)
        return [(_LABEL - c.start if c.kind == "loop" and c.targeted else c.start + 1, known, MOVED)]

    def head(self, node: Head, tokens: Tokens, __: _Scope) -> Tokens:
        """A loop's label; other ways into a dispatch come by."""
        c = node.construct
        place = _LABEL - c.start
        if node.alone:
            return [(c.start + 1, self.at(place, tokens), MOVED)]
        return [(c.start + 1, token[1], MOVED) if token[0] == place else token for token in tokens]

    def else_(self, node: Else, tokens: Tokens, __: _Scope) -> Tokens:
        """The start of a second arm."""
        els = node.construct.els
        return [(els + 1, self.at(_SECOND - els, tokens), MOVED)]

    def close(self, node: Close, tokens: Tokens, __: _Scope) -> Tokens:
        """The end of a construct: what fell or branched here is through; what does not join goes on to an outer end."""
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
        return _merge(result)

    def in_place(self, tokens: Tokens, carried: int) -> None:
        """Where some have their values in slots, all must."""
        if any(token[0] == carried for token in tokens) and not all(
            token[2] == SETTLED or token[0] == carried for token in tokens
        ):
            raise ControlFlowError("values of two paths are in different places", carried)

    def carry(self, node: Carry, tokens: Tokens, __: _Scope) -> Tokens:
        """Values are moved for good, by an unconditional branch or at an end."""
        at, target = node.at, node.target
        op, item, _ = self.code[at]
        arrived = self.destination(node)
        if len(tokens) == 1 and tokens[0][0] == at and item is target and op in _CARRIES:
            return [(arrived, tokens[0][1], MOVED)]
        fallen = [token for token in tokens if token[0] == at]
        if op in _ENDS:
            # What branched here already may come by, if its values stay where they are.
            right = item is target and not node.back and any(token[0] == at or token[2] == SETTLED for token in tokens)
            right = right and all(token[0] in {at, arrived} for token in tokens)
            if target.results:
                self.in_place(tokens, arrived)
        elif op == BR:
            right = self.target[item] == self.target[target] and len(fallen) == len(tokens)
        else:  # a table that decides nothing
            right = all(token[0] == self.target[target] for token in tokens)
        if not right:
            raise ControlFlowError("values are carried to another label", at, tokens)
        return _merge([(arrived, known, MOVED) for _, known, _ in tokens])

    def destination(self, node: Carry) -> int:
        """Where values are carried to."""
        target = node.target
        op, item, _ = self.code[node.at]
        if node.back:
            if target.kind != "loop" or op in _ENDS:
                raise ControlFlowError("an end is taken for a loop's start", node.at)
            return self.arrived[target]
        if target.kind == "loop" and (op not in _ENDS or item is not target):
            raise ControlFlowError("a loop's start is taken for its end", node.at)
        self.noted.add(target)
        return self.fallen[target]

    def jump(self, nodes: list[Node], target: Construct, known: Known, scope: _Scope) -> Tokens:
        """A branch on a condition: it carries its values and jumps, or returns."""
        place = self.taken(target)
        first = nodes[0] if nodes else None
        if not isinstance(first, Carry):
            if not isinstance(first, Return) or place != _RETURNED or len(nodes) > 1:
                raise ControlFlowError("a jump has no values", target.start)
            return []
        back = target.kind == "loop"
        if first.back != back or (first.target is not target and self.taken(first.target) != place):
            raise ControlFlowError("values are carried to another label", first.at)
        place = self.arrived[target]
        for node in nodes[1:]:
            if isinstance(node, Set):
                known = {**known, node.name: (node.value, node.value)}
                continue
            way = scope.breaks if isinstance(node, Break) else scope.continues if isinstance(node, Continue) else None
            if way is None or node is not nodes[-1]:
                raise ControlFlowError("a jump does more than jumping, or goes nowhere", target.start)
            way.append((place, known, MOVED))
            return []
        return [(place, known, MOVED)]

    def fork(self, node: If, tokens: Tokens, scope: _Scope) -> Tokens:
        """An `if`, or a conditional branch."""
        at = node.at
        known = self.at(at, tokens)
        op, item, _ = self.code[at]
        if op == IF:
            if item.els >= 0:
                no = _SECOND - item.els
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
        return _merge(taken + other) if taken and other else taken or other

    def evaluate(self, node: Evaluate, tokens: Tokens, __: _Scope) -> Tokens:
        """A branch that decides nothing."""
        known = self.at(node.at, tokens)
        op, item, _ = self.code[node.at]
        if op == BR_TABLE:
            places = {self.target[target] for target in item}
            if len(places) != 1:
                raise ControlFlowError("a table decides", node.at)
            return [(places.pop(), known, MOVED)]
        target = item[1] if op in CASTS else item
        following, c, _ = self.code[node.at + 1]
        if following != END or target.kind == "loop" or self.labels[c] != self.labels[target]:
            raise ControlFlowError("a branch decides", node.at)
        return [(node.at + 1, known, MOVED)]

    def table(self, node: Table, tokens: Tokens, scope: _Scope) -> Tokens:
        """A `br_table` by comparisons."""
        known = self.at(node.at, tokens)
        targets = self.code[node.at][1]
        limits = [first for first, _ in node.runs[1:]] + [len(targets)]
        before = 0
        for (first, nodes), limit in zip(node.runs, limits, strict=True):
            places = {self.taken(target) for target in targets[first:limit]}
            if first != before or len(places) != 1:
                raise ControlFlowError("a table's run mixes labels", node.at)
            before = limit
            if self.jump(nodes, targets[first], known, scope):
                raise ControlFlowError("a table's run does not jump", node.at)
        return []

    def lookup(self, node: Lookup, tokens: Tokens, __: _Scope) -> Tokens:
        """A `br_table` by a selector."""
        known = self.at(node.at, tokens)
        targets = self.code[node.at][1]
        found: dict[tuple[int, int], Token] = {}
        for target, value in dict.fromkeys(zip(targets, node.values, strict=True)):
            if target.arity:
                raise ControlFlowError("a table drops values", node.at)
            place = self.taken(target)
            found[place, value] = (place, {**known, node.name: (value, value)}, MOVED)
        return list(found.values())

    def return_(self, node: Return, tokens: Tokens, __: _Scope) -> Tokens:
        """The function's results are returned."""
        op, item, _ = self.code[node.at]
        returns = op in _ENDS or (op in _BRANCHES and item.kind != "loop")
        returns = returns and self.labels[item] == 0
        for place, _, state in tokens:
            falls = place == ~1 and (state == SETTLED or not self.results)
            if place != _RETURNED and not (place == node.at and returns) and not falls:
                raise ControlFlowError("control leaves the function", node.at, place)
        return []

    # --- Python's own --------------------------------------------------------------------------------
    def set(self, node: Set, tokens: Tokens, __: _Scope) -> Tokens:
        """A selector or flag is set."""
        value = (node.value, node.value)
        return [(place, {**known, node.name: value}, state) for place, known, state in tokens]

    def test(self, node: Test, tokens: Tokens, scope: _Scope) -> Tokens:
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
                yes.append((token[0], {**token[1], name: (max(low, least), min(high, most))}, token[2]))
                no.append(token)
        if yes:
            if node.then and type(node.then[0]) is not Test:
                # Which of the numbers it was does not matter any more: paths are the same again sooner.
                wide = (low, high)
                yes = [(place, {**known, name: wide}, state) for place, known, state in yes]
            yes = self.run(node.then, yes, scope)
        if no and node.orelse:
            no = self.run(node.orelse, no, scope)
        return yes + no if yes else no

    def leave(self, _: Break, tokens: Tokens, scope: _Scope) -> Tokens:
        """`break`."""
        if scope.breaks is None:
            raise ControlFlowError("break outside of a loop")
        scope.breaks += tokens
        return []

    def repeat(self, _: Continue, tokens: Tokens, scope: _Scope) -> Tokens:
        """`continue`."""
        if scope.continues is None:
            raise ControlFlowError("continue outside of a loop")
        scope.continues += tokens
        return []

    def loop(self, node: While, tokens: Tokens, scope: _Scope) -> Tokens:
        """An endless loop: what comes back to its start must be among what is assumed to come."""
        name = node.name
        if node.body:
            self.last.add(node.body[-1])
        common = _join(tokens)
        for _ in range(MAX_ROUNDS):
            assumed: dict[tuple[int, int], Token] = {}
            for place, known, _ in tokens:
                value, high = known.get(name, (0, 1)) if name else (0, 0)
                if value != high:
                    raise ControlFlowError("a selector is not known", name)
                assumed[place, value] = (place, {**common, name: (value, value)} if name else common, IDLE)
            for value, entry in node.entries.items():
                if isinstance(entry, int):
                    place = _SECOND - entry if self.code[entry][0] == ELSE else entry
                else:
                    place = self.arrived[entry]
                assumed[place, value] = (place, {**common, name: (value, value)}, IDLE)
            breaks: Tokens = []
            back: Tokens = []
            back += self.run(node.body, list(assumed.values()), _Scope(breaks, back, scope.raised))
            weaker = common
            others = len(common) > (name in common)
            for place, known, state in back:
                if state == IDLE:
                    raise ControlFlowError("control goes round without getting on", place)
                value, high = known.get(name, (0, 1)) if name else (0, 0)
                if value != high or (place, value) not in assumed:
                    raise ControlFlowError("control goes back to a loop that does not start there", place, value)
                if others:
                    for each, bounds in common.items():
                        if known.get(each) is not bounds and each != name and not _within(known, each, bounds):
                            weaker = {key: limits for key, limits in weaker.items() if key != each}
            if len(weaker) == len(common):
                return _merge(breaks)
            common = weaker
        raise ControlFlowError("a loop changes more variables than can be followed")

    # --- exceptions ------------------------------------------------------------------------------------
    def throw(self, token: Token, scope: _Scope) -> None:
        """An exception is raised."""
        if scope.raised is not None:
            scope.raised[token[0], tuple(sorted(token[1].items()))] = token
        elif token[0] != _RAISED:
            raise ControlFlowError("an exception is not caught", token)

    def guard(self, node: Try, tokens: Tokens, scope: _Scope) -> Tokens:
        """A guarded body and its handler."""
        raised: dict[Any, Token] = {}
        rest = self.run(node.body, tokens, _Scope(scope.breaks, scope.continues, raised))
        return _merge(rest + self.run(node.handler, list(raised.values()), scope))

    def catches(self, node: Catches, tokens: Tokens, scope: _Scope) -> Tokens:
        """The clauses of a try_table."""
        c = node.construct
        known = self.at(_RAISED - c.start - 1, tokens)
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

    def rethrow(self, _: Raise, tokens: Tokens, scope: _Scope) -> Tokens:
        """The exception goes on."""
        for token in tokens:
            if token[0] > _RAISED:
                raise ControlFlowError("no exception", token)
            self.throw(token, scope)
        return []


def _within(known: Known, name: str, bounds: tuple[int, int]) -> bool:
    """Whether a variable is known to be at least as narrowly bounded."""
    inner = known.get(name)
    return inner is not None and bounds[0] <= inner[0] and inner[1] <= bounds[1]


def _join(tokens: Tokens) -> Known:
    """What is known in all tokens."""
    result = tokens[0][1]
    for _, known, _ in tokens[1:]:
        if known is result:
            continue
        joined = {}
        for name, bounds in result.items():
            other = known.get(name)
            if other == bounds:
                joined[name] = bounds
            elif other is not None:
                joined[name] = (min(bounds[0], other[0]), max(bounds[1], other[1]))
        result = joined
    return result


def _merge(tokens: Tokens) -> Tokens:
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
