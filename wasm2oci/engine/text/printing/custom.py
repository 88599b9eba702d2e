"""Custom sections that have a form of their own in the text: branch hints and producers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.text.patterns import HINTS
from wasm2oci.engine.text.printing.identifiers import quoted

if TYPE_CHECKING:
    from wasm2oci.engine.binary.reader import Reader

__all__ = ["branch_hints", "producers"]


def branch_hints(reader: Reader) -> dict[int, dict[int, bytes]]:
    """Branch hints by function and by offset in the body; those of values that have no meaning are left out."""
    out: dict[int, dict[int, bytes]] = {}
    for _ in range(reader.count(limits.MAX_FUNCTIONS, "functions", 2)):
        hints = out.setdefault(reader.u32(), {})
        for _ in range(reader.count(limits.MAX_BODY_SIZE, "hints", 2)):
            offset = reader.u32()
            hint = reader.take(reader.u32())
            if hint in HINTS:
                hints[offset] = hint
    return out


def producers(reader: Reader) -> list[tuple[int, str]] | None:
    """The lines of a `producers` section, or None where it is not one that can be written back."""
    out = [(1, "(@producers")]
    try:
        for _ in range(reader.count(limits.MAX_IMPORTS, "fields", 2)):
            field = reader.name(limits.MAX_STRING_SIZE)
            if field not in {"language", "sdk", "processed-by"}:
                return None
            for _ in range(reader.count(limits.MAX_IMPORTS, "values", 2)):
                value, version = reader.name(limits.MAX_STRING_SIZE), reader.name(limits.MAX_STRING_SIZE)
                out.append((2, f"({field} {quoted(value)} {quoted(version)})"))
    except MalformedError:
        return None
    return [*out, (1, ")")] if reader.pos == reader.end else None
