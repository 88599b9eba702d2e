"""Taking along what lies under the legacy tags of a manifest: signatures, attestations and SBOMs.

At the destination there may be signatures of others under the same tag: theirs stay, and ours are added.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wasm2oci.content.copy import copy as copy_content
from wasm2oci.content.graph import ArtifactTooLargeError, read_manifest
from wasm2oci.content.pool import run_all
from wasm2oci.content.verify import verified
from wasm2oci.oci.manifest import Index, Manifest, parse_manifest
from wasm2oci.oci.referrers import COSIGN_ENDINGS, cosign_tag
from wasm2oci.operations.attach_signatures import add_layers
from wasm2oci.operations.find_signatures import read_tagged

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.content.target import ReadTarget, Target
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest

__all__ = ["copy_legacy_signatures"]


def copy_legacy_signatures(
    source: ReadTarget, root: Descriptor, destination: Target, pinned: Digest | None, size_max: int
) -> None:
    """Copies what is under the legacy tags of a manifest, and of those that an index lists.

    Args:
        source: where they are.
        root: the manifest.
        destination: where they go.
        pinned: another digest than the root's copies nothing: the copy of the artifact is going to be refused.

        size_max: bytes of what is under one tag.

    Raises:
        ArtifactTooLargeError: it has more.
        Wasm2OciError: either place failed.
    """
    if pinned is not None and pinned != root.digest:
        return
    document = read_manifest(source, root)
    listed = (entry.digest for entry in (document.manifests if isinstance(document, Index) else ()))
    for subject in dict.fromkeys((root.digest, *listed)):
        tags = [cosign_tag(subject, suffix) for suffix in COSIGN_ENDINGS]
        found: dict[str, tuple[Descriptor, bytes]] = {}
        run_all(partial(_look, source, found), tags, len(tags))
        for tag in tags:
            if tag in found:
                _copy_tag(source, found[tag], destination, tag, size_max)


def _look(source: ReadTarget, found: dict[str, tuple[Descriptor, bytes]], tag: str, check: Callable[[], None]) -> None:
    check()
    tagged = read_tagged(source, tag)
    if tagged is not None:
        found[tag] = tagged


def _copy_tag(
    source: ReadTarget, found: tuple[Descriptor, bytes], destination: Target, tag: str, size_max: int
) -> None:
    descriptor, raw = found
    there = read_tagged(destination, tag)
    if there is not None and there[0].digest == descriptor.digest:
        return
    document = parse_manifest(raw, descriptor.media_type)
    if there is None or not isinstance(document, Manifest):
        copy_content(source, descriptor, destination, tag, size_max=size_max)
        return
    if sum(layer.size for layer in document.layers) > size_max:
        raise ArtifactTooLargeError(f"{tag} has more than {size_max:,} bytes")
    for layer in document.layers:
        destination.push(layer, verified(source.fetch(layer), layer))
    add_layers(destination, tag, document.layers)
