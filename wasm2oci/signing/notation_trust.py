"""Notation's trust policy and trust store: which Notary Project signatures count for which repositories.

    {"version": "1.0", "trustPolicies": [{"name": "...", "registryScopes": ["HOST/REPOSITORY" | "*"],
      "signatureVerification": {"level": "strict|permissive|audit|skip", "override": {"expiry": "log"}},
      "trustStores": ["ca:NAME"], "trustedIdentities": ["x509.subject: C=..., ST=..., O=..." | "*"]}]}

Each level says for five checks whether a failure is enforced, only logged, or the check is skipped. Integrity is always
enforced. Of the five, revocation needs a question to the authority, which is not asked here: a chain that names no
place to ask passes, as it does in notation; any other fails the check, so `strict` refuses it and `permissive` logs it.

Spec: notaryproject/specifications, trust-store-trust-policy.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.wire import load_object
from wasm2oci.signing.certificates import build_chain
from wasm2oci.signing.claim import Claim
from wasm2oci.signing.policy import scope_of
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.signing.notation import NotationSignature

__all__ = ["InvalidTrustPolicyError", "NotationOutcome", "TrustPolicy", "TrustStatement", "read_trust_policy"]

_CHECKS: Final = ("authenticity", "authenticTimestamp", "expiry", "revocation")
_ENFORCE, _LOG, _SKIP = "enforce", "log", "skip"
_LEVELS: Final[dict[str, tuple[str, ...]]] = {
    "strict": (_ENFORCE, _ENFORCE, _ENFORCE, _ENFORCE),
    "permissive": (_ENFORCE, _LOG, _LOG, _LOG),
    "audit": (_LOG, _LOG, _LOG, _LOG),
    "skip": (_SKIP, _SKIP, _SKIP, _SKIP),
}
"""Level -> what to do about a failure of each of `_CHECKS`."""
_STORE_KINDS: Final = ("ca:", "signingAuthority:", "tsa:")
_ATTRIBUTES: Final = {
    "CN": NameOID.COMMON_NAME,
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "STREET": NameOID.STREET_ADDRESS,
}
_SUBJECT: Final = "x509.subject:"


class InvalidTrustPolicyError(InvalidInputError):
    """A Notation trust policy is malformed or contradicts itself."""


class NotationOutcome(NamedTuple):
    """What came of a signature that counts.

    Args:
        claim: what was signed.
        signer: subject of the signer's certificate.
        logged: checks that failed and are only logged at this level.
        unchecked: what was not looked at.
    """

    claim: Claim
    signer: str
    logged: tuple[str, ...]
    unchecked: tuple[str, ...]


class TrustStatement(NamedTuple):
    """One trust policy.

    Args:
        name: of the policy.
        scopes: repositories (`HOST/REPOSITORY`), or `*`.
        actions: check -> `enforce`, `log` or `skip`.
        skipped: whether the level is `skip`: nothing is verified.
        stores: names of trust stores, `ca:NAME` and so on.
        identities: subjects of certificates, each as attribute -> value; None means any.
    """

    name: str
    scopes: tuple[str, ...]
    actions: Mapping[str, str]
    skipped: bool
    stores: tuple[str, ...]
    identities: tuple[Mapping[str, str], ...] | None

    def evaluate(
        self,
        signature: NotationSignature,
        subject: Descriptor,
        stores: Mapping[str, Sequence[x509.Certificate]],
        now: datetime,
    ) -> NotationOutcome:
        """Decides about a signature.

        Args:
            signature: read, and whole.
            subject: descriptor of the manifest that should be signed.
            stores: trusted certificates by the name of their store.
            now: the present time.

        Raises:
            SignatureRefusedError: it is about another artifact, or a check that is enforced fails.
        """
        target = signature.target
        if (target.digest, target.size, target.media_type) != (subject.digest, subject.size, subject.media_type):
            raise SignatureRefusedError(f"another artifact was signed: {target.digest}, not {subject.digest}")
        logged: list[str] = []
        self._do("authenticity", lambda: self._check_authenticity(signature, stores), logged)
        self._do("authenticTimestamp", lambda: _check_times(signature, now), logged)
        self._do("expiry", lambda: _check_expiry(signature, now), logged)
        self._do("revocation", lambda: _check_revocation(signature), logged)
        unchecked = ["the RFC 3161 timestamp"] if signature.timestamped else []
        unchecked += [check for check in _CHECKS if self.actions[check] == _SKIP]
        claim = Claim("notation", subject.digest, None, dict(target.annotations))
        return NotationOutcome(claim, signature.chain[0].subject.rfc4514_string(), tuple(logged), tuple(unchecked))

    def _do(self, check: str, run: Any, logged: list[str]) -> None:
        action = self.actions[check]
        if action == _SKIP:
            return
        try:
            run()
        except SignatureRefusedError as error:
            if action == _ENFORCE:
                raise
            logged.append(f"{check}: {error.message}")

    def _check_authenticity(
        self, signature: NotationSignature, stores: Mapping[str, Sequence[x509.Certificate]]
    ) -> None:
        roots = [one for name in self.stores if name.startswith(signature.store + ":") for one in stores.get(name, ())]
        if not roots:
            raise SignatureRefusedError(
                f"the trust policy {self.name!r} names no {signature.store} store with certificates"
            )
        # The time is another check (authenticTimestamp): here only the chain counts.
        build_chain(signature.chain[0], signature.chain[1:], roots, signature.chain[0].not_valid_before_utc)
        if self.identities is not None and not any(
            _has_attributes(signature.chain[0].subject, wanted) for wanted in self.identities
        ):
            shown = signature.chain[0].subject.rfc4514_string()[:120]
            raise SignatureRefusedError(f"the signer {shown!r} is not one of the trusted identities of {self.name!r}")


def _check_times(signature: NotationSignature, now: datetime) -> None:
    at = signature.signed_at if signature.store == "signingAuthority" else now
    for certificate in signature.chain:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            name = certificate.subject.rfc4514_string()[:120]
            raise SignatureRefusedError(f"the certificate {name!r} is not valid at {at:%Y-%m-%d %H:%M:%S} UTC")


def _check_expiry(signature: NotationSignature, now: datetime) -> None:
    if signature.expires is not None and now >= signature.expires:
        raise SignatureRefusedError(f"the Notation signature expired at {signature.expires:%Y-%m-%d %H:%M:%S} UTC")


def _check_revocation(signature: NotationSignature) -> None:
    for certificate in signature.chain:
        for kind in (x509.CRLDistributionPoints, x509.AuthorityInformationAccess):
            try:
                certificate.extensions.get_extension_for_class(kind)
            except x509.ExtensionNotFound:
                continue
            except ValueError as error:
                raise SignatureRefusedError("the extensions of a certificate are damaged") from error
            raise SignatureRefusedError("whether the certificates were revoked is not checked here")


def _has_attributes(subject: x509.Name, wanted: Mapping[str, str]) -> bool:
    return all(
        any(found.value == value for found in subject.get_attributes_for_oid(_ATTRIBUTES[name]))
        for name, value in wanted.items()
    )


class TrustPolicy(NamedTuple):
    """All policies of a file."""

    statements: tuple[TrustStatement, ...]

    def for_repository(self, repository: str) -> TrustStatement:
        """The policy of a repository: the one that names it, else the one for `*`.

        Raises:
            SignatureRefusedError: there is none.
        """
        for wanted in (repository, "*"):
            for statement in self.statements:
                if wanted in statement.scopes:
                    return statement
        raise SignatureRefusedError(f"no Notation trust policy covers {repository}")


def read_trust_policy(raw: bytes) -> TrustPolicy:
    """Reads `trustpolicy.oci.json` or `trustpolicy.json`.

    Raises:
        InvalidTrustPolicyError: it is malformed, or two policies cover one repository.
    """
    try:
        value = load_object(raw, "trust policy")
    except InvalidInputError as error:
        raise InvalidTrustPolicyError(error.message) from error
    entries = value.get("trustPolicies")
    if value.get("version") != "1.0" or not isinstance(entries, list) or not entries:
        raise InvalidTrustPolicyError("not a Notation trust policy of version 1.0")
    statements = tuple(_statement(entry) for entry in entries)
    names = [statement.name for statement in statements]
    scopes = [scope for statement in statements for scope in statement.scopes]
    for what, texts in (("name", names), ("scope", scopes)):
        twice = next((text for text in texts if texts.count(text) > 1), None)
        if twice is not None:
            raise InvalidTrustPolicyError(f"two trust policies have the {what} {twice!r}")
    return TrustPolicy(statements)


def _statement(entry: object) -> TrustStatement:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise InvalidTrustPolicyError("a trust policy has no name")
    name = entry["name"]
    scopes = _texts(entry, "registryScopes", name)
    if not scopes or ("*" in scopes and len(scopes) > 1):
        raise InvalidTrustPolicyError(f"trust policy {name!r}: registryScopes are repositories, or only '*'")
    scopes = tuple(scope if scope == "*" else _repository(scope, name) for scope in scopes)
    verification = entry.get("signatureVerification")
    level = verification.get("level") if isinstance(verification, dict) else None
    if not isinstance(verification, dict) or not isinstance(level, str) or level not in _LEVELS:
        raise InvalidTrustPolicyError(f"trust policy {name!r}: the level is none of {', '.join(_LEVELS)}")
    actions = dict(zip(_CHECKS, _LEVELS[level], strict=True))
    override = verification.get("override") or {}
    if not isinstance(override, dict) or not all(
        check in _CHECKS and action in (_ENFORCE, _LOG, _SKIP) for check, action in override.items()
    ):
        raise InvalidTrustPolicyError(f"trust policy {name!r}: override names a check or an action that is unknown")
    actions.update(override)
    stores = _texts(entry, "trustStores", name)
    if not all(store.startswith(_STORE_KINDS) and not set(store.partition(":")[2]) & set("/\\") for store in stores):
        raise InvalidTrustPolicyError(f"trust policy {name!r}: a trust store looks like ca:NAME")
    identities = _identities(_texts(entry, "trustedIdentities", name), name)
    if level != "skip" and (not stores or identities == ()):
        raise InvalidTrustPolicyError(f"trust policy {name!r} has no trust stores or no trusted identities")
    return TrustStatement(name, scopes, actions, level == "skip", stores, identities)


def _repository(scope: str, name: str) -> str:
    try:
        place = Reference.parse(scope)
    except InvalidInputError as error:
        raise InvalidTrustPolicyError(f"trust policy {name!r}: {scope[:120]!r}: {error.message}") from error
    if place.identifier is not None:
        raise InvalidTrustPolicyError(f"trust policy {name!r}: {scope[:120]!r} names more than a repository")
    return scope_of(place.host, place.repository)


def _texts(entry: dict[str, Any], key: str, name: str) -> tuple[str, ...]:
    found = entry.get(key) or []
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise InvalidTrustPolicyError(f"trust policy {name!r}: {key} is not a list of texts")
    return tuple(found)


def _identities(texts: tuple[str, ...], name: str) -> tuple[Mapping[str, str], ...] | None:
    if texts == ("*",):
        return None
    found = []
    for text in texts:
        if not text.startswith(_SUBJECT):
            raise InvalidTrustPolicyError(
                f"trust policy {name!r}: a trusted identity looks like x509.subject: C=..., O=..."
            )
        attributes: dict[str, str] = {}
        for part in _split(text.removeprefix(_SUBJECT)):
            key, equals, value = part.partition("=")
            key = key.strip().upper()
            if not equals or key not in _ATTRIBUTES or key in attributes:
                raise InvalidTrustPolicyError(
                    f"trust policy {name!r}: {text[:120]!r} is not a subject that can be read"
                )
            attributes[key] = value.strip()
        if not {"C", "O"} <= attributes.keys() or not {"ST", "S"} & attributes.keys():
            raise InvalidTrustPolicyError(f"trust policy {name!r}: a trusted identity needs C, ST and O")
        found.append(attributes)
    return tuple(found)


def _split(text: str) -> list[str]:
    """The attributes of a subject; a comma after a backslash belongs to the value."""
    parts, current, escaped = [], "", False
    for char in text:
        if char == "," and not escaped:
            parts.append(current)
            current = ""
        elif char == "\\" and not escaped:
            escaped = True
            continue
        else:
            current += char
        escaped = False
    return [*parts, current]
