"""Storage on disk: what lies there, and what happens when others were there before, meanwhile or in between."""

import errno
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.kill_rounds import rounds
from tests.support.work import lines_run
from wasm2oci.content.layout import OciLayout
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import LocalIOError
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest, Hasher
from wasm2oci.oci.http import Headers
from wasm2oci.oci.media_type import EMPTY_JSON, OCI_INDEX, OCI_MANIFEST
from wasm2oci.server import layout_repository
from wasm2oci.server.access import Everyone
from wasm2oci.server.blob_files import folder_name
from wasm2oci.server.disk import DiskStorage, NotARegistryError, RegistryInUseError
from wasm2oci.server.messages import Request, Response
from wasm2oci.server.registry import Registry
from wasm2oci.server.site import Site
from wasm2oci.server.storage import StoredManifest

BLOB = b"some content"
DIGEST = Digest.of(BLOB)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def storage(root: Path) -> Iterator[DiskStorage]:
    place = DiskStorage(root)
    yield place
    place.close()


def push(storage: DiskStorage, repository: str, data: bytes = BLOB) -> Digest:
    writer = storage.new_blob()
    writer.write(data)
    writer.commit(repository, Digest.of(data))
    return Digest.of(data)


def manifest(storage: DiskStorage, repository: str, *tags: str, data: bytes = BLOB) -> Digest:
    empty, layer = Descriptor.of(EMPTY_JSON, b"{}"), Descriptor.of("application/wasm", data)
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": empty.to_json(), "layers": [layer.to_json()]}
    push(storage, repository, b"{}")
    push(storage, repository, data)
    raw = json.dumps(document).encode()
    storage.put_manifest(repository, StoredManifest(Digest.of(raw), OCI_MANIFEST, raw), tags)
    return Digest.of(raw)


def links(root: Path, digest: Digest) -> int:
    return (root / "_blobs" / digest.algorithm / digest.encoded).stat().st_nlink


def test_a_repository_is_an_image_layout_that_our_own_reader_opens(storage: DiskStorage, root: Path) -> None:
    digest = manifest(storage, "org/hello", "v1", "latest")
    layout = OciLayout(root / "org+hello")
    assert layout.resolve("v1").digest == layout.resolve("latest").digest == digest
    assert b"".join(layout.fetch(Descriptor.of("a/b", BLOB))) == BLOB
    assert sorted(layout.tags()) == ["latest", "v1"]


def test_equal_blobs_are_one_file_and_the_last_repository_frees_it(storage: DiskStorage, root: Path) -> None:
    for repository in ("a", "b"):
        push(storage, repository)
    assert storage.mount_blob("c", DIGEST, "a")
    assert links(root, DIGEST) == 4
    assert not list((root / "_uploads").iterdir())
    for repository in ("a", "b"):
        assert storage.delete_blob(repository, DIGEST)
    assert links(root, DIGEST) == 2
    assert storage.blob_size("c", DIGEST) == len(BLOB)
    assert storage.delete_blob("c", DIGEST)
    assert not (root / "_blobs" / "sha256" / DIGEST.encoded).exists()


def test_a_new_process_finds_everything_and_clears_what_was_not_whole(storage: DiskStorage, root: Path) -> None:
    digest = manifest(storage, "a/b", "v1")
    untagged = manifest(storage, "a/b", data=b"other")
    storage.close()
    (root / "_uploads" / "half").write_bytes(b"half a blob")
    (root / "_uploads" / "half-a-layout" / "blobs").mkdir(parents=True)
    orphan = root / "_blobs" / "sha256" / Digest.of(b"x").encoded
    orphan.write_bytes(b"x")
    again = DiskStorage(root)
    assert again.repositories() == ["a/b"]
    assert again.tags("a/b") == {"v1": digest}
    assert again.manifests("a/b") == sorted([digest, untagged])
    assert not list((root / "_uploads").iterdir())
    assert not orphan.exists()
    again.close()


def test_one_process_at_a_time(storage: DiskStorage, root: Path) -> None:
    with pytest.raises(RegistryInUseError, match="another process"):
        DiskStorage(root)
    storage.close()
    DiskStorage(root).close()


def test_a_folder_that_holds_something_else_is_left_alone(root: Path) -> None:
    root.mkdir()
    (root / "thesis.txt").write_text("years of work")
    with pytest.raises(NotARegistryError, match=r"thesis\.txt"):
        DiskStorage(root)
    assert [path.name for path in root.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder_of_a_registry(root: Path) -> None:
    root.write_text("notes")
    with pytest.raises(NotARegistryError, match="is a file"):
        DiskStorage(root)


def test_a_start_that_was_killed_before_it_marked_the_folder_goes_on(root: Path) -> None:
    (root / "_uploads").mkdir(parents=True)
    (root / "_blobs").mkdir()
    DiskStorage(root).close()


def test_a_folder_that_cannot_be_made_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalIOError):
        DiskStorage(tmp_path / "file" / "registry")


def test_folders_that_are_no_repositories_are_not_listed(storage: DiskStorage, root: Path) -> None:
    push(storage, "a")
    for name in ("NOT", "x", ".hidden", "_other"):
        (root / name).mkdir()
    (root / "NOT" / "index.json").write_text("{}")
    assert storage.repositories() == ["a"]


def test_what_another_tool_writes_into_a_layout_is_seen_and_kept(storage: DiskStorage, root: Path) -> None:
    manifest(storage, "a", "v1")
    layout = OciLayout(root / "a")
    found = storage.manifest("a", "v1")
    assert found is not None
    layout.tag(Descriptor(OCI_MANIFEST, found.digest, len(found.raw)), "from-outside")
    assert storage.tags("a")["from-outside"] == found.digest
    path = root / "a" / "index.json"
    document = json.loads(path.read_bytes())
    document["annotations"] = {"who": "somebody else"}
    document["manifests"].append({"mediaType": "text/plain", "digest": str(DIGEST), "size": 12, "extra": 1})
    document["manifests"].append("not even an object")
    path.write_text(json.dumps(document))
    manifest(storage, "a", "v2", data=b"2")
    after = json.loads(path.read_bytes())
    assert after["annotations"] == {"who": "somebody else"}
    assert any(entry.get("extra") == 1 for entry in after["manifests"])
    assert sorted(storage.tags("a")) == ["from-outside", "v1", "v2"]


def test_members_of_an_index_that_have_no_entry_are_found(storage: DiskStorage, root: Path) -> None:
    digest = manifest(storage, "a", "v1")
    stored = storage.manifest("a", digest)
    assert stored is not None
    layout = OciLayout.create(root / "b")
    for child in (Descriptor.of(EMPTY_JSON, b"{}"), Descriptor.of("application/wasm", BLOB)):
        layout.push(child, BytesContent(b"{}" if child.size == 2 else BLOB))
    member = Descriptor(OCI_MANIFEST, digest, len(stored.raw))
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [member.to_json()]}).encode()
    layout.push(member, BytesContent(stored.raw))
    layout.push(Descriptor.of(OCI_INDEX, raw), BytesContent(raw), tag="all")
    assert storage.repositories() == ["a", "b"]
    assert storage.manifest("b", digest) == stored
    assert set(storage.manifests("b")) == {digest, Digest.of(raw)}
    assert storage.delete_manifest("b", digest)
    assert storage.manifest("b", digest) is None
    assert not storage.delete_manifest("b", DIGEST)


def test_a_damaged_index_is_the_registrys_error_not_the_clients(storage: DiskStorage, root: Path) -> None:
    manifest(storage, "a", "v1")
    for damage in (b"{", b'{"manifests": 3}'):
        (root / "a" / "index.json").write_bytes(damage)
        reported: list[str] = []
        response = Registry(storage, report=reported.append).handle(Request("GET", "/v2/a/manifests/v1"))
        assert response.status == 500
        assert str(root).encode() not in response.read()
        assert len(reported) == 1
        assert "damaged" in reported[0]


def test_a_manifest_whose_file_went_away_is_unknown(storage: DiskStorage, root: Path) -> None:
    digest = manifest(storage, "a", "v1")
    (root / "a" / "blobs" / "sha256" / digest.encoded).unlink()
    assert storage.manifest("a", "v1") is None
    assert list(storage.referrers("a", DIGEST)) == []


def test_a_manifest_is_not_deleted_as_a_blob(storage: DiskStorage) -> None:
    digest = manifest(storage, "a", "v1")
    assert not storage.delete_blob("a", digest)
    assert storage.manifest("a", "v1") is not None


def test_without_hard_links_every_repository_has_its_own_file(
    storage: DiskStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    for repository in ("a", "b"):
        push(storage, repository)
    assert not storage.mount_blob("c", DIGEST, "a")
    body = storage.open_blob("b", DIGEST, 0, len(BLOB))
    assert body is not None
    assert b"".join(bytes(piece) for piece in body) == BLOB
    body.close()
    assert not (root / "_blobs" / "sha256" / DIGEST.encoded).exists()


def test_a_full_disk_is_507_and_leaves_nothing(
    storage: DiskStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    request = Request("POST", f"/v2/a/blobs/uploads/?digest={DIGEST}", body=[BLOB], length=len(BLOB))
    assert Registry(storage).handle(request).status == 507
    assert not list((root / "_uploads").iterdir())


def test_a_blob_that_shrinks_while_it_is_sent_is_an_error(storage: DiskStorage, root: Path) -> None:
    push(storage, "a")
    body = storage.open_blob("a", DIGEST, 0, len(BLOB))
    assert body is not None
    os.truncate(root / "a" / "blobs" / "sha256" / DIGEST.encoded, 3)
    with pytest.raises(OSError, match="shorter"):
        list(body)
    body.close()
    body.close()


def test_a_repository_whose_folder_was_removed_is_gone(storage: DiskStorage, root: Path) -> None:
    manifest(storage, "a", "v1")
    shutil.rmtree(root / "a")
    assert storage.repositories() == []
    with pytest.raises(LocalIOError):
        storage.tags("a")


def test_no_name_leaves_the_root() -> None:
    assert folder_name("a/b/c") == "a+b+c"


@pytest.mark.slow
def test_killed_in_the_middle_of_pushes_it_is_whole_each_time() -> None:
    report = rounds(5, seed=7)
    assert report.rounds == 5
    assert report.pushed > 0  # how many depends on the machine
    assert report.tags > 0


@pytest.mark.registry
def test_skopeo_reads_a_repository_and_writes_into_one(storage: DiskStorage, root: Path, tmp_path: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    digest = manifest(storage, "org/hello", "v1")
    target = tmp_path / "copy"
    target.mkdir()
    for source, destination in (
        (f"oci:{root}/org+hello:v1", f"dir:{target}"),
        (f"oci:{root}/org+hello:v1", f"oci:{root}/org+hello:v2"),
    ):
        command = ["skopeo", "--insecure-policy", "copy", "--preserve-digests", source, destination]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
    assert Digest.of((target / "manifest.json").read_bytes()) == digest
    assert storage.tags("org/hello")["v2"] == digest


# --- what was put there, or decayed ----------------------------------------------------------------------


def blob_path(root: Path, repository: str = "a") -> Path:
    return root / repository / "blobs" / "sha256" / DIGEST.encoded


def get(storage: DiskStorage, target: str) -> Response:
    return Registry(storage).handle(Request("GET", target))


@pytest.mark.parametrize("place", ["blob", "sha256", "blobs", "repository"])
def test_a_link_below_the_root_leads_nowhere(storage: DiskStorage, root: Path, tmp_path: Path, place: str) -> None:
    """A symbolic link in the place of a blob served any file."""
    push(storage, "a")
    path = blob_path(root)
    linked = {"blob": path, "sha256": path.parent, "blobs": path.parent.parent, "repository": root / "a"}[place]
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    assert get(storage, f"/v2/a/blobs/{DIGEST}").status == 404
    assert not storage.mount_blob("b", DIGEST, "a")
    if place == "blob":  # the link itself makes room
        push(storage, "a")
        assert get(storage, f"/v2/a/blobs/{DIGEST}").read() == BLOB
    else:
        assert not storage.delete_blob("a", DIGEST)
        with pytest.raises(LocalIOError):
            push(storage, "a")
    assert (tmp_path / "elsewhere").exists()


def test_special_files_are_not_there_and_block_nothing(storage: DiskStorage, root: Path) -> None:
    push(storage, "a")
    blob_path(root).unlink()
    os.mkfifo(blob_path(root))
    assert get(storage, f"/v2/a/blobs/{DIGEST}").status == 404
    assert get(storage, f"/v2/a/manifests/{DIGEST}").status == 404
    blob_path(root).unlink()
    blob_path(root).mkdir()
    assert get(storage, f"/v2/a/blobs/{DIGEST}").status == 404


@pytest.mark.parametrize("link", ["_blobs", "_uploads", "_blobs/sha256"])
def test_a_root_whose_own_folders_are_links_is_refused(tmp_path: Path, link: str) -> None:
    DiskStorage(tmp_path / "registry").close()
    path = tmp_path / "registry" / link
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotARegistryError, match="symbolic link"):
        DiskStorage(tmp_path / "registry")


@pytest.mark.parametrize("damage", [bytes(len(BLOB)), BLOB + b"!", b""])
def test_a_damaged_blob_is_noticed_set_aside_and_healed_by_the_next_push(
    storage: DiskStorage, root: Path, damage: bytes
) -> None:
    """The push said 201, and the wrong bytes were served, for ever."""
    for repository in ("a", "b"):
        push(storage, repository)
    blob_path(root).write_bytes(damage)  # one file under three names
    for repository in ("a", "b"):
        assert get(storage, f"/v2/{repository}/blobs/{DIGEST}").status == 404
    assert list((root / "_damaged").iterdir())
    push(storage, "b")
    assert get(storage, f"/v2/b/blobs/{DIGEST}").read() == BLOB
    push(storage, "a")
    assert get(storage, f"/v2/a/blobs/{DIGEST}").read() == BLOB
    assert blob_path(root).stat().st_nlink == 3


def test_a_push_heals_every_repository_that_had_the_damaged_file(storage: DiskStorage, root: Path) -> None:
    for repository in ("a", "b", "c"):
        push(storage, repository)
    blob_path(root).write_bytes(bytes(len(BLOB)))
    push(storage, "c")  # before anybody noticed
    for repository in ("a", "b", "c"):
        assert get(storage, f"/v2/{repository}/blobs/{DIGEST}").read() == BLOB


def test_a_blob_is_hashed_once_and_again_when_its_file_changed(
    storage: DiskStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(storage, "a")
    monkeypatch.setattr(Digest, "hasher", lambda _: pytest.fail("what was just pushed is known"))
    assert get(storage, f"/v2/a/blobs/{DIGEST}").read() == BLOB
    monkeypatch.undo()
    storage.close()
    again = DiskStorage(root)
    assert get(again, f"/v2/a/blobs/{DIGEST}").read() == BLOB
    blob_path(root).write_bytes(bytes(len(BLOB)))
    os.utime(blob_path(root), ns=(1, 1))
    assert get(again, f"/v2/a/blobs/{DIGEST}").status == 404


def test_a_blob_that_many_ask_for_at_once_is_hashed_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(DiskStorage(root)) as storage:
        push(storage, "a")
    with closing(DiskStorage(root)) as storage:
        hashed: list[Digest] = []
        original = Digest.hasher

        def counted(digest: Digest) -> Hasher:
            hashed.append(digest)
            return original(digest)

        monkeypatch.setattr(Digest, "hasher", counted)
        start = threading.Barrier(8)

        def ask() -> None:
            start.wait(30)
            assert storage.blob_size("a", DIGEST) == len(BLOB)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert hashed == [DIGEST]


def test_a_damaged_manifest_is_not_served_and_is_healed(storage: DiskStorage, root: Path) -> None:
    digest = manifest(storage, "a", "v1")
    path = root / "a" / "blobs" / "sha256" / digest.encoded
    good = path.read_bytes()
    path.write_bytes(good.replace(b"{", b" ", 1))
    assert get(storage, "/v2/a/manifests/v1").status == 404
    assert manifest(storage, "a", "v1") == digest
    assert get(storage, "/v2/a/manifests/v1").read() == good


def test_one_damaged_index_does_not_hide_the_other_repositories(storage: DiskStorage, root: Path) -> None:
    """One bad index.json made the page a 500."""
    for repository in ("a", "b"):
        manifest(storage, repository, "v1")
    (root / "a" / "index.json").write_bytes(b"{")
    page = Site(storage, Everyone()).answer(Request("GET", "/"), "")
    assert page is not None
    text = page.read().decode()
    assert page.status == 200
    assert "cannot be read" in text
    assert "/r/b:v1" in text
    assert get(storage, "/v2/_catalog").status == 200


def test_an_index_of_very_many_tags_is_read(storage: DiskStorage, root: Path) -> None:
    digest = manifest(storage, "a", "v1")
    document = json.loads((root / "a" / "index.json").read_text())
    entry = document["manifests"][0]
    document["manifests"] = [
        {**entry, "annotations": {"org.opencontainers.image.ref.name": f"v{number}"}} for number in range(100_000)
    ]
    (root / "a" / "index.json").write_text(json.dumps(document))
    assert len(storage.tags("a")) == 100_000
    assert storage.tags("a")["v99999"] == digest


def reads_of(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read for a repository from now on."""
    found: list[Path] = []
    read = layout_repository._read

    def noted(path: Path, most: int) -> bytes | None:
        found.append(path)
        return read(path, most)

    monkeypatch.setattr(layout_repository, "_read", noted)
    return found


def test_a_repository_of_very_many_tags_takes_no_more(
    storage: DiskStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each push reads and writes the whole index, and one of more than 256 MiB could not have been read again."""
    monkeypatch.setattr("wasm2oci.server.layout_repository._ENTRIES_MAX", 3)
    first = manifest(storage, "app", "v1", "v2", "v3")
    registry = Registry(storage)
    raw = Path(root / "app/blobs/sha256" / first.encoded).read_bytes()

    def put(tag: str) -> int:
        headers = Headers([("Content-Type", OCI_MANIFEST)])
        return registry.handle(Request("PUT", f"/v2/app/manifests/{tag}", headers, (raw,), len(raw))).status

    read = reads_of(monkeypatch)
    assert (put("v4"), put("v4")) == (403, 403)
    assert "index.json" not in [path.name for path in read]  # a refusal costs no new reading of a large index
    assert sorted(storage.tags("app")) == ["v1", "v2", "v3"]
    assert put("v2") == 201  # what is there already may be pushed again
    assert storage.delete_tag("app", "v1")
    assert put("v4") == 201
    # What another tool listed beyond that stays, and is served.
    monkeypatch.setattr("wasm2oci.server.layout_repository._ENTRIES_MAX", 2)
    assert put("v4") == 201
    assert put("v5") == 403
    assert storage.manifest("app", "v3") is not None


def test_listing_repositories_makes_no_path_for_each(storage: DiskStorage, root: Path) -> None:
    """With 100,000 repositories each request for the catalog took five seconds. Other folders are left out."""

    def work(size: int) -> int:
        for number in range(size):
            (root / f"r{number}").mkdir(exist_ok=True)
            (root / f"r{number}" / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
        storage.repositories()
        return lines_run(storage.repositories)

    small, large = work(20), work(40)
    assert (large - small) / 20 < 8
    (root / "linked").symlink_to(root / "r1")
    (root / "r2" / "index.json").unlink()
    (root / "r2" / "index.json").symlink_to(root / "r1" / "index.json")
    (root / "r3" / "index.json").unlink()
    assert not {"linked", "r2", "r3"} & set(storage.repositories())
    assert not any(map(storage.has_repository, ("linked", "r2", "r3")))


def test_a_new_repository_is_on_the_disk_before_it_has_its_name(
    storage: DiskStorage, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power failure could leave a repository without the folders and files that were written into it."""
    done: list[object] = []
    rename, sync = Path.rename, os.fsync

    def renamed(path: Path, target: Path) -> Path:
        done.extend(["name"] * (target == root / "a"))
        return rename(path, target)

    def synced(descriptor: int) -> None:
        done.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    push(storage, "a")
    at = done.index("name")
    assert {(root / "a").stat().st_ino, (root / "a" / "blobs").stat().st_ino} <= set(done[:at])
    assert root.stat().st_ino in done[at:]
