"""Pushing with a signature: both at once, and the artifact gets its tags when the signature is there.

The manifest's digest is known before anything is sent, so its signature is made and attached while the blobs move. Who
requires a signature never sees the tag without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.content.target import ChildMissingError, Distant, Mounter
from wasm2oci.errors import NotFoundError

if TYPE_CHECKING:
    from wasm2oci.content.target import Content, Target
    from wasm2oci.content.verify import SelfVerifying
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Name
    from wasm2oci.operations.pending import Pending

__all__ = ["SignedFirst"]


class SignedFirst:
    """A target that takes one manifest (`root`) only when its signature is attached; all else goes through."""

    def __init__(self, target: Target, root: Descriptor, attaching: Pending[Any]) -> None:
        self._target = target
        self._root = root
        self._attaching = attaching

    def __str__(self) -> str:
        return str(self._target)

    def resolve(self, name: Name) -> Descriptor:
        """See `Target`."""
        return self._target.resolve(name)

    def exists(self, descriptor: Descriptor) -> bool:
        """See `Target`."""
        return self._target.exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> Content | SelfVerifying:
        """See `Target`."""
        return self._target.fetch(descriptor)

    def push(self, descriptor: Descriptor, content: Content, *, tag: str | None = None) -> None:
        """See `Target`; the root waits for its signature, and goes first without a tag where that is required."""
        if descriptor.is_manifest and descriptor.digest == self._root.digest:
            try:
                self._attaching.wait()
            except (ChildMissingError, NotFoundError):  # GitLab takes no referrer before its subject (buildkit#7007)
                self._target.push(descriptor, content)
                self._attaching.begin()
                self._attaching.wait()
        self._target.push(descriptor, content, tag=tag)

    def prepare(self, connections: int) -> None:
        """See `Distant`."""
        if isinstance(self._target, Distant):
            self._target.prepare(connections)

    def authorize(self) -> None:
        """See `Distant`."""
        if isinstance(self._target, Distant):
            self._target.authorize()

    def takes_unasked(self, descriptor: Descriptor) -> bool:
        """See `Distant`."""
        return isinstance(self._target, Distant) and self._target.takes_unasked(descriptor)

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """See `Mounter`."""
        return isinstance(self._target, Mounter) and self._target.mount(descriptor, source)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """See `Target`."""
        self._target.tag(descriptor, tag)
