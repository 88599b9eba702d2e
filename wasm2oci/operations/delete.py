"""Delete: remove an artifact, or one of its tags."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.target import Deleter, open_manifest
from wasm2oci.errors import AccessError, RegistryError, UnsupportedError, UsageError
from wasm2oci.oci.referrers import COSIGN_ENDINGS, cosign_tag
from wasm2oci.operations.tags_of import list_tags, tags_among

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Deleted", "delete"]


class Deleted(NamedTuple):
    """What is gone: the manifest with all its tags, or (`tag` set) one tag.

    Attributes:
        reference: what was asked for.
        tag: the only thing that was removed, or None.
        manifest: that the tag names, or that is gone.
        tags: all that named the manifest and is gone with it; None when that cannot be found out.
        left: tags that are still there and under which cosign keeps what belongs to it.
    """

    reference: str
    tag: str | None
    manifest: Descriptor
    tags: tuple[str, ...] | None = None
    left: tuple[str, ...] = ()


def delete(location: Location, environment: Environment, *, tag_only: bool = False) -> Deleted:
    """Delete the manifest that a location names, or only its tag.

    Blobs are left to the place's own cleaning.
    """
    tag = location.tag if tag_only else None
    if tag_only and tag is None:
        raise UsageError(f"{location} does not name a tag")
    with environment.places() as places:
        target = places.delete_from(location)
        if not isinstance(target, Deleter):
            raise UnsupportedError(f"{target} cannot delete")
        wanted = tag or places.identifier(location)
        # To delete an artifact its manifest is read: what it refers to lists it. To remove a tag it is not.
        manifest = target.resolve(wanted) if tag is not None else open_manifest(target, wanted)
        tags: tuple[str, ...] | None = None
        left: tuple[str, ...] = ()
        if tag is not None:
            target.untag(tag)
            tags = (tag,)
        else:
            kept = {cosign_tag(manifest.digest, ending) for ending in COSIGN_ENDINGS}
            with suppress(AccessError, RegistryError, UnsupportedError):  # what cannot be listed can be deleted still
                listed = list_tags(target, manifest.digest)
                if listed is not None:
                    left = tuple(sorted(listed & kept))
                    tags = tags_among(target, manifest.digest, listed - kept)
            target.delete(manifest)
    return Deleted(str(location), tag, manifest, tags, left)
