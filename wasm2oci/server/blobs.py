"""Blobs: pull, delete, and every way to push one.

Spec: distribution-spec, Pulling blobs (end-2), Pushing blobs (end-4 to end-6, end-11, end-13, end-14), end-10.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wasm2oci.oci.digest import ALGORITHMS, Digest
from wasm2oci.oci.endpoints import GET_BLOB, UPLOAD_STATUS
from wasm2oci.oci.http import parse_chunk_range
from wasm2oci.oci.media_type import OCTET_STREAM
from wasm2oci.oci.reference import check_repository
from wasm2oci.server.fairness import Peer
from wasm2oci.server.messages import Response
from wasm2oci.server.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasm2oci.server.call import Call
    from wasm2oci.server.uploads import UploadSession

__all__ = ["append", "cancel", "delete", "finish", "get", "parse_range", "start", "status"]

_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})\Z")
_LOOKED_INTO: Final = 1000
"""Repositories that are looked into for a blob that is mounted from anywhere; the client sends it where none has it."""
_WAIT: Final = 10.0
"""Seconds a request waits for another one that changes the same upload (a client that reconnected)."""


def get(call: Call) -> Response:
    """end-2: a blob, or one range of it."""
    digest = Digest.parse(call.reference)
    size = call.storage.blob_size(call.repository, digest)
    if size is None:
        raise ProblemError("BLOB_UNKNOWN")
    headers = (
        ("Content-Type", OCTET_STREAM),
        ("Docker-Content-Digest", str(digest)),
        ("ETag", f'"{digest}"'),
        ("Accept-Ranges", "bytes"),
    )
    found = None if size == 0 else parse_range(call.request.headers.combined("Range"), size)
    first, last = (0, size - 1) if found is None else found
    if first > last and found is not None:
        raise ProblemError("SIZE_INVALID", status=416, headers=(("Content-Range", f"bytes */{size}"),))
    body = call.storage.open_blob(call.repository, digest, first, last - first + 1)
    if body is None:
        raise ProblemError("BLOB_UNKNOWN")
    if found is None:
        return Response(200, headers, body)
    return Response(206, (*headers, ("Content-Range", f"bytes {first}-{last}/{size}")), body)


def delete(call: Call) -> Response:
    """end-10: take a blob out of the repository."""
    if not call.storage.delete_blob(call.repository, Digest.parse(call.reference)):
        raise ProblemError("BLOB_UNKNOWN")
    return Response(202)


def start(call: Call) -> Response:
    """end-4 and end-11: open an upload; or take the whole blob at once; or mount it from a neighbour."""
    mount = call.parameter("mount")
    if mount is not None and _mount(call, Digest.parse(mount)):
        return _created(call, Digest.parse(mount))
    text = call.parameter("digest")
    digest = None if text is None else Digest.parse(text)
    algorithm = call.parameter("digest-algorithm") or (digest.algorithm if digest else "sha256")
    if algorithm not in ALGORITHMS:
        raise ProblemError("DIGEST_INVALID", "digest-algorithm is neither sha256 nor sha512")
    _check_size(call, 0)
    session = call.uploads.start(call.repository, algorithm, Peer.of(call.request.peer))
    if digest is None:
        return _accepted(call, session)
    with session.lock:
        try:
            session.append(call.request.body, call.rules.blob_max)
            session.finish(digest)
        finally:
            call.uploads.end(session)
    return _created(call, digest)


def append(call: Call) -> Response:
    """end-5: the next chunk, or a stream."""
    with _session(call) as session:
        _take(call, session)
        return _accepted(call, session)


def finish(call: Call) -> Response:
    """end-6: the last bytes, if any, and the digest of all."""
    text = call.parameter("digest")
    if text is None:
        raise ProblemError("DIGEST_INVALID", "digest is missing")
    digest = Digest.parse(text)
    with _session(call) as session:
        session.expect(digest.algorithm)
        _take(call, session)
        try:
            session.finish(digest)
        finally:
            call.uploads.end(session)
    return _created(call, digest)


def status(call: Call) -> Response:
    """end-13: how far an upload is."""
    return _accepted(call, call.uploads.get(call.repository, call.reference), 204)


def cancel(call: Call) -> Response:
    """end-14: forget an upload."""
    with _session(call) as session:
        call.uploads.end(session)
    return Response(204)


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """The first and last byte that a `Range` field asks for of a content of `size` bytes (at least one).

    None when the field is to be ignored: absent, another unit, several ranges. First after last when nothing of it
    can be had. Spec: RFC 9110, 14.1.2.
    """
    match = _RANGE.match(text or "")
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size - 1) if int(last) else (size, size - 1)
    if last and int(last) < int(first):
        # RFC 9110 calls it invalid, to be ignored; the conformance suite wants it refused, as every registry does.
        return size, size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _chunk_range(text: str) -> tuple[int, int]:
    """First and last byte of a chunk.

    Raises:
        ProblemError: it is not `<first>-<last>`.
    """
    found = parse_chunk_range(text)
    if found is None:
        raise ProblemError("BLOB_UPLOAD_INVALID", "Content-Range is malformed", status=416)
    return found


@contextmanager
def _session(call: Call) -> Iterator[UploadSession]:
    session = call.uploads.get(call.repository, call.reference)
    if not session.lock.acquire(timeout=_WAIT):
        raise ProblemError("BLOB_UPLOAD_INVALID", "another request is changing this upload", status=409)
    try:
        # The holder of the lock may have ended it.
        yield call.uploads.get(call.repository, call.reference)
    finally:
        call.uploads.touch(session)
        session.lock.release()


def _take(call: Call, session: UploadSession) -> None:
    text, length = call.request.headers.combined("Content-Range"), call.request.length
    before = session.size
    if text is not None and length != 0:
        first, last = _chunk_range(text)
        if first != before:
            raise ProblemError(
                "BLOB_UPLOAD_INVALID",
                f"chunk begins at {first}, the upload is at {before}",
                status=416,
                headers=_position(call, session),
            )
        if length is not None and length != last - first + 1:
            raise ProblemError("SIZE_INVALID", "Content-Range and Content-Length disagree")
        _check_size(call, before)
        session.append(call.request.body, call.rules.blob_max)
        if session.size != last + 1:
            call.uploads.end(session)
            raise ProblemError("SIZE_INVALID", "chunk is not as long as its Content-Range")
        return
    _check_size(call, before)
    session.append(call.request.body, call.rules.blob_max)


def _check_size(call: Call, before: int) -> None:
    length, most = call.request.length, call.rules.blob_max
    if length is not None and before + length > most:
        raise ProblemError("SIZE_INVALID", f"blob is larger than {most:,} bytes", status=413)


def _mount(call: Call, digest: Digest) -> bool:
    # `from` may be left out: then any repository that has it will do (distribution-spec, Mounting a blob).
    source = call.parameter("from")
    # A blob that the user may not pull is answered like one that is not there: the answer must not reveal it.
    if source:
        sources = [check_repository(source)]
    else:
        call.effort.take_turn()  # there may be very many
        sources = call.storage.repositories()[:_LOOKED_INTO]
    return any(
        call.access.allows(call.user, "pull", name) and call.storage.mount_blob(call.repository, digest, name)
        for name in sources
    )


def _position(call: Call, session: UploadSession) -> tuple[tuple[str, str], ...]:
    return (
        ("Location", UPLOAD_STATUS.at(call.repository, session.id)),
        ("Range", f"0-{max(0, session.size - 1)}"),
    )


def _accepted(call: Call, session: UploadSession, code: int = 202) -> Response:
    return Response(code, (*_position(call, session), ("Docker-Upload-UUID", session.id)))


def _created(call: Call, digest: Digest) -> Response:
    return Response(201, (("Location", GET_BLOB.at(call.repository, digest)), ("Docker-Content-Digest", str(digest))))
