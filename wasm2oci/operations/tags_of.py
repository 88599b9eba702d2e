"""Which tags name a manifest: a registry has no question for that, so each of its tags is resolved, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.content.pool import run_all
from wasm2oci.content.target import TagLister
from wasm2oci.oci.referrers import fallback_tag
from wasm2oci.operations.tag_state import manifest_of_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.digest import Digest

__all__ = ["TAGS_MAX", "list_tags", "tags_among", "tags_of"]

TAGS_MAX: Final = 500
"""Tags that are resolved to find those of one manifest: each costs a request."""
_WORKERS: Final = 8


def tags_of(target: ReadTarget, digest: Digest, limit: int = TAGS_MAX) -> tuple[str, ...] | None:
    """The tags that name a manifest now, sorted; the one that lists its referrers does not count.

    None when the place lists no tags, or more than `limit`.

    Raises:
        Wasm2OciError: the place cannot be read.
    """
    tags = list_tags(target, digest, limit)
    return None if tags is None else tags_among(target, digest, tags)


def list_tags(target: ReadTarget, digest: Digest, limit: int = TAGS_MAX) -> set[str] | None:
    """The tags that may name a manifest; None and errors as for `tags_of`."""
    if not isinstance(target, TagLister):
        return None
    tags = set(target.tags()) - {fallback_tag(digest)}  # which GitLab reads as the digest
    return None if len(tags) > limit else tags


def tags_among(target: ReadTarget, digest: Digest, tags: Iterable[str]) -> tuple[str, ...]:
    """Those of these tags that name a manifest now, sorted; each costs a request.

    Raises:
        Wasm2OciError: the place cannot be read.
    """
    found: list[str] = []

    def look(tag: str, check: Callable[[], None]) -> None:
        check()
        there = manifest_of_tag(target, tag)  # None when it went away meanwhile
        if there is not None and there.digest == digest:
            found.append(tag)

    run_all(look, tags, _WORKERS)
    return tuple(sorted(found))
