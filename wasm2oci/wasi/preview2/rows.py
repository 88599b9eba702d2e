"""A row of the table of WASI 0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.wasi.preview2.signatures import written_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.preview2.state import Preview2

__all__ = ["Preview2Function", "row"]


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


def row(interface: str, name: str, signature: str, bind: Callable[[Preview2], Callable[..., Any]]) -> Preview2Function:
    """A function of an interface of `wasi:`."""
    return Preview2Function(f"wasi:{interface}", name, written_out(signature), bind)
