"""A response as bytes of HTTP/1.1, from a server that may be hostile. Spec: RFC 9112.

What two readers could read differently is refused, as the server of this project does for requests.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from wasm2oci.base import http1
from wasm2oci.wasi.preview2.http.errors import HttpError, code
from wasm2oci.wasi.preview2.http.fields import FORBIDDEN, HttpFields

__all__ = ["ResponseHead", "ResponseReader"]

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_HEAD_MAX: Final = 64 * 1024
_LINE_MAX: Final = 1024
_INTERIM_MAX: Final = 16
_FINAL: Final = 200
_NO_BODY: Final = frozenset({204, 304})
_SWITCHING: Final = 101
_DIGITS_MAX: Final = 18


class ResponseHead(NamedTuple):
    """A response without its body.

    Attributes:
        status: its code.
        fields: its header fields, without those of the connection.
    """

    status: int
    fields: HttpFields


class ResponseReader:
    """Takes the bytes of a response as they come.

    Args:
        to_head: whether the request was a HEAD, whose response has no body.

    Attributes:
        head: once it is there.
        ended: whether the response is whole.
        failure: why the rest of it is not read; what came before that is good.
        trailers: what came after the body, where there was something.
    """

    def __init__(self, *, to_head: bool) -> None:
        self._to_head = to_head
        self._buffer = bytearray()
        self._interim = 0
        self._left: int | None = None
        self._chunked = False
        self._between = False
        self._in_trailers = False
        self.head: ResponseHead | None = None
        self.ended = False
        self.failure: HttpError | None = None
        self.trailers: list[tuple[str, bytes]] | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """More bytes of the connection; gives those of the body."""
        self._buffer += data
        parts: list[bytes] = []
        try:
            self._read(parts)
        except HttpError as error:
            self.failure = error
        return parts

    def _read(self, parts: list[bytes]) -> None:
        while self.head is None and not self.ended:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0 or end > _HEAD_MAX:
                if len(self._buffer) > _HEAD_MAX:
                    raise HttpError("HTTP-response-header-section-size", ("some", _HEAD_MAX))
                return
            raw = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._read_head(raw)
        self._body(parts)

    def end(self) -> None:
        """The connection has ended.

        Raises:
            HttpError: the response is not whole.
        """
        if self.head is None or self._chunked or self._left is not None:
            raise HttpError("HTTP-response-incomplete" if self.head is not None or self._buffer else _GONE)
        self.ended = True

    def _read_head(self, raw: bytes) -> None:
        first, *lines = raw.split(b"\r\n")
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise HttpError("HTTP-protocol-error")
        status = int(found[2])
        entries = [_field(line) for line in lines]
        if status < _FINAL:
            self._interim += 1
            if status == _SWITCHING or self._interim > _INTERIM_MAX:
                raise HttpError("HTTP-protocol-error")
            return
        self._frame(status, entries, later=found[1] == b"1")
        shown = HttpFields([(name, value) for name, value in entries if name.lower() not in FORBIDDEN], mutable=False)
        self.head = ResponseHead(status, shown)

    def _frame(self, status: int, entries: list[tuple[str, bytes]], *, later: bool) -> None:
        """Finds out how long the body is."""
        lengths = {value for name, value in entries if name.lower() == "content-length"}
        codings = [value.lower() for name, value in entries if name.lower() == "transfer-encoding"]
        if self._to_head or status in _NO_BODY:
            self.ended = True
        elif codings:
            if codings != [b"chunked"]:
                text = codings[0].decode("ascii", "replace")
                raise HttpError(*code("HTTP-response-transfer-coding", text))
            if lengths or not later:
                raise HttpError("HTTP-protocol-error")
            self._chunked, self._left = True, 0
        elif lengths:
            digits = lengths.pop()
            if lengths or not digits.isdigit() or len(digits) > _DIGITS_MAX:
                raise HttpError("HTTP-protocol-error")
            self._left = int(digits)
            self.ended = not self._left

    def _body(self, parts: list[bytes]) -> None:
        while self._buffer and not self.ended:
            if self._chunked and not self._left:
                if not self._chunk():
                    break
                continue
            count = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
            parts.append(bytes(self._buffer[:count]))
            del self._buffer[:count]
            if self._left is not None:
                self._left -= count
                self._between = self._chunked
                self.ended = not self._left and not self._chunked

    def _chunk(self) -> bool:
        """Reads what is between two chunks; whether it is whole."""
        if self._in_trailers:
            return self._read_trailers()
        end = self._buffer.find(b"\n", 2 if self._between else 0)
        if end < 0:
            if len(self._buffer) > _LINE_MAX:
                raise HttpError("HTTP-protocol-error")
            return False
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if self._between:
            if not line.startswith(b"\r\n"):
                raise HttpError("HTTP-protocol-error")
            line = line[2:]
        size = http1.chunk_size(line[:-2]) if line.endswith(b"\r\n") and len(line) <= _LINE_MAX else None
        if size is None:
            raise HttpError("HTTP-protocol-error")
        self._between = False
        self._left = size
        self._in_trailers = not size
        return True

    def _read_trailers(self) -> bool:
        if self._buffer.startswith(b"\r\n"):
            self.ended = True
            return True
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > _HEAD_MAX:
            if len(self._buffer) > _HEAD_MAX:
                raise HttpError("HTTP-response-trailer-section-size", ("some", _HEAD_MAX))
            return False
        entries = [_field(line) for line in bytes(self._buffer[:end]).split(b"\r\n")]
        self.trailers = [(name, value) for name, value in entries if name.lower() not in FORBIDDEN]
        self.ended = True
        return True


_GONE: Final = "connection-terminated"


def _field(line: bytes) -> tuple[str, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not http1.is_field_name(name) or not http1.is_field_value(line):
        raise HttpError("HTTP-protocol-error")
    return name.decode("ascii"), value.strip(b" \t")
