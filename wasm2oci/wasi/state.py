"""One run's state: its context and its open descriptors."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from wasm2oci.wasi.descriptor_table import DescriptorTable, listening_socket, open_preopen, standard_stream

if TYPE_CHECKING:
    from types import TracebackType

    from wasm2oci.wasi.context import Preopen, WasiContext

__all__ = ["PreopenError", "Wasi"]


class PreopenError(Exception):
    """A directory of the context cannot be opened.

    Args:
        preopen: which.
        reason: the host's message.
    """

    def __init__(self, preopen: Preopen, reason: str) -> None:
        super().__init__(f"{preopen.host}: {reason}")
        self.preopen = preopen
        self.reason = reason


class Wasi:
    """The state the calls share. Use as a context manager: it holds descriptors of the host.

    Args:
        context: what the guest is given.

    Raises:
        PreopenError: a preopened directory cannot be opened.
    """

    __slots__ = ("context", "table")

    def __init__(self, context: WasiContext) -> None:
        self.context = context
        self.table = DescriptorTable()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.table.add(standard_stream(context.stdin, None))
            self.table.add(standard_stream(None, context.stdout))
            self.table.add(standard_stream(None, context.stderr))
            for preopen in context.preopens:
                try:
                    self.table.add(open_preopen(preopen))
                except OSError as error:
                    raise PreopenError(preopen, error.strerror or str(error)) from error
            for fd in context.listeners:
                self.table.add(listening_socket(fd))
            undo.pop_all()

    def close(self) -> None:
        """Close every descriptor the guest left open."""
        self.table.close_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
