"""Makes a program on which two engines disagree smaller, as long as they disagree.

Changes are tried greedily, from large to small, over and over until none is left that helps or the attempts are used
up: fewer calls, empty functions, runs of instructions removed or replaced by a constant, blocks replaced by what they
contain, `if`s by one of their arms, shorter tables, smaller constants. What is not valid any more is dropped before
anything runs. What remains must end on wasmtime, and do the same there and when interpreted, so that a program whose
meaning the specification leaves open (the bits of a NaN) does not take the place of the one looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import wasmtime

from tests.support.generators.cases import HANG, Referee, interpreting, trace_linker, trace_wasmtime, translating
from tests.support.generators.text import module_text
from tests.support.generators.tree import Node, leb128, lowered, parse_body, rebuilt, size
from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.syntax.module import SectionId
from wasm2oci.engine.syntax.types import ExternKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.generators.cases import Case, Observation

__all__ = ["disagree", "printed", "shrink"]

ATTEMPTS: Final = 4_000
"""Programs run at most."""

FUEL: Final = 20_000
"""What wasmtime may use for a call: small, because a program that lost its ticks must not take long."""

SECONDS: Final = 0.2
"""Processor time for a call on the other engines."""

_BR_TABLE, _IF, _I32_CONST, _I64_CONST = 0x0E, 0x04, 0x41, 0x42
_DROP: Final = Node(0x1A, [b"\x1a"])
_UNREACHABLE: Final = Node(0x00, [b"\x00"])
_CONSTANTS: Final = (
    Node(_I32_CONST, [b"\x41\x00"]),
    Node(_I64_CONST, [b"\x42\x00"]),
    Node(0x43, [b"\x43" + bytes(4)]),
    Node(0x44, [b"\x44" + bytes(8)]),
    Node(0xD0, [b"\xd0\x71"]),
)
_SUBSTITUTES: Final[tuple[list[Node], ...]] = (
    [],
    [_UNREACHABLE],
    [_DROP],
    *([constant] for constant in _CONSTANTS),
    [_DROP, _DROP],
    *([_DROP, constant] for constant in _CONSTANTS),
)


def disagree(case: Case, option: int, referees: Sequence[Referee]) -> bool:
    """Whether the referees agree on what a case does, and `translating(option)` makes something else of it."""
    traces = [_TRACES[referee](case) for referee in referees]
    expected = traces[0]
    if not expected or expected[-1].outcome == HANG or any(trace[: len(expected)] != expected for trace in traces):
        return False
    return trace_linker(case, translating(option), len(expected), SECONDS) != expected


def _trace_interpreted(case: Case) -> list[Observation]:
    return trace_linker(case, interpreting(), None, SECONDS)


_TRACES: Final = {Referee.WASMTIME: trace_wasmtime, Referee.INTERPRETER: _trace_interpreted}


@dataclass
class _Shrinker:
    """The state of one shrink: `case` is the smallest so far, `bodies` its functions."""

    case: Case
    option: int
    referees: Sequence[Referee]
    attempts: int = 0
    engine: wasmtime.Engine = field(default_factory=wasmtime.Engine)

    def __post_init__(self) -> None:
        self.module = decode_module(self.case.data)
        self.bodies = {defined: parse_body(self.module, defined) for defined in range(len(self.module.codes))}
        self.without: frozenset[int] = frozenset()

    def holds(self) -> bool:
        """Whether what `bodies` and `without` say is valid and still shows the disagreement; then it is the case."""
        data = rebuilt(self.module, self.bodies, self.without)
        try:
            wasmtime.Module.validate(self.engine, data)
        except wasmtime.WasmtimeError:
            return False
        self.attempts += 1
        case = replace(self.case, data=data)
        if not disagree(case, self.option, self.referees):
            return False
        self.case = case
        return True

    def attempt(self, nodes: list[Node], start: int, stop: int, replacement: Sequence[Node]) -> bool:
        old = nodes[start:stop]
        nodes[start:stop] = replacement
        if self.attempts < ATTEMPTS and self.holds():
            return True
        nodes[start : start + len(replacement)] = old
        return False

    # --- passes; each tells whether it changed anything -----------------------------------------
    def calls(self) -> bool:
        calls = self.case.calls
        for fewer in [(call,) for call in calls] + [calls[: len(calls) // 2], calls[1:]]:
            if 0 < len(fewer) < len(calls):
                case = replace(self.case, calls=fewer)
                if disagree(case, self.option, self.referees):
                    self.case = case
                    return True
        return False

    def functions(self) -> bool:
        changed = False
        for body in self.bodies.values():
            if size(body.nodes) > 1:
                changed |= self.attempt(body.nodes, 0, len(body.nodes), [_UNREACHABLE])
        return changed

    def sections(self) -> bool:
        changed = False
        for some in (
            {SectionId.DATA, SectionId.DATA_COUNT},
            {SectionId.ELEMENT},
            {SectionId.START},
        ):
            if some <= self.without or not any(section.id in some for section in self.module.sections):
                continue
            before, self.without = self.without, self.without | some
            if self.holds():
                changed = True
            else:
                self.without = before
        return changed

    def runs(self) -> bool:
        """Removes runs of instructions, from half a body down to one."""
        changed = False
        for nodes in self.containers():
            length = len(nodes)
            while length:
                start = 0
                while start + length <= len(nodes):
                    if self.attempt(nodes, start, start + length, []):
                        changed = True
                    else:
                        start += 1 if length < 4 else length // 2
                length = length // 2 if length > 4 else length - 1
        return changed

    def blocks(self) -> bool:
        """Replaces blocks by what they contain."""
        changed = False
        for nodes in self.containers():
            place = 0
            while place < len(nodes):
                node = nodes[place]
                for arm in (node.body, node.other):
                    inner = None if arm is None else lowered(arm)
                    if inner is not None and node.code == _IF:
                        inner.insert(0, _DROP)
                    if inner is not None and self.attempt(nodes, place, place + 1, inner):
                        changed = True
                        place -= 1
                        break
                place += 1
        return changed

    def substitutes(self) -> bool:
        """Replaces one to four instructions by something smaller."""
        changed = False
        for nodes in self.containers():
            for length in (4, 3, 2, 1):
                place = 0
                while place + length <= len(nodes):
                    old = nodes[place : place + length]
                    for new in _SUBSTITUTES:
                        if _measure(new) < _measure(old) and self.attempt(nodes, place, place + length, new):
                            changed = True
                            break
                    place += 1
        return changed

    def tables(self) -> bool:
        """Shortens tables."""
        changed = False
        for nodes in self.containers():
            for place, node in enumerate(nodes):
                labels = [part for part in node.parts if isinstance(part, int)]
                while node.code == _BR_TABLE and len(labels) > 1:
                    for gone in range(len(labels)):
                        fewer = labels[:gone] + labels[gone + 1 :]
                        if self.attempt(nodes, place, place + 1, [_table(fewer)]):
                            labels, changed = fewer, True
                            break
                    else:
                        break
        return changed

    def constants(self) -> bool:
        """Makes constants 0 or 1."""
        changed = False
        for nodes in self.containers():
            for place, node in enumerate(nodes):
                if node.code in {_I32_CONST, _I64_CONST}:
                    old = node.parts[0]
                    for value in (b"\x00", b"\x01"):
                        new = bytes((node.code,)) + value
                        if old in {new, bytes((node.code, 0))}:
                            break
                        if self.attempt(nodes, place, place + 1, [Node(node.code, [new])]):
                            changed = True
                            break
        return changed

    def containers(self) -> Iterator[list[Node]]:
        """Every list of instructions, outer ones first; changes inside of a list that was yielded are seen."""
        todo = [body.nodes for body in self.bodies.values()]
        while todo:
            nodes = todo.pop()
            yield nodes
            todo += [arm for node in nodes for arm in (node.body, node.other) if arm]

    def run(self) -> Case:
        passes = (
            self.calls,
            self.functions,
            self.runs,
            self.blocks,
            self.tables,
            self.substitutes,
            self.constants,
            self.sections,
        )
        # Every pass is to be tried, so no short circuit.
        while any([once() for once in passes]) and self.attempts < ATTEMPTS:  # noqa: C419
            pass
        return self.case


def _measure(nodes: Sequence[Node]) -> tuple[int, int]:
    """Instructions, then how little is known of them: a constant is less than anything that computes."""
    plain = sum(node in _CONSTANTS or node in (_DROP, _UNREACHABLE) for node in nodes)
    return size(nodes), -plain


def _table(labels: Sequence[int]) -> Node:
    parts: list[bytes | int] = [b"\x0e" + leb128(len(labels) - 1)]
    for label in labels:
        parts += [label, b""]
    return Node(_BR_TABLE, parts)


def shrink(case: Case, option: int, referees: Sequence[Referee]) -> Case:
    """The smallest case found on which translation still disagrees with the referees.

    Args:
        case: a program on which it does.
        option: see `translating`.
        referees: the first decides; the others must agree with it, unless they did not from the start.
    """
    case = replace(case, fuel=min(case.fuel, FUEL))
    for some in (referees, referees[:1]):
        if disagree(case, option, some):
            return _Shrinker(case, option, some).run()
    return case  # it takes more fuel or time than there is here


def printed(case: Case) -> str:
    """A case as text: its module, and what to call."""
    exports = {call.export for call in case.calls} | ({case.reset} if case.reset else set())
    for export in decode_module(case.data).exports:
        if export.kind in {ExternKind.GLOBAL, ExternKind.MEMORY}:
            exports.add(export.name)
    calls = [f"{call.export}({', '.join(map(str, call.arguments))})" for call in case.calls]
    return f";; calls: {'; '.join(calls)}\n{module_text(case.data, exports)}"
