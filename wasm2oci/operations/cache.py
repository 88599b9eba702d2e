"""The cache: what it holds, how much it takes, and making it smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.digest import Digest
    from wasm2oci.operations.environment import Environment

__all__ = ["CacheState", "CachedBlob", "PrunedCache", "cache_state", "cached_blobs", "prune_cache"]


class CacheState(NamedTuple):
    """What the cache takes. Sizes are in bytes.

    Attributes:
        folder: where it is.
        limit: what blobs and beginnings may take together.
        blobs: how many blobs there are.
        size: what they take.
        partial_size: what beginnings of downloads that broke off take.
        code_size: what code made from modules takes.
    """

    folder: Path
    limit: int
    blobs: int
    size: int
    partial_size: int
    code_size: int


class CachedBlob(NamedTuple):
    """A blob of the cache.

    Attributes:
        digest: of the blob.
        size: in bytes.
        used: when it was last used, RFC 3339.
    """

    digest: Digest
    size: int
    used: str


class PrunedCache(NamedTuple):
    """What was removed from the cache: `removed` and what blobs take now (`size`), in bytes."""

    folder: Path
    removed: int
    size: int


def cache_state(environment: Environment) -> CacheState:
    """What the cache takes; everything is 0 where there is none yet."""
    from wasm2oci.content.cache_listing import code_size, list_blobs, partial_size

    cache = environment.cache()
    entries = list_blobs(cache.folder)
    return CacheState(
        cache.folder,
        cache.limit,
        len(entries),
        sum(entry.size for entry in entries),
        partial_size(cache.folder),
        code_size(cache.folder),
    )


def cached_blobs(environment: Environment) -> tuple[CachedBlob, ...]:
    """The blobs of the cache, the one that was used last first."""
    from datetime import UTC, datetime

    from wasm2oci.content.cache_listing import list_blobs

    entries = sorted(list_blobs(environment.cache().folder), key=lambda entry: (-entry.used, str(entry.digest)))
    return tuple(
        CachedBlob(entry.digest, entry.size, datetime.fromtimestamp(int(entry.used), UTC).isoformat())
        for entry in entries
    )


def prune_cache(limit: int, environment: Environment) -> PrunedCache:
    """Remove what was used longest ago until blobs take at most so many bytes; 0 removes all that the cache holds.

    Code made from modules goes only with 0.

    Raises:
        LocalIOError: the folder cannot be read.
    """
    from wasm2oci.content.cache_listing import drop_code

    cache = environment.cache()
    removed = cache.prune(limit)
    if limit == 0:
        removed += drop_code(cache.folder)
    return PrunedCache(cache.folder, removed, cache.size())
