"""The state of one run of WASI 0.2, and what its functions do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from wasm2oci.wasi.abi import ClockId
from wasm2oci.wasi.calls.descriptors import MAX_TRANSFER
from wasm2oci.wasi.preview2 import streams
from wasm2oci.wasi.preview2.bell import Bell
from wasm2oci.wasi.preview2.files import Preview2Descriptor
from wasm2oci.wasi.preview2.http.state import HttpState
from wasm2oci.wasi.preview2.streams import StreamInput, StreamOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.wasi.preview2.streams import Pollable
    from wasm2oci.wasi.state import Wasi

__all__ = ["Preview2", "datetime"]


class Preview2:
    """The state of one run. A context manager: it holds descriptors.

    Args:
        wasi: descriptors, clocks, streams: the state of preview 1.

    Attributes:
        bell: what other threads wake the guest by.
        http: its requests and responses.
    """

    def __init__(self, wasi: Wasi) -> None:
        self.wasi = wasi
        self.context = wasi.context
        self.bell = Bell()
        self.http = HttpState(self.context, self.bell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.http.close()
        self.bell.close()

    # --- cli --------------------------------------------------------------------------------------------------------

    def environment(self) -> list[tuple[str, str]]:
        """`get-environment`."""
        return [(_text(name), _text(value)) for name, value in self.context.environment]

    def arguments(self) -> list[str]:
        """`get-arguments`."""
        return [_text(argument) for argument in self.context.args]

    def stdin(self) -> StreamInput:
        """`get-stdin`."""
        return StreamInput(self.context.stdin, self.context.waiter)

    def stdout(self) -> StreamOutput:
        """`get-stdout`."""
        return StreamOutput(self.context.stdout, self.context.waiter)

    def stderr(self) -> StreamOutput:
        """`get-stderr`."""
        return StreamOutput(self.context.stderr, self.context.waiter)

    def terminal(self, number: int) -> tuple[str, Any]:
        """`get-terminal-stdin` and the like."""
        stream = (self.context.stdin, self.context.stdout, self.context.stderr)[number]
        return ("some", object()) if stream.file_type().name == "CHARACTER_DEVICE" else ("none", None)

    # --- clocks and waiting -----------------------------------------------------------------------------------------

    def monotonic(self) -> int:
        """`monotonic-clock.now`."""
        return self.context.clock.now(ClockId.MONOTONIC)

    def wall(self) -> dict[str, int]:
        """`wall-clock.now`."""
        return datetime(self.context.clock.now(ClockId.REALTIME))

    def poll(self, pollables: Sequence[Pollable]) -> list[int]:
        """`poll`."""
        return self.wait(pollables, block=True)

    def wait(self, pollables: Sequence[Pollable], *, block: bool) -> list[int]:
        """The places of those that are ready."""
        return streams.poll(pollables, self.context.waiter, self.monotonic, self.bell, block=block)

    def ready(self, pollable: Pollable) -> bool:
        """`pollable.ready`."""
        return bool(self.wait([pollable], block=False))

    def block(self, pollable: Pollable) -> None:
        """`pollable.block`."""
        self.poll([pollable])

    # --- others -----------------------------------------------------------------------------------------------------

    def random(self, size: int) -> bytes:
        """`get-random-bytes`."""
        if size > MAX_TRANSFER:
            raise MemoryError
        return self.context.random(size)

    def random_u64(self) -> int:
        """`get-random-u64`."""
        return int.from_bytes(self.context.random(8), "little")

    def directories(self) -> list[tuple[Preview2Descriptor, str]]:
        """`get-directories`."""
        return [
            (Preview2Descriptor(self.wasi, number, kept=True), preopen.guest)
            for number, preopen in enumerate(self.context.preopens, 3)
        ]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def datetime(nanoseconds: int) -> dict[str, int]:
    """A time as a record."""
    return {"seconds": nanoseconds // 10**9, "nanoseconds": nanoseconds % 10**9}
