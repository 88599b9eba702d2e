"""Files that are in no registry: signed, verified, and refused when one thing is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.signing_tool import make_keys
from tests.support.sigstore_instance import GITHUB_ISSUER, Instance, Signing
from wasm2oci.errors import ExitCode
from wasm2oci.oci.digest import Digest
from wasm2oci.signing.statement import attestation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.support import Ran

ACME = ("--certificate-identity-regexp", "https://github.com/acme/app/.*", "--certificate-oidc-issuer", GITHUB_ISSUER)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def tool(tmp_path: Path, keys: Path) -> Callable[..., Ran]:
    for file in keys.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "app.wasm").write_bytes(HELLO)

    def run(*arguments: str, code: int = 0) -> Ran:
        ran = invoke(*arguments, env={"COSIGN_PASSWORD": "pw"}, cwd=tmp_path)
        assert ran.code == code, ran.stderr
        return ran

    return run


def test_a_file_that_is_signed_verifies_with_the_key(tool: Callable[..., Ran], tmp_path: Path) -> None:
    signed = json.loads(tool("sign-file", "app.wasm", "--key", "ours.key", "--format", "json").stdout)
    assert signed["digest"] == str(Digest.of(HELLO))
    assert signed["bundle"] == "app.wasm.sigstore.json"
    assert "Signed by: key" in tool("verify-file", "app.wasm", "--key", "ours.pub").stdout
    tool("sign-file", "app.wasm", "--key", "theirs.key", "-o", "theirs.json", "-q")
    tool("verify-file", "app.wasm", "--bundle", "theirs.json", "--key", "theirs.pub")
    refused = tool("verify-file", "app.wasm", "--bundle", "theirs.json", "--key", "ours.pub", code=ExitCode.INTEGRITY)
    assert "not made by the key" in refused.stderr
    (tmp_path / "app.wasm").write_bytes(HELLO + b"x")
    assert "another file" in tool("verify-file", "app.wasm", "--key", "ours.pub", code=ExitCode.INTEGRITY).stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda value: value["messageSignature"]["messageDigest"].update(algorithm="SHA2_512"),
            "hash that is not used",
        ),
        (lambda value: value["messageSignature"].update(signature="AAAA"), "not made by the key"),
        (lambda value: value["messageSignature"].update(signature="AA-_"), "not valid base64"),
        (lambda value: value["messageSignature"].pop("messageDigest"), None),
        (lambda value: value.update(dsseEnvelope={}), "or both"),
        (lambda value: value.pop("messageSignature"), "neither"),
        (lambda value: value.update(mediaType="application/vnd.dev.sigstore.bundle.v0.9+json"), "unknown version"),
        (lambda value: value["verificationMaterial"]["publicKey"].update(rawBytes="AAAA"), "brings a public key"),
        (lambda value: value["verificationMaterial"].update(certificate={"rawBytes": "AAAA"}), "2 keys"),
    ],
)
def test_a_bundle_that_was_changed_is_refused(
    tool: Callable[..., Ran], tmp_path: Path, change: Callable[[dict[str, object]], object], sentence: str | None
) -> None:
    tool("sign-file", "app.wasm", "--key", "ours.key")
    path = tmp_path / "app.wasm.sigstore.json"
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))
    if sentence is None:  # the digest is a hint
        tool("verify-file", "app.wasm", "--key", "ours.pub")
        return
    assert sentence in tool("verify-file", "app.wasm", "--key", "ours.pub", code=ExitCode.INTEGRITY).stderr


def test_a_statement_about_a_file_is_verified_by_its_type(tool: Callable[..., Ran], tmp_path: Path) -> None:
    instance = Instance()
    (tmp_path / "root.json").write_bytes(instance.trusted_root)
    provenance = attestation(Digest.of(HELLO), "app.wasm", "https://slsa.dev/provenance/v1", {})
    bundle = instance.bundle(Signing(Digest.of(HELLO), statement=provenance))
    (tmp_path / "app.wasm.sigstore.json").write_text(json.dumps(bundle))
    asked = ("verify-file", "app.wasm", *ACME, "--trusted-root", "root.json")
    assert "another type" in tool(*asked, code=ExitCode.INTEGRITY).stderr
    assert "github.com/acme/app" in tool(*asked, "--type", "slsaprovenance1").stdout
    (tmp_path / "app.wasm").write_bytes(HELLO + b"x")
    assert "another artifact" in tool(*asked, "--type", "slsaprovenance1", code=ExitCode.INTEGRITY).stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("sign-file", "app.wasm"), ExitCode.USAGE),
        (("sign-file", "app.wasm", "--key", "ours.key", "--keyless"), ExitCode.USAGE),
        (("sign-file", "not-there", "--key", "ours.key"), ExitCode.NOT_FOUND),
        (("verify-file", "app.wasm"), ExitCode.USAGE),
        (("verify-file", "app.wasm", "--key", "ours.pub"), ExitCode.NOT_FOUND),
        (("verify-file", "app.wasm", "--key", "ours.pub", "--policy", "x"), ExitCode.USAGE),
        (("verify-file", "app.wasm", "--bundle", "ours.pub", "--key", "ours.pub"), ExitCode.INTEGRITY),
    ],
)
def test_what_cannot_be_signed_or_verified_says_why(
    tool: Callable[..., Ran], arguments: tuple[str, ...], code: int
) -> None:
    assert tool(*arguments, code=code).stderr.startswith("error: ")


def test_a_verification_without_a_signer_names_the_options(tool: Callable[..., Ran]) -> None:
    assert "hint: add --key FILE, or --cert" in tool("verify-file", "app.wasm", code=ExitCode.USAGE).stderr
