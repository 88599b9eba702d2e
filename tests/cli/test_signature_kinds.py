"""Signatures that are verified and not made here, as a user sees them: certificates, Notation, inside a module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cli.transcripts import HELLO
from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_keys, make_tool
from tests.support.sigstore_instance import GITHUB_ISSUER, Instance, Signing
from tests.support.wasm_sections import sign_module
from tests.unit.signing.test_notation import NAME, ROOT, envelope, policy
from wasm2oci.errors import ExitCode
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.operations.attach_signatures import BundleToAttach, LayerToAttach, attach
from wasm2oci.signing.keys import PrivateKey
from wasm2oci.signing.statement import COSIGN_SIGNATURE, attestation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.signing_tool import Tool

CREATED = "2026-01-02T03:04:05Z"
ACME = ("--certificate-identity-regexp", "https://github.com/acme/app/.*", "--certificate-oidc-issuer", GITHUB_ISSUER)
ROOTED = ("--trusted-root", "root.json")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def instance() -> Instance:
    return Instance()


@pytest.fixture
def tool(tmp_path: Path, keys: Path, instance: Instance) -> Iterator[Tool]:
    with registry_server() as registry:
        made = make_tool(tmp_path, keys, registry)
        (tmp_path / "root.json").write_bytes(instance.trusted_root)
        made.push()
        yield made


def subject(tool: Tool) -> Descriptor:
    with tool.repository() as place:
        return place.resolve("v1")


def attach_bundle(tool: Tool, value: dict[str, Any], kind: str = COSIGN_SIGNATURE) -> None:
    with tool.repository() as place:
        attach(place, subject(tool), BundleToAttach(json.dumps(value).encode(), kind, CREATED), None)


def attach_legacy(tool: Tool, made: tuple[bytes, Descriptor]) -> None:
    with tool.repository() as place:
        attach(place, subject(tool), None, LayerToAttach("sig", *made, PrivateKey.generate().public))


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_an_identity_that_is_asked_for(tool: Tool, instance: Instance, form: str) -> None:
    how = Signing(subject(tool).digest)
    if form == "bundle":
        attach_bundle(tool, instance.bundle(how))
    else:
        attach_legacy(tool, instance.simple(how))
    shown = tool("verify", tool.ref, *ACME, *ROOTED).stdout
    assert how.identity in shown
    tool("pull", tool.ref, "-o", "out.wasm", *ACME, *ROOTED)
    tool("run", *ACME, *ROOTED, "--invoke", "run", tool.ref)
    other = ("--certificate-identity", "https://github.com/evil/app", "--certificate-oidc-issuer", GITHUB_ISSUER)
    assert "another identity" in tool("verify", tool.ref, *other, *ROOTED, code=ExitCode.INTEGRITY).stderr
    untrusted = tool("verify", tool.ref, *ACME, code=ExitCode.INTEGRITY)  # the public instance did not issue it
    assert "not signed by" in untrusted.stderr


def test_a_policy_of_kind_github_takes_a_build_provenance(tool: Tool, instance: Instance) -> None:
    rule = '[[rule.any_of]]\nkind = "github"\nowner = "acme"\nrepo = "app"\n'
    tool.policy(tool.rule(rule))
    assert "is not signed" in tool("pull", tool.ref, *ROOTED, code=ExitCode.INTEGRITY).stderr
    provenance = attestation(subject(tool).digest, "x", "https://slsa.dev/provenance/v1", {"buildDefinition": {}})
    attach_bundle(tool, instance.bundle(Signing(subject(tool).digest, statement=provenance)))
    tool("pull", tool.ref, "-o", "out.wasm", *ROOTED)
    tool.policy(tool.rule(rule.replace('"acme"', '"acm"')))
    assert "another repository" in tool("pull", tool.ref, *ROOTED, code=ExitCode.INTEGRITY).stderr
    tool.policy(tool.rule(rule + 'attestation = "cyclonedx"\n'))
    assert "another type" in tool("pull", tool.ref, *ROOTED, code=ExitCode.INTEGRITY).stderr


def test_a_key_and_a_trusted_root_ask_for_a_log_entry(tool: Tool) -> None:
    tool("sign", tool.ref, "--key", "ours.key")
    refused = tool("verify", tool.ref, "--key", "ours.pub", *ROOTED, code=ExitCode.INTEGRITY)
    assert "in no transparency log" in refused.stderr
    (tool.folder / "p.json").write_text("{}")
    legacy = ("--type", "openvex", "--predicate", "p.json", "--signature-format", "legacy")
    tool("attest", tool.ref, "--key", "ours.key", *legacy)
    asked = ("verify", tool.ref, "--key", "ours.pub", "--type", "openvex")
    tool(*asked)
    assert "not checked against a log" in tool(*asked, *ROOTED, code=ExitCode.INTEGRITY).stderr
    # A policy's keys ask for no log: there the root is for its identities.
    tool.policy(tool.rule('[[rule.all_of]]\nkind = "key"\npath = "ours.pub"\n'))
    tool("pull", tool.ref, "-o", "out.wasm", *ROOTED)


def test_a_trusted_root_that_is_damaged_is_refused(tool: Tool) -> None:
    (tool.folder / "bad.json").write_text('{"tlogs": [{}]}')
    tool("verify", tool.ref, *ACME, "--trusted-root", "bad.json", code=ExitCode.INVALID)


def notation_signature(tool: Tool, raw: bytes, kind: str = "application/jose+json") -> None:
    layer = Descriptor.of(kind, raw)
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "artifactType": "application/vnd.cncf.notary.signature",
        "config": {"mediaType": mt.EMPTY_JSON, "digest": str(EMPTY_JSON.digest), "size": 2},
        "layers": [layer.to_json()],
        "subject": subject(tool).to_json(),
        "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": "[]"},
    }
    manifest = json.dumps(value).encode()
    with tool.repository() as place:
        place.push(layer, [raw])
        place.push(EMPTY_JSON, [b"{}"])
        place.push(Descriptor.of(mt.OCI_MANIFEST, manifest), [manifest])


def trust(tool: Tool, **changes: Any) -> None:
    folder = tool.folder / "home" / ".config" / "notation"
    store = folder / "truststore" / "x509" / "ca" / "acme"
    store.mkdir(parents=True, exist_ok=True)
    (store / "root.pem").write_bytes(ROOT.public_bytes(serialization.Encoding.PEM))
    (store / "root.der.crt").write_bytes(ROOT.public_bytes(serialization.Encoding.DER))
    (store / "README").write_text("not a certificate")
    value = {"version": "1.0", "trustPolicies": [policy(registryScopes=[tool.ref.rpartition(":")[0]], **changes)]}
    (folder / "trustpolicy.oci.json").write_text(json.dumps(value))


def test_a_notation_signature_that_meets_its_trust_policy(tool: Tool) -> None:
    notation = ("verify", tool.ref, "--notation")
    assert "no trust policy" in tool(*notation, code=ExitCode.NOT_FOUND).stderr
    trust(tool)
    assert "no Notation signature" in tool(*notation, code=ExitCode.INTEGRITY).stderr
    notation_signature(tool, b"\xd2\x84", "application/cose")
    assert "COSE" in tool(*notation, code=ExitCode.INTEGRITY).stderr
    header = {"io.cncf.notary.timestampSignature": "AAAA"}
    notation_signature(tool, envelope(target=subject(tool), header=header))
    ran = tool(*notation)
    assert NAME.rfc4514_string() in ran.stdout
    assert "not checked: the RFC 3161 timestamp" in ran.stderr
    trust(tool, trustedIdentities=["x509.subject: C=US, ST=WA, O=Other"])
    assert "trusted identities" in tool(*notation, code=ExitCode.INTEGRITY).stderr
    trust(tool, signatureVerification={"level": "skip"})
    assert "skips this repository" in tool(*notation).stderr


def test_a_signature_inside_the_module(tool: Tool) -> None:
    key = Ed25519PrivateKey.generate()
    raw = b"\x01" + key.public_key().public_bytes_raw()
    (tool.folder / "module.pub").write_bytes(raw)
    assert "holds no signature" in tool("verify", tool.ref, "--module-key", "module.pub", code=6).stderr
    tool.push(sign_module(HELLO, [key]))
    assert "Inside: " in tool("verify", tool.ref, "--module-key", "module.pub").stdout
    (tool.folder / "other.pub").write_bytes(b"\x01" + Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert "not made by this key" in tool("verify", tool.ref, "--module-key", "other.pub", code=6).stderr
    assert "Embedded signature: " in tool("inspect", tool.ref).stdout
    assert "Embedded signature: " in tool("inspect", "module.wasm").stdout


@pytest.mark.parametrize("command", ["inspect", "tree"])
def test_the_three_states_of_a_signature_are_shown(tool: Tool, command: str) -> None:
    def state() -> tuple[str, list[str]]:
        shown = json.loads(tool(command, tool.ref, "--format", "json").stdout)["signatures"]
        return shown["state"], [one["kind"] for one in shown["items"]]

    assert state() == ("not signed", [])
    tool("sign", tool.ref, "--key", "ours.key")
    tool("sbom", tool.ref, "--attach", "--key", "ours.key", "-q")
    kinds = ["https://cyclonedx.org/bom", "signature", "signature"]  # what is attested comes first
    assert state() == ("signed, not verified here", kinds)
    assert "not verified here" in tool(command, tool.ref).stdout
    tool.policy(tool.rule('[[rule.all_of]]\nkind = "key"\npath = "theirs.pub"\n'))
    assert state() == ("signed, not verified here", kinds)
    tool.policy(tool.rule('[[rule.all_of]]\nkind = "key"\npath = "ours.pub"\n'))
    assert state() == ("verified", kinds)
    assert "verified: key" in tool(command, tool.ref).stdout


def test_a_tree_shows_every_kind_of_thing_once(tool: Tool) -> None:
    tool("sign", tool.ref, "--key", "ours.key")
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": mt.OCI_MANIFEST,
            "artifactType": "application/vnd.example.scan",
            "config": {"mediaType": mt.EMPTY_JSON, "digest": str(EMPTY_JSON.digest), "size": 2},
            "layers": [],
            "subject": subject(tool).to_json(),
        }
    ).encode()
    with tool.repository() as place:
        place.push(Descriptor.of(mt.OCI_MANIFEST, raw), [raw])
    lines = tool("tree", tool.ref).stdout.splitlines()
    assert lines[0].endswith("signed, not verified here")
    assert [line for line in lines if "vnd.example.scan" in line]
    assert len([line for line in lines if "signature (bundle)" in line]) == 1
    assert len([line for line in lines if "signature (simple signing)" in line]) == 1
    assert lines[1].startswith("sha256:")
    assert len(lines) == 7
