"""Atomic accesses to a memory, for an engine that runs one thread.

With one thread every access is atomic already; what is left of the threads proposal is that an address must be a
multiple of the access's width, and what waiting and notifying come to when there is no other thread.

Spec: threads proposal, Execution, Atomic memory instructions.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from wasm2oci.engine.runtime.trap import Trap, TrapKind

if TYPE_CHECKING:
    from wasm2oci.engine.runtime.memory import Memory

__all__ = [
    "atomic_add",
    "atomic_and",
    "atomic_cmpxchg",
    "atomic_load",
    "atomic_notify",
    "atomic_or",
    "atomic_store",
    "atomic_sub",
    "atomic_wait",
    "atomic_xchg",
    "atomic_xor",
]

_NOT_EQUAL, _TIMED_OUT = 1, 2
_PIECE_NS: Final = 10_000_000
"""Waiting is done in pieces, between which the guest can be stopped."""


def _place(memory: Memory, address: int, width: int) -> int:
    if address & (width - 1):
        raise Trap(TrapKind.UNALIGNED)
    if address + width > len(memory.data):
        raise Trap(TrapKind.MEMORY)
    return address


def atomic_load(memory: Memory, address: int, width: int) -> int:
    """The `width` bytes at an address as an unsigned integer. Spec: t.atomic.load."""
    at = _place(memory, address, width)
    return int.from_bytes(memory.data[at : at + width], "little")


def atomic_store(memory: Memory, address: int, width: int, value: int) -> None:
    """Puts the low `width` bytes of a value there. Spec: t.atomic.store."""
    at = _place(memory, address, width)
    memory.data[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")


def atomic_xchg(memory: Memory, address: int, width: int, value: int) -> int:
    """Stores a value; what was there before. Spec: t.atomic.rmw.xchg."""
    before = atomic_load(memory, address, width)
    atomic_store(memory, address, width, value)
    return before


def atomic_add(memory: Memory, address: int, width: int, value: int) -> int:
    """Adds a value; what was there before. Spec: t.atomic.rmw.add."""
    before = atomic_load(memory, address, width)
    atomic_store(memory, address, width, before + value)
    return before


def atomic_sub(memory: Memory, address: int, width: int, value: int) -> int:
    """Subtracts a value; what was there before. Spec: t.atomic.rmw.sub."""
    return atomic_add(memory, address, width, -value)


def atomic_and(memory: Memory, address: int, width: int, value: int) -> int:
    """Bitwise and; what was there before. Spec: t.atomic.rmw.and."""
    before = atomic_load(memory, address, width)
    atomic_store(memory, address, width, before & value)
    return before


def atomic_or(memory: Memory, address: int, width: int, value: int) -> int:
    """Bitwise or; what was there before. Spec: t.atomic.rmw.or."""
    before = atomic_load(memory, address, width)
    atomic_store(memory, address, width, before | value)
    return before


def atomic_xor(memory: Memory, address: int, width: int, value: int) -> int:
    """Bitwise exclusive or; what was there before. Spec: t.atomic.rmw.xor."""
    before = atomic_load(memory, address, width)
    atomic_store(memory, address, width, before ^ value)
    return before


def atomic_cmpxchg(memory: Memory, address: int, width: int, expected: int, value: int) -> int:
    """Stores a value where the expected one is, as far as it is as wide; what was there before.

    Spec: t.atomic.rmw.cmpxchg.
    """
    before = atomic_load(memory, address, width)
    if before == expected & (1 << 8 * width) - 1:
        atomic_store(memory, address, width, value)
    return before


def atomic_notify(memory: Memory, address: int, _count: int) -> int:
    """How many waiting threads were woken: none, for there is no other. Spec: memory.atomic.notify."""
    _place(memory, address, 4)
    return 0


def atomic_wait(memory: Memory, address: int, width: int, expected: int, timeout: int) -> int:
    """Waits until it is notified, which nothing can do here, or the time is over. Spec: memory.atomic.wait.

    Args:
        memory: a shared one.
        address: of the value waited at.
        width: of the value.
        expected: the value.
        timeout: nanoseconds, a signed number of 64 bits written unsigned; below zero for ever.

    Returns:
        1 where the value is another, 2 when the time is over.

    Raises:
        Trap: the memory is not shared, or the address is no place for it.
    """
    at = _place(memory, address, width)
    if not memory.type_.shared:
        raise Trap(TrapKind.UNSHARED)
    if int.from_bytes(memory.data[at : at + width], "little") != expected:
        return _NOT_EQUAL
    end = None if timeout >> 63 else time.monotonic_ns() + timeout
    while end is None or time.monotonic_ns() < end:
        left = _PIECE_NS if end is None else min(_PIECE_NS, max(0, end - time.monotonic_ns()))
        time.sleep(left / 1e9)
    return _TIMED_OUT
