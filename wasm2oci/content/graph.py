"""The graph of an artifact: manifests, what they name, and on request what refers to them.

The rules of the walk:

* Children come before the manifest that names them, referrers before their subject; so the root is last, and when its
  tag becomes visible everything that belongs to it, signatures included, is there already.
* Content is visited once. A digest lives in two spaces, manifests and blobs, and may be in both.
* The peer is hostile: manifests are bounded each and together, nodes are counted, depth is limited, a digest that is
  claimed with two sizes is refused, and a listing of referrers that runs in circles ends.

Spec: image-spec, manifest.md, image-index.md; distribution-spec, Listing Referrers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.target import ReferrerLister
from wasm2oci.content.verify import read_all
from wasm2oci.errors import InvalidInputError, NotFoundError, Remedy, RemedyKind
from wasm2oci.oci.manifest import ManifestTooLargeError, parse_manifest
from wasm2oci.oci.wire import GRAPH_BYTES_MAX, GRAPH_NODES_MAX, MANIFEST_MAX, NESTING_MAX

if TYPE_CHECKING:
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.manifest import Index, Manifest

__all__ = ["ArtifactTooLargeError", "Graph", "GraphError", "GraphNode", "explore", "read_manifest"]


class GraphError(InvalidInputError):
    """An artifact is nested too deeply, is too large, contains itself, or contradicts itself."""


class ArtifactTooLargeError(InvalidInputError):
    """All content of the artifact together is more than may be moved or read."""


class GraphNode(NamedTuple):
    """A manifest or index of a graph, as its descriptor and as what it says."""

    descriptor: Descriptor
    document: Manifest | Index


class Graph(NamedTuple):
    """All of an artifact. Both are in the order of the walk: children first, the root last."""

    manifests: tuple[GraphNode, ...]
    blobs: tuple[Descriptor, ...]

    @property
    def root(self) -> GraphNode:
        """The manifest that the walk began at."""
        return self.manifests[-1]

    def check_size(self, most: int, undone: str) -> None:
        """See that the artifact is not larger than it may be, before any of its blobs is read.

        Args:
            most: bytes of all content together.
            undone: what was not done with one that is larger.

        Raises:
            ArtifactTooLargeError: it is.
        """
        size = sum(blob.size for blob in self.blobs) + sum(node.descriptor.size for node in self.manifests)
        if size > most:
            raise ArtifactTooLargeError(
                f"the artifact has {size:,} bytes of content; the limit is {most:,}, and {undone}",
                remedy=Remedy(RemedyKind.RAISE_SIZE, f"{-(-size >> 30)}GiB"),
            )


def read_manifest(target: ReadTarget, descriptor: Descriptor) -> Manifest | Index:
    """Fetch a manifest or index, verified, and read it as the type that its descriptor says.

    Raises:
        NotFoundError: it is not there.
        IntegrityError: the bytes are not those of the descriptor.
        InvalidInputError: they are not a manifest, or one of another type.
        ManifestTooLargeError: it is larger than `MANIFEST_MAX`.
    """
    if descriptor.size > MANIFEST_MAX:
        raise ManifestTooLargeError(f"manifest is {descriptor.size:,} bytes; the limit is {MANIFEST_MAX:,}")
    return parse_manifest(read_all(target.fetch(descriptor), descriptor, MANIFEST_MAX), descriptor.media_type)


def explore(target: ReadTarget, root: Descriptor, *, recursive: bool = False) -> Graph:
    """Walk an artifact from its root.

    Args:
        target: where its manifests are read.
        root: the descriptor of a manifest or an index.
        recursive: with the referrers of each manifest (signatures, attestations), and theirs.

    Raises:
        GraphError: too deep, too large, circular or contradictory.
        Wasm2OciError: see `read_manifest`.
    """
    walk = _Walk(target, recursive=recursive and isinstance(target, ReferrerLister))
    walk.manifest(root, 0, frozenset())
    return Graph(tuple(walk.manifests), tuple(walk.blobs))


class _Walk:
    def __init__(self, target: ReadTarget, *, recursive: bool) -> None:
        self.target = target
        self.recursive = recursive
        self.manifests: list[GraphNode] = []
        self.blobs: list[Descriptor] = []
        self.sizes: dict[tuple[Digest, bool], int] = {}
        self.bytes_left = GRAPH_BYTES_MAX

    def manifest(self, descriptor: Descriptor, depth: int, above: frozenset[Digest]) -> None:
        """Visit a manifest; `above` are the manifests that contain it."""
        if descriptor.digest in above:
            raise GraphError(f"manifest {descriptor.digest} contains itself")
        if depth > NESTING_MAX:
            raise GraphError(f"artifact is nested more than {NESTING_MAX} deep at {descriptor.digest}")
        if self._seen(descriptor, is_manifest=True):
            return
        self.bytes_left -= descriptor.size
        if self.bytes_left < 0:
            raise GraphError(f"manifests of the artifact take more than {GRAPH_BYTES_MAX:,} bytes together")
        document = read_manifest(self.target, descriptor)
        for child in document.children:
            if child.is_manifest:
                self.manifest(child, depth + 1, above | {descriptor.digest})
            elif not self._seen(child, is_manifest=False):
                self.blobs.append(child)
        if self.recursive and isinstance(self.target, ReferrerLister):
            for referrer in self.target.referrers(descriptor):
                if referrer.is_manifest:
                    self._referrer(referrer, descriptor, depth)
        self.manifests.append(GraphNode(descriptor, document))

    def _referrer(self, referrer: Descriptor, subject: Descriptor, depth: int) -> None:
        try:
            self.manifest(referrer, depth + 1, frozenset())
        except NotFoundError as error:
            raise type(error)(
                f"{referrer.digest}, which is listed as referring to {subject.digest}, is not there",
                hint="without what refers to the artifact it can be copied still",
            ) from error

    def _seen(self, descriptor: Descriptor, *, is_manifest: bool) -> bool:
        key = (descriptor.digest, is_manifest)
        known = self.sizes.get(key)
        if known is None:
            if len(self.sizes) >= GRAPH_NODES_MAX:
                raise GraphError(f"artifact has more than {GRAPH_NODES_MAX:,} parts")
            self.sizes[key] = descriptor.size
            return False
        if known != descriptor.size:
            raise GraphError(f"{descriptor.digest} is named with two sizes, {known:,} and {descriptor.size:,}")
        return True
