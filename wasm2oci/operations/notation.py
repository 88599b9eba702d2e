"""Notary Project signatures of an artifact, by notation's own trust policy and trust store.

$XDG_CONFIG_HOME/notation/trustpolicy.oci.json                    (or trustpolicy.json)
$XDG_CONFIG_HOME/notation/truststore/x509/KIND/NAME/*.{pem,crt,cer}
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import local_errors
from wasm2oci.base.homes import config_home
from wasm2oci.base.probe import has_file, is_folder
from wasm2oci.base.reading import read_found
from wasm2oci.errors import NotFoundError
from wasm2oci.operations.find_signatures import find_signatures
from wasm2oci.operations.guard import NotSignedError, SignaturesRefusedError, scope_name
from wasm2oci.signing.candidate import NOTATION_COSE, RefusedSignature
from wasm2oci.signing.certificates import load_certificate, load_pem_chain
from wasm2oci.signing.notation import read_signature
from wasm2oci.signing.notation_trust import InvalidTrustPolicyError, read_trust_policy
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.signing.notation_trust import NotationOutcome, TrustPolicy

__all__ = ["NoTrustPolicyError", "verify_notation"]

_POLICIES: Final = ("trustpolicy.oci.json", "trustpolicy.json")
_FILE_MAX: Final = 1024 * 1024
_CERTIFICATE_FILES: Final = frozenset({".pem", ".crt", ".cer"})

_COSE: Final = (
    "the envelope is COSE, and JWS is read here: verify it with `notation verify`, "
    "or sign again with `notation sign --signature-format jws`"
)


class NoTrustPolicyError(NotFoundError):
    """Notation's trust policy does not exist."""


def verify_notation(
    target: ReadTarget, location: Location, root: Descriptor, environment: Environment
) -> NotationOutcome | None:
    """Check the Notation signatures of a manifest: what came of the first that counts; None at the level `skip`.

    Raises:
        NoTrustPolicyError: there is no trust policy.
        InvalidTrustPolicyError: it is malformed, or a trust store holds something else than certificates.
        NotSignedError: there is no Notation signature.
        SignaturesRefusedError: none counts.
        Wasm2OciError: the place cannot be read.
    """
    folder = _folder(environment)
    statement = _policy(folder).for_repository(scope_name(location))
    if statement.skipped:
        return None
    stores = {name: _certificates(folder, name) for name in statement.stores}
    now = datetime.fromtimestamp(environment.clock(), UTC)
    found = find_signatures(target, root, attestations=False)
    refusals = list(found.refusals)
    for candidate in found.candidates:
        if candidate.form != "notation":
            continue
        try:
            if candidate.layer.media_type == NOTATION_COSE:
                raise SignatureRefusedError(_COSE)  # noqa: TRY301 - a refusal as the others
            return statement.evaluate(read_signature(candidate.raw), root, stores, now)
        except SignatureRefusedError as error:
            refusals.append(RefusedSignature(candidate.origin, error.message))
    if not refusals:
        raise NotSignedError(f"{location} has no Notation signature")
    unmet = f"{location}: no Notation signature meets the trust policy {statement.name!r}"
    raise SignaturesRefusedError(unmet, tuple(refusals))


def _folder(environment: Environment) -> Path:
    return config_home(environment.variables, environment.home) / "notation"


def _policy(folder: Path) -> TrustPolicy:
    for name in _POLICIES:
        path = folder / name
        if has_file(path):
            return read_trust_policy(_read(path))
    raise NoTrustPolicyError(f"there is no trust policy of notation: {folder / _POLICIES[0]}")


def _certificates(folder: Path, store: str) -> list[x509.Certificate]:
    kind, _, name = store.partition(":")
    place = folder / "truststore" / "x509" / kind / name
    if name in {"", ".", ".."} or not is_folder(place):
        return []
    found: list[x509.Certificate] = []
    with local_errors(place):
        paths = sorted(place.iterdir())
    for path in paths:
        if path.suffix not in _CERTIFICATE_FILES:
            continue
        raw = _read(path)
        try:
            if raw.startswith(b"-----"):
                found += load_pem_chain(raw.decode("ascii", "replace"), str(path))
            else:
                found.append(load_certificate(raw, str(path)))
        except SignatureRefusedError as error:
            raise InvalidTrustPolicyError(f"{path} is not a certificate") from error
    return found


def _read(path: Path) -> bytes:
    return read_found(path, _FILE_MAX, InvalidTrustPolicyError)
