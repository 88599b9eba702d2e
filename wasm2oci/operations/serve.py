"""Serve a registry: from a folder, or from a temporary one that goes with it."""

from __future__ import annotations

import secrets
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.base.folders import temporary_folder
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wasm2oci.server.access import Access

__all__ = ["ServeRequest", "Served", "serving"]

_TURN_SECONDS: Final = 0.0005
_DESCRIPTORS: Final = 4096
"""Each connection may have a file open beside its socket; many systems allow 1,024 unless a program asks for more."""


class ServeRequest(NamedTuple):
    """What to serve, at which address, and which users are allowed: the arguments of `Client.serve`."""

    listen: str = "127.0.0.1:5000"
    root: Path | None = None
    htpasswd: Path | None = None
    user: str | None = None
    password: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    read_only: bool = False
    hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the password."""
        return f"ServeRequest(listen={self.listen!r}, ...)"


class Served(NamedTuple):
    """A registry that answers.

    Attributes:
        address: `host:port`, as references to it begin.
        url: where its page is.
        root: the folder it keeps things in.
        temporary: whether that folder goes with it.
        user: the only user, None when there is none or there are several.
        password: that was made up for that user, else None.
        unencrypted: whether passwords travel unencrypted to more than this machine.
    """

    address: str
    url: str
    root: Path
    temporary: bool
    user: str | None
    password: str | None = None
    unencrypted: bool = False

    def __repr__(self) -> str:
        """Without the password."""
        return f"Served(address={self.address!r}, ...)"


@contextmanager
def serving(request: ServeRequest, log: Callable[[str], None] | None = None) -> Iterator[Served]:
    """A registry for as long as the block runs; requests under way are finished at its end."""
    from wasm2oci.base.descriptors import allow_descriptors
    from wasm2oci.oci.host import is_loopback
    from wasm2oci.operations.registry_site import make_site
    from wasm2oci.server.call import Rules
    from wasm2oci.server.disk import DiskStorage
    from wasm2oci.server.exposure import check_exposure, parse_listen, tls_context
    from wasm2oci.server.http_server import Server
    from wasm2oci.server.registry import Registry

    host, port = parse_listen(request.listen)
    access, password = _access(request)
    check_exposure(host, authenticated=access is not None)
    if request.tls_key is not None and request.tls_cert is None:
        raise UsageError("the key of the server's certificate needs the certificate")
    tls = None if request.tls_cert is None else tls_context(request.tls_cert, request.tls_key)
    allow_descriptors(_DESCRIPTORS)
    with temporary_folder("wasm2oci-registry-") if request.root is None else nullcontext(request.root) as root:
        storage = DiskStorage(root)
        try:
            registry = Registry(
                storage,
                access=access,
                rules=Rules(
                    read_only=request.read_only,
                    hosts=None if access is not None else frozenset(name.lower() for name in request.hosts),
                ),
                report=log or (lambda _: None),
                site=make_site(storage, access).answer,
            )
            with (
                _short_turns(),
                Server(registry.handle, host, port, tls=tls, log=log, housekeeping=registry.collect) as server,
            ):
                yield Served(
                    address=server.address,
                    url=f"{server.url}/",
                    root=root,
                    temporary=request.root is None,
                    user=request.user,
                    password=password,
                    unencrypted=tls is None and access is not None and not is_loopback(host),
                )
            registry.close()
        finally:
            storage.close()


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let the threads of this process take turns after half a millisecond, not after five.

    A request takes several turns. Among hundreds that compute, it would wait for seconds (measured: 4.4 s, and 1.5 s
    with this, for the same clients on the same loaded machine).
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _access(request: ServeRequest) -> tuple[Access | None, str | None]:
    from wasm2oci.server.access import BasicAccess
    from wasm2oci.server.passwords import HtpasswdFile, OneUser

    if request.user is not None and request.htpasswd is not None:
        raise UsageError("give one user or a file of users, not both")
    if request.htpasswd is not None:
        return BasicAccess(HtpasswdFile(request.htpasswd)), None
    if request.user is None:
        return None, None
    if not request.user or ":" in request.user:
        raise UsageError("the user name is empty or contains a colon")
    made_up = secrets.token_urlsafe(18) if request.password is None else None
    return BasicAccess(OneUser(request.user, request.password or made_up or "")), made_up
