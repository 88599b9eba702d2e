"""A field of a document may hold any kind of value: what reads it refuses the wrong ones with an error of ours."""

from __future__ import annotations

import contextlib
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.network import Answer, Network
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import InvalidInputError, UsageError, Wasm2OciError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.manifest import parse_manifest
from wasm2oci.operations.environment import Environment
from wasm2oci.operations.policy import import_policy
from wasm2oci.operations.sign import parse_predicate
from wasm2oci.packager.recognise import recognise
from wasm2oci.registry.docker_config import parse_auth_file
from wasm2oci.registry.problems import parse_problems
from wasm2oci.signing.auditable import read_dependencies
from wasm2oci.signing.bundle import read_bundle
from wasm2oci.signing.dsse import read_envelope
from wasm2oci.signing.notation_trust import read_trust_policy
from wasm2oci.signing.policy import InvalidPolicyError, read_policy
from wasm2oci.signing.statement import read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.network import Sent

WRONG: Final[tuple[Any, ...]] = (None, True, -1, 1.5, "x", [], ["x"], [[]], {}, {"x": []})
HOME: Final = "https://r.example"
SUBJECT: Final = Descriptor.of("application/vnd.oci.image.manifest.v1+json", b"{}")

STATEMENT: Final = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "a", "digest": {"sha256": "00"}, "annotations": {"a": "b"}}],
    "predicateType": "x",
    "predicate": {},
}
PACKAGES: Final = {
    "packages": [
        {"name": "a", "version": "1", "source": "local", "kind": "build", "dependencies": [1], "root": True},
        {"name": "b", "version": "1", "source": "local"},
    ]
}
TRUST: Final = {
    "version": "1.0",
    "trustPolicies": [
        {
            "name": "a",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict", "override": {"expiry": "log"}},
            "trustStores": ["ca:a"],
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=a"],
        }
    ],
}
POLICY: Final = {
    "version": 1,
    "default": "warn",
    "rule": [
        {
            "scope": "*",
            "enforce": "warn",
            "minimum": 1,
            "any_of": [{"kind": "oidc", "issuer": "https://a", "subject": "b", "attestation": "slsaprovenance"}],
            "module": {"max_size": 1, "deny_imports": ["a"], "deny_features": ["simd"]},
        }
    ],
}
KUBEWARDEN: Final = {
    "apiVersion": "v1",
    "allOf": [{"kind": "genericIssuer", "issuer": "https://a", "subject": {"equal": "a"}, "annotations": {"a": "b"}}],
    "anyOf": {"minimumMatches": 1, "signatures": [{"kind": "pubKey", "owner": "a", "key": "x"}]},
}
ENVELOPE: Final = {"payloadType": "x", "payload": "e30=", "signatures": [{"keyid": "", "sig": "e30="}]}
BUNDLE: Final = {
    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [], "timestampVerificationData": {}},
    "dsseEnvelope": ENVELOPE,
}
PAGE: Final = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [{**SUBJECT.to_json(), "artifactType": "x", "annotations": {"a": "b"}}],
}

LAYER: Final = {**SUBJECT.to_json(), "mediaType": "application/wasm", "annotations": {"a": "b"}}
MANIFEST: Final = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "artifactType": "x",
    "config": {**LAYER, "urls": ["https://a"]},
    "layers": [LAYER],
    "subject": SUBJECT.to_json(),
    "annotations": {"a": "b"},
}
INDEX: Final = {**PAGE, "manifests": [{**SUBJECT.to_json(), "platform": {"os": "wasip1", "architecture": "wasm"}}]}
AUTHS: Final = {
    "auths": {"r.example": {"auth": "YTpi", "identitytoken": "x", "email": "x"}},
    "credHelpers": {"r.example": "x"},
    "credsStore": "x",
}
PROBLEMS: Final = {"errors": [{"code": "DENIED", "message": "x", "detail": {"a": "b"}}]}
TAGS: Final = {"name": "a", "tags": ["v1"]}
TOKEN: Final = {"token": "x", "access_token": "x", "expires_in": 60, "issued_at": "2026-01-01T00:00:00Z"}
CONFIG: Final = {
    "created": "2026-01-01T00:00:00Z",
    "architecture": "wasm",
    "os": "wasip1",
    "layerDigests": ["sha256:00"],
    "component": {"exports": ["a"], "imports": ["b"], "target": "c"},
    "config": {"Entrypoint": ["a"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:00"]},
}


def _replaced(value: Any) -> Iterator[Any]:
    """The document with each value in it, in turn, replaced by each wrong one."""
    yield from WRONG
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: other} for other in _replaced(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in _replaced(inner))


def _toml(value: Any) -> str:
    """A TOML value; null, which TOML has not, is a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps("null" if value is None else value)


def _policy(value: Any) -> None:
    table = value if isinstance(value, dict) else {"version": value}
    text = "".join(f"{json.dumps(key)} = {_toml(inner)}\n" for key, inner in table.items())
    read_policy(text.encode(), "a file", lambda _: b"")


def _page(value: Any) -> None:
    page = Answer(200, {"Content-Type": "application/json"}, [json.dumps(value).encode()])
    network = Network({HOME: lambda sent: page if "/referrers/" in sent.path else Answer(404)})
    list(network.repository("r.example/a").referrers(SUBJECT))


def _tags(value: Any) -> None:
    page = Answer(200, {"Content-Type": "application/json"}, [json.dumps(value).encode()])
    list(Network({HOME: lambda _: page}).repository("r.example/a").tags())


def _token(value: Any) -> None:
    def answer(sent: Sent) -> Answer:
        if sent.path == "/token":
            return Answer(200, {"Content-Type": "application/json"}, [json.dumps(value).encode()])
        if "authorization" in sent.headers:
            return Answer(200, {"Content-Type": "application/json"}, [json.dumps(TAGS).encode()])
        return Answer(401, {"WWW-Authenticate": f'Bearer realm="{HOME}/token",service="s"'})

    list(Network({HOME: answer}).repository("r.example/a").tags())


def _config(value: Any) -> None:
    """Look into an artifact with this config."""
    where = MemoryTarget()
    config, layer = json.dumps(value).encode(), b"\0asm\1\0\0\0"
    parts = [Descriptor.of("application/vnd.wasm.config.v0+json", config), Descriptor.of("application/wasm", layer)]
    where.push(parts[0], BytesContent(config))
    where.push(parts[1], BytesContent(layer))
    manifest = json.dumps({**MANIFEST, "config": parts[0].to_json(), "layers": [parts[1].to_json()]}).encode()
    root = Descriptor.of(SUBJECT.media_type, manifest)
    where.push(root, BytesContent(manifest))
    recognise(where, root).read()


READERS: Final[dict[str, tuple[Callable[[Any], object], Any]]] = {
    "a statement": (lambda value: read_statement(json.dumps(value).encode()), STATEMENT),
    "a list of packages": (lambda value: read_dependencies(zlib.compress(json.dumps(value).encode())), PACKAGES),
    "a trust policy of notation": (lambda value: read_trust_policy(json.dumps(value).encode()), TRUST),
    "a policy": (_policy, POLICY),
    "an envelope": (lambda value: read_envelope(json.dumps(value).encode()), ENVELOPE),
    "a bundle": (lambda value: read_bundle(json.dumps(value).encode()), BUNDLE),
    "a page of referrers": (_page, PAGE),
    "a manifest": (lambda value: parse_manifest(json.dumps(value).encode(), None), MANIFEST),
    "an index": (lambda value: parse_manifest(json.dumps(value).encode(), None), INDEX),
    "a file of credentials": (lambda value: parse_auth_file(json.dumps(value), "a file"), AUTHS),
    "an answer with errors": (lambda value: parse_problems(json.dumps(value).encode()), PROBLEMS),
    "a list of tags": (_tags, TAGS),
    "a token": (_token, TOKEN),
    "a config": (_config, CONFIG),
}


@pytest.mark.parametrize("name", READERS)
def test_a_value_of_the_wrong_kind_is_no_bug(name: str) -> None:
    read, document = READERS[name]
    read(document)
    for value in _replaced(document):
        with contextlib.suppress(Wasm2OciError):
            read(value)


def test_a_value_of_the_wrong_kind_in_kubewardens_file_is_no_bug(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="optional: PyYAML is part of the extra `dev`")
    path = tmp_path / "verification.yml"
    for value in (KUBEWARDEN, *_replaced(KUBEWARDEN)):
        path.write_text(json.dumps(value))  # which is YAML too
        with contextlib.suppress(InvalidInputError):
            import_policy(path)


@pytest.mark.parametrize("text", ["2024-13-45", "1" * 5000, "!!int x", "!!timestamp x", "!!bool x"], ids=repr)
def test_a_text_in_kubewardens_file_that_is_not_what_its_tag_says_is_no_bug(tmp_path: Path, text: str) -> None:
    pytest.importorskip("yaml", reason="optional: PyYAML is part of the extra `dev`")
    path = tmp_path / "verification.yml"
    path.write_text(f"apiVersion: {text}\n")
    with pytest.raises(InvalidPolicyError, match="not YAML"):
        import_policy(path)


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, rb'{"a": "\ud800"}', b"1" * 5000, b"\xff"], ids=["deep", "half", "long", "bytes"]
)
def test_a_predicate_that_cannot_be_read_or_written_again_is_refused(raw: bytes) -> None:
    with pytest.raises(UsageError, match="not JSON"):
        parse_predicate("https://example.com/x", raw, Environment({}, Path("/nowhere")))


@pytest.mark.parametrize("raw", [b"NaN", b'{"a": -Infinity}', b"1e999"])
def test_a_number_that_is_none_is_no_predicate(raw: bytes) -> None:
    with pytest.raises(UsageError, match="the predicate is not JSON"):
        parse_predicate("https://example.com/x", raw, Environment({}, Path("/nowhere")))


def test_a_type_that_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="the type of a statement is not Unicode text"):
        parse_predicate("\udcff", b"{}", Environment({}, Path("/nowhere")))
