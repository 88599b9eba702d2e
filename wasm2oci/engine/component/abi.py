"""What loading, storing and passing of values share. Spec: component model, CanonicalABI.md, contexts."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.engine.runtime.trap import Trap, TrapKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.engine.component.handles import HandleTable, Scope
    from wasm2oci.engine.runtime.memory import Memory
    from wasm2oci.engine.syntax.values import Val, ValueType

__all__ = [
    "INTEGERS",
    "MAX_BYTES",
    "MAX_ELEMENTS",
    "Context",
    "aligned",
    "canonical",
    "char",
    "left_component",
    "made",
    "trap_if",
]

INTEGERS: Final = {
    "bool": (1, False),
    "u8": (1, False),
    "s8": (1, True),
    "u16": (2, False),
    "s16": (2, True),
    "u32": (4, False),
    "s32": (4, True),
    "u64": (8, False),
    "s64": (8, True),
}
"""Bytes, and whether there is a sign."""

MAX_BYTES: Final = (1 << 28) - 1
"""Bytes of a string or of a list's elements, and of all that a call passes together."""

MAX_ELEMENTS: Final = 1 << 22
"""Elements of lists that are no lists of bytes, of a list and of all that a call passes together: each is an object
here, many times as large as in the guest's memory."""


def trap_if(condition: object, why: str) -> None:
    """Stops the guest when it breaks a rule of the canonical ABI."""
    if condition:
        raise Trap(TrapKind.CANONICAL_ABI, why)


def left_component() -> Trap:
    """The trap for an exception that no function of a component catches: another component may not catch it."""
    return Trap(TrapKind.CANONICAL_ABI, "an exception left the component")


class Context:
    """One call: from where values are lifted, or to where they are lowered.

    Args:
        memory: None where no value needs one.
        realloc: allocates in that memory: (address, old size, alignment, size) -> address.
        encoding: of strings.
        handles: of the component instance.

    Attributes:
        scope: counts the handles of `borrow` that the callee was given.
        lenders: the handles that were lent for this call; None while lending is not noted.
    """

    __slots__ = ("_bytes", "_elements", "encoding", "handles", "lenders", "memory", "realloc", "scope")

    def __init__(
        self, memory: Memory | None, realloc: Callable[..., int] | None, encoding: str, handles: HandleTable
    ) -> None:
        self.memory = memory
        self.realloc = realloc
        self.encoding = encoding
        self.handles = handles
        self.scope: Scope | None = None
        self.lenders: list[Any] | None = None
        self._bytes = self._elements = 0

    @property
    def data(self) -> bytearray:
        """The bytes of the memory."""
        trap_if(self.memory is None, "there is no memory")
        return self.memory.data  # type: ignore[union-attr]

    def check(self, address: int, size: int, alignment: int, what: str) -> None:
        """Checks that bytes lie in memory."""
        trap_if(address % alignment, f"{what} is not aligned")
        trap_if(address + size > len(self.data), f"{what} out of bounds of memory")

    def charge(self, size: int, elements: int = 0) -> None:
        """Counts what is lifted. Lists may share their elements, so the memory does not bound it.

        Args:
            size: bytes of a string or of the elements of a list.
            elements: how many of these there are; 0 for bytes.
        """
        self._bytes += size
        self._elements += elements
        trap_if(self._bytes > MAX_BYTES, "a call passes more bytes in strings and lists than this engine keeps")
        trap_if(self._elements > MAX_ELEMENTS, "a call passes more elements in lists than this engine keeps")

    def uncharged(self) -> Context:
        """The same for other values, of which none is counted yet."""
        return Context(self.memory, self.realloc, self.encoding, self.handles)

    def allocate(self, size: int, alignment: int) -> int:
        """Has the guest make room."""
        trap_if(self.realloc is None, "there is no realloc")
        address: int = self.realloc(0, 0, alignment, size)  # type: ignore[misc]
        trap_if(address % alignment, "realloc return: result not aligned")
        trap_if(address + size > len(self.data), "realloc return: beyond end of memory")
        return address


def made(make: Callable[[Any], Any]) -> Callable[[Val], Any]:
    """A function of a value type that is made once for each type."""
    name = make.__name__
    primitive = functools.lru_cache(maxsize=32)(make)

    @functools.wraps(make)
    def get(type_: Val) -> Any:
        if isinstance(type_, str):
            return primitive(type_)
        known = type_.codecs.get(name)
        if known is None:
            known = type_.codecs[name] = make(type_ if not _is_primitive(type_) else type_.kind)
        return known

    return get


def _is_primitive(type_: ValueType) -> bool:
    return not type_.types and not type_.labels


def aligned(position: int, alignment: int) -> int:
    """The next position with an alignment."""
    return (position + alignment - 1) // alignment * alignment


def canonical(number: float) -> float:
    """A float; the one NaN for any."""
    return math.nan if math.isnan(number) else number


def char(code: int) -> str:
    """A character by its code point."""
    trap_if(code >= 0x110000 or 0xD800 <= code <= 0xDFFF, "invalid `char` bit pattern")
    return chr(code)
