"""What one run has of HTTP, and its limits."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.network import allows
from wasm2oci.wasi.preview2.http.errors import HttpError, code_of
from wasm2oci.wasi.preview2.http.outgoing import (
    AUTHORITY,
    OutgoingRequest,
    OutgoingResponse,
    RequestOptions,
)
from wasm2oci.wasi.preview2.pipes import Pipe

if TYPE_CHECKING:
    from wasm2oci.wasi.context import WasiContext
    from wasm2oci.wasi.preview2.bell import Bell
    from wasm2oci.wasi.preview2.http.exchange import HttpExchange
    from wasm2oci.wasi.preview2.http.fields import HttpFields
    from wasm2oci.wasi.preview2.http.incoming import FutureResponse

__all__ = ["HttpState"]

_MOST_FIELDS: Final = 1024
"""Sets of fields that a guest may have at once."""
_MOST_PIPES: Final = 256
"""Bodies that a guest may have at once."""
_MOST_EXCHANGES: Final = 64
"""Requests that a guest may have under way at once."""
_PORTS: Final = {"HTTP": 80, "HTTPS": 443}
_PORT_MAX: Final = 65535


class HttpState:
    """Of one run.

    Args:
        context: what the guest is given.
        bell: the guest's.
    """

    def __init__(self, context: WasiContext, bell: Bell) -> None:
        self.bell = bell
        self.waiter = context.waiter
        self._rules = context.network
        self._fields: weakref.WeakSet[HttpFields] = weakref.WeakSet()
        self._pipes: weakref.WeakSet[Pipe] = weakref.WeakSet()
        self._exchanges: list[HttpExchange] = []

    def counted(self, fields: HttpFields) -> HttpFields:
        """HttpFields that the guest made, if it may have more.

        Raises:
            MemoryError: it may not.
        """
        if len(self._fields) >= _MOST_FIELDS:
            raise MemoryError
        self._fields.add(fields)
        return fields

    def pipe(self, *bells: Bell, expected: int | None = None) -> Pipe:
        """A pipe for a body.

        Raises:
            MemoryError: the guest may not have more of them.
        """
        if len(self._pipes) >= _MOST_PIPES:
            raise MemoryError
        pipe = Pipe(self.bell, *bells, expected=expected)
        self._pipes.add(pipe)
        return pipe

    def request(self, fields: HttpFields) -> OutgoingRequest:
        """`[constructor]outgoing-request`."""
        return OutgoingRequest(fields, self)

    def response(self, fields: HttpFields) -> OutgoingResponse:
        """`[constructor]outgoing-response`."""
        return OutgoingResponse(fields, self)

    def handle(self, request: OutgoingRequest, options: tuple[str, Any]) -> tuple[str, Any]:
        """`wasi:http/outgoing-handler#handle`."""
        try:
            return "ok", self._start(request, options[1] or RequestOptions())
        except HttpError as error:
            return "error", error.code

    def _start(self, request: OutgoingRequest, options: RequestOptions) -> FutureResponse:
        from wasm2oci.wasi.preview2.http.exchange import HttpExchange  # noqa: PLC0415 - only where requests are made

        scheme = "HTTPS" if request.scheme is None else request.scheme[0]
        if scheme not in _PORTS:
            raise HttpError("HTTP-protocol-error")
        found = AUTHORITY.fullmatch(request.authority or "")
        if found is None or int(found[2] or 0) > _PORT_MAX:
            raise HttpError("HTTP-request-URI-invalid")
        host, port = found[1].strip("[]"), int(found[2] or _PORTS[scheme])
        if not allows(self._rules, host, port):
            raise HttpError("HTTP-request-denied")
        if request.fields.contradicts or (request.pipe is None and request.fields.content_length):
            raise HttpError("HTTP-protocol-error")
        for done in [exchange for exchange in self._exchanges if exchange.done]:
            self._exchanges.remove(done)
            done.release()
        if len(self._exchanges) >= _MOST_EXCHANGES:
            raise HttpError("connection-limit-reached")
        try:
            exchange = HttpExchange(request, (host, port), options, self, secure=scheme == "HTTPS")
        except OSError as error:  # no descriptor is left
            raise HttpError(*code_of(error)) from error
        self._exchanges.append(exchange)
        return exchange.start()

    def close(self) -> None:
        """Ends the requests that are under way."""
        while self._exchanges:
            self._exchanges.pop().release()
