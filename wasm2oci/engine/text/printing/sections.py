"""The sections of a module, and how many things they declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.module import Names
from wasm2oci.engine.text.printing.context import PrintContext

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EXACT_FUNC", "SECTION_NAMES", "all_counts", "extern_sort", "sections"]

EXACT_FUNC: Final = 0x20
"""The kind of an import of a function of exactly this type (custom descriptors)."""

_CUSTOM: Final = 0
SECTION_NAMES: Final = {
    1: "type",
    2: "import",
    3: "func",
    4: "table",
    5: "memory",
    13: "tag",
    6: "global",
    7: "export",
    8: "start",
    9: "elem",
    12: "datacount",
    10: "code",
    11: "data",
}
"""Sections by number, in the order that they must have, as `@custom` calls them."""
_ORDER: Final = {id_: place for place, id_ in enumerate(SECTION_NAMES, 1)}


def sections(data: bytes, start: int, end: int) -> Iterator[tuple[int, Reader, str]]:
    """Number, contents and (of a custom section) name of each section."""
    reader, last = Reader(data, start + PREAMBLE_SIZE, end), 0
    while reader.pos < end:
        offset = reader.pos
        id_ = reader.byte()
        if id_ != _CUSTOM:
            if id_ not in SECTION_NAMES:
                raise MalformedError(f"malformed section id {id_}", offset)
            if _ORDER[id_] <= last:
                raise MalformedError(f"unexpected content after last section: {SECTION_NAMES[id_]} section", offset)
            last = _ORDER[id_]
        size = reader.u32()
        if size > end - reader.pos:
            raise MalformedError("length out of bounds: the section is longer than the module", reader.pos)
        inner = Reader(data, reader.pos, reader.pos + size)
        reader.pos = inner.end
        yield id_, inner, inner.name(limits.MAX_STRING_SIZE) if id_ == _CUSTOM else ""


def all_counts(found: list[tuple[int, Reader, str]]) -> dict[str, int]:
    """How many there are of each sort, imported ones included: only those can have an identifier."""
    counts = dict.fromkeys(("type", "func", "table", "memory", "global", "tag", "elem", "data"), 0)
    scratch = PrintContext(Names(), counts)
    for id_, section, _ in found:
        reader = Reader(section.data, section.pos, section.end)
        if id_ == 1:
            for _ in range(reader.count(limits.MAX_TYPES, "types", 2)):
                scratch.types.group(reader)
            counts["type"] = len(scratch.types.composites)
        elif id_ == 2:
            for _ in range(reader.count(limits.MAX_IMPORTS, "imports", 4)):
                reader.name(limits.MAX_STRING_SIZE)
                reader.name(limits.MAX_STRING_SIZE)
                counts[extern_sort(reader, scratch)] += 1
        elif SECTION_NAMES.get(id_) in counts:
            counts[SECTION_NAMES[id_]] += reader.u32()
    return counts


def extern_sort(reader: Reader, context: PrintContext) -> str:
    """Steps over the type of an import; gives its sort."""
    offset = reader.pos
    code = reader.byte()
    sorts = [sort for sort, _ in context.sorts]
    if code == EXACT_FUNC:
        code = 0
    if code >= len(sorts):
        raise MalformedError(f"malformed import kind {code:#x}", offset)
    sort = sorts[code]
    if sort == "table":
        context.types.table(reader)
    elif sort == "memory":
        context.types.limits(reader)
    elif sort == "global":
        context.types.global_(reader)
    else:
        if sort == "tag":
            reader.byte()
        reader.u32()
    return sort
