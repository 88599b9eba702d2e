"""The labels of a function and where each leads, computed without the analysis that built its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.translate.check.tokens import BACK, LABEL, RAISED, RETURNED
from wasm2oci.engine.translate.codes import ELSE, END

if TYPE_CHECKING:
    from wasm2oci.engine.translate.body import Body, Construct

__all__ = ["ENDS", "Labels"]

ENDS: Final = frozenset((END, ELSE))


class Labels:
    """The labels of one function.

    Attributes:
        labels: the number of each end, see `tokens`.
        fallen: the place of an end, values in their slots.
        arrived: the place of a label, values in their slots.
        target: the place of a branch to a label.
        tries: the try_tables, outer ones first.
        noted: constructs whose ends values are carried to.
    """

    def __init__(self, body: Body) -> None:
        self.code = body.code
        self.results = body.constructs[0].results
        self.labels: dict[Construct, int] = {}
        self.fallen: dict[Construct, int] = {}
        self.arrived: dict[Construct, int] = {}
        self.target: dict[Construct, int] = {}
        self.tries = [c for c in body.constructs if c.kind == "try"]
        self.noted: set[Construct] = set()
        self.find_labels(body.constructs)

    def find_labels(self, constructs: list[Construct]) -> None:
        """Works out where labels lead, outer constructs first."""
        code, labels = self.code, self.labels
        for c in constructs:
            if c.kind == "function":
                number = 0
            else:
                op, outer, _ = code[c.end + 1]
                same = op in ENDS and outer.results == c.results and outer.kind != "try"
                number = labels[outer] if same else c.start + 1
            labels[c] = number
            self.fallen[c] = ~(2 * number + 1)
            if c.kind == "loop":
                self.arrived[c] = LABEL - c.start
                self.target[c] = (BACK if c.params else LABEL) - c.start
            else:
                self.arrived[c] = ~(2 * number + 1)
                self.target[c] = ~(2 * number + (number > 0 and not c.results))

    def taken(self, c: Construct) -> int:
        """The place of a branch that is written here."""
        place = self.target[c]
        if place != RETURNED and c.kind != "loop":
            self.noted.add(c)
        return place

    def around(self, at: int) -> int:
        """The exception's place for an instruction: that of the innermost try_table around it."""
        number = 0
        for c in self.tries:
            if c.start < at < c.end:
                number = c.start + 1
        return RAISED - number
