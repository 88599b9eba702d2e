"""Certificates of signers: the chain to a trusted root at a given time, and the identity that a certificate names.

The path is built from the leaf upwards. Each step checks the signature, the period of validity, that the issuer may
sign certificates, and that no critical extension goes unread. Revocation is not checked.

Spec: RFC 5280, section 6.1; sigstore/fulcio, docs/oid-info.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from wasm2oci.signing.claim import Identity
from wasm2oci.signing.der import UTF8, InvalidDerError, elements
from wasm2oci.signing.strict import MalformedSignatureError, SignatureRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

__all__ = [
    "CHAIN_MAX",
    "build_chain",
    "check_code_signing",
    "check_leaf",
    "identity",
    "load_certificate",
    "load_pem_chain",
    "signer_key",
]

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
CHAIN_MAX: Final = 8
"""Certificates of a chain, and certificates that a signer may send along."""
_FULCIO: Final = "1.3.6.1.4.1.57264.1."
_READ: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
"""Extensions that are obeyed here, and so may be critical."""
_CODE: Final = frozenset({ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
_OTHER_PURPOSES: Final = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)
"""What a signer's certificate may not be for besides."""
_DAMAGED: Final = (
    ValueError,
    InternalError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises about a certificate; it reads names, extensions and keys only when they are asked for."""


def load_certificate(data: bytes, what: str) -> x509.Certificate:
    """Reads a certificate in DER.

    Raises:
        MalformedSignatureError: it is none, or its names or extensions are damaged.
    """
    return _loaded(lambda: [x509.load_der_x509_certificate(data)], what)[0]


def load_pem_chain(text: str, what: str) -> list[x509.Certificate]:
    """Reads up to `CHAIN_MAX` certificates in PEM.

    Raises:
        MalformedSignatureError: there are none, or too many, or one is damaged.
    """
    if text.count("-----BEGIN CERTIFICATE-----") > CHAIN_MAX:
        raise MalformedSignatureError(f"{what} has more than {CHAIN_MAX} certificates")
    return _loaded(lambda: x509.load_pem_x509_certificates(text.encode()), what)


def _loaded(load: Callable[[], list[x509.Certificate]], what: str) -> list[x509.Certificate]:
    try:
        found = load()
        for one in found:
            _ = one.subject, one.issuer, one.extensions
        return found
    except _DAMAGED as error:
        raise MalformedSignatureError(f"{what} is not a certificate that can be read") from error


def signer_key(certificate: x509.Certificate) -> Any:
    """The public key of a certificate, of any kind that the library knows.

    Raises:
        MalformedSignatureError: it is of another kind, or damaged.
    """
    try:
        return certificate.public_key()
    except _DAMAGED as error:
        raise MalformedSignatureError("the certificate holds a key of a kind that is not used here") from error


def build_chain(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """The shortest chain from a signer's certificate to a trusted root.

    An authority may have several certificates of one key, such as an old one and its successor: each is tried. None is
    taken into a chain twice, so the search is bounded by their number.

    Args:
        leaf: the signer's.
        intermediates: what was sent along: untrusted, and read up to `CHAIN_MAX`.
        roots: trusted by the user. A leaf that is itself a trusted root is a chain of one.
        at: when all of it has to be valid.

    Raises:
        SignatureRefusedError: there is no such chain, or the leaf is not for signing.
    """
    check_leaf(leaf, at)
    if leaf in roots:
        return (leaf,)
    left = list(dict.fromkeys(intermediates))[:CHAIN_MAX]
    paths: list[tuple[x509.Certificate, ...]] = [(leaf,)]
    reasons: list[SignatureRefusedError] = []
    for path in paths:
        for issuer in (*roots, *left):
            if not _issued(path[-1], issuer):
                continue
            try:
                _check_authority(issuer, below=len(path) - 1, at=at)
            except SignatureRefusedError as error:
                reasons.append(error)
                continue
            if issuer in roots:
                return (*path, issuer)
            left.remove(issuer)
            paths.append((*path, issuer))
    if reasons:
        raise reasons[0]
    name = paths[-1][-1].issuer.rfc4514_string()[:120]
    raise SignatureRefusedError(f"the certificate does not lead to a trusted root: {name!r} is not trusted")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def check_leaf(leaf: x509.Certificate, at: datetime) -> None:
    """Checks that a certificate was one for signing code at this time.

    Raises:
        SignatureRefusedError: it was not valid then, or is for something else.
        MalformedSignatureError: an extension is damaged.

    Spec: RFC 5280, section 4.2.1; notaryproject/specifications, signature-specification.md, Certificate Requirements.
    """
    _check_time(leaf, at)
    _check_critical(leaf)
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise SignatureRefusedError("the signer's certificate is not for signatures")
    constraints = _extension(leaf, x509.BasicConstraints)
    if (usage is not None and usage.key_cert_sign) or (constraints is not None and constraints.ca):
        raise SignatureRefusedError("the signer's certificate is one of an authority, not of a signer")
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if extended is not None and (ExtendedKeyUsageOID.CODE_SIGNING not in extended or _OTHER_PURPOSES & {*extended}):
        raise SignatureRefusedError("the signer's certificate is not for signing code, or not only for that")


def check_code_signing(leaf: x509.Certificate) -> None:
    """Checks that a certificate says what it is for, as those of Fulcio have to; see `check_leaf` for what it says.

    Raises:
        SignatureRefusedError: it does not.
        MalformedSignatureError: an extension is damaged.

    Spec: sigstore/fulcio, docs/certificate-specification.md, Issued Certificate.
    """
    if _extension(leaf, x509.KeyUsage) is None or _extension(leaf, x509.ExtendedKeyUsage) is None:
        raise SignatureRefusedError("the signer's certificate does not say that it is for signing code")


def _check_authority(issuer: x509.Certificate, *, below: int, at: datetime) -> None:
    _check_time(issuer, at)
    _check_critical(issuer)
    name = issuer.subject.rfc4514_string()[:120]
    constraints = _extension(issuer, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise SignatureRefusedError(f"{name!r} issued a certificate and is not an authority")
    if constraints.path_length is not None and below > constraints.path_length:
        raise SignatureRefusedError(f"{name!r} may not have so many authorities below it")
    usage = _extension(issuer, x509.KeyUsage)
    extended = _extension(issuer, x509.ExtendedKeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise SignatureRefusedError(f"{name!r} issued a certificate and may not")
    if extended is not None and not _CODE & {*extended}:
        raise SignatureRefusedError(f"{name!r} may issue certificates for other purposes than signing code")


def _check_time(certificate: x509.Certificate, at: datetime) -> None:
    name = certificate.subject.rfc4514_string()[:120]
    what = f"the certificate {name!r}" if name else "the signer's certificate"  # Fulcio's have no subject
    if at < certificate.not_valid_before_utc:
        raise SignatureRefusedError(f"{what} was not yet valid at {at:%Y-%m-%d %H:%M:%S} UTC")
    if at > certificate.not_valid_after_utc:
        raise SignatureRefusedError(f"{what} had expired at {at:%Y-%m-%d %H:%M:%S} UTC")


def _check_critical(certificate: x509.Certificate) -> None:
    try:
        unread = [one.oid for one in certificate.extensions if one.critical and one.oid not in _READ]
    except _DAMAGED as error:
        raise MalformedSignatureError("the extensions of a certificate are damaged") from error
    if unread:
        raise SignatureRefusedError(
            f"a certificate has a critical extension that is not read: {unread[0].dotted_string}"
        )


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except _DAMAGED as error:
        raise MalformedSignatureError("the extensions of a certificate are damaged") from error


def identity(certificate: x509.Certificate) -> Identity:
    """Whom a certificate of Fulcio names.

    Raises:
        SignatureRefusedError: not exactly one subject, or two issuers that differ.
        MalformedSignatureError: an extension is damaged.
    """
    names = _extension(certificate, x509.SubjectAlternativeName)
    subjects: list[str] = []
    for name in names or ():
        match name:
            case x509.RFC822Name(value=value) | x509.UniformResourceIdentifier(value=value):
                subjects.append(value)
            case x509.OtherName(type_id=kind, value=value) if kind.dotted_string == _FULCIO + "7":
                subjects.append(_utf8_string(value))
            case _:
                subjects.append("")
    if len(subjects) != 1 or not subjects[0]:
        raise SignatureRefusedError("the certificate does not name exactly one signer")
    old, new = _raw(certificate, "1"), _text(certificate, "8")
    if old is not None and new is not None and old != new:
        raise SignatureRefusedError("the certificate names two issuers that differ")
    repository = _text(certificate, "12")
    legacy = _raw(certificate, "5")
    if repository is None and legacy is not None:
        repository = f"https://github.com/{legacy}"
    return Identity(
        subject=subjects[0],
        issuer=new or old or "",
        repository=repository,
        reference=_text(certificate, "14") or _raw(certificate, "6"),
        workflow=_text(certificate, "9"),
    )


def _raw(certificate: x509.Certificate, last: str) -> str | None:
    found = _unrecognized(certificate, last)
    try:
        return None if found is None else found.decode()
    except UnicodeDecodeError as error:
        raise MalformedSignatureError("the extensions of a certificate are damaged") from error


def _text(certificate: x509.Certificate, last: str) -> str | None:
    found = _unrecognized(certificate, last)
    return None if found is None else _utf8_string(found)


def _unrecognized(certificate: x509.Certificate, last: str) -> bytes | None:
    try:
        extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(_FULCIO + last))
    except x509.ExtensionNotFound:
        return None
    value = extension.value
    return value.value if isinstance(value, x509.UnrecognizedExtension) else None


def _utf8_string(der: bytes) -> str:
    """The text of a DER UTF8String."""
    try:
        (text,) = elements(der)
        if text.tag != UTF8:
            raise MalformedSignatureError("an extension of the certificate is not text")
        return text.content.decode()
    except (InvalidDerError, ValueError) as error:
        raise MalformedSignatureError("an extension of the certificate is damaged") from error
