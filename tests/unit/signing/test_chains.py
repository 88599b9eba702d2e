"""Chains of certificates: which authorities a signer's certificate may lead through."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wasm2oci.signing.certificates import CHAIN_MAX, build_chain
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from cryptography.x509.oid import ObjectIdentifier

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)
CODE = (ExtendedKeyUsageOID.CODE_SIGNING,)


@dataclass(frozen=True)
class Party:
    """A name with a key, which may have several certificates."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])


def certificate(
    party: Party,
    issuer: Party,
    *,
    ca: bool = True,
    below: int | None = None,
    starts: dt.datetime = NOW - YEAR,
    ends: dt.datetime = NOW + YEAR,
    purposes: tuple[ObjectIdentifier, ...] = (),
    critical: x509.ExtensionType | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(party.subject)
        .issuer_name(issuer.subject)
        .public_key(party.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=below), critical=True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if critical is not None:
        builder = builder.add_extension(critical, critical=True)
    return builder.sign(issuer.key, hashes.SHA256())


ROOT, MIDDLE, OTHER, SIGNER = Party("root"), Party("middle"), Party("other root"), Party("signer")
TRUSTED = certificate(ROOT, ROOT)
LEAF = certificate(SIGNER, MIDDLE, ca=False, purposes=CODE)


def test_a_chain_leads_through_what_was_sent_along() -> None:
    middle = certificate(MIDDLE, ROOT)
    assert build_chain(LEAF, [middle, TRUSTED], [TRUSTED], NOW) == (LEAF, middle, TRUSTED)
    assert build_chain(LEAF, [], [middle], NOW) == (LEAF, middle)  # a trusted authority need not be a root


def test_a_renewed_root_counts_beside_the_one_that_expired() -> None:
    middle, old = certificate(MIDDLE, ROOT), certificate(ROOT, ROOT, ends=NOW - dt.timedelta(days=1))
    for roots in ([old, TRUSTED], [TRUSTED, old]):
        assert build_chain(LEAF, [middle], roots, NOW)[-1] == TRUSTED
    with pytest.raises(SignatureRefusedError, match="'CN=root' had expired"):
        build_chain(LEAF, [middle], [old], NOW)


def test_an_authority_with_two_certificates_counts_by_the_one_that_is_trusted() -> None:
    ours, theirs, expired = (
        certificate(MIDDLE, ROOT),
        certificate(MIDDLE, OTHER),
        certificate(MIDDLE, ROOT, ends=NOW - YEAR / 2),
    )
    for sent in ([theirs, expired, ours], [ours, theirs], [expired, ours]):
        assert build_chain(LEAF, sent, [TRUSTED], NOW) == (LEAF, ours, TRUSTED)
    with pytest.raises(SignatureRefusedError, match="'CN=other root' is not trusted"):
        build_chain(LEAF, [theirs], [TRUSTED], NOW)


def test_authorities_that_certify_each_other_end() -> None:
    one, two = Party("one"), Party("two")
    circle = [certificate(*pair) for pair in ((MIDDLE, one), (one, two), (two, one), (one, MIDDLE), (MIDDLE, two))]
    with pytest.raises(SignatureRefusedError, match="does not lead to a trusted root"):
        build_chain(LEAF, circle, [TRUSTED], NOW)
    assert build_chain(LEAF, [*circle, certificate(two, ROOT)], [TRUSTED], NOW)[-1] == TRUSTED


def test_no_more_certificates_are_read_than_a_chain_may_have() -> None:
    many = [certificate(Party(f"x{number}"), OTHER) for number in range(CHAIN_MAX)]
    with pytest.raises(SignatureRefusedError, match="not trusted"):
        build_chain(LEAF, [*many, certificate(MIDDLE, ROOT)], [TRUSTED], NOW)


CONSTRAINTS = x509.NameConstraints([x509.DNSName("example.com")], None)


@pytest.mark.parametrize(
    ("middle", "sentence"),
    [
        (certificate(MIDDLE, ROOT, ca=False), "is not an authority"),
        (certificate(MIDDLE, ROOT, ends=NOW - YEAR / 2), "had expired"),
        (certificate(MIDDLE, ROOT, starts=NOW + YEAR / 2), "was not yet valid"),
        (certificate(MIDDLE, ROOT, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "for other purposes"),
        (certificate(MIDDLE, ROOT, critical=CONSTRAINTS), "critical extension that is not read"),
        (certificate(MIDDLE, OTHER), "does not lead to a trusted root"),
        (certificate(MIDDLE, Party("root")), "does not lead to a trusted root"),
        (certificate(Party("middle"), ROOT), "does not lead to a trusted root"),
    ],
)
def test_an_authority_that_may_not_certify_signers_is_refused(middle: x509.Certificate, sentence: str) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        build_chain(LEAF, [middle], [TRUSTED], NOW)


def test_an_authority_may_be_for_signing_code_or_for_anything() -> None:
    for purpose in (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
        middle = certificate(MIDDLE, ROOT, purposes=(purpose,))
        assert build_chain(LEAF, [middle], [TRUSTED], NOW)[1] == middle


def test_a_root_that_may_have_no_authority_below_it_has_none() -> None:
    short = certificate(ROOT, ROOT, below=0)
    with pytest.raises(SignatureRefusedError, match="may not have so many authorities"):
        build_chain(LEAF, [certificate(MIDDLE, ROOT)], [short], NOW)
    direct = certificate(SIGNER, ROOT, ca=False, purposes=CODE)
    assert build_chain(direct, [], [short], NOW) == (direct, short)


@pytest.mark.parametrize(
    ("leaf", "sentence"),
    [
        (certificate(SIGNER, ROOT, purposes=CODE), "one of an authority"),
        (certificate(SIGNER, ROOT, ca=False, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), "not for signing code"),
        (certificate(SIGNER, ROOT, ca=False, purposes=(*CODE, ExtendedKeyUsageOID.SERVER_AUTH)), "not only for that"),
        (
            certificate(SIGNER, ROOT, ca=False, purposes=(*CODE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)),
            "not only for that",
        ),
        (certificate(SIGNER, ROOT, ca=False, purposes=CODE, ends=NOW - YEAR / 2), "had expired"),
        (certificate(SIGNER, SIGNER, ca=False, purposes=CODE), "'CN=signer' is not trusted"),
    ],
)
def test_a_certificate_that_is_not_for_signing_code_is_refused(leaf: x509.Certificate, sentence: str) -> None:
    with pytest.raises(SignatureRefusedError, match=sentence):
        build_chain(leaf, [], [TRUSTED], NOW)
