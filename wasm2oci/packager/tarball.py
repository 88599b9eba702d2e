"""Read files out of image layers: tar streams, plain or compressed, from anybody.

The rules:

* One pass, in pieces: nothing is unpacked, no path of an archive ever becomes a path on this machine, memory does not
  depend on what the archive claims.
* What the bytes are is told by the bytes: layers are labelled wrongly in the wild, and a bare module may be among them.
* Compressed data may grow by a fixed ratio and no more, and what all layers together hold is charged to one budget.
* Only regular files are files: links lead elsewhere, and are reported, not followed; sparse files are passed over.

Formats: POSIX ustar and pax, GNU long names. Spec: POSIX pax, Interchange Format; image-spec, layer.md (whiteouts).
"""

import itertools
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.budget import Budget
from wasm2oci.errors import InvalidInputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "ENTRIES_MAX",
    "SIZE_MAX",
    "Entry",
    "EntryKind",
    "InvalidArchiveError",
    "UnsupportedCompressionError",
    "archive_budget",
    "decompressed",
    "normal_path",
    "read_tar",
]

_BLOCK: Final = 512
_PIECE: Final = 1 << 20
_EXTENSION_MAX: Final = 1 << 20
"""Bytes of a pax header or of a GNU long name."""
_PATH_MAX: Final = 4096
"""Characters of a path: no system that images are made for can unpack a longer one."""
_DEPTH_MAX: Final = 512
"""Folders within folders of a path."""
ENTRIES_MAX: Final = 2_000_000
"""Entries, header records and compressed members of all layers of one artifact."""
SIZE_MAX: Final = 16 << 30
"""Decompressed bytes of all layers of one artifact (16 GiB)."""
_GROWTH_BASE: Final = 64 << 20
_GROWTH_RATIO: Final = 200
"""Decompressed bytes may be 64 MiB plus 200 times what came in; gzip at its worst does 1032."""
_FED: Final = 16 << 10
"""Bytes a decompressor is given at once: what it does not use it copies, and it may use very little each time."""

_WITHOUT_CONTENT: Final = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
"""Type flags of links, devices, folders and pipes: no content follows, whatever the size field says."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class InvalidArchiveError(InvalidInputError):
    """A layer is not the tar archive that it should be, or grows beyond all measure when it is decompressed."""


class UnsupportedCompressionError(UnsupportedError):
    """A layer is compressed in a way that this Python cannot undo."""


class EntryKind(StrEnum):
    """What an entry of an archive is."""

    FILE = "file"
    LINK = "link"
    OTHER = "other"


class Entry(NamedTuple):
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


def archive_budget(*, size: int = SIZE_MAX, entries: int = ENTRIES_MAX, seconds: float | None = None) -> Budget:
    """What looking into all layers of one artifact may cost."""
    return Budget("layers are too large to look into", InvalidArchiveError, size=size, entries=entries, seconds=seconds)


def decompressed(chunks: "Iterable[bytes]", budget: Budget) -> "Iterator[bytes]":
    """These bytes, decompressed if they begin as gzip or zstd does.

    Args:
        chunks: the bytes of a layer.
        budget: is charged with decompressed bytes and with the members they come in.

    Raises (when iterated):
        InvalidArchiveError: the compressed data is damaged, cut short, or a bomb; or over the budget.
        UnsupportedCompressionError: it is zstd, and there is no decompressor for that here.
    """
    stream = iter(chunks)
    head = b""
    for chunk in stream:
        head += chunk
        if len(head) >= len(_ZSTD):
            break
    whole = itertools.chain((head,), stream) if head else stream
    if head.startswith(_GZIP):
        return _limited(whole, _gunzip, budget)
    if head.startswith(_ZSTD):
        return _limited(whole, _unzstd, budget)
    return _charged(whole, budget)


def _charged(chunks: "Iterator[bytes]", budget: Budget) -> "Iterator[bytes]":
    for chunk in chunks:
        budget.charge(size=len(chunk))
        yield chunk


def _limited(
    chunks: "Iterator[bytes]", expand: "Callable[[Iterator[bytes], Budget], Iterator[bytes]]", budget: Budget
) -> "Iterator[bytes]":
    taken = given = 0

    def counted() -> "Iterator[bytes]":
        nonlocal taken
        for chunk in chunks:
            taken += len(chunk)
            for start in range(0, len(chunk), _FED):
                yield chunk[start : start + _FED]

    for piece in expand(counted(), budget):
        given += len(piece)
        budget.charge(size=len(piece))
        if given > _GROWTH_BASE + _GROWTH_RATIO * taken:
            raise InvalidArchiveError(f"layer grows from {taken:,} to more than {given:,} bytes when it is unpacked")
        yield piece


def _gunzip(chunks: "Iterator[bytes]", budget: Budget) -> "Iterator[bytes]":
    expander = zlib.decompressobj(wbits=31)
    fresh = True
    for chunk in chunks:
        data = chunk
        while data:
            if fresh and not data.strip(b"\0"):
                break  # padding after the last member
            try:
                piece = expander.decompress(data, _PIECE)
            except zlib.error as error:
                raise InvalidArchiveError(f"layer is not valid gzip data: {error}") from error
            fresh = False
            if piece:
                yield piece
            data = expander.unconsumed_tail
            if expander.eof:
                budget.charge(entries=1)
                data, expander, fresh = expander.unused_data, zlib.decompressobj(wbits=31), True
    while not fresh and (piece := expander.decompress(b"", _PIECE)):
        yield piece
    if not fresh:
        raise InvalidArchiveError("gzip data of the layer ends too early")


def _unzstd(chunks: "Iterator[bytes]", budget: Budget) -> "Iterator[bytes]":
    zstd = _zstd_module()
    expander = zstd.ZstdDecompressor()
    fresh = True
    for chunk in chunks:
        data = chunk
        while data or not expander.needs_input:
            try:
                piece = expander.decompress(data, max_length=_PIECE)
            except zstd.ZstdError as error:
                raise InvalidArchiveError(f"layer is not valid zstd data: {error}") from error
            data, fresh = b"", False
            if piece:
                yield piece
            if expander.eof:
                budget.charge(entries=1)
                data, expander, fresh = expander.unused_data, zstd.ZstdDecompressor(), True
                if not data:
                    break
    if not fresh:
        raise InvalidArchiveError("zstd data of the layer ends too early")


def _zstd_module() -> Any:
    from importlib import import_module  # noqa: PLC0415 - zstd layers are rare

    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UnsupportedCompressionError(
        "layer is compressed with zstd, which this Python cannot unpack",
        hint="use Python 3.14 or later, or install backports.zstd",
    )


class _Blocks:
    """Bytes that are taken in exact amounts from chunks of any size."""

    def __init__(self, chunks: "Iterator[bytes]") -> None:
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

    def exactly(self, size: int) -> bytes:
        """`size` bytes, or fewer at the end; the caller bounds `size`."""
        pieces, left = [], size
        while left and (piece := self.some(left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Leave out `size` bytes."""
        while size:
            piece = self.some(min(size, _PIECE))
            if not piece:
                raise InvalidArchiveError("layer ends in the middle of a file")
            size -= len(piece)


class _Body:
    """The content of one entry, to be read at most once; what is not read is skipped."""

    def __init__(self, blocks: _Blocks, size: int) -> None:
        self._blocks = blocks
        self._left = size
        self._padding = -size % _BLOCK

    def __iter__(self) -> "Iterator[bytes]":
        while self._left:
            piece = self._blocks.some(min(self._left, _PIECE))
            if not piece:
                raise InvalidArchiveError("layer ends in the middle of a file")
            self._left -= len(piece)
            yield piece

    def finish(self) -> None:
        self._blocks.skip(self._left + self._padding)
        self._left = self._padding = 0


def read_tar(chunks: "Iterable[bytes]", budget: Budget) -> "Iterator[tuple[Entry, Iterable[bytes]]]":
    """The entries of a tar archive, each with its content.

    Args:
        chunks: the archive, decompressed.
        budget: is charged with entries, records of headers, and parts of sparse maps.

    Yields:
        An entry, and its bytes: to be read before the next entry is asked for, or not at all.

    Raises (when iterated):
        InvalidArchiveError: it is no tar archive, or is cut short, or over the budget.
    """
    blocks = _Blocks(iter(chunks))
    long_name: str | None = None
    pax: dict[str, str] = {}
    while (header := blocks.exactly(_BLOCK)).strip(b"\0"):
        budget.charge(entries=1)
        kind, size, path = _header(header)
        if kind in b"xLgK":
            if size > _EXTENSION_MAX:
                raise InvalidArchiveError(f"layer has a header of {size:,} bytes")
            data = blocks.exactly(size)
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
            raise InvalidArchiveError(f"layer has a file name of {len(path):,} characters")
        if path.count("/") > _DEPTH_MAX:
            raise InvalidArchiveError(f"layer has a path of {path.count('/'):,} folders")
        if kind == b"S" and header[482]:
            while (more := blocks.exactly(_BLOCK)) and more[504:505] not in {b"\0", b""}:
                budget.charge(entries=1)
        long_name, pax = None, {}
        entry_kind = EntryKind.FILE if is_file else EntryKind.LINK if kind in {b"1", b"2"} else EntryKind.OTHER
        if path.endswith("/") and entry_kind is EntryKind.FILE:
            entry_kind = EntryKind.OTHER
        body = _Body(blocks, 0 if kind in _WITHOUT_CONTENT else size)
        yield Entry(normal_path(path), entry_kind, size if is_file else 0), body
        body.finish()


def _header(header: bytes) -> tuple[bytes, int, str]:
    """Type flag, size and path of a header block."""
    if len(header) < _BLOCK:
        raise InvalidArchiveError("layer is not a tar archive, or is cut short")
    checksum = _number(header[148:156])
    if checksum != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise InvalidArchiveError("layer is not a tar archive: the checksum of a header is wrong")
    path = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345] != 0:
        path = f"{_text(header[345:500])}/{path}"
    return header[156:157], _number(header[124:136]), path


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU: a large number in base 256. Negative ones (the second bit) have no meaning in what is read here.
        value = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        if field[0] != 0x80 or value >> 62:
            raise InvalidArchiveError("layer has a number in a header that is out of range")
        return value
    text = field.split(b"\0", 1)[0].strip()
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise InvalidArchiveError("layer is not a tar archive: a number in a header is malformed")
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
            raise InvalidArchiveError("layer has a malformed pax header")
        end = start + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end > len(data) or end <= space or not equals or data[end - 1 : end] != b"\n":
            raise InvalidArchiveError("layer has a malformed pax header")
        records[key.decode("utf-8", "replace")] = value.split(b"\0", 1)[0].decode("utf-8", "replace")
        start = end
    return records


def _pax_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidArchiveError("layer has a malformed pax header")
    return int(text)
