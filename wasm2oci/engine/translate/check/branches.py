"""The check of branches: what a jump of the tree does is what its instruction does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.translate.check.labels import ENDS, Labels
from wasm2oci.engine.translate.check.tokens import MOVED, RETURNED, SETTLED, ControlFlowError, join, merge
from wasm2oci.engine.translate.codes import BR, BR_TABLE, CASTS, END, RETURN
from wasm2oci.engine.translate.tree import Break, Carry, Continue, Return, Set

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Construct
    from wasm2oci.engine.translate.check.tokens import Known, Scope, Token, Tokens
    from wasm2oci.engine.translate.tree import Evaluate, Lookup, Node, Table

__all__ = ["CARRIES", "BranchCheck"]

_BRANCHES: Final = frozenset((BR, RETURN))
CARRIES: Final = frozenset((BR, *ENDS))


class BranchCheck(Labels):
    """The nodes that carry values to labels, jump, or return."""

    def leaves(self, nodes: list[Any], target: Construct, known: Known, scope: Scope) -> bool:
        """Follow a branch that only carries values to its label and breaks or continues; False where it does more."""
        count = len(nodes)
        if not 2 <= count <= 3:
            return False
        first, middle, last = nodes[0], nodes[1], nodes[-1]
        loops = target.kind == "loop"
        way = scope.breaks if type(last) is Break else scope.continues if type(last) is Continue else None
        carries = type(first) is Carry and first.target is target and first.back == loops
        if not carries or way is None or (count == 3 and type(middle) is not Set):
            return False
        if count == 3:
            known = {**known, middle.name: (middle.value, middle.value)}
        if not loops and self.target[target] != RETURNED:
            self.noted.add(target)
        way.append((self.arrived[target], known, MOVED))
        return True

    def at(self, place: int, tokens: Tokens) -> Known:
        """All tokens, which must be at an instruction, as one: what is known in all of them."""
        for token in tokens:
            if token[0] != place:
                raise ControlFlowError("control comes from elsewhere", place, token)
        return tokens[0][1] if len(tokens) == 1 else join(tokens)

    def in_place(self, tokens: Tokens, carried: int) -> None:
        """See that all tokens have their values in slots, or none."""
        if any(token[0] == carried for token in tokens) and not all(
            token[2] == SETTLED or token[0] == carried for token in tokens
        ):
            raise ControlFlowError("values of two paths are in different places", carried)

    def carry(self, node: Carry, tokens: Tokens, __: Scope) -> Tokens:
        """Values are moved for good, by an unconditional branch or at an end."""
        at, target = node.at, node.target
        op, item, _ = self.code[at]
        arrived = self.destination(node)
        fallen = [token for token in tokens if token[0] == at]
        if op in ENDS:
            # Tokens that branched here already pass on, if their values stay where they are.
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
        return merge([(arrived, known, MOVED) for _, known, _ in tokens])

    def destination(self, node: Carry) -> int:
        """Where values are carried to."""
        target = node.target
        op, item, _ = self.code[node.at]
        if node.back:
            if target.kind != "loop" or op in ENDS:
                raise ControlFlowError("an end is taken for a loop's start", node.at)
            return self.arrived[target]
        if target.kind == "loop" and (op not in ENDS or item is not target):
            raise ControlFlowError("a loop's start is taken for its end", node.at)
        self.noted.add(target)
        return self.fallen[target]

    def jump(self, nodes: list[Node], target: Construct, known: Known, scope: Scope) -> Tokens:
        """A branch on a condition: it carries its values and jumps, or returns."""
        place = self.taken(target)
        first = nodes[0] if nodes else None
        if not isinstance(first, Carry):
            if not isinstance(first, Return) or place != RETURNED or len(nodes) > 1:
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

    def evaluate(self, node: Evaluate, tokens: Tokens, __: Scope) -> Tokens:
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

    def table(self, node: Table, tokens: Tokens, scope: Scope) -> Tokens:
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

    def lookup(self, node: Lookup, tokens: Tokens, __: Scope) -> Tokens:
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

    def return_(self, node: Return, tokens: Tokens, __: Scope) -> Tokens:
        """The function's results are returned."""
        op, item, _ = self.code[node.at]
        returns = op in ENDS or (op in _BRANCHES and item.kind != "loop")
        returns = returns and self.labels[item] == 0
        for place, _, state in tokens:
            falls = place == ~1 and (state == SETTLED or not self.results)
            if place != RETURNED and not (place == node.at and returns) and not falls:
                raise ControlFlowError("control leaves the function", node.at, place)
        return []
