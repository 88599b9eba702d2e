"""What is in the folder of a cache, as far as it can be read, and unchecked."""

from __future__ import annotations

import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.base.folders import evict, list_files
from wasm2oci.oci.digest import Digest, InvalidDigestError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CODE", "CacheEntry", "code_size", "drop_code", "is_blob", "list_blobs", "partial_size"]

CODE: Final = "code"
"""The folder below that of a cache where engines keep code that they made from modules."""


class CacheEntry(NamedTuple):
    """A blob of a cache: its digest, its size in bytes, and when it was used last, in seconds since 1970."""

    digest: Digest
    size: int
    used: float


def list_blobs(folder: Path) -> list[CacheEntry]:
    """The blobs that a cache in this folder has."""
    found = []
    for path in list_files(folder, "blobs/*/*"):
        with suppress(OSError, InvalidDigestError):
            status = path.lstat()
            digest = Digest.parse(f"{path.parent.name}:{path.name}")
            if stat.S_ISREG(status.st_mode):
                found.append(CacheEntry(digest, status.st_size, status.st_mtime))
    return found


def partial_size(folder: Path) -> int:
    """Bytes that beginnings of blobs take together, whose download broke off."""
    return _total(list_files(folder, "partial/*/*"))


def code_size(folder: Path) -> int:
    """Bytes that code made from modules takes."""
    return _total(list_files(folder, f"{CODE}/**/*"))


def is_blob(path: Path) -> bool:
    """Whether a file in the folder of a cache is a blob, by its name."""
    try:
        Digest.parse(f"{path.parent.name}:{path.name}")
    except InvalidDigestError:
        return False
    return path.parent.parent.name == "blobs"


def drop_code(folder: Path) -> int:
    """Remove code made from modules; how many bytes that were."""
    return evict(list_files(folder, f"{CODE}/**/*"), 0)


def _total(paths: list[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(OSError):
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
