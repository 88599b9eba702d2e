"""Delete: remove an artifact, or one of its tags."""

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.target import Deleter
from wasm2oci.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Deleted", "delete"]


class Deleted(NamedTuple):
    """What is gone: the manifest with all its tags, or (`tag` set) one tag."""

    manifest: "Descriptor"
    tag: str | None


def delete(location: "Location", environment: "Environment", *, tag_only: bool = False) -> Deleted:
    """Delete the manifest that a location names, or only its tag; blobs are left to the place's own cleaning.

    Raises:
        NotFoundError: the location names nothing.
        UnsupportedError: the place does not delete, or cannot remove a tag alone.
        UsageError: a tag should go, and the location names none.
    """
    if tag_only and location.tag is None:
        raise UsageError(f"{location} names no tag to remove")
    with environment.places() as places:
        target = places.read(location)
        if not isinstance(target, Deleter):
            raise UnsupportedError(f"{target} cannot delete")
        manifest = target.resolve(location.tag if tag_only and location.tag else places.identifier(location))
        if tag_only and location.tag is not None:
            target.untag(location.tag)
            return Deleted(manifest, location.tag)
        target.delete(manifest)
    return Deleted(manifest, None)
