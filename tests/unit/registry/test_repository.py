"""What the verbs of a repository do beyond the contract that every place of content keeps."""

import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from tests.support.network import Answer, Network, Sent, broken, fresh_core
from tests.support.registry_server import registry_server
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import (
    AccessError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    UnsupportedError,
)
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.referrers import fallback_tag
from wasm2oci.oci.wire import LISTING_BYTES_MAX
from wasm2oci.registry.connect import ConnectOptions, Connector
from wasm2oci.registry.paging import EndlessListingError
from wasm2oci.registry.problems import ConnectionLostError, ResponseError, TooManyRequestsError
from wasm2oci.registry.referrers import FallbackTagError

HOME = "https://r.example"
DATA = b"some wasm"
BLOB = Descriptor.of("application/wasm", DATA)


def document(**more: Any) -> bytes:
    value = {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": EMPTY_JSON.to_json(), "layers": []}
    return json.dumps({**value, **more}).encode()


RAW = document()
ROOT = Descriptor.of(mt.OCI_MANIFEST, RAW)
SIGNATURE = document(artifactType="a/b", subject=ROOT.to_json())
SIGNED = Descriptor.of(mt.OCI_MANIFEST, SIGNATURE)


def serving(**changes: Any) -> Network:
    headers: dict[str, str | None] = {
        "Content-Type": mt.OCI_MANIFEST,
        "Content-Length": str(len(RAW)),
        "Docker-Content-Digest": str(ROOT.digest),
    }
    for name, value in changes.items():
        headers[name.replace("_", "-").title()] = value
    shown = {name: value for name, value in headers.items() if value is not None}
    return Network({HOME: lambda _: Answer(200, shown, RAW)})


def without_api() -> Network:
    """A registry that knows no referrers."""
    inner = fresh_core()

    def answer(sent: Sent) -> Answer:
        if "/referrers/" in sent.path:
            return Answer(404)
        found = inner(sent)
        assert isinstance(found, Answer)
        return found.changed("oci-subject")

    return Network({HOME: answer})


def methods(network: Network) -> list[str]:
    return [sent.method for sent in network.sent]


class TestResolving:
    def test_headers_are_enough(self) -> None:
        network = serving()
        assert network.repository("r.example/a").resolve("v1") == ROOT
        assert methods(network) == ["HEAD"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"docker_content_digest": None},
            {"docker_content_digest": "nonsense"},
            {"docker_content_digest": "md5:00"},
            {"content_length": None},
            {"content_type": None},
            {"content_type": "application/json"},
            {"content_type": "application/xml"},
        ],
    )
    def test_headers_that_say_too_little_are_followed_by_a_get(self, changes: dict[str, Any]) -> None:
        network = serving(**changes)
        repository = network.repository("r.example/a")
        if changes.get("content_type", ...) == "application/xml":
            with pytest.raises(InvalidInputError):
                repository.resolve("v1")
        else:
            assert repository.resolve("v1") == ROOT
            assert b"".join(repository.fetch(ROOT)) == RAW
        assert methods(network) == ["HEAD", "GET"]

    def test_parameters_of_a_content_type_do_not_matter(self) -> None:
        network = serving(content_type=f"{mt.OCI_MANIFEST.upper()}; charset=utf-8")
        assert network.repository("r.example/a").resolve("v1") == ROOT

    def test_a_refusal_without_a_body_is_asked_for_its_words(self) -> None:
        body = b'{"errors":[{"code":"DENIED","message":"the words"}]}'
        network = Network({HOME: lambda _: Answer(403, {}, body)})
        with pytest.raises(AccessError, match="the words"):
            network.repository("r.example/a").resolve("v1")
        with pytest.raises(AccessError, match="the words"):
            network.repository("r.example/a").exists(BLOB)
        with pytest.raises(AccessError, match="the words"):
            network.repository("r.example/a").exists(ROOT)

    def test_a_head_that_is_refused_where_a_get_is_not(self) -> None:
        network = Network(
            {HOME: lambda s: Answer(405) if s.method == "HEAD" else Answer(200, {"Content-Type": mt.OCI_MANIFEST}, RAW)}
        )
        assert network.repository("r.example/a").resolve("v1") == ROOT

    def test_a_busy_registry_is_not_asked_twice_as_often(self) -> None:
        network = Network({HOME: lambda _: Answer(429)})
        with pytest.raises(TooManyRequestsError):
            network.repository("r.example/a").resolve("v1")
        assert methods(network) == ["HEAD"] * 4

    def test_an_empty_manifest(self) -> None:
        network = Network({HOME: lambda _: Answer(200, {"Content-Type": mt.OCI_MANIFEST})})
        with pytest.raises(ResponseError, match="empty"):
            network.repository("r.example/a").fetch_manifest("v1")

    def test_a_manifest_of_another_size_than_listed(self) -> None:
        listed = Descriptor(mt.OCI_MANIFEST, ROOT.digest, len(RAW) + 1)
        with pytest.raises(IntegrityError, match="bytes, not"):
            list(serving().repository("r.example/a").fetch(listed))

    def test_a_type_of_its_own_is_asked_for(self) -> None:
        network = serving(content_type="application/vnd.own+json")
        descriptor = Descriptor("application/vnd.own+json", ROOT.digest, len(RAW))
        repository = network.repository("r.example/a")
        with pytest.raises(InvalidInputError):
            repository.delete(Descriptor(mt.DOCKER_MANIFEST, ROOT.digest, len(RAW)))
        assert (
            b"".join(Network({HOME: lambda _: Answer(200, {}, RAW)}).repository("r.example/a").fetch(descriptor)) == RAW
        )


class TestBlobs:
    def test_content_that_comes_with_its_descriptor_is_not_asked_for(self) -> None:
        network = Network({})
        assert b"".join(network.repository("r.example/a").fetch(EMPTY_JSON)) == b"{}"

    @pytest.mark.parametrize(
        ("answer", "there"),
        [
            (Answer(200), True),
            (Answer(200, {"Content-Length": "9"}), True),
            (Answer(200, {"Content-Length": "8"}), False),
            (Answer(404), False),
            (Answer(410), False),
        ],
    )
    def test_whether_it_exists(self, answer: Answer, *, there: bool) -> None:
        assert Network({HOME: lambda _: answer}).repository("r.example/a").exists(BLOB) is there

    def test_an_answer_that_is_neither_yes_nor_no(self) -> None:
        with pytest.raises(RegistryError, match="418"):
            Network({HOME: lambda _: Answer(418)}).repository("r.example/a").exists(BLOB)

    def test_a_range_that_was_not_asked_for_is_refused(self) -> None:
        network = Network({HOME: lambda _: Answer(206, {"Content-Range": "bytes 0-8/9"}, DATA)})
        with pytest.raises(ResponseError):
            list(network.repository("r.example/a").fetch(BLOB))

    def test_an_end_that_is_missing_after_the_last_byte_does_not_matter(self) -> None:
        network = Network({HOME: lambda _: Answer(200, {}, [DATA, broken()])})
        assert b"".join(network.repository("r.example/a").fetch(BLOB)) == DATA
        assert len(network.sent) == 1

    def test_a_body_that_ends_early_and_says_nothing_is_read_on(self) -> None:
        answers = iter([Answer(200, {}, DATA[:4]), Answer(200, {}, [DATA[:2], DATA[2:]])])
        network = Network({HOME: lambda _: next(answers)})
        assert b"".join(network.repository("r.example/a").fetch(BLOB)) == DATA
        network = Network({HOME: lambda _: Answer(200, {}, b"")})
        with pytest.raises(ConnectionLostError, match="ends after 0 of 9"):
            list(network.repository("r.example/a").fetch(BLOB))

    def test_a_reader_that_stops_lets_go_of_the_connection(self) -> None:
        closed: list[bool] = []

        def pieces() -> Any:
            try:
                yield DATA[:3]
                yield DATA[3:]
            finally:
                closed.append(True)

        reading = iter(Network({HOME: lambda _: Answer(200, {}, pieces())}).repository("r.example/a").fetch(BLOB))
        next(reading)
        reading.close()  # type: ignore[attr-defined]
        assert closed == [True]


class TestMounting:
    def test_a_session_that_a_mount_left_open_takes_the_bytes(self) -> None:
        def answer(sent: Sent) -> Answer:
            return Answer(202, {"Location": "/up/1"}) if sent.method == "POST" else Answer(201)

        network = Network({HOME: answer})
        connector = network.connector()
        target = connector.repository(Reference.parse("r.example/a"), writes=True)
        assert not target.mount(BLOB, connector.repository(Reference.parse("r.example/b")))
        target.push(BLOB, BytesContent(DATA))
        assert methods(network) == ["POST", "PUT"]

    def test_what_cannot_be_mounted_is_not_asked_for(self) -> None:
        network = Network({HOME: lambda _: Answer(201)})
        connector = network.connector()
        target = connector.repository(Reference.parse("r.example/a"))
        assert not target.mount(BLOB, object())
        assert not target.mount(BLOB, target)
        assert not target.mount(BLOB, connector.repository(Reference.parse("other.example/b")))
        assert not target.mount(ROOT, connector.repository(Reference.parse("r.example/b")))
        assert network.sent == []

    def test_no_token_for_both_means_no_mount(self) -> None:
        def answer(sent: Sent) -> Answer:
            if sent.path == "/token":
                return Answer(403)
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{HOME}/token"'})

        connector = Network({HOME: answer}).connector()
        target = connector.repository(Reference.parse("r.example/a"))
        assert not target.mount(BLOB, connector.repository(Reference.parse("r.example/b")))


class TestTags:
    @pytest.mark.parametrize(
        ("body", "tags"),
        [
            (b'{"tags":null}', []),
            (b'{"name":"a"}', []),
            (b'{"tags":["b","a"]}', ["b", "a"]),
            (b'{"tags":["ok","\\u001b[2J","-x",5,null]}', ["ok"]),
        ],
    )
    def test_what_is_listed(self, body: bytes, tags: list[str]) -> None:
        assert list(Network({HOME: lambda _: Answer(200, {}, body)}).repository("r.example/a").tags()) == tags

    def test_what_is_no_list(self) -> None:
        with pytest.raises(ResponseError):
            list(Network({HOME: lambda _: Answer(200, {}, b'{"tags":{"a":1}}')}).repository("r.example/a").tags())
        with pytest.raises(NotFoundError):
            list(Network({HOME: lambda _: Answer(404)}).repository("r.example/a").tags())


class TestDeleting:
    def test_a_tag_alone_where_that_is_possible(self) -> None:
        network = Network({HOME: fresh_core()})
        repository = network.repository("r.example/a", writes=True)
        repository.push(EMPTY_JSON, BytesContent(b"{}"))
        repository.push(ROOT, BytesContent(RAW), tag="v1")
        repository.push(ROOT, BytesContent(RAW), tag="v2")
        repository.untag("v1")
        assert list(repository.tags()) == ["v2"]

    @pytest.mark.parametrize("status", [400, 405])
    def test_a_tag_alone_where_it_is_not(self, status: int) -> None:
        with pytest.raises(UnsupportedError, match="remove a tag alone"):
            Network({HOME: lambda _: Answer(status)}).repository("r.example/a").untag("v1")

    def test_what_is_not_there(self) -> None:
        with pytest.raises(NotFoundError):
            Network({HOME: lambda _: Answer(404)}).repository("r.example/a").delete(BLOB)


class TestReferrers:
    def push(self, network: Network) -> Any:
        repository = network.repository("r.example/a", writes=True)
        repository.push(EMPTY_JSON, BytesContent(b"{}"))
        repository.push(ROOT, BytesContent(RAW), tag="v1")
        return repository

    def test_pages_and_a_filter_that_is_not_applied(self) -> None:
        entries = [
            {**Descriptor.of(mt.OCI_MANIFEST, bytes([n])).to_json(), "artifactType": kind}
            for n, kind in enumerate(["a/b", "c/d", "a/b"])
        ]

        def answer(sent: Sent) -> Answer:
            page = int(sent.query.get("page", ["0"])[0])
            headers = {"Content-Type": mt.OCI_INDEX}
            if page < 2:
                headers["Link"] = f'<?page={page + 1}>; rel="next"'
            return Answer(200, headers, json.dumps({"manifests": [entries[page]]}).encode())

        repository = Network({HOME: answer}).repository("r.example/a")
        assert len(list(repository.referrers(ROOT))) == 3
        assert len(list(repository.referrers(ROOT, "a/b"))) == 2

    def test_a_filter_that_is_applied_is_believed(self) -> None:
        entry = Descriptor.of(mt.OCI_MANIFEST, b"x").to_json()
        headers = {"Content-Type": mt.OCI_INDEX, "OCI-Filters-Applied": "other, artifactType"}
        network = Network({HOME: lambda _: Answer(200, headers, json.dumps({"manifests": [entry]}).encode())})
        assert len(list(network.repository("r.example/a").referrers(ROOT, "a/b"))) == 1
        assert network.sent[0].query == {"artifactType": ["a/b"]}

    @pytest.mark.parametrize("body", [b'{"manifests":5}', b'{"manifests":[{}]}', b"{"])
    def test_a_listing_that_is_broken(self, body: bytes) -> None:
        def answer(sent: Sent) -> Answer:
            if "/referrers/" in sent.path:
                return Answer(200, {"Content-Type": mt.OCI_INDEX}, body)
            return Answer(404)

        repository = Network({HOME: answer}).repository("r.example/a")
        if body == b'{"manifests":5}':
            assert list(repository.referrers(ROOT)) == []
        else:
            with pytest.raises(InvalidInputError):
                list(repository.referrers(ROOT))

    def test_a_refusal_is_not_an_empty_list(self) -> None:
        with pytest.raises(AccessError):
            list(Network({HOME: lambda _: Answer(403)}).repository("r.example/a").referrers(ROOT))

    def test_what_is_under_the_tag_and_no_index_is_left_alone(self) -> None:
        network = without_api()
        repository = self.push(network)
        repository.push(ROOT, BytesContent(RAW), tag=fallback_tag(ROOT.digest))
        with pytest.raises(FallbackTagError, match="is not an index"):
            repository.push(SIGNED, BytesContent(SIGNATURE))
        assert repository.resolve(fallback_tag(ROOT.digest)) == ROOT

    def test_what_else_the_index_says_stays(self) -> None:
        repository = self.push(without_api())
        index = json.dumps(
            {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [], "annotations": {"a": "b"}, "x": [1]}
        ).encode()
        repository.push(Descriptor.of(mt.OCI_INDEX, index), BytesContent(index), tag=fallback_tag(ROOT.digest))
        repository.push(SIGNED, BytesContent(SIGNATURE))
        value = json.loads(repository.fetch_manifest(fallback_tag(ROOT.digest))[1])
        assert value["annotations"] == {"a": "b"}
        assert value["x"] == [1]
        assert [entry["digest"] for entry in value["manifests"]] == [str(SIGNED.digest)]

    def test_writers_that_are_faster_are_let_through_three_times(self) -> None:
        network = without_api()
        repository = self.push(network)
        inner = network.hosts[HOME]
        tag = fallback_tag(ROOT.digest)
        lost = iter([True, True])

        def answer(sent: Sent) -> Answer:
            if sent.method == "PUT" and sent.path.endswith(tag) and next(lost, False):
                return Answer(201)  # somebody wrote over it at once
            found = inner(sent)
            assert isinstance(found, Answer)
            return found

        network.hosts[HOME] = answer
        repository.push(SIGNED, BytesContent(SIGNATURE))
        assert [entry.digest for entry in repository.referrers(ROOT)] == [SIGNED.digest]
        assert len(network.slept) == 2

    def test_writers_that_are_always_faster_are_reported(self) -> None:
        network = without_api()
        repository = self.push(network)
        inner = network.hosts[HOME]

        def answer(sent: Sent) -> Answer:
            if sent.method == "PUT" and sent.path.endswith(fallback_tag(ROOT.digest)):
                return Answer(201)
            found = inner(sent)
            assert isinstance(found, Answer)
            return found

        network.hosts[HOME] = answer
        with pytest.raises(FallbackTagError, match="other clients keep overwriting"):
            repository.push(SIGNED, BytesContent(SIGNATURE))

    def test_a_conditional_write_is_used_where_there_is_an_entity_tag(self) -> None:
        network = without_api()
        repository = self.push(network)
        repository.push(SIGNED, BytesContent(SIGNATURE))
        inner = network.hosts[HOME]
        conflicts = iter([True])
        seen: list[str | None] = []

        def answer(sent: Sent) -> Answer:
            if sent.path.endswith(fallback_tag(ROOT.digest)):
                if sent.method == "PUT":
                    seen.append(sent.headers.get("if-match"))
                    if next(conflicts, False):
                        return Answer(412)
                found = inner(sent)
                assert isinstance(found, Answer)
                return found.changed("etag", etag='"1"') if sent.method == "GET" else found
            found = inner(sent)
            assert isinstance(found, Answer)
            return found

        network.hosts[HOME] = answer
        other = document(artifactType="c/d", subject=ROOT.to_json())
        repository.push(Descriptor.of(mt.OCI_MANIFEST, other), BytesContent(other))
        assert seen == ['"1"', '"1"']
        assert len(list(repository.referrers(ROOT))) == 2

    def test_removing_what_is_not_listed_writes_nothing(self) -> None:
        network = without_api()
        repository = self.push(network)
        repository.push(SIGNED, BytesContent(SIGNATURE))
        index = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []}).encode()
        repository.push(Descriptor.of(mt.OCI_INDEX, index), BytesContent(index), tag=fallback_tag(ROOT.digest))
        network.sent.clear()
        repository.delete(SIGNED)
        assert "PUT" not in methods(network)

    def test_the_tag_of_a_long_digest_is_cut(self) -> None:
        assert fallback_tag(Digest.of(b"", "sha512")) == f"sha512-{Digest.of(b'', 'sha512').encoded[:64]}"


def test_a_tag_for_what_is_here_already() -> None:
    repository = Network({HOME: fresh_core()}).repository("r.example/a", writes=True)
    repository.push(EMPTY_JSON, BytesContent(b"{}"))
    repository.push(ROOT, BytesContent(RAW), tag="v1")
    repository.tag(ROOT, "v2")
    assert repository.resolve("v2") == ROOT
    with pytest.raises(InvalidInputError):
        repository.tag(ROOT, "not a tag")


def test_pages_of_tags_are_followed_over_real_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.registry.repository._TAGS_PAGE", 50)
    names = sorted(f"v{number}" for number in range(120))
    target = MemoryTarget()
    target.push(EMPTY_JSON, BytesContent(b"{}"))
    target.push(ROOT, BytesContent(RAW))
    with registry_server() as running, Connector(ConnectOptions(environ={}, home=tmp_path)) as connector:
        repository = connector.repository(Reference.parse(f"{running.address}/many/pages"), writes=True)
        copy(target, ROOT, repository, names)
        before = len(running.seen)
        assert list(repository.tags()) == names
        assert len([line for line in running.seen[before:] if "/tags/list" in line]) == 3


def test_tags_are_bounded_over_all_pages() -> None:
    """26 pages of 15 MiB were 3 GB, and then a MemoryError."""
    page = json.dumps({"name": "a", "tags": ["t" * 1000] * 4_000}).encode()
    read = 0

    def endless(sent: Sent) -> Answer:
        nonlocal read
        read += len(page)
        assert read < 2 * LISTING_BYTES_MAX
        following = f'<{sent.path}?last={read}>; rel="next"'
        return Answer(200, {"Content-Type": "application/json", "Link": following}, page)

    with pytest.raises(EndlessListingError, match="bytes"):
        deque(Network({HOME: endless}).repository("r.example/a").tags(), maxlen=0)


def test_many_small_tags_are_bounded_too() -> None:
    page = json.dumps({"name": "a", "tags": ["t"] * 100_000}).encode()
    pages = 0

    def endless(sent: Sent) -> Answer:
        nonlocal pages
        pages += 1
        assert pages < 10
        following = f'<{sent.path}?last={pages}>; rel="next"'
        return Answer(200, {"Content-Type": "application/json", "Link": following}, page)

    with pytest.raises(EndlessListingError, match="entries"):
        deque(Network({HOME: endless}).repository("r.example/a").tags(), maxlen=0)


def test_referrers_are_bounded_over_all_pages() -> None:
    """152 pages of referrers were 2 GB."""
    subject = Descriptor.of(mt.OCI_MANIFEST, b"subject")
    entry = {**subject.to_json(), "annotations": {"a": "x" * 4000}}
    page = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [entry] * 900}).encode()
    pages = 0

    def endless(sent: Sent) -> Answer:
        nonlocal pages
        pages += 1
        assert pages < 40
        following = f'<{sent.path}?last={pages}>; rel="next"'
        return Answer(200, {"Content-Type": mt.OCI_INDEX, "Link": following}, page)

    with pytest.raises(EndlessListingError):
        list(Network({HOME: endless}).repository("r.example/a").referrers(subject))
