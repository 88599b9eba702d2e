"""Copy: an artifact from one registry or layout to another, byte for byte."""

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.copy import copy as copy_content
from wasm2oci.content.progress import SILENT, Outcome
from wasm2oci.errors import Remedy, RemedyKind, UsageError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.reference import Reference
from wasm2oci.operations.names import pinned, tagged
from wasm2oci.operations.trust import TrustOptions, guard_for

if TYPE_CHECKING:
    from wasm2oci.content.copy import CopyResult
    from wasm2oci.content.progress import Progress
    from wasm2oci.content.target import ReadTarget, Target
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location, Name
    from wasm2oci.operations.environment import Environment, Places
    from wasm2oci.operations.guard import Guard
    from wasm2oci.registry.options import ConnectOptions

__all__ = ["Copied", "CopyRequest", "copy"]


class CopyRequest(NamedTuple):
    """What is copied where.

    Args:
        source: a tag, a digest, or a layout with one entry.
        destination: without a tag, the source's tag is kept.
        recursive: take signatures and everything else that refers to it along.
        destination_options: how the destination is reached, when not like the source.
        trust: whose signature it must have, besides what policy files ask for.
    """

    source: "Location"
    destination: "Location"
    recursive: bool = False
    destination_options: "ConnectOptions | None" = None
    trust: TrustOptions = TrustOptions()


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
    """

    source: str
    reference: str
    pinned: str
    manifest: "Descriptor"
    copied: int
    existed: int
    mounted: int
    transferred_bytes: int


def copy(request: CopyRequest, environment: "Environment", progress: "Progress" = SILENT) -> Copied:
    """Copy an artifact.

    Raises:
        UsageError: a password or a header would go to two registries.
        NotFoundError: the source names nothing.
        IntegrityError: bytes are not what the manifest says, a signature that is asked for is missing, or the
            destination names another digest than the source has; the destination's tag was not touched.
        Wasm2OciError: either place failed; `side` says which.
    """
    other = request.destination_options
    _check_credentials(request, environment)
    tag = request.destination.tag
    if tag is None and request.destination.digest is None:
        tag = request.source.tag
    guard = guard_for(request.trust, environment)
    with environment.places() as places:
        source = places.read(request.source)
        root: Name | Descriptor
        root, wanted = places.identifier(request.source), request.destination.digest
        if guard is not None:
            root = source.resolve(root)
            _check(guard, places, request.source, root)
        if other is None or other == environment.options:
            # One client for both sides: only so can blobs be mounted.
            result = _copied(
                source,
                root,
                places.write(request.destination),
                tag,
                wanted=wanted,
                recursive=request.recursive,
                progress=progress,
            )
        else:
            with environment._replace(options=other, connections=None).places() as elsewhere:
                destination = elsewhere.write(request.destination)
                result = _copied(
                    source, root, destination, tag, wanted=wanted, recursive=request.recursive, progress=progress
                )
    for problem in result.unlisted:
        environment.warn(f"a referrer is copied and not listed: {problem.message}")
    outcomes = [outcome for _, outcome in result.nodes]
    return Copied(
        source=str(request.source),
        reference=str(request.destination) if tag is None else tagged(request.destination, tag),
        pinned=pinned(request.destination, result.root.digest),
        manifest=result.root,
        copied=outcomes.count(Outcome.COPIED),
        existed=outcomes.count(Outcome.EXISTED),
        mounted=outcomes.count(Outcome.MOUNTED),
        transferred_bytes=result.transferred,
    )


def _copied(
    source: "ReadTarget",
    root: "Name | Descriptor",
    destination: "Target",
    tag: str | None,
    *,
    wanted: "Digest | None",
    recursive: bool,
    progress: "Progress",
) -> "CopyResult":
    if recursive:
        from wasm2oci.operations.copy_legacy import copy_legacy_signatures

        if not isinstance(root, Descriptor):
            root = source.resolve(root)
        copy_legacy_signatures(source, root, destination, wanted)
    return copy_content(source, root, destination, tag, pinned=wanted, recursive=recursive, progress=progress)


def _check(guard: "Guard", places: "Places", location: "Location", root: Descriptor) -> None:
    guard.begin(places, location, root).wait()
    if guard.limits_modules(location):
        from wasm2oci.packager.recognise import recognise

        found = recognise(places.read(location), root)
        guard.check_module(location, found.read())


def _check_credentials(request: CopyRequest, environment: "Environment") -> None:
    hosts = [place.host for place in (request.source, request.destination) if isinstance(place, Reference)]
    options = environment.options
    secret = options.password is not None or options.headers
    if request.destination_options is None and len(set(hosts)) > 1 and secret:
        raise UsageError(
            f"one password would go to both {hosts[0]} and {hosts[1]}",
            remedy=Remedy(RemedyKind.GIVE_DESTINATION_CREDENTIALS, hosts[1]),
        )
