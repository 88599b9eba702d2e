"""A function body as a tree that can be changed and written again: what the shrinker works on.

An instruction keeps its bytes; only labels are taken out of them, because they count blocks and change when one goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.interpreter import read_immediate
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.syntax.module import SectionId
from wasm2oci.engine.syntax.opcodes import OPCODES, Immediate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wasm2oci.engine.syntax.module import Module

__all__ = ["Body", "Node", "leb128", "lowered", "parse_body", "rebuilt", "size"]

_ELSE, _END, _IF = 0x05, 0x0B, 0x04
_OPENERS: Final = frozenset({0x02, 0x03, _IF, 0x1F})
_PREFIXES: Final = frozenset({0xFB, 0xFC, 0xFD, 0xFE})


@dataclass(slots=True)
class Node:
    """An instruction.

    Attributes:
        code: its opcode.
        parts: its bytes, with an int for each label.
        body: what a block contains, else None.
        other: what the `else` of an `if` contains, else None.
    """

    code: int
    parts: list[bytes | int]
    body: list[Node] | None = None
    other: list[Node] | None = None


@dataclass(slots=True)
class Body:
    """A function's body: its declared locals as they were, and its instructions."""

    locals: bytes
    nodes: list[Node]

    def encoded(self) -> bytes:
        """The body as the binary format writes it, with its size."""
        out = bytearray(self.locals)
        _write(self.nodes, out)
        out.append(_END)
        return leb128(len(out)) + bytes(out)


def leb128(value: int) -> bytes:
    """An unsigned integer as the binary format writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def parse_body(module: Module, defined: int) -> Body:
    """The body of the function with code `defined`."""
    start, stop = module.codes[defined]
    reader = Reader(module.data, start, stop)
    for _ in range(reader.u32()):
        reader.u32()
        read_immediate(Immediate.BLOCKTYPE, reader, module)  # a value type is written the same way
    locals_ = module.data[start : reader.pos]
    root: list[Node] = []
    open_: list[tuple[Node | None, list[Node]]] = [(None, root)]
    while reader.pos < stop:
        node = _instruction(module, reader)
        owner, into = open_[-1]
        if node.code == _END:
            open_.pop()
        elif node.code == _ELSE and owner is not None:
            owner.other = []
            open_[-1] = (owner, owner.other)
        else:
            into.append(node)
            if node.body is not None:
                open_.append((node, node.body))
    return Body(locals_, root)


def _instruction(module: Module, reader: Reader) -> Node:
    begin = reader.pos
    code = reader.byte()
    if code in _PREFIXES:
        code = code << 16 | reader.u32()
    parts: list[bytes | int] = []

    def label() -> None:
        nonlocal begin
        parts.append(reader.data[begin : reader.pos])
        parts.append(reader.u32())
        begin = reader.pos

    for kind in OPCODES[code].immediates:
        if kind is Immediate.LABEL:
            label()
        elif kind is Immediate.LABELS:
            for _ in range(reader.u32() + 1):
                label()
        elif kind is Immediate.CATCHES:
            for _ in range(reader.u32()):
                if reader.byte() < 2:  # catch and catch_ref name a tag
                    reader.u32()
                label()
        else:
            read_immediate(kind, reader, module)
    parts.append(reader.data[begin : reader.pos])
    return Node(code, parts, [] if code in _OPENERS else None)


def _write(nodes: Iterable[Node], out: bytearray) -> None:
    for node in nodes:
        for part in node.parts:
            out += part if isinstance(part, bytes) else leb128(part)
        if node.body is not None:
            _write(node.body, out)
            if node.other is not None:
                out.append(_ELSE)
                _write(node.other, out)
            out.append(_END)


def size(nodes: Iterable[Node]) -> int:
    """How many instructions there are."""
    return sum(1 + size(node.body or ()) + size(node.other or ()) for node in nodes)


def lowered(nodes: Iterable[Node], depth: int = 0) -> list[Node] | None:
    """A copy of a block's contents for where the block stood; None where something in it branches to the block."""
    out: list[Node] = []
    for node in nodes:
        parts: list[bytes | int] = []
        for part in node.parts:
            if isinstance(part, int) and part >= depth:
                if part == depth:
                    return None
                parts.append(part - 1)
            else:
                parts.append(part)
        copy = Node(node.code, parts)
        if node.body is not None:
            copy.body = lowered(node.body, depth + 1)
            if copy.body is None:
                return None
        if node.other is not None:
            copy.other = lowered(node.other, depth + 1)
            if copy.other is None:
                return None
        out.append(copy)
    return out


def rebuilt(module: Module, bodies: Mapping[int, Body], without: frozenset[int] = frozenset()) -> bytes:
    """The module with other bodies, without custom sections and the sections numbered in `without`."""
    out = bytearray(module.data[:8])
    for section in module.sections:
        if section.id is SectionId.CUSTOM or section.id in without:
            continue
        contents = module.data[section.start : section.end]
        if section.id is SectionId.CODE:
            contents = leb128(len(bodies)) + b"".join(bodies[defined].encoded() for defined in range(len(bodies)))
        out.append(section.id)
        out += leb128(len(contents)) + contents
    return bytes(out)
