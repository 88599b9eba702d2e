"""THE TABLE: the functions of WASI 0.2 that are offered; a row for each, with its type as text and its worker.

Interfaces go by their name without the version: any 0.2.x is served, since later ones only add functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import ClockId
from wasm2oci.wasi.endings import ProcExit
from wasm2oci.wasi.preview2 import files, streams
from wasm2oci.wasi.preview2.codes import filesystem
from wasm2oci.wasi.preview2.files import METHODS, Preview2Descriptor
from wasm2oci.wasi.preview2.http.functions import HTTP_FUNCTIONS, HTTP_RESOURCES
from wasm2oci.wasi.preview2.rows import row
from wasm2oci.wasi.preview2.sockets import SOCKET_FUNCTIONS, SOCKET_RESOURCES
from wasm2oci.wasi.preview2.state import datetime
from wasm2oci.wasi.preview2.streams import IoError, Pollable, streaming

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.preview2.rows import Preview2Function

__all__ = ["FUNCTIONS", "RESOURCES"]


def _exit(code: int) -> None:
    raise ProcExit(code)


def _stream(resource: str, name: str, signature: str, worker: Callable[..., Any]) -> Preview2Function:
    """A method of a stream that may fail: the type after `self` and before the error."""
    comma = "" if signature.startswith(")") else ", "
    text = f"(self: borrow<{resource}>{comma}{signature}, $stream-error>"
    call = streaming(worker)
    return row("io/streams", f"[method]{resource}.{name}", text, lambda _: call)


def _method(name: str, signature: str, worker: Callable[..., Any]) -> Preview2Function:
    comma = "" if signature.startswith(")") else ", "
    text = f"(self: borrow<descriptor>{comma}{signature}, $error-code>"
    call = filesystem(worker)
    return row("filesystem/types", f"[method]descriptor.{name}", text, lambda _: call)


_OUT: Final = "output-stream"

FUNCTIONS: Final[tuple[Preview2Function, ...]] = (
    # wasi:io
    row("io/error", "[method]error.to-debug-string", "(self: borrow<error>) -> string", lambda _: IoError.debug),
    row("io/poll", "[method]pollable.ready", "(self: borrow<pollable>) -> bool", lambda state: state.ready),
    row(
        "io/poll",
        "[method]pollable.block",
        "(self: borrow<pollable>)",
        lambda state: state.block,
    ),
    row("io/poll", "poll", "(in: list<borrow<pollable>>) -> list<u32>", lambda state: state.poll),
    _stream("input-stream", "read", "len: u64) -> result<list<u8>", streams.read),
    _stream("input-stream", "blocking-read", "len: u64) -> result<list<u8>", streams.blocking_read),
    _stream("input-stream", "skip", "len: u64) -> result<u64", streams.skip),
    _stream("input-stream", "blocking-skip", "len: u64) -> result<u64", streams.blocking_skip),
    row(
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
    row(
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
    row("cli/environment", "get-environment", "() -> list<tuple<string, string>>", lambda state: state.environment),
    row("cli/environment", "get-arguments", "() -> list<string>", lambda state: state.arguments),
    row("cli/environment", "initial-cwd", "() -> option<string>", lambda _: lambda: ("none", None)),
    row("cli/exit", "exit", "(status: result<_, _>)", lambda _: lambda status: _exit(int(status[0] == "error"))),
    row("cli/exit", "exit-with-code", "(status-code: u8)", lambda _: _exit),
    row("cli/stdin", "get-stdin", "() -> own<input-stream>", lambda state: state.stdin),
    row("cli/stdout", "get-stdout", "() -> own<output-stream>", lambda state: state.stdout),
    row("cli/stderr", "get-stderr", "() -> own<output-stream>", lambda state: state.stderr),
    row(
        "cli/terminal-stdin",
        "get-terminal-stdin",
        "() -> option<own<terminal-input>>",
        lambda state: lambda: state.terminal(0),
    ),
    row(
        "cli/terminal-stdout",
        "get-terminal-stdout",
        "() -> option<own<terminal-output>>",
        lambda state: lambda: state.terminal(1),
    ),
    row(
        "cli/terminal-stderr",
        "get-terminal-stderr",
        "() -> option<own<terminal-output>>",
        lambda state: lambda: state.terminal(2),
    ),
    # wasi:clocks
    row("clocks/monotonic-clock", "now", "() -> u64", lambda state: state.monotonic),
    row(
        "clocks/monotonic-clock",
        "resolution",
        "() -> u64",
        lambda state: lambda: state.context.clock.resolution(ClockId.MONOTONIC),
    ),
    row(
        "clocks/monotonic-clock",
        "subscribe-instant",
        "(when: u64) -> own<pollable>",
        lambda _: lambda when: Pollable(deadline=when),
    ),
    row(
        "clocks/monotonic-clock",
        "subscribe-duration",
        "(when: u64) -> own<pollable>",
        lambda state: lambda when: Pollable(deadline=state.monotonic() + when),
    ),
    row("clocks/wall-clock", "now", "() -> $datetime", lambda state: state.wall),
    row(
        "clocks/wall-clock",
        "resolution",
        "() -> $datetime",
        lambda state: lambda: datetime(state.context.clock.resolution(ClockId.REALTIME)),
    ),
    # wasi:random
    row("random/random", "get-random-bytes", "(len: u64) -> list<u8>", lambda state: state.random),
    row("random/random", "get-random-u64", "() -> u64", lambda state: state.random_u64),
    row("random/insecure", "get-insecure-random-bytes", "(len: u64) -> list<u8>", lambda state: state.random),
    row("random/insecure", "get-insecure-random-u64", "() -> u64", lambda state: state.random_u64),
    row(
        "random/insecure-seed",
        "insecure-seed",
        "() -> tuple<u64, u64>",
        lambda state: lambda: (state.random_u64(), state.random_u64()),
    ),
    # wasi:filesystem
    row(
        "filesystem/preopens",
        "get-directories",
        "() -> list<tuple<own<descriptor>, string>>",
        lambda state: state.directories,
    ),
    *[_method(name, signature, worker) for name, (signature, worker) in METHODS.items()],
    row(
        "filesystem/types",
        "[method]descriptor.is-same-object",
        "(self: borrow<descriptor>, other: borrow<descriptor>) -> bool",
        lambda _: Preview2Descriptor.is_same_object,
    ),
    row(
        "filesystem/types",
        "[method]directory-entry-stream.read-directory-entry",
        "(self: borrow<directory-entry-stream>) -> result<option<$directory-entry>, $error-code>",
        lambda _: filesystem(files.next_entry),
    ),
    row(
        "filesystem/types",
        "filesystem-error-code",
        "(err: borrow<error>) -> option<$error-code>",
        lambda _: files.code_of,
    ),
    *HTTP_FUNCTIONS,
    *SOCKET_FUNCTIONS,
)


RESOURCES: Final = {
    "wasi:io/error": ("error",),
    "wasi:io/poll": ("pollable",),
    "wasi:io/streams": ("input-stream", "output-stream"),
    "wasi:cli/terminal-input": ("terminal-input",),
    "wasi:cli/terminal-output": ("terminal-output",),
    "wasi:filesystem/types": ("descriptor", "directory-entry-stream"),
    **HTTP_RESOURCES,
    **SOCKET_RESOURCES,
}
"""The resource types of each interface."""
