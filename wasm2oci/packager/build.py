"""Build an artifact from a module by a profile: bytes in, bytes out, the same for the same input.

It reads no file, no network and no clock: the artifact depends on the arguments only.
Spec: image-spec, manifest.md; Wasm OCI Artifact layout v0 (CNCF).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind, UnsupportedError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import TITLE, Descriptor
from wasm2oci.oci.manifest import Manifest, parse_manifest
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.packager.annotations import Annotations, InvalidAnnotationError, check_text
from wasm2oci.packager.artifact import Artifact
from wasm2oci.packager.choice import file_name
from wasm2oci.packager.config import EPOCH, ConfigFacts

if TYPE_CHECKING:
    from datetime import datetime

    from wasm2oci.packager.layer import Layer
    from wasm2oci.packager.module_source import ModuleSource
    from wasm2oci.packager.profiles import Profile

__all__ = ["ArtifactLabels", "AuthorNotTakenError", "ManifestOversizeError", "build"]


class AuthorNotTakenError(UnsupportedError):
    """The profile's config cannot record an author."""


class ManifestOversizeError(InvalidInputError):
    """The annotations make the manifest larger than registries take."""


class ArtifactLabels(NamedTuple):
    """What an artifact records about its module.

    Args:
        title: the file name that a pull should give it, or None for no title; not changed in any way.
        annotations: of manifest, config and layer.
        created: when it was made, with a time zone, or None.
        author: who made it, or None.
    """

    title: str | None = None
    annotations: Annotations = Annotations()
    created: datetime | None = None
    author: str | None = None


def build(module: ModuleSource, profile: Profile, labels: ArtifactLabels | None = None) -> Artifact:
    """Build the artifact of a module.

    Args:
        module: what is packed.
        profile: how.
        labels: title, annotations, date and author.

    Raises:
        InvalidAnnotationError: the title or the author cannot be written into a manifest, or the title is given twice.
        AuthorNotTakenError: an author was given, and the profile has no place for one.
        ManifestOversizeError: there is more in the annotations than a manifest may hold.
    """
    labels = labels or ArtifactLabels()
    # In an entrypoint, runwasi takes what follows a `#` as the name of a function.
    packed = profile.pack(module, file_name(labels.title, "", here=False).replace("#", "_"))
    annotations = _layer_annotations(labels, titled=profile.is_raw)
    layer = packed.descriptor._replace(media_type=profile.layer_type, annotations=annotations)
    config_bytes = profile.config(_facts(module, packed, profile, labels))
    config = Descriptor.of(profile.config_type, config_bytes, dict(sorted(labels.annotations.config.items())))
    value: dict[str, Any] = {"schemaVersion": 2}
    if profile.has_media_type:
        value["mediaType"] = mt.OCI_MANIFEST
    value |= {"config": config.to_json(), "layers": [layer.to_json()]}
    manifest_annotations = {**profile.annotations, **labels.annotations.manifest}
    if manifest_annotations:
        value["annotations"] = dict(sorted(manifest_annotations.items()))
    raw = profile.encode(value)
    if len(raw) > MANIFEST_MAX:
        raise ManifestOversizeError(f"the manifest would be {len(raw):,} bytes; registries take {MANIFEST_MAX:,}")
    manifest = parse_manifest(raw, mt.OCI_MANIFEST)
    assert isinstance(manifest, Manifest)  # noqa: S101 - what was just built has a config and layers
    blobs = ((config, BytesContent(config_bytes)), (layer, packed.content))
    return Artifact(profile.name, manifest, layer if profile.is_raw else module.descriptor, blobs)


def _layer_annotations(labels: ArtifactLabels, *, titled: bool) -> dict[str, str]:
    """The annotations of the layer. Where the layer is an archive, the title is the name of the file in it."""
    annotations = dict(labels.annotations.layer)
    if labels.title is not None and titled:
        if annotations.setdefault(TITLE, labels.title) != labels.title:
            raise InvalidAnnotationError(f"the module has two titles: {labels.title!r} and {annotations[TITLE]!r}")
        check_text(labels.title, "the title", remedy=Remedy(RemedyKind.GIVE_TITLE))
    return dict(sorted(annotations.items()))


def _facts(module: ModuleSource, layer: Layer, profile: Profile, labels: ArtifactLabels) -> ConfigFacts:
    if labels.author is not None:
        if not profile.takes_author:
            raise AuthorNotTakenError(
                f"profile {profile.name} cannot record an author",
                hint="annotate it with org.opencontainers.image.authors instead",
            )
        check_text(labels.author, "the author")
    return ConfigFacts(
        layers=(layer.descriptor.digest,),
        kind=module.kind,
        imports=module.imports,
        exports=module.exports,
        created=labels.created or EPOCH,
        author=labels.author,
        file=layer.file,
        diff_ids=() if layer.diff_id is None else (layer.diff_id,),
    )
