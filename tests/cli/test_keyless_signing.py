"""Signing without a key: the identity of a CI job, Fulcio and Rekor of the tests' own, and what verifies it after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.certificates import make_authority
from tests.support.registry_server import registry_server
from tests.support.sigstore_instance import GITHUB_ISSUER, Instance
from tests.support.sigstore_services import REQUEST_TOKEN, WORKFLOW, Services, sigstore_services
from wasm2oci.server.exposure import tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.support import Ran

IDENTITY = f"https://github.com/{WORKFLOW}"
WHO = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", GITHUB_ISSUER)


class Bench:
    """A registry with an artifact, Sigstore's services, and a folder with the files that name them."""

    def __init__(self, folder: Path, ref: str, services: Services) -> None:
        self.folder, self.ref, self.services = folder, ref, services
        (folder / "trust.json").write_bytes(services.trust_config)
        (folder / "root.json").write_bytes(services.instance.trusted_root)

    def run(self, *arguments: str, code: int = 0, **env: str) -> Ran:
        ran = invoke(*arguments, cwd=self.folder, env=env)
        assert ran.code == code, ran.stderr
        return ran

    def sign(self, *more: str, token: str | None = None, code: int = 0) -> Ran:
        given = self.services.token() if token is None else token
        arguments = ("--keyless", "--trust-config", "trust.json", *more)
        return self.run("sign", self.ref, *arguments, code=code, SIGSTORE_ID_TOKEN=given)

    def verify(self, *more: str, who: tuple[str, ...] = WHO, code: int = 0) -> Ran:
        return self.run("verify", self.ref, *who, "--trusted-root", "root.json", *more, code=code)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    authority = make_authority(tmp_path)
    issued = authority.issue("services")
    server_context = tls_context(issued.certificate_file, issued.key_file)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
        monkeypatch.delenv(name, raising=False)
    with registry_server() as registry, sigstore_services(server_context) as services:
        ref = f"{registry.address}/acme/app:v1"
        assert invoke("push", "-", ref, stdin=HELLO).code == 0
        yield Bench(tmp_path, ref, services)


def test_what_a_token_vouches_for_signs_and_verifies(bench: Bench) -> None:
    shown = json.loads(bench.sign("-a", "env=prod", "--format", "json").stdout)
    assert (shown["identity"], shown["issuer"], shown.get("key_id")) == (IDENTITY, GITHUB_ISSUER, None)
    assert bench.services.requests == ["/api/v2/signingCert", "/api/v1/log/entries"]
    bench.verify()
    bench.verify("-a", "env=prod")
    bench.verify("-a", "env=test", code=6)
    bench.verify(who=("--certificate-identity", f"{IDENTITY}x", "--certificate-oidc-issuer", GITHUB_ISSUER), code=6)
    (bench.folder / "root.json").write_bytes(Instance().trusted_root)
    assert "does not verify" in bench.verify(code=6).stderr


def test_a_push_is_signed_before_its_tag_is_there(bench: Bench) -> None:
    (bench.folder / "app.wasm").write_bytes(HELLO)
    ref = bench.ref.replace("/app:", "/pushed:")
    keyless = ("--sign", "--keyless", "--trust-config", "trust.json")
    arguments = ("push", "app.wasm", ref, *keyless, "--signature-annotation", "env=prod")
    assert "no identity is available" in bench.run(*arguments, code=5).stderr
    bench.run("resolve", ref, code=4)  # nothing was sent
    bench.services.requests.clear()
    shown = json.loads(bench.run(*arguments, "--format", "json", SIGSTORE_ID_TOKEN=bench.services.token()).stdout)
    signature = shown["signature"]
    assert (signature["identity"], signature["issuer"], signature["keyId"]) == (IDENTITY, GITHUB_ISSUER, None)
    assert signature["tag"] is None
    assert bench.services.requests == ["/api/v2/signingCert", "/api/v1/log/entries"]
    bench.run("verify", ref, *WHO, "--trusted-root", "root.json", "-a", "env=prod")
    (bench.folder / "trust.json").write_text("{}")
    bench.run("push", "app.wasm", f"{ref}2", *keyless, code=3, SIGSTORE_ID_TOKEN=bench.services.token())
    bench.run("resolve", f"{ref}2", code=4)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sign",),
        ("--keyless",),
        ("--trust-config", "trust.json"),
        ("--sign", "--keyless", "--key", "k"),
        ("--sign", "--keyless", "--signature-format", "legacy"),
    ],
)
def test_options_of_a_push_that_do_not_say_who_signs_are_refused(bench: Bench, arguments: tuple[str, ...]) -> None:
    (bench.folder / "app.wasm").write_bytes(HELLO)
    assert "--" in bench.run("push", "app.wasm", bench.ref, *arguments, code=2).stderr


def test_a_file_is_signed_by_a_job_and_verifies_with_its_identity(bench: Bench) -> None:
    (bench.folder / "app.wasm").write_bytes(HELLO)
    arguments = ("sign-file", "app.wasm", "--keyless", "--trust-config", "trust.json")
    bench.run(*arguments, code=5)
    assert IDENTITY in bench.run(*arguments, SIGSTORE_ID_TOKEN=bench.services.token()).stdout
    rooted = ("--trusted-root", "root.json")
    assert IDENTITY in bench.run("verify-file", "app.wasm", *WHO, *rooted).stdout
    other = ("--certificate-identity", f"{IDENTITY}x", "--certificate-oidc-issuer", GITHUB_ISSUER)
    assert "another identity" in bench.run("verify-file", "app.wasm", *other, *rooted, code=6).stderr


def test_an_sbom_is_attached_the_same_way(bench: Bench) -> None:
    arguments = ("sbom", bench.ref, "--attach", "--keyless", "--trust-config", "trust.json")
    bench.run(*arguments, SIGSTORE_ID_TOKEN=bench.services.token())
    bench.verify("--type", "cyclonedx")
    bench.run("sbom", bench.ref, "--keyless", code=2)


def test_the_identity_of_a_github_job_is_asked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with sigstore_services() as github:
        github.issuer_key = bench.services.issuer_key
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{github.url}/token")
        ran = bench.run("sign", bench.ref, "--keyless", "--trust-config", "trust.json", "-v")
        assert github.requests == ["/token"]
    assert IDENTITY in ran.stdout
    assert f"cosign verify --certificate-identity {IDENTITY} --certificate-oidc-issuer {GITHUB_ISSUER}" in ran.stderr
    bench.verify()


def test_an_attestation_is_signed_the_same_way(bench: Bench) -> None:
    (bench.folder / "bom.json").write_text('{"bomFormat":"CycloneDX"}')
    arguments = ("attest", bench.ref, "--keyless", "--trust-config", "trust.json", "--type", "cyclonedx")
    bench.run(*arguments, "--predicate", "bom.json", SIGSTORE_ID_TOKEN=bench.services.token())
    bench.verify("--type", "cyclonedx")
    bench.verify(code=6)
    found = bench.run("attestations", bench.ref, *WHO, "--trusted-root", "root.json", "--format", "json")
    assert [one["predicate"]["bomFormat"] for one in json.loads(found.stdout)["attestations"]] == ["CycloneDX"]


def test_a_policy_takes_it(bench: Bench) -> None:
    (bench.folder / "policy.toml").write_text(
        'version = 1\ndefault = "require"\n[[rule]]\nscope = "*"\n[[rule.any_of]]\nkind = "github"\nowner = "acme"\n'
        'repo = "app"\n'
    )
    policy = ("pull", bench.ref, "-o", "out.wasm", "--policy", "policy.toml", "--trusted-root", "root.json")
    bench.run(*policy, code=6)
    bench.sign()
    bench.run(*policy)
    assert (bench.folder / "out.wasm").read_bytes() == HELLO


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "no identity is available"),
        ("no token", "malformed or missing claims"),
        ("over", "malformed or missing claims"),
        ("elsewhere", "malformed or missing claims"),
    ],
)
def test_without_an_identity_nothing_is_asked_and_nothing_signed(bench: Bench, token: str, said: str) -> None:
    made = {"over": bench.services.token(-60), "elsewhere": bench.services.token(aud="another")}.get(token, token)
    ran = bench.sign(token=made, code=5)
    assert said in ran.stderr
    assert "id-token: write" in ran.stderr
    assert not made or made not in ran.stderr
    assert not bench.services.requests
    bench.verify(code=6)


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v1/log/entries"])
def test_a_service_that_fails_leaves_nothing(bench: Bench, path: str) -> None:
    bench.services.broken = path
    assert "signing failed" in bench.sign(code=7).stderr
    bench.verify(code=6)


def test_a_log_that_answers_with_another_entry_is_refused_before_anything_is_attached(bench: Bench) -> None:
    bench.services.foreign_entry = True
    assert "does not verify" in bench.sign(code=7).stderr
    assert "is not signed" in bench.verify(code=6).stderr


def test_an_authority_of_another_root_is_refused(bench: Bench) -> None:
    other = Services(url=bench.services.url)
    (bench.folder / "trust.json").write_bytes(other.trust_config)
    assert "signing failed" in bench.sign(code=7).stderr


@pytest.mark.parametrize("content", ["{", "{}", '{"mediaType":"x"}', "[]"])
def test_a_file_that_is_no_trust_configuration(bench: Bench, content: str) -> None:
    (bench.folder / "trust.json").write_text(content)
    assert "not a ClientTrustConfig" in bench.sign(code=3).stderr


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--keyless", "--key", "x.key"),
        ("--trust-config", "trust.json", "--key", "x.key"),
        ("--keyless", "--signature-format", "legacy"),
    ],
)
def test_who_signs_has_to_be_clear(bench: Bench, options: tuple[str, ...]) -> None:
    bench.run("sign", bench.ref, *options, code=2)
