"""The tar format: entries of an archive that may come from a stranger, and headers for archives of our own.

* Archives are read in one pass, in pieces; no path of an archive becomes a path on this machine here.
* Only regular files are files: links lead elsewhere and are reported, not followed; sparse files are passed over.
* What is written depends on names and content alone: no dates, no owners.

Formats: POSIX ustar and pax, GNU long names. Spec: POSIX pax, Interchange Format.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from wasm2oci.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.base.budget import Budget

__all__ = [
    "END",
    "EntryKind",
    "InvalidArchiveError",
    "TarEntry",
    "TarSource",
    "normal_path",
    "padding",
    "read_entries",
    "read_tar",
    "tar_header",
]

_BLOCK: Final = 512
_EXTENSION_MAX: Final = 1 << 20
"""Bytes of a pax header or of a GNU long name."""
_PATH_MAX: Final = 4096
"""Characters of a path: no system that images are made for can unpack a longer one."""
_DEPTH_MAX: Final = 512
"""Folders within folders of a path."""
_PIECE: Final = 1 << 20

_WITHOUT_CONTENT: Final = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
"""Type flags of links, devices, folders and pipes: no content follows, whatever the size field says."""


class InvalidArchiveError(InvalidInputError):
    """A file or layer is not the tar archive that it should be, or becomes too large when it is decompressed."""


class EntryKind(StrEnum):
    """What an entry of an archive is."""

    FILE = "file"
    LINK = "link"
    OTHER = "other"


class TarEntry(NamedTuple):
    """An entry of an archive.

    Args:
        path: as normalised by `normal_path`.
        kind: file, link (of any sort), or something without content.
        size: bytes of its content.
    """

    path: str
    kind: EntryKind
    size: int


def normal_path(path: str) -> str:
    """This path of an archive without leading `/` and `./`, and without `.` and `..` components."""
    return "/".join(part for part in path.split("/") if part not in {"", ".", ".."})


class TarSource(Protocol):
    """Bytes that are taken in order."""

    def some(self, size: int) -> bytes:
        """At least one and at most `size` bytes; empty at the end."""
        ...

    def skip(self, size: int) -> None:
        """Leave out `size` bytes.

        Raises:
            InvalidArchiveError: there are fewer.
        """
        ...


def _exactly(source: TarSource, size: int) -> bytes:
    """`size` bytes, or fewer at the end; the caller bounds `size`."""
    pieces = []
    while size and (piece := source.some(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class _Chunks:
    """The same from chunks of any size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def some(self, size: int) -> bytes:
        """At least one and at most `size` bytes; empty at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def skip(self, size: int) -> None:
        """Leave out `size` bytes."""
        while size:
            piece = self.some(min(size, _PIECE))
            if not piece:
                raise InvalidArchiveError("archive ends in the middle of a file")
            size -= len(piece)


class _Body:
    """The content of one entry, to be read at most once; what is not read is skipped."""

    def __init__(self, blocks: TarSource, size: int) -> None:
        self._blocks = blocks
        self._left = size
        self._padding = -size % _BLOCK

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            piece = self._blocks.some(min(self._left, _PIECE))
            if not piece:
                raise InvalidArchiveError("archive ends in the middle of a file")
            self._left -= len(piece)
            yield piece

    def finish(self) -> None:
        self._blocks.skip(self._left + self._padding)
        self._left = self._padding = 0


def read_tar(chunks: Iterable[bytes], budget: Budget) -> Iterator[tuple[TarEntry, Iterable[bytes]]]:
    """The entries of a tar archive, each with its content.

    Args:
        chunks: the archive, decompressed.
        budget: is charged with entries, records of headers, and parts of sparse maps.

    Yields:
        An entry, and its bytes: to be read before the next entry is asked for, or not at all.

    Raises (when iterated):
        InvalidArchiveError: it is not a tar archive, or is cut short, or over the budget.
    """
    return read_entries(_Chunks(iter(chunks)), budget)


def read_entries(blocks: TarSource, budget: Budget) -> Iterator[tuple[TarEntry, Iterable[bytes]]]:
    """The same from a source that may skip without reading. When an entry is given out, its content comes next."""
    long_name: str | None = None
    pax: dict[str, str] = {}
    while (header := _exactly(blocks, _BLOCK)).strip(b"\0"):
        budget.charge(entries=1)
        kind, size, path = _header(header)
        if kind in b"xLgK":
            if size > _EXTENSION_MAX:
                raise InvalidArchiveError(f"archive has a header of {size:,} bytes")
            data = _exactly(blocks, size)
            blocks.skip(-size % _BLOCK)
            if kind == b"L":
                long_name = _text(data)
            elif kind == b"x":
                pax = _pax(data, budget)
            continue
        sparse = kind == b"S" or any(key.startswith("GNU.sparse.") for key in pax)
        is_file = kind in {b"0", b"\0", b"7"} and not sparse
        if "size" in pax:
            size = _pax_size(pax["size"])
        path = pax.get("path") or long_name or path
        if len(path) > _PATH_MAX:
            raise InvalidArchiveError(f"archive has a file name of {len(path):,} characters")
        if path.count("/") > _DEPTH_MAX:
            raise InvalidArchiveError(f"archive has a path of {path.count('/'):,} folders")
        if kind == b"S" and header[482]:
            while (more := _exactly(blocks, _BLOCK)) and more[504:505] not in {b"\0", b""}:
                budget.charge(entries=1)
        long_name, pax = None, {}
        entry_kind = EntryKind.FILE if is_file else EntryKind.LINK if kind in {b"1", b"2"} else EntryKind.OTHER
        if path.endswith("/") and entry_kind is EntryKind.FILE:
            entry_kind = EntryKind.OTHER
        body = _Body(blocks, 0 if kind in _WITHOUT_CONTENT else size)
        yield TarEntry(normal_path(path), entry_kind, size if is_file else 0), body
        body.finish()


def _header(header: bytes) -> tuple[bytes, int, str]:
    """Type flag, size and path of a header block."""
    if len(header) < _BLOCK:
        raise InvalidArchiveError("this is not a tar archive, or it is cut short")
    checksum = _number(header[148:156])
    if checksum != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise InvalidArchiveError("this is not a tar archive: the checksum of a header is wrong")
    path = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345] != 0:
        path = f"{_text(header[345:500])}/{path}"
    return header[156:157], _number(header[124:136]), path


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU: a large number in base 256. Negative ones (the second bit) have no meaning in what is read here.
        value = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        if field[0] != 0x80 or value >> 62:
            raise InvalidArchiveError("archive has a number in a header that is out of range")
        return value
    text = field.split(b"\0", 1)[0].strip()
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise InvalidArchiveError("this is not a tar archive: a number in a header is malformed")
    return int(text, 8)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _pax(data: bytes, budget: Budget) -> dict[str, str]:
    """The records of a pax header: `LENGTH KEY=VALUE` and a newline, the length counting all of that."""
    records: dict[str, str] = {}
    start = 0
    while start < len(data):
        budget.charge(entries=1)
        space = data.find(b" ", start, start + 20)
        digits = data[start:space] if space > 0 else b""
        if not digits.isdigit():
            raise InvalidArchiveError("archive has a malformed pax header")
        end = start + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end > len(data) or end <= space or not equals or data[end - 1 : end] != b"\n":
            raise InvalidArchiveError("archive has a malformed pax header")
        records[key.decode("utf-8", "replace")] = value.split(b"\0", 1)[0].decode("utf-8", "replace")
        start = end
    return records


def _pax_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidArchiveError("archive has a malformed pax header")
    return int(text)


def tar_header(path: str, size: int, *, executable: bool = False) -> bytes:
    """The header of a regular file: readable by all, without date and owner; pax where ustar has no room for it."""
    name, records = path.encode(), {}
    if len(name) > _NAME_MAX:
        records["path"] = path
    if size >= 8**11:
        records["size"] = str(size)
    mode = 0o755 if executable else 0o644
    if not records:
        return _ustar(name, size, b"0", mode)
    data = b"".join(_pax_record(key, value) for key, value in records.items())
    pax = _ustar(b"pax_header", len(data), b"x") + data + padding(len(data))
    return pax + _ustar(name[-_NAME_MAX:], 0 if "size" in records else size, b"0", mode)


def padding(size: int) -> bytes:
    """What follows content of this size, up to the next block."""
    return bytes(-size % _BLOCK)


_NAME_MAX: Final = 100
"""Bytes of a name in a ustar header."""
END: Final = bytes(2 * _BLOCK)
"""What ends an archive."""


def _ustar(name: bytes, size: int, kind: bytes, mode: int = 0o644) -> bytes:
    fields = (
        (name, _NAME_MAX),
        (b"%07o\0" % mode, 8),
        (b"0000000\0", 8),
        (b"0000000\0", 8),
        (b"%011o\0" % size, 12),
        (b"00000000000\0", 12),
        (b" " * 8, 8),
        (kind, 1),
        (b"", 100),
        (b"ustar\00000", 8),
    )
    header = b"".join(value.ljust(width, b"\0") for value, width in fields).ljust(_BLOCK, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def _pax_record(key: str, value: str) -> bytes:
    text = f" {key}={value}\n".encode()
    length = len(text) + 1
    while len(str(length)) + len(text) != length:
        length = len(str(length)) + len(text)
    return str(length).encode() + text
