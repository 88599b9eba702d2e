"""Artifacts that refer to another one: files with a type of their own, and a subject.

The same files, type, annotations and subject make the same digest: no date is written.
Spec: image-spec, manifest.md, Guidelines for Artifact Usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, TITLE, Descriptor
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.packager.annotations import check_annotations, check_text
from wasm2oci.packager.build import ManifestOversizeError
from wasm2oci.packager.json_bytes import compact_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wasm2oci.content.target import Content

__all__ = ["Referrer", "ReferrerFile", "build_referrer"]


class ReferrerFile(NamedTuple):
    """A file of such an artifact.

    Args:
        descriptor: media type, digest and size.
        title: the file name that a pull gives it.
        content: its bytes.
    """

    descriptor: Descriptor
    title: str | None
    content: Content


class Referrer(NamedTuple):
    """A built artifact.

    Args:
        root: its manifest.
        files: its files, each with its title.
        target: holds all of it, to copy it from.
    """

    root: Descriptor
    files: tuple[Descriptor, ...]
    target: MemoryTarget


def build_referrer(
    subject: Descriptor, artifact_type: str, files: Sequence[ReferrerFile], annotations: Mapping[str, str]
) -> Referrer:
    """Build the artifact; without files it has the empty layer, as the specification asks.

    Raises:
        InvalidMediaTypeError: the artifact type is no media type.
        InvalidAnnotationError: a title or an annotation cannot be written into a manifest.
        ManifestOversizeError: there is more in it than a manifest may hold.
    """
    mt.check(artifact_type)
    check_annotations(annotations)
    target = MemoryTarget()
    target.add(EMPTY_JSON, BytesContent(b"{}"))
    layers = []
    for file in files:
        titled = {} if file.title is None else {TITLE: check_text(file.title, "the title")}
        layer = file.descriptor._replace(annotations=titled)
        target.add(layer, file.content)
        layers.append(layer)
    plain = Descriptor(subject.media_type, subject.digest, subject.size)
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": EMPTY_JSON.to_json(),
        "layers": [layer.to_json() for layer in layers or [EMPTY_JSON]],
        "subject": plain.to_json(),
    }
    if annotations:
        value["annotations"] = dict(sorted(annotations.items()))
    raw = compact_json(value)
    if len(raw) > MANIFEST_MAX:
        raise ManifestOversizeError(f"the manifest would be {len(raw):,} bytes; registries take {MANIFEST_MAX:,}")
    root = Descriptor.of(mt.OCI_MANIFEST, raw)
    target.add(root, BytesContent(raw))
    return Referrer(root, tuple(layers), target)
