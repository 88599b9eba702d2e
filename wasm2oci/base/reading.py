"""Files read whole, in bounded memory: those that a user names, and those that are found in a usual place.

A user may name a pipe (`--key <(pass show key)`), and then its writer is waited for. A file that is found has to be a
regular one: a pipe in a usual place would make the command wait for ever.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, Final

from wasm2oci.base.files import FileNotThereError, ReadableFile, local_errors
from wasm2oci.errors import LocalIOError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wasm2oci.errors import Wasm2OciError

__all__ = ["read_found", "read_named", "read_stream"]

_PIECE: Final = 1 << 20


def read_named(path: Path, most: int, too_large: Callable[[str], Wasm2OciError] = UsageError) -> bytes:
    """All bytes of a file, a pipe or a device that the user named.

    Args:
        path: of the file.
        most: how many bytes there may be.
        too_large: makes the error for more from its message.

    Raises:
        FileNotThereError: there is no such file.
        LocalIOError: it cannot be read.
    """
    with local_errors(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = read_stream(file, most, expected=size) if size <= most else None
    if data is None:
        raise too_large(f"{path} is larger than {most:,} bytes")
    return data


def read_stream(file: BinaryIO, most: int, expected: int = 0) -> bytes | None:
    """All bytes that are left in a buffered stream; None when there are more than `most`.

    `file.read(most + 1)` would ask for that much memory at once, however little there is to read.

    Args:
        file: where they come from.
        most: how many there may be.
        expected: how many there seem to be; all of them are then read at once.

    Raises:
        OSError: it cannot be read.
    """
    pieces: list[bytes] = []
    room = most + 1
    size = max(expected + 1, _PIECE)
    while room > 0:
        size = min(size, room)
        piece = file.read(size)
        pieces.append(piece)
        room -= len(piece)
        if len(piece) < size:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        size *= 2
    return None


def read_found(path: Path, most: int, too_large: Callable[[str], Wasm2OciError] = UsageError) -> bytes:
    """All bytes of a regular file. Arguments as for `read_named`.

    Raises:
        FileNotThereError: there is no such file, or a file where a folder on the way to it should be.
        LocalIOError: it is something else, or cannot be read.
    """
    data = bytearray()
    try:
        with local_errors(path), closing(ReadableFile(path)) as file:
            for piece in file.chunks(min(_PIECE, most + 1)):
                data += piece
                if len(data) > most:
                    raise too_large(f"{path} is larger than {most:,} bytes")
    except LocalIOError as error:
        if isinstance(error.__cause__, NotADirectoryError):  # such as HOME=/dev/null
            raise FileNotThereError(error.message) from error
        raise
    return bytes(data)
