"""THE TABLE of wasi:http: its functions, their types as text, and their workers; a part of that of `preview2`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.preview2.http.errors import io_error_code
from wasm2oci.wasi.preview2.http.fields import HttpFields, changing
from wasm2oci.wasi.preview2.http.incoming import FutureResponse, FutureTrailers, IncomingBody
from wasm2oci.wasi.preview2.http.outgoing import (
    OutgoingBody,
    OutgoingRequest,
    OutgoingResponse,
    RequestOptions,
    ResponseOutparam,
)
from wasm2oci.wasi.preview2.http.shared import optional
from wasm2oci.wasi.preview2.rows import row

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasm2oci.wasi.preview2.rows import Preview2Function

__all__ = ["HTTP_FUNCTIONS", "HTTP_RESOURCES"]

HTTP_RESOURCES: Final = {
    "wasi:http/types": (
        "fields",
        "incoming-request",
        "outgoing-request",
        "request-options",
        "response-outparam",
        "incoming-response",
        "incoming-body",
        "future-trailers",
        "outgoing-response",
        "outgoing-body",
        "future-incoming-response",
    ),
}


def _of(name: str, signature: str, worker: Callable[..., Any]) -> Preview2Function:
    """A row whose worker needs nothing of the run."""
    return row("http/types", name, signature, lambda _: worker)


def _method(resource: str, name: str, signature: str, worker: Callable[..., Any]) -> Preview2Function:
    comma = "" if signature.startswith(")") else ", "
    return _of(f"[method]{resource}.{name}", f"(self: borrow<{resource}>{comma}{signature}", worker)


def _read(resource: str, name: str, result: str, attribute: str) -> Preview2Function:
    return _method(resource, name, f") -> {result}", lambda self: getattr(self, attribute))


def _optional(resource: str, name: str, type_: str, attribute: str) -> Preview2Function:
    return _method(resource, name, f") -> option<{type_}>", lambda self: optional(getattr(self, attribute)))


def _time(name: str) -> tuple[Preview2Function, Preview2Function]:
    return (
        _method("request-options", name, ") -> option<u64>", lambda self: self.get(name)),
        _method(
            "request-options",
            f"set-{name}",
            "duration: option<u64>) -> result<_, _>",
            lambda self, duration: self.set(name, duration),
        ),
    )


HTTP_FUNCTIONS: Final[tuple[Preview2Function, ...]] = (
    _of("http-error-code", "(err: borrow<error>) -> option<$http-error-code>", io_error_code),
    # fields
    row(
        "http/types", "[constructor]fields", "() -> own<fields>", lambda state: lambda: state.http.counted(HttpFields())
    ),
    row(
        "http/types",
        "[static]fields.from-list",
        "(entries: list<tuple<string, list<u8>>>) -> result<own<fields>, $header-error>",
        lambda state: changing(lambda entries: state.http.counted(HttpFields.from_list(entries))),
    ),
    _method("fields", "get", "name: string) -> list<list<u8>>", HttpFields.get),
    _method("fields", "has", "name: string) -> bool", HttpFields.has),
    _method(
        "fields",
        "set",
        "name: string, value: list<list<u8>>) -> result<_, $header-error>",
        changing(HttpFields.set),
    ),
    _method("fields", "delete", "name: string) -> result<_, $header-error>", changing(HttpFields.delete)),
    _method(
        "fields", "append", "name: string, value: list<u8>) -> result<_, $header-error>", changing(HttpFields.append)
    ),
    _method("fields", "entries", ") -> list<tuple<string, list<u8>>>", HttpFields.entries),
    row(
        "http/types",
        "[method]fields.clone",
        "(self: borrow<fields>) -> own<fields>",
        lambda state: lambda fields: state.http.counted(fields.clone()),
    ),
    # incoming-request
    _read("incoming-request", "method", "$method", "method"),
    _read("incoming-request", "path-with-query", "option<string>", "path"),
    _read("incoming-request", "scheme", "option<$scheme>", "scheme"),
    _read("incoming-request", "authority", "option<string>", "authority"),
    _method("incoming-request", "headers", ") -> own<fields>", lambda self: self.headers()),
    _method("incoming-request", "consume", ") -> result<own<incoming-body>, _>", lambda self: self.consume()),
    # outgoing-request
    row(
        "http/types",
        "[constructor]outgoing-request",
        "(headers: own<fields>) -> own<outgoing-request>",
        lambda state: state.http.request,
    ),
    _method("outgoing-request", "body", ") -> result<own<outgoing-body>, _>", OutgoingRequest.body),
    _read("outgoing-request", "method", "$method", "method"),
    _method("outgoing-request", "set-method", "method: $method) -> result<_, _>", OutgoingRequest.set_method),
    _optional("outgoing-request", "path-with-query", "string", "path"),
    _method(
        "outgoing-request",
        "set-path-with-query",
        "path-with-query: option<string>) -> result<_, _>",
        OutgoingRequest.set_path,
    ),
    _optional("outgoing-request", "scheme", "$scheme", "scheme"),
    _method("outgoing-request", "set-scheme", "scheme: option<$scheme>) -> result<_, _>", OutgoingRequest.set_scheme),
    _optional("outgoing-request", "authority", "string", "authority"),
    _method(
        "outgoing-request",
        "set-authority",
        "authority: option<string>) -> result<_, _>",
        OutgoingRequest.set_authority,
    ),
    _method("outgoing-request", "headers", ") -> own<fields>", OutgoingRequest.headers),
    # request-options
    _of("[constructor]request-options", "() -> own<request-options>", RequestOptions),
    *_time("connect-timeout"),
    *_time("first-byte-timeout"),
    *_time("between-bytes-timeout"),
    # response-outparam
    _of(
        "[static]response-outparam.set",
        "(param: own<response-outparam>, response: result<own<outgoing-response>, $http-error-code>)",
        ResponseOutparam.set,
    ),
    _method(
        "response-outparam",
        "send-informational",
        "status: u16, headers: own<fields>) -> result<_, $http-error-code>",
        ResponseOutparam.send_informational,
    ),
    # incoming-response
    _read("incoming-response", "status", "u16", "status"),
    _method("incoming-response", "headers", ") -> own<fields>", lambda self: self.headers()),
    _method("incoming-response", "consume", ") -> result<own<incoming-body>, _>", lambda self: self.consume()),
    # incoming-body
    _method("incoming-body", "stream", ") -> result<own<input-stream>, _>", IncomingBody.stream),
    _of("[static]incoming-body.finish", "(this: own<incoming-body>) -> own<future-trailers>", IncomingBody.finish),
    # future-trailers
    _method("future-trailers", "subscribe", ") -> own<pollable>", FutureTrailers.subscribe),
    _method(
        "future-trailers",
        "get",
        ") -> option<result<result<option<own<fields>>, $http-error-code>, _>>",
        FutureTrailers.get,
    ),
    # outgoing-response
    row(
        "http/types",
        "[constructor]outgoing-response",
        "(headers: own<fields>) -> own<outgoing-response>",
        lambda state: state.http.response,
    ),
    _read("outgoing-response", "status-code", "u16", "status"),
    _method("outgoing-response", "set-status-code", "status-code: u16) -> result<_, _>", OutgoingResponse.set_status),
    _method("outgoing-response", "headers", ") -> own<fields>", OutgoingResponse.headers),
    _method("outgoing-response", "body", ") -> result<own<outgoing-body>, _>", OutgoingResponse.body),
    # outgoing-body
    _method("outgoing-body", "write", ") -> result<own<output-stream>, _>", OutgoingBody.write),
    _of(
        "[static]outgoing-body.finish",
        "(this: own<outgoing-body>, trailers: option<own<fields>>) -> result<_, $http-error-code>",
        OutgoingBody.finish,
    ),
    # future-incoming-response
    _method("future-incoming-response", "subscribe", ") -> own<pollable>", FutureResponse.subscribe),
    _method(
        "future-incoming-response",
        "get",
        ") -> option<result<result<own<incoming-response>, $http-error-code>, _>>",
        FutureResponse.get,
    ),
    row(
        "http/outgoing-handler",
        "handle",
        "(request: own<outgoing-request>, options: option<own<request-options>>) "
        "-> result<own<future-incoming-response>, $http-error-code>",
        lambda state: state.http.handle,
    ),
)
