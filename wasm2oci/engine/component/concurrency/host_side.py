"""What the host is offered by a loop: streams, futures, and work that goes on beside the guests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.engine.component.concurrency.streams import SharedFuture, SharedStream

if TYPE_CHECKING:
    from collections.abc import Generator

    from wasm2oci.engine.component.concurrency.threads import Loop

__all__ = ["HostSide"]


class HostSide:
    """What the host makes for guests.

    Args:
        loop: what runs them; None for a component that is not concurrent, which asks for none of it.
    """

    def __init__(self, loop: Loop | None) -> None:
        self._loop = loop

    def stream(self) -> SharedStream:
        """A new stream."""
        return SharedStream()

    def future(self) -> SharedFuture:
        """A new future."""
        return SharedFuture()

    def spawn(self, work: Generator[Any, None, None]) -> None:
        """Has work go on beside the guests; it gives what it waits for, as `Activity` says."""
        assert self._loop is not None  # noqa: S101 - streams are for components that are concurrent
        self._loop.activities.start(work, lambda _: None)
