"""Resolve: which manifest a tag names now."""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Resolved", "pin", "resolve"]


class Resolved(NamedTuple):
    """A name, the same by digest, and the manifest or index that it means."""

    reference: str
    pinned: str
    manifest: "Descriptor"


def resolve(location: "Location", environment: "Environment", platform: str | None = None) -> Resolved:
    """The manifest that a location names, asked for without downloading it where the place allows that.

    With a platform (`os/architecture`) an index is read, and the manifest is its entry for that.

    Raises:
        NotFoundError: no artifact has this name.
        Wasm2OciError: the place cannot be read.
    """
    with environment.places() as places:
        target = places.read(location)
        manifest = target.resolve(places.identifier(location))
        if platform is not None:
            from wasm2oci.packager.recognise import find_manifest

            manifest = find_manifest(target, manifest, platform)[0]
    return Resolved(str(location), pinned(location, manifest.digest), manifest)


def pin(location: "Location", environment: "Environment") -> "Location":
    """The same location with the digest that its tag names now: what comes after means one artifact.

    Raises:
        NotFoundError: no artifact has this name.
        Wasm2OciError: the place cannot be read.
    """
    return (
        location
        if location.digest is not None
        else replace(location, digest=resolve(location, environment).manifest.digest)
    )
