"""The state of one run of WASI 0.3: that of 0.2, and what the engine provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import ClockId, Errno
from wasm2oci.wasi.calls.descriptors import MAX_TRANSFER
from wasm2oci.wasi.preview2.streams import Pollable
from wasm2oci.wasi.preview3.files import Preview3Descriptor, instant
from wasm2oci.wasi.preview3.pumps import given, read_all, taken, write_all

if TYPE_CHECKING:
    from collections.abc import Generator

    from wasm2oci.wasi.preview2.state import Preview2
    from wasm2oci.wasi.preview2.streams import StreamOutput
    from wasm2oci.wasi.preview3.guests import Channel, Guests

__all__ = ["Preview3"]

_CLI_CODES: Final = {Errno.ILSEQ: "illegal-byte-sequence", Errno.PIPE: "pipe"}


def _cli_case(errno: Errno) -> tuple[str, None]:
    """How wasi:cli calls an error."""
    return _CLI_CODES.get(errno, "io"), None


class Preview3:
    """The state of one run.

    Args:
        before: that of WASI 0.2.
        guests: the engine.

    Attributes:
        seed: what `get-insecure-seed` gives, always the same.
    """

    def __init__(self, before: Preview2, guests: Guests) -> None:
        self.before = before
        self.context = before.context
        self.seed = before.random_u64(), before.random_u64()
        self.guests = guests

    # --- cli --------------------------------------------------------------------------------------------------------

    def read_stdin(self) -> tuple[Channel, Channel]:
        """`read-via-stream` of standard input."""
        source = self.before.stdin()
        return given(self.guests, lambda stream: read_all(source, stream), _cli_case)

    def write_stdout(self, data: Channel) -> Channel:
        """`write-via-stream` of standard output."""
        return self._write(self.before.stdout(), data)

    def write_stderr(self, data: Channel) -> Channel:
        """`write-via-stream` of standard error."""
        return self._write(self.before.stderr(), data)

    def _write(self, target: StreamOutput, data: Channel) -> Channel:
        return taken(self.guests, data, lambda stream: write_all(target, stream), _cli_case)

    # --- random -----------------------------------------------------------------------------------------------------

    def random(self, most: int) -> bytes:
        """`get-random-bytes`: at most as many at once as memory is reserved for."""
        return self.context.random(min(most, MAX_TRANSFER))

    # --- clocks -----------------------------------------------------------------------------------------------------

    def resolution(self, clock: ClockId) -> int:
        """`get-resolution`."""
        return self.context.clock.resolution(clock)

    def system_time(self) -> dict[str, int]:
        """`system-clock.now`."""
        return instant(self.context.clock.now(ClockId.REALTIME))

    def wait_until(self, when: int) -> Generator[Pollable, None, None]:
        """`wait-until`: over at once for a time that has passed."""
        if self.before.monotonic() < when:
            yield Pollable(deadline=when)

    def wait_for(self, how_long: int) -> Generator[Pollable, None, None]:
        """`wait-for`."""
        return self.wait_until(self.before.monotonic() + how_long)

    # --- filesystem -------------------------------------------------------------------------------------------------

    def directories(self) -> list[tuple[Any, str]]:
        """`get-directories`."""
        return [
            (Preview3Descriptor(self.before.wasi, number, self.guests, kept=True), preopen.guest)
            for number, preopen in enumerate(self.context.preopens, 3)
        ]
