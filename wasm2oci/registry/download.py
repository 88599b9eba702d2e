"""Reading one blob, and reading on where a broken connection left off.

A connection that breaks, or ends early, is followed by a request with `Range`. Its answer is checked: a 206 must
start at exactly the byte that was asked for and be part of a blob of the right size; a 200 (the registry takes no
ranges) is read past what is known. Tries are counted anew after every megabyte of progress. None of this is trusted:
whoever reads verifies the whole (`content.verify.Verified`), so a wrong splice is an error and never a wrong file.

Spec: distribution-spec, Pulling blobs, end-2.
"""

import re
from typing import TYPE_CHECKING, Final

from wasm2oci.content.verify import SizeMismatchError
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.endpoints import endpoint
from wasm2oci.registry.problems import ConnectionLostError, ExchangeError, ResponseError
from wasm2oci.registry.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.errors import Wasm2OciError
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.session import Session

__all__ = ["RemoteBlob"]

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)\Z")
_PROGRESS: Final = 1 << 20


class RemoteBlob:
    """The bytes of a blob in a registry, as they come; verified by whoever wraps it.

    Args:
        session: with the registry.
        name: of the repository.
        descriptor: of the blob.
        scopes: what a token must allow.
        start: the first byte wanted.
    """

    __slots__ = ("_descriptor", "_name", "_scopes", "_session", "_start")

    def __init__(
        self,
        session: "Session",
        name: str,
        descriptor: "Descriptor",
        scopes: tuple[Scope, ...],
        start: int = 0,
    ) -> None:
        self._session = session
        self._name = name
        self._descriptor = descriptor
        self._scopes = scopes
        self._start = start

    def __iter__(self) -> "Iterator[bytes]":
        """The bytes, from a connection of their own.

        Raises:
            BlobUnknownError: it is not there.
            SizeMismatchError: there are more or fewer bytes than the descriptor says.
            ExchangeError: the connection kept breaking.
        """
        size = self._descriptor.size
        offset = mark = self._start
        if offset and offset >= size:
            return
        tried = 0
        while True:
            response = self._open(offset)
            failure: Wasm2OciError
            try:
                skip = offset if response.status == 200 else 0
                for chunk in response.stream:
                    if skip:
                        skipped = min(skip, len(chunk))
                        skip -= skipped
                        piece = chunk[skipped:]
                        if not piece:
                            continue
                    else:
                        piece = chunk
                    offset += len(piece)
                    if offset > size:
                        raise SizeMismatchError(
                            f"{self._descriptor.digest} has more than the {size:,} bytes it should have"
                        )
                    yield piece
            except ExchangeError as error:
                if offset == size:  # the end is missing, but no byte of the blob
                    return
                failure = error
            else:
                if offset == size:
                    return
                failure = ConnectionLostError(
                    f"{self._session.host}: {self._descriptor.digest} ends after {offset:,} of {size:,} bytes"
                )
            finally:
                response.close()
            if offset - mark >= _PROGRESS:
                tried, mark = 0, offset
            tried += 1
            self._session.wait(tried, failure)

    def _open(self, offset: int) -> "Response":
        digest = self._descriptor.digest
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        request = endpoint("end-2").request(self._session.origin, headers=headers, name=self._name, target=str(digest))
        response = self._session.send(request, self._scopes)
        try:
            self._check(response, offset)
        except BaseException:
            response.close()
            raise
        return response

    def _check(self, response: "Response", offset: int) -> None:
        size, digest = self._descriptor.size, self._descriptor.digest
        if response.status not in endpoint("end-2").done or (response.status == 206 and not offset):
            body = response.peek(ERROR_BODY_MAX)
            where = f"{self._session.host}/{self._name}@{digest}"
            raise self._session.refusal(response, body, where, name=self._name, kind="blob")
        encoding = response.headers.get("content-encoding")
        if encoding is not None and encoding.lower() != "identity":
            raise ResponseError(
                f"{self._session.host} sends {digest.short} compressed, which was not asked for",
                hint="something between here and the registry changes its answers",
            )
        expected = size
        if response.status == 206:
            self._check_range(response, offset)
            expected = size - offset
        length = response.length
        if length is not None and length != expected:
            raise SizeMismatchError(
                f"{digest} has {length + size - expected:,} bytes in the registry, not {size:,}",
                hint="the manifest or the registry is wrong; nothing was stored",
            )

    def _check_range(self, response: "Response", offset: int) -> None:
        text = response.headers.get("content-range") or ""
        match = _CONTENT_RANGE.match(text)
        if match is None:
            raise ResponseError(f"{self._session.host} sends a part of a blob and does not say which")
        first, last, total = match.groups()
        size = self._descriptor.size
        if int(first) != offset or int(last) >= size or total not in {"*", str(size)}:
            raise ResponseError(f"{self._session.host} sends another part of the blob than was asked for")
