"""The streams of a guest, and the lines of its trace, from those of the command line."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.cli.output import Output

__all__ = ["STDERR", "sink_of", "source_of", "trace_lines"]

STDERR: Final = "-"
"""What `--trace` means by standard error."""


@contextlib.contextmanager
def trace_lines(target: str | None, output: Output) -> Iterator[Callable[[str], object] | None]:
    """What takes the lines of a trace, if one is wanted."""
    if target is None:
        yield None
    elif target == STDERR:

        def write(line: str) -> None:
            output.stderr.write(line)
            output.stderr.flush()

        yield write
    else:
        try:
            file = Path(target).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed below
        except OSError as error:
            raise LocalIOError(f"{target}: {error.strerror}") from error
        with file:
            yield file.write


def source_of(stream: BinaryIO) -> int | bytes:
    """The descriptor of an input; of one in memory its bytes."""
    try:
        return stream.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return stream.read()


def sink_of(stream: Any) -> int | Callable[[bytes], object]:
    """The descriptor of an output; of one in memory what takes bytes."""
    try:
        number: int = stream.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return stream.write  # type: ignore[no-any-return]
    return number
