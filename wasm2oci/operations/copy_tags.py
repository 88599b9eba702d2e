"""Copy of many tags of a repository, or a look at what such a copy would do."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.copy import Moved
from wasm2oci.content.pool import run_all
from wasm2oci.content.progress import SILENT
from wasm2oci.content.target import TagLister
from wasm2oci.errors import NotFoundError, UnsupportedError, UsageError
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.referrers import names_a_subject
from wasm2oci.operations.copy import check_source, copy_root, count_parts, open_sides, warn_of_unlisted
from wasm2oci.operations.copy_legacy import LegacyTags, legacy_tags
from wasm2oci.operations.names import with_tag
from wasm2oci.operations.resolve import entry_for
from wasm2oci.operations.tag_state import manifest_of_tag
from wasm2oci.operations.trust import guard_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wasm2oci.content.copy import CopyResult
    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.copy import CopyRequest
    from wasm2oci.operations.environment import Environment, Places
    from wasm2oci.operations.guard import Guard

__all__ = ["CopiedTag", "CopiedTags", "TagState", "copy_tags"]


class TagState(StrEnum):
    """What a copy of a tag does, or would do."""

    NEW = "new"
    MOVED = "moved"
    SAME = "same"
    KEPT = "kept"


class CopiedTag(NamedTuple):
    """One tag.

    Attributes:
        tag: at the destination; null for a copy by digest alone.
        manifest: what it means at the source.
        state: `new`; `moved`: it meant something else; `same`: it means this already; `kept`: it means something else
            and stays.
    """

    tag: str | None
    manifest: Descriptor
    state: TagState


class CopiedTags(NamedTuple):
    """What was copied, or would be.

    Attributes:
        source: the repository, or the one artifact, that was copied from.
        destination: the repository that was copied to.
        dry_run: whether nothing was written.
        tags: each tag.
        copied: how many manifests and blobs were moved, or would be.
        existed: how many were there already.
        mounted: how many the registry took over from another repository; a dry run counts these as copied.
        transferred_bytes: how much moved, or would at most.
        along: cosign's tags (`sha256-....sig`) that were taken along, or would be.
    """

    source: str
    destination: str
    dry_run: bool
    tags: tuple[CopiedTag, ...]
    copied: int
    existed: int
    mounted: int
    transferred_bytes: int
    along: tuple[str, ...] = ()


class _Group(NamedTuple):
    """Tags that mean the same manifest: it is copied once."""

    root: Descriptor
    tags: tuple[str, ...]


def copy_tags(
    request: CopyRequest,
    patterns: Sequence[str],
    environment: Environment,
    progress: Progress = SILENT,
    *,
    dry_run: bool = False,
) -> CopiedTags:
    """Copy the tags of a repository that match, each under its own name.

    A source with a tag or digest is that one artifact. Tags of signatures and referrers belong to what they sign:
    `recursive` takes them along, and only a pattern that begins like them matches.
    """
    many = request.source.tag is None and request.source.digest is None and bool(patterns)
    if many and (request.destination.tag is not None or request.destination.digest is not None):
        raise UsageError(
            f"{request.destination} is one artifact, and several tags are copied", hint="leave its tag out"
        )
    guard = guard_for(request.trust, environment)
    along: list[str] = []
    with open_sides(request, environment) as (places, elsewhere):
        source = places.read(request.source)
        names = _matching(source, patterns, request.source) if many else [None]
        look = _Look(request, source, _destination(elsewhere, request.destination, dry_run=dry_run), places, guard)
        run_all(look.tag, names, request.workers)
        found = sorted(look.found, key=lambda one: one.tag or "")
        groups = _groups(found)
        if dry_run:
            counts = _plan(request, source, look.destination, [group.root for group in groups], along)
        else:
            results = _copied(request, source, elsewhere, groups, progress=progress, along=along)
            counts = count_parts(results)
            warn_of_unlisted(results, environment)
    return CopiedTags(str(request.source), str(request.destination), dry_run, tuple(found), *counts, tuple(along))


class _Look:
    """Finds out what each tag means on both sides; called from several threads."""

    def __init__(
        self,
        request: CopyRequest,
        source: ReadTarget,
        destination: ReadTarget | None,
        places: Places,
        guard: Guard | None,
    ) -> None:
        self.request = request
        self.source = source
        self.destination = destination
        self.places = places
        self.guard = guard
        self.found: list[CopiedTag] = []
        self._lock = Lock()

    def tag(self, tag: str | None, check: Callable[[], None]) -> None:
        """Look at one tag, or (None) at the one artifact that the source names."""
        check()
        request = self.request
        location = request.source if tag is None else with_tag(request.source, tag)
        root = self.source.resolve(tag or self.places.identifier(location))
        check_source(self.guard, self.places, request, location, root)
        root = entry_for(self.source, root, request.platform)
        for name in (tag,) if tag is not None else (request.tag, *request.further_tags):
            state = TagState.NEW
            there = None if self.destination is None or name is None else manifest_of_tag(self.destination, name)
            if there is not None:
                moved = TagState.MOVED if request.overwrite else TagState.KEPT
                state = TagState.SAME if there.digest == root.digest else moved
            with self._lock:
                self.found.append(CopiedTag(name, root, state))


def _matching(source: ReadTarget, patterns: Sequence[str], location: Location) -> list[str | None]:
    if not isinstance(source, TagLister):
        raise UnsupportedError(f"{source} cannot list tags")
    tags = sorted(set(source.tags()))
    found: list[str | None] = [tag for tag in tags if any(_fits(tag, pattern) for pattern in patterns)]
    if not found:
        raise NotFoundError(f"{location} has no tag that matches {' or '.join(patterns)}")
    return found


def _fits(tag: str, pattern: str) -> bool:
    # A tag that is made from a digest belongs to another artifact: it counts where the pattern begins with `sha256-`.
    meant = not names_a_subject(tag) or pattern.startswith(f"{tag.partition('-')[0]}-")
    return meant and fnmatchcase(tag, pattern)


def _destination(places: Places, location: Location, *, dry_run: bool) -> ReadTarget | None:
    # A layout is created only when everything may be copied, and never by a dry run; until then it counts as empty.
    if not dry_run and isinstance(location, Reference):
        return places.write(location)
    try:
        return places.read(location)
    except NotFoundError:
        return None


def _groups(found: Iterable[CopiedTag]) -> list[_Group]:
    tags: dict[Digest, list[CopiedTag]] = {}
    for one in found:
        if one.state is not TagState.KEPT:
            tags.setdefault(one.manifest.digest, []).append(one)
    return [_Group(same[0].manifest, tuple(one.tag for one in same if one.tag)) for same in tags.values()]


def _plan(
    request: CopyRequest,
    source: ReadTarget,
    destination: ReadTarget | None,
    roots: Sequence[Descriptor],
    along: list[str],
) -> tuple[int, int, int, int]:
    # Each manifest and blob once, also where several artifacts share it.
    from wasm2oci.content.graph import explore

    parts: dict[tuple[Digest, bool], Descriptor] = {}
    for root in roots:
        graph = explore(source, root, recursive=request.recursive)
        for one in (*graph.blobs, *(node.descriptor for node in graph.manifests)):
            parts[one.digest, one.is_manifest] = one
    legacy = LegacyTags(source)
    for number, root in enumerate(roots if request.recursive else ()):
        for tag, (descriptor, raw) in legacy_tags(source, root, legacy, len(roots) - number):
            along.append(tag)
            for one in (descriptor, *parse_manifest(raw, descriptor.media_type).children):
                parts[one.digest, one.is_manifest] = one
    missing: list[Descriptor] = []

    def ask(part: Descriptor, check: Callable[[], None]) -> None:
        check()
        if destination is None or not destination.exists(part):
            missing.append(part)

    run_all(ask, parts.values(), request.workers)
    return len(missing), len(parts) - len(missing), 0, sum(part.size for part in missing)


def _copied(
    request: CopyRequest,
    source: ReadTarget,
    places: Places,
    groups: Sequence[_Group],
    *,
    progress: Progress,
    along: list[str],
) -> list[CopyResult]:
    destination = places.write(request.destination)
    results: list[CopyResult] = []
    legacy = LegacyTags(source) if request.recursive else None
    moved = Moved()
    # What refers to shared children may be pushed by two copies at once, and then one line of a fallback tag's index
    # would be lost: with referrers, one artifact follows another.
    at_once = 1 if request.recursive else max(1, min(request.workers, len(groups)))

    def one(group: _Group, check: Callable[[], None]) -> None:
        check()
        results.append(
            copy_root(
                source,
                group.root,
                destination,
                group.tags,
                wanted=request.destination.digest,
                recursive=request.recursive,
                size_max=request.max_size,
                workers=max(1, request.workers // at_once),
                progress=progress,
                legacy=legacy,
                moved=moved,
                artifacts=len(groups) - len(results),
                along=along,
            )
        )

    run_all(one, groups, at_once)
    return results
