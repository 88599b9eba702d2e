"""Manifests and configs as bytes, one at a time: what scripts need below the level of artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.base.reading import read_named
from wasm2oci.content.target import open_manifest
from wasm2oci.errors import InvalidInputError
from wasm2oci.operations.names import pinned, tagged
from wasm2oci.operations.tag_state import check_tags_free

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["ConfigTooLargeError", "PutManifest", "put_manifest", "read_config"]


class ConfigTooLargeError(InvalidInputError):
    """A config is larger than this tool reads into memory."""


class PutManifest(NamedTuple):
    """A manifest that was pushed.

    Attributes:
        reference: where it is.
        pinned: the same by digest.
        manifest: its descriptor.
        tags: what it is called there.
    """

    reference: str
    pinned: str
    manifest: Descriptor
    tags: tuple[str, ...]


def put_manifest(
    raw: bytes | Path,
    location: Location,
    environment: Environment,
    *,
    further_tags: tuple[str, ...] = (),
    media_type: str | None = None,
    overwrite: bool = True,
) -> PutManifest:
    """Push a manifest or an index, exactly these bytes; what it names has to be there already.

    A location with a digest is one that the bytes have to have; one without tag and digest is the repository alone.
    """
    from wasm2oci.content.verify import BytesContent, DigestMismatchError, verified
    from wasm2oci.oci.manifest import InvalidManifestError, parse_manifest
    from wasm2oci.oci.wire import MANIFEST_MAX

    data = raw if isinstance(raw, bytes) else read_named(raw, MANIFEST_MAX, InvalidManifestError)
    if len(data) > MANIFEST_MAX:
        raise InvalidManifestError(f"a manifest has at most {MANIFEST_MAX:,} bytes")
    document = parse_manifest(data, media_type)
    manifest = document.descriptor() if location.digest is None else document.descriptor(location.digest.algorithm)
    if location.digest is not None and manifest.digest != location.digest:
        message = f"the manifest is {manifest.digest}, not {location.digest}"
        raise DigestMismatchError(message, hint="nothing was pushed")
    tags = (*((location.tag,) if location.tag else ()), *further_tags)
    with environment.places() as places:
        target = places.write(location)
        if not overwrite:
            check_tags_free(target, location, tags, manifest.digest)
        for tag in tags or (None,):
            target.push(manifest, verified(BytesContent(data), manifest), tag=tag)
    reference = tagged(location, tags[0]) if tags else pinned(location, manifest.digest)
    return PutManifest(reference, pinned(location, manifest.digest), manifest, tags)


def read_config(location: Location, environment: Environment, *, platform: str | None = None) -> bytes:
    """The bytes of an artifact's config, verified."""
    from wasm2oci.content.verify import read_all, verified
    from wasm2oci.oci.wire import CONFIG_MAX
    from wasm2oci.packager.recognise import find_manifest

    with environment.places() as places:
        target = places.read(location)
        _, manifest = find_manifest(target, open_manifest(target, places.identifier(location)), platform)
        config = manifest.config
        if config.size > CONFIG_MAX:
            raise ConfigTooLargeError(f"the config is {config.size:,} bytes; the limit is {CONFIG_MAX:,}")
        return read_all(verified(target.fetch(config), config), config, CONFIG_MAX)
