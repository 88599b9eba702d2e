"""THE TABLE: the functions of WASI 0.2 that are offered; a row for each, with its type as text and its worker.

Interfaces go by their name without the version: any 0.2.x is served, since later ones only add functions. What is not
here (wasi:http, wasi:sockets) is not offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.wasi.abi import ClockId
from wasm2oci.wasi.calls.descriptors import MAX_TRANSFER
from wasm2oci.wasi.endings import ProcExit
from wasm2oci.wasi.preview2 import files, streams
from wasm2oci.wasi.preview2.codes import filesystem
from wasm2oci.wasi.preview2.files import METHODS, Preview2Descriptor
from wasm2oci.wasi.preview2.signatures import written_out
from wasm2oci.wasi.preview2.streams import IoError, Pollable, StreamInput, StreamOutput, streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wasm2oci.wasi.state import Wasi

__all__ = ["FUNCTIONS", "RESOURCES", "Preview2", "Preview2Function"]


class Preview2:
    """The state of one run.

    Args:
        wasi: descriptors, clocks, streams: the state of preview 1.
    """

    def __init__(self, wasi: Wasi) -> None:
        self.wasi = wasi
        self.context = wasi.context

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
        return _datetime(self.context.clock.now(ClockId.REALTIME))

    def poll(self, pollables: Sequence[Pollable]) -> list[int]:
        """`poll`."""
        return streams.poll(pollables, self.context.waiter, self.monotonic)

    def ready(self, pollable: Pollable) -> bool:
        """`pollable.ready`."""
        return bool(streams.poll([pollable], self.context.waiter, self.monotonic, block=False))

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


def _datetime(nanoseconds: int) -> dict[str, int]:
    return {"seconds": nanoseconds // 10**9, "nanoseconds": nanoseconds % 10**9}


def _exit(code: int) -> None:
    raise ProcExit(code)


class Preview2Function(NamedTuple):
    """A function.

    Attributes:
        interface: without its version: `wasi:io/streams`.
        name: as it is imported: `[method]input-stream.read`.
        signature: its type as text, names of types written out.
        bind: makes the worker for one run.
    """

    interface: str
    name: str
    signature: str
    bind: Callable[[Preview2], Callable[..., Any]]


def _row(interface: str, name: str, signature: str, bind: Callable[[Preview2], Callable[..., Any]]) -> Preview2Function:
    return Preview2Function(f"wasi:{interface}", name, written_out(signature), bind)


def _stream(resource: str, name: str, signature: str, worker: Callable[..., Any]) -> Preview2Function:
    """A method of a stream that may fail: the type after `self` and before the error."""
    comma = "" if signature.startswith(")") else ", "
    text = f"(self: borrow<{resource}>{comma}{signature}, $stream-error>"
    call = streaming(worker)
    return _row("io/streams", f"[method]{resource}.{name}", text, lambda _: call)


def _method(name: str, signature: str, worker: Callable[..., Any]) -> Preview2Function:
    comma = "" if signature.startswith(")") else ", "
    text = f"(self: borrow<descriptor>{comma}{signature}, $error-code>"
    call = filesystem(worker)
    return _row("filesystem/types", f"[method]descriptor.{name}", text, lambda _: call)


_OUT: Final = "output-stream"

FUNCTIONS: Final[tuple[Preview2Function, ...]] = (
    # wasi:io
    _row("io/error", "[method]error.to-debug-string", "(self: borrow<error>) -> string", lambda _: IoError.debug),
    _row("io/poll", "[method]pollable.ready", "(self: borrow<pollable>) -> bool", lambda state: state.ready),
    _row(
        "io/poll",
        "[method]pollable.block",
        "(self: borrow<pollable>)",
        lambda state: state.block,
    ),
    _row("io/poll", "poll", "(in: list<borrow<pollable>>) -> list<u32>", lambda state: state.poll),
    _stream("input-stream", "read", "len: u64) -> result<list<u8>", streams.read),
    _stream("input-stream", "blocking-read", "len: u64) -> result<list<u8>", streams.blocking_read),
    _stream("input-stream", "skip", "len: u64) -> result<u64", streams.skip),
    _stream("input-stream", "blocking-skip", "len: u64) -> result<u64", streams.blocking_skip),
    _row(
        "io/streams",
        "[method]input-stream.subscribe",
        "(self: borrow<input-stream>) -> own<pollable>",
        lambda _: lambda stream: stream.subscribe(),
    ),
    _stream(_OUT, "check-write", ") -> result<u64", streams.check_write),
    _stream(_OUT, "write", "contents: list<u8>) -> result<_", streams.write),
    _stream(_OUT, "blocking-write-and-flush", "contents: list<u8>) -> result<_", streams.write),
    _stream(_OUT, "flush", ") -> result<_", streams.flush),
    _stream(_OUT, "blocking-flush", ") -> result<_", streams.flush),
    _row(
        "io/streams",
        "[method]output-stream.subscribe",
        "(self: borrow<output-stream>) -> own<pollable>",
        lambda _: lambda stream: stream.subscribe(),
    ),
    _stream(_OUT, "write-zeroes", "len: u64) -> result<_", streams.write_zeroes),
    _stream(_OUT, "blocking-write-zeroes-and-flush", "len: u64) -> result<_", streams.write_zeroes),
    _stream(_OUT, "splice", "src: borrow<input-stream>, len: u64) -> result<u64", streams.splice),
    _stream(_OUT, "blocking-splice", "src: borrow<input-stream>, len: u64) -> result<u64", streams.blocking_splice),
    # wasi:cli
    _row("cli/environment", "get-environment", "() -> list<tuple<string, string>>", lambda state: state.environment),
    _row("cli/environment", "get-arguments", "() -> list<string>", lambda state: state.arguments),
    _row("cli/environment", "initial-cwd", "() -> option<string>", lambda _: lambda: ("none", None)),
    _row("cli/exit", "exit", "(status: result<_, _>)", lambda _: lambda status: _exit(int(status[0] == "error"))),
    _row("cli/exit", "exit-with-code", "(status-code: u8)", lambda _: _exit),
    _row("cli/stdin", "get-stdin", "() -> own<input-stream>", lambda state: state.stdin),
    _row("cli/stdout", "get-stdout", "() -> own<output-stream>", lambda state: state.stdout),
    _row("cli/stderr", "get-stderr", "() -> own<output-stream>", lambda state: state.stderr),
    _row(
        "cli/terminal-stdin",
        "get-terminal-stdin",
        "() -> option<own<terminal-input>>",
        lambda state: lambda: state.terminal(0),
    ),
    _row(
        "cli/terminal-stdout",
        "get-terminal-stdout",
        "() -> option<own<terminal-output>>",
        lambda state: lambda: state.terminal(1),
    ),
    _row(
        "cli/terminal-stderr",
        "get-terminal-stderr",
        "() -> option<own<terminal-output>>",
        lambda state: lambda: state.terminal(2),
    ),
    # wasi:clocks
    _row("clocks/monotonic-clock", "now", "() -> u64", lambda state: state.monotonic),
    _row(
        "clocks/monotonic-clock",
        "resolution",
        "() -> u64",
        lambda state: lambda: state.context.clock.resolution(ClockId.MONOTONIC),
    ),
    _row(
        "clocks/monotonic-clock",
        "subscribe-instant",
        "(when: u64) -> own<pollable>",
        lambda _: lambda when: Pollable(deadline=when),
    ),
    _row(
        "clocks/monotonic-clock",
        "subscribe-duration",
        "(when: u64) -> own<pollable>",
        lambda state: lambda when: Pollable(deadline=state.monotonic() + when),
    ),
    _row("clocks/wall-clock", "now", "() -> $datetime", lambda state: state.wall),
    _row(
        "clocks/wall-clock",
        "resolution",
        "() -> $datetime",
        lambda state: lambda: _datetime(state.context.clock.resolution(ClockId.REALTIME)),
    ),
    # wasi:random
    _row("random/random", "get-random-bytes", "(len: u64) -> list<u8>", lambda state: state.random),
    _row("random/random", "get-random-u64", "() -> u64", lambda state: state.random_u64),
    _row("random/insecure", "get-insecure-random-bytes", "(len: u64) -> list<u8>", lambda state: state.random),
    _row("random/insecure", "get-insecure-random-u64", "() -> u64", lambda state: state.random_u64),
    _row(
        "random/insecure-seed",
        "insecure-seed",
        "() -> tuple<u64, u64>",
        lambda state: lambda: (state.random_u64(), state.random_u64()),
    ),
    # wasi:filesystem
    _row(
        "filesystem/preopens",
        "get-directories",
        "() -> list<tuple<own<descriptor>, string>>",
        lambda state: state.directories,
    ),
    *[_method(name, signature, worker) for name, (signature, worker) in METHODS.items()],
    _row(
        "filesystem/types",
        "[method]descriptor.is-same-object",
        "(self: borrow<descriptor>, other: borrow<descriptor>) -> bool",
        lambda _: Preview2Descriptor.is_same_object,
    ),
    _row(
        "filesystem/types",
        "[method]directory-entry-stream.read-directory-entry",
        "(self: borrow<directory-entry-stream>) -> result<option<$directory-entry>, $error-code>",
        lambda _: filesystem(files.next_entry),
    ),
    _row(
        "filesystem/types",
        "filesystem-error-code",
        "(err: borrow<error>) -> option<$error-code>",
        lambda _: files.code_of,
    ),
)


RESOURCES: Final = {
    "wasi:io/error": ("error",),
    "wasi:io/poll": ("pollable",),
    "wasi:io/streams": ("input-stream", "output-stream"),
    "wasi:cli/terminal-input": ("terminal-input",),
    "wasi:cli/terminal-output": ("terminal-output",),
    "wasi:filesystem/types": ("descriptor", "directory-entry-stream"),
}
"""The resource types of each interface."""
