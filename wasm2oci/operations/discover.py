"""Discover: what refers to an artifact, and what refers to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.graph import GraphError
from wasm2oci.content.target import ReferrerLister
from wasm2oci.errors import NotFoundError, UnsupportedError
from wasm2oci.oci.wire import GRAPH_NODES_MAX, NESTING_MAX
from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Discovered", "FoundReferrer", "discover"]


class FoundReferrer(NamedTuple):
    """A manifest that refers to another one.

    Attributes:
        depth: 1 for what refers to the artifact, 2 for what refers to that, and so on.
        manifest: with its artifact type and annotations.
        tag: that cosign keeps it under; None for what names the artifact as its subject.
    """

    depth: int
    manifest: Descriptor
    tag: str | None = None


class Discovered(NamedTuple):
    """What refers to an artifact.

    Attributes:
        reference: where it is.
        pinned: the same by digest.
        manifest: the artifact's descriptor.
        referrers: each followed by what refers to it.
    """

    reference: str
    pinned: str
    manifest: Descriptor
    referrers: tuple[FoundReferrer, ...]


def discover(
    location: Location, environment: Environment, *, artifact_type: str | None = None, depth: int | None = None
) -> Discovered:
    """List what refers to an artifact, at most `NESTING_MAX` deep."""
    with environment.places() as places:
        target = places.read(location)
        root = target.resolve(places.identifier(location))
        if not isinstance(target, ReferrerLister):
            raise UnsupportedError(f"{target} does not list referrers")
        walk = _Walk(target, NESTING_MAX if depth is None else min(depth, NESTING_MAX), {root.digest})
        found = (*walk.below(root, 1, artifact_type), *_tagged(target, root, artifact_type, environment))
    return Discovered(str(location), pinned(location, root.digest), root, found)


def _tagged(
    target: ReadTarget, root: Descriptor, artifact_type: str | None, environment: Environment
) -> list[FoundReferrer]:
    from wasm2oci.operations.tagged_referrers import tagged_referrers_or_warning

    return [
        FoundReferrer(1, one.manifest, one.tag)
        for one in tagged_referrers_or_warning(target, root, environment)
        if artifact_type is None or one.manifest.artifact_type == artifact_type
    ]


class _Walk(NamedTuple):
    """A walk through referrers: how deep it goes, and what it came to."""

    target: ReferrerLister
    depth: int
    seen: set[Digest]

    def below(self, subject: Descriptor, at: int, artifact_type: str | None = None) -> Iterator[FoundReferrer]:
        """What refers to this manifest, at this depth, each followed by what refers to it."""
        if at > self.depth:
            return
        try:
            listed = list(self.target.referrers(subject, artifact_type))
        except NotFoundError:
            return
        for referrer in listed:
            if referrer.digest in self.seen:
                continue
            if len(self.seen) >= GRAPH_NODES_MAX:
                raise GraphError(f"more than {GRAPH_NODES_MAX:,} manifests refer to the artifact")
            self.seen.add(referrer.digest)
            yield FoundReferrer(at, referrer)
            if referrer.is_manifest:
                yield from self.below(referrer, at + 1)
