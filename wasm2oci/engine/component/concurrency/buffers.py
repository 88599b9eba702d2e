"""Where values of streams and futures lie on their way: in a guest's memory, or at the host.

Values of a type are `bytes` where they are `u8`, a list for others, and a `range` where they have no type and are only
counted. Spec: component model, CanonicalABI.md, buffer state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from wasm2oci.engine.component.abi import trap_if
from wasm2oci.engine.component.load import elements
from wasm2oci.engine.component.put import put_elements
from wasm2oci.engine.syntax.values import kind_of, layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.engine.component.abi import Context
    from wasm2oci.engine.syntax.values import Val

__all__ = ["Buffer", "GuestBuffer", "HostBuffer", "HostRoom"]

MAX_LENGTH: Final = (1 << 28) - 1
_MOST_BYTES: Final = 1 << 20
_MOST_VALUES: Final = 1 << 14
"""What is copied at once, since it is kept by the host for that time: a read or write may take less than is there."""


class Buffer(Protocol):
    """Values that are read, or room for some.

    Attributes:
        length: how many there are, or fit.
        progress: how many were read or written.
    """

    length: int
    progress: int

    @property
    def left(self) -> int:
        """How many can still be read or written."""

    def read(self, count: int) -> Sequence[Any]:
        """The next values."""

    def write(self, values: Sequence[Any]) -> None:
        """Puts values into the room."""


class GuestBuffer:
    """Values in a guest's memory, or room there.

    Args:
        context: the memory.
        type_: of the values; None where they are only counted.
        address: of the first.
        length: how many.
    """

    __slots__ = ("_address", "_context", "_most", "_size", "_type", "length", "progress")

    def __init__(self, context: Context, type_: Val | None, address: int, length: int) -> None:
        trap_if(length > MAX_LENGTH, "stream read/write of too many values at once")
        self._context = context
        self._type = type_
        self._address = address
        self._size = 0
        self._most = length if type_ is None else _MOST_BYTES if kind_of(type_) == "u8" else _MOST_VALUES
        if type_ is not None:
            alignment, self._size = layout(type_)
            if length:
                context.check(address, length * self._size, alignment, "stream or future buffer")
        self.length = length
        self.progress = 0

    @property
    def left(self) -> int:
        """See `Buffer.left`; no more at once than this engine keeps."""
        return min(self.length - self.progress, self._most)

    def read(self, count: int) -> Sequence[Any]:
        """See `Buffer.read`."""
        at = self._address + self.progress * self._size
        self.progress += count
        if self._type is None:
            return range(count)
        values: Sequence[Any] = elements(self._type)(self._context.uncharged(), at, count)
        return values

    def write(self, values: Sequence[Any]) -> None:
        """See `Buffer.write`."""
        at = self._address + self.progress * self._size
        self.progress += len(values)
        if self._type is not None:
            put_elements(self._type)(self._context, values, at)


class HostBuffer:
    """Values of the host.

    Args:
        values: all of them.
    """

    __slots__ = ("_values", "length", "progress")

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self.length = len(values)
        self.progress = 0

    @property
    def left(self) -> int:
        """See `Buffer.left`."""
        return self.length - self.progress

    def read(self, count: int) -> Sequence[Any]:
        """See `Buffer.read`."""
        values = self._values[self.progress : self.progress + count]
        self.progress += count
        return values

    def write(self, values: Sequence[Any]) -> None:
        """Never called: a `HostBuffer` has no room."""
        raise AssertionError(len(values))


class HostRoom:
    """Room at the host.

    Args:
        length: how many values.

    """

    __slots__ = ("_parts", "length", "progress")

    def __init__(self, length: int) -> None:
        self.length = length
        self.progress = 0
        self._parts: list[Sequence[Any]] = []

    @property
    def values(self) -> Sequence[Any]:
        """What was written."""
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        return b"".join(parts) if isinstance(parts[0], bytes) else [value for part in parts for value in part]  # type: ignore[arg-type]

    @property
    def left(self) -> int:
        """See `Buffer.left`."""
        return self.length - self.progress

    def read(self, count: int) -> Sequence[Any]:
        """Never called: a `HostRoom` has no values to read."""
        raise AssertionError(count)

    def write(self, values: Sequence[Any]) -> None:
        """See `Buffer.write`."""
        self._parts.append(values)
        self.progress += len(values)
