from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.work import assert_linear, lines_run
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.layout_index import REF_NAME, LayoutEntry, LayoutIndex

ONE, TWO = Descriptor.of(mt.OCI_MANIFEST, b"one"), Descriptor.of(mt.OCI_MANIFEST, b"two")


def document(*entries: Any, **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries, **more}).encode()


def named(descriptor: Descriptor, name: str, **more: Any) -> dict[str, Any]:
    return {**descriptor.to_json(), "annotations": {REF_NAME: name}, **more}


def listed(index: LayoutIndex) -> list[tuple[Descriptor, str | None]]:
    return [(entry.descriptor, entry.name) for entry in LayoutIndex.decode(index.encode(), strict=True).entries]


def test_a_manifest_is_listed_once_for_each_name_or_once_without_one() -> None:
    index = LayoutIndex.empty()
    index.put(ONE)
    index.put(ONE)
    assert listed(index) == [(ONE, None)]
    index.put(ONE, ("v1", "v2"))
    assert listed(index) == [(ONE, "v1"), (ONE, "v2")]
    index.put(TWO, ("v1",))
    assert listed(index) == [(ONE, "v2"), (TWO, "v1")]
    assert index.untag("v2")
    assert not index.untag("v2")
    assert listed(index) == [(ONE, None), (TWO, "v1")]
    assert index.remove(ONE.digest)
    assert not index.remove(ONE.digest)
    assert listed(index) == [(TWO, "v1")]


def test_a_name_of_two_manifests_names_one_after_it_is_put() -> None:
    index = LayoutIndex.decode(document(named(ONE, "v1"), named(TWO, "v1")), strict=True)
    index.put(TWO, ("v1",))
    assert listed(index) == [(ONE, None), (TWO, "v1")]


def test_what_an_index_contains_is_listed_by_its_names_only() -> None:
    index = LayoutIndex.decode(document(ONE.to_json(), named(TWO, "v2")), strict=True)
    outer = Descriptor.of(mt.OCI_INDEX, b"outer")
    index.put(outer, ("v1",), (ONE.digest, TWO.digest))
    assert listed(index) == [(TWO, "v2"), (outer, "v1")]


def test_what_other_tools_wrote_stays() -> None:
    platform = {"os": "wasip1"}
    odd = [named(TWO, "ghcr.io/team/app:v9"), {"digest": 7, "x": 1}, "text"]
    index = LayoutIndex.decode(document(named(ONE, "v1", platform=platform), *odd, vendor=[1]), strict=False)
    index.untag("v1")
    index.put(ONE, ("v2",))
    after = json.loads(index.encode())
    assert after["vendor"] == [1]
    assert after["manifests"][0] == {**ONE.to_json(), "platform": platform, "annotations": {REF_NAME: "v2"}}
    assert after["manifests"][1:] == odd
    assert index.entries == [LayoutEntry(ONE, "v2"), LayoutEntry(TWO, "ghcr.io/team/app:v9")]


def test_a_copy_changes_alone() -> None:
    index = LayoutIndex.decode(document(named(ONE, "v1")), strict=True)
    other = index.copy()
    other.untag("v1")
    other.put(TWO, ("v1",))
    assert listed(index) == [(ONE, "v1")]


@pytest.mark.parametrize("entry", [{"digest": "sha256:../x"}, {"size": -1}, {"mediaType": "x"}, "text"])
def test_an_entry_that_is_not_a_descriptor_is_an_error_only_where_that_is_asked_for(entry: Any) -> None:
    raw = document({**ONE.to_json(), **entry} if isinstance(entry, dict) else entry)
    with pytest.raises(InvalidInputError):
        LayoutIndex.decode(raw, strict=True)
    assert LayoutIndex.decode(raw, strict=False).entries == []


@pytest.mark.parametrize("raw", [b"", b"[]", document(config={}), b'{"schemaVersion": 2, "manifests": {}}'])
def test_a_document_that_is_not_an_index_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInputError):
        LayoutIndex.decode(raw, strict=True)


@pytest.mark.parametrize(
    "raw", [b"[]", b'{"manifests":[]}', document({"digest": "sha256:x"}), document(schemaVersion=1)]
)
def test_what_is_wrong_is_said_of_the_file(raw: bytes) -> None:
    """And not of a manifest, which somebody might push again."""
    with pytest.raises(InvalidInputError, match=r"^index\.json: ") as caught:
        LayoutIndex.decode(raw, strict=True)
    assert caught.value.hint is None


def test_many_tags_at_once_take_one_pass_over_the_entries() -> None:
    """64 tags of one request, in a repository of 20,000, held the repository for four seconds."""

    def work(size: int) -> int:
        index = LayoutIndex.empty()
        for number in range(size):
            index.put(ONE, (f"v{number}",))
        return lines_run(lambda: index.put(TWO, [f"v{number}" for number in range(size)]))

    assert_linear(work, (20, 40, 80))


def test_an_entry_that_stays_is_not_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A push to a repository of 10,000 tags took half a second, nearly all of it for entries that it does not touch."""
    index = LayoutIndex.empty()
    index.put(ONE, [f"v{number}" for number in range(500)])
    index.encode()
    encoded = 0
    dumps = json.dumps

    def counting(*given: Any, **more: Any) -> str:
        nonlocal encoded
        encoded += 1
        return dumps(*given, **more)

    monkeypatch.setattr(json, "dumps", counting)
    changed = index.copy()
    changed.put(TWO, ("w",))
    raw = changed.encode()
    monkeypatch.undo()
    assert encoded < 20
    assert len(json.loads(raw)["manifests"]) == len(changed) == 501


def test_an_index_equals_one_that_says_the_same() -> None:
    index = LayoutIndex.empty()
    index.put(ONE, ("v1",))
    same = index.copy()
    assert same.equals(index)
    same.put(TWO)
    assert not same.equals(index)
