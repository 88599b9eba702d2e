"""Pushing one blob, as a state machine: which request comes next, decided from what the last one brought.

    POST    POST uploads/?digest=    all bytes of a small blob at once, where nothing was asked before
      201                            -> done
      202                            -> WHOLE: it opened a session and left the bytes
      else                           -> OPEN
    OPEN    POST uploads/            -> a session (or 201: the registry has it already)
    WHOLE   PUT location?digest=     all bytes in one request; the normal way, and the only one that GHCR likes
      201                            -> done
      413, 416                       -> CHUNKS in this session, smaller
      404                            -> OPEN, the session is gone; the second time, go on in CHUNKS
      408, 425, 429, 5xx, broken     -> wait, PROBE
      no connection to that address  -> the end
    PROBE   HEAD blob                -> done, if the bytes arrived after all
            GET location             -> CHUNKS from where the registry is, if it kept something
                                     -> else drop the session and OPEN; the second time, go on in CHUNKS
    CHUNKS  PATCH location           one piece after the other, each to the newest Location
      202 (ECR: 201)                 -> the next piece
      413, 416                       -> ask how much it has; smaller pieces after 413 or "too large"
      broken                         -> wait, PROBE
    CLOSE   PUT location?digest=     no bytes; failures as in WHOLE

`Range: 0-0` means one byte by the letter and none at the registry that most run, so it is read as none. A `Range` in
the answer to a piece is not believed (ECR's is stale); only the one that was asked for is. Failures are counted until
there is progress, and the policy says when there were too many.

Spec: distribution-spec, Pushing blobs, end-4 to end-6 and end-13.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.oci.endpoints import (
    CANCEL_UPLOAD,
    HEAD_BLOB,
    PATCH_UPLOAD,
    PUSH_BLOB,
    PUT_UPLOAD,
    START_UPLOAD,
    UPLOAD_STATUS,
)
from wasm2oci.oci.wire import ERROR_BODY_MAX
from wasm2oci.registry.flavours import find_flavour
from wasm2oci.registry.messages import Response, request_for
from wasm2oci.registry.problems import ExchangeError, NamedAddressError, ResponseError, TlsError, parse_problems
from wasm2oci.registry.retry import is_retried, retry_after
from wasm2oci.registry.urls import join_own
from wasm2oci.registry.web_pages import is_page

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.endpoints import (
        Endpoint,
    )
    from wasm2oci.registry.messages import Request
    from wasm2oci.registry.retry import RetryPolicy
    from wasm2oci.registry.urls import Origin

__all__ = ["COMMIT", "OCTETS", "Ask", "BlobUpload", "Refused", "Step", "Wait"]

_MIB: Final = 1 << 20
_CHUNK_MIN: Final = 256 * 1024
_CHUNK_MAX: Final = 64 * _MIB
COMMIT: Final = 300.0
"""Seconds more than usual that a registry may take to store a blob it has received."""
_RANGE: Final = re.compile(r"(?:bytes=)?0-([0-9]{1,15})\Z")
OCTETS: Final = {"Content-Type": "application/octet-stream"}


class Ask(NamedTuple):
    """Send this request of this row; `part`: which bytes of the blob are its body (start, end), None for none."""

    row: Endpoint
    request: Request
    part: tuple[int, int] | None = None


class Wait(NamedTuple):
    """Wait so many seconds."""

    seconds: float
    reason: str


class Refused(NamedTuple):
    """It is over: the answer that cannot be got around, its body in memory."""

    response: Response


Step = Ask | Wait


class _State(Enum):
    GOING = auto()
    DONE = auto()


if TYPE_CHECKING:
    Moves = Generator[Step, Response | ExchangeError | None, _State | Refused]


class BlobUpload:
    """The pushing of one blob. `run` yields steps and is sent what they brought.

    Args:
        origin: of the registry.
        name: of the repository.
        digest: of the blob.
        size: of the blob, in bytes.
        host: as the user calls the registry; decides the size of chunks.
        policy: how often, how patiently.
        random: the jitter, from 0 to 1.
        now: seconds since 1970.
        location: of a session that is open already (an unfinished mount), or None.
        unasked: whether all bytes are offered with the first POST.
    """

    def __init__(
        self,
        origin: Origin,
        name: str,
        digest: Digest,
        size: int,
        *,
        host: str,
        policy: RetryPolicy,
        random: Callable[[], float],
        now: Callable[[], float],
        location: str | None = None,
        unasked: bool = False,
    ) -> None:
        self._origin = origin
        self._name = name
        self._digest = digest
        self._size = size
        self._policy = policy
        self._random = random
        self._now = now
        self._chunk = find_flavour(host).chunk
        self._chunk_floor = _CHUNK_MIN
        self._chunked = False
        self._resumed = False
        self._offset = 0
        self._furthest = 0
        self._failures = 0
        self._restarts = 0
        self._last: Response | ExchangeError | None = None
        self.location = location
        self._unasked = unasked

    def run(self) -> Generator[Step, Response | ExchangeError | None, Refused | None]:
        """The steps of the upload.

        Each `Ask` is answered with a `Response` or an `ExchangeError`, each `Wait` with None.

        Returns:
            None when the blob is stored, else how it was refused.

        Raises:
            ExchangeError: the connection kept breaking.
            ResponseError: the registry's protocol made no sense.
        """
        unasked = self._unasked and self.location is None
        while True:
            if unasked:
                unasked = False
                state = yield from self._post()
            elif self.location is None:
                state = yield from self._open()
            elif not self._chunked:
                state = yield from self._put((0, self._size))
            elif self._offset < self._size:
                state = yield from self._patch()
            else:
                state = yield from self._put(None)
            if state is _State.DONE:
                return None
            if isinstance(state, Refused):
                return state

    def _ask(self, row: Endpoint, part: tuple[int, int] | None = None, **parts: Any) -> Ask:
        location = self.location if row.in_upload else None
        reference = "" if row.in_upload else self._digest
        return Ask(row, request_for(row, self._origin, self._name, reference, location=location, **parts), part)

    def _post(self) -> Moves:
        query, headers = [("digest", str(self._digest))], {**OCTETS, "Content-Length": str(self._size)}
        reply = yield self._ask(PUSH_BLOB, (0, self._size), query=query, headers=headers)
        if isinstance(reply, Response):
            page = is_page(reply, reply.read_truncated(ERROR_BODY_MAX))
            if reply.status == 201 and not page:
                return _State.DONE
            if reply.status == 202 and reply.headers.get("location") is not None:
                self._begin(reply)
        return _State.GOING

    def _open(self) -> Moves:
        self._offset = 0
        reply = yield self._ask(START_UPLOAD, headers={"Content-Length": "0"})
        if not isinstance(reply, Response):
            raise _broken(reply)
        if reply.status == 201:
            reply.drain()
            return _State.DONE
        if reply.status != 202:
            return Refused(_settled(reply))
        reply.drain()
        self._begin(reply)
        if self.location is None:
            raise ResponseError(f"{self._origin.authority} opened an upload, but sent no Location for it")
        return _State.GOING

    def _begin(self, reply: Response) -> None:
        floor = reply.headers.get("oci-chunk-min-length")
        if floor is not None and floor.isascii() and floor.isdigit() and len(floor) < 12:
            self._chunk_floor = max(_CHUNK_MIN, min(int(floor), _CHUNK_MAX))
            self._chunk = max(self._chunk, self._chunk_floor)
        self._move(reply)

    def _put(self, part: tuple[int, int] | None) -> Moves:
        start, end = part or (0, 0)
        query = [("digest", str(self._digest))]
        headers = {**OCTETS, "Content-Length": str(end - start)}
        reply = yield self._ask(PUT_UPLOAD, part, query=query, headers=headers, patience=COMMIT)
        if isinstance(reply, Response) and PUT_UPLOAD.succeeded(reply.status):
            return _unless_page(reply) or _State.DONE
        return (yield from self._handle(reply))

    def _patch(self) -> Moves:
        start, end = self._offset, min(self._offset + self._chunk, self._size)
        headers = {**OCTETS, "Content-Length": str(end - start), "Content-Range": f"{start}-{end - 1}"}
        reply = yield self._ask(PATCH_UPLOAD, (start, end), headers=headers)
        if isinstance(reply, Response) and PATCH_UPLOAD.succeeded(reply.status):
            refused = _unless_page(reply)
            if refused is not None:
                return refused
            self._move(reply)
            self._reach(end)
            return _State.GOING
        return (yield from self._handle(reply))

    def _handle(self, reply: Response | ExchangeError | None) -> Moves:
        """What to do when a PUT or PATCH did not succeed."""
        if isinstance(reply, Response):
            reply = _settled(reply)
        self._last = reply
        if isinstance(reply, NamedAddressError | TlsError):
            return self._give_up()  # the session has tried it often enough
        if not isinstance(reply, Response) or is_retried(reply.status):
            asked = None
            if isinstance(reply, Response):
                asked = retry_after(reply.headers.get("retry-after"), self._now())
            self._failures += 1
            delay = self._policy.delay(self._failures, self._random(), asked)
            if delay is None:
                return self._give_up()
            yield Wait(delay, _words(reply))
            return (yield from self._probe())
        if reply.status == 404:
            self._chunked = self._chunked or self._restarts > 0  # old Artifactory takes no PUT with bytes (buildx#196)
            return (yield from self._restart())
        if reply.status in {413, 416}:
            said = " ".join(problem.message.lower() for problem in parse_problems(reply.read_truncated(ERROR_BODY_MAX)))
            if reply.status == 413 or "too large" in said:
                if self._chunked and self._chunk <= self._chunk_floor:
                    return self._give_up()
                if self._chunked:
                    self._chunk = max(self._chunk_floor, self._chunk // 2)
            elif self._chunked:
                self._failures += 1
                if self._policy.delay(self._failures, 0.0) is None:
                    return self._give_up()
            self._chunked = True
            return (yield from self._ask_where())
        if reply.status == 400 and self._resumed:
            # What the registry put together from two connections is not the blob; it is sent again from the start.
            self._resumed = self._chunked = False
            return (yield from self._restart())
        return self._give_up()

    def _probe(self) -> Moves:
        """After an outcome that is unknown: is the blob there, and if not, how much of it?"""
        reply = yield self._ask(HEAD_BLOB)
        if isinstance(reply, Response):
            reply.drain()
            if reply.status == 200:
                return _State.DONE
        return (yield from self._ask_where())

    def _ask_where(self) -> Moves:
        """Ask the session how much it has, and go on from there; or start again when it does not answer."""
        reply = yield self._ask(UPLOAD_STATUS)
        if not isinstance(reply, Response):
            return (yield from self._restart())
        reply.drain()
        match = _RANGE.match(reply.headers.get("range") or "")
        stands = int(match.group(1)) + 1 if match is not None else 0
        if not UPLOAD_STATUS.succeeded(reply.status) or not 1 < stands <= self._size:
            self._chunked = self._chunked or self._failures > 1
            return (yield from self._restart())
        self._move(reply)
        self._chunked = self._resumed = True
        self._reach(stands)
        return _State.GOING

    def _restart(self) -> Moves:
        self._restarts += 1
        if self._restarts > self._policy.tries:
            return self._give_up()
        if self.location is not None:
            ask = self._ask(CANCEL_UPLOAD)
            reply = yield ask._replace(request=ask.request._replace(repeatable=False))
            if isinstance(reply, Response):
                reply.drain()
        self.location = None
        self._resumed = False
        return _State.GOING

    def _give_up(self) -> Refused:
        if isinstance(self._last, Response):
            return Refused(self._last)
        raise _broken(self._last)

    def _move(self, reply: Response) -> None:
        # Without a Location the session stays where it is.
        location = reply.headers.get("location")
        if location:
            self.location = join_own(reply.url, location)

    def _reach(self, offset: int) -> None:
        self._offset = offset
        if offset > self._furthest:
            self._furthest = offset
            self._failures = 0


def _settled(response: Response) -> Response:
    """The same answer with its body in memory, so that the connection is free for the next step."""
    body = response.read_truncated(ERROR_BODY_MAX)
    return Response(response.status, response.headers, body, request=response.request)


def _unless_page(reply: Response) -> Refused | None:
    """What the answer to a part that seems to be taken means, if it is a web page."""
    settled = _settled(reply)
    return Refused(settled) if is_page(settled, settled.read_truncated(ERROR_BODY_MAX)) else None


def _broken(reply: Response | ExchangeError | None) -> ExchangeError:
    if isinstance(reply, ExchangeError):
        return reply
    raise AssertionError("an exchange that brought no response brought an error")


def _words(reply: Response | ExchangeError | None) -> str:
    return f"answer {reply.status}" if isinstance(reply, Response) else _broken(reply).message
