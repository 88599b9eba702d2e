"""What a signature turned out to say, once it was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.oci.digest import Digest

__all__ = ["Claim", "Identity", "Signer"]


class Identity(NamedTuple):
    """Who a certificate was issued to.

    Args:
        subject: the subject alternative name: an e-mail address or a URI.
        issuer: the OpenID Connect issuer that vouched for it.
        repository: the repository of a CI job, as `https://github.com/OWNER/REPO`, or None.
        reference: the branch or tag of a CI job, as `refs/heads/main`, or None.
        workflow: the workflow file of a CI job with its reference, or None.
    """

    subject: str
    issuer: str
    repository: str | None = None
    reference: str | None = None
    workflow: str | None = None


class Claim(NamedTuple):
    """What was signed.

    Args:
        format: `bundle`, `simple signing`, `dsse` or `notation`.
        subject: digest of the manifest.
        predicate_type: what kind of statement; None for simple signing and Notation.
        annotations: what the signer added, as `-a KEY=VALUE`.
        predicate: the statement's predicate; None where there is none.
        repository: the name that the signer wrote down, unchecked; None where there is none.
    """

    format: str
    subject: Digest
    predicate_type: str | None
    annotations: Mapping[str, str]
    predicate: object = None
    repository: str | None = None


class Signer(NamedTuple):
    """A signature that was checked: what it states, and its signer.

    Args:
        claim: what was signed.
        key_id: SHA-256 of the public key, in hex; None for a certificate.
        identity: of the certificate; None for a key.
    """

    claim: Claim
    key_id: str | None = None
    identity: Identity | None = None

    @property
    def name(self) -> str:
        """Who signed, in one line: `key 0123456789ab`, or subject and issuer."""
        if self.identity is not None:
            return f"{self.identity.subject} ({self.identity.issuer})"
        return f"key {(self.key_id or '')[:12]}"
