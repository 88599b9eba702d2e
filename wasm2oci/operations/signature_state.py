"""Who signed an artifact, as far as it is known here: not signed, signed and not verified, or verified."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from wasm2oci.base.records import NamedTuple
from wasm2oci.operations.find_signatures import find_signatures
from wasm2oci.operations.trust import guard_for
from wasm2oci.signing.statement import COSIGN_SIGNATURE, read_statement
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.signing.candidate import Candidate

__all__ = ["SignatureState", "SignatureSummary", "SignedItem", "summarize_signatures"]


class SignatureState(StrEnum):
    """What is known about who signed."""

    UNSIGNED = "not signed"
    UNVERIFIED = "signed, not verified here"
    VERIFIED = "verified"


class SignedItem(NamedTuple):
    """A signature or an attestation.

    Attributes:
        kind: `signature`, or the predicate's type.
        form: `bundle`, `simple signing`, `dsse` or `notation`.
        origin: where it was found.
        signer: who made it, where that was verified; else None.
    """

    kind: str
    form: str
    origin: str
    signer: str | None

    @property
    def text(self) -> str:
        """In one line."""
        who = f"verified: {self.signer}" if self.signer is not None else "not verified here"
        return f"{self.kind} ({self.form}), {who}"


class SignatureSummary(NamedTuple):
    """All that is signed about an artifact.

    Attributes:
        state: of its signatures.
        items: attestations first, then signatures.
    """

    state: SignatureState
    items: tuple[SignedItem, ...]

    @property
    def signers(self) -> tuple[str, ...]:
        """The signers whose signatures were verified."""
        return tuple(dict.fromkeys(one.signer for one in self.items if one.signer is not None))


def summarize_signatures(
    target: ReadTarget, location: Location, root: Descriptor, environment: Environment, trust: TrustOptions
) -> SignatureSummary:
    """Looks at every signature; those that fulfil a requirement of the caller, or of a policy file, are verified.

    The artifact is verified only where all requirements are met.

    Raises:
        InvalidPolicyError: a policy file is malformed.
        Wasm2OciError: the place cannot be read.
    """
    guard = guard_for(trust, environment)
    found = find_signatures(target, root)
    decisions = guard.look(target, location, root, found).decisions if guard is not None else ()
    verified = {
        origin: signer.name
        for _, decision in decisions
        for verdict in decision.verdicts
        for origin, signer in verdict.signers
    }
    items = [
        SignedItem(_kind(candidate, root), candidate.form, candidate.origin, verified.get(candidate.origin))
        for candidate in found.candidates
    ]
    items.sort(key=lambda one: (one.kind == "signature", one.kind, one.origin))
    state = SignatureState.UNSIGNED
    if items:
        met = all(decision.met for _, decision in decisions if decision.verdicts)
        state = SignatureState.VERIFIED if verified and met else SignatureState.UNVERIFIED
    return SignatureSummary(state, tuple(items))


def _kind(candidate: Candidate, root: Descriptor) -> str:
    """`signature`, or the type of the statement that it says it holds: for people, not checked."""
    from wasm2oci.signing.bundle import envelope_of  # with cryptography, which takes 30 ms

    try:
        envelope = envelope_of(candidate)
        if envelope is None:
            return "signature"
        kind = read_statement(envelope.payload).about(root.digest, candidate.form).predicate_type
    except SignatureRefusedError:
        return "damaged or foreign statement"
    return "signature" if kind in {None, COSIGN_SIGNATURE} else str(kind)
