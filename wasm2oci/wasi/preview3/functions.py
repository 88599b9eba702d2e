"""THE TABLE: the functions of WASI 0.3 that are offered; a row for each, with its type as text and its worker.

Interfaces go by their name without the version: any 0.3.x is served, since later ones only add functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import ClockId
from wasm2oci.wasi.endings import ProcExit
from wasm2oci.wasi.preview3.files import METHODS, STREAMS, Preview3Descriptor, filesystem, in_directory
from wasm2oci.wasi.preview3.rows import row
from wasm2oci.wasi.preview3.sockets import SOCKET_FUNCTIONS, SOCKET_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.preview3.rows import Preview3Function

__all__ = ["FUNCTIONS", "RESOURCES"]


def _exit(code: int) -> None:
    raise ProcExit(code)


def _method(name: str, signature: str, worker: Callable[..., Any]) -> Preview3Function:
    comma = "" if signature.startswith(")") else ", "
    text = f"async (self: borrow<descriptor>{comma}{signature}, $error-code>"
    call = filesystem(in_directory(worker) if name.endswith("-at") else worker)
    return row("filesystem/types", f"[method]descriptor.{name}", text, lambda _: call)


def _streaming(name: str, signature: str, worker: Callable[..., Any]) -> Preview3Function:
    text = f"(self: borrow<descriptor>{signature}"
    return row("filesystem/types", f"[method]descriptor.{name}", text, lambda _: worker)


_WRITE: Final = "(data: stream<u8>) -> future<result<_, $cli-error>>"

FUNCTIONS: Final[tuple[Preview3Function, ...]] = (
    # wasi:cli
    row("cli/environment", "get-environment", "() -> list<tuple<string, string>>", lambda s: s.before.environment),
    row("cli/environment", "get-arguments", "() -> list<string>", lambda s: s.before.arguments),
    row("cli/environment", "get-initial-cwd", "() -> option<string>", lambda _: lambda: ("none", None)),
    row("cli/exit", "exit", "(status: result<_, _>)", lambda _: lambda status: _exit(int(status[0] == "error"))),
    row("cli/exit", "exit-with-code", "(status-code: u8)", lambda _: _exit),
    row(
        "cli/stdin",
        "read-via-stream",
        "() -> tuple<stream<u8>, future<result<_, $cli-error>>>",
        lambda state: state.read_stdin,
    ),
    row("cli/stdout", "write-via-stream", _WRITE, lambda state: state.write_stdout),
    row("cli/stderr", "write-via-stream", _WRITE, lambda state: state.write_stderr),
    row(
        "cli/terminal-stdin",
        "get-terminal-stdin",
        "() -> option<own<terminal-input>>",
        lambda state: lambda: state.before.terminal(0),
    ),
    row(
        "cli/terminal-stdout",
        "get-terminal-stdout",
        "() -> option<own<terminal-output>>",
        lambda state: lambda: state.before.terminal(1),
    ),
    row(
        "cli/terminal-stderr",
        "get-terminal-stderr",
        "() -> option<own<terminal-output>>",
        lambda state: lambda: state.before.terminal(2),
    ),
    # wasi:clocks
    row("clocks/monotonic-clock", "now", "() -> u64", lambda state: state.before.monotonic),
    row(
        "clocks/monotonic-clock",
        "get-resolution",
        "() -> u64",
        lambda state: lambda: state.resolution(ClockId.MONOTONIC),
    ),
    row("clocks/monotonic-clock", "wait-until", "async (when: u64)", lambda state: state.wait_until),
    row("clocks/monotonic-clock", "wait-for", "async (how-long: u64)", lambda state: state.wait_for),
    row("clocks/system-clock", "now", "() -> $instant", lambda state: state.system_time),
    row(
        "clocks/system-clock",
        "get-resolution",
        "() -> u64",
        lambda state: lambda: state.resolution(ClockId.REALTIME),
    ),
    # wasi:random
    row("random/random", "get-random-bytes", "(max-len: u64) -> list<u8>", lambda state: state.random),
    row("random/random", "get-random-u64", "() -> u64", lambda state: state.before.random_u64),
    row("random/insecure", "get-insecure-random-bytes", "(max-len: u64) -> list<u8>", lambda state: state.random),
    row("random/insecure", "get-insecure-random-u64", "() -> u64", lambda state: state.before.random_u64),
    row(
        "random/insecure-seed",
        "get-insecure-seed",
        "() -> tuple<u64, u64>",
        lambda state: lambda: state.seed,
    ),
    # wasi:filesystem
    row(
        "filesystem/preopens",
        "get-directories",
        "() -> list<tuple<own<descriptor>, string>>",
        lambda state: state.directories,
    ),
    *[_method(name, signature, worker) for name, (signature, worker) in METHODS.items()],
    *[_streaming(name, signature, worker) for name, (signature, worker) in STREAMS.items()],
    row(
        "filesystem/types",
        "[method]descriptor.is-same-object",
        "async (self: borrow<descriptor>, other: borrow<descriptor>) -> bool",
        lambda _: Preview3Descriptor.is_same_object,
    ),
    *SOCKET_FUNCTIONS,
)


RESOURCES: Final = {
    "wasi:cli/terminal-input": ("terminal-input",),
    "wasi:cli/terminal-output": ("terminal-output",),
    "wasi:filesystem/types": ("descriptor",),
    **SOCKET_RESOURCES,
}
"""The resource types of each interface."""
