"""A binary file as text, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.binary.preamble import ModuleKind, preamble
from wasm2oci.engine.text.printing.line import Line
from wasm2oci.engine.text.printing.module import ModulePrinter
from wasm2oci.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.engine.text.printing.component import ComponentPrinter

__all__ = ["NoSuchFunctionError", "print_text"]

_DEEPEST: Final = 50
"""Levels that are indented: blocks may nest a million deep."""
_INDENT: Final = tuple("  " * depth for depth in range(_DEEPEST + 1))


class NoSuchFunctionError(NotFoundError):
    """The module has no function of this name that has a body."""


def print_text(
    data: bytes, *, folded: bool = False, offsets: bool = False, function: str | None = None
) -> Iterator[str]:
    """The text of a module or component, in pieces.

    Args:
        data: the binary.
        folded: whether instructions hold their operands in parentheses.
        offsets: whether each line says where in the binary it comes from.
        function: only the function of this name, export or index.

    Raises:
        MalformedError: it does not decode; what is merely invalid is printed.
        NoSuchFunctionError: there is no function of that name.
    """
    printer: ModulePrinter | ComponentPrinter
    if preamble(data) is ModuleKind.MODULE:
        printer = ModulePrinter(data, 0, len(data), folded=folded)
    else:
        from wasm2oci.engine.text.printing.component import ComponentPrinter  # noqa: PLC0415 - most files are modules

        printer = ComponentPrinter(data, 0, len(data), folded=folded)
    if function is None:
        lines = _whole(printer)
    else:
        lines = printer.function(function)
        first = next(lines, None)
        if first is None:
            raise NoSuchFunctionError(f"there is no function {function} with a body in the module")
        lines = _after(first, lines)
    for depth, text, offset in lines:
        indent = _INDENT[min(depth, _DEEPEST)]
        if offsets:
            place = " " * 13 if offset is None else f"(;@{offset:<6x};)  "
            yield f"{place}{indent}{text}\n"
        else:
            yield f"{indent}{text}\n"


def _whole(printer: ModulePrinter | ComponentPrinter) -> Iterator[Line]:
    keyword = "module" if isinstance(printer, ModulePrinter) else "component"
    fields = printer.fields()
    first = next(fields, None)
    if first is None:
        yield Line(0, f"({keyword}{printer.head})")
        return
    yield Line(0, f"({keyword}{printer.head}", 0)
    yield first
    yield from fields
    yield Line(0, ")")


def _after(first: Line, rest: Iterator[Line]) -> Iterator[Line]:
    """One function, as far out as a module would be."""
    yield Line(0, first.text, first.offset)
    for depth, text, offset in rest:
        yield Line(depth - 1, text, offset)
