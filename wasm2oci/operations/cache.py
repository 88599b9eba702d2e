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
    """What was removed from the cache, or would be.

    Attributes:
        folder: where it is.
        removed: bytes that were removed.
        size: bytes that blobs take after that.
        blobs: how many blobs were removed.
        dry_run: whether nothing was removed.
    """

    folder: Path
    removed: int
    size: int
    blobs: int
    dry_run: bool


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


def prune_cache(limit: int, environment: Environment, *, dry_run: bool = False) -> PrunedCache:
    """Remove what was used longest ago until blobs take at most so many bytes.

    0 removes all that the cache holds, code made from modules too.
    """
    from wasm2oci.content.cache_listing import code_size, drop_code, is_blob, list_blobs

    cache = environment.cache()
    before = list_blobs(cache.folder)
    if dry_run:
        removed, files = cache.to_prune(limit)
        gone = {path.name for path in files if is_blob(path)}
        left = sum(entry.size for entry in before if entry.digest.encoded not in gone)
        removed += code_size(cache.folder) if limit == 0 else 0
        return PrunedCache(cache.folder, removed, left, len(gone), dry_run=True)
    removed = cache.prune(limit)
    if limit == 0:
        removed += drop_code(cache.folder)
    blobs = max(0, len(before) - len(list_blobs(cache.folder)))  # others may download at this moment
    return PrunedCache(cache.folder, removed, cache.size(), blobs, dry_run=False)
