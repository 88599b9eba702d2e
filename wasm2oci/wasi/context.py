"""What a guest is given of the world: only what its `WasiContext` has."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from wasm2oci.wasi.abi import ClockId

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wasm2oci.wasi.network import NetworkRule
    from wasm2oci.wasi.streams import Sink, Source
    from wasm2oci.wasi.waiting import Waiter

__all__ = ["Clock", "Preopen", "SystemClock", "WasiContext"]


class Clock(Protocol):
    """The four clocks of preview 1, in nanoseconds."""

    def now(self, clock: ClockId) -> int:
        """The time of one clock."""

    def resolution(self, clock: ClockId) -> int:
        """How finely one clock counts."""


class SystemClock:
    """The clocks of this machine."""

    __slots__ = ()

    def now(self, clock: ClockId) -> int:
        """See `Clock.now`."""
        match clock:
            case ClockId.REALTIME:
                return time.time_ns()
            case ClockId.MONOTONIC:
                return time.monotonic_ns()
            case ClockId.PROCESS_CPUTIME_ID:
                return time.process_time_ns()
            case ClockId.THREAD_CPUTIME_ID:
                return time.thread_time_ns()

    def resolution(self, clock: ClockId) -> int:
        """See `Clock.resolution`."""
        return max(1, round(time.get_clock_info(_NAMES[clock]).resolution * 1e9))


_NAMES: Final[tuple[Literal["time", "monotonic", "process_time", "thread_time"], ...]] = (
    "time",
    "monotonic",
    "process_time",
    "thread_time",
)


@dataclass(frozen=True, slots=True)
class Preopen:
    """A directory of the host that the guest may use.

    Attributes:
        host: the directory.
        guest: the name the guest sees.
        read_only: whether nothing in it can be changed, created or removed.
    """

    host: Path
    guest: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WasiContext:
    """Everything a guest gets from outside.

    Attributes:
        args: the command line, the program's name first.
        environment: names and values, in order.
        preopens: directories, in the order of their descriptors (3 and up).
        listeners: host descriptors of listening sockets, numbered after the directories; the caller keeps them open.
        stdin: descriptor 0.
        stdout: descriptor 1.
        stderr: descriptor 2.
        clock: where times come from.
        waiter: how blocking calls wait.
        random: that many bytes that cannot be predicted.
        network: the hosts of the network that it may reach.
    """

    args: tuple[bytes, ...]
    environment: tuple[tuple[bytes, bytes], ...]
    preopens: tuple[Preopen, ...]
    stdin: Source
    stdout: Sink
    stderr: Sink
    clock: Clock
    waiter: Waiter
    listeners: tuple[int, ...] = ()
    random: Callable[[int], bytes] = os.urandom
    network: tuple[NetworkRule, ...] = ()
