"""Taking along what lies under the legacy tags of a manifest: signatures, attestations and SBOMs.

At the destination there may be signatures of others under the same tag: theirs stay, and ours are added.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from wasm2oci.content.copy import copy as copy_content
from wasm2oci.content.graph import ArtifactTooLargeError, read_manifest
from wasm2oci.content.pool import run_all
from wasm2oci.content.target import TagLister
from wasm2oci.content.verify import verified
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci.manifest import Index, Manifest, parse_manifest
from wasm2oci.oci.referrers import COSIGN_ENDINGS, cosign_tag, names_a_subject
from wasm2oci.operations.attach_signatures import add_layers
from wasm2oci.operations.find_signatures import read_tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.content.target import ReadTarget, Target
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest

__all__ = ["LegacyTags", "copy_legacy_signatures", "legacy_tags"]

_ASKED: Final = 16
"""Manifests whose legacy tags are asked for one by one."""
_ENDINGS: Final = tuple(f".{ending}" for ending in COSIGN_ENDINGS)
_PER_PAGE: Final = 100
"""Tags that one request of a listing gives, where the registry gives few."""


class LegacyTags:
    """Which legacy tags a place has, for one copy: one request for each tag of some manifests, one listing for many.

    A registry may leave such tags out of its listing. So the listing counts where it has some, and all that were found
    before.
    """

    def __init__(self, source: ReadTarget) -> None:
        self._source = source
        self._asked = 0
        self._found: set[str] = set()
        self._listed: set[str] | None = None

    def of(self, subject: Digest, expected: int) -> dict[str, tuple[Descriptor, bytes]]:
        """What is under the legacy tags of a manifest, by tag.

        Args:
            subject: the manifest.
            expected: manifests, this one included, that are going to be asked for.

        Raises:
            Wasm2OciError: the place cannot be read.
        """
        tags = [cosign_tag(subject, suffix) for suffix in COSIGN_ENDINGS]
        if self._asked == _ASKED:
            self._listed = self._list(_PER_PAGE * len(tags) * expected)
        self._asked += 1
        if self._listed is not None:
            tags = [tag for tag in tags if tag in self._listed]
        found: dict[str, tuple[Descriptor, bytes]] = {}
        if tags:
            run_all(partial(_look, self._source, found), tags, len(tags))
        self._found.update(found)
        return {tag: found[tag] for tag in tags if tag in found}

    def _list(self, most: int) -> set[str] | None:
        """The tags of the place; None where there are more than so many, or it may not list all."""
        if not isinstance(self._source, TagLister):
            return None
        try:
            tags = set(islice(self._source.tags(), most + 1))
        except Wasm2OciError:
            return None
        shown = any(names_a_subject(tag) and tag.endswith(_ENDINGS) for tag in tags)
        return tags if len(tags) <= most and shown and self._found <= tags else None


def copy_legacy_signatures(
    source: ReadTarget,
    root: Descriptor,
    destination: Target,
    pinned: Digest | None,
    size_max: int,
    *,
    tags: LegacyTags | None = None,
    artifacts: int = 1,
) -> tuple[str, ...]:
    """Copy what is under the legacy tags of a manifest, and of those that an index lists.

    Where `pinned` is another digest than the root's, nothing is copied: that copy is going to be refused. Several
    copies from one source share `tags`; `artifacts` of them, this one included, are to come.

    Returns:
        The tags that are at the destination now.

    Raises:
        ArtifactTooLargeError: there are more than `size_max` bytes under one tag.
        Wasm2OciError: either place failed.
    """
    if pinned is not None and pinned != root.digest:
        return ()
    done = []
    for tag, found in legacy_tags(source, root, tags or LegacyTags(source), artifacts):
        _copy_tag(source, found, destination, tag, size_max)
        done.append(tag)
    return tuple(done)


def legacy_tags(
    source: ReadTarget, root: Descriptor, tags: LegacyTags, artifacts: int
) -> Iterator[tuple[str, tuple[Descriptor, bytes]]]:
    """The legacy tags of a manifest, and of those that an index lists, each with what is there."""
    document = read_manifest(source, root)
    listed = (entry.digest for entry in (document.manifests if isinstance(document, Index) else ()))
    subjects = list(dict.fromkeys((root.digest, *listed)))
    for number, subject in enumerate(subjects):
        yield from tags.of(subject, len(subjects) - number + artifacts - 1).items()


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
