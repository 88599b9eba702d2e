"""The policy file: whose signatures an artifact needs, and what a module may do, by where it comes from.

    version = 1
    default = "accept-unsigned"                # or "warn", "require": what happens where no rule applies

    [[rule]]
    scope = "registry.example.com/team/*"      # a repository, or everything below a path, or "*"
    enforce = "require"                        # or "warn", or "accept-unsigned" for a rule that asks for nothing

    [[rule.all_of]]                            # every one has to be fulfilled
    kind = "key"
    path = "team.pub"                          # beside the policy file; or key = "PEM"
    annotations = { env = "prod" }

    [[rule.any_of]]                            # `minimum` of these (1 if the rule has none), by different signers
    kind = "github"
    owner = "WebAssembly"
    repo = "WASI"

    [[rule.any_of]]
    kind = "oidc"
    issuer = "https://accounts.google.com"
    subject = "me@example.com"                 # or subject_prefix, or subject_regexp

    [rule.module]
    deny_imports = ["wasi_snapshot_preview1.sock_*"]
    allow_features = ["bulk-memory"]
    max_size = 1048576

The rule with the longest scope applies, and only that one. `attestation = TYPE` on a requirement asks for an
attestation instead of a signature; `github` takes either a signature or a provenance attestation. The kind
`annotations` asks that one of the signatures counted in `all_of` or `any_of` carries them.

Unknown keys are errors: a misspelled word must not weaken a policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.toml import load_toml
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.host import HUB_HOSTS, HUB_NAMESPACE, same_form
from wasm2oci.oci.reference import LAYOUT_PREFIX, LayoutReference, parse_location
from wasm2oci.signing.keys import InvalidKeyError, PublicKey, UnsupportedKeyError
from wasm2oci.signing.module_limits import InvalidLimitsError, ModuleLimits, read_limits
from wasm2oci.signing.requirement import GITHUB_ISSUER, SIGNATURE_TYPES, IdentityRequirement, KeyRequirement
from wasm2oci.signing.statement import predicate_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from wasm2oci.signing.requirement import Requirement

__all__ = [
    "POLICY_MAX",
    "InvalidPolicyError",
    "Policy",
    "Rule",
    "layout_scope",
    "read_policy",
    "scope_of",
]

POLICY_MAX: Final = 1024 * 1024
"""Bytes of a policy file."""
ACCEPT, WARN, REQUIRE = "accept-unsigned", "warn", "require"
_PROVENANCE: Final = ("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2")
_COMMON: Final = frozenset({"kind", "annotations", "attestation"})
_KEYS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "key": frozenset({"path", "key"}),
        "github": frozenset({"owner", "repo", "ref"}),
        "oidc": frozenset({"issuer", "subject", "subject_prefix", "subject_regexp"}),
        "annotations": frozenset(),
    }
)
"""Kind of requirement -> the keys it has besides `_COMMON`."""

_BELOW: Final = "x/x"
"""A repository below a scope, with which the scope is read as a reference."""
_OWNER: Final = re.compile(r"[A-Za-z0-9-]+")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9._-]*")


class InvalidPolicyError(InvalidInputError):
    """A policy file is malformed, contradicts itself, or has an unknown key or value."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        scope: a repository, or `PATH/*`, or `*`.
        enforce: `require`, `warn` or `accept-unsigned`.
        all_of: each has to be fulfilled.
        any_of: `minimum` of these have to be fulfilled, by as many signers.
        minimum: see `any_of`.
        annotations: that one of the signatures which were counted has to carry, each set by itself.
        module: what the module may do.
    """

    scope: str
    enforce: str
    all_of: tuple[Requirement, ...] = ()
    any_of: tuple[Requirement, ...] = ()
    minimum: int = 1
    annotations: tuple[Mapping[str, str], ...] = ()
    module: ModuleLimits = field(default_factory=ModuleLimits)

    @property
    def wants_signatures(self) -> bool:
        """Whether there is a requirement that signatures have to fulfil."""
        return bool(self.all_of or self.any_of)

    def applies_to(self, name: str) -> bool:
        """Whether a repository (see `scope_of`) is in its scope."""
        if self.scope.endswith("*"):
            return name.startswith(self.scope[:-1])
        return name == self.scope


class Policy(NamedTuple):
    """A policy file.

    Args:
        default: what happens where no rule applies.
        rules: as written.
        source: where it was read, for people.
    """

    default: str
    rules: tuple[Rule, ...]
    source: str

    def rule_for(self, name: str) -> Rule | None:
        """The rule with the longest scope among those that apply; an exact scope before all others."""
        applying = [rule for rule in self.rules if rule.applies_to(name)]
        return max(applying, key=lambda rule: (not rule.scope.endswith("*"), len(rule.scope)), default=None)


def scope_of(host: str, repository: str) -> str:
    """What the scopes of rules are compared with: host and repository in the one form that all spellings share.

    See `same_form` for the host; short names of Docker Hub have `library/`.
    """
    name = same_form(host)
    if name == HUB_HOSTS[0] and "/" not in repository:
        repository = f"{HUB_NAMESPACE}/{repository}"
    return f"{name}/{repository}"


def layout_scope(real_path: str) -> str:
    """What the scopes of rules are compared with for a layout or an archive: its path without links."""
    return LAYOUT_PREFIX + real_path


def read_policy(
    raw: bytes, source: str, read_key: Callable[[str], bytes], real_path: Callable[[Path], str] = str
) -> Policy:
    """Reads a policy file.

    Args:
        raw: its bytes.
        source: its name, for messages.
        read_key: gives the bytes of a key file that is named relative to the policy file.
        real_path: gives the absolute path without links of a layout that is named relative to the policy file.

    Raises:
        InvalidPolicyError: it is malformed, or a key in it is not a public key that is used here.
        Wasm2OciError: a key file cannot be read.
    """
    if len(raw) > POLICY_MAX:
        raise InvalidPolicyError(f"{source} is {len(raw):,} bytes; the limit is {POLICY_MAX:,}")
    try:
        value = load_toml(raw)
    except ValueError as error:
        raise InvalidPolicyError(f"{source} is not TOML: {error}") from error
    return _Reader(source, read_key, real_path).policy(value)


class _Reader:
    """Reads the tables of one file, and names it in every error."""

    def __init__(self, source: str, read_key: Callable[[str], bytes], real_path: Callable[[Path], str]) -> None:
        self._source = source
        self._read_key = read_key
        self._real_path = real_path

    def policy(self, value: dict[str, Any]) -> Policy:
        self._known(value, {"version", "default", "rule"}, "the file")
        if value.get("version") != 1 or isinstance(value.get("version"), bool):
            raise self._error("version = 1 is missing")
        default = value.get("default", ACCEPT)
        if default not in (ACCEPT, WARN, REQUIRE):
            raise self._error(f"default is none of {ACCEPT}, {WARN}, {REQUIRE}")
        rules = tuple(
            self._rule(entry, f"rule {number}") for number, entry in enumerate(self._tables(value, "rule"), 1)
        )
        scopes = [rule.scope for rule in rules]
        twice = next((scope for scope in scopes if scopes.count(scope) > 1), None)
        if twice is not None:
            raise self._error(f"two rules have the scope {twice!r}")
        return Policy(default, rules, self._source)

    def _rule(self, entry: dict[str, Any], where: str) -> Rule:
        self._known(entry, {"scope", "enforce", "all_of", "any_of", "minimum", "module"}, where)
        scope = self._scope(entry.get("scope"), where)
        where = f"the rule for {scope}"
        enforce = entry.get("enforce", REQUIRE)
        if enforce not in (ACCEPT, WARN, REQUIRE):
            raise self._error(f"{where}: enforce is none of {ACCEPT}, {WARN}, {REQUIRE}")
        annotations: list[Mapping[str, str]] = []
        all_of = self._requirements(entry, "all_of", where, annotations)
        any_of = self._requirements(entry, "any_of", where, annotations)
        minimum = entry.get("minimum", 1)
        if not isinstance(minimum, int) or isinstance(minimum, bool) or not 1 <= minimum <= max(1, len(any_of)):
            raise self._error(f"{where}: minimum is not a number from 1 to the number of any_of")
        if "minimum" in entry and not any_of:
            raise self._error(f"{where}: minimum counts any_of, and there is none")
        if annotations and not all_of and not any_of:
            raise self._error(f"{where}: annotations alone prove nothing; add a key or an identity")
        module = self._module(entry.get("module", {}), where)
        asks = bool(all_of or any_of or module.any)
        if asks and enforce == ACCEPT:
            raise self._error(
                f"{where}: with enforce = {ACCEPT!r} it asks for nothing; take out the rest, or write {WARN!r}"
            )
        if not asks and enforce != ACCEPT:
            raise self._error(f"{where} asks for nothing; add all_of, any_of or module")
        return Rule(scope, enforce, all_of, any_of, minimum, tuple(annotations), module)

    def _scope(self, scope: object, where: str) -> str:
        if not isinstance(scope, str) or not scope:
            raise self._error(f"{where} has no scope")
        body = scope.removesuffix("*")
        if "*" in body or (body != scope and body and not body.endswith("/")):
            raise self._error(f"{where}: the scope {scope!r} may have a * only for all that follows a /")
        if not body:
            return scope
        below = body != scope
        # Only what a reference can name can be covered: a scope that covers nothing would weaken the policy.
        try:
            place = parse_location(body + _BELOW * below)
        except InvalidInputError as error:
            hint = None if error.hint is None else error.hint.removesuffix(_BELOW) + "*" * below
            raise self._error(f"{where}: the scope {scope!r} names no repository: {error.message}", hint) from error
        if place.identifier is not None:
            raise self._error(f"{where}: the scope {scope!r} names a tag or a digest; rules are for repositories")
        if isinstance(place, LayoutReference):
            name = layout_scope(self._real_path(place.folder.parent.parent if below else place.folder))
            return f"{name.removesuffix('/')}/*" if below else name
        name = scope_of(place.host, place.repository)
        return name.removesuffix(_BELOW) + "*" if below else name

    def _requirements(
        self, entry: dict[str, Any], name: str, where: str, annotations: list[Mapping[str, str]]
    ) -> tuple[Requirement, ...]:
        found = []
        for number, one in enumerate(self._tables(entry, name), 1):
            place = f"{where}, {name} {number}"
            kind = one.get("kind")
            if not isinstance(kind, str) or kind not in _KEYS:
                raise self._error(f"{place}: kind is none of {', '.join(_KEYS)}")
            self._known(one, _COMMON | _KEYS[kind], place)
            texts = self._annotations(one.get("annotations", {}), place)
            if kind == "annotations":
                if not texts or "attestation" in one:
                    raise self._error(f"{place}: the kind annotations has annotations, and nothing else")
                annotations.append(texts)
                continue
            types: tuple[str, ...] = (*SIGNATURE_TYPES, *_PROVENANCE) if kind == "github" else SIGNATURE_TYPES
            if "attestation" in one:
                types = (predicate_type(self._text(one, "attestation", place)),)
            found.append(getattr(self, f"_{kind}")(one, place, texts, types))
        return tuple(found)

    def _key(
        self, one: dict[str, Any], place: str, annotations: Mapping[str, str], types: tuple[str, ...]
    ) -> KeyRequirement:
        if ("path" in one) == ("key" in one):
            raise self._error(f"{place}: a key has either a path or the key itself")
        path = self._text(one, "path", place) if "path" in one else None
        pem = self._text(one, "key", place).encode() if path is None else self._read_key(path)
        try:
            return KeyRequirement(PublicKey.from_pem(pem), annotations, types)
        except (InvalidKeyError, UnsupportedKeyError) as error:
            raise self._error(f"{place}: {path or 'key'}: {error.message}", error.hint) from error

    def _github(
        self, one: dict[str, Any], place: str, annotations: Mapping[str, str], types: tuple[str, ...]
    ) -> IdentityRequirement:
        owner = self._text(one, "owner", place)
        repo = self._text(one, "repo", place) if "repo" in one else ""
        if not _OWNER.fullmatch(owner) or not _REPOSITORY.fullmatch(repo):
            raise self._error(f"{place}: owner or repo is not a name on GitHub")
        reference = self._text(one, "ref", place) if "ref" in one else None
        return IdentityRequirement(
            GITHUB_ISSUER,
            repository=f"https://github.com/{owner}/{repo}",
            reference=reference,
            annotations=annotations,
            types=types,
        )

    def _oidc(
        self, one: dict[str, Any], place: str, annotations: Mapping[str, str], types: tuple[str, ...]
    ) -> IdentityRequirement:
        ways = [name for name in ("subject", "subject_prefix", "subject_regexp") if name in one]
        if len(ways) != 1:
            raise self._error(f"{place}: an oidc requirement has one of subject, subject_prefix, subject_regexp")
        text = self._text(one, ways[0], place)
        pattern = None
        if ways[0] == "subject_regexp":
            try:
                pattern = re.compile(text)
            except re.error as error:
                raise self._error(f"{place}: subject_regexp is not a regular expression: {error}") from error
        return IdentityRequirement(
            self._text(one, "issuer", place),
            subject=text if ways[0] == "subject" else None,
            subject_prefix=text.rstrip("/") + "/" if ways[0] == "subject_prefix" else None,
            pattern=pattern,
            annotations=annotations,
            types=types,
        )

    def _module(self, value: object, where: str) -> ModuleLimits:
        try:
            return read_limits(value)
        except InvalidLimitsError as error:
            raise self._error(f"{where}, module: {error}") from error

    def _annotations(self, value: object, place: str) -> Mapping[str, str]:
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self._error(f"{place}: annotations are not texts")
        return MappingProxyType(value)

    def _text(self, entry: dict[str, Any], name: str, place: str) -> str:
        found = entry.get(name)
        if not isinstance(found, str) or not found:
            raise self._error(f"{place}: {name} is missing, or is not text")
        return found

    def _tables(self, entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
        found = entry.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._error(f"{name} is not a list of tables; write [[{name}]]")
        return found

    def _known(self, entry: dict[str, Any], names: Iterable[str], where: str) -> None:
        unknown = next((name for name in entry if name not in set(names)), None)
        if unknown is not None:
            raise self._error(f"{where} has {unknown!r}, which means nothing")

    def _error(self, message: str, hint: str | None = None) -> InvalidPolicyError:
        return InvalidPolicyError(f"{self._source}: {message}", hint=hint)
