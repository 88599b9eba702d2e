"""The blobs of one repository: looking, downloading, uploading, and taking them from a repository beside it.

What only one of these needs is imported when it is used.
Spec: distribution-spec, end-2, end-4, end-5, end-6, end-11.
"""

from __future__ import annotations

from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Final

from wasm2oci.content.verify import verified
from wasm2oci.errors import AccessError, RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.endpoints import GET_BLOB, HEAD_BLOB, MOUNT_BLOB
from wasm2oci.oci.reference import join_name
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.problems import NotSupportedError
from wasm2oci.registry.scope import Scope
from wasm2oci.registry.urls import Origin, join_own
from wasm2oci.registry.web_pages import is_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.oci.digest import Digest
    from wasm2oci.registry.download import BlobPart
    from wasm2oci.registry.eager_upload import EagerUpload
    from wasm2oci.registry.exchange import Exchange
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.ranges import ParallelBlob

__all__ = ["RepositoryBlobs"]

_UNASKED_MAX: Final = 128 * 1024
"""Bytes of a blob up to which sending it twice is faster than one more round trip."""


class RepositoryBlobs:
    """The blobs of one repository, which messages call `shown`; used by any number of threads."""

    def __init__(self, exchange: Exchange, shown: str) -> None:
        self._exchange = exchange
        self._session = exchange.session
        self._shown = shown
        self._guard = Lock()
        self._readers: BoundedSemaphore | None = None
        self._uploads: dict[Digest, str] = {}
        self._eager: EagerUpload | None = None
        self._keeps_unasked = True

    # --- reading ---------------------------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here, whole.

        Raises:
            AccessError: the registry does not let us look.
        """
        response, body = self._look_for(descriptor.digest)
        if response.status in {400, 401, 403, 405} and Origin.of(response.url) != self._session.origin:
            # Sent on to a storage that answers GET only: so the registry has it. A GET that the storage refuses gives
            # nothing (S3 answers so for what is not there); then sending it is right.
            return response.request.method == "HEAD"
        return self._exchange.says_present(response, body, descriptor, join_name(self._shown, descriptor.digest))

    def find(self, digest: Digest) -> Descriptor:
        """The blob of this digest, as the registry tells its size.

        Raises:
            NotFoundError: it is not here.
            UnsupportedError: the registry does not tell.
        """
        response, body = self._look_for(digest)
        if response.status != 200:
            raise self._exchange.refusal(response, body, join_name(self._shown, digest), kind="blob")
        if response.length is None:
            raise NotSupportedError(f"{self._shown} does not report the size of {digest}")
        return Descriptor(mt.OCTET_STREAM, digest, response.length)

    def content(self, descriptor: Descriptor) -> Content:
        """A blob as content, asked for when it is read; not verified."""
        return _Downloaded(self, descriptor)

    def download(self, descriptor: Descriptor, start: int = 0) -> BlobPart | ParallelBlob:
        """The bytes of a blob from `start` on, not verified; see `ranges` for a large one."""
        from wasm2oci.registry.download import BlobPart
        from wasm2oci.registry.ranges import HELPERS, PARALLEL_MIN, ParallelBlob

        if descriptor.size - start >= PARALLEL_MIN:
            with self._guard:
                if self._readers is None:
                    self._readers = BoundedSemaphore(HELPERS)
            return ParallelBlob(self._exchange, descriptor, self._readers, start)
        return BlobPart(self._exchange, descriptor, start, descriptor.size)

    # --- writing ---------------------------------------------------------------------------------

    def push(self, descriptor: Descriptor, content: Content) -> None:
        """Store a blob; see `content.target.Target.push`."""
        from wasm2oci.registry.uploader import push_blob

        if not self._finish_eager(descriptor, content):
            with self._guard:
                location = self._uploads.pop(descriptor.digest, None)
            unasked = self.takes_unasked(descriptor)
            push_blob(self._exchange, descriptor, content, location=location, unasked=unasked)
        self.note_holder(descriptor)

    def takes_unasked(self, descriptor: Descriptor) -> bool:
        """Whether this blob is sent in the request that would open its upload (end-4b)."""
        return self._keeps_unasked and descriptor.size <= _UNASKED_MAX

    def stop_unasked(self) -> None:
        """Open an upload for each blob from now on: the registry may have thrown away one that it accepted."""
        self._keeps_unasked = False

    def send_ahead(self, content: Content, size: int) -> None:
        """Begin to take this content, whose digest is not known yet; see `eager_upload.EagerUpload`."""
        from wasm2oci.registry.eager_upload import EagerUpload

        self.close()
        found_out = self._session.found_out
        if found_out is not None and found_out.knows_size(self._session.origin, size):
            return  # it may be mounted, or be there
        eager = EagerUpload(self._exchange, content, size)
        with self._guard:
            self._eager = eager

    def close(self) -> None:
        """End what was begun and not pushed."""
        with self._guard:
            eager, self._eager = self._eager, None
        if eager is not None:
            eager.close()

    # --- repositories beside this one ------------------------------------------------------------

    def mount(self, descriptor: Descriptor, name: str) -> bool:
        """Take a blob from another repository of this registry; False if its bytes must be sent."""
        query = [("mount", str(descriptor.digest)), ("from", name)]
        also = [Scope.repository(name, "pull")]
        request = self._exchange.request(MOUNT_BLOB, query=query, headers={"Content-Length": "0"})
        try:
            response = self._exchange.forward(MOUNT_BLOB, request._replace(repeatable=False), also=also)
        except (AccessError, RegistryError):  # no token for both at once, for example
            return False
        if is_page(response, response.read_truncated(ERROR_BODY_MAX)):
            return False
        location = response.headers.get("location")
        if response.status == 202 and location is not None:
            with self._guard:
                self._uploads[descriptor.digest] = join_own(response.url, location)
        if response.status == 201:
            self.note_holder(descriptor)
        return response.status == 201

    def holder(self, descriptor: Descriptor) -> str | None:
        """The name of another repository that had this blob when another process saw it, or None."""
        session = self._session
        if session.found_out is None or descriptor.size <= _UNASKED_MAX:
            return None
        name = session.found_out.holder(session.origin, descriptor)
        return name if name != self._exchange.name else None

    def note_holder(self, descriptor: Descriptor) -> None:
        """Let the next process know that this repository has this blob."""
        session = self._session
        if session.found_out is not None and descriptor.size > _UNASKED_MAX:
            session.found_out.note_holder(session.origin, self._exchange.name, descriptor)

    # --- inside ----------------------------------------------------------------------------------

    def _finish_eager(self, descriptor: Descriptor, content: Content) -> bool:
        with self._guard:
            eager = self._eager
            if eager is None or eager.size != descriptor.size:
                return False
            self._eager = None
        return eager.finish(descriptor, verified(content, descriptor).moved)

    def _look_for(self, digest: Digest) -> tuple[Response, bytes]:
        """What the registry says about a blob, and the body of an error.

        A HEAD that is refused is asked again as GET: the answer to HEAD does not say why, and some firewalls let no
        HEAD through.
        """
        response = self._exchange.send(HEAD_BLOB, digest)
        response.drain()
        if response.status not in {401, 403} or Origin.of(response.url) != self._session.origin:
            return response, b""
        response = self._exchange.send(GET_BLOB, digest)
        body = response.read_truncated(ERROR_BODY_MAX) if response.status >= 400 else b""
        response.close()
        return response, body


class _Downloaded:
    __slots__ = ("_blobs", "_descriptor")

    def __init__(self, blobs: RepositoryBlobs, descriptor: Descriptor) -> None:
        self._blobs = blobs
        self._descriptor = descriptor

    def __iter__(self) -> Iterator[bytes]:
        yield from self._blobs.download(self._descriptor)
        self._blobs.note_holder(self._descriptor)
