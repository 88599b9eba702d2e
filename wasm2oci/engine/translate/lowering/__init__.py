"""How each instruction becomes Python: one table, total over `OPCODES` (a test fails where a row is missing).

Control instructions are absent on purpose: they are `renderer`'s, listed in `CONTROL`. What lies
beyond 3.0 and atomics is validated and not executed: `VALIDATED_ONLY`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.syntax.features import EXECUTED
from wasm2oci.engine.syntax.opcodes import BY_MNEMONIC, OPCODES
from wasm2oci.engine.translate.lowering.atomics import ATOMICS
from wasm2oci.engine.translate.lowering.calls import CALLS
from wasm2oci.engine.translate.lowering.floats import FLOATS
from wasm2oci.engine.translate.lowering.integers import INTEGERS
from wasm2oci.engine.translate.lowering.memory import MEMORY
from wasm2oci.engine.translate.lowering.references import REFERENCES
from wasm2oci.engine.translate.lowering.tables import TABLES
from wasm2oci.engine.translate.lowering.vectors import VECTORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.translate.emitter import Emitter

__all__ = ["CONTROL", "LOWERING", "VALIDATED_ONLY"]

CONTROL: Final = frozenset(
    (
        "block",
        "loop",
        "if",
        "else",
        "end",
        "br",
        "br_if",
        "br_table",
        "return",
        "try_table",
        "br_on_null",
        "br_on_non_null",
        "br_on_cast",
        "br_on_cast_fail",
    )
)
"""Mnemonics of what control flow is made of."""

VALIDATED_ONLY: Final = frozenset(row.mnemonic for row in OPCODES.values() if row.feature & ~EXECUTED)
"""What lies beyond that: a module that uses it validates where that is allowed, and is refused when it is to run."""

LOWERING: Final[dict[int, Callable[[Emitter, Any], None]]] = {
    BY_MNEMONIC[mnemonic].code: lowering
    for table in (INTEGERS, FLOATS, MEMORY, TABLES, REFERENCES, VECTORS, CALLS, ATOMICS)
    for mnemonic, lowering in table.items()
}
"""Opcode to lowering."""
