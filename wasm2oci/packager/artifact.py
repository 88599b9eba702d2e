"""A built artifact that has not been pushed: a manifest and the content that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent

if TYPE_CHECKING:
    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.manifest import Manifest

__all__ = ["Artifact"]


class Artifact(NamedTuple):
    """A built artifact.

    Args:
        profile: the name of the profile that it follows.
        manifest: with its bytes.
        module: the descriptor of the layer that is the module, or of the file in it.
        blobs: config and layers with their content, in the manifest's order.
    """

    profile: str
    manifest: Manifest
    module: Descriptor
    blobs: tuple[tuple[Descriptor, Content], ...]

    @property
    def root(self) -> Descriptor:
        """The descriptor of the manifest."""
        return self.manifest.descriptor()

    def target(self, tag: str | None = None) -> MemoryTarget:
        """A target in memory that holds only this artifact, to copy it from.

        Raises:
            InvalidReferenceError: the tag is malformed.
        """
        target = MemoryTarget()
        for descriptor, content in self.blobs:
            target.add(descriptor, content)
        target.add(self.root, BytesContent(self.manifest.raw), tag=tag)
        return target
