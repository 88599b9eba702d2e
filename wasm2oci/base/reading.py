"""Files read whole, in bounded memory: those that a user names, and those that are found in a usual place.

A user may name a pipe (`--key <(pass show key)`), and then its writer is waited for. A file that is found has to be a
regular one: a pipe in a usual place would make the command wait for ever.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import ReadableFile, local_errors
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_found", "read_limited", "read_named"]

_PIECE: Final = 1 << 20


def read_named(path: Path, most: int) -> bytes | None:
    """All bytes of a file, a pipe or a device that the user named; None when there are more than `most`.

    Raises:
        FileNotThereError: there is no such file.
        LocalIOError: it cannot be read.
    """
    with local_errors(path), path.open("rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None


def read_limited(path: Path, most: int) -> bytes:
    """What `read_named` gives, where no other words are needed for a file that is too large.

    Raises:
        UsageError: there are more than `most` bytes.
        FileNotThereError, LocalIOError: see `read_named`.
    """
    data = read_named(path, most)
    if data is None:
        raise UsageError(f"{path} is larger than {most:,} bytes")
    return data


def read_found(path: Path, most: int) -> bytes | None:
    """All bytes of a regular file; None when it has more than `most`.

    Raises:
        FileNotThereError: there is no such file.
        LocalIOError: it is something else, or cannot be read.
    """
    with local_errors(path), closing(ReadableFile(path)) as file:
        data = bytearray()
        for piece in file.chunks(min(_PIECE, most + 1)):
            data += piece
            if len(data) > most:
                return None
    return bytes(data)
