"""Signatures as they are found, before any is checked: nothing here needs cryptography."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["BUNDLES", "NOTATION_COSE", "NOTATION_JWS", "NOTATION_SIGNATURE", "Candidate", "RefusedSignature"]

BUNDLES: Final = "application/vnd.dev.sigstore.bundle"
"""What the media types of all versions of a Sigstore bundle begin with."""
NOTATION_SIGNATURE: Final = "application/vnd.cncf.notary.signature"
"""Artifact type of a manifest that holds a Notation signature."""
NOTATION_JWS: Final = "application/jose+json"
NOTATION_COSE: Final = "application/cose"


class Candidate(NamedTuple):
    """A signature or attestation that was found, and not checked.

    Args:
        form: `simple signing`, `bundle`, `dsse` (a legacy attestation) or `notation`.
        origin: where it was found, for people: its digest.
        raw: the payload, bundle or envelope.
        layer: its descriptor.
    """

    form: str
    origin: str
    raw: bytes
    layer: Descriptor


class RefusedSignature(NamedTuple):
    """A signature that does not count: where it was found, and why."""

    origin: str
    reason: str
