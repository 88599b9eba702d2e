"""Content into a stream that cannot take bytes back: none is given out before all are verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from wasm2oci.base.outputs import spooled
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from wasm2oci.content.target import Content

__all__ = ["OutputStreamError", "deliver"]


class OutputStreamError(LocalIOError):
    """The output stream for a module or a blob cannot be written."""


def deliver(content: Content, stream: BinaryIO, what: str) -> None:
    """Write all of the content (`what`, in words); the stream gets its first byte when the last one was read.

    Raises:
        BrokenPipeError: the reader of the stream is gone.
        OutputStreamError: it does not take the content.
        Wasm2OciError: what the content raises; nothing was written.
    """
    with spooled(content) as chunks:
        try:
            stream.writelines(chunks)
            stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputStreamError(f"cannot write {what}: {error.strerror}") from error
