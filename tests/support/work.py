"""Work, counted: steps of a pattern and lines of Python, so that growth can be tested without a clock.

    assert_linear(lambda size: pattern_steps(PATTERN, b" " * size))
    assert_linear(lambda size: lines_run(lambda: parse(hostile(size))))

A pattern's steps are those of a plain backtracking matcher over the parsed pattern: what `re` does at most. Lines are
those that run inside the package.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, Final

import wasm2oci

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = [
    "HOSTILE",
    "TooMuchWorkError",
    "assert_linear",
    "hostile_texts",
    "lines_run",
    "loops_taken",
    "pattern_steps",
]

_PACKAGE: Final = str(Path(wasm2oci.__file__).parent)
_MOST: Final = 3_000_000

HOSTILE: Final = (
    " ", "\t", ",", ", ", ";", "; ", '"', '\\"', "\\", "<", "<>", "<x>;", "[", "]", "(", "{", "}", "=", "==", ":", ".",
    "-", "_", "__", "/", "//", "a", "A", "a.", "a-", "a,", "a=", 'a="', 'a=",', ";a= ", "a b ", "0", "9", "01", "-0",
    "\x00", "\r", "\n", "\r\n", "\xe9", "\u20ac", "\U0001f600", "%", "%2", "%25", "?", "&", "a&", "sha256:", "HTTP/1",
    "/blobs/", "/blobs/uploads/", "/manifests/",
)  # fmt: skip
"""What hostile text is made of: blanks, commas, quotes, brackets, backslashes, digits, multi-byte, and pairs."""


class TooMuchWorkError(AssertionError):
    """More steps than any linear work takes on texts of this size."""


def hostile_texts(size: int, prefix: str = "", suffix: str = "") -> dict[str, str]:
    """For each piece of `HOSTILE`, a text of about `size` characters made of it, between `prefix` and `suffix`."""
    return {piece: prefix + piece * (size // len(piece)) + suffix for piece in HOSTILE}


def assert_linear(work: Callable[[int], int], sizes: tuple[int, int, int] = (200, 400, 800)) -> None:
    """Assert that work grows no faster than its input.

    Args:
        work: how much is done for a text of a size.
        sizes: each twice as long as the one before.

    Raises:
        AssertionError: twice the text took well more than twice the work, twice in a row.
    """
    small, middle, large = (work(size) for size in sizes)
    # A quadratic part doubles the growth itself: 4 times, and 4 times again. What is added once is forgiven.
    slack = 400
    first, second = middle - small, large - middle
    assert second <= 3 * max(first, 0) + slack, f"work grew by {first:,}, then by {second:,} for twice the text"


def lines_run(call: Callable[[], object], *expected: type[Exception]) -> int:
    """How many lines of the package run during a call, which may raise one of these errors."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        del argument
        if event == "call":
            return trace if frame.f_code.co_filename.startswith(_PACKAGE) else None
        count += event == "line"
        if count > _MOST:
            raise TooMuchWorkError(f"more than {_MOST:,} lines")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except expected:
        pass
    finally:
        sys.settrace(before)
    return count


def loops_taken(call: Callable[[], object]) -> float:
    """Processor time of a call, in turns of an empty loop: some 50 million of them take a second.

    The loop is measured before and after, so a machine that is slow, or busy with others, counts as many.
    """
    turns, before = 2_000_000, _loop_seconds(2_000_000)
    start = time.process_time()
    call()
    taken = time.process_time() - start
    return taken / (before + _loop_seconds(turns)) * 2 * turns


def _loop_seconds(turns: int) -> float:
    start = time.process_time()
    for _ in range(turns):
        pass
    return time.process_time() - start


def pattern_steps(pattern: re.Pattern[Any], text: str | bytes, *, search: bool = False, most: int = _MOST) -> int:
    """Steps a backtracking matcher takes to match a pattern at the start of a text, or to search for it everywhere.

    Raises:
        TooMuchWorkError: more than `most`.
    """
    data = text.decode("latin-1") if isinstance(text, bytes) else text
    source = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    matcher = _Matcher(parser.parse(source, pattern.flags & ~re.UNICODE), data, pattern.flags, most)
    at = 0
    while at <= len(data):
        end = next(matcher.sequence(matcher.tree, 0, at), None)
        if not search:
            break
        at = max(at + 1, end if end is not None else 0)
    return matcher.steps


class _Matcher:
    def __init__(self, tree: Any, text: str, flags: int, most: int) -> None:
        self.tree, self.text, self.flags, self.most = list(tree), text, flags, most
        self.steps = 0
        self.known: dict[tuple[int, str], bool] = {}
        self.groups: dict[int | None, str] = {}

    def sequence(self, nodes: list[Any], index: int, at: int) -> Iterator[int]:
        if index == len(nodes):
            yield at
            return
        for end in self.node(nodes[index], at):
            yield from self.sequence(nodes, index + 1, end)

    def step(self) -> None:
        self.steps += 1
        if self.steps > self.most:
            raise TooMuchWorkError(f"more than {self.most:,} steps for {len(self.text):,} characters")

    def node(self, node: Any, at: int) -> Iterator[int]:
        op, argument = node
        self.step()
        if op in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN):
            if at < len(self.text) and self.one(op, argument, self.text[at]):
                yield at + 1
        elif op is c.AT:
            if self.at(argument, at):
                yield at
        elif op is c.BRANCH:
            for branch in argument[1]:
                yield from self.sequence(list(branch), 0, at)
        elif op is c.SUBPATTERN:
            for end in self.sequence(list(argument[3]), 0, at):
                self.groups[argument[0]] = self.text[at:end]
                yield end
        elif op is c.GROUPREF:
            seen = self.groups.get(argument, "")
            self.steps += len(seen)
            if self.text.startswith(seen, at):
                yield at + len(seen)
        elif op is c.ATOMIC_GROUP:
            yield from self.first(self.sequence(list(argument), 0, at))
        elif op in (c.MAX_REPEAT, c.MIN_REPEAT):
            yield from self.repeat(argument, at, lazy=op is c.MIN_REPEAT)
        elif op is c.POSSESSIVE_REPEAT:
            yield from self.first(self.repeat(argument, at, lazy=False))
        elif op in (c.ASSERT, c.ASSERT_NOT):
            direction, inner = argument
            starts = [at] if direction > 0 else [at - 1] if at else []
            found = any(next(self.sequence(list(inner), 0, start), None) is not None for start in starts)
            if found is (op is c.ASSERT):
                yield at
        else:
            raise AssertionError(f"the counter does not know {op}")

    def first(self, ends: Iterator[int]) -> Iterator[int]:
        end = next(ends, None)
        if end is not None:
            yield end

    def repeat(self, argument: Any, at: int, *, lazy: bool) -> Iterator[int]:
        least, most, inner = argument
        most = len(self.text) + 1 if most is c.MAXREPEAT else most
        nodes = list(inner)
        if len(nodes) == 1 and nodes[0][0] in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN):
            op, what = nodes[0]
            end = at
            while end - at < most and end < len(self.text):
                self.step()
                if not self.one(op, what, self.text[end]):
                    break
                end += 1
            ends = range(at + least, end + 1)
            for position in ends if lazy else reversed(ends):
                self.step()
                yield position
            return
        if lazy and least == 0:
            yield at
        if most > 0:
            for end in self.sequence(nodes, 0, at):
                if end > at or least > 0:
                    yield from self.repeat((max(0, least - 1), most - 1, inner), end, lazy=lazy)
        if not lazy and least == 0:
            yield at

    def one(self, op: Any, argument: Any, char: str) -> bool:
        if op is not c.IN:
            return self.single(op, argument, char)
        key = (id(argument), char)
        if key not in self.known:
            negated = argument[0][0] is c.NEGATE
            self.known[key] = any(self.within(item, char) for item in argument[negated:]) is not negated
        return self.known[key]

    def single(self, op: Any, argument: Any, char: str) -> bool:
        if op is c.ANY:
            return char != "\n" or bool(self.flags & re.DOTALL)
        same = self.fold(char) == self.fold(chr(argument))
        return same if op is c.LITERAL else not same

    def within(self, item: Any, char: str) -> bool:
        op, argument = item
        if op is c.LITERAL:
            return self.fold(char) == self.fold(chr(argument))
        if op is c.RANGE:
            forms = {char, char.lower(), char.upper()} if self.flags & re.IGNORECASE else {char}
            return any(argument[0] <= ord(form[0]) <= argument[1] for form in forms)
        if op is c.CATEGORY:
            letter = {
                c.CATEGORY_DIGIT: r"\d", c.CATEGORY_NOT_DIGIT: r"\D", c.CATEGORY_SPACE: r"\s",
                c.CATEGORY_NOT_SPACE: r"\S", c.CATEGORY_WORD: r"\w", c.CATEGORY_NOT_WORD: r"\W",
            }[argument]  # fmt: skip
            return re.match(letter, char) is not None
        raise AssertionError(f"the counter does not know {op}")

    def fold(self, char: str) -> str:
        return char.lower() if self.flags & re.IGNORECASE else char

    def at(self, where: Any, at: int) -> bool:
        if where in (c.AT_BEGINNING_STRING, c.AT_BEGINNING):
            return at == 0 or (bool(self.flags & re.MULTILINE) and self.text[at - 1] == "\n")
        if where in (c.AT_END_STRING, c.AT_END):
            return at == len(self.text) or (bool(self.flags & re.MULTILINE) and self.text[at] == "\n")
        words = [0 <= i < len(self.text) and re.match(r"\w", self.text[i]) is not None for i in (at - 1, at)]
        return (words[0] != words[1]) is (where is c.AT_BOUNDARY)
