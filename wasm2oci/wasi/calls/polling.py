"""`poll_oneoff`: waiting for times and descriptors together.

Spec: WASI preview 1, poll_oneoff.
"""

from __future__ import annotations

# ruff: noqa: PLR0917 - preview 1's parameters are positional
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasm2oci.base.descriptors import bytes_waiting
from wasm2oci.wasi.abi import (
    EVENT,
    SUBSCRIPTION,
    ClockId,
    Errno,
    EventType,
    SubclockFlags,
    WasiError,
)
from wasm2oci.wasi.descriptors import FileDescriptor

if TYPE_CHECKING:
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.state import Wasi

__all__ = ["poll", "poll_oneoff"]

Fields = Callable[[bytes], Iterable[tuple[int, ...]]]
"""Takes records of subscriptions; gives the fields of each in the order of `abi.SUBSCRIPTION`."""

_MAX_SUBSCRIPTIONS: Final = 4096
_CLOCKS: Final = (ClockId.REALTIME, ClockId.MONOTONIC)


@dataclass(slots=True)
class _Subscription:
    """One thing waited for.

    Attributes:
        userdata: given back with its event.
        type: what kind of thing.
        fd: the host's descriptor to wait for; None when there is none to wait for.
        deadline: for a clock, when, on the monotonic clock.
        errno: why it cannot be waited for.
        ready: an event is due.
        size: bytes there to read.
    """

    userdata: int
    type: EventType
    fd: int | None = None
    deadline: int | None = None
    errno: Errno = Errno.SUCCESS
    ready: bool = False
    size: int = 0


def poll_oneoff(wasi: Wasi, memory: GuestMemory, subscriptions: int, events: int, count: int) -> int:
    """Wait until at least one subscription has an event; how many events were written."""
    return poll(wasi, memory, subscriptions, events, count, SUBSCRIPTION.size, SUBSCRIPTION.iter_unpack)


def poll(
    wasi: Wasi, memory: GuestMemory, subscriptions: int, events: int, count: int, size: int, fields: Fields
) -> int:
    """`poll_oneoff` over records of `size` bytes, whose fields `fields` gives in the order of preview 1."""
    if count == 0 or count > _MAX_SUBSCRIPTIONS:
        raise WasiError(Errno.INVAL)
    now = wasi.context.clock.now(ClockId.MONOTONIC)
    data = memory.read(subscriptions, count * size)
    memory.read(events, count * EVENT.size)  # the answer must fit before anything is waited for
    waiting = [_parse(wasi, fields, now) for fields in fields(data)]
    _wait(wasi, waiting)
    out = [EVENT.pack(s.userdata, s.errno, s.type, s.size, 0) for s in waiting if s.ready]
    memory.write(events, b"".join(out))
    return len(out)


def _parse(wasi: Wasi, fields: tuple[int, ...], now: int) -> _Subscription:
    userdata, tag, which, timeout, _, flags = fields
    try:
        kind = EventType(tag)
    except ValueError:
        raise WasiError(Errno.INVAL) from None
    made = _Subscription(userdata, kind)
    if kind is EventType.CLOCK:
        _parse_clock(wasi, made, which, timeout, flags, now)
    else:
        _parse_descriptor(wasi, made, which)
    return made


def _parse_clock(wasi: Wasi, made: _Subscription, clock: int, timeout: int, flags: int, now: int) -> None:
    if flags & ~SubclockFlags.ABSTIME:
        raise WasiError(Errno.INVAL)
    if clock not in _CLOCKS:
        made.errno = Errno.INVAL if clock > max(ClockId) else Errno.NOTSUP
        made.ready = True
        return
    if flags & SubclockFlags.ABSTIME:
        timeout = max(0, timeout - wasi.context.clock.now(ClockId(clock)))
    made.deadline = now + timeout


def _parse_descriptor(wasi: Wasi, made: _Subscription, number: int) -> None:
    reading = made.type is EventType.FD_READ
    try:
        descriptor = (wasi.table.readable if reading else wasi.table.writable)(number)
    except WasiError as error:
        made.errno = error.errno
        made.ready = True
        return
    made.fd = descriptor.fileno()
    if made.fd is None:  # regular files and memory are always ready
        made.ready = True
        if reading and isinstance(descriptor, FileDescriptor):
            made.size = max(0, descriptor.stat().st_size - os.lseek(descriptor.fd, 0, os.SEEK_CUR))


def _wait(wasi: Wasi, waiting: list[_Subscription]) -> None:
    readable = {s.fd for s in waiting if s.fd is not None and s.type is EventType.FD_READ}
    writable = {s.fd for s in waiting if s.fd is not None and s.type is EventType.FD_WRITE}
    deadlines = [s.deadline for s in waiting if s.deadline is not None]
    clock = wasi.context.clock
    while True:
        now = clock.now(ClockId.MONOTONIC)
        timeout = max(0, min(deadlines) - now) if deadlines else None
        if any(s.ready for s in waiting):
            timeout = 0
        can_read, can_write = wasi.context.waiter.wait(readable, writable, timeout)
        now = clock.now(ClockId.MONOTONIC)
        for s in waiting:
            if s.deadline is not None:
                s.ready = s.deadline <= now
            elif s.fd is not None and s.fd in (can_read if s.type is EventType.FD_READ else can_write):
                s.ready = True
                s.size = _available(s.fd) if s.type is EventType.FD_READ else 0
        if any(s.ready for s in waiting):
            return


def _available(fd: int) -> int:
    """How many bytes wait in a pipe, terminal or socket; 1 where the host does not say."""
    size = bytes_waiting(fd)
    return 1 if size is None else size
