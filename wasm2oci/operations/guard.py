"""What has to be met before an artifact is used, and whether it is.

The manifest is known by the digest of its bytes when this begins, and everything after goes by that digest: a tag that
moves meanwhile changes nothing. Signatures are looked for on a thread of their own, while the artifact is fetched; who
uses the artifact waits for the verdict first.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from wasm2oci.base.reading import read_named
from wasm2oci.errors import IntegrityError, UsageError, Wasm2OciError
from wasm2oci.oci.reference import Reference
from wasm2oci.operations.find_signatures import FoundSignatures, find_signatures
from wasm2oci.operations.keys import load_public_key, read_key_bytes
from wasm2oci.operations.pending import Pending
from wasm2oci.packager.annotations import parse_annotations
from wasm2oci.signing.decision import decide, decide_default
from wasm2oci.signing.keyless import Keyless
from wasm2oci.signing.policy import POLICY_MAX, REQUIRE, WARN, Rule, layout_scope, read_policy, scope_of
from wasm2oci.signing.requirement import SIGNATURE_TYPES, IdentityRequirement, KeyRequirement, Verifier
from wasm2oci.signing.statement import predicate_type
from wasm2oci.signing.trusted_root import read_trusted_root

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.content.target import ReadTarget
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment, Places
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.signing.candidate import RefusedSignature
    from wasm2oci.signing.claim import Signer
    from wasm2oci.signing.decision import Decision
    from wasm2oci.signing.policy import Policy
    from wasm2oci.signing.requirement import Requirement

__all__ = [
    "Checked",
    "Guard",
    "ModuleDeniedError",
    "NotSignedError",
    "SignaturesRefusedError",
    "read_root",
    "requirement_of",
    "start_check",
]

_TRUSTED_ROOT_MAX = 4 * 1024 * 1024
_SHOWN = 20
_CALLER: Final = "what was asked for"
"""What a caller's own requirement is called, where others have the name of their policy file."""


class NotSignedError(IntegrityError):
    """A signature is required, but the artifact has none."""


class SignaturesRefusedError(IntegrityError):
    """A signature is required, but none that was found counts; `refusals` says why not, for each."""

    def __init__(self, message: str, refusals: tuple[RefusedSignature, ...], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.refusals = refusals

    @property
    def detail(self) -> str:
        """One line for each signature that does not count."""
        lines = [f"{one.origin}: {one.reason}" for one in self.refusals[:_SHOWN]]
        more = len(self.refusals) - _SHOWN
        return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


class ModuleDeniedError(IntegrityError):
    """The policy does not allow the module's imports, features or size."""


class Checked(NamedTuple):
    """What was found about an artifact that may be used; each decision has the name of its policy file."""

    decisions: tuple[tuple[str, Decision], ...]
    found: FoundSignatures

    @property
    def signers(self) -> tuple[Signer, ...]:
        """The signers whose signatures counted, each once."""
        signers = {
            signer.name: signer
            for _, decision in self.decisions
            for verdict in decision.verdicts
            for _, signer in verdict.signers
        }
        return tuple(signers.values())

    @property
    def refusals(self) -> tuple[RefusedSignature, ...]:
        """Every signature that does not count, sorted."""
        found = {one for _, decision in self.decisions for verdict in decision.verdicts for one in verdict.refusals}
        return tuple(sorted(found.union(self.found.refusals)))


class Guard(NamedTuple):
    """Requirements.

    Args:
        asked: what the caller asks for, or None.
        policies: the files that count.
        trusted_root: bytes of a `trusted_root.json`, or None.
        environment: takes warnings.
    """

    asked: Rule | None
    policies: tuple[Policy, ...]
    trusted_root: bytes | None
    environment: Environment

    @classmethod
    def load(cls, options: TrustOptions, files: tuple[Path, ...], environment: Environment) -> Self:
        """Reads keys and policy files; see `trust.guard_for`."""
        root = read_root(options)
        asked = None
        if options.asks:
            asked = Rule("the command line", REQUIRE, all_of=(requirement_of(options, environment),))
        return cls(asked, tuple(_load_policy(path, environment) for path in files), root, environment)

    def begin(self, places: Places, location: Location, root: Descriptor) -> Pending[Checked]:
        """Begins to check an artifact whose manifest is known."""
        pending = start_check(self, places.read(location, apart=True), location, root)
        places.before_closing(pending.end)
        return pending

    def rules(self, location: Location) -> list[tuple[str, Rule | None, Policy | None]]:
        """For the caller and each policy file its name and the rule that applies, or None for the file's default."""
        found: list[tuple[str, Rule | None, Policy | None]] = []
        if self.asked is not None:
            found.append((_CALLER, self.asked, None))
        name = scope_name(location)
        return found + [(policy.source, policy.rule_for(name), policy) for policy in self.policies]

    def check(
        self, target: ReadTarget, location: Location, root: Descriptor, found: FoundSignatures | None = None
    ) -> Checked:
        """Checks an artifact, by its signatures at the target if `found` does not have them.

        Raises:
            NotSignedError: a signature is required, and there is none.
            SignaturesRefusedError: no signature fulfils what is required.
            Wasm2OciError: the place cannot be read.
        """
        checked = self.look(target, location, root, found)
        for source, decision in checked.decisions:
            if decision.met:
                continue
            error = _refusal(location, source, decision, checked.found)
            if decision.refused:
                raise error
            if decision.enforce == WARN:
                self.environment.warn(f"{error.message} ({source})")
        return checked

    def look(
        self, target: ReadTarget, location: Location, root: Descriptor, found: FoundSignatures | None = None
    ) -> Checked:
        """Looks for signatures (unless `found` has them) and decides about them, and refuses nothing."""
        rules = self.rules(location)
        wanted = [rule for _, rule, _ in rules if rule is not None and rule.wants_signatures]
        if found is None and not wanted:
            found = FoundSignatures((), ())
        if found is None:
            types = {kind for rule in wanted for one in (*rule.all_of, *rule.any_of) for kind in one.types}
            found = find_signatures(target, root, attestations=bool(types - set(SIGNATURE_TYPES)))
        trusted = None
        if self.trusted_root is not None:
            trusted = read_trusted_root(self.trusted_root)
        verifier = Verifier(root.digest, lambda: Keyless(self.trusted_root), trusted)
        decisions = []
        for source, rule, policy in rules:
            if rule is not None:
                decisions.append((source, decide(rule, found.candidates, verifier)))
            elif policy is not None:
                decisions.append((source, decide_default(policy)))
        return Checked(tuple(decisions), found)

    def asks_for_signatures(self, location: Location) -> bool:
        """Whether signatures have to be looked for, or the artifact is refused anyhow."""
        return any(
            rule.wants_signatures if rule is not None else policy is not None and policy.default == REQUIRE
            for _, rule, policy in self.rules(location)
        )

    def limits_modules(self, location: Location) -> bool:
        """Whether a rule says what the module may do, so that all of it has to be looked at."""
        return any(rule is not None and rule.module.any for _, rule, _ in self.rules(location))

    def check_module(self, location: Location, data: bytes) -> None:
        """Checks what a module imports, uses and weighs.

        Raises:
            ModuleDeniedError: a policy does not allow it.
            ModuleError: it is not valid, so what it uses cannot be known.
        """
        enforced = {source: rule for source, rule, _ in self.rules(location) if rule is not None}
        for source, faults in self.module_faults(location, data):
            rule = enforced[source]
            if faults and rule.enforce == REQUIRE:
                raise ModuleDeniedError(faults[0], hint=f"see the rule for {rule.scope} in {source}")
            if rule.enforce == WARN:
                for fault in faults:
                    self.environment.warn(f"{fault} ({source})")

    def check_no_module(self, location: Location, error: Wasm2OciError) -> None:
        """Checks an artifact of which no module can be looked into, `error` being why.

        Raises:
            Wasm2OciError: the error, where a rule that says what the module may do is to be enforced.
        """
        for source, rule, _ in self.rules(location):
            if rule is None or not rule.module.any:
                continue
            if rule.enforce == REQUIRE:
                raise error
            if rule.enforce == WARN:
                self.environment.warn(f"{error.message} ({source})")

    def module_faults(self, location: Location, data: bytes) -> list[tuple[str, list[str]]]:
        """What a module breaks, by the name of the file whose rule says so.

        Raises:
            ModuleError: it is not valid, so what it uses cannot be known.
        """
        from wasm2oci.engine.facts import outline, validated

        found = []
        for source, rule, _ in self.rules(location):
            if rule is None or not rule.module.any:
                continue
            limits = rule.module
            features: tuple[str, ...] = ()
            if limits.deny_features or limits.allow_features is not None:
                features = validated(data).facts.features
            imports = [one.full_name for one in outline(data).imports]
            found.append((source, limits.faults(len(data), imports, features)))
        return found


def start_check(guard: Guard, target: ReadTarget, location: Location, root: Descriptor) -> Pending[Checked]:
    """Begins a check on a thread of its own; `target` is used by that thread only. `wait` raises as `Guard.check`."""
    return Pending(lambda: guard.check(target, location, root))


def read_root(options: TrustOptions) -> bytes | None:
    """The bytes of the `trusted_root.json` that the caller names, read once to see that it is one.

    Raises:
        InvalidTrustedRootError: it is malformed.
        Wasm2OciError: it cannot be read.
    """
    if options.trusted_root is None:
        return None
    root = read_named(options.trusted_root, _TRUSTED_ROOT_MAX)
    read_trusted_root(root)
    return root


def scope_name(location: Location) -> str:
    """What scopes are compared with."""
    if isinstance(location, Reference):
        return scope_of(location.host, location.repository)
    return layout_scope(os.path.realpath(location.folder))


def _refusal(
    location: Location, source: str, decision: Decision, found: FoundSignatures
) -> NotSignedError | SignaturesRefusedError:
    wants = decision.rule is not None and decision.rule.wants_signatures
    hint = None if source == _CALLER else f"required by {source}"
    if wants and not found.candidates and not found.refusals:
        return NotSignedError(f"{location} is not signed", hint=hint)
    refusals = {one: None for verdict in decision.verdicts for one in verdict.refusals}
    refusals.update(dict.fromkeys(found.refusals))
    return SignaturesRefusedError(f"{location}: {'; '.join(decision.missing)}", tuple(refusals), hint=hint)


def requirement_of(options: TrustOptions, environment: Environment) -> Requirement:
    """What the caller asks of a signature, by a key or an identity.

    Raises:
        InvalidKeyError: the key is none.
        UsageError: a pattern is no regular expression.
        Wasm2OciError: the key cannot be read.
    """
    annotations = parse_annotations(options.annotations or ())
    types = SIGNATURE_TYPES if options.type is None else (predicate_type(options.type),)
    if options.key is not None:
        key = load_public_key(options.key, environment)
        return KeyRequirement(key, annotations, types, logged=options.trusted_root is not None)
    return IdentityRequirement(
        issuer=options.issuer,
        issuer_pattern=_pattern(options.issuer_regexp),
        subject=options.identity,
        pattern=_pattern(options.identity_regexp),
        annotations=annotations,
        types=types,
    )


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is not a regular expression: {error}") from error


def _load_policy(path: Path, environment: Environment) -> Policy:
    def read_key(name: str) -> bytes:
        return read_key_bytes(name if name.startswith("env://") else str(path.parent / name), environment)

    def real_path(layout: Path) -> str:
        return os.path.realpath(path.parent / layout)

    try:
        return read_policy(read_named(path, POLICY_MAX), str(path), read_key, real_path)
    except Wasm2OciError as error:
        if str(path) not in error.message:
            error.message = f"{path}: {error.message}"
        raise
