"""The lines of a function written so far, and what executing them costs a guest that pays for it."""

from __future__ import annotations

__all__ = ["Lines"]


class Lines:
    """Lines of Python.

    Attributes:
        out: lines written, indented; None is a line taken back.
        offsets: for each line the offset of its instruction in the module.
        ind: the present indentation.
        at: the offset of the present instruction.
        dead: nothing gets to the present place.
        fuel: instructions are counted.
        polls: a flag is looked at.
        count: instructions of the present basic block.
        mark: the line that is to charge for it, or -1.
    """

    def __init__(self) -> None:
        self.out: list[str | None] = []
        self.offsets: list[int] = []
        self.ind = " "
        self.at = 0
        self.dead = False
        self.fuel = False
        self.polls = False
        self.count = 0
        self.mark = -1

    def line(self, text: str) -> int:
        """Writes a line; returns its number."""
        self.out.append(self.ind + text)
        self.offsets.append(self.at)
        return len(self.out) - 1

    def empty(self, header: int) -> bool:
        """Whether nothing was written since a line."""
        out = self.out
        place = len(out) - 1
        while place > header and out[place] is None:
            place -= 1
        return place <= header

    def fresh(self, header: int) -> bool:
        """Whether a loop's condition may still become part of its first line."""
        return not self.fuel and self.empty(header)

    def take_back(self, line: int) -> None:
        """Unwrites a line."""
        self.out[line] = None

    def charge(self, *, resume: bool = True) -> None:
        """Begins a basic block, or only ends one: what it costs is written at its start once its end is known."""
        if not self.fuel:
            return
        if self.mark >= 0:
            text = self.out[self.mark] or ""
            cost = f"F[0]-={self.count}" if self.count else "pass"
            self.out[self.mark] = text[: len(text) - len(text.lstrip())] + cost
        self.count = 0
        self.mark = self.line("pass") if resume and not self.dead else -1

    def poll(self) -> None:
        """Stops an endless loop or recursion, if asked to."""
        if self.fuel:
            self.line("if F[0]<0:out_of_fuel()")
        if self.polls:
            self.line("if I[0]:interrupted()")
