"""A crowd of hostile clients, in a process of its own: `python -m tests.support.crowd ADDRESS IDLE KIND=COUNT...`.

Prints `ready` when all have begun, and ends when its standard input does. Kinds are the keys of `KINDS`.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["KINDS", "main"]

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_HOST: Final = b"Host: 127.0.0.1\r\n"
_LARGE: Final = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"x":"%s"}}'
)
_NESTED: Final = b'{"a":[' + b"[],{}," * 699_000 + b"0]}"


async def _answered(stream: Stream) -> None:
    """Read one response, head and body."""
    head = await stream[0].readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    if length:
        await stream[0].readexactly(int(length))


async def _ask(stream: Stream, line: bytes, fields: bytes = b"", body: bytes = b"") -> None:
    stream[1].write(line + b" HTTP/1.1\r\n" + _HOST + fields + b"\r\n" + body)
    await stream[1].drain()
    await _answered(stream)


async def _idle(stream: Stream, number: int) -> None:
    del number
    await _ask(stream, b"GET /v2/")
    await stream[0].read()


async def _slow_head(stream: Stream, number: int) -> None:
    del number
    stream[1].write(b"GET /v2/ HTTP/1.1\r\n" + _HOST + b"X: ")
    for _ in range(1000):
        stream[1].write(b"a")
        await stream[1].drain()
        await asyncio.sleep(1)


async def _blanks(stream: Stream, number: int) -> None:
    del number
    while True:
        await _ask(stream, b"GET /v2/", b"X: a" + b" " * 32_000 + b"b\r\n")


async def _uploads(stream: Stream, number: int) -> None:
    request = b"POST /v2/a%d/blobs/uploads/ HTTP/1.1\r\n" % number + _HOST + b"Content-Length: 0\r\n\r\n"
    while True:
        stream[1].write(request * 32)
        await stream[1].drain()
        for _ in range(32):
            await _answered(stream)


async def _nested(stream: Stream, number: int) -> None:
    while True:
        length = b"Content-Length: %d\r\n" % len(_NESTED)
        await _ask(stream, b"PUT /v2/a%d/manifests/v1" % number, length, _NESTED)


async def _slow_body(stream: Stream, number: int) -> None:
    head = b"PUT /v2/a%d/manifests/v1 HTTP/1.1\r\n" % number + _HOST + b"Content-Length: 4000000\r\n\r\n"
    stream[1].write(head + b" " * 3_000_000)
    for _ in range(1000):
        stream[1].write(b" " * 1024)
        await stream[1].drain()
        await asyncio.sleep(1)


async def _login(stream: Stream, number: int) -> None:
    while True:
        secret = base64.b64encode(b"user%d:wrong" % (number % 5))
        await _ask(stream, b"GET /v2/", b"Authorization: Basic " + secret + b"\r\n")


async def _page(stream: Stream, number: int) -> None:
    del number
    while True:
        for path in (b"/", b"/r/hostile", b"/r/hostile:v1", b"/r/hostile:v2", b"/v2/_catalog"):
            await _ask(stream, b"GET " + path)


async def _slow_reader(stream: Stream, number: int) -> None:
    """Asks for a large manifest, which it pushed, and takes it slowly."""
    raw = _LARGE % (b"x" * 3_900_000)
    length = b"Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: %d\r\n" % len(raw)
    if number == 0:
        await _ask(stream, b"PUT /v2/large/manifests/v1", length, raw)
    while True:
        stream[1].write(b"GET /v2/large/manifests/v1 HTTP/1.1\r\n" + _HOST + b"\r\n")
        await stream[1].drain()
        await stream[0].readexactly(10_000)
        await asyncio.sleep(1000)


KINDS: Final[dict[str, Callable[[Stream, int], Awaitable[None]]]] = {
    "idle": _idle,
    "slow-head": _slow_head,
    "blanks": _blanks,
    "uploads": _uploads,
    "nested": _nested,
    "slow-body": _slow_body,
    "login": _login,
    "page": _page,
    "slow-reader": _slow_reader,
}


async def _client(host: str, port: int, kind: str, number: int, begun: asyncio.Event) -> None:
    while True:
        with suppress(OSError, EOFError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            stream = await asyncio.open_connection(host, port)
            begun.set()
            try:
                await KINDS[kind](stream, number)
            finally:
                stream[1].close()
        await asyncio.sleep(0.05)


async def _crowd(address: str, counts: dict[str, int]) -> None:
    host, _, port = address.rpartition(":")
    tasks = []
    for kind, count in counts.items():
        for number in range(count):
            begun = asyncio.Event()
            tasks.append(asyncio.create_task(_client(host, int(port), kind, number, begun)))
            with suppress(TimeoutError):
                await asyncio.wait_for(begun.wait(), 1)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()


def main() -> None:
    """Run until standard input ends."""
    address, *counts = sys.argv[1:]
    pairs = [count.split("=") for count in counts]
    asyncio.run(_crowd(address, {kind: int(count) for kind, count in pairs}))


if __name__ == "__main__":
    main()
