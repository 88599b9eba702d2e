"""Carries out what `upload.BlobUpload` decides: bodies, waiting, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.content.verify import verified
from wasm2oci.errors import Wasm2OciError
from wasm2oci.oci.endpoints import CANCEL_UPLOAD
from wasm2oci.oci.reference import join_name
from wasm2oci.registry.problems import ExchangeError
from wasm2oci.registry.upload import BlobUpload, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wasm2oci.content.target import Content
    from wasm2oci.content.verify import SelfVerifying
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.exchange import Exchange
    from wasm2oci.registry.messages import Response
    from wasm2oci.registry.upload import Ask

__all__ = ["drop_upload", "push_blob"]

_PIECE: Final = 1024 * 1024
"""Bytes handed to the connection at once: TLS and the HTTP library both copy what is larger again and again."""


def push_blob(
    exchange: Exchange,
    descriptor: Descriptor,
    content: Content,
    *,
    location: str | None = None,
    unasked: bool,
) -> None:
    """Upload a blob.

    Args:
        exchange: with the repository.
        descriptor: of the blob.
        content: its bytes; verified on the way, so that wrong bytes are never completed.
        location: of a session that is open already, or None.
        unasked: whether the blob may go in the request that would open its upload.

    Raises:
        IntegrityError: the bytes are not those of the descriptor, or the registry says so.
        RegistryError: the registry refuses, or the connection kept breaking.
        Wasm2OciError: whatever reading the content raises.
    """
    session = exchange.session
    upload = BlobUpload(
        session.origin,
        exchange.name,
        descriptor.digest,
        descriptor.size,
        host=session.host,
        policy=session.policy,
        random=session.world.random,
        now=session.world.now,
        location=location,
        unasked=unasked,
    )
    source = _Source(verified(content, descriptor), descriptor.size)
    run = upload.run()
    try:
        step = next(run)
        while True:
            reply: Response | ExchangeError | None = None
            if isinstance(step, Wait):
                session.pause(step.seconds, step.reason)
            else:
                reply = _ask(exchange, step, source)
            step = run.send(reply)
    except StopIteration as done:
        refused = done.value
    except ExchangeError:
        raise  # dropping the session would meet the same broken connection
    except Wasm2OciError:
        drop_upload(exchange, upload.location)
        raise
    finally:
        run.close()
        source.close()
    if refused is not None:
        drop_upload(exchange, upload.location)
        body = refused.response.read_truncated(64 * 1024)
        kind = "repository" if refused.response.request.method == "POST" else "upload"
        raise exchange.refusal(refused.response, body, join_name(exchange, descriptor.digest), kind=kind, pushing=True)


def _ask(exchange: Exchange, step: Ask, source: _Source) -> Response | ExchangeError:
    request = step.request
    if step.part is not None:
        body = source.part(*step.part)
        request = request._replace(body=body)
    try:
        return exchange.forward(step.row, request)
    except ExchangeError as error:
        if source.failure is not None:  # it was the reading that broke, not the sending
            raise source.failure from error.__cause__
        return error


def drop_upload(exchange: Exchange, location: str | None) -> None:
    """Cancel an upload, if there is one: once, and whatever comes of it, since a registry ends it by itself in time."""
    if location is None:
        return
    try:
        request = exchange.request(CANCEL_UPLOAD, location=location)
        exchange.forward(CANCEL_UPLOAD, request._replace(repeatable=False)).drain()
    except Wasm2OciError as error:
        exchange.session.log(f"* the upload session stays: {error.message}")


class _Source:
    """The content as bodies: whole, or one part after the other without reading from the start each time."""

    def __init__(self, content: SelfVerifying, size: int) -> None:
        self._content = content
        self._size = size
        self._pieces: Iterator[bytes] | None = None
        self._rest = b""
        self._at = 0
        self.failure: Wasm2OciError | None = None

    def part(self, start: int, end: int) -> _Whole | bytes:
        """Bytes from `start` to before `end`: a body that opens the content again, or those bytes."""
        if start == 0 and end == self._size and self._pieces is None:
            return _Whole(self, self._size)
        if self._pieces is None or self._at > start:
            self.close()
            self._pieces = iter(self._content)
            self._rest, self._at = b"", 0
        self._read(self._pieces, start - self._at)
        return self._read(self._pieces, end - start)

    def _read(self, pieces: Iterator[bytes], count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0:
            piece = self._rest or next(pieces, b"")
            if not piece:
                raise AssertionError("verified content has all its bytes")
            parts.append(piece[:count])
            self._rest = piece[count:]
            count -= len(parts[-1])
            self._at += len(parts[-1])
        if self._at == self._size and not self._rest:
            for _ in pieces:  # nothing is left but the check of the digest, before the last part goes out
                pass
        return b"".join(parts)

    def whole(self) -> Iterator[bytes]:
        self.failure = None
        last = b""
        try:
            for piece in _cut(self._content):
                if last:
                    yield last
                last = piece
        except Wasm2OciError as error:
            self.failure = error
            raise
        # The last piece waits for the check of all: a registry never gets wrong bytes whole.
        if last:
            yield last

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._pieces = None


class _Whole:
    """All of the content, from the start each time."""

    __slots__ = ("_source", "size")

    def __init__(self, source: _Source, size: int) -> None:
        self._source = source
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        return self._source.whole()


def _cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if len(chunk) <= _PIECE:
            if chunk:
                yield chunk
            continue
        view = memoryview(chunk)
        for start in range(0, len(chunk), _PIECE):
            yield bytes(view[start : start + _PIECE])
