"""Copy: an artifact from one registry or layout to another, byte for byte."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.copy import WORKERS
from wasm2oci.content.copy import copy as copy_content
from wasm2oci.content.progress import SILENT, Outcome
from wasm2oci.content.target import open_manifest
from wasm2oci.errors import Remedy, RemedyKind, UsageError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.wire import ARTIFACT_MAX
from wasm2oci.operations.names import pinned, tagged
from wasm2oci.operations.resolve import entry_for
from wasm2oci.operations.tag_state import check_tags_free
from wasm2oci.operations.trust import TrustOptions, guard_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wasm2oci.content.copy import CopyResult, Moved
    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget, Target
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location, Name
    from wasm2oci.operations.copy_legacy import LegacyTags
    from wasm2oci.operations.environment import Environment, Places
    from wasm2oci.operations.guard import Guard
    from wasm2oci.registry.options import ConnectOptions

__all__ = [
    "Copied",
    "CopyRequest",
    "check_source",
    "copy",
    "copy_root",
    "count_parts",
    "open_sides",
    "warn_of_unlisted",
]


class CopyRequest(NamedTuple):
    """What is copied where, with the arguments of `Client.copy`; `further_tags` are names besides."""

    source: Location
    destination: Location
    recursive: bool = False
    destination_options: ConnectOptions | None = None
    trust: TrustOptions = TrustOptions()
    further_tags: tuple[str, ...] = ()
    platform: str | None = None
    overwrite: bool = True
    workers: int = WORKERS
    max_size: int = ARTIFACT_MAX

    @property
    def tag(self) -> str | None:
        """What it is called at the destination first: as that says, else as the source does; None for a digest."""
        destination = self.destination
        return destination.tag or (self.source.tag if destination.digest is None else None)


class Copied(NamedTuple):
    """What was copied, and how its parts got there.

    Attributes:
        source: where it was.
        reference: where it is now.
        pinned: the same place by digest.
        manifest: the artifact's descriptor.
        copied: how many manifests and blobs were moved.
        existed: how many were there already.
        mounted: how many the registry took over from another repository.
        transferred_bytes: how much moved.
        tags: what it is called there.
        along: cosign's tags (`sha256-....sig`) that were taken along.
    """

    source: str
    reference: str
    pinned: str
    manifest: Descriptor
    copied: int
    existed: int
    mounted: int
    transferred_bytes: int
    tags: tuple[str, ...] = ()
    along: tuple[str, ...] = ()


def copy(request: CopyRequest, environment: Environment, progress: Progress = SILENT) -> Copied:
    """Copy an artifact."""
    tag = request.tag
    tags = (*(() if tag is None else (tag,)), *request.further_tags)
    guard = guard_for(request.trust, environment)
    along: list[str] = []
    with open_sides(request, environment) as (places, elsewhere):
        source = places.read(request.source)
        root: Name | Descriptor
        root = places.identifier(request.source)
        if guard is not None or request.platform is not None or not request.overwrite:
            root = source.resolve(root)
            check_source(guard, places, request, request.source, root)
            root = entry_for(source, root, request.platform)
        destination = elsewhere.write(request.destination)
        if not request.overwrite and isinstance(root, Descriptor):
            check_tags_free(destination, request.destination, tags, root.digest)
        result = copy_root(
            source,
            root,
            destination,
            tags,
            wanted=request.destination.digest,
            recursive=request.recursive,
            size_max=request.max_size,
            workers=request.workers,
            progress=progress,
            along=along,
        )
    warn_of_unlisted([result], environment)
    copied, existed, mounted, transferred = count_parts([result])
    return Copied(
        source=str(request.source),
        reference=str(request.destination) if tag is None else tagged(request.destination, tag),
        pinned=pinned(request.destination, result.root.digest),
        manifest=result.root,
        copied=copied,
        existed=existed,
        mounted=mounted,
        transferred_bytes=transferred,
        tags=tags,
        along=tuple(along),
    )


@contextmanager
def open_sides(request: CopyRequest, environment: Environment) -> Iterator[tuple[Places, Places]]:
    """Where the source and the destination of a copy are opened; the same for both, if they are reached alike.

    Only with one client for both sides can blobs be mounted.

    Raises:
        UsageError: a password or a header would go to two registries.
    """
    other = request.destination_options
    _check_credentials(request, environment)
    with environment.places() as places:
        if other is None or other == environment.options:
            yield places, places
        else:
            with environment._replace(options=other, connections=None).places() as elsewhere:
                yield places, elsewhere


def copy_root(
    source: ReadTarget,
    root: Name | Descriptor,
    destination: Target,
    tags: tuple[str, ...],
    *,
    wanted: Digest | None = None,
    recursive: bool,
    size_max: int,
    workers: int,
    progress: Progress,
    legacy: LegacyTags | None = None,
    moved: Moved | None = None,
    artifacts: int = 1,
    along: list[str] | None = None,
) -> CopyResult:
    """Copy one manifest with all that it names; `recursive`: and with all that refers to it, in whatever way.

    `legacy` and `moved` are shared by the copies from one source to one destination, of which `artifacts` are to come,
    this one included. `along` gets the legacy tags that were taken along.

    Raises:
        DigestMismatchError: it is not the wanted one; nothing was written.
        ArtifactTooLargeError: it has more than `size_max` bytes of content; nothing of it was written.
        Wasm2OciError: either place failed; `side` says which.
    """
    if recursive:
        from wasm2oci.operations.copy_legacy import copy_legacy_signatures

        if not isinstance(root, Descriptor):
            root = open_manifest(source, root)
        done = copy_legacy_signatures(source, root, destination, wanted, size_max, tags=legacy, artifacts=artifacts)
        if along is not None:
            along.extend(done)
    return copy_content(
        source,
        root,
        destination,
        tags,
        pinned=wanted,
        recursive=recursive,
        size_max=size_max,
        workers=workers,
        progress=progress,
        moved=moved,
    )


def count_parts(results: Sequence[CopyResult]) -> tuple[int, int, int, int]:
    """How many manifests and blobs were moved, were there already, and were mounted; and how many bytes moved."""
    outcomes = [outcome for result in results for _, outcome in result.nodes]
    copied, existed, mounted = map(outcomes.count, (Outcome.COPIED, Outcome.EXISTED, Outcome.MOUNTED))
    return copied, existed, mounted, sum(result.transferred for result in results)


def warn_of_unlisted(results: Sequence[CopyResult], environment: Environment) -> None:
    """Say which referrers the destination keeps and does not list."""
    for problem in (problem for result in results for problem in result.unlisted):
        environment.warn(f"a referrer was copied, but the registry does not list it: {problem.message}")


def check_source(
    guard: Guard | None, places: Places, request: CopyRequest, location: Location, root: Descriptor
) -> None:
    """See that an artifact may be used: whose it is, and what each module does that would be copied.

    Raises:
        IntegrityError: a signature that is asked for is missing, or a module is not allowed.
        Wasm2OciError: it cannot be read.
    """
    if guard is None:
        return
    guard.begin(places, location, root).wait()
    if guard.limits_modules(location):
        from wasm2oci.operations.modules_of import look_at_modules

        look_at_modules(
            places.read(location),
            root,
            lambda data: guard.check_module(location, data),
            lambda error: guard.check_no_module(location, error),
            recursive=request.recursive,
            size_max=request.max_size,
        )


def _check_credentials(request: CopyRequest, environment: Environment) -> None:
    hosts = [place.host for place in (request.source, request.destination) if isinstance(place, Reference)]
    options = environment.options
    secret = options.password is not None or options.headers
    if request.destination_options is None and len(set(hosts)) > 1 and secret:
        raise UsageError(
            f"one password would go to both {hosts[0]} and {hosts[1]}",
            remedy=Remedy(RemedyKind.GIVE_DESTINATION_CREDENTIALS, hosts[1]),
        )
