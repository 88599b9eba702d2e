"""The layer that a module becomes: its bytes as they are, or the one file of a container image's layer.

An image's layer is a tar archive in a gzip stream. Its blocks are stored, not compressed: what a compressor makes
depends on its version, and the digest of an artifact must not. Nothing is held in memory; the archive is made again for
each pass.
Spec: image-spec, layer.md; RFC 1951, 3.2.4 (stored blocks); RFC 1952 (gzip).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.content.verify import verified
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Hasher

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.digest import Digest
    from wasm2oci.packager.module_source import ModuleSource

__all__ = ["Layer", "image_layer", "plugin_layer", "raw_layer"]

_PLUGIN: Final = "plugin.wasm"
"""The file that Istio and its relatives look for."""
_STORED_MAX: Final = 0xFFFF
"""Bytes of a stored block."""
_BLOCK: Final = struct.Struct("<?HH")
"""Whether it is the last one, its length, and the complement of that."""
_TRAILER: Final = struct.Struct("<II")
_GZIP_HEAD: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""Deflate, no flags, no date, system unknown."""


class Layer(NamedTuple):
    """The layer of an artifact.

    Attributes:
        descriptor: digest and size of its bytes.
        content: its bytes, readable any number of times.
        file: the module's name in it, or for a layer that is the module the name that it may be called by.
        diff_id: the digest of the archive before it became a gzip stream; None for a layer that is the module.
    """

    descriptor: Descriptor
    content: Content
    file: str
    diff_id: Digest | None = None


def raw_layer(module: ModuleSource, file: str) -> Layer:
    """The module's bytes as they are."""
    return Layer(module.descriptor, module.content, file)


def image_layer(module: ModuleSource, file: str) -> Layer:
    """An archive with the module as an executable file of this name.

    Raises:
        IntegrityError: the module's file has changed since it was looked at.
    """
    archive, whole, plain = _Archive(module, file), Hasher(), Hasher()
    whole.consume(_stored(_watched(archive.tar(), plain), archive.size))
    return Layer(Descriptor(mt.OCTET_STREAM, whole.digest(), whole.size), archive, file, plain.digest())


def plugin_layer(module: ModuleSource, file: str) -> Layer:
    """An archive with the module as the file that proxies look for, whatever it is called."""
    del file
    return image_layer(module, _PLUGIN)


class _Archive:
    """The content of a layer: a gzip stream of a tar archive with one file."""

    __slots__ = ("_content", "_head", "_tail", "size")

    def __init__(self, module: ModuleSource, file: str) -> None:
        from wasm2oci.base.tar import END, padding, tar_header  # noqa: PLC0415 - most pushes make no archive

        size = module.descriptor.size
        self._content = verified(module.content, module.descriptor)
        self._head = tar_header(file, size, executable=True)
        self._tail = padding(size) + END
        self.size = len(self._head) + size + len(self._tail)

    def tar(self) -> Iterator[bytes]:
        yield self._head
        yield from self._content
        yield self._tail

    def __iter__(self) -> Iterator[bytes]:
        return _stored(self.tar(), self.size)


def _watched(chunks: Iterable[bytes], hasher: Hasher) -> Iterator[bytes]:
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk


def _stored(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """A gzip stream of these bytes in stored blocks, the same however the bytes are cut.

    Args:
        chunks: the bytes.
        size: how many they are.
    """
    from zlib import crc32  # noqa: PLC0415 - most pushes make no archive

    yield _GZIP_HEAD
    crc, left, waiting = 0, size, b""
    for chunk in chunks:
        crc = crc32(chunk, crc)
        waiting += chunk
        blocks, start = [], 0
        while left and len(waiting) - start >= (count := min(left, _STORED_MAX)):
            left -= count
            blocks += [_BLOCK.pack(left == 0, count, count ^ 0xFFFF), waiting[start : start + count]]
            start += count
        waiting = waiting[start:]
        yield b"".join(blocks)
    yield _TRAILER.pack(crc, size & 0xFFFF_FFFF)
