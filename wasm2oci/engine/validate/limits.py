"""Sizes of memories and tables. Spec: core, validation of limits, memories and tables (3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.errors import InvalidModuleError
from wasm2oci.engine.syntax.limits import MAX_MEMORY32_PAGES, MAX_MEMORY64_PAGES

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.types import Limits, MemoryType, TableType

__all__ = ["check_memory", "check_table"]


def _limits(limits: Limits, most: int, what: str, unit: str, offset: int) -> None:
    if limits.maximum is not None and limits.minimum > limits.maximum:
        raise InvalidModuleError("size minimum must not be greater than maximum", offset)
    if max(limits.minimum, limits.maximum or 0) > most:
        raise InvalidModuleError(f"{what} must be at most {most} {unit}", offset)


def check_table(type_: TableType, offset: int) -> None:
    """Checks how many elements a table may have."""
    _limits(type_.limits, (1 << (64 if type_.limits.is64 else 32)) - 1, "table size", "elements", offset)


def check_memory(type_: MemoryType, offset: int) -> None:
    """Checks how many pages a memory may have, and that a shared one says so."""
    most = MAX_MEMORY64_PAGES if type_.limits.is64 else MAX_MEMORY32_PAGES
    most = (most << 16) >> type_.page_bits
    if type_.page_bits == 0:
        most -= 1  # sizes in bytes must fit 32 or 64 bits themselves
    _limits(type_.limits, most, "memory size", "pages", offset)
    if type_.shared and type_.limits.maximum is None:
        raise InvalidModuleError("shared memory must have maximum", offset)
