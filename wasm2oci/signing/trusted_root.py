"""Whom to trust for certificates and logs: Sigstore's `trusted_root.json`.

Spec: sigstore/protobuf-specs, sigstore_trustroot.proto (TrustedRoot).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.wire import load_object
from wasm2oci.signing.certificates import load_certificate
from wasm2oci.signing.strict import SignatureRefusedError, base64_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.trustedroot"
"""What the media types of all versions begin with."""

__all__ = ["Authority", "InvalidTrustedRootError", "Log", "TrustedRoot", "read_trusted_root"]


class InvalidTrustedRootError(InvalidInputError):
    """The file with trusted roots is damaged, or of another kind."""


class Log(NamedTuple):
    """A transparency log.

    Args:
        id: SHA-256 of its key, as entries name it.
        key: signs entries, checkpoints or certificate timestamps.
        start: from when on it is trusted.
        end: until when, or None.
    """

    id: bytes
    key: PublicKeyTypes
    start: datetime
    end: datetime | None

    def trusted_at(self, at: datetime) -> bool:
        """Whether it was trusted then."""
        return self.start <= at and (self.end is None or at <= self.end)


class Authority(NamedTuple):
    """A certificate authority: its certificates, the issuing one first, the root last."""

    chain: tuple[Certificate, ...]
    start: datetime
    end: datetime | None

    def trusted_at(self, at: datetime) -> bool:
        """Whether it was trusted then."""
        return self.start <= at and (self.end is None or at <= self.end)


class TrustedRoot(NamedTuple):
    """Everybody who is trusted.

    Args:
        raw: the document.
        authorities: issue certificates to signers.
        logs: of signatures (Rekor).
        certificate_logs: of certificates (RFC 6962).
    """

    raw: bytes
    authorities: tuple[Authority, ...]
    logs: tuple[Log, ...]
    certificate_logs: tuple[Log, ...]


def read_trusted_root(raw: bytes) -> TrustedRoot:
    """Reads `trusted_root.json`.

    Raises:
        InvalidTrustedRootError: it is damaged, or of another kind.
    """
    try:
        value = load_object(raw, "trusted root")
        if not str(value.get("mediaType")).startswith(_MEDIA_TYPE):
            raise InvalidTrustedRootError("not a Sigstore trusted root", hint="its mediaType names one")
        return TrustedRoot(
            raw,
            tuple(_authority(entry) for entry in value.get("certificateAuthorities") or ()),
            tuple(_log(entry) for entry in value.get("tlogs") or ()),
            tuple(_log(entry) for entry in value.get("ctlogs") or ()),
        )
    except InvalidInputError as error:
        raise InvalidTrustedRootError(error.message, hint=error.hint) from error
    except (SignatureRefusedError, KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm) as error:
        raise InvalidTrustedRootError("not a Sigstore trusted root, or a damaged one") from error


def _authority(entry: dict[str, Any]) -> Authority:
    certificates = entry["certChain"]["certificates"]
    chain = tuple(
        load_certificate(base64_bytes(one["rawBytes"], "a certificate"), "an authority") for one in certificates
    )
    return Authority(chain, *_period(entry.get("validFor")))


def _log(entry: dict[str, Any]) -> Log:
    key = entry["publicKey"]
    public = serialization.load_der_public_key(base64_bytes(key["rawBytes"], "the key of a log"))
    return Log(base64_bytes(entry["logId"]["keyId"], "the id of a log"), public, *_period(key.get("validFor")))


def _period(value: dict[str, Any] | None) -> tuple[datetime, datetime | None]:
    value = value or {}
    start, end = value.get("start"), value.get("end")
    return _time(start) if start else datetime.fromtimestamp(0, UTC), _time(end) if end else None


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
