"""What people reported of other clients, tried on this one; each test names the report."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.artifacts import WASM, Stash
from tests.support.network import Answer, Network, Sent, fresh_core, token_answer
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.progress import Outcome
from wasm2oci.content.target import UnlistedReferrerError
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import AccessError, InvalidInputError, NotFoundError, RegistryError, UnsupportedError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.referrers import fallback_tag
from wasm2oci.operations.delete import delete
from wasm2oci.operations.environment import Connections, Environment
from wasm2oci.operations.inspect import inspect
from wasm2oci.operations.names import check_host
from wasm2oci.operations.push import PushRequest, push
from wasm2oci.operations.tags_of import tags_of
from wasm2oci.operations.tree import tree
from wasm2oci.operations.trust import TrustOptions
from wasm2oci.registry.credentials import Basic
from wasm2oci.registry.problems import ConnectionFailedError, Problem, error_for
from wasm2oci.registry.referrers import FallbackTagError
from wasm2oci.registry.urls import UntrustedUrlError
from wasm2oci.signing.keys import PrivateKey

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.network import Handler

HOME = "https://registry.example"
ALICE = Basic("alice", "secret")
DATA = b"some wasm"
BLOB = Descriptor("application/wasm", Digest.of(DATA), len(DATA))


def handled(handler: Handler, sent: Sent) -> Answer:
    answer = handler(sent)
    assert isinstance(answer, Answer)
    return answer


def immutable(tag: str, status: int, body: bytes) -> Network:
    """A registry that writes this tag once, and refuses to write it again."""
    inner, written = fresh_core(), False

    def answer(sent: Sent) -> Answer:
        nonlocal written
        if sent.method == "PUT" and sent.path.endswith(f"/manifests/{tag}"):
            if written:
                return Answer(status, {}, body)
            written = True
        return handled(inner, sent)

    return Network({HOME: answer})


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


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("there", [True, False])
def test_a_head_that_is_refused_where_get_is_not_is_asked_again(status: int, *, there: bool) -> None:
    """A firewall that lets no HEAD through: the answer to GET is the registry's."""
    inner = fresh_core()
    network = Network({HOME: lambda sent: Answer(status) if sent.method == "HEAD" else handled(inner, sent)})
    repository, stash = network.repository("registry.example/a", writes=True), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    if there:
        copy(stash.target, root, repository, "v1")
        assert repository.find_blob(BLOB.digest).size == len(DATA)
    assert repository.exists(BLOB) is there
    assert repository.exists(root) is there


@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP"])
def test_what_is_compressed_on_the_way_is_read(encoding: str) -> None:
    """A proxy that compresses what `Accept-Encoding: identity` was sent for: manifests, tags and tokens, bounded."""
    inner = fresh_core()

    def answer(sent: Sent) -> Answer:
        if sent.path == "/token":
            plain = token_answer()
        elif "authorization" not in sent.headers:
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{HOME}/token"'})
        else:
            plain = handled(inner, sent)
        if sent.method != "GET" or "/blobs/" in sent.path:
            return plain
        assert isinstance(plain.body, bytes)
        zipped = gzip.compress(plain.body)
        return Answer(plain.status, (*plain.changed("content-length").pairs(), ("Content-Encoding", encoding)), zipped)

    network, stash = Network({HOME: answer}), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    repository = network.repository("registry.example/a")
    assert repository.fetch_manifest("v1")[0] == root
    assert list(repository.tags()) == ["v1"]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(bytes(1 << 25))), ("gzip", b"not gzip"), ("br", b"{}")],
    ids=["bomb", "not gzip", "another"],
)
def test_what_is_compressed_is_bounded_and_checked(encoding: str, body: bytes) -> None:
    network = Network({HOME: lambda _: Answer(200, {"Content-Encoding": encoding}, body)})
    with pytest.raises((RegistryError, InvalidInputError), match="larger than"):
        list(network.repository("registry.example/a").tags())


@pytest.mark.parametrize("status", [400, 403, 409, 412])
def test_a_tag_that_may_not_be_moved_and_is_not_is_pushed(status: int) -> None:
    """containers-roadmap#2380, buildkit#3776, kots#5940: ECR 400, Artifactory 403, ACR 409, Harbor 412."""
    network, stash = (
        immutable("v1", status, b'{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}'),
        Stash(),
    )
    root = stash.manifest(stash.put("application/wasm", DATA))
    other = stash.manifest(stash.put("application/wasm", DATA + b"!"))
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

    def test_a_redirect_to_plain_http_stays_on_the_origin_that_was_asked(self) -> None:
        inner = fresh_core()

        def answer(sent: Sent) -> Answer:
            if "moved" not in sent.query:
                location = f"{sent.url}{'&' if '?' in sent.url else '?'}moved=1"
                return Answer(307, {"Location": location.replace("https:", "http:")})
            return handled(inner, sent)

        network = Network({HOME: answer})
        network.repository("registry.example/a", writes=True).push(BLOB, BytesContent(DATA))
        assert b"".join(network.repository("registry.example/a").fetch(BLOB)) == DATA
        assert {sent.origin for sent in network.sent} == {HOME}

    def test_a_realm_of_plain_http_stays_on_the_origin_that_was_asked(self) -> None:
        inner = fresh_core()

        def answer(sent: Sent) -> Answer:
            if sent.path == "/service/token":
                return token_answer()
            if "authorization" not in sent.headers:
                return Answer(
                    401, {"WWW-Authenticate": 'Bearer realm="http://registry.example/service/token",service="h"'}
                )
            return handled(inner, sent)

        network = Network({HOME: answer})
        network.repository("registry.example/a", writes=True, credential=ALICE).push(BLOB, BytesContent(DATA))
        assert {sent.origin for sent in network.sent} == {HOME}

    def test_a_link_without_the_port_stays_on_the_origin_that_was_asked(self) -> None:
        """harbor#23050, skopeo#2055: an external URL without its port."""

        def answer(sent: Sent) -> Answer:
            if "last" in sent.query:
                return Answer(200, {}, b'{"tags":["b"]}')
            return Answer(
                200, {"Link": '<https://registry.example/v2/a/tags/list?last=a>; rel="next"'}, b'{"tags":["a"]}'
            )

        network = Network({f"{HOME}:8443": answer})
        assert list(network.repository("registry.example:8443/a").tags()) == ["a", "b"]

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


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            403,
            b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>',
            "403: AccessDenied: Request has expired",
        ),
        (401, b"", "401"),
        (416, b"", "416"),
    ],
)
def test_a_storage_that_refuses_is_named_and_nobody_is_told_to_log_in(status: int, body: bytes, said: str) -> None:
    """The storage that a registry leads to knows no account: an expired link, a clock, a firewall."""
    network = Network(
        {
            HOME: lambda _: Answer(307, {"Location": "https://storage.example/blob?signature=secret"}),
            "https://storage.example": lambda _: Answer(status, {"Content-Type": "application/xml"}, body),
        }
    )
    with pytest.raises(RegistryError) as caught:
        b"".join(network.repository("registry.example/a").fetch(BLOB))
    assert f"storage.example, where registry.example leads, answered {said}" in caught.value.message
    assert "account" not in (caught.value.hint or "")
    assert "secret" not in caught.value.message


def test_a_registry_that_leads_to_https_is_told_from_its_storage() -> None:
    """`--plain-http` for a registry whose port 80 redirects: credentials do not follow."""
    network = Network(
        {
            "http://registry.example": lambda sent: Answer(308, {"Location": f"{HOME}{sent.path}"}),
            HOME: lambda _: Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}),
        }
    )
    with pytest.raises(RegistryError, match=r"https://registry\.example, where registry\.example leads") as caught:
        network.repository("registry.example/a", plain_http=True, credential=ALICE).resolve("v1")
    assert "https from the start" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "body",
    [b'{"token": "t", "token": "t"}', b'{"token": "t", "account": "\xe9"}', b'{"access_token": "t", "token": null}'],
)
def test_a_token_is_read_as_go_reads_it(body: bytes) -> None:
    inner = fresh_core()

    def answer(sent: Sent) -> Answer:
        if sent.path == "/token":
            return Answer(200, {}, body)
        if sent.headers.get("authorization") != "Bearer t":
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{HOME}/token"'})
        if sent.path.endswith("/tags/list"):
            return Answer(200, {}, b'{"name": "a", "name": "\xff", "tags": ["v1"]}')
        return handled(inner, sent)

    network = Network({HOME: answer})
    assert list(network.repository("registry.example/a").tags()) == ["v1"]


def test_an_upload_to_an_address_that_cannot_be_reached_ends_at_once() -> None:
    """skopeo#2055: a Location without the registry's port."""
    network = Network({f"{HOME}:8443": lambda _: Answer(202, {"Location": f"{HOME}/up"})})
    with pytest.raises(ConnectionFailedError, match=f"registry.example:8443 sends its clients to {HOME}, which"):
        network.repository("registry.example:8443/a", writes=True).push(BLOB, BytesContent(DATA))
    assert network.slept == []


def test_a_literal_address_is_taken_from_a_registry_whose_name_resolves_to_a_similar_one() -> None:
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


def test_a_web_page_in_the_place_of_tags_is_hinted_at_as_everywhere() -> None:
    network = Network({HOME: lambda _: Answer(200, {"Content-Type": "text/html"}, b"<!doctype html><html>")})
    with pytest.raises(RegistryError, match="web page, not with tags") as caught:
        list(network.repository("registry.example/a").tags())
    assert "check the registry's host" in (caught.value.hint or "")


@pytest.mark.parametrize("status", [200, 204, 401, 403, 500, 503])
def test_a_registry_that_lists_referrers_and_cannot_be_asked_for_them_is_believed(status: int) -> None:
    """harbor#18305, cosign#2973: what was attached was reported as an error, after it had been pushed and listed."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    signature = stash.manifest(stash.put("text/x", b"signed"), subject=root)
    another = stash.manifest(stash.put("text/x", b"signed too"), subject=root)
    asked = []

    def answer(sent: Sent) -> Answer:
        if "/referrers/" not in sent.path:
            return handled(inner, sent)
        asked.append(sent)
        return Answer(status, {"Content-Type": mt.OCI_INDEX}, b"nonsense")

    repository = Network({HOME: answer}).repository("registry.example/a", writes=True)
    copy(stash.target, root, repository, "v1")
    copy(stash.target, signature, repository)
    once = len(asked)
    copy(stash.target, another, repository)
    plain = Network({HOME: inner}).repository("registry.example/a")
    assert {found.digest for found in plain.referrers(root)} == {signature.digest, another.digest}
    assert list(plain.tags()) == ["v1"]
    repository.delete(signature)
    assert [found.digest for found in plain.referrers(root)] == [another.digest]
    assert len(asked) == once > 0


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


@pytest.mark.parametrize(
    "answer",
    [Answer(401), Answer(403), Answer(405), Answer(500), Answer(200, {"Content-Type": mt.OCI_INDEX})],
)
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
    found = inspect(Reference.parse("registry.example/a:v1"), environment, look_inside=False)
    assert found.manifest == root
    assert found.referrers is None
    assert any("its referrers" in text or "its signatures" in text for text in warned)
    warned.clear()
    shown = tree(Reference.parse("registry.example/a:v1"), TrustOptions(), environment)
    assert (shown.manifest, shown.signatures, shown.referrers) == (root, None, ())
    assert any("cannot be listed" in text for text in warned)


def test_referrers_are_shown_where_tags_that_are_missing_are_refused(tmp_path: Path) -> None:
    """cosign#2973: the listing of referrers does not depend on cosign's tags."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    signature = stash.manifest(stash.put("text/plain", b"signed"), subject=root)

    def handle(sent: Sent) -> Answer:
        return Answer(403) if "/manifests/sha256-" in sent.path else handled(inner, sent)

    network = Network({HOME: handle})
    repository = network.repository("registry.example/a", writes=True)
    copy(stash.target, root, repository, "v1")
    copy(stash.target, signature, repository)
    warned: list[str] = []
    connections = Connections()
    connections._connector = network.connector()
    environment = Environment({}, tmp_path, warn=warned.append, connections=connections)
    found = inspect(Reference.parse("registry.example/a:v1"), environment, look_inside=False)
    assert [one.digest for one in found.referrers or ()] == [signature.digest]
    assert any("what cosign keeps under tags cannot be listed" in text for text in warned)


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


class TestReferrersBeforeTheirSubject:
    """buildkit#7007, oras#666, hub-feedback#2307: a registry takes no referrer before what it refers to."""

    @staticmethod
    def strict(refusal: Answer) -> Network:
        inner = fresh_core()
        there: set[str] = set()

        def answer(sent: Sent) -> Answer:
            if sent.method == "PUT" and "/manifests/" in sent.path:
                value = json.loads(sent.body)
                if "subject" in value and value["subject"]["digest"] not in there:
                    return refusal
                there.add(str(Digest.of(sent.body)))
            return handled(inner, sent)

        return Network({HOME: answer})

    REFUSALS = (
        Answer(400, {}, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}'),
        Answer(404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'),
        Answer(404, {}, b""),
        Answer(422, {}, b'{"errors":[{"code":"MANIFEST_INVALID","message":"subject manifest not found"}]}'),
        Answer(
            400, {}, b'{"errors":[{"code":"MANIFEST_INVALID","message":"invalid","detail":{"Subject":"sha256:1"}}]}'
        ),
        Answer(400, {}, b'{"errors":[{"code":"MANIFEST_REFERENCE_UNKNOWN","message":"references unknown manifest"}]}'),
        Answer(409, {}, b"Conflict"),
    )

    @pytest.mark.parametrize("refusal", REFUSALS)
    def test_the_subject_goes_first_by_digest(self, refusal: Answer) -> None:
        network, stash = self.strict(refusal), Stash()
        root = stash.manifest(stash.put("application/wasm", DATA))
        signature = stash.manifest(EMPTY_JSON, config=stash.put(EMPTY_JSON.media_type, b"{}"), subject=root)
        counter = stash.manifest(EMPTY_JSON, config=EMPTY_JSON, subject=signature)
        repository = network.repository("registry.example/a", writes=True)
        copy(stash.target, root, repository, ("v1", "v2"), recursive=True)
        for manifest in (root, signature, counter):
            assert repository.exists(manifest)
        assert sorted(tag for tag in repository.tags() if tag.startswith("v")) == ["v1", "v2"]
        tagged = [sent for sent in network.sent if sent.method == "PUT" and sent.path.endswith("/manifests/v1")]
        by_digest = [sent for sent in network.sent if sent.method == "PUT" and sent.path.endswith(str(root.digest))]
        assert network.sent.index(by_digest[0]) < network.sent.index(tagged[0])
        assert [entry.digest for entry in repository.referrers(root)] == [signature.digest]

    def test_an_attestation_in_an_index_waits_for_the_entry_that_it_is_about(self) -> None:
        network, stash = self.strict(self.REFUSALS[0]), Stash()
        image = stash.manifest(stash.put("application/wasm", DATA))
        attestation = stash.manifest(EMPTY_JSON, config=stash.put(EMPTY_JSON.media_type, b"{}"), subject=image)
        root = stash.index(attestation, image)
        repository = network.repository("registry.example/a", writes=True)
        result = copy(stash.target, root, repository, "v1")
        assert [outcome for _, outcome in result.nodes] == [Outcome.COPIED] * len(result.nodes)

    def test_what_refers_to_the_index_that_holds_it_is_refused_and_the_copy_ends(self) -> None:
        network, stash = self.strict(self.REFUSALS[0]), Stash()
        other = stash.manifest(stash.put("application/wasm", DATA + b"?"))
        lost = stash.manifest(EMPTY_JSON, config=stash.put(EMPTY_JSON.media_type, b"{}"), subject=other)
        with pytest.raises(RegistryError, match="lacks a blob"):
            copy(stash.target, stash.index(lost), network.repository("registry.example/a", writes=True), "v1")

    def test_a_signed_push_sends_the_module_first_where_that_is_required(self, tmp_path: Path) -> None:
        network = self.strict(self.REFUSALS[0])
        module = tmp_path / "m.wasm"
        module.write_bytes(WASM)
        connections = Connections()
        connections._connector = network.connector()
        environment = Environment({}, tmp_path, connections=connections)
        reference = Reference.parse("registry.example/a:v1")
        pushed = push(PushRequest(module, reference, signer=PrivateKey.generate()), environment)
        assert pushed.signature is not None
        assert pushed.signature.referrer is not None
        repository = network.repository("registry.example/a")
        assert [entry.digest for entry in repository.referrers(pushed.manifest)] == [pushed.signature.referrer.digest]


def test_a_registry_that_lists_no_referrers_gets_them_and_the_copy_says_so() -> None:
    """oras#2148: GitLab has no API, and reads the tag that would list them as the digest in it."""
    network, stash = TestTagsThatAreReadAsDigests.gitlab(), Stash()
    image = stash.manifest(stash.put("application/wasm", DATA))
    root = stash.index(image)
    signature = stash.manifest(EMPTY_JSON, config=stash.put(EMPTY_JSON.media_type, b"{}"), subject=root)
    repository = network.repository("registry.example/a", writes=True)
    copy(stash.target, root, repository, "v1")
    result = copy(stash.target, root, repository, "v1", recursive=True)
    assert repository.exists(signature)
    assert [problem for problem in result.unlisted if "as a digest" in problem.message]
    assert repository.resolve("v1") == Descriptor(root.media_type, root.digest, root.size)
    assert list(repository.tags()) == ["v1"]
    repository.delete(signature)  # which is listed nowhere, so no listing has to be changed
    assert not repository.exists(signature)


class TestContentTypesThatSayNothing:
    """helm#30873, fluxcd/pkg#328: registries that serve every manifest, or every list of tags, under one type."""

    @staticmethod
    def serving(part: str, content_type: str | None) -> Network:
        inner = fresh_core()

        def answer(sent: Sent) -> Answer:
            found = handled(inner, sent)
            if part not in sent.path or sent.method not in {"GET", "HEAD"}:
                return found
            return found.changed("content-type", **({"content_type": content_type} if content_type else {}))

        return Network({HOME: answer})

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "application/json; charset=utf-8",
            "application/octet-stream",
            "binary/octet-stream",
            "text/plain",
            "text/plain; charset=UTF-8",
            "text/json",
            "",
            None,
        ],
    )
    def test_the_manifest_itself_says_what_it_is(self, content_type: str | None) -> None:
        network, stash = self.serving("/manifests/", content_type), Stash()
        root = stash.index(stash.manifest(stash.put("application/wasm", DATA)))
        docker = stash.manifest(media_type=mt.DOCKER_MANIFEST)
        silent = stash.put(mt.OCI_INDEX, b'{"schemaVersion":2,"manifests":[]}')
        repository = network.repository("registry.example/a", writes=True)
        for number, wanted in enumerate((root, docker, silent)):
            copy(stash.target, wanted, repository, f"v{number}")
            assert repository.resolve(f"v{number}") == wanted
            assert copy(repository, f"v{number}", MemoryTarget()).root.digest == wanted.digest

    def test_a_type_that_says_something_else_is_not_overruled(self) -> None:
        network, stash = self.serving("/manifests/", mt.OCI_INDEX), Stash()
        root = stash.manifest(stash.put("application/wasm", DATA))
        copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
        with pytest.raises(InvalidInputError):
            network.repository("registry.example/a").fetch_manifest("v1")

    @pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8", "text/plain", None])
    def test_tags_are_read_whatever_they_are_sent_as(self, content_type: str | None) -> None:
        network, stash = self.serving("/tags/", content_type), Stash()
        copy(stash.target, stash.manifest(), network.repository("registry.example/a", writes=True), "v1")
        assert list(network.repository("registry.example/a").tags()) == ["v1"]


@pytest.mark.parametrize("status", [400, 405, 500, 501, 502])
def test_a_registry_whose_heads_all_fail_is_pushed_to_and_pulled_from(status: int) -> None:
    """zot#4033."""
    inner, stash = fresh_core(), Stash()
    network = Network({HOME: lambda sent: Answer(status) if sent.method == "HEAD" else inner(sent)})
    root = stash.manifest(stash.put("application/wasm", bytes(200_000)))
    for _ in range(2):
        copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    assert copy(network.repository("registry.example/a"), "v1", MemoryTarget()).root == root
    if status != 502:
        assert network.slept == []


@pytest.mark.parametrize("status", [400, 403, 405, 409, 412, 422])
def test_a_tag_that_is_immutable_may_be_given_again_to_what_has_it(status: int) -> None:
    """buildkit#3776: not only a push writes tags."""
    network, stash = immutable("stable", status, b"immutable"), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    other = stash.manifest(stash.put("application/wasm", DATA + b"!"))
    repository = network.repository("registry.example/a", writes=True)
    copy(stash.target, root, repository, "v1")
    copy(stash.target, other, repository, "v2")
    repository.tag(root, "stable")
    repository.tag(root, "stable")
    with pytest.raises((RegistryError, AccessError, UnsupportedError)):
        repository.tag(other, "stable")


@pytest.mark.parametrize("realm", ["/token", "token", "//registry.example/token"])
def test_a_realm_without_a_host_is_named(realm: str) -> None:
    network = Network({HOME: lambda _: Answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})})
    with pytest.raises(UntrustedUrlError, match=f"'{realm}'") as caught:
        network.repository("registry.example/a").resolve("v1")
    assert "whole URL" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("host", "answer", "words"),
    [
        (
            "europe-docker.pkg.dev",
            Answer(400, {}, b'{"errors":[{"code":"GOOGLE_MANIFEST_DANGLING_TAG"}]}'),
            "tags first",
        ),
        ("ghcr.io", Answer(405, {}, b'{"errors":[{"code":"UNSUPPORTED"}]}'), "package's settings"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com", Answer(405), "batch-delete-image"),
        ("registry.example", Answer(405), "who runs it"),
    ],
)
def test_a_registry_that_deletes_in_another_way_is_explained(host: str, answer: Answer, words: str) -> None:
    """grimoire#11."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    origin = f"https://{host}"
    network = Network({origin: lambda sent: answer if sent.method == "DELETE" else inner(sent)})
    repository = network.repository(f"{host}/me/a", writes=True)
    copy(stash.target, root, repository, "v1")
    with pytest.raises(UnsupportedError) as caught:
        repository.delete(root)
    assert words in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["https://ghcr.io", "https://ghcr.io/", "HTTPS://ghcr.io/v2/", "https://ghcr.io/v1/"])
def test_login_takes_the_address_of_a_registry(text: str) -> None:
    """docker login does."""
    assert check_host(text) == "ghcr.io"


@pytest.mark.parametrize("text", ["http://ghcr.io", "ftp://ghcr.io", "https://ghcr.io/me/app", "https://"])
def test_login_takes_nothing_that_is_more_or_less_than_a_host(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_host(text)
    assert "write https:" not in (caught.value.hint or "")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_token_server_that_refuses_stale_credentials_is_asked_without(status: int) -> None:
    """kargo#777, OpenShell#351: a robot of Quay that is gone is a 400."""
    inner = fresh_core()

    def registry(sent: Sent) -> Answer:
        if sent.headers.get("authorization") != "Bearer anonymous":
            return Answer(401, {"WWW-Authenticate": 'Bearer realm="https://tokens.example/t"'})
        return handled(inner, sent)

    def tokens(sent: Sent) -> Answer:
        return Answer(status) if "authorization" in sent.headers else token_answer("anonymous")

    auths = json.dumps({"auths": {"registry.example": {"username": "gone", "password": "x"}}})
    network = Network({HOME: registry, "https://tokens.example": tokens})
    repository = network.repository("registry.example/a", environ={"DOCKER_AUTH_CONFIG": auths})
    with pytest.raises(NotFoundError):
        repository.resolve("v1")
    assert any("reading without credentials" in text for text in network.warned)


def test_a_registry_that_takes_no_put_with_bytes_gets_chunks() -> None:
    """buildx#196: Artifactory answered 404 to a PUT with all bytes after a POST."""
    inner = fresh_core()

    def answer(sent: Sent) -> Answer:
        if sent.method == "POST" and "digest=" in sent.url:
            return Answer(404, {}, b"")
        if sent.method == "PUT" and "/uploads/" in sent.path and sent.body:
            return Answer(404, {}, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        return handled(inner, sent)

    network = Network({HOME: answer})
    repository = network.repository("registry.example/a", writes=True)
    repository.push(BLOB, BytesContent(DATA))
    assert b"".join(repository.fetch(BLOB)) == DATA


def test_a_registry_that_says_yes_to_a_blob_and_throws_it_away_gets_it_in_another_way() -> None:
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))

    def answer(sent: Sent) -> Answer:
        if sent.method == "POST" and "digest=" in sent.url:
            return Answer(201, {"Location": "/v2/a/blobs/x"})
        if sent.method == "PUT" and "/manifests/" in sent.path:
            for part in (json.loads(sent.body)["config"], *json.loads(sent.body)["layers"]):
                head = Sent(sent.origin, "HEAD", f"{HOME}/v2/a/blobs/{part['digest']}", {}, b"")
                if handled(inner, head).status != 200:
                    return Answer(404, {}, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}')
        return handled(inner, sent)

    network = Network({HOME: answer})
    repository = network.repository("registry.example/a", writes=True)
    copy(stash.target, root, repository, "v1")
    assert copy(repository, "v1", MemoryTarget()).root.digest == root.digest


@pytest.mark.parametrize("status", [400, 401, 403, 405])
def test_a_storage_that_answers_no_head_has_what_the_registry_sends_on_to(status: int) -> None:
    """containers-roadmap#2671: public.ecr.aws answers 401 to HEAD of a blob, behind its redirect."""
    storage = "https://storage.example"
    network = Network({HOME: lambda _: Answer(307, {"Location": f"{storage}/x"}), storage: lambda _: Answer(status)})
    assert network.repository("registry.example/a").exists(BLOB)


def test_a_storage_that_refuses_what_is_read_does_not_have_it() -> None:
    """HEAD is refused by the registry, and GET by its storage: S3 says 403 of what is not there."""
    storage = "https://storage.example"

    def answer(sent: Sent) -> Answer:
        return Answer(403) if sent.method == "HEAD" else Answer(307, {"Location": f"{storage}/x"})

    network = Network({HOME: answer, storage: lambda _: Answer(403)})
    assert not network.repository("registry.example/a").exists(BLOB)


def test_a_delete_says_which_tags_go_with_the_artifact(tmp_path: Path) -> None:
    """`delete REF:v1 -y` also removed v2 and prod, and named v1 only."""
    network, stash = Network({HOME: fresh_core()}), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    other = stash.manifest(stash.put("application/wasm", DATA + b"!"))
    repository = network.repository("registry.example/a", writes=True)
    copy(stash.target, root, repository, ("v2", "v1", "prod"))
    copy(stash.target, other, repository, "dev")
    connections = Connections()
    connections._connector = network.connector()
    environment = Environment({}, tmp_path, connections=connections)
    deleted = delete(Reference.parse("registry.example/a:v1"), environment)
    assert deleted.tags == ("prod", "v1", "v2")
    assert list(repository.tags()) == ["dev"]
    assert tags_of(repository, other.digest) == ("dev",)
    assert tags_of(repository, other.digest, limit=0) is None


def test_a_tag_that_cannot_be_removed_alone_gets_a_reason_about_tags() -> None:
    inner = fresh_core()
    network = Network({HOME: lambda sent: Answer(405) if sent.method == "DELETE" else inner(sent)})
    with pytest.raises(UnsupportedError, match="does not remove a tag alone") as caught:
        network.repository("registry.example/a", writes=True).untag("v1")
    assert "by digest" in (caught.value.hint or "")


@pytest.mark.parametrize("answer", [Answer(401), Answer(403), Answer(500)])
def test_a_tree_is_shown_when_its_referrers_cannot_be_listed(answer: Answer, tmp_path: Path) -> None:
    """harbor#18305, cosign#2973, for `tree`."""
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))

    def handle(sent: Sent) -> Answer:
        asked = "/referrers/" in sent.path or "/manifests/sha256-" in sent.path
        return answer if asked else handled(inner, sent)

    network = Network({HOME: handle})
    copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    connections, warned = Connections(), list[str]()
    connections._connector = network.connector()
    environment = Environment({}, tmp_path, warn=warned.append, connections=connections)
    found = tree(Reference.parse("registry.example/a:v1"), TrustOptions(), environment)
    assert [part.content.size for part in found.parts] == [2, len(DATA)]
    assert found.signatures is None
    assert any("cannot be listed" in text for text in warned)


def test_a_registry_that_does_not_give_back_a_fallback_tag_lists_no_referrers() -> None:
    inner, stash = fresh_core(), Stash()
    root = stash.manifest(stash.put("application/wasm", DATA))
    signature = stash.manifest(EMPTY_JSON, config=stash.put(EMPTY_JSON.media_type, b"{}"), subject=root)

    def answer(sent: Sent) -> Answer:
        gone = "/referrers/" in sent.path or (sent.method == "GET" and "/manifests/sha256-" in sent.path)
        return Answer(404) if gone else handled(inner, sent)

    network = Network({HOME: answer})
    result = copy(stash.target, root, network.repository("registry.example/a", writes=True), "v1")
    assert result.unlisted == ()
    with pytest.raises(UnlistedReferrerError, match="does not give it back"):
        copy(stash.target, signature, network.repository("registry.example/a", writes=True))
