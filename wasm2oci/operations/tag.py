"""Tag: give an artifact further names where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.content.target import open_manifest
from wasm2oci.oci.reference import check_tag
from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Tagged", "tag"]


class Tagged(NamedTuple):
    """An artifact, and the tags it was given."""

    reference: str
    pinned: str
    tags: tuple[str, ...]
    manifest: Descriptor


def tag(location: Location, tags: tuple[str, ...], environment: Environment) -> Tagged:
    """Tag what a location names, without moving any blob."""
    for name in tags:
        check_tag(name)
    with environment.places() as places:
        target = places.change(location)
        manifest = open_manifest(target, places.identifier(location))
        for name in tags:
            target.tag(manifest, name)
    return Tagged(str(location), pinned(location, manifest.digest), tags, manifest)
