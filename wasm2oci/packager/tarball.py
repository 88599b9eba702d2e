"""Read files from image layers: tar streams, plain or compressed, that are not trusted.

The rules:

* One pass, in pieces: nothing is unpacked, no path of an archive ever becomes a path on this machine, memory does not
  depend on what the archive claims.
* The bytes themselves say what they are: layers are labelled wrongly in the wild, and a bare module may be among them.
* Compressed data may grow by a fixed ratio and no more, and what all layers together hold is charged to one budget.
* Only regular files are files: links lead elsewhere, and are reported, not followed; sparse files are passed over.

The tar format itself: `base.tar`. Spec: image-spec, layer.md (whiteouts).
"""

from __future__ import annotations

import itertools
import zlib
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.budget import Budget
from wasm2oci.base.tar import EntryKind, InvalidArchiveError, TarEntry, normal_path, read_tar
from wasm2oci.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "ENTRIES_MAX",
    "SIZE_MAX",
    "EntryKind",
    "InvalidArchiveError",
    "TarEntry",
    "UnsupportedCompressionError",
    "archive_budget",
    "decompressed",
    "normal_path",
    "read_tar",
]

_PIECE: Final = 1 << 20
ENTRIES_MAX: Final = 2_000_000
"""Entries, header records and compressed members of all layers of one artifact."""
SIZE_MAX: Final = 16 << 30
"""Decompressed bytes of all layers of one artifact (16 GiB)."""
_GROWTH_BASE: Final = 64 << 20
_GROWTH_RATIO: Final = 200
"""Decompressed bytes may be 64 MiB plus 200 times what came in; gzip at its worst does 1032."""
_FED: Final = 16 << 10
"""Bytes a decompressor is given at once: what it does not use it copies, and it may use very little each time."""


_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


class UnsupportedCompressionError(UnsupportedError):
    """A layer is compressed in a format that this Python cannot decompress."""


def archive_budget(*, size: int = SIZE_MAX, entries: int = ENTRIES_MAX, seconds: float | None = None) -> Budget:
    """What looking into all layers of one artifact may cost."""
    return Budget("layers are too large to look into", InvalidArchiveError, size=size, entries=entries, seconds=seconds)


def decompressed(chunks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
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


def _charged(chunks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    for chunk in chunks:
        budget.charge(size=len(chunk))
        yield chunk


def _limited(
    chunks: Iterator[bytes], expand: Callable[[Iterator[bytes], Budget], Iterator[bytes]], budget: Budget
) -> Iterator[bytes]:
    taken = given = 0

    def counted() -> Iterator[bytes]:
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


def _gunzip(chunks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
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


def _unzstd(chunks: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
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
        hint="install backports.zstd into the environment of wasm2oci, or use Python 3.14",
    )
