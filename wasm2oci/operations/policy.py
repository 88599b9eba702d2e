"""Policy: what the policy files decide about an artifact, and why; and Kubewarden's file as one of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.reading import read_named
from wasm2oci.errors import InvalidInputError, UnsupportedError
from wasm2oci.operations.guard import Guard, scope_name
from wasm2oci.operations.trust import policy_files
from wasm2oci.signing.kubewarden import policy_text
from wasm2oci.signing.policy import POLICY_MAX, InvalidPolicyError, read_policy

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.signing.candidate import RefusedSignature
    from wasm2oci.signing.decision import Decision

__all__ = ["ExplainedDecision", "Explanation", "YamlMissingError", "explain", "import_policy"]

_NOT_FOR_ITS_TAG: Final = (ValueError, AttributeError, KeyError)
"""What PyYAML raises, besides its own errors, for a text that is not what its tag says: `2024-13-45`, `!!bool x`."""


class YamlMissingError(UnsupportedError):
    """Reading Kubewarden's file needs PyYAML, which is not installed."""


class ExplainedRequirement(NamedTuple):
    """A requirement in words, and who fulfils it."""

    requirement: str
    signers: tuple[str, ...]


class ExplainedDecision(NamedTuple):
    """What one file decides.

    Args:
        policy: the file.
        rule: the scope of the rule that applies, or None where the default does.
        enforce: `require`, `warn` or `accept-unsigned`.
        refused: whether the artifact must not be used.
        missing: what is missing, one sentence each.
        requirements: each in words, and who fulfils it.
        module: what the module may do, in words.
    """

    policy: str
    rule: str | None
    enforce: str
    refused: bool
    missing: tuple[str, ...]
    requirements: tuple[ExplainedRequirement, ...]
    module: tuple[str, ...]


class FoundSignature(NamedTuple):
    """A signature or an attestation, checked or not."""

    form: str
    origin: str


class Explanation(NamedTuple):
    """What all files decide about an artifact.

    Args:
        reference: the artifact.
        manifest: which manifest was looked at.
        scope: what scopes were compared with.
        allowed: whether every file allows it.
        decisions: of each file.
        found: signatures and attestations, checked or not: form and origin of each.
        refused: those that do not count, and why.
    """

    reference: str
    manifest: Descriptor
    scope: str
    allowed: bool
    decisions: tuple[ExplainedDecision, ...]
    found: tuple[FoundSignature, ...]
    refused: tuple[RefusedSignature, ...]

    @property
    def lines(self) -> list[str]:
        """For people."""
        shown = [f"{self.scope} is {self.manifest.digest}"]
        if not self.decisions:
            return [*shown, "no policy file applies: unsigned artifacts are accepted"]
        for one in self.decisions:
            rule = f"the rule for {one.rule}" if one.rule is not None else "no rule, so the default"
            shown += ["", f"{one.policy}: {rule} applies ({one.enforce})"]
            shown += [f"  {text}: {', '.join(who) or 'no'}" for text, who in one.requirements]
            shown += [f"  {text}" for text in one.module]
            shown += [f"  missing: {text}" for text in one.missing]
            shown.append(f"  {'refused' if one.refused else 'allowed'}")
        shown += ["", *(f"found: {form} {origin}" for form, origin in self.found)]
        shown += [f"does not count: {origin}: {reason}" for origin, reason in self.refused]
        return shown if self.found or self.refused else [*shown, "found: no signatures"]


def explain(location: Location, options: TrustOptions, environment: Environment) -> Explanation:
    """Look at an artifact with every policy file that counts."""
    guard = Guard.load(options, policy_files(options, environment), environment)
    with environment.places() as places:
        target = places.read(location)
        root = target.resolve(places.identifier(location))
        checked = guard.look(target, location, root)
        decisions = [_explained(source, decision) for source, decision in checked.decisions]
        if guard.limits_modules(location):
            decisions = _with_module(guard, places.read(location), location, root, decisions)
    return Explanation(
        reference=str(location),
        manifest=root,
        scope=scope_name(location),
        allowed=not any(one.refused for one in decisions),
        decisions=tuple(decisions),
        found=tuple(FoundSignature(one.form, one.origin) for one in checked.found.candidates),
        refused=checked.refusals,
    )


def _explained(source: str, decision: Decision) -> ExplainedDecision:
    rule = decision.rule
    return ExplainedDecision(
        source,
        None if rule is None else rule.scope,
        decision.enforce,
        decision.refused,
        decision.missing,
        tuple(
            ExplainedRequirement(
                verdict.requirement.text, tuple(dict.fromkeys(signer.name for _, signer in verdict.signers))
            )
            for verdict in decision.verdicts
        ),
        () if rule is None else tuple(rule.module.lines),
    )


def _with_module(
    guard: Guard, target: Any, location: Location, root: Descriptor, decisions: list[ExplainedDecision]
) -> list[ExplainedDecision]:
    from wasm2oci.operations.modules_of import look_at_modules

    faults: dict[str, list[str]] = {}

    def unknown(error: Wasm2OciError) -> None:
        for source, rule, _ in guard.rules(location):
            if rule is not None and rule.module.any:
                faults.setdefault(source, []).append(error.message)

    def look(data: bytes) -> None:
        try:
            for source, found in guard.module_faults(location, data):
                faults.setdefault(source, []).extend(found)
        except InvalidInputError as error:
            unknown(error)

    look_at_modules(target, root, look, unknown)
    shown = []
    for one in decisions:
        broken = tuple(faults.get(one.policy, ()))
        refused = one.refused or (bool(broken) and one.enforce == "require")
        shown.append(one._replace(missing=(*one.missing, *broken), refused=refused))
    return shown


def import_policy(path: Path) -> str:
    """Kubewarden's verification file (YAML, `apiVersion: v1`) as a policy for every repository.

    Raises:
        YamlMissingError: PyYAML is not installed.
        InvalidPolicyError: the file is malformed, or has what a policy cannot express.
    """
    try:
        import yaml
    except ImportError as error:
        raise YamlMissingError(
            "Kubewarden's file is YAML, and PyYAML is missing", hint="install PyYAML into the environment of wasm2oci"
        ) from error

    raw = read_named(path, POLICY_MAX)
    try:
        loader = yaml.SafeLoader(raw)
        document = loader.get_single_node()
        unclear = _unclear(document)
        if unclear is not None:
            raise InvalidPolicyError(f"{path}: {unclear}")
        value = None if document is None else loader.construct_document(document)
    except (yaml.YAMLError, RecursionError, *_NOT_FOR_ITS_TAG) as error:
        problem = getattr(error, "problem", None)
        raise InvalidPolicyError(f"{path} is not YAML" + (f": {problem}" if problem else "")) from error
    try:
        text = policy_text(value)
        read_policy(text.encode(), "the policy made of it", _no_file)
    except InvalidInputError as error:
        raise InvalidPolicyError(f"{path}: {error.message}") from error
    except UnicodeEncodeError as error:
        raise InvalidPolicyError(f"{path}: it holds text that is not Unicode") from error
    return text


def _unclear(document: Any) -> str | None:
    """Why a YAML document is refused: a mapping has a key twice, of which PyYAML takes the last, or there is an alias.

    Aliases of a file of some kilobytes may stand for gigabytes.
    """
    waiting, seen = [document], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # PyYAML makes no node for an alias
            return "an alias (*name) is not read; write out its value"
        seen.add(id(node))
        if node is None or isinstance(node.value, str):
            continue
        if node.id != "mapping":
            waiting += node.value
            continue
        names = [key.value for key, _ in node.value if isinstance(key.value, str)]
        if len(set(names)) != len(names):
            return "a key is repeated"
        waiting += [one for pair in node.value for one in pair]
    return None


def _no_file(name: str) -> bytes:
    raise AssertionError(f"Kubewarden's file has its keys in it, not in {name}")
