import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.artifacts import WASM, Stash
from tests.support.invariants import check_artifact
from tests.support.work import assert_linear, lines_run
from wasm2oci.content.copy import copy
from wasm2oci.content.layout import InvalidLayoutError, OciLayout
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import BytesContent, DigestMismatchError, SizeMismatchError
from wasm2oci.errors import InvalidInputError, LocalIOError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.layout_index import LayoutIndex

REF = "org.opencontainers.image.ref.name"


@pytest.fixture
def layout(tmp_path: Path) -> OciLayout:
    return OciLayout.create(tmp_path / "layout")


def index_of(layout: OciLayout) -> dict[str, Any]:
    value = json.loads((layout.folder / "index.json").read_bytes())
    assert isinstance(value, dict)
    return value


def rewrite(layout: OciLayout, **fields: Any) -> None:
    (layout.folder / "index.json").write_text(json.dumps({**index_of(layout), **fields}))


def names_of(layout: OciLayout) -> list[str | None]:
    return [entry.get("annotations", {}).get(REF) for entry in index_of(layout)["manifests"]]


def test_a_new_layout_is_what_the_specification_says(layout: OciLayout) -> None:
    assert json.loads((layout.folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert index_of(layout) == {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": []}
    assert sorted(path.name for path in layout.folder.iterdir()) == ["index.json", "oci-layout"]
    assert str(layout) == f"oci-layout:{layout.folder}"
    assert OciLayout.create(layout.folder).tags() == []


def test_nothing_but_the_layout_is_left_in_the_folder(layout: OciLayout) -> None:
    Stash(layout).module(tag="v1")
    files = {str(path.relative_to(layout.folder)) for path in layout.folder.rglob("*") if path.is_file()}
    assert {name for name in files if not name.startswith("blobs/sha256/")} == {"index.json", "oci-layout"}
    assert all(len(Path(name).name) == 64 for name in files if name.startswith("blobs"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "not an OCI image layout"),
        ({"oci-layout": "{}"}, "version None"),
        ({"oci-layout": '{"imageLayoutVersion": "2.0.0"}'}, "version '2.0.0'"),
        ({"oci-layout": "nonsense"}, "oci-layout is not valid JSON"),
        ({"oci-layout": " " * (4 << 20) + " "}, "is larger than"),
    ],
)
def test_what_is_no_layout_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        OciLayout(tmp_path)


def test_a_folder_that_is_absent_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such folder"):
        OciLayout(tmp_path / "absent")


def test_a_file_does_not_become_a_layout(tmp_path: Path) -> None:
    (tmp_path / "app.wasm").write_bytes(b"")
    with pytest.raises(LocalIOError, match=r"app\.wasm is a file") as caught:
        OciLayout.create(tmp_path / "app.wasm")
    assert caught.value.hint == f"an image layout in one file is oci-archive:{tmp_path / 'app.wasm'}"


def test_a_folder_of_something_else_does_not_become_a_layout(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidLayoutError, match="neither empty nor an OCI image layout") as caught:
        OciLayout.create(tmp_path)
    assert caught.value.hint == "it holds 'thesis.txt'"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_place_that_cannot_become_a_folder_is_local(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalIOError):
        OciLayout.create(tmp_path / "file")
    with pytest.raises(LocalIOError):
        OciLayout.create(tmp_path / "file" / "below")


def test_the_only_manifest_needs_no_name(layout: OciLayout) -> None:
    with pytest.raises(ContentNotFoundError, match="is empty"):
        layout.sole()
    stash = Stash(layout)
    root = stash.module(tag="v1")
    layout.tag(root, "v2")
    assert layout.sole().digest == root.digest
    other = stash.module(title="other")
    with pytest.raises(InvalidLayoutError, match="holds 2 manifests; say which") as caught:
        layout.sole()
    assert caught.value.hint == f"it has v1, v2, @{other.digest}"


def test_an_unknown_tag_is_answered_with_the_known_ones(layout: OciLayout) -> None:
    with pytest.raises(ContentNotFoundError) as caught:
        layout.resolve("v1")
    assert caught.value.hint is None
    Stash(layout).module(tag="v2")
    with pytest.raises(ContentNotFoundError, match="has no tag v1") as caught:
        layout.resolve("v1")
    assert caught.value.hint == "it has v2"


def test_a_whole_image_name_is_found_by_its_tag(layout: OciLayout) -> None:
    root = Stash(layout).module(tag="v1")
    entries = index_of(layout)["manifests"]
    entries[0]["annotations"][REF] = "ghcr.io/team/app:v9"
    rewrite(layout, manifests=entries)
    assert layout.resolve("v9").digest == root.digest
    assert layout.resolve("v9").annotations == {}
    with pytest.raises(NotFoundError):
        layout.resolve("9")


def test_one_name_for_two_manifests_is_refused(layout: OciLayout) -> None:
    stash = Stash(layout)
    one, other = stash.module(title="a", tag="v1"), stash.module(title="b")
    entries = [
        {**index_of(layout)["manifests"][0], "digest": str(root.digest), "size": root.size} for root in (one, other)
    ]
    rewrite(layout, manifests=entries)
    with pytest.raises(InvalidLayoutError, match="gives the name v1 to 2 manifests"):
        layout.resolve("v1")


def test_what_other_tools_wrote_stays(layout: OciLayout) -> None:
    stash = Stash(layout)
    root = stash.module(tag="v1")
    entries = index_of(layout)["manifests"]
    entries[0] |= {"platform": {"os": "wasip1", "architecture": "wasm"}, "x-future": 1}
    entries[0]["annotations"]["vendor"] = "kept"
    rewrite(layout, manifests=entries, annotations={"a": "b"}, vendor={"c": [1]})
    stash.module(title="other", tag="v1")
    index = index_of(layout)
    assert index["annotations"] == {"a": "b"}
    assert index["vendor"] == {"c": [1]}
    old = index["manifests"][0]
    assert old["digest"] == str(root.digest)
    assert old["platform"] == {"os": "wasip1", "architecture": "wasm"}
    assert old["x-future"] == 1
    assert old["annotations"] == {"vendor": "kept"}
    assert names_of(layout) == [None, "v1"]


def test_an_index_takes_the_lines_of_what_it_contains(layout: OciLayout) -> None:
    stash = Stash(layout)
    stash.module(title="named", tag="keep")
    children = [stash.module(title="a"), stash.module(title="named")]
    referrer = stash.manifest(subject=children[0])
    assert len(names_of(layout)) == 3
    stash.index(*children, referrer, tag="v1")
    assert sorted(str(name) for name in names_of(layout)) == ["None", "keep", "v1"]
    assert [one.digest for one in layout.referrers(children[0])] == [referrer.digest]


def test_referrers_of_a_fallback_tag_are_found(layout: OciLayout) -> None:
    # As regclient and copies from old registries leave them: an index under the tag `sha256-HEX`.
    stash = Stash(layout)
    subject = stash.module(tag="v1")
    referrer = stash.manifest(subject=subject)
    stash.index(referrer, tag=f"sha256-{subject.digest.encoded}")
    entries = [entry for entry in index_of(layout)["manifests"] if entry["digest"] != str(referrer.digest)]
    rewrite(layout, manifests=entries)
    assert [one.digest for one in layout.referrers(subject)] == [referrer.digest]


def test_listed_content_that_is_not_there_or_no_manifest_is_no_referrer(layout: OciLayout) -> None:
    stash = Stash(layout)
    subject = stash.module(tag="v1")
    gone, odd = stash.manifest(subject=subject), stash.put(mt.OCTET_STREAM, b"odd")
    (layout.folder / "blobs" / "sha256" / gone.digest.encoded).unlink()
    broken = Descriptor.of(mt.OCI_MANIFEST, b"[]")
    (layout.folder / "blobs" / "sha256" / broken.digest.encoded).write_bytes(b"[]")
    rewrite(layout, manifests=[*index_of(layout)["manifests"], odd.to_json(), broken.to_json()])
    assert layout.referrers(subject) == []


def test_a_name_is_taken_away_and_the_manifest_stays(layout: OciLayout) -> None:
    root = Stash(layout).module(tag="v1")
    layout.tag(root, "v2")
    layout.untag("v1")
    assert layout.tags() == ["v2"]
    layout.untag("v2")
    assert names_of(layout) == [None]
    assert layout.resolve(root.digest).digest == root.digest
    with pytest.raises(NotFoundError, match="has no tag v2"):
        layout.untag("v2")


def test_a_changed_byte_is_noticed(layout: OciLayout) -> None:
    blob = Stash(layout).put("application/wasm", WASM)
    path = layout.folder / "blobs" / "sha256" / blob.digest.encoded
    path.write_bytes(WASM[:-1] + b"!")
    with pytest.raises(DigestMismatchError):
        b"".join(layout.fetch(blob))
    path.write_bytes(WASM + b"!")
    assert not layout.exists(blob)
    with pytest.raises(SizeMismatchError, match="is 16 bytes here, not 15"):
        b"".join(layout.fetch(blob))
    Stash(layout).put("application/wasm", WASM)  # a blob of the wrong size is replaced
    assert b"".join(layout.fetch(blob)) == WASM


def test_a_link_in_the_place_of_a_blob_is_not_read(layout: OciLayout) -> None:
    blobs = layout.folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    pipe, folder = Descriptor.of("a/b", b""), Descriptor.of("a/b", b"x")
    os.mkfifo(blobs / pipe.digest.encoded)
    (blobs / folder.digest.encoded).mkdir()
    for descriptor in (pipe, folder):
        assert not layout.exists(descriptor)
        with pytest.raises((LocalIOError, SizeMismatchError)):
            b"".join(layout.fetch(descriptor))


def test_a_blob_that_is_a_link_to_a_secret_is_not_given_out(layout: OciLayout, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    said = Descriptor.of("a/b", b"public")
    (layout.folder / "blobs" / "sha256").mkdir(parents=True)
    path = layout.folder / "blobs" / "sha256" / said.digest.encoded
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(InvalidLayoutError, match="symbolic link"):
        b"".join(layout.fetch(said))
    path.unlink()
    (tmp_path / "public").write_bytes(b"public")
    path.symlink_to(tmp_path / "public")
    assert not layout.exists(said)
    with pytest.raises(InvalidLayoutError, match="symbolic link"):
        b"".join(layout.fetch(said))
    path.unlink()
    path.symlink_to(tmp_path / "other")
    layout.push(said, BytesContent(b"public"))  # a link is replaced, not written through
    assert not (tmp_path / "other").exists()
    assert not path.is_symlink()


@pytest.mark.parametrize("link", ["blobs", "blobs/sha256"])
def test_nothing_is_read_written_or_removed_by_way_of_a_link(layout: OciLayout, tmp_path: Path, link: str) -> None:
    """Writes went through a symbolic link in the place of `blobs/sha256`."""
    said = Descriptor.of("a/b", b"public")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "sha256").mkdir(parents=True)
    (elsewhere / said.digest.encoded).write_bytes(b"public")
    (elsewhere / "sha256" / said.digest.encoded).write_bytes(b"public")
    before = sorted(elsewhere.rglob("*"))
    place = layout.folder / link
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(elsewhere)
    for attempt in (
        lambda: layout.exists(said),
        lambda: b"".join(layout.fetch(said)),
        lambda: layout.push(said, BytesContent(b"public")),
        lambda: layout.push(Descriptor.of("a/b", b"more"), BytesContent(b"more")),
        lambda: layout.delete(said),
    ):
        with pytest.raises(InvalidLayoutError, match="symbolic link"):
            attempt()
    assert sorted(elsewhere.rglob("*")) == before


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_the_files_of_a_layout_are_no_links(layout: OciLayout, tmp_path: Path, name: str) -> None:
    path = layout.folder / name
    path.rename(tmp_path / name)
    path.symlink_to(tmp_path / name)
    with pytest.raises(InvalidLayoutError, match="symbolic link"):
        OciLayout(layout.folder).tags()


@pytest.mark.parametrize("damage", [b"publid", b"public!", b""])
def test_a_damaged_blob_is_not_there_and_is_written_again(layout: OciLayout, damage: bytes) -> None:
    """`copy` into a layout with a damaged blob of the same size said "Exists"."""
    said = Descriptor.of("a/b", b"public")
    layout.push(said, BytesContent(b"public"))
    assert layout.exists(said)
    path = layout.folder / "blobs" / "sha256" / said.digest.encoded
    path.write_bytes(damage)
    os.utime(path, ns=(1, 1))
    assert not layout.exists(said)
    layout.push(said, BytesContent(b"public"))
    assert layout.exists(said)
    assert b"".join(layout.fetch(said)) == b"public"


@pytest.mark.parametrize("entry", [{"digest": "sha256:../../../../etc/passwd"}, {"size": -1}, {"mediaType": "x"}, {}])
def test_a_hostile_index_is_refused(layout: OciLayout, entry: dict[str, Any]) -> None:
    good = {"mediaType": mt.OCI_MANIFEST, "digest": str(Digest.of(b"")), "size": 0}
    rewrite(layout, manifests=[{**good, **entry} if entry else "text"])
    with pytest.raises(InvalidInputError):
        layout.resolve("v1")
    with pytest.raises(InvalidInputError):
        layout.tags()


def test_an_index_json_that_is_none_is_refused(layout: OciLayout) -> None:
    (layout.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "config": {}, "layers": []}))
    with pytest.raises(InvalidInputError):
        layout.tags()
    (layout.folder / "index.json").unlink()
    with pytest.raises(InvalidLayoutError, match=r"lacks its index\.json"):
        layout.tags()


def test_a_digest_that_names_no_manifest_is_not_found(layout: OciLayout) -> None:
    stash = Stash(layout)
    for data in (b"\0asm", b"[]", bytes(5 << 20)):
        with pytest.raises(NotFoundError, match="is not a manifest"):
            layout.resolve(stash.put(mt.OCTET_STREAM, data).digest)


def test_what_the_system_refuses_is_local(layout: OciLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    stash = Stash(layout)
    blob = stash.put(mt.OCTET_STREAM, b"x")
    real = Path.lstat

    def refuse(path: Path) -> os.stat_result:
        if path.name == blob.digest.encoded:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(LocalIOError, match="Permission denied"):
        layout.exists(blob)
    with pytest.raises(LocalIOError, match="Permission denied"):
        b"".join(layout.fetch(blob))
    monkeypatch.undo()

    def locked(path: Path, **more: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", locked)
    with pytest.raises(LocalIOError, match="Permission denied"):
        layout.delete(blob)


PUSHER = """
import sys
from pathlib import Path
from tests.support.artifacts import Stash
from wasm2oci.content.layout import OciLayout
stash = Stash(OciLayout.create(Path(sys.argv[1])))
for number in range(15):
    stash.module(title=f"{sys.argv[2]}-{number}", tag=f"{sys.argv[2]}-{number}")
"""


def test_processes_may_write_one_layout_at_once(tmp_path: Path) -> None:
    folder, root = tmp_path / "layout", Path(__file__).parents[3]
    pushers = [
        subprocess.Popen([sys.executable, "-c", PUSHER, str(folder), name], cwd=root) for name in ("a", "b", "c")
    ]
    assert [pusher.wait(300) for pusher in pushers] == [0, 0, 0]
    layout = OciLayout(folder)
    assert len(layout.tags()) == 45
    for tag in layout.tags():
        check_artifact(layout, layout.resolve(tag))


def test_a_copy_that_breaks_leaves_a_layout_without_half_a_blob(layout: OciLayout) -> None:
    stash = Stash()
    good = stash.put("application/wasm", WASM)
    bad = Descriptor("application/wasm", Digest.of(b"other"), 5)
    stash.target.add(bad, BytesContent(b"wrong"))  # type: ignore[attr-defined] # a memory target
    root = stash.manifest(good, bad)
    with pytest.raises(DigestMismatchError):
        copy(stash.target, root, layout, "v1")
    assert layout.tags() == []
    for path in (layout.folder / "blobs").rglob("*"):
        if path.is_file():
            assert Digest.of(path.read_bytes()).encoded == path.name


@pytest.mark.parametrize("where", ["blob", "index.json"])
def test_a_pipe_in_the_place_of_a_file_is_replaced_and_not_waited_for(where: str, layout: OciLayout) -> None:
    blob = Descriptor.of("application/wasm", WASM)
    path = layout.folder / where if where != "blob" else layout.folder / "blobs" / "sha256" / blob.digest.encoded
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    if where == "blob":
        Stash(layout).put("application/wasm", WASM)
        assert b"".join(layout.fetch(blob)) == WASM
    else:
        with pytest.raises(LocalIOError, match="not a regular file"):
            Stash(layout).module()


def test_an_index_that_did_not_change_is_decoded_once(layout: OciLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of 400 manifests with their referrers took minutes: each asked for all of `index.json` five times."""
    decoded = 0
    decode = LayoutIndex.decode

    def counting(raw: bytes, *, strict: bool) -> LayoutIndex:
        nonlocal decoded
        decoded += 1
        return decode(raw, strict=strict)

    monkeypatch.setattr(LayoutIndex, "decode", counting)
    stash = Stash(layout)
    roots = [stash.module(b"\0asm\1\0\0\0" + bytes([0, 2, 1, number]), tag=f"v{number}") for number in range(10)]
    assert decoded == 1
    for root in roots:
        assert layout.referrers(root) == []
        assert layout.resolve(root.digest).digest == root.digest
        with pytest.raises(ContentNotFoundError):
            layout.resolve("none")
    assert decoded == 2
    assert len(layout.tags()) == 10


def test_what_refers_to_what_is_read_once(layout: OciLayout) -> None:
    def work(size: int) -> int:
        place = OciLayout.create(layout.folder / str(size))
        stash = Stash(place)
        roots = [stash.module(b"\0asm\1\0\0\0" + bytes([0, 2, 1, number]), tag=f"v{number}") for number in range(size)]
        for number, root in enumerate(roots):
            stash.manifest(subject=root, annotations={"n": str(number)})
        fresh = OciLayout(place.folder)
        for root in roots:
            assert len(fresh.referrers(root)) == 1
        fresh = OciLayout(place.folder)
        return lines_run(lambda: [fresh.referrers(root) for root in roots])

    shutil.rmtree(layout.folder)
    layout.folder.mkdir()
    assert_linear(work, (8, 16, 32))


def test_a_child_that_an_index_names_many_times_is_read_once(layout: OciLayout) -> None:
    """An index of 3 MiB that names another one 20,000 times held a copy up for hours."""
    root = Stash(layout).module(tag="v1")

    def work(size: int) -> int:
        stash = Stash(layout)
        child = stash.index(*[root] * size)
        return lines_run(lambda: stash.index(*[child] * size))

    assert_linear(work, (20, 40, 80))


def test_a_file_is_no_layout(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InvalidLayoutError, match="is not a folder"):
            OciLayout(folder)
