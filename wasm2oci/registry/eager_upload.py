"""Sending a large file while its digest is still being worked out.

Hashing a gibibyte takes most of a second, and a registry nearby takes in hundreds of megabytes in that time. So the
bytes go into an upload session that is completed when their name is known, or dropped when the registry turns out to
have them already. Only the straight way is gone here: POST, one PATCH with everything (in HTTP's chunks and without
`Content-Range`: as docker and skopeo push), PUT. The length is not declared, so that an unwanted PATCH
can end in good order: docker-registry refuses to cancel a session whose last request broke off. After any other failure
the session is dropped and the blob is pushed as usual, with all that `upload.BlobUpload` knows about registries; so no
error leaves this module.

Spec: distribution-spec, Pushing blobs, end-4a, end-5, end-6.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci.digest import Hasher
from wasm2oci.oci.endpoints import PATCH_UPLOAD, PUT_UPLOAD, START_UPLOAD
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.upload import COMMIT, OCTETS
from wasm2oci.registry.uploader import drop_upload
from wasm2oci.registry.urls import join_own
from wasm2oci.registry.web_pages import is_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.digest import Digest
    from wasm2oci.registry.exchange import Exchange

__all__ = ["EagerUpload"]

_GRACE: Final = 2.0
"""Seconds that a stopped upload gets to end by itself, so that its session can be dropped."""


class EagerUpload:
    """The upload of a blob whose digest is not known yet; it begins when this is made, on a thread of its own.

    Args:
        exchange: with the repository.
        content: the bytes.
        size: how many there are.
    """

    def __init__(self, exchange: Exchange, content: Content, size: int) -> None:
        self.size = size
        self._exchange = exchange
        self._content = content
        self._stop = threading.Event()
        self._moved: SimpleQueue[int | None] = SimpleQueue()
        self._furthest = 0
        self._location: str | None = None
        self._digest: Digest | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self, descriptor: Descriptor, moved: Callable[[int], None]) -> bool:
        """Wait until all bytes are there, and give them their name.

        Args:
            descriptor: of the content.
            moved: called with the number of bytes that moved, repeatedly; what it raises ends the upload.

        Returns:
            Whether the blob is stored; if not, it is to be pushed in the usual way.
        """
        try:
            for count in iter(self._moved.get, None):
                moved(count)
            if self._error is not None and not isinstance(self._error, Wasm2OciError):
                raise self._error
            return self._digest == descriptor.digest and self._name_it()
        finally:
            self.close()

    def close(self) -> None:
        """Stop, and drop the session unless it was completed."""
        self._stop.set()
        self._thread.join(_GRACE)
        location, self._location = self._location, None
        if not self._thread.is_alive():
            drop_upload(self._exchange, location)

    def _run(self) -> None:
        try:
            self._send()
        except Exception as error:  # noqa: BLE001 - the usual way meets the same trouble and reports it; bugs are raised in finish
            self._error = error
        finally:
            self._moved.put(None)

    def _send(self) -> None:
        reply = self._exchange.send(START_UPLOAD, headers={"Content-Length": "0"})
        reply.drain()
        location = reply.headers.get("location")
        if reply.status != 202 or location is None:
            return
        self._location = join_own(reply.url, location)
        body = _Passing(self)
        reply = self._exchange.send(PATCH_UPLOAD, location=self._location, headers=OCTETS, body=body)
        page = is_page(reply, reply.read_truncated(ERROR_BODY_MAX))
        if PATCH_UPLOAD.succeeded(reply.status) and not page:
            location = reply.headers.get("location")
            if location is not None:
                self._location = join_own(reply.url, location)
            self._digest = body.digest

    def _name_it(self) -> bool:
        if self._location is None:
            raise AssertionError("bytes arrived in a session")
        query, headers = [("digest", str(self._digest))], {**OCTETS, "Content-Length": "0"}
        try:
            reply = self._exchange.send(
                PUT_UPLOAD, location=self._location, query=query, headers=headers, patience=COMMIT
            )
        except Wasm2OciError:
            return False
        page = is_page(reply, reply.read_truncated(ERROR_BODY_MAX))
        if page or not PUT_UPLOAD.succeeded(reply.status):
            return False
        self._location = None
        return True

    def chunks(self, hasher: Hasher) -> Iterator[bytes]:
        """A pass over the content, hashed and counted (what a refusal made go twice, once), until this is stopped."""
        for chunk in self._content:
            if self._stop.is_set() or hasher.size + len(chunk) > self.size:
                return
            hasher.update(chunk)
            yield chunk
            if hasher.size > self._furthest:
                self._moved.put(hasher.size - self._furthest)
                self._furthest = hasher.size


class _Passing:
    """The content as a request's body, which knows afterwards what was sent."""

    __slots__ = ("_hasher", "_upload", "size")

    def __init__(self, upload: EagerUpload) -> None:
        self.size = upload.size
        self._upload = upload
        self._hasher = Hasher()

    @property
    def digest(self) -> Digest:
        """Of the bytes of the last pass."""
        return self._hasher.digest()

    def __iter__(self) -> Iterator[bytes]:
        self._hasher = Hasher()
        return self._upload.chunks(self._hasher)
