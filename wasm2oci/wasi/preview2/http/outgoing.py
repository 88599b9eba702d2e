"""Requests and responses that go out, and their bodies. Spec: wasi:http/types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base import http1
from wasm2oci.wasi.preview2.http.errors import HttpIoError
from wasm2oci.wasi.preview2.http.shared import ERROR, HttpMessage, optional, worked
from wasm2oci.wasi.preview2.pipes import PipeOutput

if TYPE_CHECKING:
    from wasm2oci.wasi.preview2.http.errors import ErrorCode
    from wasm2oci.wasi.preview2.http.fields import HttpFields
    from wasm2oci.wasi.preview2.http.shared import Later
    from wasm2oci.wasi.preview2.http.state import HttpState
    from wasm2oci.wasi.preview2.pipes import Pipe

__all__ = ["AUTHORITY", "OutgoingBody", "OutgoingRequest", "OutgoingResponse", "RequestOptions", "ResponseOutparam"]

AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._~-]+)(?::([0-9]{1,5}))?")
_PATH: Final = re.compile(r"[/?][!-~]*")
_TEXT_MAX: Final = 64 * 1024
_INFORMATIONAL: Final = 100
_SUCCESS: Final = 200
_STATUS_END: Final = 600


class _Outgoing(HttpMessage):
    """A message that goes out.

    Args:
        fields: its header fields.
        state: of the run.
    """

    part = "response"

    def __init__(self, fields: HttpFields, state: HttpState) -> None:
        super().__init__(fields)
        self._state = state
        self.pipe: Pipe | None = None

    def body(self) -> tuple[str, Any]:
        """`body`."""
        if self.pipe is not None:
            return ERROR
        self.pipe = self._state.pipe(expected=self.fields.content_length)
        return "ok", OutgoingBody(self.pipe, self._state, f"HTTP-{self.part}-body-size")


class OutgoingRequest(_Outgoing):
    """A request to be made.

    Attributes:
        method: a case of `method`.
        path: with its query, or None.
        scheme: a case of `scheme`, or None.
        authority: host and port, or None.
    """

    resource = "outgoing-request"
    part = "request"

    def __init__(self, fields: HttpFields, state: HttpState) -> None:
        super().__init__(fields, state)
        self.method: tuple[str, Any] = ("get", None)
        self.path: str | None = None
        self.scheme: tuple[str, Any] | None = None
        self.authority: str | None = None

    def set_method(self, method: tuple[str, Any]) -> tuple[str, None]:
        """`set-method`."""
        name = method[1] if method[0] == "other" else method[0]
        good = len(name) <= _TEXT_MAX and http1.is_field_name(name.encode())
        if good:
            self.method = method
        return worked(good)

    def set_path(self, path: tuple[str, Any]) -> tuple[str, None]:
        """`set-path-with-query`."""
        text = path[1]
        good = text is None or not text or (len(text) <= _TEXT_MAX and _PATH.fullmatch(text) and "#" not in text)
        if good:
            self.path = text
        return worked(good)

    def set_scheme(self, scheme: tuple[str, Any]) -> tuple[str, None]:
        """`set-scheme`."""
        self.scheme = scheme[1]
        return worked(done=True)

    def set_authority(self, authority: tuple[str, Any]) -> tuple[str, None]:
        """`set-authority`."""
        text = authority[1]
        good = text is None or (len(text) <= _TEXT_MAX and AUTHORITY.fullmatch(text))
        if good:
            self.authority = text
        return worked(good)


class OutgoingResponse(_Outgoing):
    """A response to be sent.

    Attributes:
        status: its code.
    """

    resource = "outgoing-response"

    def __init__(self, fields: HttpFields, state: HttpState) -> None:
        super().__init__(fields, state)
        self.status = _SUCCESS

    def set_status(self, status: int) -> tuple[str, None]:
        """`set-status-code`: one that can end an exchange."""
        good = _SUCCESS <= status < _STATUS_END
        if good:
            self.status = status
        return worked(good)


class OutgoingBody:
    """The body of a message that goes out.

    Args:
        pipe: where it goes.
        state: of the run.
        wrong_size: the case of `error-code` for a body that is not as long as was announced.
    """

    resource = "outgoing-body"

    def __init__(self, pipe: Pipe, state: HttpState, wrong_size: str) -> None:
        self._pipe = pipe
        self._state = state
        self._wrong_size = wrong_size
        self._written = False

    def _error(self) -> ErrorCode:
        return self._wrong_size, ("some", self._pipe.written)

    def write(self) -> tuple[str, Any]:
        """`write`."""
        if self._written:
            return ERROR
        self._written = True
        return "ok", PipeOutput(self._pipe, self._state.bell, self._state.waiter, HttpIoError(self._error()))

    def finish(self, trailers: tuple[str, Any]) -> tuple[str, Any]:
        """`finish`."""
        if self._pipe.expected not in {None, self._pipe.written}:
            error = self._error()
            self._pipe.fail(HttpIoError(error))
            return "error", error
        self._pipe.end(None if trailers[1] is None else trailers[1].entries())
        return "ok", None

    def close(self) -> None:
        """A body that was dropped before it was finished is not whole."""
        self._pipe.fail(HttpIoError(("HTTP-protocol-error", None)))


class RequestOptions:
    """How long a request may take, in nanoseconds; None where that is for the host to say."""

    resource = "request-options"

    def __init__(self) -> None:
        self.times: dict[str, int | None] = {}

    def get(self, name: str) -> tuple[str, Any]:
        """`connect-timeout` and the others."""
        return optional(self.times.get(name))

    def set(self, name: str, duration: tuple[str, Any]) -> tuple[str, None]:
        """`set-connect-timeout` and the others."""
        self.times[name] = duration[1]
        return worked(done=True)


class ResponseOutparam:
    """Where the response to an incoming request goes.

    Args:
        later: gets it, or what went wrong.
    """

    resource = "response-outparam"

    def __init__(self, later: Later[tuple[str, Any]]) -> None:
        self._later = later

    @staticmethod
    def send_informational(_: object, status: int, __: object) -> tuple[str, Any]:
        """`send-informational`, which is unstable in WASI 0.2: no response but the final one is sent."""
        if not _INFORMATIONAL <= status < _SUCCESS:
            return "error", ("HTTP-protocol-error", None)
        return "error", ("internal-error", ("some", "informational responses are not sent"))

    def set(self, response: tuple[str, Any]) -> None:
        """`set`."""
        if response[0] == "ok" and response[1].pipe is not None:
            self._later.watch(response[1].pipe)
        self._later.give(response)
