"""What the distribution specification asks of a registry, each in our own words, against every storage we have.

No network: requests go into `Registry.handle` and responses come out. The list is the one the official suite walks
through (`test_distribution_official.py` runs that suite itself), and a few sentences more.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wasm2oci.oci.digest import Digest
from wasm2oci.oci.http import Headers
from wasm2oci.oci.media_type import EMPTY_JSON, OCI_INDEX, OCI_MANIFEST
from wasm2oci.server.call import Rules
from wasm2oci.server.disk import DiskStorage
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request, Response
from wasm2oci.server.registry import Registry
from wasm2oci.server.storage import Storage

BLOB = b"a blob of a few bytes"
SHA256, SHA512 = Digest.of(BLOB), Digest.of(BLOB, "sha512")
ABSENT = Digest.of(b"nobody pushed this")


@dataclass
class Client:
    core: Registry
    last: Response = field(default_factory=lambda: Response(200))

    def __call__(self, method: str, target: str, body: bytes | Iterable[bytes] = b"", **headers: str) -> Response:
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        request = Request(
            method,
            target,
            Headers(pairs),
            [body] if isinstance(body, bytes) else body,
            len(body) if isinstance(body, bytes) else None,
        )
        self.last = self.core.handle(request)
        return self.last

    def push(self, repository: str, data: bytes, algorithm: str = "sha256") -> Digest:
        digest = Digest.of(data, algorithm)
        assert self("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data).status == 201
        return digest

    def put(self, repository: str, reference: str, document: dict[str, Any], kind: str = OCI_MANIFEST) -> Response:
        return self("PUT", f"/v2/{repository}/manifests/{reference}", json.dumps(document).encode(), Content_Type=kind)

    def open(self, repository: str) -> str:
        response = self("POST", f"/v2/{repository}/blobs/uploads/")
        assert response.status == 202
        return location(response)


def location(response: Response) -> str:
    value = response.header("Location")
    assert value is not None
    return value


def codes(response: Response) -> list[str]:
    assert response.header("Content-Type") == "application/json"
    return [error["code"] for error in json.loads(response.read())["errors"]]


def image(client: Client, repository: str, **more: Any) -> dict[str, Any]:
    """An artifact manifest whose blobs are in the repository."""
    client.push(repository, b"{}")
    client.push(repository, BLOB)
    empty = {"mediaType": EMPTY_JSON, "digest": str(Digest.of(b"{}")), "size": 2}
    layer = {"mediaType": "application/wasm", "digest": str(SHA256), "size": len(BLOB)}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "a/b", "config": empty}
    return {**document, "layers": [layer], **more}


def digest_of(document: dict[str, Any], algorithm: str = "sha256") -> Digest:
    return Digest.of(json.dumps(document).encode(), algorithm)


@pytest.fixture(params=["memory", "disk"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    place: Storage = MemoryStorage() if request.param == "memory" else DiskStorage(tmp_path / "registry")
    yield place
    place.close()


@pytest.fixture
def client(storage: Storage) -> Client:
    return Client(Registry(storage))


class TestBase:
    def test_the_base_says_yes(self, client: Client) -> None:
        assert client("GET", "/v2/").status == 200
        assert client("HEAD", "/v2/").status == 200

    @pytest.mark.parametrize("path", ["/", "/v1/", "/v2/a", "/v2/a/b/c", "/v2/a/manifests/", "/v2/a/blobs/uploads/a/b"])
    def test_what_is_no_endpoint_is_404(self, client: Client, path: str) -> None:
        assert client("GET", path).status == 404

    def test_a_method_that_is_not_done_is_405_and_says_which_are(self, client: Client) -> None:
        response = client("POST", "/v2/a/manifests/b")
        assert response.status == 405
        assert response.header("Allow") == "DELETE, GET, HEAD, PUT"
        assert codes(response) == ["UNSUPPORTED"]

    @pytest.mark.parametrize("name", ["A", "a//b", "-a", "a/../b", "a/%2e%2e/b", "a.", "a___b", "ä", "a" * 256, "a%00"])
    def test_a_malformed_name_is_name_invalid(self, client: Client, name: str) -> None:
        for method, rest in (("GET", "/tags/list"), ("POST", "/blobs/uploads/"), ("PUT", "/manifests/x")):
            response = client(method, f"/v2/{name}{rest}")
            assert (response.status, codes(response)) == (400, ["NAME_INVALID"])

    @pytest.mark.parametrize("name", ["a", "a/b/c", "a.b/c__d/e-f/g--h", "a/manifests/b", "index.json", "oci-layout"])
    def test_names_of_the_grammar_work_whatever_they_remind_of(self, client: Client, name: str) -> None:
        document = image(client, name)
        assert client.put(name, "v1", document).status == 201
        assert client.put(f"{name}/blobs", "v1", image(client, f"{name}/blobs")).status == 201
        assert client("GET", f"/v2/{name}/manifests/v1").read() == json.dumps(document).encode()
        assert json.loads(client("GET", "/v2/_catalog").read())["repositories"] == sorted([name, f"{name}/blobs"])

    def test_repositories_are_listed_in_pages(self, client: Client) -> None:
        for name in ("b", "a/c", "a"):
            client.push(name, BLOB)
        response = client("GET", "/v2/_catalog?n=2")
        assert json.loads(response.read()) == {"repositories": ["a", "a/c"]}
        assert response.header("Link") == '</v2/_catalog?n=2&last=a%2Fc>; rel="next"'
        assert json.loads(client("GET", "/v2/_catalog?n=2&last=a%2Fc").read()) == {"repositories": ["b"]}

    def test_a_read_only_registry_gives_and_does_not_take(self, storage: Storage) -> None:
        document = image(Client(Registry(storage)), "a")
        assert Client(Registry(storage)).put("a", "v1", document).status == 201
        client = Client(Registry(storage, rules=Rules(read_only=True)))
        assert client("GET", "/v2/a/manifests/v1").status == 200
        assert client("GET", f"/v2/a/blobs/{SHA256}").read() == BLOB
        for method, path in (
            ("POST", "/v2/a/blobs/uploads/"),
            ("PUT", "/v2/a/manifests/v2"),
            ("DELETE", "/v2/a/manifests/v1"),
            ("DELETE", f"/v2/a/blobs/{SHA256}"),
        ):
            assert client(method, path).status == 405


class TestPullingBlobs:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_a_blob_comes_back_with_its_length_and_digest(self, client: Client, algorithm: str) -> None:
        digest = client.push("a/b", BLOB, algorithm)
        for method in ("GET", "HEAD"):
            response = client(method, f"/v2/a/b/blobs/{digest}")
            assert response.status == 200
            assert response.body.length == len(BLOB)
            assert response.header("Docker-Content-Digest") == str(digest)
            assert response.read() == BLOB

    def test_a_blob_without_bytes_is_a_blob(self, client: Client) -> None:
        digest = client.push("a", b"")
        response = client("GET", f"/v2/a/blobs/{digest}", Range="bytes=0-1")
        assert (response.status, response.read()) == (200, b"")

    def test_an_unknown_blob_is_404_also_when_a_neighbour_has_it(self, client: Client) -> None:
        digest = client.push("a", BLOB)
        for target in (f"/v2/a/blobs/{ABSENT}", f"/v2/b/blobs/{digest}"):
            response = client("GET", target)
            assert (response.status, codes(response)) == (404, ["BLOB_UNKNOWN"])

    @pytest.mark.parametrize(
        "digest",
        ["sha256:0", "sha256:" + "G" * 64, "sha256:../../../etc/passwd", "md5:" + "0" * 32, "sha256:" + "A" * 64, "x"],
    )
    def test_a_malformed_digest_is_400(self, client: Client, digest: str) -> None:
        response = client("GET", f"/v2/a/blobs/{digest.replace('/', '%2F')}")
        assert response.status in (400, 404)
        for target in (f"/v2/a/blobs/uploads/?digest={digest}", f"/v2/a/blobs/uploads/?mount={digest}&from=b"):
            response = client("POST", target, BLOB)
            assert (response.status, codes(response)) == (400, ["DIGEST_INVALID"])

    @pytest.mark.parametrize(
        ("wanted", "expected", "content_range"),
        [
            ("bytes=0-3", BLOB[:4], "bytes 0-3/21"),
            ("bytes=5-", BLOB[5:], "bytes 5-20/21"),
            ("bytes=-3", BLOB[-3:], "bytes 18-20/21"),
            ("bytes=-300", BLOB, "bytes 0-20/21"),
            ("bytes=20-20", BLOB[20:], "bytes 20-20/21"),
            ("bytes=5-9999", BLOB[5:], "bytes 5-20/21"),
        ],
    )
    def test_a_range_is_a_206(self, client: Client, wanted: str, expected: bytes, content_range: str) -> None:
        client.push("a", BLOB)
        response = client("GET", f"/v2/a/blobs/{SHA256}", Range=wanted)
        assert (response.status, response.header("Content-Range")) == (206, content_range)
        assert response.body.length == len(expected)
        assert response.read() == expected

    @pytest.mark.parametrize("wanted", ["bytes=21-", "bytes=500-600", "bytes=5-3", "bytes=-0"])
    def test_a_range_that_cannot_be_had_is_a_416(self, client: Client, wanted: str) -> None:
        client.push("a", BLOB)
        response = client("GET", f"/v2/a/blobs/{SHA256}", Range=wanted)
        assert (response.status, response.header("Content-Range")) == (416, "bytes */21")

    @pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=-"])
    def test_a_range_that_is_not_understood_is_ignored(self, client: Client, wanted: str) -> None:
        client.push("a", BLOB)
        response = client("GET", f"/v2/a/blobs/{SHA256}", Range=wanted)
        assert (response.status, response.read()) == (200, BLOB)


class TestPushingBlobs:
    def test_post_then_put(self, client: Client) -> None:
        where = client.open("a")
        response = client("PUT", f"{where}?digest={SHA256}", BLOB)
        assert response.status == 201
        assert response.header("Docker-Content-Digest") == str(SHA256)
        assert client("GET", location(response)).read() == BLOB
        assert client("GET", where).status == 404

    @pytest.mark.parametrize("digest", [SHA256, SHA512])
    def test_one_post_with_the_digest(self, client: Client, digest: Digest) -> None:
        response = client("POST", f"/v2/a/blobs/uploads/?digest={digest}", BLOB)
        assert response.status == 201
        assert client("GET", location(response)).read() == BLOB

    @pytest.mark.parametrize("digest", [SHA256, SHA512])
    def test_a_stream_then_an_empty_put(self, client: Client, digest: Digest) -> None:
        where = client.open("a")
        response = client("PATCH", where, iter([BLOB[:3], BLOB[3:]]))
        assert (response.status, response.header("Range")) == (202, f"0-{len(BLOB) - 1}")
        assert client("PUT", f"{location(response)}?digest={digest}").status == 201
        assert client("GET", f"/v2/a/blobs/{digest}").read() == BLOB

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_chunks_the_last_one_in_the_put(self, client: Client, algorithm: str) -> None:
        digest = Digest.of(BLOB, algorithm)
        where = location(client("POST", f"/v2/a/blobs/uploads/?digest-algorithm={algorithm}"))
        response = client("PATCH", where, BLOB[:5], Content_Range="0-4")
        assert (response.status, response.header("Range")) == (202, "0-4")
        response = client("PATCH", location(response), BLOB[5:9], Content_Range="5-8")
        assert (response.status, response.header("Range")) == (202, "0-8")
        response = client("PUT", f"{location(response)}?digest={digest}", BLOB[9:], Content_Range="9-20")
        assert response.status == 201
        assert client("GET", f"/v2/a/blobs/{digest}").read() == BLOB

    def test_a_chunk_out_of_order_is_416_and_says_where_to_go_on(self, client: Client) -> None:
        where = client.open("a")
        client("PATCH", where, BLOB[:5], Content_Range="0-4")
        for method, target, content_range in (
            ("PATCH", where, "0-4"),
            ("PATCH", where, "9-13"),
            ("PUT", f"{where}?digest={SHA256}", "9-13"),
            ("PATCH", where, "bogus"),
            ("PATCH", where, "9-5"),
        ):
            response = client(method, target, BLOB[:5], Content_Range=content_range)
            assert (response.status, codes(response)) == (416, ["BLOB_UPLOAD_INVALID"])
        response = client("GET", where)
        assert (response.status, response.header("Range"), location(response)) == (204, "0-4", where)
        assert client("PUT", f"{where}?digest={SHA256}", BLOB[5:], Content_Range="5-20").status == 201

    def test_a_chunk_of_another_length_than_it_says_is_400(self, client: Client) -> None:
        where = client.open("a")
        response = client("PATCH", where, BLOB, Content_Range="0-4")
        assert (response.status, codes(response)) == (400, ["SIZE_INVALID"])
        assert client("GET", where).header("Range") == "0-0"
        assert client("PATCH", where, iter([BLOB]), Content_Range="0-4").status == 400
        assert client("GET", where).status == 404

    def test_a_new_session_is_at_zero(self, client: Client) -> None:
        response = client("GET", client.open("a"))
        assert (response.status, response.header("Range")) == (204, "0-0")

    def test_a_wrong_digest_is_400_and_nothing_is_kept(self, client: Client) -> None:
        where = client.open("a")
        response = client("PUT", f"{where}?digest={ABSENT}", BLOB)
        assert (response.status, codes(response)) == (400, ["DIGEST_INVALID"])
        assert client("POST", f"/v2/a/blobs/uploads/?digest={ABSENT}", BLOB).status == 400
        assert client("PUT", f"{client.open('a')}", BLOB).status == 400
        for digest in (ABSENT, SHA256):
            assert client("GET", f"/v2/a/blobs/{digest}").status == 404

    def test_a_session_can_be_cancelled(self, client: Client) -> None:
        where = client.open("a")
        assert client("PATCH", where, BLOB).status == 202
        assert client("DELETE", where).status == 204
        for method in ("DELETE", "GET", "PATCH", "PUT"):
            response = client(method, f"{where}?digest={SHA256}", BLOB)
            assert (response.status, codes(response)) == (404, ["BLOB_UPLOAD_UNKNOWN"])

    @pytest.mark.parametrize("upload", ["0" * 32, "..", "%2e%2e", "a", "..%2f..%2fetc", "A" * 32])
    def test_a_session_that_never_was_is_404(self, client: Client, upload: str) -> None:
        assert client("PATCH", f"/v2/a/blobs/uploads/{upload}", BLOB).status in (404, 400)

    def test_a_session_belongs_to_its_repository(self, client: Client) -> None:
        where = client.open("a").replace("/v2/a/", "/v2/b/")
        assert client("PATCH", where, BLOB).status == 404

    def test_an_unknown_algorithm_is_400(self, client: Client) -> None:
        assert client("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5").status == 400

    def test_a_blob_larger_than_the_rules_is_413_before_and_while_it_is_read(self, storage: Storage) -> None:
        client = Client(Registry(storage, rules=Rules(blob_max=10)))
        assert client("POST", f"/v2/a/blobs/uploads/?digest={SHA256}", BLOB).status == 413
        where = client.open("a")
        assert client("PATCH", where, BLOB[:8]).status == 202
        assert client("PATCH", where, iter([BLOB[:2], BLOB[:2]])).status == 413
        assert client("PUT", f"{where}?digest={SHA256}", BLOB[:8]).status == 413

    def test_pushing_twice_is_fine(self, client: Client) -> None:
        assert client.push("a", BLOB) == client.push("a", BLOB) == client.push("b", BLOB)


class TestMounting:
    def test_a_blob_of_a_neighbour_is_mounted(self, client: Client) -> None:
        client.push("a", BLOB)
        response = client("POST", f"/v2/b/c/blobs/uploads/?mount={SHA256}&from=a")
        assert (response.status, location(response)) == (201, f"/v2/b/c/blobs/{SHA256}")
        assert client("GET", location(response)).read() == BLOB

    def test_without_from_any_neighbour_will_do(self, client: Client) -> None:
        client.push("a", BLOB)
        assert client("POST", f"/v2/b/blobs/uploads/?mount={SHA256}").status == 201

    @pytest.mark.parametrize("source", ["", "&from=", "&from=a", "&from=absent"])
    def test_what_cannot_be_mounted_becomes_an_upload(self, client: Client, source: str) -> None:
        client.push("a", b"something else")
        response = client("POST", f"/v2/b/blobs/uploads/?mount={SHA256}{source}")
        assert response.status == 202
        assert client("PUT", f"{location(response)}?digest={SHA256}", BLOB).status == 201

    def test_a_mounted_blob_outlives_its_source(self, client: Client) -> None:
        client.push("a", BLOB)
        client("POST", f"/v2/b/blobs/uploads/?mount={SHA256}&from=a")
        assert client("DELETE", f"/v2/a/blobs/{SHA256}").status == 202
        assert client("GET", f"/v2/b/blobs/{SHA256}").read() == BLOB


class TestManifests:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_the_exact_bytes_and_type_come_back(self, client: Client, algorithm: str) -> None:
        raw = json.dumps(image(client, "a", unknown={"x": [1, 2.50]}), indent=3).encode()
        digest = Digest.of(raw, algorithm)
        response = client("PUT", f"/v2/a/manifests/{digest}", raw, Content_Type=OCI_MANIFEST)
        assert response.status == 201
        assert response.header("Docker-Content-Digest") == str(digest)
        for method in ("GET", "HEAD"):
            response = client(method, location(response) if method == "GET" else f"/v2/a/manifests/{digest}")
            assert (response.status, response.read()) == (200, raw)
            assert response.header("Content-Type") == OCI_MANIFEST
            assert response.header("Docker-Content-Digest") == str(digest)

    def test_a_tag_moves_and_the_old_manifest_stays(self, client: Client) -> None:
        first, second = image(client, "a"), image(client, "a", annotations={"x": "y"})
        assert client.put("a", "v1", first).status == 201
        assert client.put("a", "v1", second).status == 201
        assert client("HEAD", "/v2/a/manifests/v1").header("Docker-Content-Digest") == str(digest_of(second))
        assert client("GET", f"/v2/a/manifests/{digest_of(first)}").status == 200

    def test_several_tags_at_once_with_a_digest(self, client: Client) -> None:
        document = image(client, "a")
        query = "&".join(f"tag=t{number}" for number in range(12))
        response = client.put("a", f"{digest_of(document)}?{query}", document)
        assert response.status == 201
        assert [value for name, value in response.headers if name == "OCI-Tag"] == [f"t{n}" for n in range(12)]
        assert client("HEAD", "/v2/a/manifests/t11").header("Docker-Content-Digest") == str(digest_of(document))
        assert client.put("a", f"{digest_of(document)}?tag=-bad", document).status == 400
        many = "&".join(f"tag=t{number}" for number in range(100))
        assert client.put("a", f"{digest_of(document)}?{many}", document).status == 414

    @pytest.mark.parametrize(
        ("reference", "status"), [("sha256:baddigeststring", 400), (str(ABSENT), 400), ("-tag", 400), ("a" * 129, 400)]
    )
    def test_a_bad_reference_is_refused_on_push(self, client: Client, reference: str, status: int) -> None:
        assert client.put("a", reference, image(client, "a")).status == status
        assert client("GET", f"/v2/a/manifests/{reference}").status in (400, 404)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"[]",
            b"{",
            b"\xff",
            b'{"schemaVersion": 1}',
            b'{"schemaVersion": 2, "mediaType": "text/html"}',
            b'{"schemaVersion": 2, "schemaVersion": 2}',
            b"[" * 100_000,
            json.dumps({"schemaVersion": 2, "manifests": [], "layers": []}).encode(),
        ],
    )
    def test_what_is_no_manifest_is_refused(self, client: Client, raw: bytes) -> None:
        response = client("PUT", "/v2/a/manifests/t", raw, Content_Type=OCI_MANIFEST)
        assert (response.status, codes(response)) == (400, ["MANIFEST_INVALID"])
        assert client("GET", "/v2/a/tags/list").status == 404

    def test_a_type_that_contradicts_the_document_is_refused(self, client: Client) -> None:
        assert client.put("a", "t", image(client, "a"), OCI_INDEX).status == 400

    def test_a_manifest_of_4_mib_is_taken_and_a_larger_one_is_413(self, client: Client) -> None:
        document = image(client, "a")
        room = 4 * 1024 * 1024 - len(json.dumps({**document, "annotations": {"x": ""}}))
        assert client.put("a", "large", {**document, "annotations": {"x": "y" * room}}).status == 201
        assert client.put("a", "larger", {**document, "annotations": {"x": "y" * (room + 1)}}).status == 413
        endless = (b" " * 65536 for _ in range(1000))
        assert client("PUT", "/v2/a/manifests/t", endless, Content_Type=OCI_MANIFEST).status == 413
        assert next(endless, None) is not None

    def test_blobs_that_are_absent_are_refused_unless_they_live_elsewhere(self, client: Client) -> None:
        layer = {"mediaType": "application/wasm", "digest": str(ABSENT), "size": 3}
        response = client.put("a", "t", image(client, "a", layers=[layer]))
        assert (response.status, codes(response)) == (404, ["MANIFEST_BLOB_UNKNOWN"])
        foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar"
        assert client.put("a", "t", image(client, "a", layers=[{**layer, "mediaType": foreign}])).status == 201

    def test_an_index_needs_its_members(self, client: Client) -> None:
        document = image(client, "a")
        member = {"mediaType": OCI_MANIFEST, "digest": str(digest_of(document)), "size": len(json.dumps(document))}
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [member]}
        assert client.put("a", "i", index, OCI_INDEX).status == 404
        assert client.put("a", str(digest_of(document)), document).status == 201
        assert client.put("a", "i", index, OCI_INDEX).status == 201
        assert client.put("a", "empty", {**index, "manifests": []}, OCI_INDEX).status == 201

    def test_an_unchanged_manifest_need_not_be_sent_again(self, client: Client) -> None:
        client.put("a", "t", image(client, "a"))
        tag = client("HEAD", "/v2/a/manifests/t").header("ETag")
        assert tag is not None
        assert client("GET", "/v2/a/manifests/t", If_None_Match=tag).status == 304
        assert client("GET", "/v2/a/manifests/t", If_None_Match='"other"').status == 200

    def test_unknown_manifests_are_404(self, client: Client) -> None:
        client.push("a", BLOB)
        for target in ("/v2/a/manifests/t", f"/v2/a/manifests/{SHA256}", "/v2/absent/manifests/t"):
            response = client("GET", target)
            assert (response.status, codes(response)) == (404, ["MANIFEST_UNKNOWN"])


class TestListing:
    def test_tags_are_sorted_and_come_in_pages(self, client: Client) -> None:
        document = image(client, "a")
        for tag in ("b", "a", "B", "10", "2"):
            client.put("a", tag, document)
        response = client("GET", "/v2/a/tags/list")
        assert json.loads(response.read()) == {"name": "a", "tags": ["10", "2", "B", "a", "b"]}
        assert response.header("Link") is None
        response = client("GET", "/v2/a/tags/list?n=2&last=10")
        assert json.loads(response.read())["tags"] == ["2", "B"]
        assert response.header("Link") == '</v2/a/tags/list?n=2&last=B>; rel="next"'
        assert json.loads(client("GET", "/v2/a/tags/list?n=2&last=B").read())["tags"] == ["a", "b"]
        assert client.last.header("Link") is None
        assert json.loads(client("GET", "/v2/a/tags/list?n=0").read())["tags"] == []
        assert json.loads(client("GET", "/v2/a/tags/list?last=zz").read())["tags"] == []

    @pytest.mark.parametrize("n", ["-1", "a", "", "1e3", "%D9%A1"])
    def test_n_is_a_whole_number(self, client: Client, n: str) -> None:
        client.push("a", BLOB)
        assert client("GET", f"/v2/a/tags/list?n={n}").status == 400

    def test_a_repository_without_a_push_is_404(self, client: Client) -> None:
        response = client("GET", "/v2/a/tags/list")
        assert (response.status, codes(response)) == (404, ["NAME_UNKNOWN"])

    def test_too_many_parameters_are_refused(self, client: Client) -> None:
        assert client("GET", "/v2/a/tags/list?" + "a=b&" * 1000).status == 400


class TestReferrers:
    def subject(self, client: Client) -> dict[str, Any]:
        document = image(client, "a")
        client.put("a", "t", document)
        return {"mediaType": OCI_MANIFEST, "digest": str(digest_of(document)), "size": len(json.dumps(document))}

    def referrers(self, client: Client, digest: str, query: str = "") -> list[dict[str, Any]]:
        response = client("GET", f"/v2/a/referrers/{digest}{query}")
        assert (response.status, response.header("Content-Type")) == (200, OCI_INDEX)
        index = json.loads(response.read())
        assert (index["schemaVersion"], index["mediaType"]) == (2, OCI_INDEX)
        found: list[dict[str, Any]] = index["manifests"]
        return found

    def test_of_anything_unknown_there_are_none(self, client: Client) -> None:
        assert self.referrers(client, str(ABSENT)) == []
        assert client("GET", "/v2/a/referrers/sha256:bad").status == 400

    def test_a_push_with_a_subject_says_so_and_is_listed(self, client: Client) -> None:
        subject = self.subject(client)
        document = image(client, "a", subject=subject, annotations={"k": "v"})
        response = client.put("a", str(digest_of(document)), document)
        assert response.header("OCI-Subject") == subject["digest"]
        assert self.referrers(client, subject["digest"]) == [
            {
                "mediaType": OCI_MANIFEST,
                "digest": str(digest_of(document)),
                "size": len(json.dumps(document)),
                "artifactType": "a/b",
                "annotations": {"k": "v"},
            }
        ]

    def test_without_an_artifact_type_a_manifest_shows_its_configs_and_an_index_none(self, client: Client) -> None:
        subject = self.subject(client)
        document = image(client, "a", subject=subject)
        del document["artifactType"]
        client.put("a", "one", document)
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "subject": subject}
        client.put("a", "two", {**index, "artifactType": "x/y"}, OCI_INDEX)
        client.put("a", "three", index, OCI_INDEX)
        found = {item["digest"]: item for item in self.referrers(client, subject["digest"])}
        assert found[str(digest_of(document))]["artifactType"] == EMPTY_JSON
        assert found[str(digest_of({**index, "artifactType": "x/y"}))]["artifactType"] == "x/y"
        # The specification lets the field be left out here, and offers nothing else to put into it.
        assert "artifactType" not in found[str(digest_of(index))]
        assert self.referrers(client, subject["digest"], f"?artifactType={OCI_INDEX}") == []

    def test_a_filter_is_applied_and_named_in_the_answer(self, client: Client) -> None:
        subject = self.subject(client)
        client.put("a", "one", image(client, "a", subject=subject))
        client.put("a", "two", image(client, "a", subject=subject, artifactType="x/y"))
        found = self.referrers(client, subject["digest"], "?artifactType=x/y")
        assert [item["artifactType"] for item in found] == ["x/y"]
        assert client.last.header("OCI-Filters-Applied") == "artifactType"
        assert self.referrers(client, subject["digest"], "?artifactType=none") == []

    def test_a_subject_may_be_absent(self, client: Client) -> None:
        absent = {"mediaType": OCI_MANIFEST, "digest": str(ABSENT), "size": 3}
        assert client.put("a", "t", image(client, "a", subject=absent)).header("OCI-Subject") == str(ABSENT)
        assert len(self.referrers(client, str(ABSENT))) == 1

    def test_many_come_in_pages(self, storage: Storage) -> None:
        client = Client(Registry(storage, rules=Rules(page=3)))
        subject = self.subject(client)
        for number in range(8):
            client.put("a", f"t{number}", image(client, "a", subject=subject, annotations={"n": str(number)}))
        found: list[str] = []
        target = f"/v2/a/referrers/{subject['digest']}?artifactType=a%2Fb"
        for _ in range(3):
            response = client("GET", target)
            page = json.loads(response.read())["manifests"]
            found += [item["digest"] for item in page]
            link = response.header("Link")
            if link is None:
                break
            target = link[1 : link.index(">")]
        assert len(found) == len(set(found)) == 8

    def test_a_deleted_referrer_is_gone_from_the_list(self, client: Client) -> None:
        subject = self.subject(client)
        document = image(client, "a", subject=subject)
        client.put("a", "one", document)
        assert client("DELETE", f"/v2/a/manifests/{digest_of(document)}").status == 202
        assert self.referrers(client, subject["digest"]) == []


class TestDeleting:
    def test_a_tag_goes_and_its_manifest_stays(self, client: Client) -> None:
        document = image(client, "a")
        client.put("a", "t", document)
        assert client("DELETE", "/v2/a/manifests/t").status == 202
        assert client("GET", "/v2/a/manifests/t").status == 404
        assert client("DELETE", "/v2/a/manifests/t").status == 404
        assert json.loads(client("GET", "/v2/a/tags/list").read())["tags"] == []
        assert client("GET", f"/v2/a/manifests/{digest_of(document)}").status == 200

    def test_a_manifest_goes_with_all_its_tags_at_once(self, client: Client) -> None:
        document = image(client, "a")
        client.put("a", "t", document)
        client.put("a", "u", document)
        assert client("DELETE", f"/v2/a/manifests/{digest_of(document)}").status == 202
        for reference in ("t", "u", str(digest_of(document))):
            assert client("GET", f"/v2/a/manifests/{reference}").status == 404
        assert client("DELETE", f"/v2/a/manifests/{digest_of(document)}").status == 404
        assert json.loads(client("GET", "/v2/a/tags/list").read())["tags"] == []

    def test_a_blob_goes_from_its_repository_only(self, client: Client) -> None:
        client.push("a", BLOB)
        client.push("b", BLOB)
        assert client("DELETE", f"/v2/a/blobs/{SHA256}").status == 202
        assert client("GET", f"/v2/a/blobs/{SHA256}").status == 404
        assert client("DELETE", f"/v2/a/blobs/{SHA256}").status == 404
        assert client("GET", f"/v2/b/blobs/{SHA256}").read() == BLOB

    def test_what_never_was_is_404(self, client: Client) -> None:
        for target in (f"/v2/x/blobs/{SHA256}", f"/v2/x/manifests/{SHA256}", "/v2/x/manifests/t"):
            assert client("DELETE", target).status == 404
