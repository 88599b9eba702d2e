"""The one thing preview 1 needs from an engine: a linear memory to read and write by address."""

from __future__ import annotations

from typing import Protocol

__all__ = ["GuestMemory", "MemoryFaultError"]


class MemoryFaultError(Exception):
    """An address or a range lies outside the guest's memory; the call's result is FAULT."""


class GuestMemory(Protocol):
    """A guest's linear memory, addressed in bytes."""

    def read(self, address: int, size: int) -> bytes:
        """A copy of `size` bytes.

        Raises:
            MemoryFaultError: some of them lie outside.
        """

    def write(self, address: int, data: bytes) -> None:
        """Put bytes there; all or none.

        Raises:
            MemoryFaultError: some of them would lie outside.
        """
