"""What does not count as a signature, as a user sees it: each kind is refused by each command, in its own words."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.transcripts import HELLO
from tests.support.artifacts import Stash
from tests.support.registry_server import registry_server
from tests.support.signing_tool import make_keys, make_tool
from tests.support.sigstore_instance import GITHUB_ISSUER, NOW, Instance, Signing
from tests.support.wasm_sections import custom
from wasm2oci.errors import ExitCode
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.operations.attach_signatures import BundleToAttach, LayerToAttach, attach
from wasm2oci.signing import bundle as bundles
from wasm2oci.signing import dsse, simple_signing
from wasm2oci.signing.cosign_key import open_private_key
from wasm2oci.signing.statement import COSIGN_SIGNATURE, attestation, signature_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.signing_tool import Tool
    from wasm2oci.signing.keys import PrivateKey

    Make = Callable[["Case"], None]

OTHER = Digest.of(b"another manifest")
IDENTITY = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def instance() -> Instance:
    return Instance()


@cache
def opened(pem: bytes) -> PrivateKey:
    return open_private_key(pem, b"pw")


class Case:
    """An artifact, and ways to attach to it what looks like a signature."""

    def __init__(self, tool: Tool, instance: Instance) -> None:
        self.tool, self.instance = tool, instance
        tool.push()
        with tool.repository() as place:
            self.subject = place.resolve("v1")
        self.keyless = False

    def key(self, name: str = "ours") -> PrivateKey:
        return opened((self.tool.folder / f"{name}.key").read_bytes())

    def value(self, statement: bytes | None = None) -> dict[str, Any]:
        """A good bundle, as JSON that can still be changed."""
        made: dict[str, Any] = json.loads(
            bundles.sign(self.key(), statement or signature_statement(self.subject.digest, {}))
        )
        return made

    def attach(self, value: dict[str, Any] | bytes) -> None:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        with self.tool.repository() as place:
            attach(place, self.subject, BundleToAttach(raw, COSIGN_SIGNATURE, "2026-01-02T03:04:05Z"), None)

    def attach_layer(self, payload: bytes, layer: Descriptor) -> None:
        with self.tool.repository() as place:
            attach(place, self.subject, None, LayerToAttach("sig", payload, layer, self.key().public))

    def certified(self, **changes: Any) -> None:
        """A bundle with a certificate that differs from a good one in this."""
        self.keyless = True
        self.attach(self.instance.bundle(Signing(self.subject.digest, identity=IDENTITY).but(**changes)))

    def refusal(self, *command: str) -> str:
        """What a command says when it refuses the artifact."""
        name, *rest = command
        key = ("--key" if name == "verify" else "--verify-key", "ours.pub")
        who = (
            *("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", GITHUB_ISSUER),
            *("--trusted-root", "root.json"),
        )
        to = ("oci-layout:to:v1",) if name == "copy" else ()
        ran = self.tool(name, *rest, *(who if self.keyless else key), self.tool.ref, *to, code=ExitCode.INTEGRITY)
        return ran.stderr


@pytest.fixture
def case(tmp_path: Path, keys: Path, instance: Instance) -> Iterator[Case]:
    with registry_server() as registry:
        (tmp_path / "root.json").write_bytes(instance.trusted_root)
        yield Case(make_tool(tmp_path, keys, registry), instance)


def wrong_key(case: Case) -> None:
    case.tool("sign", case.tool.ref, "--key", "theirs.key", "--signature-format", "bundle")


def wrong_key_in_the_legacy_format(case: Case) -> None:
    case.tool("sign", case.tool.ref, "--key", "theirs.key", "--signature-format", "legacy")


def moved_tag(case: Case) -> None:
    case.tool("sign", case.tool.ref, "--key", "ours.key")
    case.tool.push(HELLO + custom("evil", b"x"))


def foreign_subject(case: Case) -> None:
    case.attach(case.value(signature_statement(OTHER, {})))


def foreign_subject_in_the_legacy_format(case: Case) -> None:
    case.attach_layer(*simple_signing.sign(case.key(), OTHER, "registry.test/app", {}))


def referrer_of_another_artifact(case: Case) -> None:
    case.tool("sign", case.tool.ref, "--key", "ours.key", "--signature-format", "bundle")
    (entry,) = json.loads(case.tool("inspect", case.tool.ref, "--format", "json").stdout)["referrers"]
    evil = case.tool.push(HELLO + custom("evil", b"x"))
    index = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [entry]}).encode()
    with case.tool.repository() as place:
        place.push(Descriptor.of(mt.OCI_INDEX, index), [index], tag=evil.replace(":", "-"))


def other_predicate(case: Case) -> None:
    case.attach(case.value(attestation(case.subject.digest, "app", "https://cyclonedx.org/bom", {})))


def other_payload_type(case: Case) -> None:
    value = case.value()
    payload = base64.b64decode(value["dsseEnvelope"]["payload"])
    value["dsseEnvelope"] = dsse.sign(case.key(), "application/vnd.in-toto+json; v=1", payload).to_json()
    case.attach(value)


def key_id(case: Case) -> None:
    value = case.value()
    value["dsseEnvelope"]["signatures"][0]["keyid"] = case.key("theirs").public.ssh_fingerprint
    case.attach(value)


def two_signatures(case: Case) -> None:
    value = case.value()
    value["dsseEnvelope"]["signatures"] *= 2
    case.attach(value)


def truncated_base64(case: Case) -> None:
    value = case.value()
    value["dsseEnvelope"]["signatures"][0]["sig"] = value["dsseEnvelope"]["signatures"][0]["sig"][:-3]
    case.attach(value)


def stray_bits(case: Case) -> None:
    value = case.value()
    value["verificationMaterial"]["certificate"] = {"rawBytes": "QR=="}
    del value["verificationMaterial"]["publicKey"]
    case.attach(value)


def repeated_json_key(case: Case) -> None:
    raw = json.dumps(case.value())
    case.attach(raw.replace('"dsseEnvelope"', '"dsseEnvelope": {}, "dsseEnvelope"').encode())


def oversized(case: Case) -> None:
    case.attach({**case.value(), "padding": "x" * (4 << 20)})


def unknown_version(case: Case) -> None:
    case.attach({**case.value(), "mediaType": "application/vnd.dev.sigstore.bundle.v0.9+json"})


def expired_certificate(case: Case) -> None:
    case.certified(lifetime=dt.timedelta(seconds=2))


def certificate_of_the_future(case: Case) -> None:
    case.certified(logged_after=dt.timedelta(seconds=-60))


def wrong_issuer(case: Case) -> None:
    case.certified(issuer=GITHUB_ISSUER + "/")


def look_alike_identity(case: Case) -> None:
    case.certified(identity=IDENTITY.replace("acme", "\u0430cme".encode("punycode").decode()))


def no_certificate_timestamp(case: Case) -> None:
    case.certified(with_sct=False)


def a_thousand_referrers(case: Case) -> None:
    with case.tool.repository() as place:
        stash = Stash(place)
        layer, config = stash.put(bundles.MEDIA_TYPE, b"{}"), stash.put(mt.EMPTY_JSON, b"{}")
        for number in range(1000):
            stash.manifest(
                layer,
                config=config,
                subject=case.subject,
                artifactType=bundles.MEDIA_TYPE,
                annotations={"number": str(number)},
            )


def key_in_the_bundle(case: Case) -> None:
    theirs = case.key("theirs")
    value = json.loads(bundles.sign(theirs, signature_statement(case.subject.digest, {})))
    value["verificationMaterial"]["publicKey"]["rawBytes"] = base64.b64encode(theirs.public.der).decode()
    case.attach(value)


def entry_of_another_artifact(case: Case) -> None:
    value, theirs = case.value(), case.value(signature_statement(OTHER, {}))
    envelope = theirs["dsseEnvelope"]
    body = {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "payloadHash": {
                "algorithm": "sha256",
                "value": hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest(),
            },
            "signatures": [
                {
                    "signature": envelope["signatures"][0]["sig"],
                    "verifier": base64.b64encode(case.key().public.pem).decode(),
                }
            ],
        },
    }
    value["verificationMaterial"]["tlogEntries"] = [case.instance.entry(json.dumps(body).encode(), NOW, "dsse")]
    case.attach(value)


def index_under_the_signature_tag(case: Case) -> None:
    index = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []}).encode()
    with case.tool.repository() as place:
        place.push(Descriptor.of(mt.OCI_INDEX, index), [index], tag=f"{case.subject.digest}.sig".replace(":", "-"))


SENTENCES: dict[Make, str] = {
    wrong_key: "the envelope was not signed by the key",
    wrong_key_in_the_legacy_format: "the signature was not made by the key",
    moved_tag: "is not signed",
    foreign_subject: "the statement is about another artifact",
    foreign_subject_in_the_legacy_format: "another artifact was signed",
    referrer_of_another_artifact: "the referrer is about another artifact",
    other_predicate: "the statement is of another type: 'https://cyclonedx.org/bom'",
    other_payload_type: "what was signed is not a statement",
    key_id: "the envelope names the key 'SHA256:",
    two_signatures: "the DSSE envelope has 2 signatures, not one",
    truncated_base64: "is not valid base64: it is truncated or damaged",
    stray_bits: "is not valid base64: it has stray bits",
    repeated_json_key: "key 'dsseEnvelope' is repeated",
    oversized: "the limit is 4,194,304",
    unknown_version: "the bundle is of an unknown version",
    expired_certificate: "the signer's certificate had expired",
    certificate_of_the_future: "the signer's certificate was not yet valid",
    wrong_issuer: "the certificate is of another issuer",
    look_alike_identity: "the certificate is of another identity",
    no_certificate_timestamp: "does not contain a signed certificate timestamp",
    a_thousand_referrers: "1,000 referrers that may be signatures; 100 are read",
    key_in_the_bundle: "the bundle brings a public key of its own",
    entry_of_another_artifact: "the log entry is about another signature",
    index_under_the_signature_tag: "an index, not a manifest of signatures",
}
COMMANDS = (("verify",), ("pull", "-o", "out.wasm"), ("run", "--invoke", "run"), ("copy",))


@pytest.mark.parametrize("make", SENTENCES, ids=lambda make: make.__name__)
def test_what_is_no_signature_is_refused_with_its_own_sentence(case: Case, make: Make) -> None:
    make(case)
    for command in COMMANDS:
        message = case.refusal(*command)
        assert [sentence for sentence in SENTENCES.values() if sentence in message] == [SENTENCES[make]], message
    assert not (case.tool.folder / "out.wasm").exists()
    assert not (case.tool.folder / "to").exists()


def test_what_the_refusals_change_would_count(case: Case) -> None:
    """Each of them is a good signature but for one thing: here are the two that they start from."""
    case.attach(case.value())
    case.tool("verify", case.tool.ref, "--key", "ours.pub")
    case.certified()
    who = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", GITHUB_ISSUER)
    case.tool("verify", case.tool.ref, *who, "--trusted-root", "root.json")


@pytest.mark.parametrize("make", [wrong_key, two_signatures, truncated_base64, key_in_the_bundle, foreign_subject])
def test_a_bad_signature_does_not_spoil_a_good_one_beside_it(case: Case, make: Make) -> None:
    make(case)
    case.attach(case.value())
    case.tool("verify", case.tool.ref, "--key", "ours.pub")
