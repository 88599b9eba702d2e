import gzip
import os
import sys
import tarfile
import tracemalloc
import zlib
from collections import deque
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.artifacts import tar, tar_entry
from tests.support.strategies import chunked
from wasm2oci.errors import Wasm2OciError
from wasm2oci.packager.tarball import (
    EntryKind,
    InvalidArchiveError,
    TarEntry,
    UnsupportedCompressionError,
    archive_budget,
    decompressed,
    normal_path,
    read_tar,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)


def listing(chunks: "Iterable[bytes]") -> list[tuple[TarEntry, bytes]]:
    budget = archive_budget()
    return [(entry, b"".join(body)) for entry, body in read_tar(decompressed(chunks, budget), budget)]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_what_the_standard_library_writes_is_read(data: st.DataObject) -> None:
    files = data.draw(
        st.lists(st.tuples(NAMES.filter(lambda name: not name.endswith("/")), st.binary(max_size=1500)), max_size=4)
    )
    form = data.draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    raw = tar(files, compress=data.draw(st.booleans()), form=form)
    seen = listing(data.draw(chunked(raw)))
    assert seen == [(TarEntry(normal_path(name), EntryKind.FILE, len(body)), body) for name, body in files]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_an_error_of_ours_or_harmless(data: st.DataObject) -> None:
    raw = bytearray(tar({"a.wasm": b"\0asm" * 200, "n" * 150: b"x"}, compress=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        listing([bytes(raw[: data.draw(st.integers(0, len(raw)))])])
    except Wasm2OciError as error:
        assert error.message  # noqa: PT017 - either outcome is right


def test_a_body_that_is_not_read_is_passed_over() -> None:
    raw = tar({"a": bytes(2_000_000), "b": b"here"}, compress=False)
    names = {entry.path: b"".join(body) for entry, body in read_tar([raw], archive_budget()) if entry.path == "b"}
    assert names == {"b": b"here"}


def test_entries_have_a_kind() -> None:
    raw = tar(
        [
            (tar_entry("folder/", kind=tarfile.DIRTYPE), b""),
            (tar_entry("soft", kind=tarfile.SYMTYPE, link="/etc/passwd"), b""),
            (tar_entry("hard", kind=tarfile.LNKTYPE, link="../../x"), b""),
            (tar_entry("pipe", kind=tarfile.FIFOTYPE), b""),
            (tar_entry("null", kind=tarfile.CHRTYPE), b""),
            ("file", b"x"),
            (tar_entry("contiguous", kind=tarfile.CONTTYPE, size=1), b"y"),
        ]
    )
    kinds = {entry.path: entry.kind.value for entry, _ in listing([raw])}
    assert kinds == {
        "folder": "other", "soft": "link", "hard": "link", "pipe": "other", "null": "other",
        "file": "file", "contiguous": "file",
    }  # fmt: skip


def test_sparse_files_are_passed_over() -> None:
    info = tar_entry("sparse.wasm", size=4)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse.wasm"}
    pax = tar([(info, b"\0asm"), ("after", b"1")])
    header = bytearray(tar_entry("old", kind=b"S", size=512).tobuf(tarfile.GNU_FORMAT))
    header[482] = 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    more, last = bytearray(512), bytes(512)
    more[504] = 1
    old = bytes(header) + bytes(more) + last + bytes(512) + tar({"after": b"1"}, compress=False)
    for raw in (pax, old):
        entries = {entry.path: entry.kind for entry, _ in listing([raw])}
        assert entries["after"] is EntryKind.FILE
        assert EntryKind.OTHER in entries.values()


def test_an_old_header_without_magic_is_read() -> None:
    raw = bytearray(tar({"v7": b"data"}, compress=False, form=tarfile.USTAR_FORMAT))
    raw[257:265] = bytes(8)
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    assert listing([bytes(raw)])[0] == (TarEntry("v7", EntryKind.FILE, 4), b"data")


def test_a_long_ustar_name_has_a_prefix() -> None:
    name = "d" * 90 + "/" + "f" * 90
    assert listing([tar({name: b""}, form=tarfile.USTAR_FORMAT)])[0][0].path == name


def _patched(start: int, field: bytes) -> bytes:
    raw = bytearray(tar({"f": b"data"}, compress=False, form=tarfile.GNU_FORMAT))
    raw[start : start + len(field)] = field
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    return bytes(raw)


@pytest.mark.parametrize(
    "size", [b"\x80" + (4).to_bytes(11, "big"), b"00000000004\0", b"4 \0" + bytes(9), b"      4\0" + bytes(4)]
)
def test_sizes_are_read_in_both_notations(size: bytes) -> None:
    assert listing([_patched(124, size)])[0] == (TarEntry("f", EntryKind.FILE, 4), b"data")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"x" * 512, "not a tar archive"),
        (b"<html>", "not a tar archive"),
        (_patched(124, b"99999999999\0"), "a number in a header is malformed"),
        (_patched(124, b"\xff" * 12), "out of range"),
        (_patched(124, b"\x80" + b"\xff" * 11), "out of range"),
        (_patched(124, b"77777777777\0"), "ends in the middle of a file"),
        (_patched(124, b"\x80" + (1 << 61).to_bytes(11, "big")), "ends in the middle of a file"),
        (_patched(0, b"other")[:148] + b"0000001\0" + _patched(0, b"other")[156:], "checksum of a header is wrong"),
        (tar({"f": b"data"}, compress=False)[:514], "ends in the middle of a file"),
        (_patched(156, b"x"), "malformed pax header"),
        (_patched(124, b"00010000001\0")[:156] + b"x" + _patched(124, b"00010000001\0")[157:], "checksum"),
    ],
)
def test_what_is_no_archive_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidArchiveError, match=message):
        listing([raw])


@pytest.mark.parametrize(
    "records",
    [b"x", b"5 a=b", b"99 a=b\n", b"3 a\n", b"6 a=bc\n", b" 6 a=b\n", b"0 a=b\n", b"2 \n", b"6 ab\n", b"\xff"],
)
def test_a_malformed_pax_header_is_refused(records: bytes) -> None:
    raw = tar([(tar_entry("x", kind=b"x", size=len(records)), records), ("f", b"")], compress=False)
    with pytest.raises(InvalidArchiveError, match="malformed pax header"):
        listing([raw])


@pytest.mark.parametrize("size", ["-1", "1e3", "9" * 30, "\u0661"])
def test_a_malformed_pax_size_is_refused(size: str) -> None:
    body = f"size={size}\n".encode()
    record = next(row for n in range(99) if len(row := f"{n} ".encode() + body) == n)
    raw = tar([(tar_entry("x", kind=b"x", size=len(record)), record), ("f", b"")], compress=False)
    with pytest.raises(InvalidArchiveError, match="malformed pax header"):
        listing([raw])


def test_a_huge_header_is_not_read_into_memory() -> None:
    for kind in (b"x", b"L", b"g", b"K"):
        raw = tar_entry("x", kind=kind, size=1 << 30).tobuf(tarfile.GNU_FORMAT)
        with pytest.raises(InvalidArchiveError, match="header of 1,073,741,824 bytes"):
            listing([raw])


def test_entries_without_end_are_refused() -> None:
    raw = tar({str(number): b"" for number in range(4)})
    for entries, fits in ((4, True), (3, False)):
        budget = archive_budget(entries=entries)
        if fits:
            assert len(list(read_tar(decompressed([raw], budget), budget))) == 4
        else:
            with pytest.raises(InvalidArchiveError, match="more than 3 entries"):
                list(read_tar(decompressed([raw], budget), budget))


def records(number: int) -> bytes:
    header = b"5 a=\n" * number
    info = tar_entry("x", kind=b"x", size=len(header))
    return info.tobuf(tarfile.USTAR_FORMAT) + header + bytes(-len(header) % 512) + tar({"a": b""}, compress=False)


def gnu_sparse(parts: int) -> bytes:
    head = bytearray(tar_entry("x", kind=b"S", size=0).tobuf(tarfile.GNU_FORMAT))
    head[482] = 1
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    more = bytearray(512)
    more[504] = 1
    return bytes(head) + bytes(more) * parts + bytes(1024)


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(b"", mtime=0) * 2000,
        b"".join(gzip.compress(bytes([byte]), mtime=0) for byte in tar({"a": bytes(5000)}, compress=False)),
        records(2000),
        gnu_sparse(2000),
        tar({str(number): b"" for number in range(1001)}, compress=False),
    ],
    ids=["empty members", "members", "pax records", "sparse maps", "files"],
)
def test_whatever_costs_time_is_an_entry(raw: bytes) -> None:
    budget = archive_budget(entries=1000)
    with pytest.raises(InvalidArchiveError, match="more than 1,000 entries"):
        deque(read_tar(decompressed([raw], budget), budget), maxlen=0)


def test_a_member_costs_no_copy_of_all_that_follow() -> None:
    """50,000 members in one piece of 1 MiB were 50,000 copies of up to 1 MiB."""
    fed: list[int] = []
    original = zlib.decompressobj

    class Engine:
        def __init__(self, wbits: int) -> None:
            self.inner = original(wbits)

        def decompress(self, data: bytes, size: int) -> bytes:
            fed.append(len(data))
            return self.inner.decompress(data, size)

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

    raw = gzip.compress(b"", mtime=0) * 5000
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(zlib, "decompressobj", Engine)
        assert b"".join(decompressed([raw], archive_budget())) == b""
    assert max(fed) <= 16 << 10


def test_bytes_of_all_layers_are_charged_to_one_budget() -> None:
    budget = archive_budget(size=3000)
    list(decompressed([bytes(1400)], budget))
    list(decompressed([gzip.compress(bytes(1400))], budget))
    with pytest.raises(InvalidArchiveError, match="more than 3,000 bytes"):
        list(decompressed([gzip.compress(bytes(1400))], budget))


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a/b", "a/b"),
        ("./a", "a"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b", "a/b"),
        ("a//b/./c/", "a/b/c"),
        ("", ""),
        ("..", ""),
    ],
)
def test_cve_2021_21272_paths_lead_nowhere(path: str, normal: str) -> None:
    assert normal_path(path) == normal


def test_a_file_name_without_end_is_refused() -> None:
    for length in (4096, 4097):
        raw = tar({"a" * length: b""}, compress=False)
        if length == 4096:
            assert [entry.path for entry, _ in read_tar([raw], archive_budget())] == ["a" * 4096]
        else:
            with pytest.raises(InvalidArchiveError, match="a file name of 4,097 characters"):
                list(read_tar([raw], archive_budget()))


def test_a_path_of_too_many_folders_is_refused() -> None:
    for depth in (512, 513):
        raw = tar({"a/" * depth + "b": b""}, compress=False)
        if depth == 512:
            assert len(list(read_tar([raw], archive_budget()))) == 1
        else:
            with pytest.raises(InvalidArchiveError, match="a path of 513 folders"):
                list(read_tar([raw], archive_budget()))


def test_a_gzip_bomb_is_stopped_and_takes_no_memory() -> None:
    # The worst that gzip can do, 1032 to one: 300 MB of zeros in 300 KB.
    engine = zlib.compressobj(9, wbits=31)
    bomb = b"".join(engine.compress(bytes(1 << 20)) for _ in range(300)) + engine.flush()
    assert len(bomb) < 320_000
    taken = 0

    def unpack() -> None:
        nonlocal taken
        for piece in decompressed([bomb], archive_budget()):
            taken += len(piece)

    tracemalloc.start()
    try:
        with pytest.raises(InvalidArchiveError, match="when it is unpacked"):
            unpack()
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert taken <= (64 << 20) + 200 * len(bomb)


def test_gzip_in_several_members_with_padding_is_one_stream() -> None:
    raw = gzip.compress(b"a" * 1000, mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"b") + bytes(100)
    for size in (1, 7, 1000):
        chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
        assert b"".join(decompressed(chunks, archive_budget())) == b"a" * 1000 + b"b"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (gzip.compress(b"abc", mtime=0)[:-1], "ends too early"),
        (gzip.compress(os.urandom(5000))[:2000], "ends too early"),
        (gzip.compress(b"abc", mtime=0)[:-8] + bytes(8), "not valid gzip data"),
        (gzip.compress(b"abc", mtime=0) + b"garbage", "not valid gzip data"),
        (b"\x1f\x8bnonsense", "not valid gzip data"),
    ],
)
def test_damaged_gzip_is_refused(raw: bytes, message: str) -> None:
    for chunks in ([raw], [raw[:3], raw[3:]]):
        with pytest.raises(InvalidArchiveError, match=message):
            b"".join(decompressed(chunks, archive_budget()))


def test_what_is_not_compressed_passes() -> None:
    for raw in (b"", b"\x1f", b"plain text", b"\0asm"):
        assert b"".join(decompressed([raw[:1], b"", raw[1:]], archive_budget())) == raw


def test_zstd_is_unpacked_where_python_can() -> None:
    zstd = pytest.importorskip("backports.zstd", reason="optional: backports.zstd is not installed")
    data = os.urandom(3_000_000) + bytes(3_000_000)
    raw = zstd.compress(data) + zstd.compress(b"more")
    for size in (1000, len(raw)):
        chunks: Iterator[bytes] = (raw[start : start + size] for start in range(0, len(raw), size))
        assert b"".join(decompressed(chunks, archive_budget())) == data + b"more"
    with pytest.raises(InvalidArchiveError, match="ends too early"):
        b"".join(decompressed([raw[:-3]], archive_budget()))
    with pytest.raises(InvalidArchiveError, match="not valid zstd data"):
        b"".join(decompressed([raw[:4] + b"\xff" * 20], archive_budget()))
    bomb = zstd.compress(bytes(300 << 20))
    with pytest.raises(InvalidArchiveError, match="when it is unpacked"):
        deque(decompressed([bomb], archive_budget()), maxlen=0)


def test_without_a_decompressor_zstd_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedCompressionError, match="zstd") as caught:
        b"".join(decompressed([b"\x28\xb5\x2f\xfd" + bytes(20)], archive_budget()))
    assert "Python 3.14" in str(caught.value.hint)
