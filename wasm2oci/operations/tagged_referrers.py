"""What cosign keeps about a manifest under tags, as a listing of referrers shows what has a subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.errors import AccessError, IntegrityError, InvalidInputError, RegistryError, UnsupportedError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.manifest import Manifest, parse_manifest
from wasm2oci.oci.referrers import COSIGN_ENDINGS, cosign_tag
from wasm2oci.operations.find_signatures import read_tagged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.operations.environment import Environment

__all__ = ["TaggedReferrer", "tagged_referrers", "tagged_referrers_or_warning"]


class TaggedReferrer(NamedTuple):
    """A manifest under one of cosign's tags.

    Attributes:
        tag: under which it is.
        manifest: its descriptor; the type of its first layer is its artifact type, since that says what it is.
    """

    tag: str
    manifest: Descriptor


def tagged_referrers(
    target: ReadTarget, subject: Descriptor, endings: Sequence[str] = COSIGN_ENDINGS
) -> tuple[TaggedReferrer, ...]:
    """The manifests under the tags with these endings; other content under them is left out.

    Raises:
        Wasm2OciError: the place cannot be read.
    """
    found = []
    for ending in endings:
        tag = cosign_tag(subject.digest, ending)
        try:
            there = read_tagged(target, tag)
            if there is None or there[0].digest == subject.digest:  # GitLab reads some tags as digests
                continue
            document = parse_manifest(there[1], there[0].media_type)
        except InvalidInputError:
            continue
        layers = document.layers if isinstance(document, Manifest) else ()
        kind = layers[0].media_type if layers else document.effective_type
        manifest = Descriptor(there[0].media_type, there[0].digest, there[0].size, artifact_type=kind)
        found.append(TaggedReferrer(tag, manifest))
    return tuple(found)


def tagged_referrers_or_warning(
    target: ReadTarget, subject: Descriptor, environment: Environment, endings: Sequence[str] = COSIGN_ENDINGS
) -> tuple[TaggedReferrer, ...]:
    """What `tagged_referrers` gives; nothing, and a warning, where the place refuses."""
    try:
        return tagged_referrers(target, subject, endings)
    except (AccessError, IntegrityError, RegistryError, UnsupportedError) as error:  # cosign#2973
        environment.warn(f"what cosign keeps under tags cannot be listed: {error.message}")
        return ()
