"""What people reported of other clients, tried on this one; each test names the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.artifacts import Stash
from tests.support.network import Answer, Network, Sent, fresh_core
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import AccessError, NotFoundError, RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.referrers import fallback_tag
from wasm2oci.operations.environment import Connections, Environment
from wasm2oci.operations.inspect import InspectRequest, inspect
from wasm2oci.registry.problems import ConnectionFailedError, Problem, error_for
from wasm2oci.registry.referrers import FallbackTagError
from wasm2oci.registry.urls import UntrustedUrlError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.network import Handler

HOME = "https://registry.example"
DATA = b"some wasm"
BLOB = Descriptor("application/wasm", Digest.of(DATA), len(DATA))


def handled(handler: Handler, sent: Sent) -> Answer:
    answer = handler(sent)
    assert isinstance(answer, Answer)
    return answer


class TestTagsThatAreReadAsDigests:
    """oras-go#1396, oras#2148: GitLab resolves `sha256-HEX` as that digest."""

    @staticmethod
    def gitlab() -> Network:
        inner = fresh_core()

        def answer(sent: Sent) -> Answer:
            if "/referrers/" in sent.path:
                return Answer(404)
            head, _, last = sent.url.rpartition("/")
            if sent.method in {"GET", "HEAD"} and last.startswith("sha256-"):
                sent = Sent(sent.origin, sent.method, f"{head}/{last.replace('-', ':', 1)}", sent.headers, sent.body)
            return handled(inner, sent)

        return Network({HOME: answer})

    def test_the_subject_itself_means_no_referrers(self) -> None:
        network, stash = self.gitlab(), Stash()
        root = stash.manifest(stash.put("application/wasm", DATA))
        repository = network.repository("registry.example/a", writes=True)
        copy(stash.target, root, repository, "v1")
        assert list(repository.referrers(root)) == []

    def test_a_referrer_that_cannot_be_listed_is_an_error_without_a_hint_that_deletes(self) -> None:
        network, stash = self.gitlab(), Stash()
        root = stash.manifest(stash.put("application/wasm", DATA))
        repository = network.repository("registry.example/a", writes=True)
        copy(stash.target, root, repository, "v1")
        raw = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": mt.OCI_MANIFEST,
                "config": root.to_json() | {"mediaType": "application/vnd.oci.empty.v1+json"},
                "layers": [],
                "subject": root.to_json(),
            }
        ).encode()
        signature = Descriptor(mt.OCI_MANIFEST, Digest.of(raw), len(raw))
        with pytest.raises((FallbackTagError, RegistryError)) as caught:
            repository.push(signature, BytesContent(raw))
        assert "remove" not in (caught.value.hint or "")
        assert fallback_tag(root.digest) not in list(repository.tags())


@pytest.mark.parametrize("status", [400, 403, 409, 412])
def test_a_tag_that_may_not_be_moved_and_is_not_is_pushed(status: int) -> None:
    """containers-roadmap#2380, buildkit#3776, kots#5940: ECR 400, Artifactory 403, ACR 409, Harbor 412."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    other = stash.manifest(stash.put("application/wasm", DATA + b"!"))
    tagged: list[str] = []

    def answer(sent: Sent) -> Answer:
        if sent.method == "PUT" and sent.path.endswith("/manifests/v1"):
            if tagged:
                return Answer(status, {}, b'{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}')
            tagged.append("v1")
        return handled(inner, sent)

    network = Network({HOME: answer})
    for _ in range(2):
        copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    with pytest.raises((RegistryError, AccessError), match="immutable"):
        copy(stash.target, other, network.repository("registry.example/a", writes=True), "v1")


class TestBehindAProxyThatEndsTls:
    """A registry that was not told so (X-Forwarded-Proto) names itself with http."""

    def test_an_upload_stays_on_the_origin_that_was_asked(self) -> None:
        inner = fresh_core()

        def answer(sent: Sent) -> Answer:
            found = handled(inner, sent)
            location = dict(found.pairs()).get("Location")
            if location is None:
                return found
            return found.changed("location", location=f"http://registry.example:5000{location}")

        network = Network({HOME: answer})
        network.repository("registry.example/a", writes=True).push(BLOB, BytesContent(DATA))
        assert {sent.origin for sent in network.sent} == {HOME}

    def test_another_host_without_tls_is_refused_with_the_cause(self) -> None:
        network = Network({HOME: lambda _: Answer(202, {"Location": "http://upload.example/x"})})
        with pytest.raises(UntrustedUrlError) as caught:
            network.repository("registry.example/a", writes=True).push(BLOB, BytesContent(DATA))
        assert "X-Forwarded-Proto" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Answer(307, {"Location": "https://storage.example/blob"}), "storage.example"),
        (Answer(401, {"WWW-Authenticate": 'Bearer realm="https://tokens.example/t"'}), "tokens.example"),
    ],
)
def test_an_address_that_the_registry_named_is_named_with_it(answer: Answer, what: str) -> None:
    """skopeo#2055, harbor#23050: the user is not sent to check a spelling that is not his."""
    network = Network({HOME: lambda _: answer})
    with pytest.raises(ConnectionFailedError, match=f"registry.example sends its clients to https://{what}") as caught:
        b"".join(network.repository("registry.example/a").fetch(BLOB))
    assert "spelling" not in (caught.value.hint or "")
    assert network.slept == []


def test_a_literal_address_is_taken_from_a_registry_whose_name_stands_for_such_a_one() -> None:
    """oras-go#1246, harbor#23050: harbor.corp is 10.0.0.5, and names https://10.0.0.6 as its storage."""
    storage = "https://10.0.0.6"
    network = Network(
        {HOME: lambda _: Answer(307, {"Location": f"{storage}/x"}), storage: lambda _: Answer(200, {}, DATA)}
    )
    with pytest.raises(UntrustedUrlError):
        b"".join(network.repository("registry.example/a").fetch(BLOB))
    network.known = {"registry.example": ["10.0.0.5"]}
    assert b"".join(network.repository("registry.example/a").fetch(BLOB)) == DATA
    network.known = {"registry.example": ["93.184.215.14"]}
    with pytest.raises(UntrustedUrlError):
        b"".join(network.repository("registry.example/a").fetch(BLOB))


@pytest.mark.parametrize("status", [500, 501, 502, 405, 400])
def test_a_head_of_a_manifest_that_fails_is_asked_again_with_get(status: int) -> None:
    """helm#30873, zot#4033."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))

    def answer(sent: Sent) -> Answer:
        refused = sent.method == "HEAD" and "/manifests/v" in sent.path
        return Answer(status) if refused else handled(inner, sent)

    network = Network({HOME: answer})
    copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    assert network.repository("registry.example/a").resolve("v1") == root


@pytest.mark.parametrize("answer", [Answer(401), Answer(403), Answer(500), Answer(200, {"Content-Type": mt.OCI_INDEX})])
def test_a_manifest_is_shown_when_its_referrers_cannot_be_listed(answer: Answer, tmp_path: Path) -> None:
    """harbor#18305: 401 without a challenge; cosign#2973: 403 for a tag that is missing."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))

    def handle(sent: Sent) -> Answer:
        asked = "/referrers/" in sent.path or "/manifests/sha256-" in sent.path
        return answer if asked else handled(inner, sent)

    network = Network({HOME: handle})
    copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    warned: list[str] = []
    connections = Connections()
    connections._connector = network.connector()
    environment = Environment({}, tmp_path, warn=warned.append, connections=connections)
    found = inspect(InspectRequest(Reference.parse("registry.example/a:v1"), look_inside=False), environment)
    assert found.manifest == root
    assert found.referrers is None
    assert any("refers to it" in text for text in warned)


def test_a_stale_entry_of_a_list_of_referrers_is_named_as_one() -> None:
    stash = Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))

    class Lying:
        resolve, fetch, exists = stash.target.resolve, stash.target.fetch, stash.target.exists

        def referrers(self, subject: Descriptor, artifact_type: str | None = None) -> list[Descriptor]:
            del artifact_type
            gone = Descriptor(mt.OCI_MANIFEST, Digest.of(b"gone"), 4)
            return [gone] if subject == root else []

    with pytest.raises(NotFoundError, match=f"listed as referring to {root.digest}"):
        copy(Lying(), root, MemoryTarget(), recursive=True)


@pytest.mark.parametrize("host", ["ghcr.io", "x.azurecr.io", "1.dkr.ecr.eu-west-1.amazonaws.com", "quay.io"])
@pytest.mark.parametrize("status", [400, 405, 413, 422, 429, 500])
def test_a_refusal_that_is_not_about_access_gets_no_access_hint(host: str, status: int) -> None:
    """grimoire#11, ocx#480."""
    error = error_for(status, [Problem("X", "no")], "it", host=host, name="a/b", kind="manifest", pushing=True)
    access = error_for(403, [Problem("DENIED", "no")], "it", host=host, name="a/b", kind="manifest", pushing=True)
    assert access.hint
    assert error.hint != access.hint
    assert "scope" not in (error.hint or "")


@pytest.mark.parametrize("host", ["registry.gitlab.com", "registry.company.example"])
def test_an_unknown_media_type_names_the_profile_that_is_taken(host: str) -> None:
    """gitlab-org/container-registry#1869."""
    problem = Problem("MANIFEST_INVALID", "unknown media type: application/vnd.wasm.config.v0+json")
    error = error_for(400, [problem], "it", host=host, name="a/b", kind="manifest", pushing=True)
    assert "`wasm-to-oci`" in (error.hint or "")
