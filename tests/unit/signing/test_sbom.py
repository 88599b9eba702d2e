from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from tests.support.wasm_sections import component, custom, dependencies, module, producers, section
from wasm2oci.signing.auditable import InvalidDependenciesError, read_dependencies
from wasm2oci.signing.parts import read_parts
from wasm2oci.signing.sbom import SBOM_FORMATS, cyclonedx, spdx

PACKAGES: tuple[dict[str, Any], ...] = (
    {"name": "app", "version": "1.0.0", "source": "Local", "dependencies": [1, 2, 3], "root": True},
    {"name": "serde", "version": "1.0.200", "source": "CratesIo"},
    {"name": "cc", "version": "1.1.0+build", "source": "CratesIo", "kind": "build"},
    {"name": "fork", "version": "0.1.0", "source": "Git", "dependencies": [1]},
)
CORE = module(producers(language={"Rust": "1.79"}), dependencies(*PACKAGES))
COMPONENT = component(section(1, CORE), custom("version", b"2.1.0"), custom("licenses", b"MIT"), section(1, module()))


def bom(data: bytes, created: str | None = None) -> dict[str, Any]:
    return json.loads(cyclonedx(read_parts(data), "app.wasm", "0.1.0", created))  # type: ignore[no-any-return]


def test_the_crates_of_a_module_inside_a_component_are_listed() -> None:
    value = bom(COMPONENT)
    names = {one["bom-ref"]: one for one in value["components"]}
    assert list(names) == [
        "module/0",
        "module/0/crate-0",
        "module/0/crate-1",
        "module/0/crate-2",
        "module/0/crate-3",
        "module/1",
    ]
    assert names["module/0/crate-1"]["purl"] == "pkg:cargo/serde@1.0.200"
    assert names["module/0/crate-2"]["purl"] == "pkg:cargo/cc@1.1.0%2Bbuild"
    build = {"name": "cdx:rustc:dependency_kind", "value": "build"}
    assert build in names["module/0/crate-2"]["properties"]
    # A crate from elsewhere gets no package URL: it would name another package.
    assert "purl" not in names["module/0/crate-3"]
    assert "purl" not in names["module/0/crate-0"]
    depends = {one["ref"]: one["dependsOn"] for one in value["dependencies"]}
    assert depends["module"] == ["module/0", "module/1"]
    assert depends["module/0"] == ["module/0/crate-0"]
    assert depends["module/0/crate-3"] == ["module/0/crate-1"]
    main = value["metadata"]["component"]
    assert (main["name"], main["version"]) == ("app.wasm", "2.1.0")
    assert main["licenses"] == [{"license": {"name": "MIT"}}]
    assert {"name": "wasm:producers:language", "value": "Rust 1.79"} in names["module/0"]["properties"]


def test_nothing_is_invented_where_a_module_says_nothing() -> None:
    value = bom(module())
    assert value["components"] == []
    assert "version" not in value["metadata"]["component"]
    assert "timestamp" not in value["metadata"]
    assert value["compositions"] == [{"aggregate": "incomplete", "assemblies": ["module"]}]


@pytest.mark.parametrize("form", SBOM_FORMATS, ids=lambda form: form.name)
def test_the_same_bytes_give_the_same_document(form: Any) -> None:
    first = form.make(read_parts(COMPONENT), "app.wasm", "0.1.0", None)
    assert form.make(read_parts(COMPONENT), "app.wasm", "0.1.0", None) == first
    other = form.make(read_parts(CORE), "app.wasm", "0.1.0", None)
    identity = "serialNumber" if form.name == "cyclonedx" else "documentNamespace"
    assert json.loads(first)[identity] != json.loads(other)[identity]
    assert json.loads(first)[identity].startswith("urn:uuid:")


def test_lists_of_dependencies_are_bounded_together() -> None:
    """Each may be a thousand times as large as it is packed, and a component holds as many modules as fit."""
    many = [{"name": "a" * 40, "version": "1", "source": "x"} for _ in range(30_000)]
    listing = module(dependencies({**many[0], "root": True}, *many[1:]))
    assert read_parts(component(section(1, listing))).crates == 30_000
    with pytest.raises(InvalidDependenciesError, match="more than 8,388,608 bytes"):
        read_parts(component(*(section(4, component(section(1, listing))) for _ in range(4))))


def test_spdx_has_the_same_packages_and_relations() -> None:
    value = json.loads(spdx(read_parts(COMPONENT), "app.wasm", "0.1.0", "2026-01-02T03:04:05Z"))
    assert value["creationInfo"]["created"] == "2026-01-02T03:04:05Z"
    assert len(value["packages"]) == 7
    assert len({one["SPDXID"] for one in value["packages"]}) == 7
    relations = {(one["spdxElementId"], one["relationshipType"]) for one in value["relationships"]}
    assert ("SPDXRef-DOCUMENT", "DESCRIBES") in relations
    assert ("SPDXRef-module", "CONTAINS") in relations
    assert ("SPDXRef-module-0-crate-0", "DEPENDS_ON") in relations
    without = json.loads(spdx(read_parts(module()), "app.wasm", "0.1.0", None))
    assert without["creationInfo"]["created"] == "1970-01-01T00:00:00Z"
    assert "No time is known" in without["creationInfo"]["comment"]


def packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value).encode())


ROOT = {"name": "a", "version": "1", "source": "Local", "root": True}


@pytest.mark.parametrize(
    ("section_", "sentence"),
    [
        (b"not zlib", "cannot be unpacked"),
        (packed({"packages": [ROOT]})[:-5], "ends too early"),
        (zlib.compress(b" " * (9 << 20)), "is larger than"),
        (zlib.compress(b'{"packages":[],"packages":[]}'), "repeated"),
        (packed({"packages": []}), "no packages"),
        (packed({"packages": 7}), "no packages"),
        (packed({"packages": [7]}), "not an object"),
        (packed({"packages": [{"name": "a"}]}), "lacks name, version or source"),
        (packed({"packages": [ROOT, ROOT]}), "2 roots, not one"),
        (packed({"packages": [{**ROOT, "root": False}]}), "0 roots, not one"),
        (packed({"packages": [{**ROOT, "dependencies": [1]}]}), "not in the list"),
        (packed({"packages": [{**ROOT, "dependencies": [-1]}]}), "not in the list"),
        (packed({"packages": [{**ROOT, "dependencies": [True]}]}), "not in the list"),
        (packed({"packages": [{**ROOT, "dependencies": [0]}]}), "in circles"),
        (packed({"packages": [{**ROOT, "kind": "test"}]}), "unknown kind"),
    ],
)
def test_a_damaged_list_of_dependencies_is_refused(section_: bytes, sentence: str) -> None:
    with pytest.raises(InvalidDependenciesError, match=sentence):
        read_dependencies(section_)


def test_a_long_chain_of_dependencies_is_read() -> None:
    many = [{**ROOT, "root": not n, "dependencies": [n + 1]} for n in range(20_000)]
    many.append({**ROOT, "root": False})
    assert len(read_dependencies(packed({"packages": many})).packages) == 20_001
