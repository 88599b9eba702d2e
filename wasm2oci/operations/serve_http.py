"""Serve HTTP: a component answers the requests of a server on this machine, for development."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.operations.fetch_module import FetchPolicy, fetch
from wasm2oci.operations.module_info import ModuleInfo
from wasm2oci.operations.subject import subject_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.runtime.http_component import HttpComponent
    from wasm2oci.runtime.http_guest import Answered, Asked
    from wasm2oci.runtime.request import RunRequest
    from wasm2oci.server.fairness import Turns
    from wasm2oci.server.messages import Request, Response

__all__ = ["ServeHttpRequest", "ServedHttp", "serving_http"]

_WAITING: Final = 64
"""Requests of one address that may wait for their turn."""


class ServeHttpRequest(NamedTuple):
    """What is to answer, where, and with which limits: the arguments of `Client.serve_http`.

    `request` is what each instance is given. Its `module` and `cache` are filled in here; its limit on time is for each
    HTTP request.
    """

    subject: Path | Location | bytes
    request: RunRequest
    listen: str = "127.0.0.1:8080"
    hosts: tuple[str, ...] = ()
    reuse: bool = False
    concurrency: int = 8
    policy: FetchPolicy = FetchPolicy()
    cached: bool = True


class ServedHttp(NamedTuple):
    """A component that answers.

    Attributes:
        subject: what it is, by its name.
        module: the component.
        url: where it is.
        address: `host:port`.
        exposed: whether others than this machine can reach it.
    """

    subject: str
    module: ModuleInfo
    url: str
    address: str
    exposed: bool


@contextmanager
def serving_http(
    request: ServeHttpRequest, environment: Environment, log: Callable[[str], None]
) -> Iterator[ServedHttp]:
    """A server for as long as the block runs; requests under way are finished at its end."""
    from wasm2oci.base.descriptors import allow_descriptors
    from wasm2oci.content.cache import cache_folder
    from wasm2oci.content.cache_listing import CODE
    from wasm2oci.runtime.http_component import HttpComponent
    from wasm2oci.server.exposure import parse_listen, stays_here
    from wasm2oci.server.fairness import Turns
    from wasm2oci.server.http_server import Server

    host, port = parse_listen(request.listen)
    module = fetch(request.subject, request.policy, environment).checked(component=True)
    guest = replace(
        request.request,
        module=module.data,
        sha256=module.sha256,
        args=(module.name.encode("utf-8", "surrogateescape"),),
        cache=cache_folder(environment.variables, environment.home) / CODE if request.cached else None,
    )
    allow_descriptors(_DESCRIPTORS)
    turns = Turns(request.concurrency, waiting=_WAITING)
    with HttpComponent(guest, reuse=request.reuse, log=log) as component:
        component.check()
        handler = _Handler(component, turns, frozenset(name.lower() for name in request.hosts), log)
        with Server(handler.handle, host, port, log=log, fields=()) as server:
            yield ServedHttp(
                subject=subject_name(request.subject),
                module=ModuleInfo(module.digest, len(module.data)),
                url=f"{server.url}/",
                address=server.address,
                exposed=not stays_here(host),
            )


_DESCRIPTORS: Final = 4096
"""Each connection may have a guest with a dozen of them; many systems allow 1,024 unless a program asks for more."""


class _Handler:
    """From requests of the server to the component, and back."""

    def __init__(
        self, component: HttpComponent, turns: Turns, hosts: frozenset[str], log: Callable[[str], None]
    ) -> None:
        self._component, self._turns, self._hosts, self._log = component, turns, hosts, log

    def handle(self, request: Request) -> Response:
        """The response to a request."""
        from wasm2oci.runtime.http_guest import NoAnswerError
        from wasm2oci.server.exposure import is_foreign
        from wasm2oci.server.fairness import Peer
        from wasm2oci.server.problems import ProblemError

        if is_foreign(request.headers.combined("Host"), self._hosts):
            return _plain(403, "this server does not go by this name; its operator can allow it")
        turn = ExitStack()
        try:
            turn.enter_context(self._turns.turn(Peer.of(request.peer)))
        except ProblemError:
            return _plain(503, "too many requests wait for their turn")
        try:
            return _response(self._component.answer(_asked(request), turn.close))
        except NoAnswerError as error:
            self._log(str(error))
            return _plain(504 if error.late else 500, "the component gave no response; the server's log says why")


def _asked(request: Request) -> Asked:
    from wasm2oci.runtime.http_guest import Asked
    from wasm2oci.wasi.preview2.http.incoming import RequestLine

    line = RequestLine(request.method, request.target, request.headers.combined("Host"), request.secure)
    fields = [(name, value.encode("latin-1")) for name, value in request.headers]
    return Asked(line, fields, request.body, empty=request.length == 0)


def _response(answered: Answered) -> Response:
    from wasm2oci.server.messages import Response, StreamBody

    fields = tuple((name, value.decode("latin-1")) for name, value in answered.fields)
    body = StreamBody(answered.body, answered.length, answered.trailers, answered.close)
    return Response(answered.status, fields, body, close=not answered.whole)


def _plain(status: int, text: str) -> Response:
    from wasm2oci.server.messages import BytesBody, Response

    return Response(status, (("Content-Type", "text/plain"),), BytesBody(f"{text}\n".encode()), close=True)
