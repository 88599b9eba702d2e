"""A network in memory: origins with any name, each answered by a function, and a record of what every one of them saw.

    network = Network({"https://ghcr.io": answer})        # answer(Sent) -> Answer
    repository = network.repository("ghcr.io/me/app")     # over the whole client, but no socket

`core(registry.handle)` makes an answer of our own registry's core, so that a simulated registry is the real one and
its quirk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from wasm2oci.oci.http import Headers
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.connect import ConnectOptions, Connector
from wasm2oci.registry.credentials import Basic, IdentityToken
from wasm2oci.registry.messages import Request, Response
from wasm2oci.registry.problems import ConnectionFailedError, ExchangeError
from wasm2oci.registry.repository import Repository
from wasm2oci.registry.retry import RetryPolicy
from wasm2oci.registry.urls import Origin
from wasm2oci.server import messages as served
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.registry import Registry

if TYPE_CHECKING:
    from wasm2oci.registry.credentials import Credential

__all__ = ["Answer", "Network", "Sent", "broken", "core", "fresh_core", "token_answer"]


@dataclass(frozen=True)
class Sent:
    """A request as one origin saw it; header names in lower case."""

    origin: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Of the URL."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, list[str]]:
        """Of the URL."""
        return parse_qs(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        """Of a body that is a form."""
        return dict(parse_qsl(self.body.decode()))

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


@dataclass(frozen=True)
class Answer:
    """What an origin answers. Pieces of the body may be exceptions, raised when they are reached."""

    status: int
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    body: bytes | Iterable[bytes | ExchangeError] = b""

    def pairs(self) -> list[tuple[str, str]]:
        """The headers, one by one."""
        return list(self.headers.items() if isinstance(self.headers, Mapping) else self.headers)

    def changed(self, *without: str, **more: str) -> "Answer":
        """The same with some headers (lower case) left out and others (`content_type="x"`) added."""
        kept = [(name, value) for name, value in self.pairs() if name.lower() not in without]
        return Answer(self.status, (*kept, *((n.replace("_", "-"), v) for n, v in more.items())), self.body)


Handler = Callable[[Sent], "Answer | ExchangeError"]


class _Pieces:
    def __init__(self, pieces: Iterable[bytes | ExchangeError]) -> None:
        self._pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, ExchangeError):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed = True


@dataclass
class Network:
    """Origins and their answers; a `Sender`."""

    hosts: dict[str, Handler]
    sent: list[Sent] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    known: dict[str, list[str]] = field(default_factory=dict)
    time: float = 1000.0

    def send(self, request: Request, *, home: Origin) -> Response:
        origin = str(Origin.of(request.url))
        body = request.body if isinstance(request.body, bytes) else b"".join(request.body or ())
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert len(headers) == len(request.headers), "a header field is sent twice"
        seen = Sent(origin, request.method, request.url, headers, body)
        self.sent.append(seen)
        self.homes.append(str(home))
        handler = self.hosts.get(origin)
        if handler is None:
            raise ConnectionFailedError(f"{origin}: nobody there")
        answer = handler(seen)
        if isinstance(answer, ExchangeError):
            raise answer
        data = answer.body if request.method != "HEAD" else b""
        stream = data if isinstance(data, bytes) else _Pieces(data)
        return Response(answer.status, Headers(answer.pairs()), stream, request=request)

    def expect(self, origin: Origin, connections: int) -> None:
        """Nothing is opened."""

    def addresses(self, origin: Origin) -> list[str]:
        """Those of `known`."""
        return self.known.get(origin.name, [])

    def close(self) -> None:
        """Nothing is held."""

    def sleep(self, seconds: float) -> None:
        """Time passes, nobody waits."""
        self.slept.append(seconds)
        self.time += seconds

    def options(self, **changes: Any) -> ConnectOptions:
        """Options whose world is this network; `credential` stands for the options that it is given by."""
        credential: Credential | None = changes.pop("credential", None)
        if isinstance(credential, Basic):
            changes |= {"username": credential.username, "password": credential.password}
        elif isinstance(credential, IdentityToken):
            changes |= {"password": credential.token, "identity_token": True}
        defaults: dict[str, Any] = {
            "environ": {},
            "home": Path("/nonexistent"),
            "sleep": self.sleep,
            "clock": lambda: self.time,
            "now": lambda: self.time,
            "random": lambda: 1.0,
            "log": self.logged.append,
            "warn": self.warned.append,
            "retry": RetryPolicy(tries=4),
        }
        return ConnectOptions(**{**defaults, **changes})

    def connector(self, **changes: Any) -> Connector:
        """A connector whose world is this network."""
        return Connector(self.options(**changes), self)

    def repository(self, reference: str, *, writes: bool = False, **changes: Any) -> Repository:
        """A repository in this network."""
        return self.connector(**changes).repository(Reference.parse(reference), writes=writes)

    def at(self, origin: str) -> list[Sent]:
        """What one origin saw."""
        return [sent for sent in self.sent if sent.origin == origin]


def core(handle: Callable[[served.Request], served.Response]) -> Callable[[Sent], Answer]:
    """An answer by a registry's core."""

    def answer(sent: Sent) -> Answer:
        parts = urlsplit(sent.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        request = served.Request(
            sent.method, target, Headers(sent.headers.items()), (sent.body,) if sent.body else (), len(sent.body)
        )
        response = handle(request)
        length = response.header("Content-Length")
        headers = list(response.headers)
        if length is None:
            headers.append(("Content-Length", str(response.body.length)))
        return Answer(response.status, tuple(headers), response.read())

    return answer


def fresh_core() -> Callable[[Sent], Answer]:
    """An answer by a core of its own, empty."""
    return core(Registry(MemoryStorage()).handle)


def broken(message: str = "the wire broke") -> ExchangeError:
    """A connection that breaks."""
    from wasm2oci.registry.problems import ConnectionLostError

    return ConnectionLostError(message)


def token_answer(token: str = "t0ken", **more: object) -> Answer:
    """A token server's answer."""
    import json

    return Answer(200, {"Content-Type": "application/json"}, json.dumps({"token": token, **more}).encode())
