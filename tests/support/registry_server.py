"""Our own registry on a real socket, for tests: in memory, on a free port of the loopback.

    with registry_server() as registry:
        registry.address            # "127.0.0.1:41234"
        registry.core.storage       # what it keeps

Faults go in between: `registry_server(wrap=lambda handle: cut_after(handle, 10))`. `wrap` is given the core's
`handle` (a `Request` in, a `Response` out) and returns another one. A response may lie: its own `Content-Length`
wins, and the connection is closed after a body of another length; a body that raises `OSError` cuts it.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wasm2oci.server.http_server import Server
from wasm2oci.server.memory import MemoryStorage
from wasm2oci.server.messages import Request, Response
from wasm2oci.server.registry import Registry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from wasm2oci.server.access import Access
    from wasm2oci.server.call import Rules
    from wasm2oci.server.http1 import ConnectionLimits
    from wasm2oci.server.storage import Storage

__all__ = ["Handle", "RunningRegistry", "registry_server"]

Handle = Callable[[Request], Response]
"""A registry as a function."""


@dataclass(frozen=True)
class RunningRegistry:
    """A registry that answers.

    Attributes:
        address: `127.0.0.1:PORT`.
        url: with its scheme.
        core: the registry itself.
        seen: method and target of every request so far, in order.
        peers: for each of them, the client's address and port.
        log: lines of the access log so far; that of a request comes after its answer.
    """

    address: str
    url: str
    core: Registry
    seen: list[str]
    peers: list[str]
    log: list[str]


@contextmanager
def registry_server(
    *,
    storage: "Storage | None" = None,
    access: "Access | None" = None,
    rules: "Rules | None" = None,
    limits: "ConnectionLimits | None" = None,
    tls: "ssl.SSLContext | None" = None,
    wrap: "Callable[[Handle], Handle] | None" = None,
    host: str = "127.0.0.1",
    site: "Callable[[Request, str], Response | None] | None" = None,
) -> "Iterator[RunningRegistry]":
    """Start a registry, stop it at the end.

    Args:
        storage: where it keeps things; in memory when None.
        access: who may do what (`BasicAccess`); everyone everything when None.
        rules: limits and switches of the core.
        limits: limits of a connection.
        tls: server context, None for plain HTTP.
        wrap: faults.
        host: address to listen at.
        site: what answers outside of `/v2/`.
    """
    core = Registry(storage or MemoryStorage(), access=access, rules=rules, site=site)
    seen: list[str] = []
    peers: list[str] = []
    lines: list[str] = []
    inner: Handle = core.handle if wrap is None else wrap(core.handle)

    def handle(request: "Request") -> "Response":
        seen.append(f"{request.method} {request.target}")
        peers.append(request.peer)
        return inner(request)

    with Server(handle, host, 0, tls=tls, limits=limits, log=lines.append, grace=5.0) as server:
        yield RunningRegistry(server.address, server.url, core, seen, peers, lines)
    core.close()
