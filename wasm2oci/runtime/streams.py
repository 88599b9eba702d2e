"""From a request's descriptors, bytes and functions to the streams of a WASI context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.runtime.request import DirectoryError
from wasm2oci.wasi.binding import bind
from wasm2oci.wasi.context import SystemClock, WasiContext
from wasm2oci.wasi.state import PreopenError, Wasi
from wasm2oci.wasi.streams import sink_of, source_of
from wasm2oci.wasi.trace import LineTracer
from wasm2oci.wasi.waiting import SystemWaiter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.runtime.request import RunRequest
    from wasm2oci.wasi.binding import Call
    from wasm2oci.wasi.functions import WasiFunction
    from wasm2oci.wasi.waiting import Interrupt

__all__ = ["bound_calls", "open_wasi"]


def open_wasi(request: RunRequest, interrupt: Interrupt) -> Wasi:
    """The WASI state of one run.

    Raises:
        DirectoryError: a directory cannot be opened.
    """
    context = WasiContext(
        args=request.args,
        environment=request.environment,
        preopens=request.preopens,
        listeners=request.listeners,
        stdin=source_of(request.stdin),
        stdout=sink_of(request.stdout),
        stderr=sink_of(request.stderr),
        clock=request.clock or SystemClock(),
        waiter=SystemWaiter(interrupt),
        random=request.random,
        network=request.network,
    )
    try:
        return Wasi(context)
    except PreopenError as error:
        raise DirectoryError(error.preopen.host, error.reason) from error


def bound_calls(wasi: Wasi, request: RunRequest, functions: Iterable[WasiFunction]) -> dict[str, Call]:
    """The functions of a table, traced where a trace is wanted."""
    return bind(wasi, None if request.trace is None else LineTracer(request.trace), functions)
