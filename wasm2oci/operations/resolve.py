"""Resolve: which manifest a tag names now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.operations.names import pinned

if TYPE_CHECKING:
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Resolved", "entry_for", "pin", "resolve"]


class Resolved(NamedTuple):
    """A name, the same by digest, and the manifest or index that it means."""

    reference: str
    pinned: str
    manifest: Descriptor


def resolve(location: Location, environment: Environment, platform: str | None = None) -> Resolved:
    """The manifest that a location names, without downloading it where the place allows that.

    With a platform (`os/architecture`) an index is read, and the manifest is its entry for that.
    """
    with environment.places() as places:
        target = places.read(location)
        manifest = entry_for(target, target.resolve(places.identifier(location)), platform)
    return Resolved(str(location), pinned(location, manifest.digest), manifest)


def entry_for(source: ReadTarget, root: Descriptor, platform: str | None) -> Descriptor:
    """The manifest of an index that is for this platform; the root itself where none is asked for.

    Raises:
        NoModuleError: there is none.
        ChoiceNeededError: there are several.
        Wasm2OciError: the source cannot be read.
    """
    if platform is None:
        return root
    from wasm2oci.packager.recognise import find_manifest

    return find_manifest(source, root, platform)[0]


def pin(location: Location, environment: Environment) -> Location:
    """The same location with the digest that its tag names now: what comes after means one artifact.

    Raises:
        NotFoundError: no artifact has this name.
        Wasm2OciError: the place cannot be read.
    """
    return (
        location
        if location.digest is not None
        else location._replace(digest=resolve(location, environment).manifest.digest)
    )
