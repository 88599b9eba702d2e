"""What a page of `serve` may cost: time, text and memory of what it says about a module."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.artifacts import WASM, tar
from tests.support.programs import fixture
from wasm2oci.engine.binary.preamble import PREAMBLE_SIZE
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.facts import declared_size
from wasm2oci.engine.text import assemble
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.operations import registry_site
from wasm2oci.operations.registry_site import describe, make_site
from wasm2oci.server.access import Everyone
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request
from wasm2oci.server.site import ArtifactFacts, Site
from wasm2oci.server.storage import StoredManifest

if TYPE_CHECKING:
    from wasm2oci.server.fairness import Effort

HEADER = WASM[:PREAMBLE_SIZE]


def leb(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def section(number: int, body: bytes) -> bytes:
    return bytes([number]) + leb(len(body)) + body


def vector(items: list[bytes]) -> bytes:
    return leb(len(items)) + b"".join(items)


def name(text: bytes) -> bytes:
    return leb(len(text)) + text


def exporting(count: int) -> bytes:
    """A module that exports one function of a thousand parameters and results so many times."""
    type_ = b"\x60" + leb(1000) + b"\x7f" * 1000 + leb(1000) + b"\x7f" * 1000
    exports = [name(b"%d" % number) + b"\0\0" for number in range(count)]
    body = vector([leb(2) + b"\0\x0b"])
    return HEADER + section(1, vector([type_])) + section(3, b"\1\0") + section(7, vector(exports)) + section(10, body)


def store(storage: MemoryStorage, content: bytes, layer_type: str = "application/wasm") -> StoredManifest:
    layer = Descriptor.of(layer_type, content)
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": EMPTY_JSON.to_json(),
        "layers": [layer.to_json()],
    }
    raw = json.dumps(value).encode()
    stored = StoredManifest(Digest.of(raw), mt.OCI_MANIFEST, raw)
    storage.add_blob("a", EMPTY_JSON.digest, b"{}")
    storage.add_blob("a", layer.digest, content)
    storage.put_manifest("a", stored, ["v1"])
    return stored


def test_a_description_keeps_what_a_page_shows() -> None:
    """30,000 exports of one long type took 9.6 s and kept 350 MB, for each such module."""
    storage = MemoryStorage()
    facts = describe(storage, "a", store(storage, exporting(30_000)))
    assert facts.module is not None
    assert (facts.counts, len(facts.module.exports)) == ((0, 30_000), 500)
    assert sum(len(extern.type or "") for extern in facts.module.exports) <= 500 * 1000
    page = make_site(storage, None).answer(Request("GET", "/r/a:v1"), "")
    assert page is not None
    text = page.read().decode()
    assert "Exports (30,000)" in text
    assert "The first 500 of 30,000." in text


def test_a_component_is_shown_with_the_functions_of_its_interfaces() -> None:
    storage = MemoryStorage()
    store(storage, fixture("calls.component.wasm"))
    page = make_site(storage, None).answer(Request("GET", "/r/a:v1"), "")
    assert page is not None
    text = page.read().decode()
    assert "wasi:cli/environment@0.2.2" in text
    assert "get-arguments" in text
    assert "() -&gt; list&lt;string&gt;" in text


def test_functions_of_interfaces_are_shown_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = " ".join([f'(export "f{number}" (func))' for number in range(400)])
    imports = " ".join([f'(import "a:b/c{number}" (instance {functions}))' for number in range(3)])
    component = assemble(f"(component {imports} (core module {' '.join(['(func nop)'] * 2000)}))")
    storage = MemoryStorage()
    stored = store(storage, component)
    facts = describe(storage, "a", stored)
    assert facts.module is not None
    assert [len(extern.members) for extern in facts.module.imports] == [400, 100, 0]
    # Core modules count, because they are decoded for that: without, the names of the interfaces are shown.
    monkeypatch.setattr(registry_site, "_DECLARED_MAX", declared_size(component))
    facts = describe(storage, "a", stored)
    assert facts.module is not None
    assert [len(extern.members) for extern in facts.module.imports] == [0, 0, 0]


def test_a_module_that_declares_too_much_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    stored = store(storage, exporting(2000))
    monkeypatch.setattr(registry_site, "_DECLARED_MAX", 10_000)
    facts = describe(storage, "a", stored)
    assert facts.module is None
    assert "declares more than" in (facts.problem or "")


@pytest.mark.parametrize("content", [tar({str(number): b"" for number in range(50)}), tar({"a": bytes(100_000)})])
def test_layers_are_searched_within_bounds(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(registry_site, "_ENTRIES_MAX", 40)
    monkeypatch.setattr(registry_site, "_LAYERS_MAX", 50_000)
    storage = MemoryStorage()
    facts = describe(storage, "a", store(storage, content, mt.OCI_LAYER_TAR_GZIP))
    assert "too large to look into" in (facts.problem or "")


def test_what_is_remembered_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    described: list[Digest] = []

    def counted(storage: MemoryStorage, repository: str, stored: StoredManifest) -> ArtifactFacts:
        described.append(stored.digest)
        return describe(storage, repository, stored)

    monkeypatch.setattr(registry_site, "describe", counted)
    monkeypatch.setattr(registry_site, "_REMEMBERED", 1_500_000)
    site = make_site(storage, None)
    manifests = [store(storage, exporting(1000 + number)) for number in range(4)]  # some 600,000 characters each
    for manifest in (*manifests[:2], *manifests[:2], *manifests[2:], manifests[3], manifests[0]):
        assert site.answer(Request("GET", f"/r/a@{manifest.digest}"), "") is not None
    assert described == [manifest.digest for manifest in (*manifests, manifests[0])]


def test_pages_do_not_wait_for_a_module_that_another_looks_into() -> None:
    """One lock for all pages: 23 s for an image layer, while another page waited."""
    storage = MemoryStorage()
    store(storage, WASM)
    inside, leave = threading.Event(), threading.Event()

    def slow(repository: str, stored: StoredManifest, effort: Effort) -> ArtifactFacts:
        del repository, stored
        effort.take_turn()
        inside.set()
        assert leave.wait(30)
        return ArtifactFacts()

    site = Site(storage, Everyone(), slow)
    thread = threading.Thread(target=site.answer, args=(Request("GET", "/r/a:v1", peer="192.0.2.1:1"), ""))
    thread.start()
    assert inside.wait(30)
    for path in ("/", "/r/a"):
        page = site.answer(Request("GET", path, peer="192.0.2.2:1"), "")
        assert page is not None
        assert page.status == 200
    leave.set()
    thread.join(30)


class TestDeclaredSize:
    def test_code_data_elements_and_debugging_count_little(self) -> None:
        much = bytes(100_000)
        sections = b"".join(section(number, much) for number in (9, 10, 11)) + section(0, name(b".debug_info") + much)
        assert declared_size(HEADER + sections) < 100

    @pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 12, 13])
    def test_declarations_count(self, number: int) -> None:
        assert 1000 <= declared_size(HEADER + section(number, bytes(1000))) < 1100

    @pytest.mark.parametrize("custom", [b"producers", b"target_features"])
    def test_custom_sections_that_are_decoded_count(self, custom: bytes) -> None:
        assert declared_size(HEADER + section(0, name(custom) + bytes(1000))) >= 1000

    def test_every_section_counts(self) -> None:
        assert declared_size(HEADER + section(0, name(b"")) * 1000) >= 8000

    def test_of_a_component_core_modules_do_not_count_and_components_in_it_do(self) -> None:
        component = b"\0asm\x0d\0\1\0"
        inner = component + section(1, bytes(50_000)) + section(7, bytes(1000))
        assert 1000 <= declared_size(component + section(4, inner) + section(1, bytes(50_000))) < 1100

    @pytest.mark.parametrize("tail", [b"\1", b"\1\5a", b"\1\xff\xff\xff\xff\xff", b"\4\xff\xff\3"])
    def test_sections_that_are_longer_than_the_module_are_malformed(self, tail: bytes) -> None:
        with pytest.raises(MalformedError):
            declared_size(HEADER + tail)
