"""OCI image layouts in one tar file: what is read in place, what is packed, and what is refused."""

from __future__ import annotations

import io
import json
import random
import tarfile
from typing import TYPE_CHECKING

import pytest

from wasm2oci.base.files import TEMPORARY
from wasm2oci.base.tar import END, padding, tar_header
from wasm2oci.content.archive import ArchiveChangedError, ArchiveWriter, OciArchive
from wasm2oci.content.copy import copy
from wasm2oci.content.layout_reader import InvalidLayoutError
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.target import ContentNotFoundError
from wasm2oci.content.verify import BytesContent, DigestMismatchError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.layout_index import layout_marker

if TYPE_CHECKING:
    from pathlib import Path

BLOB = b"some content"


def artifact(target: MemoryTarget | ArchiveWriter, tag: str, blob: bytes = BLOB) -> Descriptor:
    """Push an artifact of one layer and no config but the empty one."""
    parts = []
    for media_type, data in ((mt.EMPTY_JSON, b"{}"), ("application/wasm", blob)):
        part = Descriptor(media_type, Digest.of(data), len(data))
        target.push(part, BytesContent(data))
        parts.append(part.to_json())
    document = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "artifactType": "a/b",
        "config": parts[0],
        "layers": parts[1:],
    }
    raw = json.dumps(document).encode()
    root = Descriptor(mt.OCI_MANIFEST, Digest.of(raw), len(raw))
    target.push(root, BytesContent(raw), tag=tag)
    return root


def written(path: Path, *tags: str) -> Descriptor:
    """An archive with an artifact of these tags."""
    writer = ArchiveWriter(path)
    for tag in tags:
        root = artifact(writer, tag)
    writer.commit()
    return root


def packed(path: Path, *files: tuple[str, bytes]) -> Path:
    """A tar file of these files, as another tool makes one."""
    with tarfile.open(path, "w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_what_is_written_is_read_again_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    root = written(path, "v1", "v2")
    archive = OciArchive(path)
    assert archive.tags() == ["v1", "v2"]
    assert archive.sole() == archive.resolve("v2") == archive.resolve(root.digest) == root
    target = MemoryTarget()
    assert copy(archive, "v1", target, "x").root == root
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    written(tmp_path / "a.tar", "v1")
    written(tmp_path / "b.tar", "v1")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_another_program_unpacks_it(tmp_path: Path) -> None:
    root = written(tmp_path / "a.tar", "v1")
    with tarfile.open(tmp_path / "a.tar") as archive:
        names = archive.getnames()
        assert names[:2] == ["index.json", "oci-layout"]
        assert f"blobs/sha256/{root.digest.encoded}" in names
        assert all(member.isreg() and member.mtime == 0 and member.mode == 0o644 for member in archive)


def test_adding_to_an_archive_keeps_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    first = written(path, "v1")
    writer = ArchiveWriter(path)
    second = artifact(writer, "v2", b"other content")
    assert writer.resolve("v1") == first
    writer.commit()
    archive = OciArchive(path)
    assert (archive.resolve("v1"), archive.resolve("v2")) == (first, second)
    assert archive.exists(first)


def test_what_is_discarded_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    written(path, "v1")
    before = path.read_bytes()
    writer = ArchiveWriter(path)
    artifact(writer, "v2")
    writer.discard()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]


def test_a_file_that_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    written(path, "v1")
    writer = ArchiveWriter(path)
    artifact(writer, "v2", b"mine")
    written(path, "v1", "theirs")
    with pytest.raises(ArchiveChangedError):
        writer.commit()
    assert OciArchive(path).tags() == ["theirs", "v1"]
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(TEMPORARY)]


def test_a_private_archive_and_a_link_to_it_stay_what_they_are(tmp_path: Path) -> None:
    path, link = tmp_path / "a.tar", tmp_path / "link.tar"
    written(path, "v1")
    path.chmod(0o600)
    link.symlink_to(path)
    written(link, "v2")
    assert link.is_symlink()
    assert OciArchive(path).tags() == ["v1", "v2"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_content_of_an_archive_is_verified(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    root = written(path, "v1")
    raw = path.read_bytes()
    path.write_bytes(raw.replace(BLOB, BLOB[::-1]))
    archive = OciArchive(path)
    layer = Descriptor("application/wasm", Digest.of(BLOB), len(BLOB))
    assert archive.exists(root)
    assert not archive.exists(layer)
    with pytest.raises(DigestMismatchError):
        copy(archive, "v1", MemoryTarget(), "x")


def test_sha512_names_that_are_too_long_for_ustar_go_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    writer = ArchiveWriter(path)
    blob = Descriptor("a/b", Digest.of(BLOB, "sha512"), len(BLOB))
    writer.push(blob, BytesContent(BLOB))
    writer.commit()
    assert b"".join(OciArchive(path).fetch(blob)) == BLOB
    with tarfile.open(path) as archive:
        assert f"blobs/sha512/{blob.digest.encoded}" in archive.getnames()


def test_headers_are_those_that_the_standard_library_reads() -> None:
    random_source = random.Random(1)
    for _ in range(200):
        name = "".join(random_source.choice("abc/0") for _ in range(random_source.randrange(1, 200))).strip("/") or "x"
        name = "/".join(part for part in name.split("/") if part)
        data = random_source.randbytes(random_source.randrange(0, 2000))
        raw = tar_header(name, len(data)) + data + padding(len(data)) + END
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            (member,) = archive
            content = archive.extractfile(member)
            assert content is not None
            assert (member.name, content.read()) == (name, data)


def test_sizes_beyond_8_gib_are_in_a_pax_header() -> None:
    header = tar_header("big", 8**11)
    info = tarfile.TarInfo.frombuf(header[:512], "utf-8", "strict")
    assert info.type == b"x"
    assert b"size=8589934592" in header


MARKER = ("oci-layout", layout_marker())
EMPTY = ("index.json", b'{"schemaVersion": 2, "manifests": []}')


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "is not an archive of an OCI image layout"),
        ((MARKER,), "is not an archive of an OCI image layout"),
        ((MARKER, EMPTY, EMPTY), "two files are called index.json"),
        ((("oci-layout", b'{"imageLayoutVersion": "2"}'), EMPTY), "of version '2'"),
    ],
)
def test_what_is_no_layout_is_refused(tmp_path: Path, files: tuple[tuple[str, bytes], ...], message: str) -> None:
    path = packed(tmp_path / "a.tar", *files)
    with pytest.raises(InvalidLayoutError, match=message):
        OciArchive(path)
    with pytest.raises(InvalidLayoutError, match=message):
        ArchiveWriter(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]


def test_an_index_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar", MARKER, ("index.json", b" " * (5 << 20)))
    with pytest.raises(InvalidLayoutError, match="is larger than"):
        OciArchive(path).tags()


@pytest.mark.parametrize("raw", [b"x" * 600, b"\x1f\x8b\x08" + bytes(600), tar_header("oci-layout", 5000) + b"short"])
def test_what_is_no_archive_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(raw)
    with pytest.raises(InvalidLayoutError):
        OciArchive(tmp_path / "a.tar")


def test_an_archive_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ContentNotFoundError, match="no such file"):
        OciArchive(tmp_path / "none.tar")


def test_links_and_other_names_lead_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    digest = Digest.of(BLOB)
    with tarfile.open(path, "w") as archive:
        for name, data in (MARKER, EMPTY, ("../evil", b"x"), ("/etc/evil", b"x"), ("blobs/sha256/short", b"x")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo(f"blobs/sha256/{digest.encoded}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert not OciArchive(path).exists(Descriptor("a/b", digest, len(BLOB)))
    writer = ArchiveWriter(path)
    inside = {each.relative_to(writer.folder).as_posix() for each in writer.folder.rglob("*") if each.is_file()}
    writer.discard()
    assert inside == {"oci-layout", "index.json"}
