"""Content that checks itself against its descriptor while it is read.

The rules:

* Nothing is allocated by a declared size: memory follows the bytes that really came, and the size only bounds them.
* A byte too many is an error as soon as it arrives; a byte too few, or a wrong one, when the content ends. So a
  caller that exhausts the iterator has the right bytes, and must not store them before.
* Much content is hashed on a thread of its own, while the caller receives and writes what comes next; so hashing takes
  no time where there are two processors. It is over before the content ends.
* Bytes are hashed once: content that verifies itself is recognised by its type, and is not wrapped again.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.files import ReadableFile, local_errors
from wasm2oci.errors import IntegrityError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor

__all__ = [
    "CHUNK",
    "BytesContent",
    "CheckedBytes",
    "ContentTooLargeError",
    "DigestMismatchError",
    "FileContent",
    "SelfVerifying",
    "SizeMismatchError",
    "VerifiedContent",
    "read_all",
    "verified",
]

CHUNK: Final = 1 << 19
"""Bytes of a chunk: large enough that Python costs little beside the hash, small enough that no layer below cuts it
(TLS and HTTP copy what they cut; 1 MiB cost 8 % more of the processor for an upload)."""

_MUCH: Final = 16 << 20
"""Bytes of content from which on it is hashed on a thread of its own."""


class SizeMismatchError(IntegrityError):
    """There are more or fewer bytes than the descriptor says."""


class DigestMismatchError(IntegrityError):
    """The bytes are not those that the digest names."""


class ContentTooLargeError(InvalidInputError):
    """A descriptor claims more bytes than its reader is ready to hold in memory."""


class BytesContent:
    """Bytes in memory, as content."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        """Slices of `CHUNK` bytes."""
        data = self._data
        if len(data) <= CHUNK:
            if data:
                yield data
            return
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]


class FileContent:
    """A regular file, as content; opened again for each pass.

    Raises (when iterated):
        LocalIOError: it cannot be read, or is not a regular file.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        """Chunks of `CHUNK` bytes."""
        with local_errors(self._path):
            file = ReadableFile(self._path)
        try:
            start = 0
            while True:
                with local_errors(self._path):
                    chunk = file.read_at(start, CHUNK)
                if not chunk:
                    return
                start += len(chunk)
                yield chunk
        finally:
            file.close()


class SelfVerifying:
    """Content that raises `IntegrityError` rather than end with other bytes than its descriptor's.

    A base class and not a protocol: that content keeps this promise cannot be seen from outside.
    """

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor

    def __iter__(self) -> Iterator[bytes]:
        """A fresh pass from the first byte."""
        raise AssertionError("a subclass says where the bytes come from")

    def moved(self, count: int) -> None:
        """Called when so many of its bytes reached the destination without being read from here."""

    def vouches_for(self, descriptor: Descriptor) -> bool:
        """Whether these are the bytes of that descriptor, once they were read to the end."""
        return self.descriptor.digest == descriptor.digest and self.descriptor.size == descriptor.size


class VerifiedContent(SelfVerifying):
    """Content checked against a descriptor while it is read.

    Args:
        descriptor: what the bytes have to be.
        content: where they come from.

    Raises (when iterated):
        SizeMismatchError: too many or too few bytes.
        DigestMismatchError: wrong bytes.
    """

    __slots__ = ("_content",)

    def __init__(self, descriptor: Descriptor, content: Content) -> None:
        super().__init__(descriptor)
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        """The chunks of the content, hashed on their way."""
        expected = self.descriptor
        hasher, left = expected.digest.hasher(), expected.size
        aside = None
        if left >= _MUCH:
            from wasm2oci.content.hashing import HashingThread  # noqa: PLC0415 - for large content only

            with suppress(RuntimeError):  # the system gives no further thread
                aside = HashingThread(hasher)
        update = hasher.update_raw if aside is None else aside.update
        try:
            for chunk in self._content:
                left -= len(chunk)
                if left < 0:
                    size = f"{expected.size:,}"
                    raise SizeMismatchError(f"{expected.digest} has more than the {size} bytes it should have")
                update(chunk)
                yield chunk
            if aside is not None:
                aside.finish()
        finally:
            if aside is not None:
                aside.stop()
        if left:
            raise SizeMismatchError(
                f"{expected.digest} ends after {expected.size - left:,} of {expected.size:,} bytes",
                hint="the transfer was cut short, or the size in the manifest is wrong",
            )
        actual = hasher.digest()
        if actual != expected.digest:
            raise DigestMismatchError(f"content is {actual}, not {expected.digest}", hint="these bytes were discarded")


class CheckedBytes(SelfVerifying):
    """Content that was read into memory and checked when this was made.

    Raises:
        IntegrityError: the bytes are not those of the descriptor.
    """

    __slots__ = ("data",)

    def __init__(self, descriptor: Descriptor, content: Content) -> None:
        super().__init__(descriptor)
        self.data = b"".join(verified(content, descriptor))

    @classmethod
    def known(cls, descriptor: Descriptor, data: bytes) -> Self:
        """These bytes, whose descriptor was just computed from them."""
        content = cls.__new__(cls)
        SelfVerifying.__init__(content, descriptor)
        content.data = data
        return content

    def __iter__(self) -> Iterator[bytes]:
        """Slices of `CHUNK` bytes."""
        return iter(BytesContent(self.data))


def verified(content: Content, descriptor: Descriptor) -> SelfVerifying:
    """This content, checked while it is read; not wrapped again when it does that by itself."""
    if isinstance(content, SelfVerifying) and content.vouches_for(descriptor):
        return content
    return VerifiedContent(descriptor, content)


def read_all(content: Content, descriptor: Descriptor, limit: int) -> bytes:
    """The bytes of content that fits into memory, verified.

    Args:
        content: where they come from.
        descriptor: what they have to be.
        limit: bytes that the caller is ready to hold.

    Raises:
        ContentTooLargeError: the descriptor claims more than `limit`; nothing was read.
        IntegrityError: the bytes are not those of the descriptor.
    """
    if descriptor.size > limit:
        raise ContentTooLargeError(f"{descriptor.digest} is {descriptor.size:,} bytes; the limit here is {limit:,}")
    buffer = io.BytesIO()  # whose value is not a copy, as a joined list of pieces would be
    for chunk in verified(content, descriptor):
        buffer.write(chunk)
    return buffer.getvalue()
