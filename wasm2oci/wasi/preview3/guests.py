"""What WASI 0.3 needs from the engine: streams, futures, and work that goes on while the guest runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

__all__ = ["Channel", "Guests"]


class Channel(Protocol):
    """A stream or future, one end of which is the host's."""

    def put(self, values: Sequence[Any]) -> Generator[Any, None, bool]:
        """Writes values; whether the guest took all of them."""

    def take(self, most: int) -> Generator[Any, None, Sequence[Any] | None]:
        """Reads at most so many values, at least one; None at the end."""

    def wanted(self) -> Generator[Any, None, int]:
        """Waits until the guest reads; how many values it takes, or 0 when it takes none any more."""

    def drop(self) -> None:
        """Drops the host's end."""


class Guests(Protocol):
    """The engine."""

    def stream(self) -> Channel:
        """A new stream."""

    def future(self) -> Channel:
        """A new future."""

    def spawn(self, work: Generator[Any, None, None]) -> None:
        """Start work that goes on while the guest runs."""
