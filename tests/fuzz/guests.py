"""Hostile modules against the limits of a run: each asks for extremes, in a process of its own, and ends in time."""

from __future__ import annotations

import os
import resource
import sys
from typing import TYPE_CHECKING, Final

import wasm2oci.runtime.embedded  # noqa: F401 - loaded once here, and not in each child
from tests.support.wasm_sections import MODULE, section, uleb, vector
from wasm2oci.errors import Wasm2OciError
from wasm2oci.runtime.child import run_in_child
from wasm2oci.runtime.choose import run
from wasm2oci.runtime.request import EngineChoice, RunLimits, RunRequest

if TYPE_CHECKING:
    import random

    from wasm2oci.runtime.request import RunOutcome

__all__ = ["guests", "hostile_module"]

_MAX_MEMORY: Final = 32 << 20
_ALLOWANCE: Final = 250 << 20
"""What a process may have beside the guest's memory, as decision 25 says."""
_TIMEOUT_S: Final = 0.5
_NUMBERS: Final = (0, 1, 2, 127, 128, 255, 1000, 50_000, 65_536, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_PAGES: Final = (0, 1, 16, 512, 1000, 65_536)
_REPEATED: Final = (
    b"\x41\x00\x1a",  # i32.const, drop
    b"\x20\x00\x1a",  # local.get, drop
    b"\x41\x01\xb2\xbc\x1a",  # convert, reinterpret
    b"\x41\x00\x28\x02\x00\x1a",  # i32.load
    b"\x02\x40\x0b",
    b"\x03\x40\x0b",
    b"\x41\x00\x04\x40\x05\x0b",
    b"\x41\x01\x40\x00\x1a",  # memory.grow
    b"\x41\x00\x41\x01\x41\xff\xff\x3f\xfc\x0a\x00\x00",  # memory.copy
    b"\x10\x00",  # call itself
    b"\x10\x01",
    b"\x00",
    b"\x01",
)
_WITHIN: Final = (b"\x02\x40", b"\x03\x40", b"\x41\x01\x04\x40")


def hostile_module(rng: random.Random) -> bytes:
    """A module whose numbers are large where numbers cost, whose `_start` repeats what costs."""
    types = rng.choice((1, 1, 2, 300))
    signature = b"\x60" + vector_of(b"\x7f", rng.choice((0, 1, 20, 1000))) + b"\x00"
    bodies = [_body(rng) for _ in range(rng.choice((2, 2, 3, 40)))]
    parts = [
        section(1, uleb(types + 1) + b"\x60\x00\x00" + signature * types),
        section(3, vector_of(b"\x00", len(bodies))),
        section(4, vector_of(b"\x70\x00" + uleb(rng.choice(_NUMBERS)), rng.choice((0, 0, 1, 20)))),
        section(5, vector_of(b"\x00" + uleb(rng.choice(_PAGES)), rng.choice((1, 1, 30)))),
        section(6, vector_of(b"\x7f\x01\x41\x00\x0b", rng.choice((0, 1, 50_000)))),
        section(7, b"\x01\x06_start\x00\x00"),
    ]
    if rng.random() < 0.2:
        parts.append(section(8, b"\x00"))
    if rng.random() < 0.2:
        parts.append(section(9, vector_of(b"\x00\x41\x00\x0b\x00", rng.choice((1, 20_000)))))
    parts.append(section(10, uleb(len(bodies)) + b"".join(map(vector, bodies))))
    if rng.random() < 0.3:
        parts.append(section(11, vector_of(b"\x00\x41\x00\x0b" + vector(b"x" * rng.choice((0, 100))), 1000)))
    raw = MODULE + b"".join(parts)
    if rng.random() < 0.2:
        at = rng.randrange(8, len(raw))
        raw = raw[:at] + uleb(rng.choice(_NUMBERS)) + raw[at + 1 :]
    return raw


def vector_of(item: bytes, count: int) -> bytes:
    """So many of one item, after their number."""
    return uleb(count) + item * count


def _body(rng: random.Random) -> bytes:
    locals_ = rng.choice((b"\x00", b"\x01" + uleb(rng.choice(_NUMBERS)) + b"\x7f", b"\x01\x01\x7f"))
    code = b"".join(rng.choice(_REPEATED) * rng.choice((1, 3, 500, 20_000)) for _ in range(rng.randrange(1, 5)))
    depth = rng.choice((0, 0, 1, 50, 5000))
    code = rng.choice(_WITHIN) * depth + code + b"\x0b" * depth
    if rng.random() < 0.3:
        code = b"\x03\x40" + code + b"\x0c\x00\x0b"  # for ever
    if rng.random() < 0.1:
        code = b"\x41\x00\x0e" + vector_of(b"\x00", rng.choice((1, 100_000))) + b"\x00" + code
    return locals_ + code + b"\x0b"


def guests(rng: random.Random) -> None:
    """A run in a child process: its outcome is one of those that limits explain, and memory stays within the bound."""
    engine = EngineChoice.EMBEDDED if rng.random() < 0.8 else EngineChoice.WASMTIME
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        request = RunRequest(
            module=hostile_module(rng),
            args=(b"guest",),
            stdout=nowhere.fileno(),
            stderr=nowhere.fileno(),
            engine=engine,
            limits=RunLimits(timeout_s=_TIMEOUT_S, max_memory=_MAX_MEMORY),
        )
        try:
            run_in_child(request, lambda: _quietly(nowhere.fileno(), request))
        except Wasm2OciError as error:
            if "without a message" in error.message:
                raise AssertionError(error.message) from error
    if sys.platform == "linux":
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        assert peak < own + _MAX_MEMORY + _ALLOWANCE, f"{peak >> 20} MiB"


def _quietly(nowhere: int, request: RunRequest) -> RunOutcome:
    os.dup2(nowhere, 2)  # an engine that is refused memory says so at length before it aborts
    return run(request)
