"""Room in a folder of kept code: what was used longest ago goes first."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["CODE_LIMIT", "make_room", "used"]

CODE_LIMIT: Final = 512 * 1024 * 1024
"""Bytes a folder of kept code may take, unless told otherwise."""
_STALE_S: Final = 3600.0


def make_room(folder: Path, suffix: str, limit: int = CODE_LIMIT, *, keep: str = "") -> None:
    """Removes files until the rest takes at most `limit` bytes; not being able to is no error.

    Args:
        folder: the folder.
        suffix: of the files that count. Others are temporaries, which go when whoever wrote them must be dead.
        limit: bytes.
        keep: the name of a file that is neither.
    """
    files: list[tuple[float, int, str]] = []
    now = time.time()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(suffix):
                    files.append((status.st_mtime, status.st_size, entry.path))
                elif entry.name != keep and status.st_mtime < now - _STALE_S:
                    Path(entry.path).unlink()
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            return
        total -= size
        with suppress(OSError):
            Path(path).unlink()


def used(path: Path) -> None:
    """Notes that a file was used now, so that others go before it."""
    with suppress(OSError):
        os.utime(path)
