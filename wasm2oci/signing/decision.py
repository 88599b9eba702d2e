"""Whether the signatures that were found fulfil a rule, and if not, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.signing.candidate import RefusedSignature
from wasm2oci.signing.policy import REQUIRE
from wasm2oci.signing.strict import SignatureRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.signing.candidate import Candidate
    from wasm2oci.signing.claim import Signer
    from wasm2oci.signing.policy import Policy, Rule
    from wasm2oci.signing.requirement import Requirement, Verifier

__all__ = ["Decision", "Verdict", "decide", "decide_default", "fulfilling"]


class Verdict(NamedTuple):
    """What came of one requirement.

    Args:
        requirement: it.
        signers: the candidates that fulfil it: where each was found, and who signed.
        refusals: the candidates that do not.
    """

    requirement: Requirement
    signers: tuple[tuple[str, Signer], ...]
    refusals: tuple[RefusedSignature, ...]

    @property
    def fulfilled(self) -> bool:
        """Whether at least one candidate fulfils it."""
        return bool(self.signers)


class Decision(NamedTuple):
    """What a policy says about an artifact.

    Args:
        enforce: `require`, `warn` or `accept-unsigned`.
        rule: which rule applied; None for the default.
        verdicts: of every requirement of the rule.
        missing: what is missing, one sentence each; empty when all is fulfilled.
    """

    enforce: str
    rule: Rule | None
    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...]

    @property
    def met(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def refused(self) -> bool:
        """Whether the artifact must not be used."""
        return bool(self.missing) and self.enforce == REQUIRE


def fulfilling(verifier: Verifier, candidates: Sequence[Candidate], requirement: Requirement) -> Verdict:
    """Checks every candidate against one requirement; a bad one beside a good one does no harm."""
    signers, refusals = [], []
    for candidate in candidates:
        try:
            signers.append((candidate.origin, verifier.check(candidate, requirement)))
        except SignatureRefusedError as error:
            refusals.append(RefusedSignature(candidate.origin, error.message))
    return Verdict(requirement, tuple(signers), tuple(refusals))


def decide(rule: Rule, candidates: Sequence[Candidate], verifier: Verifier) -> Decision:
    """Decides by a rule.

    Args:
        rule: of the policy.
        candidates: every signature and attestation that was found.
        verifier: checks them.
    """
    all_of = [fulfilling(verifier, candidates, one) for one in rule.all_of]
    any_of = [fulfilling(verifier, candidates, one) for one in rule.any_of]
    missing = [f"not {verdict.requirement.text}" for verdict in all_of if not verdict.fulfilled]
    count = _distinct(any_of)
    if rule.any_of and count < rule.minimum:
        options = " or ".join(one.text for one in rule.any_of)
        missing.append(f"{count} of {rule.minimum} different signers: {options}")
    counted = [signer for verdict in (*all_of, *any_of) for _, signer in verdict.signers]
    for wanted in rule.annotations:
        if not any(wanted.items() <= signer.claim.annotations.items() for signer in counted):
            texts = ", ".join(f"{name}={value}" for name, value in wanted.items())
            missing.append(f"no signature that counts carries {texts}")
    return Decision(rule.enforce, rule, (*all_of, *any_of), tuple(missing))


def decide_default(policy: Policy) -> Decision:
    """The decision where no rule applies: `require` has nothing that could be fulfilled."""
    missing = ("no rule of the policy covers this repository",) if policy.default != "accept-unsigned" else ()
    return Decision(policy.default, None, (), missing)


def _distinct(verdicts: Sequence[Verdict]) -> int:
    """How many requirements can be fulfilled with a different signer each (a largest matching)."""
    taken: dict[str, int] = {}

    def place(number: int, seen: set[str]) -> bool:
        for _, signer in verdicts[number].signers:
            name = signer.key_id or signer.name
            if name in seen:
                continue
            seen.add(name)
            if name not in taken or place(taken[name], seen):
                taken[name] = number
                return True
        return False

    return sum(place(number, set()) for number in range(len(verdicts)))
