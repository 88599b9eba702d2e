"""Requests and responses as values: what the core decides on, and what it decided.

Nothing here knows sockets. A request's body is an iterable that can be passed over once; a response's body is bytes,
a part of a file, or chunks, and says its own length, so the HTTP server never guesses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qsl, unquote

from wasm2oci.base import http1
from wasm2oci.oci.http import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wasm2oci.base.files import ReadableFile

__all__ = ["BrokenBodyError", "Buffer", "BytesBody", "FileBody", "Request", "Response", "ResponseBody", "StreamBody"]

Buffer = bytes | bytearray | memoryview
"""A chunk of a body. A memoryview is only good until the next chunk is asked for."""

_PIECE: Final = 256 * 1024


class BrokenBodyError(Exception):
    """The request's body ended before it was whole, came too slowly, or broke its framing.

    Args:
        message: what went wrong.
        status: the answer the client may still get before the connection is closed, or None when it is gone.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ResponseBody(Protocol):
    """What a response carries: a length in bytes and a way to produce them once."""

    @property
    def length(self) -> int | None:
        """Bytes that will come; None where that is not known, and then they go out in chunks."""
        ...

    def __iter__(self) -> Iterator[Buffer]:
        """The bytes, in pieces of any size."""
        ...

    def close(self) -> None:
        """Let go of what the body holds, whether it was read or not."""
        ...


@dataclass(frozen=True, slots=True)
class BytesBody:
    """A body that is already in memory."""

    data: bytes = b""

    @property
    def length(self) -> int:
        """Bytes that will come."""
        return len(self.data)

    def __iter__(self) -> Iterator[Buffer]:
        yield self.data

    def close(self) -> None:
        """Nothing is held."""


class FileBody:
    """`length` bytes of an open file from `offset` on, in views of one buffer; closes the file in the end.

    Not by sendfile: measured on a loopback, where this registry mostly talks, it was slower than one copy more.
    """

    __slots__ = ("_file", "length", "offset")

    def __init__(self, file: ReadableFile, offset: int, length: int) -> None:
        self._file, self.offset, self.length = file, offset, length

    def __iter__(self) -> Iterator[Buffer]:
        at, end = self.offset, self.offset + self.length
        view = memoryview(bytearray(min(_PIECE, self.length)))
        while at < end:
            count = self._file.read_into(view[: end - at], at)
            if not count:
                raise OSError("file became shorter while it was sent")
            at += count
            yield view[:count]

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()


class StreamBody:
    """A body that is made while it is sent. An empty piece flushes the pieces before it.

    Args:
        pieces: its bytes.
        length: how many in all; None where that is not known.
        trailers: says, at the end, which fields come after it; only where it goes out in chunks.
        close: lets go of what it holds.
    """

    def __init__(
        self,
        pieces: Iterable[Buffer],
        length: int | None,
        trailers: Callable[[], Iterable[tuple[str, bytes]]],
        close: Callable[[], None],
    ) -> None:
        self._pieces, self.length = pieces, length
        self._trailers, self.close = trailers, close

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._pieces)

    def trailer_bytes(self) -> bytes:
        """The trailers as they are sent; only fields that are well formed."""
        fields = [(name.encode(), value) for name, value in self._trailers()]
        good = [(name, value) for name, value in fields if http1.is_field_name(name) and http1.is_field_value(value)]
        return b"".join([name + b": " + value + b"\r\n" for name, value in good])


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: as it came, in capitals.
        target: origin form: the path and, after `?`, the query; still percent-encoded.
        headers: its fields.
        body: its bytes, one pass; iterating may raise `BrokenBodyError`.
        length: bytes of the body, None when it is chunked and not known.
        peer: the client's address, for people.
        secure: whether it came over TLS.
    """

    method: str
    target: str
    headers: Headers = field(default_factory=Headers)
    body: Iterable[Buffer] = ()
    length: int | None = 0
    peer: str = ""
    secure: bool = False

    @property
    def path(self) -> str:
        """The path, percent-decoded once. It is matched against strict grammars only, never opened."""
        return unquote(self.target.partition("?")[0], errors="replace")

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters, each with all of its values, blank ones kept.

        Raises:
            ValueError: more than 256 of them.
        """
        result: dict[str, list[str]] = {}
        for name, value in parse_qsl(
            self.target.partition("?")[2], keep_blank_values=True, max_num_fields=256, errors="replace"
        ):
            result.setdefault(name, []).append(value)
        return result


@dataclass(frozen=True, slots=True)
class Response:
    """One response.

    `Content-Length` is the body's length unless `headers` already say another: a test may lie on purpose.

    Attributes:
        status: 200 to 599.
        headers: name and value pairs in the order they are sent.
        body: what follows; not sent for HEAD, 204 and 304, but its length still is where the rules allow.
        close: end the connection after this response.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: ResponseBody = BytesBody()
    close: bool = False

    def header(self, name: str) -> str | None:
        """The first value of this field, or None."""
        return next((value for found, value in self.headers if found.lower() == name.lower()), None)

    def read(self) -> bytes:
        """The whole body in memory; closes it. For tests and small answers."""
        try:
            return b"".join(bytes(piece) for piece in self.body)
        finally:
            self.body.close()
