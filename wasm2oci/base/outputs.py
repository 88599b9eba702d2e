"""Where the user wants bytes to go: a file, a pipe or a device.

A file is written whole or not at all (`files`). A pipe, a terminal or a device cannot give bytes back, so it gets the
first one when all of the content was read without an error.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import FLAGS, local_errors, replace_file, write_all
from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["SpoolError", "spooled", "write_file"]

_SPOOL: Final = 64 << 20
"""Bytes of spooled content that wait in memory."""
_PIECE: Final = 1 << 20


def write_file(path: Path, content: Iterable[bytes], mode: int = 0o666, *, sync: bool = True) -> int:
    """Write a file whole or not at all; an existing one is replaced only when the last byte is on the disk.

    The content's own errors (a digest mismatch at its end) pass through and leave nothing behind. A path that is
    there and is not a regular file (`/dev/stdout`, a named pipe) is written to, when all of the content was read
    without an error: there is nothing to rename, and nothing to take back.

    Args:
        path: where to.
        content: its bytes.
        mode: permission bits, before the umask.
        sync: wait until the bytes are on the disk.

    Returns:
        How many bytes were written.

    Raises:
        LocalIOError: the disk is full, the folder is not there or not writable, or the path is a folder.
    """
    with local_errors(path):
        special = _is_special(path)
    if special:
        return _write_special(path, content)
    return replace_file(path, content, mode, sync=sync)


def _write_special(path: Path, content: Iterable[bytes]) -> int:
    written = 0
    with local_errors(path):
        # Opened first, so that the reader of a pipe sees its end, whatever happens to the content.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | FLAGS)
    try:
        with spooled(content) as chunks:
            for chunk in chunks:
                with local_errors(path):
                    write_all(descriptor, chunk)
                written += len(chunk)
    finally:
        os.close(descriptor)
    return written


class SpoolError(LocalIOError):
    """The disk has no space for content that is not verified yet."""


@contextmanager
def spooled(content: Iterable[bytes]) -> Iterator[Iterator[bytes]]:
    """All of this content, read to its end before the first byte is given out: what it raises, it raises before that.

    For places that cannot take bytes back: pipes, terminals, devices. Up to 64 MiB wait in memory, more in a file.

    Raises:
        SpoolError: there is no room for that file.
    """
    from tempfile import SpooledTemporaryFile  # noqa: PLC0415 - needed rarely, and slow to import

    with SpooledTemporaryFile(max_size=_SPOOL) as spool:
        try:
            for chunk in content:
                spool.write(chunk)
            spool.seek(0)
        except OSError as error:
            raise SpoolError(
                f"cannot keep the content in a temporary file until it is verified: {error.strerror}",
                hint="free some space there, or set TMPDIR to another folder",
            ) from error
        yield iter(lambda: spool.read(_PIECE), b"")


def _is_special(path: Path) -> bool:
    # What has a name in /dev or among a process's descriptors is written to, never replaced, even if it is a file:
    # /dev/stdout is one when the output is redirected.
    parent = path.parent.resolve().parts
    if parent == ("/", "dev") or parent[:2] == ("/", "proc"):
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return not stat.S_ISREG(mode)
