"""Kubewarden's verification file: what it becomes, and what is refused because it does not mean what it seems to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wasm2oci.operations.policy import import_policy
from wasm2oci.signing.keys import PrivateKey
from wasm2oci.signing.policy import InvalidPolicyError, read_policy
from wasm2oci.signing.requirement import IdentityRequirement, KeyRequirement

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("yaml", reason="optional: PyYAML is part of the extra `dev`")

KEY = PrivateKey.generate().public
PEM = KEY.pem.decode().replace("\n", "\n      ")
PUB_KEY = f"  - kind: pubKey\n    owner: me\n    key: |\n      {PEM}\n"


def imported(tmp_path: Path, text: str) -> str:
    path = tmp_path / "verification.yml"
    path.write_text(text)
    return import_policy(path)


def test_every_kind_of_signature_is_one_of_a_policy(tmp_path: Path) -> None:
    text = (
        f'apiVersion: v1\nallOf:\n{PUB_KEY}    annotations: {{env: "a\\"b\\\\c\\x7f\u00e9"}}\n'
        "anyOf:\n  minimumMatches: 2\n  signatures:\n  - {kind: githubAction, owner: acme, repo: app}\n"
        "  - {kind: githubAction, owner: acme}\n"
        "  - {kind: genericIssuer, issuer: 'https://i.test', subject: {equal: me@example.com}}\n"
        "  - {kind: genericIssuer, issuer: 'https://i.test', subject: {urlPrefix: 'https://x.test/y'}}\n"
    )
    (rule,) = read_policy(imported(tmp_path, text).encode(), "p", lambda _: b"").rules
    (key,) = rule.all_of
    assert isinstance(key, KeyRequirement)
    assert (rule.scope, rule.minimum, key.key, dict(key.annotations)) == ("*", 2, KEY, {"env": 'a"b\\c\u007f\u00e9'})
    found = [one for one in rule.any_of if isinstance(one, IdentityRequirement)]
    assert [one.repository for one in found] == ["https://github.com/acme/app", "https://github.com/acme/", None, None]
    assert [one.subject for one in found] == [None, None, "me@example.com", None]
    assert found[3].subject_prefix == "https://x.test/y/"


ANY = "apiVersion: v1\nanyOf:\n  minimumMatches: 1\n  signatures:\n  - {kind: githubAction, owner: acme}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ANY.replace("minimumMatches: 1", "minimumMatches: 2"), "from 1 to the number"),
        (ANY.replace("minimumMatches: 1", "minimumMatches: 0"), "from 1 to the number"),
        (ANY.replace("minimumMatches: 1", "minimumMatches: true"), "from 1 to the number"),
        (ANY.replace("minimumMatches", "minimum"), "'minimum' means nothing"),
        (ANY.replace("owner: acme", "owner: acme, repository: app"), "'repository' means nothing"),
        (ANY.replace("owner: acme", "owner: acme, anotations: {env: prod}"), "'anotations' means nothing"),
        (ANY.replace("owner: acme", "owner: acme, annotations: {env: 1}"), "annotations are not texts"),
        (ANY.replace("owner: acme", "owner: acme, annotations: {1: a}"), "annotations are not texts"),
        (ANY.replace("owner: acme", "owner: acme, repo: ''"), "repo is missing"),
        (ANY.replace("owner: acme", "owner: a/b"), "not a name on GitHub"),
        (ANY.replace("owner: acme", "owner: acme, owner: evil"), "a key is repeated"),
        (ANY + "anyOf: {}\n", "a key is repeated"),
        (ANY + "allof: []\n", "'allof' means nothing"),
        (ANY + "1: x\n", "'1' means nothing"),
        (ANY + f"allOf:\n{PUB_KEY}".replace("BEGIN PUBLIC KEY", "BEGIN CERTIFICATE"), "not a public key"),
        (ANY + "allOf: [{kind: pubKey, key: ''}]\n", "key is missing"),
        (ANY + 'allOf: [{kind: pubKey, key: "\\ud800"}]\n', "Unicode|not YAML"),
        (ANY + "allOf: [{kind: genericIssuer, issuer: x, subject: {equal: a, urlPrefix: b}}]\n", "a subject that is"),
        (ANY + "allOf: [{kind: certificate}]\n", "the kind of a signature is none of"),
        ("apiVersion: v1\nanyOf: {minimumMatches: 1}\n", "lists a signature"),
        ("apiVersion: v1beta\n", "apiVersion: v1 is missing"),
        ("--- 1\n--- 2\n", "not YAML: but found another document"),
    ],
)
def test_a_file_that_means_something_else_than_it_seems_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidPolicyError, match=sentence):
        imported(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        ANY + "allOf:\n- &a {kind: githubAction, owner: acme}\n" + "- *a\n" * 1000,
        ANY + "allOf: [{kind: githubAction, owner: &a acme, repo: *a}]\n",
        "a0: &a0 {x: y}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60)),
        "a: &x {b: *x}\n",
    ],
    ids=["list", "text", "merged mappings", "itself"],
)
def test_an_alias_is_refused_since_it_may_stand_for_gigabytes(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidPolicyError, match="an alias"):
        imported(tmp_path, text)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicyError, match="apiVersion"):
        imported(tmp_path, "")
