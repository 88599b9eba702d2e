"""From a reference to a repository: the one place where the parts of this package are put together.

Where a registry is: `https`, unless `plain_http` says otherwise. This machine itself (`localhost`, `127.0.0.1`, ...)
is asked over plain http first, as other clients do, and over https when that turns out to be what answers; options
that are about TLS settle it at once. Docker Hub's `docker.io` is really `registry-1.docker.io`.
"""

import re
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.oci.endpoints import PING
from wasm2oci.oci.host import is_loopback
from wasm2oci.registry.flavours import find_flavour
from wasm2oci.registry.messages import request_for
from wasm2oci.registry.options import ConnectOptions
from wasm2oci.registry.problems import ConnectionLostError, ExchangeError, TlsError
from wasm2oci.registry.repository import Repository
from wasm2oci.registry.session import Session, World
from wasm2oci.registry.transport import HttpTransport
from wasm2oci.registry.urls import Origin

if TYPE_CHECKING:
    from types import TracebackType

    from wasm2oci.oci.reference import Reference
    from wasm2oci.registry.auth import TokenAuth
    from wasm2oci.registry.credentials import Credential
    from wasm2oci.registry.messages import Sender

__all__ = ["ConnectOptions", "Connector", "find_origin", "open_repository"]

_WANTS_TLS: Final = re.compile(rb"https|ssl|tls", re.IGNORECASE)


class Connector:
    """Opens repositories; those of one registry share connections and what was found out about it.

    Args:
        options: see there.
        sender: sends requests; made from the options if None.
    """

    def __init__(self, options: ConnectOptions, sender: "Sender | None" = None) -> None:
        self.options = options
        self._sender = sender or HttpTransport(
            options.tls,
            options.environ,
            connect_timeout=min(options.connect_timeout, options.read_timeout),
            read_timeout=options.read_timeout,
            waiting=lambda name: self._warn(f"still waiting for {name}"),
        )
        self._guard = Lock()
        self._finding = Lock()
        self._origins: dict[str, Origin] = {}
        self._sessions: dict[tuple[str, str], Session] = {}
        self._repositories: dict[tuple[str, str, bool], Repository] = {}
        self._told: set[str] = set()

    def repository(self, reference: "Reference", *, writes: bool = False, apart: bool = False) -> Repository:
        """The repository of a reference. Nothing is sent yet.

        Args:
            reference: its host and repository count.
            writes: whether it is going to be written to.
            apart: do not share what was read last with who else asks for this repository.
        """
        host, name = reference.host, reference.repository
        namespace = find_flavour(host).namespace
        if namespace is not None and "/" not in name:
            name = f"{namespace}/{name}"
        session = self.session(host, name)
        if apart:
            return Repository(session, name, writes=writes, shown=reference.repository)
        with self._guard:
            key = (host, name, writes)
            if key not in self._repositories:
                self._repositories[key] = Repository(session, name, writes=writes, shown=reference.repository)
            return self._repositories[key]

    def session(self, host: str, name: str = "") -> Session:
        """The session with a registry for one repository: credentials may differ between repositories, tokens do."""
        with self._guard:
            key = (host, name)
            if key not in self._sessions:
                self._sessions[key] = self._open(host, name, self.options.credential)
            return self._sessions[key]

    def origin(self, host: str) -> Origin:
        """Where a registry is; found out once.

        Raises:
            ExchangeError: it is this machine, and nothing answers.
        """
        with self._finding:
            if host not in self._origins:
                self._origins[host] = find_origin(host, self.options, self._sender)
            return self._origins[host]

    def ping(self, host: str) -> None:
        """Check that there is a registry, and that it takes our credentials if it wants any.

        Raises:
            AccessError: it does not.
            RegistryError: there is none.
        """
        self.session(host).ping()

    def check_login(self, host: str, credential: "Credential") -> None:
        """Check that a registry takes this credential.

        Raises:
            AccessError: it does not.
            RegistryError: there is none.
        """
        self._open(host, "", credential).ping()

    def close(self) -> None:
        """Drop what was begun and not ended, and close all connections."""
        with self._guard:
            repositories = list(self._repositories.values())
        for repository in repositories:
            repository.close()
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def _open(self, host: str, name: str, credential: "Credential | None") -> Session:
        options = self.options

        def make_auth(origin: Origin) -> "TokenAuth":
            # Most registries of a local try never ask who we are; then neither of these is imported.
            from wasm2oci.registry.auth import TokenAuth
            from wasm2oci.registry.credentials import CredentialChain

            chain = CredentialChain(options.environ, options.home, credential, options.registry_config, self._warn)
            return TokenAuth(
                origin,
                lambda: chain.lookup(host, name),
                clock=options.clock,
                host=host,
                tried=lambda: chain.tried,
                warn=self._warn,
                addresses=self._sender.addresses,
            )

        return Session(
            host,
            lambda: self.origin(host),
            make_auth,
            self._sender,
            World(options.sleep, options.random, options.now, options.log, self._warn),
            policy=options.retry,
            user_agent=options.user_agent,
            headers=options.headers,
        )

    def _warn(self, text: str) -> None:
        with self._guard:
            fresh = text not in self._told
            self._told.add(text)
        if fresh and self.options.warn is not None:
            self.options.warn(text)


def open_repository(reference: "Reference", options: ConnectOptions, *, writes: bool = False) -> Repository:
    """The repository of a reference, with connections of its own. Nothing is sent yet."""
    return Connector(options).repository(reference, writes=writes)


def find_origin(host: str, options: ConnectOptions, sender: "Sender") -> Origin:
    """Where a registry is: see the module.

    Raises:
        ExchangeError: it is this machine, and nothing answers.
    """
    address = find_flavour(host).address
    if address is not None:
        return Origin.at("https", address)
    if options.plain_http:
        return Origin.at("http", host)
    if options.tls.says_something or not is_loopback(host):
        return Origin.at("https", host)
    plain, secure = Origin.at("http", host), Origin.at("https", host)
    try:
        answer = sender.send(request_for(PING, plain), home=plain)
        said = answer.read_truncated(4096)
        wants_tls = answer.status == 400 and _WANTS_TLS.search(said) is not None
    except ConnectionLostError:
        wants_tls = _speaks_tls(secure, sender)
    return secure if wants_tls else plain


def _speaks_tls(origin: Origin, sender: "Sender") -> bool:
    # A TLS server hangs up on plain http; so does a registry in trouble. The handshake tells them apart.
    try:
        sender.send(request_for(PING, origin), home=origin).drain()
    except TlsError as error:
        return error.spoken
    except ExchangeError:
        return False
    return True
