"""Who refers to a manifest: what a listing shows, and the fallback tag where a registry has no such API.

Spec: distribution-spec, Listing Referrers, Referrers Tag Schema.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.digest import ALGORITHMS
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.oci.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest

__all__ = [
    "COSIGN_ENDINGS",
    "cosign_tag",
    "fallback_tag",
    "listed_as_referrer",
    "names_a_subject",
    "of_type",
    "referrers_index",
    "subject_of",
    "with_referrer",
    "without_referrer",
]

COSIGN_ENDINGS: Final = ("sig", "att", "sbom")
_MADE_FROM_A_DIGEST: Final = re.compile(
    rf"(?:{'|'.join(ALGORITHMS)})-[0-9a-f]{{64}}(?:[0-9a-f]{{64}})?(?:\.[A-Za-z0-9_.-]+)?\Z"
)


def fallback_tag(subject: Digest) -> str:
    """The tag under which a subject's referrers are listed by registries without the API.

    Spec: the algorithm cut to 32 characters, and the encoded part to 64.
    """
    return f"{subject.algorithm[:32]}-{subject.encoded[:64]}"


def cosign_tag(subject: Digest, ending: str) -> str:
    """The tag under which cosign keeps what belongs to a manifest; `ending` is one of `COSIGN_ENDINGS`."""
    return f"{subject.algorithm}-{subject.encoded}.{ending}"


def names_a_subject(tag: str) -> bool:
    """Whether a tag is made from the digest of another manifest, whose referrers or signatures are under it."""
    return _MADE_FROM_A_DIGEST.match(tag) is not None


def listed_as_referrer(digest: Digest, media_type: str, raw: bytes, subject: Digest | None = None) -> Descriptor | None:
    """How a listing of referrers shows a manifest: see `Manifest.as_referrer` and `Index.as_referrer`.

    Args:
        digest: of the manifest.
        media_type: of the manifest.
        raw: its bytes.
        subject: what it has to refer to; None if that is known.

    Returns:
        The entry, or None when it is not a manifest, or refers to something else.
    """
    try:
        document = parse_manifest(raw, media_type)
    except InvalidInputError:
        return None
    if subject is not None and (document.subject is None or document.subject.digest != subject):
        return None
    return document.as_referrer(digest.algorithm)


def subject_of(raw: bytes, media_type: str) -> Digest | None:
    """What a manifest refers to; None when it refers to nothing, or is not a manifest."""
    try:
        about = parse_manifest(raw, media_type).subject
    except InvalidInputError:
        return None
    return None if about is None else about.digest


def of_type(entries: Iterable[Descriptor], artifact_type: str | None) -> list[Descriptor]:
    """The entries of a listing that have this artifact type; all for None."""
    return [entry for entry in entries if artifact_type is None or entry.artifact_type == artifact_type]


def referrers_index(entries: Iterable[Descriptor]) -> dict[str, Any]:
    """A listing as a document: an index, empty when there are no entries."""
    return {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}


def with_referrer(index: bytes | None, referrer: Descriptor) -> bytes | None:
    """The index of a fallback tag with one more entry; None when it is there already.

    Args:
        index: the bytes under the tag now, an index; None when there is no such tag.
        referrer: the entry. What the index says besides is kept.
    """
    value, entries = _document(index)
    entry = referrer.to_json()
    return None if any(_has(other, entry["digest"]) for other in entries) else _encode(value, [*entries, entry])


def without_referrer(index: bytes | None, referrer: Digest) -> bytes | None:
    """The index of a fallback tag without the entries of a manifest; None when it has none."""
    value, entries = _document(index)
    left = [other for other in entries if not _has(other, str(referrer))]
    return _encode(value, left) if len(left) < len(entries) else None


def _document(index: bytes | None) -> tuple[dict[str, Any], list[Any]]:
    value = referrers_index(()) if index is None else load_object(index, "index")
    return value, list(value.get("manifests") or [])


def _has(entry: Any, digest: str) -> bool:
    return isinstance(entry, dict) and entry.get("digest") == digest


def _encode(value: dict[str, Any], entries: list[Any]) -> bytes:
    return json.dumps({**value, "manifests": entries}, separators=(",", ":"), ensure_ascii=False).encode()
