"""Faults over real sockets: cut wires, busy registries, wrong bytes and lies. A wrong file never comes of them."""

import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import Faults, Wire, altered, answer, corrupted, cut_after, wire
from tests.support.registry_server import RunningRegistry, registry_server
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent, verified
from wasm2oci.errors import IntegrityError, NotFoundError, RegistryError, Wasm2OciError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.connect import ConnectOptions, Connector
from wasm2oci.registry.problems import ConnectionLostError, TooManyRequestsError
from wasm2oci.registry.retry import RetryPolicy
from wasm2oci.registry.uploader import _Source
from wasm2oci.server.messages import BytesBody, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wasm2oci.registry.repository import Repository

DATA = random.Random(2).randbytes(3_000_000)
BLOB = Descriptor.of("application/wasm", DATA)
RAW = json.dumps(
    {"schemaVersion": 2, "mediaType": mt.OCI_MANIFEST, "config": EMPTY_JSON.to_json(), "layers": [BLOB.to_json()]}
).encode()
ROOT = Descriptor.of(mt.OCI_MANIFEST, RAW)


class Bench:
    """A registry with faults, a wire to it, and a repository at the end of the wire."""

    def __init__(self, registry: RunningRegistry, faults: Faults, line: Wire, home: "Path") -> None:
        self.registry = registry
        self.faults = faults
        self.wire = line
        self.slept: list[float] = []
        self.home = home
        self.connectors: list[Connector] = []

    def repository(self, *, direct: bool = False, tries: int = 5) -> "Repository":
        options = ConnectOptions(
            plain_http=True,
            environ={},
            home=self.home,
            sleep=self.slept.append,
            retry=RetryPolicy(tries=tries),
            read_timeout=20.0,
        )
        connector = Connector(options)
        self.connectors.append(connector)
        host = self.registry.address if direct else self.wire.address
        return connector.repository(Reference.parse(f"{host}/me/app"), writes=True)

    def artifact(self) -> MemoryTarget:
        target = MemoryTarget()
        target.push(BLOB, BytesContent(DATA))
        target.push(EMPTY_JSON, BytesContent(b"{}"))
        target.push(ROOT, BytesContent(RAW), tag="v1")
        return target

    def seed(self) -> None:
        copy(self.artifact(), "v1", self.repository(direct=True), "v1")
        self.registry.seen.clear()

    def pull(self) -> bytes:
        target = MemoryTarget()
        root = copy(self.repository(), "v1", target).root
        assert root.digest == ROOT.digest
        return b"".join(target.fetch(BLOB))

    def assert_whole(self) -> None:
        target = MemoryTarget()
        assert copy(self.repository(direct=True), "v1", target).root.digest == ROOT.digest
        assert b"".join(target.fetch(BLOB)) == DATA


@pytest.fixture
def bench(tmp_path: "Path") -> "Iterator[Bench]":
    faults = Faults()
    with registry_server(wrap=faults.wrap) as registry, wire(registry.address) as line:
        made = Bench(registry, faults, line, tmp_path)
        yield made
        for connector in made.connectors:
            connector.close()


STAGES = [0, 1, 100, 400, 1_000, 5_000, 500_000, 2_999_000, 3_001_500, 3_002_500]


@pytest.mark.parametrize("up", STAGES)
def test_a_push_survives_a_cut_after_so_many_bytes_up(bench: Bench, up: int) -> None:
    bench.wire.plans = [(up, None)]
    copy(bench.artifact(), "v1", bench.repository(), "v1", workers=1)
    bench.assert_whole()


@pytest.mark.parametrize("down", [0, 1, 50, 150, 300, 450, 600, 800])
def test_a_push_survives_a_cut_after_so_many_bytes_down(bench: Bench, down: int) -> None:
    bench.wire.plans = [(None, down)]
    copy(bench.artifact(), "v1", bench.repository(), "v1", workers=1)
    bench.assert_whole()


@pytest.mark.parametrize("seed", range(4))
def test_a_push_survives_many_cuts(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    bench.wire.plans = [(chance.randrange(300, 900_000), None) for _ in range(3)]
    copy(bench.artifact(), "v1", bench.repository(tries=6), "v1", workers=1)
    bench.assert_whole()


@pytest.mark.parametrize("down", [0, 1, 100, 300, 500, 900, 1_500, 100_000, 2_000_000, 3_000_000])
def test_a_pull_survives_a_cut_after_so_many_bytes_down(bench: Bench, down: int) -> None:
    bench.seed()
    bench.wire.plans = [(None, down)]
    assert bench.pull() == DATA


@pytest.mark.parametrize("up", [0, 1, 100, 300, 500, 700])
def test_a_pull_survives_a_cut_after_so_many_bytes_up(bench: Bench, up: int) -> None:
    bench.seed()
    bench.wire.plans = [(up, None)]
    assert bench.pull() == DATA


def test_a_pull_goes_on_where_it_was_cut(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/blobs/sha256:" + BLOB.digest.encoded, cut_after(2_000_000))
    ranges: list[str] = []

    def note(request: Request, handle: "Callable[[Request], Response]") -> Response:
        ranges.append(request.headers.get("range") or "")
        return handle(request)

    bench.faults.add(
        r"^GET .*/blobs/sha256:" + BLOB.digest.encoded,
        note,
    )
    assert bench.pull() == DATA
    assert ranges == ["bytes=2000000-"]


def test_a_registry_without_ranges_is_read_past_what_is_known(bench: Bench) -> None:
    bench.seed()
    blob = r"^GET .*/blobs/sha256:" + BLOB.digest.encoded
    bench.faults.add(blob, cut_after(2_000_000))
    bench.faults.add(blob, answer(200, body=DATA))
    assert bench.pull() == DATA


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-999999/3000000", "bytes 2000000-2999999/2999999", "bytes 2000000-3000000/*", "2000000-2999999", ""],
)
def test_a_part_that_was_not_asked_for_is_refused(bench: Bench, content_range: str) -> None:
    bench.seed()
    blob = r"^GET .*/blobs/sha256:" + BLOB.digest.encoded
    bench.faults.add(blob, cut_after(2_000_000))
    bench.faults.add(blob, answer(206, (("Content-Range", content_range),), DATA[2_000_000:]), times=9)
    with pytest.raises(RegistryError, match="part"):
        bench.pull()


def test_a_part_of_something_else_is_found_by_the_digest(bench: Bench) -> None:
    bench.seed()
    blob = r"^GET .*/blobs/sha256:" + BLOB.digest.encoded
    bench.faults.add(blob, cut_after(2_000_000))
    wrong = answer(206, (("Content-Range", "bytes 2000000-2999999/3000000"),), bytes(1_000_000))
    bench.faults.add(blob, wrong)
    with pytest.raises(IntegrityError):
        bench.pull()


def test_a_download_that_never_comes_to_its_end_is_given_up(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/blobs/sha256:" + BLOB.digest.encoded, cut_after(0), times=99)
    with pytest.raises(ConnectionLostError):
        bench.pull()
    assert len(bench.slept) == 4


def test_progress_resets_the_count_of_tries(bench: Bench) -> None:
    bench.seed()
    # Each connection brings a bit more than a megabyte; there are more of them than tries.
    bench.faults.add(r"^GET .*/blobs/sha256:" + BLOB.digest.encoded, cut_after(1_100_000), times=2)
    options = bench.repository(tries=2)
    assert b"".join(options.fetch(BLOB)) == DATA


@pytest.mark.parametrize("position", [0, 1_234_567, 2_999_999])
def test_a_corrupted_byte_is_an_error(bench: Bench, position: int) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/blobs/sha256:" + BLOB.digest.encoded, corrupted(position))
    with pytest.raises(IntegrityError):
        bench.pull()


def test_a_corrupted_manifest_is_an_error(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/manifests/", corrupted(40), times=9)
    with pytest.raises(IntegrityError):
        bench.pull()


@pytest.mark.parametrize("length", [2_999_999, 3_000_001, 10])
def test_a_length_that_lies_is_an_error_or_overcome(bench: Bench, length: int) -> None:
    bench.seed()

    def lie(response: Response, body: bytes) -> Response:
        kept = tuple((n, v) for n, v in response.headers if n.lower() != "content-length")
        return Response(response.status, (*kept, ("Content-Length", str(length))), BytesBody(body))

    bench.faults.add(r"^GET .*/blobs/sha256:" + BLOB.digest.encoded, altered(lie))
    with pytest.raises(IntegrityError, match="in the registry"):
        bench.pull()


def test_a_body_of_another_length_than_it_should_have(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/blobs/sha256:" + BLOB.digest.encoded, answer(200, body=DATA + b"x"))
    with pytest.raises(IntegrityError):
        bench.pull()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_wrong_docker_content_digest_is_an_error(bench: Bench, method: str) -> None:
    bench.seed()
    wrong = str(Digest.of(b"something else"))

    def lie(response: Response, body: bytes) -> Response:
        kept = tuple((n, v) for n, v in response.headers if n.lower() != "docker-content-digest")
        return Response(response.status, (*kept, ("Docker-Content-Digest", wrong)), BytesBody(body))

    bench.faults.add(rf"^{method} .*/manifests/v1", altered(lie))
    repository = bench.repository()
    with pytest.raises(IntegrityError, match=ROOT.digest.encoded):
        b"".join(repository.fetch(repository.resolve("v1"))) if method == "HEAD" else bench.pull()


def test_a_manifest_that_is_only_known_by_its_tag_is_pulled_by_that(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(rf"^GET .*/manifests/{ROOT.digest}", answer(404))
    assert bench.pull() == DATA


def test_a_manifest_that_went_between_two_requests_is_not_found(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/manifests/", answer(404), times=2)
    with pytest.raises(NotFoundError):
        bench.pull()


def test_a_wrong_digest_in_the_answer_to_a_push_is_an_error(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^PUT .*/manifests/", answer(201, (("Docker-Content-Digest", str(Digest.of(b"else"))),)))
    with pytest.raises(IntegrityError, match="says it stored"):
        bench.repository().push(ROOT, BytesContent(RAW), tag="v2")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("stage", ["^HEAD", "^POST", "^PUT .*/blobs/", "^PUT .*/manifests/"])
def test_a_busy_registry_is_asked_again_in_a_push(bench: Bench, stage: str, status: int) -> None:
    bench.faults.add(stage, answer(status, (("Retry-After", "7"),), b"busy"))
    copy(bench.artifact(), "v1", bench.repository(), "v1", workers=1)
    assert bench.slept == [7.0]
    bench.assert_whole()


@pytest.mark.parametrize("stage", ["^GET .*/manifests/", "^GET .*/blobs/"])
def test_a_busy_registry_is_asked_again_in_a_pull(bench: Bench, stage: str) -> None:
    bench.seed()
    bench.faults.add(stage, answer(503, (("Retry-After", "3"),), b"busy"))
    assert bench.pull() == DATA
    assert bench.slept == [3.0]


def test_a_registry_that_stays_busy_is_given_up_with_its_words(bench: Bench) -> None:
    bench.seed()
    bench.faults.add("", answer(429, (), b"slow down please"), times=99)
    with pytest.raises(TooManyRequestsError, match="slow down please"):
        bench.repository().fetch_manifest("v1")
    assert len(bench.slept) == 4


def test_wrong_bytes_are_never_completed(bench: Bench) -> None:
    repository = bench.repository()
    with pytest.raises(IntegrityError):
        repository.push(BLOB, BytesContent(bytes(len(DATA))))
    with pytest.raises(IntegrityError):
        repository.push(BLOB, BytesContent(DATA[:-1]))
    with pytest.raises(IntegrityError):
        repository.push(BLOB, BytesContent(DATA + b"x"))
    assert not repository.exists(BLOB)


def test_the_last_piece_of_wrong_bytes_is_never_even_sent() -> None:
    source = _Source(verified(BytesContent(bytes(len(DATA))), BLOB), len(DATA))
    sent = 0

    def send() -> None:
        nonlocal sent
        for piece in source.part(0, len(DATA)):
            sent += len(piece) if isinstance(piece, bytes) else 1

    with pytest.raises(IntegrityError):
        send()
    assert 0 < sent < len(DATA)


def test_what_is_fetched_verifies_itself(bench: Bench) -> None:
    bench.seed()
    bench.faults.add(r"^GET .*/blobs/", corrupted(7))
    with pytest.raises(IntegrityError):
        list(bench.repository().fetch(BLOB))


def test_a_push_whose_source_breaks_says_so_and_is_not_recovered(bench: Bench) -> None:
    class Breaks:
        def __iter__(self) -> "Iterator[bytes]":
            yield DATA[:1_000_000]
            raise ConnectionLostError("the source broke")

    with pytest.raises(ConnectionLostError, match="the source broke"):
        bench.repository().push(BLOB, Breaks())
    assert bench.slept == []


def test_bytes_flow_again_when_the_registry_lost_a_child(bench: Bench) -> None:
    body = json.dumps({"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown"}]}).encode()
    bench.faults.add(r"^PUT .*/manifests/", answer(404, (), body))
    copy(bench.artifact(), "v1", bench.repository(), "v1", workers=1)
    bench.assert_whole()


def test_an_early_refusal_of_a_large_body_is_heard(bench: Bench) -> None:
    bench.faults.add(r"^PUT .*/blobs/", answer(403, (), b'{"errors":[{"code":"DENIED","message":"quota"}]}'))
    with pytest.raises(Wasm2OciError, match="quota"):
        bench.repository().push(BLOB, BytesContent(DATA))
