"""Attestations: the statements about an artifact, and the signer of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.errors import IntegrityError
from wasm2oci.operations.find_signatures import find_signatures
from wasm2oci.operations.guard import Guard
from wasm2oci.operations.names import pinned
from wasm2oci.signing.bundle import envelope_of
from wasm2oci.signing.candidate import RefusedSignature
from wasm2oci.signing.keyless import Keyless
from wasm2oci.signing.requirement import Verifier
from wasm2oci.signing.statement import COSIGN_SIGNATURE, PAYLOAD_TYPE, matches_type, predicate_type, read_statement
from wasm2oci.signing.strict import SignatureRefusedError
from wasm2oci.signing.trusted_root import read_trusted_root

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.signing.candidate import Candidate

__all__ = ["Attestation", "Attestations", "NoAttestationError", "attestations"]


class NoAttestationError(IntegrityError):
    """No attestation of the required type is by the required key or identity."""


class Attestation(NamedTuple):
    """A statement.

    Args:
        origin: where it was found.
        predicate_type: of its predicate.
        predicate: as decoded from JSON.
        signer: who made it, when that was checked; None for a statement that was not checked.
    """

    origin: str
    predicate_type: str
    predicate: object
    signer: str | None


class Attestations(NamedTuple):
    """What was found about an artifact: statements, and what is not a statement or does not count."""

    reference: str
    pinned: str
    manifest: Descriptor
    attestations: tuple[Attestation, ...]
    refused: tuple[RefusedSignature, ...]


def attestations(source: Location, trust: TrustOptions, environment: Environment) -> Attestations:
    """Find the attestations of an artifact; those of the type that `trust` names, if it names one."""
    wanted = None if trust.type is None else predicate_type(trust.type)
    guard = Guard.load(trust._replace(type=None), (), environment)
    with environment.places() as places:
        target = places.read(source)
        root = target.resolve(places.identifier(source))
        candidates, unread = find_signatures(target, root)
    trusted = None if guard.trusted_root is None else read_trusted_root(guard.trusted_root)
    verifier = Verifier(root.digest, lambda: Keyless(guard.trusted_root), trusted)
    found: list[Attestation] = []
    refusals = list(unread)
    for candidate in candidates:
        if candidate.form not in {"bundle", "dsse"}:
            continue
        try:
            one = _read(candidate, root)
            kind = one.predicate_type
            if kind == COSIGN_SIGNATURE or (wanted is not None and not matches_type(kind, wanted)):
                continue
            if guard.asked is not None:
                requirement = replace(guard.asked.all_of[0], types=(kind,))
                one = one._replace(signer=verifier.check(candidate, requirement).name)
        except SignatureRefusedError as error:
            refusals.append(RefusedSignature(candidate.origin, error.message))
        else:
            found.append(one)
    if guard.asked is not None and not found:
        why = f" ({refusals[0].reason})" if refusals else ""
        raise NoAttestationError(f"{source} has no attestation {guard.asked.all_of[0].text}{why}")
    return Attestations(str(source), pinned(source, root.digest), root, tuple(found), tuple(refusals))


def _read(candidate: Candidate, root: Descriptor) -> Attestation:
    """The statement in a candidate, unchecked but for what it is about."""
    envelope = envelope_of(candidate)
    if envelope is None or envelope.payload_type != PAYLOAD_TYPE:
        raise SignatureRefusedError("it contains no statement")
    claim = read_statement(envelope.payload).about(root.digest, candidate.form)
    return Attestation(candidate.origin, claim.predicate_type or "", claim.predicate, None)
