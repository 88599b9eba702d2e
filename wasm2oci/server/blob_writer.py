"""A blob that is being received: a file that grows between requests, and becomes a blob when all of it is there."""

from __future__ import annotations

import errno
import os
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import ReadableFile, local_errors, open_file, write_all
from wasm2oci.server.messages import FileBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wasm2oci.oci.digest import Digest
    from wasm2oci.server.messages import Buffer, ResponseBody

__all__ = ["FileWriter"]

_PIECE: Final = 1 << 20


class FileWriter:
    """A `BlobWriter` whose file is made with its first byte.

    Args:
        path: of that file.
        keep: makes it the blob of a repository, when it is whole and synced; the file then has another name.
    """

    def __init__(self, path: Path, keep: Callable[[Path, str, Digest], None]) -> None:
        self._path, self._keep = path, keep
        self._descriptor, self._size = -1, 0
        self._made = False

    @property
    def size(self) -> int:
        """Bytes that were written."""
        return self._size

    def rest(self) -> None:
        """Hold no descriptor until the next piece comes."""
        if self._descriptor >= 0:
            self._close()

    def write(self, data: Buffer) -> None:
        """Add bytes.

        Raises:
            LocalIOError: the disk is full; the file is as long as it was.
        """
        with local_errors(self._path):
            descriptor = self._open()
            try:
                write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, self._size)  # the client may go on from the last whole piece
                raise
            self._size += len(data)

    def read_back(self) -> Iterator[bytes]:
        """All bytes that were written."""
        if self._made:
            with local_errors(self._path), closing(ReadableFile(self._path)) as file:
                yield from file.chunks(_PIECE)

    def hand_out(self) -> ResponseBody:
        """All bytes that were written, as the body of an answer; the file has no name any more."""
        self.rest()
        with local_errors(self._path):
            body = FileBody(ReadableFile(self._path), 0, self._size)
        self.discard()  # what is open stays readable; where it does not, the file goes with the next start
        return body

    def commit(self, repository: str, digest: Digest) -> None:
        """Make what was written a blob of this repository.

        Raises:
            LocalIOError: it cannot be.
        """
        with local_errors(self._path):
            descriptor = self._open()
            if os.fstat(descriptor).st_size != self._size:
                raise OSError(errno.EIO, "file is not as long as what was written to it")
            os.fsync(descriptor)
            self._close()
            self._keep(self._path, repository, digest)

    def discard(self) -> None:
        """Remove the file, if it is there."""
        self.rest()
        with suppress(OSError):
            self._path.unlink()

    def _open(self) -> int:
        if self._descriptor < 0:
            flags = os.O_RDWR | os.O_APPEND | (0 if self._made else os.O_CREAT | os.O_EXCL)
            self._descriptor = open_file(self._path, flags, 0o644)
            self._made = True
        return self._descriptor

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
