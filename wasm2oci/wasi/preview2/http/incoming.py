"""Requests and responses that come in, their bodies, and what comes later. Spec: wasi:http/types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.wasi.preview2.http.errors import HttpIoError
from wasm2oci.wasi.preview2.http.fields import HttpFields
from wasm2oci.wasi.preview2.http.shared import ERROR, NONE, HttpMessage, optional, taken
from wasm2oci.wasi.preview2.pipes import PipeInput
from wasm2oci.wasi.preview2.streams import Pollable

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.preview2.http.shared import Later
    from wasm2oci.wasi.preview2.http.state import HttpState
    from wasm2oci.wasi.preview2.pipes import Pipe

__all__ = [
    "METHODS",
    "FutureResponse",
    "FutureTrailers",
    "IncomingBody",
    "IncomingRequest",
    "IncomingResponse",
    "RequestLine",
]

METHODS: Final = ("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")


class _Incoming(HttpMessage):
    """A message that comes in.

    Args:
        fields: its header fields.
        state: of the run.
        open_body: begins to read its body; called once at most.
    """

    def __init__(self, fields: HttpFields, state: HttpState, open_body: Callable[[], Pipe]) -> None:
        super().__init__(fields)
        self._state = state
        self._open_body: Callable[[], Pipe] | None = open_body

    def consume(self) -> tuple[str, Any]:
        """`consume`."""
        open_body, self._open_body = self._open_body, None
        return taken(None if open_body is None else IncomingBody(open_body(), self._state))

    def close(self) -> None:
        """Close a body that was not consumed."""
        self._open_body = None


class RequestLine(NamedTuple):
    """What a request asks for.

    Attributes:
        method: `GET` and so on.
        target: the path with its query.
        authority: what the client calls the server, or None.
        secure: whether it came by https.
    """

    method: str
    target: str
    authority: str | None = None
    secure: bool = False


class IncomingRequest(_Incoming):
    """A request to be answered.

    Args:
        line: what it asks for.
        fields: its header fields.
        state: of the run.
        open_body: begins to read its body; called once at most.
    """

    resource = "incoming-request"

    def __init__(self, line: RequestLine, fields: HttpFields, state: HttpState, open_body: Callable[[], Pipe]) -> None:
        super().__init__(fields, state, open_body)
        method = line.method.lower()
        self.method = (method, None) if method in METHODS and line.method.isupper() else ("other", line.method)
        self.path = optional(line.target)
        self.scheme = optional(("HTTPS" if line.secure else "HTTP", None))
        self.authority = optional(line.authority)


class IncomingResponse(_Incoming):
    """A response to what the guest asked.

    Args:
        status: its code.
        fields: its header fields.
        state: of the run.
        pipe: its body.
    """

    resource = "incoming-response"

    def __init__(self, status: int, fields: HttpFields, state: HttpState, pipe: Pipe) -> None:
        super().__init__(fields, state, lambda: pipe)
        self.status = status
        self._pipe = pipe

    def close(self) -> None:
        """See `_Incoming.close`."""
        if self._open_body is not None:
            self._pipe.abandon()


class IncomingBody:
    """The body of a message that comes in.

    Args:
        pipe: its bytes.
        state: of the run.
    """

    resource = "incoming-body"

    def __init__(self, pipe: Pipe, state: HttpState) -> None:
        self.pipe = pipe
        self.state = state
        self._streamed = False

    def stream(self) -> tuple[str, Any]:
        """`stream`."""
        first, self._streamed = not self._streamed, True
        return taken(PipeInput(self.pipe, self.state.bell, self.state.waiter) if first else None)

    def finish(self) -> FutureTrailers:
        """`finish`: what was not read is not kept."""
        self.pipe.discard()
        return FutureTrailers(self.pipe)

    def close(self) -> None:
        """Stop reading."""
        self.pipe.abandon()


class FutureTrailers:
    """What comes after a body.

    Args:
        pipe: the body.
    """

    resource = "future-trailers"

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._given = False

    def subscribe(self) -> Pollable:
        """`subscribe`."""
        return Pollable(ready=lambda: self._pipe.over)

    def get(self) -> tuple[str, Any]:
        """`get`."""
        if not self._pipe.over:
            return NONE
        if self._given:
            return "some", ERROR
        self._given = True
        failure = self._pipe.failure
        if isinstance(failure, HttpIoError):
            return "some", ("ok", ("error", failure.code))
        trailers = self._pipe.trailers
        return "some", ("ok", ("ok", optional(None if trailers is None else HttpFields(trailers, mutable=False))))

    def close(self) -> None:
        """Stop waiting."""
        self._pipe.abandon()


class FutureResponse:
    """The response to a request under way.

    Args:
        later: the response, or what went wrong.
        cancel: called when no caller waits for it any more.
    """

    resource = "future-incoming-response"

    def __init__(self, later: Later[tuple[str, Any]], cancel: Callable[[], None]) -> None:
        self._later = later
        self._cancel = cancel
        self._given = False

    def subscribe(self) -> Pollable:
        """`subscribe`."""
        return Pollable(ready=lambda: self._later.value is not None)

    def get(self) -> tuple[str, Any]:
        """`get`."""
        value = self._later.value
        if value is None:
            return NONE
        if self._given:
            return "some", ERROR
        self._given = True
        return "some", ("ok", value)

    def close(self) -> None:
        """Gives up a request whose response was not taken."""
        if not self._given:
            self._cancel()
