from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import simple_signing
from wasm2oci.signing.candidate import Candidate
from wasm2oci.signing.decision import decide, decide_default
from wasm2oci.signing.keys import PrivateKey
from wasm2oci.signing.module_limits import ModuleLimits
from wasm2oci.signing.policy import InvalidPolicyError, read_policy, scope_of
from wasm2oci.signing.requirement import GITHUB_ISSUER, IdentityRequirement, KeyRequirement, Verifier
from wasm2oci.signing.statement import signature_statement

if TYPE_CHECKING:
    from wasm2oci.signing.decision import Decision
    from wasm2oci.signing.keyless import Keyless
    from wasm2oci.signing.policy import Policy

KEYS = {name: PrivateKey.generate() for name in ("a.pub", "b.pub", "c.pub")}
SUBJECT = Digest.of(b"manifest")
SCOPE = "registry.test/team/app"


def policy(text: str) -> Policy:
    return read_policy(("version = 1\n" + text).encode(), "policy.toml", lambda path: KEYS[path].public.pem)


def no_keyless() -> Keyless:
    raise AssertionError("only keys are used")


def signed(name: str, **annotations: str) -> Candidate:
    raw = bundles.sign(KEYS[name], signature_statement(SUBJECT, annotations))
    return Candidate("bundle", f"{name} {annotations}", raw, Descriptor.of(bundles.MEDIA_TYPE, raw))


def decided(text: str, *candidates: Candidate) -> Decision:
    rule = policy(f'[[rule]]\nscope = "{SCOPE}"\n{text}').rules[0]
    return decide(rule, candidates, Verifier(SUBJECT, no_keyless))


A, B, C = (f'kind = "key"\npath = "{name}"\n' for name in KEYS)


@pytest.mark.parametrize(
    ("host", "repository", "scope"),
    [
        ("ghcr.io", "team/app", "ghcr.io/team/app"),
        ("GHCR.io", "team/app", "ghcr.io/team/app"),
        ("ghcr.io:443", "team/app", "ghcr.io/team/app"),
        ("ghcr.io:8443", "team/app", "ghcr.io:8443/team/app"),
        ("docker.io", "hello", "docker.io/library/hello"),
        ("index.docker.io", "hello", "docker.io/library/hello"),
        ("registry-1.docker.io", "team/hello", "docker.io/team/hello"),
        ("registry.hub.docker.com", "library/hello", "docker.io/library/hello"),
        ("DOCKER.IO:443", "hello", "docker.io/library/hello"),
        ("docker.io.evil.test", "hello", "docker.io.evil.test/hello"),
        ("127.1:5000", "a", "127.0.0.1:5000/a"),
        ("2130706433:5000", "a", "127.0.0.1:5000/a"),
        ("0x7f.0.0.1:5000", "a", "127.0.0.1:5000/a"),
        ("[0:0:0:0:0:0:0:1]:5000", "a", "[::1]:5000/a"),
        ("[::FFFF:127.0.0.1]:5000", "a", "127.0.0.1:5000/a"),
    ],
)
def test_every_spelling_of_a_repository_has_one_scope(host: str, repository: str, scope: str) -> None:
    assert scope_of(host, repository) == scope


@pytest.mark.parametrize(
    ("scope", "read"),
    [
        ("GHCR.IO:443/team/*", "ghcr.io/team/*"),
        ("index.docker.io/*", "docker.io/*"),
        ("index.docker.io/hello", "docker.io/library/hello"),
        ("[0:0:0:0:0:0:0:1]:5000/*", "[::1]:5000/*"),
        ("oci-layout:/srv/layouts/*", "oci-layout:/srv/layouts/*"),
        ("oci-archive:/srv/backup.tar", "oci-layout:/srv/backup.tar"),
        ("oci-layout:/*", "oci-layout:/*"),
    ],
)
def test_a_scope_is_read_in_the_form_of_the_repositories_it_covers(scope: str, read: str) -> None:
    assert policy(f'[[rule]]\nscope = "{scope}"\n[[rule.all_of]]\n{A}').rules[0].scope == read


@pytest.mark.parametrize(
    ("scope", "sentence"),
    [
        ("ghcr.io/Acme/*", "repository name is malformed"),
        ("ghcr.io/acme/app:1.2", "names a tag or a digest"),
        (f"ghcr.io/acme/app@sha256:{'a' * 64}", "names a tag or a digest"),
        ("https://ghcr.io/acme/*", "no scheme"),
        ("oci://ghcr.io/acme/*", "no scheme"),
        ("acme/app", "not a registry host"),
        ("acme/*", "not a registry host"),
        ("/*", "not a registry host"),
        ("ghcr.io//acme/*", "repository name is malformed"),
        ("ghcr.io/acme//*", "repository name is malformed"),
        ("ghcr.io/acme/", "repository name is malformed"),
        ("ghcr.io/acme/app ", "repository name is malformed"),
        ("ghcr.io/\u0430cme/*", "repository name is malformed"),
        ("ghcr.io./acme/*", "host is malformed"),
        ("ghcr.io:0443/acme/*", "port is not"),
        ("ghcr.io/acme/**", "only for all that follows"),
        ("oci-layout:/srv/app:v1", "names a tag or a digest"),
    ],
)
def test_a_scope_that_covers_nothing_is_refused(scope: str, sentence: str) -> None:
    """Such a rule would look as if it protects, and artifacts would be used unsigned."""
    with pytest.raises(InvalidPolicyError, match=sentence):
        policy(f'[[rule]]\nscope = "{scope}"\n[[rule.all_of]]\n{A}')


RULES = "".join(
    f'[[rule]]\nscope = "{scope}"\n[[rule.all_of]]\n{A}'
    for scope in ("*", "ghcr.io/*", "ghcr.io/team/*", "GHCR.io/team/app", "ghcr.io/team/app/deep/*", "docker.io/hello")
)


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("other.io/app", "*"),
        ("ghcr.io/teams/app", "ghcr.io/*"),
        ("ghcr.io/team/apple", "ghcr.io/team/*"),
        ("ghcr.io/team/app", "ghcr.io/team/app"),
        ("ghcr.io/team/app/deep/x", "ghcr.io/team/app/deep/*"),
        ("ghcr.io/team/app/deeper", "ghcr.io/team/*"),
        ("docker.io/library/hello", "docker.io/library/hello"),
        ("ghcr.io.evil/team/app", "*"),
    ],
)
def test_the_longest_scope_wins(name: str, scope: str) -> None:
    rule = policy(RULES).rule_for(name)
    assert rule is not None
    assert rule.scope == scope


def test_where_no_rule_applies_the_default_does() -> None:
    text = f'[[rule]]\nscope = "ghcr.io/*"\n[[rule.all_of]]\n{A}'
    for default, refused in (("accept-unsigned", False), ("warn", False), ("require", True)):
        found = policy(f'default = "{default}"\n{text}')
        assert found.rule_for("other.io/app") is None
        decision = decide_default(found)
        assert decision.refused is refused
        assert decision.met is (default == "accept-unsigned")
    assert policy(text).default == "accept-unsigned"


def test_all_of_needs_every_one() -> None:
    text = f"[[rule.all_of]]\n{A}[[rule.all_of]]\n{B}"
    assert decided(text, signed("a.pub"), signed("b.pub")).met
    half = decided(text, signed("a.pub"), signed("c.pub"))
    assert half.refused
    assert half.missing == (f"not signed by the key {KEYS['b.pub'].public.id[:12]}",)


def test_any_of_needs_the_minimum_of_different_signers() -> None:
    text = "minimum = 2\n" + "".join(f"[[rule.any_of]]\n{one}" for one in (A, B, C))
    assert decided(text, signed("a.pub"), signed("c.pub")).met
    assert decided(text, signed("a.pub")).missing[0].startswith("1 of 2 different signers")
    # One key that is named twice is one signer, and so are two signatures by it.
    twice = f"minimum = 2\n[[rule.any_of]]\n{A}[[rule.any_of]]\n{A}[[rule.any_of]]\n{B}"
    assert decided(twice, signed("a.pub"), signed("a.pub", x="1")).refused
    assert decided(twice, signed("a.pub"), signed("b.pub")).met


def test_a_bad_signature_beside_a_good_one_does_no_harm() -> None:
    bad = Candidate("bundle", "bad", b"{", Descriptor.of(bundles.MEDIA_TYPE, b"{"))
    decision = decided(f"[[rule.all_of]]\n{A}", bad, signed("b.pub"), signed("a.pub"))
    assert decision.met
    assert [one.origin for one in decision.verdicts[0].refusals] == ["bad", "b.pub {}"]


def test_annotations_of_a_requirement_and_of_a_rule() -> None:
    own = f'[[rule.all_of]]\n{A}annotations = {{ env = "prod" }}\n'
    assert decided(own, signed("a.pub", env="prod")).met
    assert decided(own, signed("a.pub")).refused
    carried = '[[rule.all_of]]\nkind = "annotations"\nannotations = { env = "prod" }\n'
    shared = f"[[rule.any_of]]\n{A}[[rule.any_of]]\n{B}{carried}"
    assert decided(shared, signed("b.pub", env="prod")).met
    # The annotation has to be on a signature that counts, not on just any.
    assert decided(shared, signed("b.pub"), signed("c.pub", env="prod")).missing == (
        "no signature that counts carries env=prod",
    )


def test_warn_decides_and_does_not_refuse() -> None:
    decision = decided(f'enforce = "warn"\n[[rule.all_of]]\n{A}')
    assert not decision.met
    assert not decision.refused


def test_a_legacy_signature_counts_for_a_key_as_a_bundle_does() -> None:
    payload, layer = simple_signing.sign(KEYS["a.pub"], SUBJECT, SCOPE, {})
    assert decided(f"[[rule.all_of]]\n{A}", Candidate("simple signing", "x", payload, layer)).met


def test_the_kinds_are_read() -> None:
    found = policy(
        f'[[rule]]\nscope = "{SCOPE}"\n'
        '[[rule.any_of]]\nkind = "github"\nowner = "WebAssembly"\nrepo = "WASI"\nref = "refs/heads/main"\n'
        '[[rule.any_of]]\nkind = "github"\nowner = "WebAssembly"\nattestation = "cyclonedx"\n'
        '[[rule.any_of]]\nkind = "oidc"\nissuer = "https://i.test"\nsubject = "me@example.com"\n'
        '[[rule.any_of]]\nkind = "oidc"\nissuer = "https://i.test"\nsubject_prefix = "https://github.com/acme"\n'
        '[[rule.any_of]]\nkind = "oidc"\nissuer = "https://i.test"\nsubject_regexp = ".*@example[.]com"\n'
        f'[[rule.any_of]]\nkind = "key"\nkey = """{KEYS["a.pub"].public.pem.decode()}"""\n'
    ).rules[0]
    repo, owner, exact, prefix, pattern, key = found.any_of
    assert isinstance(repo, IdentityRequirement)
    assert (repo.issuer, repo.repository, repo.reference) == (
        GITHUB_ISSUER,
        "https://github.com/WebAssembly/WASI",
        "refs/heads/main",
    )
    assert "https://slsa.dev/provenance/v1" in repo.types
    assert isinstance(owner, IdentityRequirement)
    assert (owner.repository, owner.types) == ("https://github.com/WebAssembly/", ("https://cyclonedx.org/bom",))
    assert isinstance(exact, IdentityRequirement)
    assert exact.subject == "me@example.com"
    assert isinstance(prefix, IdentityRequirement)
    assert prefix.subject_prefix == "https://github.com/acme/"
    assert isinstance(pattern, IdentityRequirement)
    assert pattern.pattern is not None
    assert isinstance(key, KeyRequirement)
    assert key.key.der == KEYS["a.pub"].public.der


def test_what_a_module_may_do() -> None:
    limits = (
        policy(
            f'[[rule]]\nscope = "{SCOPE}"\n[rule.module]\ndeny_imports = ["wasi_snapshot_preview1.sock_*"]\n'
            'allow_features = ["bulk-memory"]\nmax_size = 100\n'
        )
        .rules[0]
        .module
    )
    assert limits.lines == [
        'deny imports "wasi_snapshot_preview1.sock_*"',
        'allow only features "bulk-memory"',
        "allow at most 100 bytes",
    ]
    assert limits.faults(100, ["wasi_snapshot_preview1.fd_write"], ["bulk-memory"]) == []
    faults = limits.faults(101, ["wasi_snapshot_preview1.sock_send"], ["simd"])
    assert len(faults) == 3
    assert "sock_send" in faults[1]
    older = limits.faults(0, ["wasi_unstable.sock_send"], [])
    assert older == [
        "the module imports wasi_unstable.sock_send, and the policy denies 'wasi_snapshot_preview1.sock_*'"
    ]
    assert limits.faults(0, ["wasi_unstable.fd_write", "my_wasi_unstable.sock_send"], []) == []
    assert ModuleLimits(allow_imports=("wasi_snapshot_preview1.*",)).faults(0, ["wasi_unstable.fd_write"], [])
    assert ModuleLimits(allow_imports=()).faults(0, ["a.b"], [])
    assert not ModuleLimits().any


RULE = f'[[rule]]\nscope = "{SCOPE}"\n'


@pytest.mark.parametrize(
    ("pattern", "name", "denied"),
    [
        ("env", "env.sleep", True),
        ("env", "environment.sleep", False),
        ("env", "my.env.sleep", False),
        ("my.env", "my.env.sleep", True),
        ("wasi_snapshot_preview1", "wasi_unstable.fd_write", True),
        ("wasi:sockets/tcp", "wasi:sockets/tcp@0.2.0", True),
        ("wasi:sockets/tcp", "wasi:sockets/tcp-create-socket@0.2.0", False),
        ("wasi:sockets/*", "wasi:sockets/tcp@0.2.0", True),
        ("wasi:sockets/tcp@0.2.0", "wasi:sockets/tcp@0.2.3", False),
        ("*", "a.b", True),
        ("e[no]v", "env.sleep", True),
    ],
)
def test_what_a_pattern_of_imports_denies(pattern: str, name: str, *, denied: bool) -> None:
    assert bool(ModuleLimits(deny_imports=(pattern,)).faults(0, [name], [])) is denied


@pytest.mark.parametrize("pattern", ["simd", "simd128", "simd*", "wasm2", "*"])
def test_a_feature_is_denied_by_each_of_its_names(pattern: str) -> None:
    rule = policy(RULE + f'[rule.module]\ndeny_features = ["{pattern}"]\n').rules[0].module
    assert rule.faults(0, [], ["simd128"]) == [
        f"the module uses the feature simd128, and the policy denies {pattern!r}"
    ]
    rule = policy(RULE + f'[rule.module]\nallow_features = ["{pattern}"]\n').rules[0].module
    assert rule.faults(0, [], ["simd128"]) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("versoin = 2", "means nothing"),
        ('default = "accept"', "default is none of"),
        ("[[rule]]\n", "no scope"),
        ('[[rule]]\nscope = "ghcr.io/te*"\n', "only for all that follows"),
        ('[[rule]]\nscope = "*/x"\n', "only for all that follows"),
        ('[[rule]]\nscope = "ghcr.io"\n', "names no repository"),
        (RULE, "asks for nothing"),
        (RULE + 'enforce = "yes"\n', "enforce is none of"),
        (RULE + f"[[rule.all_off]]\n{A}", "means nothing"),
        (RULE + '[[rule.all_of]]\nkind = "pgp"\n', "kind is none of"),
        (RULE + '[[rule.all_of]]\nkind = "key"\n', "either a path or the key"),
        (RULE + f"[[rule.all_of]]\n{A}pth = 1\n", "means nothing"),
        (RULE + f"minimum = 2\n[[rule.any_of]]\n{A}", "minimum is not"),
        (RULE + f"minimum = 0\n[[rule.any_of]]\n{A}", "minimum is not"),
        (RULE + f"minimum = true\n[[rule.any_of]]\n{A}", "minimum is not"),
        (RULE + f"minimum = 1\n[[rule.all_of]]\n{A}", "minimum counts any_of"),
        (RULE + '[[rule.all_of]]\nkind = "annotations"\nannotations = { a = "b" }\n', "alone prove nothing"),
        (RULE + '[[rule.all_of]]\nkind = "annotations"\n', "has annotations, and nothing else"),
        (RULE + '[[rule.all_of]]\nkind = "github"\nowner = "a/b"\n', "not a name on GitHub"),
        (RULE + '[[rule.all_of]]\nkind = "github"\n', "owner is missing"),
        (RULE + '[[rule.all_of]]\nkind = "oidc"\nissuer = "x"\n', "one of subject"),
        (RULE + '[[rule.all_of]]\nkind = "oidc"\nsubject = "x"\n', "issuer is missing"),
        (RULE + '[[rule.all_of]]\nkind = "oidc"\nissuer = "x"\nsubject_regexp = "("\n', "regular expression"),
        (RULE + f"[[rule.all_of]]\n{A}annotations = {{ a = 1 }}\n", "annotations are not texts"),
        (RULE + '[rule.module]\ndeny_imports = "x"\n', "not a list of texts"),
        (RULE + "[rule.module]\nmax_size = -1\n", "not a number of bytes"),
        (RULE + "[rule.module]\nmax_sise = 1\n", "means nothing"),
        (RULE + '[rule.module]\ndeny_features = ["simmd"]\n', "'simmd', which is not a feature"),
        (RULE + '[rule.module]\nallow_features = ["SIMD128"]\n', "'SIMD128', which is not a feature"),
        (RULE + 'enforce = "accept-unsigned"\n[rule.module]\nmax_size = 1\n', "asks for nothing"),
        (RULE + f'enforce = "accept-unsigned"\n[[rule.all_of]]\n{A}', "asks for nothing"),
        (RULE + f"[[rule.all_of]]\n{A}" + RULE + f"[[rule.all_of]]\n{B}", "two rules have the scope"),
        ('rule = "x"', "list of tables"),
        ("= x", "not TOML"),
        pytest.param("x = " + "[" * 5000, "not TOML", id="deep"),
        pytest.param("version = " + "1" * 5000, "not TOML", id="number"),
    ],
)
def test_a_policy_that_means_something_else_than_it_seems_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidPolicyError, match=sentence):
        policy(text)


def test_a_rule_may_accept_what_the_default_refuses() -> None:
    found = policy(f'default = "require"\n{RULE}enforce = "accept-unsigned"\n')
    assert found.rules[0].enforce == "accept-unsigned"
    assert not found.rules[0].wants_signatures


def test_a_policy_needs_its_version() -> None:
    for text in ("", "version = 2\n", "version = true\n"):
        with pytest.raises(InvalidPolicyError, match="version = 1"):
            read_policy(text.encode(), "policy.toml", lambda path: b"")
