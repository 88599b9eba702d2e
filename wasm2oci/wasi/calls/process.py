"""Arguments, environment, clocks, randomness, and the end of the process."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from wasm2oci.base.descriptors import yield_processor
from wasm2oci.wasi.abi import Errno, Signal, WasiError
from wasm2oci.wasi.endings import ProcExit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.wasi.abi import ClockId
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.state import Wasi

__all__ = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
]

_RANDOM_CHUNK: Final = 65536
_IGNORED_SIGNALS: Final = frozenset({Signal.NONE, Signal.CHLD, Signal.CONT, Signal.URG, Signal.WINCH})
"""POSIX: their default action is to do nothing."""


def _sizes(strings: Sequence[bytes]) -> tuple[int, int]:
    return len(strings), sum(len(string) + 1 for string in strings)


def _put(memory: GuestMemory, strings: Sequence[bytes], pointers: int, buffer: int) -> None:
    at = buffer
    addresses = []
    for string in strings:
        addresses.append(at)
        at += len(string) + 1
    memory.write(buffer, b"".join(string + b"\0" for string in strings))
    memory.write(pointers, struct.pack(f"<{len(strings)}I", *addresses))


def args_sizes_get(wasi: Wasi, _memory: GuestMemory) -> tuple[int, int]:
    """How many arguments, and their bytes with a NUL each."""
    return _sizes(wasi.context.args)


def args_get(wasi: Wasi, memory: GuestMemory, argv: int, argv_buf: int) -> None:
    """The arguments, NUL-terminated, and a pointer to each."""
    _put(memory, wasi.context.args, argv, argv_buf)


def _environment(wasi: Wasi) -> list[bytes]:
    return [name + b"=" + value for name, value in wasi.context.environment]


def environ_sizes_get(wasi: Wasi, _memory: GuestMemory) -> tuple[int, int]:
    """How many variables, and the bytes of `NAME=VALUE` with a NUL each."""
    return _sizes(_environment(wasi))


def environ_get(wasi: Wasi, memory: GuestMemory, environ: int, environ_buf: int) -> None:
    """The variables as `NAME=VALUE`, NUL-terminated, and a pointer to each."""
    _put(memory, _environment(wasi), environ, environ_buf)


def clock_res_get(wasi: Wasi, _memory: GuestMemory, clock: ClockId) -> int:
    """How finely a clock counts, in nanoseconds."""
    return wasi.context.clock.resolution(clock)


def clock_time_get(wasi: Wasi, _memory: GuestMemory, clock: ClockId, _precision: int) -> int:
    """A clock's time, in nanoseconds."""
    return wasi.context.clock.now(clock)


def random_get(wasi: Wasi, memory: GuestMemory, buffer: tuple[int, int]) -> None:
    """Random bytes into a buffer."""
    address, size = buffer
    if size:
        memory.read(address + size - 1, 1)  # nothing is written to a buffer that ends outside
    for start in range(0, size, _RANDOM_CHUNK):
        memory.write(address + start, wasi.context.random(min(_RANDOM_CHUNK, size - start)))


def proc_exit(_wasi: Wasi, _memory: GuestMemory, code: int) -> None:
    """End the guest.

    Raises:
        ProcExit: always.
    """
    raise ProcExit(code)


def proc_raise(_wasi: Wasi, _memory: GuestMemory, signal: Signal) -> None:
    """What the signal does by default: nothing, or the end of the guest, reported as a shell does.

    Raises:
        ProcExit: 128 and the signal's number, for those that end a process.
        WasiError: NOTSUP for those that stop one.
    """
    if signal in _IGNORED_SIGNALS:
        return
    if signal in {Signal.STOP, Signal.TSTP, Signal.TTIN, Signal.TTOU}:
        raise WasiError(Errno.NOTSUP)
    raise ProcExit(128 + signal)


def sched_yield(_wasi: Wasi, _memory: GuestMemory) -> None:
    """Let others run."""
    yield_processor()
