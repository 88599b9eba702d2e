"""Tag: give an artifact further names where it is."""

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.oci.reference import check_tag

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Tagged", "tag"]


class Tagged(NamedTuple):
    """The manifest, and the tags it has got."""

    manifest: "Descriptor"
    tags: tuple[str, ...]


def tag(location: "Location", names: tuple[str, ...], environment: "Environment") -> Tagged:
    """Tag what a location names, without moving any blob.

    Raises:
        InvalidReferenceError: a name is not a tag; nothing was done.
        NotFoundError: the location names nothing.
        Wasm2OciError: the place cannot be read or written.
    """
    for name in names:
        check_tag(name)
    with environment.places() as places:
        places.read(location)  # a layout that is not there must not be made by tagging in it
        target = places.write(location)
        manifest = target.resolve(places.identifier(location))
        for name in names:
            target.tag(manifest, name)
    return Tagged(manifest, names)
