"""Preview 0 of WASI, which modules built before 2020 import as `wasi_unstable`: preview 1 but for these differences.

The order of `whence` differs, records of files have a 32-bit count of links, subscriptions to a clock have an
identifier more, and there is no `sock_accept`. Everything else is preview 1's row. A run has one state for both, so
that a module may import both.

Spec: WASI preview 0, wasi_unstable.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wasm2oci.wasi.abi import FILESTAT, EventType, Whence
from wasm2oci.wasi.calls.polling import poll
from wasm2oci.wasi.functions import FUNCTIONS as PREVIEW1
from wasm2oci.wasi.kinds import FILESTAT_RESULT, Result, enumeration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.wasi.functions import WasiFunction
    from wasm2oci.wasi.kinds import ParameterKind
    from wasm2oci.wasi.memory import GuestMemory
    from wasm2oci.wasi.state import Wasi

__all__ = ["FUNCTIONS"]

_FILESTAT: Final = struct.Struct("<QQBxxxIQQQQ")
"""dev, ino, filetype, nlink, size, atim, mtim, ctim."""
_SUBSCRIPTION: Final = struct.Struct("<QBxxxxxxxQIxxxxQQHxxxxxx")
"""userdata, tag, identifier of the clock or descriptor, clock id, timeout, precision, clock flags."""
_MOST_LINKS: Final = 0xFFFF_FFFF


def _pack_filestat(record: bytes) -> bytes:
    """Preview 0's record of a file from preview 1's; more links than it can count are the most it can."""
    device, inode, kind, links, *rest = FILESTAT.unpack(record)
    return _FILESTAT.pack(device, inode, kind, min(links, _MOST_LINKS), *rest)


def _unpack_filestat(data: bytes) -> bytes:
    return FILESTAT.pack(*_FILESTAT.unpack(data))


def _subscriptions(data: bytes) -> Iterator[tuple[int, ...]]:
    for userdata, tag, first, clock, *rest in _SUBSCRIPTION.iter_unpack(data):
        yield userdata, tag, clock if tag == EventType.CLOCK else first & 0xFFFF_FFFF, *rest


def _poll_oneoff(wasi: Wasi, memory: GuestMemory, subscriptions: int, events: int, count: int) -> int:
    return poll(wasi, memory, subscriptions, events, count, _SUBSCRIPTION.size, _subscriptions)


_WHENCE: Final = enumeration((Whence.CUR, Whence.END, Whence.SET), 8)
_FILESTAT_RESULT: Final = Result(_FILESTAT.size, _pack_filestat, _unpack_filestat, FILESTAT_RESULT.show)


def _older(function: WasiFunction) -> WasiFunction:
    """A row as preview 0 has it."""

    def kind(name: str, found: ParameterKind) -> ParameterKind:
        return _WHENCE if name == "whence" else found

    return replace(
        function,
        params=tuple((name, kind(name, found)) for name, found in function.params),
        results=tuple(
            (name, _FILESTAT_RESULT if found is FILESTAT_RESULT else found) for name, found in function.results
        ),
        work=_poll_oneoff if function.name == "poll_oneoff" else function.work,
    )


FUNCTIONS: Final[tuple[WasiFunction, ...]] = tuple(_older(row) for row in PREVIEW1 if row.name != "sock_accept")
