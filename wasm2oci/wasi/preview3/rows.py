"""A row of the table of WASI 0.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.wasi.preview3.signatures import written_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.preview3.state import Preview3

__all__ = ["Preview3Function", "row"]


class Preview3Function(NamedTuple):
    """A function.

    Attributes:
        interface: without its version: `wasi:clocks/monotonic-clock`.
        name: as it is imported: `wait-until`.
        signature: its type as text, names of types written out.
        bind: makes the worker for one run; it gives a value, or a generator that returns one.
    """

    interface: str
    name: str
    signature: str
    bind: Callable[[Preview3], Callable[..., Any]]


def row(interface: str, name: str, signature: str, bind: Callable[[Preview3], Callable[..., Any]]) -> Preview3Function:
    """A function of an interface of `wasi:`."""
    return Preview3Function(f"wasi:{interface}", name, written_out(signature), bind)
