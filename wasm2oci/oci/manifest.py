"""Manifests and indexes, with the bytes they came as.

The raw bytes are the identity: nothing fetched is ever encoded again.
Spec: image-spec, manifest.md and image-index.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.base.values import Value
from wasm2oci.errors import InvalidInputError, RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor, annotations_from
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.wire import MANIFEST_MAX, load_object

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Index", "InvalidManifestError", "Manifest", "ManifestTooLargeError", "parse_manifest"]


class InvalidManifestError(InvalidInputError):
    """The document is not the manifest or index that it claims to be."""


class ManifestTooLargeError(RegistryError):
    """A manifest is larger than `MANIFEST_MAX` bytes."""


class _Document(Value):
    """What manifests and indexes share."""

    __slots__ = ()
    raw: bytes
    media_type: str

    def __hash__(self) -> int:
        return hash(self.raw)

    def descriptor(self, algorithm: str = "sha256") -> Descriptor:
        """The descriptor of this document's own bytes."""
        return Descriptor(self.media_type, Digest.of(self.raw, algorithm), len(self.raw))


class Manifest(_Document):
    """An image manifest: a config and ordered layers (OCI, or Docker schema 2)."""

    __slots__ = ("annotations", "artifact_type", "config", "layers", "media_type", "raw", "subject")
    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str | None
    subject: Descriptor | None
    annotations: Mapping[str, str]

    def __init__(
        self,
        *,
        raw: bytes,
        media_type: str,
        config: Descriptor,
        layers: tuple[Descriptor, ...],
        artifact_type: str | None,
        subject: Descriptor | None,
        annotations: Mapping[str, str],
    ) -> None:
        self._set(
            raw=raw,
            media_type=media_type,
            config=config,
            layers=layers,
            artifact_type=artifact_type,
            subject=subject,
            annotations=annotations,
        )

    @property
    def effective_type(self) -> str:
        """What kind of artifact this is: `artifactType`, else the config's media type."""
        return self.artifact_type or self.config.media_type

    def as_referrer(self, algorithm: str = "sha256") -> Descriptor:
        """How a listing of referrers shows this: with its effective type and its annotations.

        Spec: distribution-spec, Listing Referrers.
        """
        return self.descriptor(algorithm)._replace(artifact_type=self.effective_type, annotations=self.annotations)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What must exist for this to be whole, config first; the subject is not one of them."""
        return (self.config, *self.layers)


class Index(_Document):
    """An index: a list of manifests (OCI, or a Docker manifest list)."""

    __slots__ = ("annotations", "artifact_type", "manifests", "media_type", "raw", "subject")
    raw: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]
    artifact_type: str | None
    subject: Descriptor | None
    annotations: Mapping[str, str]

    def __init__(
        self,
        *,
        raw: bytes,
        media_type: str,
        manifests: tuple[Descriptor, ...],
        artifact_type: str | None,
        subject: Descriptor | None,
        annotations: Mapping[str, str],
    ) -> None:
        self._set(
            raw=raw,
            media_type=media_type,
            manifests=manifests,
            artifact_type=artifact_type,
            subject=subject,
            annotations=annotations,
        )

    @property
    def effective_type(self) -> str:
        """`artifactType`, else the index's own media type."""
        return self.artifact_type or self.media_type

    def as_referrer(self, algorithm: str = "sha256") -> Descriptor:
        """How a listing of referrers shows this: with its annotations, and an artifact type only if it has one.

        Spec: distribution-spec, Listing Referrers.
        """
        return self.descriptor(algorithm)._replace(artifact_type=self.artifact_type, annotations=self.annotations)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests it lists; the subject is not one of them."""
        return self.manifests


def parse_manifest(raw: bytes, content_type: str | None = None) -> Manifest | Index:
    """Read a manifest or an index.

    Args:
        raw: its bytes.
        content_type: the media type that the registry or the descriptor gives it (parameters allowed), or None.

    Raises:
        ManifestTooLargeError: more than `MANIFEST_MAX` bytes.
        InvalidInputError: not JSON, not of a known type, or its own `mediaType`, its shape and `content_type` do not
            agree (the type confusion of CVE-2021-41190).
    """
    if len(raw) > MANIFEST_MAX:
        raise ManifestTooLargeError(f"manifest is {len(raw):,} bytes; the limit is {MANIFEST_MAX:,}")
    value = load_object(raw, "manifest")
    said, own = mt.essence(content_type) if content_type else None, value.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise InvalidManifestError("mediaType of the manifest is not a string")
    if said is not None and own is not None and said != own:
        raise InvalidManifestError(f"manifest says it is {own[:80]!r}, but was sent as {said[:80]!r}")
    has_manifests, has_layers = "manifests" in value, "layers" in value or "config" in value
    if has_manifests and has_layers:
        raise InvalidManifestError("manifest is both an index and an image: it has manifests and config or layers")
    media_type = own or said or (mt.OCI_INDEX if has_manifests else mt.OCI_MANIFEST)
    if "schemaVersion" not in value:
        raise InvalidManifestError("not a manifest: it has no schemaVersion")
    if value["schemaVersion"] != 2 or isinstance(value["schemaVersion"], bool):
        raise InvalidManifestError(
            f"manifest has schemaVersion {value['schemaVersion']!r}, not 2",
            hint="push it again with a current tool",
        )
    if media_type in mt.INDEXES and not has_layers:
        return _index(raw, media_type, value)
    if media_type in mt.MANIFESTS and not has_manifests:
        return _manifest(raw, media_type, value)
    raise InvalidManifestError(f"not a manifest that is understood: {media_type[:120]!r}")


def _manifest(raw: bytes, media_type: str, value: dict[str, Any]) -> Manifest:
    layers = value.get("layers")
    if not isinstance(layers, list):
        raise InvalidManifestError("manifest has no list of layers")
    return Manifest(
        raw=raw,
        media_type=media_type,
        config=Descriptor.from_json(value.get("config"), "config"),
        layers=tuple(Descriptor.from_json(layer, f"layer {number}") for number, layer in enumerate(layers)),
        artifact_type=_artifact_type(value),
        subject=_subject(value),
        annotations=annotations_from(value.get("annotations"), "manifest"),
    )


def _index(raw: bytes, media_type: str, value: dict[str, Any]) -> Index:
    manifests = value.get("manifests")
    if manifests is None:
        manifests = []
    if not isinstance(manifests, list):
        raise InvalidManifestError("index has no list of manifests")
    return Index(
        raw=raw,
        media_type=media_type,
        manifests=tuple(Descriptor.from_json(item, f"manifest {number}") for number, item in enumerate(manifests)),
        artifact_type=_artifact_type(value),
        subject=_subject(value),
        annotations=annotations_from(value.get("annotations"), "index"),
    )


def _artifact_type(value: dict[str, Any]) -> str | None:
    artifact_type = value.get("artifactType")
    if artifact_type is not None and not isinstance(artifact_type, str):
        raise InvalidManifestError("artifactType of the manifest is not a string")
    return artifact_type or None


def _subject(value: dict[str, Any]) -> Descriptor | None:
    subject = value.get("subject")
    return None if subject is None else Descriptor.from_json(subject, "subject")
