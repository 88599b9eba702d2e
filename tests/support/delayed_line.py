"""A line with a round-trip time: a TCP relay on loopback that holds back everything by half of it, both ways.

Opening a connection costs one round trip too: the first bytes of a client are held back by it. Bandwidth is not
limited unless `bytes_per_second` says so, which then holds for each direction of each connection by itself.

`line_process` runs the relay in a process of its own, so that it takes no time of what is measured here:
`python -m tests.support.delayed_line PORT SECONDS BYTES_PER_SECOND`, which prints its address.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.data import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DelayedLine", "delayed_line", "line_process"]

_PIECE = 64 * 1024


class DelayedLine:
    """The relay.

    Args:
        port: on loopback, where the server listens.
        round_trip: seconds.
        bytes_per_second: of each direction of each connection; None: as fast as loopback is.

    Attributes:
        address: `127.0.0.1:PORT`, where the relay listens.
        connections: that were opened so far.
    """

    def __init__(self, port: int, round_trip: float, bytes_per_second: float | None = None) -> None:
        self.port = port
        self.round_trip = round_trip
        self.bytes_per_second = bytes_per_second
        self.address = ""
        self.connections = 0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Relay until `stop` is set."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        async with server:
            await stop.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(OSError, asyncio.CancelledError):  # either side may go away, or the block ends
            await asyncio.gather(
                self._relay(reader, back, self.round_trip),
                self._relay(there, writer, 0.0),
            )
        for one in (writer, back):
            one.close()

    async def _relay(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, opening: float) -> None:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

        async def receive() -> None:
            free = loop.time() + opening
            while True:
                try:
                    piece = await source.read(_PIECE)
                except ConnectionError:
                    piece = b""
                free = max(free, loop.time())
                if self.bytes_per_second is not None:
                    free += len(piece) / self.bytes_per_second
                await pieces.put((free + self.round_trip / 2, piece))
                if not piece:
                    return

        async def deliver() -> None:
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not piece:
                    if sink.can_write_eof():
                        sink.write_eof()
                    return
                sink.write(piece)
                await sink.drain()

        await asyncio.gather(receive(), deliver())


@contextmanager
def delayed_line(port: int, round_trip: float, bytes_per_second: float | None = None) -> Iterator[DelayedLine]:
    """Run a relay in front of a server on loopback while the block lasts."""
    line = DelayedLine(port, round_trip, bytes_per_second)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(line.serve(ready, stop))
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def line_process(port: int, round_trip: float, bytes_per_second: float) -> Iterator[str]:
    """Run a relay in a process of its own while the block lasts; the address where it listens."""
    command = [sys.executable, "-m", "tests.support.delayed_line", str(port), str(round_trip), str(bytes_per_second)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _main() -> None:
    port, round_trip, bytes_per_second = sys.argv[1:]
    with delayed_line(int(port), float(round_trip), float(bytes_per_second)) as line:
        print(line.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main()
