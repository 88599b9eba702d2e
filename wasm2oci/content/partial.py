"""The beginnings of blobs whose download was broken off, so that the next process goes on where this one was.

    FOLDER/partial/ALGORITHM/ENCODED.SHA256      the first bytes of the blob, and the SHA-256 of just these

A beginning is hashed before it is used, so that one that was damaged is removed and not blamed on
the registry. The whole blob is verified as usual. Beginnings count for the limit of the cache that they are in.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import ReadableFile, is_linked, make_folder
from wasm2oci.base.folders import list_files
from wasm2oci.content.verify import CHUNK
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wasm2oci.base.files import NewFile
    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["Beginning", "drop_beginnings", "find_beginning", "keep_beginning"]

_WORTH: Final = 1 << 20
"""Bytes of a beginning that are worth keeping."""


class Beginning:
    """The first bytes of a blob.

    Args:
        file: that holds them.
        size: how many there are.
    """

    def __init__(self, file: ReadableFile, size: int) -> None:
        self._file = file
        self.size = size

    def followed_by(self, rest: Content) -> Iterator[bytes]:
        """These bytes, and then the rest."""
        yield from self._file.chunks(CHUNK)
        yield from rest


def keep_beginning(folder: Path, descriptor: Descriptor, file: NewFile) -> None:
    """Keep what was written of a blob when its download was broken off, or remove it; nothing is raised.

    Args:
        folder: of the cache.
        descriptor: of the blob.
        file: with its first bytes.
    """
    if file.written < _WORTH or file.written >= descriptor.size:
        file.discard()
        return
    hasher = hashlib.sha256()
    path = _folder(folder, descriptor)
    try:
        for piece in file.read_back():
            hasher.update(piece)
        for made in (path.parent, path):
            make_folder(made, 0o700)
    except (OSError, LocalIOError):
        file.discard()
        return
    if is_linked(folder, path):
        file.discard()
    else:
        file.set_aside(path / f"{descriptor.digest.encoded}.{hasher.hexdigest()}")


def find_beginning(folder: Path, descriptor: Descriptor) -> Beginning | None:
    """The longest beginning of a blob that is kept, its bytes checked; damaged ones are removed."""
    for path in sorted(_paths(folder, descriptor), key=_size, reverse=True):
        if is_linked(folder, path):
            continue
        with suppress(OSError, LocalIOError):
            file = ReadableFile(path, follow=False)
            hasher, size = hashlib.sha256(), 0
            for chunk in file.chunks(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
            if hasher.hexdigest() == path.name.rpartition(".")[2] and size < descriptor.size:
                return Beginning(file, size)
            file.close()
            path.unlink()
    return None


def drop_beginnings(folder: Path, descriptor: Descriptor) -> None:
    """Remove every beginning of a blob; nothing is raised."""
    for path in _paths(folder, descriptor):
        with suppress(OSError):
            path.unlink()


def _folder(folder: Path, descriptor: Descriptor) -> Path:
    return folder / "partial" / descriptor.digest.algorithm


def _paths(folder: Path, descriptor: Descriptor) -> list[Path]:
    return list_files(_folder(folder, descriptor), f"{descriptor.digest.encoded}.*")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
