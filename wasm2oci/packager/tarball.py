"""Read files out of image layers: tar streams, plain or compressed, from anybody.

The rules:

* One pass, in pieces: nothing is unpacked, no path of an archive ever becomes a path on this machine, memory does not
  depend on what the archive claims.
* What the bytes are is told by the bytes: layers are labelled wrongly in the wild, and a bare module may be among them.
* Compressed data may grow by a fixed ratio and no more.
* Only regular files are files: links lead elsewhere, and are reported, not followed; sparse files are passed over.

Formats: POSIX ustar and pax, GNU long names. Spec: POSIX pax, Interchange Format; image-spec, layer.md (whiteouts).
"""

import itertools
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.errors import InvalidInputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "Entry",
    "EntryKind",
    "InvalidArchiveError",
    "UnsupportedCompressionError",
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
_ENTRIES_MAX: Final = 500_000
_GROWTH_BASE: Final = 64 << 20
_GROWTH_RATIO: Final = 200
"""Decompressed bytes may be 64 MiB plus 200 times what came in; gzip at its worst does 1032."""

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


def decompressed(chunks: "Iterable[bytes]") -> "Iterator[bytes]":
    """These bytes, decompressed if they begin as gzip or zstd does.

    Args:
        chunks: the bytes of a layer.

    Raises (when iterated):
        InvalidArchiveError: the compressed data is damaged, cut short, or a bomb.
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
        return _limited(whole, _gunzip)
    if head.startswith(_ZSTD):
        return _limited(whole, _unzstd)
    return whole


def _limited(chunks: "Iterator[bytes]", expand: "Callable[[Iterator[bytes]], Iterator[bytes]]") -> "Iterator[bytes]":
    taken = given = 0

    def counted() -> "Iterator[bytes]":
        nonlocal taken
        for chunk in chunks:
            taken += len(chunk)
            yield chunk

    for piece in expand(counted()):
        given += len(piece)
        if given > _GROWTH_BASE + _GROWTH_RATIO * taken:
            raise InvalidArchiveError(f"layer grows from {taken:,} to more than {given:,} bytes when it is unpacked")
        yield piece


def _gunzip(chunks: "Iterator[bytes]") -> "Iterator[bytes]":
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
                data, expander, fresh = expander.unused_data, zlib.decompressobj(wbits=31), True
    while not fresh and (piece := expander.decompress(b"", _PIECE)):
        yield piece
    if not fresh:
        raise InvalidArchiveError("gzip data of the layer ends too early")


def _unzstd(chunks: "Iterator[bytes]") -> "Iterator[bytes]":
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


def read_tar(chunks: "Iterable[bytes]") -> "Iterator[tuple[Entry, Iterable[bytes]]]":
    """The entries of a tar archive, each with its content.

    Args:
        chunks: the archive, decompressed.

    Yields:
        An entry, and its bytes: to be read before the next entry is asked for, or not at all.

    Raises (when iterated):
        InvalidArchiveError: it is no tar archive, or is cut short.
    """
    blocks = _Blocks(iter(chunks))
    long_name: str | None = None
    pax: dict[str, str] = {}
    for _ in range(_ENTRIES_MAX):
        header = blocks.exactly(_BLOCK)
        if not header.strip(b"\0"):
            return
        kind, size, path = _header(header)
        if kind in b"xLgK":
            if size > _EXTENSION_MAX:
                raise InvalidArchiveError(f"layer has a header of {size:,} bytes")
            data = blocks.exactly(size)
            blocks.skip(-size % _BLOCK)
            if kind == b"L":
                long_name = _text(data)
            elif kind == b"x":
                pax = _pax(data)
            continue
        sparse = kind == b"S" or any(key.startswith("GNU.sparse.") for key in pax)
        is_file = kind in {b"0", b"\0", b"7"} and not sparse
        if "size" in pax:
            size = _pax_size(pax["size"])
        path = pax.get("path") or long_name or path
        if len(path) > _PATH_MAX:
            raise InvalidArchiveError(f"layer has a file name of {len(path):,} characters")
        if kind == b"S" and header[482]:
            while (more := blocks.exactly(_BLOCK)) and more[504:505] not in {b"\0", b""}:
                pass
        long_name, pax = None, {}
        entry_kind = EntryKind.FILE if is_file else EntryKind.LINK if kind in {b"1", b"2"} else EntryKind.OTHER
        if path.endswith("/") and entry_kind is EntryKind.FILE:
            entry_kind = EntryKind.OTHER
        body = _Body(blocks, 0 if kind in _WITHOUT_CONTENT else size)
        yield Entry(normal_path(path), entry_kind, size if is_file else 0), body
        body.finish()
    raise InvalidArchiveError(f"layer has more than {_ENTRIES_MAX:,} entries")


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


def _pax(data: bytes) -> dict[str, str]:
    """The records of a pax header: `LENGTH KEY=VALUE` and a newline, the length counting all of that."""
    records: dict[str, str] = {}
    start = 0
    while start < len(data):
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
