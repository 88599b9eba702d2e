"""How execution ends early: traps, and exceptions of the guest's own.

A trap is an `Exception` the guest cannot catch. A `WasmException` is one the guest threw with a tag; it is at the
same time the value an `exnref` holds, so `throw_ref` raises the very object that was caught.

Neither is a `Wasm2OciError`: they are outcomes of the guest's code, which the caller turns into its own report and
exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.engine.runtime.function import Tag

__all__ = ["Frame", "Trap", "TrapKind", "WasmException"]


class TrapKind(Enum):
    """Why the guest was stopped; the values are the texts of the specification's test suite."""

    UNREACHABLE = "unreachable"
    MEMORY = "out of bounds memory access"
    UNALIGNED = "unaligned atomic"
    UNSHARED = "expected shared memory"
    TABLE = "out of bounds table access"
    ARRAY = "out of bounds array access"
    DIVIDE_BY_ZERO = "integer divide by zero"
    INTEGER_OVERFLOW = "integer overflow"
    INVALID_CONVERSION = "invalid conversion to integer"
    UNDEFINED_ELEMENT = "undefined element"
    UNINITIALIZED_ELEMENT = "uninitialized element"
    INDIRECT_CALL = "indirect call type mismatch"
    NULL_REFERENCE = "null reference"
    NULL_FUNCTION = "null function reference"
    NULL_STRUCTURE = "null structure reference"
    NULL_ARRAY = "null array reference"
    NULL_I31 = "null i31 reference"
    NULL_EXCEPTION = "null exception reference"
    CAST = "cast failure"
    CALL_STACK = "call stack exhausted"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_FUEL = "out of fuel"
    INTERRUPT = "interrupted"
    CANONICAL_ABI = "canonical ABI"


@dataclass(frozen=True, slots=True)
class Frame:
    """One guest function on the stack when a trap was raised.

    Args:
        function: index in the module's function index space.
        name: from the name section or an export, or None.
        offset: bytes from the start of the module to the instruction, or None where it is not known.
    """

    function: int
    name: str | None
    offset: int | None


class Trap(Exception):  # noqa: N818 -- the specification's word
    """The guest's code was stopped.

    Args:
        kind: the reason.
        detail: more words for people, after the reason's text.

    Attributes:
        frames: guest functions on the stack, innermost first; filled in where generated code is mapped back.

    Spec: core, Execution, Runtime structure, Results: traps.
    """

    def __init__(self, kind: TrapKind, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.frames: Sequence[Frame] = ()

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}" if self.detail else self.kind.value


class WasmException(Exception):  # noqa: N818 -- an exception package, not an error
    """An exception the guest threw, on its way to a handler or to the host; also what an `exnref` is.

    Args:
        tag: compared by identity with the tags handlers name.
        values: its arguments, in the representation of the run-time values.

    Spec: core, Execution, Runtime structure, Exception instances.
    """

    def __init__(self, tag: Tag, values: tuple[object, ...]) -> None:
        super().__init__(tag, values)
        self.tag = tag
        self.values = values

    def __str__(self) -> str:
        return f"uncaught exception with {len(self.values)} values"
