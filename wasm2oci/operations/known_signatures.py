"""The signatures that an artifact had when it was last fetched, for when the registry is not asked.

They are kept in the cache as they were found: documents by digest, and a list of them that a note names. Nothing of it
is trusted: each signature is verified again, for the same manifest, against what is asked for now. A signature that was
made or removed since is not seen.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.wire import load_object
from wasm2oci.operations.find_signatures import REFERRERS_MAX, FoundSignatures
from wasm2oci.signing.candidate import Candidate, RefusedSignature
from wasm2oci.signing.strict import DOCUMENT_MAX

if TYPE_CHECKING:
    from wasm2oci.content.cache import Cache
    from wasm2oci.oci.digest import Digest

__all__ = ["keep_signatures", "known_signatures"]

_TYPE: Final = "application/vnd.wasm2oci.signatures+json"
_KEPT_MAX: Final = 4 * REFERRERS_MAX
"""Documents of one manifest: those of referrers, and those under both legacy tags."""


def keep_signatures(cache: Cache, subject: Digest, found: FoundSignatures) -> None:
    """Keep what was found about a manifest.

    Raises:
        LocalIOError: the cache cannot be written.
    """
    entries = []
    for one in found.candidates[:_KEPT_MAX]:
        cache.keep(one.layer, BytesContent(one.raw))
        entries.append({"form": one.form, "origin": one.origin, "layer": one.layer.to_json()})
    raw = json.dumps({"signatures": entries}).encode()
    listing = Descriptor.of(_TYPE, raw)
    cache.keep(listing, BytesContent(raw))
    cache.remember_about(subject, listing)


def known_signatures(cache: Cache, subject: Digest) -> FoundSignatures | None:
    """What was found about a manifest when it was last fetched; None when that is not known."""
    listing = cache.recall_about(subject)
    raw = None if listing is None else _document(cache, listing)
    if raw is None:
        return None
    try:
        entries = load_object(raw, "list of signatures").get("signatures")
        read = [_entry(one) for one in entries] if isinstance(entries, list) else []
    except InvalidInputError:
        return None
    candidates, refusals = [], []
    for form, origin, layer in read[:_KEPT_MAX]:
        document = _document(cache, layer)
        if document is None:
            refusals.append(RefusedSignature(origin, "it is no longer in the cache"))
        else:
            candidates.append(Candidate(form, origin, document, layer))
    return FoundSignatures(tuple(candidates), tuple(refusals))


def _entry(value: Any) -> tuple[str, str, Descriptor]:
    fields = value if isinstance(value, dict) else {}
    form, origin = fields.get("form"), fields.get("origin")
    if not isinstance(form, str) or not isinstance(origin, str):
        raise InvalidInputError("an entry of the list of signatures is malformed")
    return form, origin, Descriptor.from_json(fields.get("layer"), "signature")


def _document(cache: Cache, descriptor: Descriptor) -> bytes | None:
    found = cache.find(descriptor) if descriptor.size <= DOCUMENT_MAX else None
    return None if found is None else b"".join(found)
