"""The page for people: what it shows, to whom, and that nothing on it is taken for markup."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from wasm2oci.cli.demonstration import MODULE
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import Action
from wasm2oci.oci.http import Headers
from wasm2oci.oci.media_type import EMPTY_JSON, OCI_INDEX, OCI_MANIFEST
from wasm2oci.operations.registry_site import describe, make_site
from wasm2oci.server.access import ANONYMOUS, Everyone
from wasm2oci.server.html import Markup, element, shown, shown_size
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request, Response
from wasm2oci.server.registry import Registry
from wasm2oci.server.site import Site
from wasm2oci.server.storage import StoredManifest

HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "&lt;b&gt;",
    "javascript:alert(1)",
    "gpj.\u202eexe",
    "a\x00b\x1b[31m\r\nSet-Cookie: x",
]
HELLO = MODULE.read_bytes()
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"


class Elements(HTMLParser):
    """Every element and attribute that a browser would see, and the text between."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.words = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links.update(value or "" for name, value in attrs if name in ("href", "src", "action"))

    def handle_data(self, data: str) -> None:
        self.words += data + "\n"


class NotSecret(Everyone):
    def allows(self, user: str, action: Action, repository: str) -> bool:
        return repository != "secret"


def put(storage: MemoryStorage, repository: str, *tags: str, module: bytes = HELLO, **more: Any) -> StoredManifest:
    layer = Descriptor.of("application/wasm", module).to_json()
    layer["annotations"] = more.pop("layer", {"org.opencontainers.image.title": "hello.wasm"})
    storage.add_blob(repository, Digest.of(b"{}"), b"{}")
    storage.add_blob(repository, Digest.of(module), module)
    config = Descriptor.of(EMPTY_JSON, b"{}").to_json()
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/wasm", "config": config}
    raw = json.dumps({**document, "layers": [layer], **more}).encode()
    stored = StoredManifest(Digest.of(raw), OCI_MANIFEST, raw)
    storage.put_manifest(repository, stored, tags)
    return stored


@pytest.fixture
def storage() -> Iterator[MemoryStorage]:
    place = MemoryStorage()
    yield place
    place.close()


def get(storage: MemoryStorage, path: str, host: str = "127.0.0.1:5000", method: str = "GET") -> Response:
    access = NotSecret()
    registry = Registry(storage, access=access, site=make_site(storage, access).answer)
    return registry.handle(Request(method, path, Headers([("Host", host)])))


def read(storage: MemoryStorage, path: str) -> Elements:
    response = get(storage, path)
    assert response.status == 200
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in (response.header("Content-Security-Policy") or "")
    return Elements(response.read())


def test_an_empty_registry_says_what_to_do(storage: MemoryStorage) -> None:
    assert "wasm2oci push hello.wasm HOST/hello:v1" in read(storage, "/").words


def test_repositories_and_tags_are_listed_but_not_those_the_user_may_not_pull(storage: MemoryStorage) -> None:
    put(storage, "org/hello", "v1", "latest")
    put(storage, "secret", "v1")
    page = read(storage, "/")
    assert "/r/org/hello:latest" in page.links
    assert "secret" not in page.words
    for path in ("/r/secret", "/r/secret:v1", "/r/absent", "/r/org/hello:absent", "/r/NOT", "/r/a@sha256:0", "/x"):
        assert get(storage, path).status == 404
    assert get(storage, "/", method="POST").status == 404


def test_a_repository_shows_tagged_and_untagged_manifests(storage: MemoryStorage) -> None:
    untagged = put(storage, "a", annotations={"x": "y"})
    tagged = put(storage, "a", "v1")
    page = read(storage, "/r/a")
    assert {"/r/a:v1", f"/r/a@{tagged.digest}", f"/r/a@{untagged.digest}"} <= page.links
    assert "Without a tag" in page.words


def test_an_artifact_shows_what_its_module_is_made_of_and_how_to_get_it(storage: MemoryStorage) -> None:
    stored = put(storage, "org/hello", "v1", annotations={"org.opencontainers.image.licenses": "MIT"})
    words = read(storage, "/r/org/hello:v1").words
    for text in (
        "wasm2oci pull 127.0.0.1:5000/org/hello:v1",
        f"wasm2oci run 127.0.0.1:5000/org/hello@{stored.digest}",
        "core module",
        "wasi_snapshot_preview1.fd_write",
        "_start",
        "Imports (2)",
        "hello.wasm",
        "org.opencontainers.image.licenses",
        "Not signed. Nothing refers to it.",
    ):
        assert text in words
    assert (
        f"wasm2oci pull 127.0.0.1:5000/org/hello@{stored.digest}"
        in read(storage, f"/r/org/hello@{stored.digest}").words
    )


def test_signatures_are_shown_whether_referred_or_tagged(storage: MemoryStorage) -> None:
    stored = put(storage, "a", "v1")
    subject = Descriptor(OCI_MANIFEST, stored.digest, len(stored.raw)).to_json()
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    signature = put(storage, "a", subject=subject, artifactType=bundle, annotations={"k": "v"})
    put(storage, "a", f"sha256-{stored.digest.encoded}.sig", annotations={"cosign": "old"})
    page = read(storage, "/r/a:v1")
    assert bundle in page.words
    assert "cosign sig" in page.words
    assert f"/r/a@{signature.digest}" in page.links
    assert "sha256-" not in read(storage, "/").words
    assert str(stored.digest) in read(storage, f"/r/a@{signature.digest}").words


def test_an_index_shows_its_members(storage: MemoryStorage) -> None:
    stored = put(storage, "a", "v1")
    member = Descriptor(OCI_MANIFEST, stored.digest, len(stored.raw), platform={"os": "wasip1", "architecture": "wasm"})
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [member.to_json()]}).encode()
    storage.put_manifest("a", StoredManifest(Digest.of(raw), OCI_INDEX, raw), ["all"])
    page = read(storage, "/r/a:all")
    assert "wasip1/wasm" in page.words
    assert f"/r/a@{stored.digest}" in page.links


@pytest.mark.parametrize("hostile", HOSTILE)
def test_nothing_from_outside_becomes_markup(storage: MemoryStorage, hostile: str) -> None:
    plain = put(storage, "plain", "v1", annotations={"k": "v"}, layer={"org.opencontainers.image.title": "t"})
    evil = put(
        storage,
        "evil",
        "v1",
        annotations={hostile: hostile},
        layer={"org.opencontainers.image.title": hostile},
        artifactType="application/wasm",
    )
    for place, stored in (("plain", plain), ("evil", evil)):
        subject = Descriptor(OCI_MANIFEST, stored.digest, len(stored.raw)).to_json()
        put(storage, place, subject=subject, annotations={"k": hostile if place == "evil" else "v"})
    for path in ("/r/{}", "/r/{}:v1"):
        expected, found = read(storage, path.format("plain")), read(storage, path.format("evil"))
        assert found.tags == expected.tags
        assert found.attributes == expected.attributes
        assert {link.split(":")[0] for link in found.links} == {
            link.split(":")[0].replace("plain", "evil") for link in expected.links
        }
        assert "script" not in found.tags
        assert not [char for char in found.words if not char.isprintable() and char != "\n"]


def test_a_hostile_host_and_path_do_not_become_markup(storage: MemoryStorage) -> None:
    put(storage, "a", "v1")
    page = Elements(get(storage, "/r/a:v1", host='"><script>alert(1)</script>').read())
    assert "script" not in page.tags
    assert get(storage, "/r/%3Cscript%3E").status == 404


def test_a_module_that_cannot_be_looked_into_says_why(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    put(storage, "broken", "v1", module=b"\0asm\1\0\0\0\xff\xff")
    assert "Get it, verified" in (words := read(storage, "/r/broken:v1").words)
    assert "Run exactly this one" not in words
    stored = put(storage, "large", "v1")
    monkeypatch.setattr("wasm2oci.operations.registry_site._MODULE_MAX", 100)
    assert "larger than" in (describe(storage, "large", stored).problem or "")
    gone = put(storage, "gone", "v1")
    storage.delete_blob("gone", Digest.of(HELLO))
    assert describe(storage, "gone", gone).problem


def test_long_lists_say_that_they_are_cut(storage: MemoryStorage) -> None:
    put(storage, "a", *[f"t{number}" for number in range(510)])
    put(storage, "b", "v1", annotations={f"k{number}": "v" for number in range(510)})
    assert "and 504 more" in read(storage, "/").words
    assert "The first 500 of 510." in read(storage, "/r/b:v1").words


def test_what_was_looked_into_is_remembered(storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    put(storage, "a", "v1")
    site = make_site(storage, None)
    request = Request("GET", "/r/a:v1", Headers([("Host", "x")]))
    first = site.answer(request, ANONYMOUS)
    monkeypatch.setattr("wasm2oci.operations.registry_site.describe", None)
    second = site.answer(request, ANONYMOUS)
    assert first is not None
    assert second is not None
    assert first.read() == second.read()


def test_a_site_without_knowledge_of_modules_still_shows_artifacts(storage: MemoryStorage) -> None:
    put(storage, "a", "v1")
    response = Site(storage, Everyone()).answer(Request("GET", "/r/a:v1"), ANONYMOUS)
    assert response is not None
    assert b"There is no WebAssembly module in it." in response.read()


def test_markup_is_only_what_was_built() -> None:
    assert element("p", "<b>", Markup("<i>"), title='"', class_=None) == '<p title="&quot;">&lt;b&gt;<i></p>'
    assert element("br") == "<br>"
    assert shown("x" * 3000) == "x" * 1997 + "..."
    assert [shown_size(size) for size in (0, 1023, 1024, 1 << 21, 3 << 30, 1 << 42)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "2.0 MiB",
        "3.0 GiB",
        "4,096.0 GiB",
    ]


@pytest.mark.parametrize(
    ("kind", "annotations", "signed"),
    [
        ("application/vnd.dev.sigstore.bundle.v0.3+json", {"dev.sigstore.bundle.predicateType": SIGNATURE}, True),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", {"dev.sigstore.bundle.predicateType": "x"}, False),
        ("application/vnd.cncf.notary.signature", {}, True),
        ("application/vnd.example.scan", {}, False),
    ],
)
def test_the_page_says_whether_an_artifact_is_signed(
    storage: MemoryStorage, kind: str, annotations: dict[str, str], *, signed: bool
) -> None:
    stored = put(storage, "a", "v1")
    subject = Descriptor(OCI_MANIFEST, stored.digest, len(stored.raw)).to_json()
    put(storage, "a", subject=subject, artifactType=kind, annotations=annotations)
    assert ("Signed, not verified here" in read(storage, "/r/a:v1").words) is signed
    assert ("Not signed." in read(storage, "/r/a:v1").words) is not signed
    put(storage, "a", f"sha256-{stored.digest.encoded}.sig")
    assert "Signed, not verified here" in read(storage, "/r/a:v1").words
