"""What must hold of any artifact in any place."""

from typing import TYPE_CHECKING

from wasm2oci.content.graph import explore
from wasm2oci.oci.digest import Digest

if TYPE_CHECKING:
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["check_artifact"]


def check_artifact(target: "ReadTarget", root: "Descriptor") -> dict[Digest, bytes]:
    """Everything that the root names is there, has its size and its digest. Returns all of it."""
    graph = explore(target, root)
    assert graph.root.descriptor.digest == root.digest
    everything = {}
    for descriptor in (*graph.blobs, *(node.descriptor for node in graph.manifests)):
        assert target.exists(descriptor)
        data = b"".join(target.fetch(descriptor))
        assert len(data) == descriptor.size
        assert Digest.of(data, descriptor.digest.algorithm) == descriptor.digest
        everything[descriptor.digest] = data
    return everything
