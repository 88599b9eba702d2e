"""Reading one blob, and reading on where a broken connection left off.

A connection that breaks, or ends early, is followed by a request with `Range`. Its answer is checked: a 206 must
start at exactly the byte that was asked for and be part of a blob of the right size; a 200 (the registry takes no
ranges) is read past what is known, and after a 416 all of the blob is asked for. Tries are counted again after every
megabyte of progress. None of this is trusted: the reader verifies the whole (`content.verify.VerifiedContent`), so a
wrong splice is an error and never a wrong file.

Spec: distribution-spec, Pulling blobs, end-2; RFC 9110 section 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import one_line
from wasm2oci.content.verify import SizeMismatchError
from wasm2oci.oci.endpoints import GET_BLOB
from wasm2oci.oci.http import parse_content_range
from wasm2oci.oci.media_type import OCTET_STREAM, essence
from wasm2oci.oci.reference import join_name
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.problems import ConnectionLostError, ExchangeError, ResponseError
from wasm2oci.registry.web_pages import is_page, page_error

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.exchange import Exchange
    from wasm2oci.registry.messages import Response

__all__ = ["BlobPart", "RangesRefusedError"]

_PROGRESS: Final = 1 << 20


class RangesRefusedError(ResponseError):
    """The registry answers a request for a part of a blob with all of it, or with 416."""


class BlobPart:
    """Some bytes of a blob in a registry, as they come; the caller verifies the whole.

    Args:
        exchange: with the repository.
        descriptor: of the blob.
        start: the first byte.
        stop: the byte after the last one.
    """

    __slots__ = ("_descriptor", "_exchange", "_start", "_stop")

    def __init__(self, exchange: Exchange, descriptor: Descriptor, start: int, stop: int) -> None:
        self._exchange = exchange
        self._descriptor = descriptor
        self._start = start
        self._stop = stop

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, from a connection of their own.

        Raises:
            BlobUnknownError: the blob is not there.
            SizeMismatchError: there are more or fewer bytes than the descriptor says.
            RangesRefusedError: the registry does not send a part that ends before the blob does.
            ExchangeError: the connection kept breaking.
        """
        return self.read(None)

    def open(self) -> Response:
        """The answer with these bytes, its body not read yet, for `read`; see `__iter__` for the errors."""
        return self._open(self._start)

    def read(self, response: Response | None) -> Generator[bytes]:
        """The bytes, the first of them from this answer if there is one."""
        offset = mark = self._start
        tried = 0
        while True:
            if response is None:
                response = self._open(offset)
            failure: Wasm2OciError
            page: bool | None = None
            try:
                skip = offset if response.status == 200 else 0
                for chunk in response.stream:
                    if page is None:
                        page = response.status == 200 and is_page(response, chunk)
                    if skip:
                        skipped = min(skip, len(chunk))
                        skip -= skipped
                        piece = chunk[skipped:]
                        if not piece:
                            continue
                    else:
                        piece = chunk
                    offset += len(piece)
                    if offset > self._stop:
                        if page:
                            raise self._page_error(response)
                        size = self._descriptor.size
                        raise SizeMismatchError(f"{self._descriptor.digest} has more bytes than its {size:,}")
                    yield piece
            except ExchangeError as error:
                if offset == self._stop:  # the end is missing, but no byte of the blob
                    return
                failure = error
            else:
                if offset == self._stop:
                    return
                if page:
                    raise self._page_error(response)
                failure = ConnectionLostError(
                    f"{self._exchange.session.host}: {self._descriptor.digest} ends after {offset:,} of"
                    f" {self._descriptor.size:,} bytes"
                )
            finally:
                response.close()
            response = None
            if offset - mark >= _PROGRESS:
                tried, mark = 0, offset
            tried += 1
            self._exchange.session.wait(tried, failure)

    @property
    def _to_the_end(self) -> bool:
        return self._stop == self._descriptor.size

    def _open(self, offset: int) -> Response:
        ranged = offset > 0 or not self._to_the_end
        if ranged:
            end = "" if self._to_the_end else str(self._stop - 1)
            try:
                return self._ask(offset, {"Range": f"bytes={offset}-{end}"})
            except RangesRefusedError:
                if not self._to_the_end:
                    raise
        return self._ask(offset, {})

    def _ask(self, offset: int, headers: Mapping[str, str]) -> Response:
        response = self._exchange.send(GET_BLOB, self._descriptor.digest, headers=headers)
        try:
            self._check(response, offset, ranged=bool(headers))
        except BaseException:
            response.close()
            raise
        return response

    def _check(self, response: Response, offset: int, *, ranged: bool) -> None:
        size, digest = self._descriptor.size, self._descriptor.digest
        if ranged and response.status == 416:
            raise RangesRefusedError(f"{self._exchange.session.host} does not send parts of blobs")
        if not GET_BLOB.succeeded(response.status) or (response.status == 206 and not ranged):
            body = response.read_truncated(ERROR_BODY_MAX)
            raise self._exchange.refusal(response, body, join_name(self._exchange, digest), kind="blob")
        encoding = response.headers.get("content-encoding")
        if encoding is not None and encoding.lower() != "identity":
            raise ResponseError(
                f"{self._exchange.session.host} sends {digest.short} compressed, although that was not requested",
                hint="something between this machine and the registry changes the responses",
            )
        if response.status == 200 and not self._to_the_end:
            raise RangesRefusedError(f"{self._exchange.session.host} does not send parts of blobs")
        expected = size
        if response.status == 206:
            self._check_range(response, offset)
            expected = self._stop - offset
        length = response.length
        if length is not None and length != expected:
            if response.status == 200 and is_page(response, response.read_truncated(ERROR_BODY_MAX)):
                raise self._page_error(response)
            kind = essence(response.headers.get("content-type") or OCTET_STREAM)
            told = "" if kind in {OCTET_STREAM, self._descriptor.media_type} else f" of {one_line(kind, 60)}"
            raise SizeMismatchError(
                f"{digest} has {length + size - expected:,} bytes{told} in the registry, not {size:,}",
                hint="the manifest or the registry is wrong; nothing was stored",
            )

    def _page_error(self, response: Response) -> ResponseError:
        return page_error(self._exchange.session, response, f"with the blob {self._descriptor.digest.short}")

    def _check_range(self, response: Response, offset: int) -> None:
        found = parse_content_range(response.headers.get("content-range"))
        if found is None:
            raise ResponseError(f"{self._exchange.session.host} sends a part of a blob and does not say which")
        first, last, total = found
        if first != offset or last >= self._stop or total not in {None, self._descriptor.size}:
            raise ResponseError(f"{self._exchange.session.host} sends another part of the blob than was asked for")
