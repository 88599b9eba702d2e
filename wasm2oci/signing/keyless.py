"""Signatures with a certificate of Fulcio instead of a key: bundles by the library `sigstore`, legacy ones by us.

A certificate is valid for minutes, so a trusted log has to show when it was used. What is checked for both forms: the
chain to a trusted authority at that time, the certificate's own log, the log's entry, and that the entry is about this
signature. Then the identity in the certificate can be compared.

`sigstore` is the extra `wasm2oci[sigstore]`. Its trusted root (the one it ships, or has cached) is used without asking
the network, unless the user names a file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wasm2oci.base.folders import temporary_folder
from wasm2oci.base.text import error_line
from wasm2oci.errors import Remedy, RemedyKind, UnsupportedError
from wasm2oci.oci.wire import load_object
from wasm2oci.signing import rekor, simple_signing
from wasm2oci.signing.certificates import (
    build_chain,
    check_code_signing,
    check_leaf,
    identity,
    load_certificate,
    load_pem_chain,
    signer_key,
)
from wasm2oci.signing.claim import Signer
from wasm2oci.signing.statement import PAYLOAD_TYPE, read_statement
from wasm2oci.signing.strict import SignatureRefusedError
from wasm2oci.signing.trusted_root import InvalidTrustedRootError, read_trusted_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate

    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.signing.bundle import Bundle
    from wasm2oci.signing.claim import Identity
    from wasm2oci.signing.trusted_root import TrustedRoot

_LISTS: Final = ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")

__all__ = ["Keyless", "SigstoreMissingError", "verify_simple_signature"]


class SigstoreMissingError(UnsupportedError):
    """Signatures with certificates need the library `sigstore`, which is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "signatures with certificates (keyless) need the extra 'sigstore'",
            remedy=Remedy(RemedyKind.INSTALL, "sigstore"),
        )


class Keyless:
    """Verifies signatures with certificates.

    Args:
        trusted_root: the user's `trusted_root.json`; None for Sigstore's public instance.

    Raises:
        SigstoreMissingError: the extra is not installed.
        InvalidTrustedRootError: the document is damaged.
    """

    def __init__(self, trusted_root: bytes | None = None) -> None:
        self._verifier, raw = _load(trusted_root)
        self._root = read_trusted_root(raw)

    def verify_bundle(self, bundle: Bundle, subject: Digest) -> Signer:
        """Checks a bundle with a certificate, and that its statement is about this manifest.

        Raises:
            SignatureRefusedError: it does not hold, or is about something else.
        """
        if bundle.certificate is None or bundle.envelope is None:
            raise SignatureRefusedError("the bundle was signed with a key, not with a certificate")
        leaf, read = _read(bundle, bundle.certificate)
        kind, payload = _verified(lambda: self._verifier.verify_dsse(read, _AnyIdentity()))
        if kind != PAYLOAD_TYPE or payload != bundle.envelope.payload:
            raise SignatureRefusedError("what was signed is not a statement")
        self._check_reading(bundle, leaf, read.signing_certificate)
        return Signer(read_statement(payload).about(subject, "bundle"), identity=identity(leaf))

    def verify_message(self, bundle: Bundle, message: bytes) -> Identity:
        """Checks a bundle with the signature of a file (`cosign sign-blob`).

        Returns:
            Who signed.

        Raises:
            SignatureRefusedError: it does not hold, or is about something else.
        """
        if bundle.certificate is None or bundle.envelope is not None:
            raise SignatureRefusedError("the bundle does not hold the signature of a file with a certificate")
        leaf, read = _read(bundle, bundle.certificate)
        _verified(lambda: self._verifier.verify_artifact(message, read, _AnyIdentity()))
        self._check_reading(bundle, leaf, read.signing_certificate)
        return identity(leaf)

    def _check_reading(self, bundle: Bundle, leaf: Certificate, verified: Certificate) -> None:
        """What the library leaves out: that it read the same certificate as we did, and when a log was trusted."""
        if verified != leaf:
            raise SignatureRefusedError("the bundle can be read in two ways: it holds two certificates")
        for entry in bundle.entries:
            entry.check_time(self._root.logs)

    def verify_simple(self, payload: bytes, layer: Descriptor, subject: Digest) -> Signer:
        """Checks a legacy signature with a certificate.

        Raises:
            SignatureRefusedError: it does not hold, or is about something else.
        """
        if not self._root.certificate_logs:  # as the library does for bundles
            raise SignatureRefusedError("the trusted root names no certificate log, which has to know the certificate")
        return verify_simple_signature(payload, layer, subject, self._root)


def verify_simple_signature(payload: bytes, layer: Descriptor, subject: Digest, root: TrustedRoot) -> Signer:
    """Checks a legacy signature with a certificate against a trusted root.

    Where the root names certificate logs, one of them has to have signed the certificate.

    Raises:
        SignatureRefusedError: it does not hold, or is about something else.
        MalformedSignatureError: a part of it is damaged.
    """
    annotations = layer.annotations
    if simple_signing.CERTIFICATE not in annotations:
        raise SignatureRefusedError("the signature was made with a key, not with a certificate")
    if simple_signing.BUNDLE not in annotations:
        raise SignatureRefusedError("the signature has no log entry, so the time of the signature is unknown")
    leaf = load_pem_chain(annotations[simple_signing.CERTIFICATE], "the certificate of the signature")[0]
    sent = load_pem_chain(annotations[simple_signing.CHAIN], "its chain") if simple_signing.CHAIN in annotations else []
    signature = simple_signing.signature_of(layer)
    entry = rekor.from_annotation(annotations[simple_signing.BUNDLE].encode())
    entry.check_logged(root.logs)
    der = leaf.public_bytes(serialization.Encoding.DER)
    entry.check_about(rekor.EntrySubject(signature, frozenset([hashlib.sha256(payload).digest()]), frozenset([der])))
    check_code_signing(leaf)
    authorities = [one for one in root.authorities if one.trusted_at(entry.time)]
    trusted = [one.chain[-1] for one in authorities]
    known = [certificate for one in authorities for certificate in one.chain[:-1]]
    chain = build_chain(leaf, [*known, *sent], trusted, entry.time)
    if root.certificate_logs:
        rekor.check_certificate_timestamp(leaf, chain[1] if len(chain) > 1 else leaf, root.certificate_logs)
    key = signer_key(leaf)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureRefusedError("the certificate holds a key of a kind that is not used here")
    try:
        key.verify(signature, payload, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureRefusedError("the signature was not made by the key of its certificate") from error
    return Signer(simple_signing.read_payload(payload, subject), identity=identity(leaf))


def _read(bundle: Bundle, certificate: bytes) -> tuple[Certificate, Any]:
    """The certificate of a bundle, and the bundle as the library reads it; some errors get clearer words here."""
    from sigstore.models import Bundle as SigstoreBundle  # noqa: PLC0415 - an extra

    leaf = load_certificate(certificate, "the certificate of the bundle")
    check_code_signing(leaf)
    for entry in bundle.entries:
        if entry.integrated:
            check_leaf(leaf, entry.time)
    return leaf, _verified(lambda: SigstoreBundle.from_json(bundle.raw))


def _verified(read: Callable[[], Any]) -> Any:
    """What the library gives.

    Raises:
        SignatureRefusedError: it raised: errors of its own, and those of the libraries below it about damaged material.
    """
    try:
        return read()
    except Exception as error:
        raise SignatureRefusedError(f"the bundle does not verify: {error_line(error)}") from error


class _AnyIdentity:
    """The library's policy that takes any certificate: the caller compares the identity, with our own rules."""

    def verify(self, cert: Certificate) -> None:
        """Accepts."""


def _load(trusted_root: bytes | None) -> tuple[Any, bytes]:
    """The library's verifier, and the trusted root it uses."""
    try:
        from sigstore.models import ClientTrustConfig, TrustedRoot  # noqa: PLC0415 - an extra, slow to import
        from sigstore.verify import Verifier  # noqa: PLC0415
    except ImportError as error:
        raise SigstoreMissingError from error
    logging.getLogger("sigstore").addHandler(logging.NullHandler())  # or its warnings reach standard error
    if trusted_root is None:
        root = ClientTrustConfig.production(offline=True).trusted_root
        return Verifier(trusted_root=root), root._inner.to_json().encode()  # noqa: SLF001 - it has no other way out
    read_trusted_root(trusted_root)  # with our own words, before the library sees it
    with temporary_folder("wasm2oci-root-") as folder:  # the library reads files only
        path = folder / "trusted_root.json"
        # The library wants every list, and protobuf leaves empty ones out.
        path.write_text(json.dumps({**{name: [] for name in _LISTS}, **load_object(trusted_root, "trusted root")}))
        try:
            return Verifier(trusted_root=TrustedRoot.from_file(str(path))), trusted_root
        except Exception as error:
            raise InvalidTrustedRootError(f"trusted root that cannot be used: {error_line(error)}") from error
