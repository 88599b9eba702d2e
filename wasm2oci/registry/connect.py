"""From a reference to a repository: the one place where the parts of this package are put together.

Where a registry is: `https`, unless `plain_http` says otherwise. This machine itself (`localhost`, `127.0.0.1`, ...)
is asked over plain http first, as other clients do, and over https when that turns out to be what answers; options and
certificates that are about TLS settle it at once. Docker Hub's `docker.io` is really `registry-1.docker.io`. What
`registries.conf` says of a registry counts before all of that.
"""

from __future__ import annotations

import re
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.records import NamedTuple
from wasm2oci.oci.endpoints import PING
from wasm2oci.oci.host import is_loopback
from wasm2oci.registry.flavours import find_flavour, same_registry
from wasm2oci.registry.messages import request_for
from wasm2oci.registry.options import ConnectOptions
from wasm2oci.registry.problems import ConnectionLostError, ExchangeError, TlsError
from wasm2oci.registry.repository import Repository
from wasm2oci.registry.rule_files import HostSettings, find_conf_files, find_hosts_file
from wasm2oci.registry.session import Session, World
from wasm2oci.registry.transport import HttpTransport
from wasm2oci.registry.urls import Origin

if TYPE_CHECKING:
    from types import TracebackType

    from wasm2oci.oci.reference import Reference
    from wasm2oci.registry.auth import TokenAuth
    from wasm2oci.registry.credentials import Credential
    from wasm2oci.registry.messages import Sender
    from wasm2oci.registry.mirrors import Mirrored
    from wasm2oci.registry.options import TlsSettings
    from wasm2oci.registry.registries_conf import RegistryRule
    from wasm2oci.registry.rule_files import HostFiles

__all__ = ["ConnectOptions", "Connector"]

_WANTS_TLS: Final = re.compile(rb"https|ssl|tls", re.IGNORECASE)


class _Host(NamedTuple):
    """A registry as it is asked.

    Args:
        name: as users write it.
        settings: what files of other tools say of it.
        own: whether credentials, headers and the client certificate of the options are for it; they are not for other
            hosts of a `registries.conf`.
        last: whether no other host is asked for the same after it.
    """

    name: str
    settings: HostSettings = HostSettings()
    own: bool = True
    last: bool = True


class Connector:
    """Opens repositories; those of one registry share connections and what was found out about it.

    Args:
        options: see there.
        sender: sends requests; made from the options if None.
    """

    def __init__(self, options: ConnectOptions, sender: Sender | None = None) -> None:
        self.options = options
        self._given_sender = sender
        self._senders: dict[tuple[bool, bool, HostFiles], Sender] = {}
        self._making = Lock()
        self._guard = Lock()
        self._finding = Lock()
        self._rules: tuple[RegistryRule, ...] | None = None
        self._host_rules: dict[str, RegistryRule | None] = {}
        self._origins: dict[_Host, Origin] = {}
        self._sessions: dict[tuple[_Host, str], Session] = {}
        self._repositories: dict[tuple[_Host, str, bool], Repository] = {}
        self._told: set[str] = set()
        self._found_out = None
        if options.cache is not None:
            from wasm2oci.registry.found_out import FoundOut

            self._found_out = FoundOut(options.cache, options.now)

    def source(self, reference: Reference, *, apart: bool = False) -> Repository | Mirrored:
        """The repository of a reference, or the mirrors of it that `registries.conf` names, to read from.

        Args:
            reference: all of it counts: a rule may be for one tag.
            apart: see `repository`.

        Raises:
            BlockedRegistryError, RegistriesConfError: see `repository`.
        """
        own = self.repository(reference, apart=apart)
        rule = self._rule(reference)
        if rule is None:
            return own
        from wasm2oci.registry.mirrors import Mirrored, MirroredSource
        from wasm2oci.registry.registries_conf import sources

        found = sources(rule, reference, self._warn)
        if [one.reference for one in found] == [reference]:
            return own
        places = []
        for one in found:
            own_host = one.reference.host == reference.host
            host = _Host(one.reference.host, one.settings, own=own_host, last=one is found[-1])
            repository = self._repository(host, one.reference.repository, writes=False, apart=apart)
            places.append(MirroredSource(repository, one.tags, one.digests))
        return Mirrored(places, own, self._warn)

    def repository(self, reference: Reference, *, writes: bool = False, apart: bool = False) -> Repository:
        """The repository of a reference. Nothing is sent yet.

        Args:
            reference: its host and repository count.
            writes: whether it is going to be written to.
            apart: do not share what was read last with other users of this repository.

        Raises:
            BlockedRegistryError: `registries.conf` blocks it.
            RegistriesConfError: that file is malformed.
        """
        host = self._host(reference.host, self._rule(reference), reference.name)
        return self._repository(host, reference.repository, writes=writes, apart=apart)

    def session(self, host: str, name: str = "") -> Session:
        """The session with a registry for one repository: credentials may differ between repositories, tokens do.

        Raises:
            BlockedRegistryError, RegistriesConfError: see `repository`.
        """
        return self._session(self._host(host, self._rule(f"{host}/{name}" if name else host), host), name)

    def _host(self, host: str, rule: RegistryRule | None, what: str) -> _Host:
        if rule is None:
            return _Host(host)
        if rule.blocked:
            from wasm2oci.registry.registries_conf import BlockedRegistryError

            raise BlockedRegistryError(f"{what} is blocked", hint=f"by {rule.prefix!r} in {rule.file}")
        if rule.location and not same_registry(host, rule.location.partition("/")[0]):
            return _Host(host)  # what the rule says of TLS is about the place where it is read instead
        return _Host(host, rule.settings)

    def origin(self, host: str, *, insecure: bool = False) -> Origin:
        """Where a registry is; found out once.

        Raises:
            ExchangeError: it is this machine, and nothing answers.
        """
        return self._origin(_Host(host, HostSettings(insecure)))

    def _origin(self, host: _Host) -> Origin:
        with self._finding:
            if host not in self._origins:
                sender = self._sender_of(host)
                self._origins[host] = _find_origin(host.name, host.settings, self.options, sender)
            return self._origins[host]

    def ping(self, host: str) -> None:
        """Check that there is a registry, and that it takes our credentials if it wants any.

        Raises:
            AccessError: it does not.
            RegistryError: there is none.
        """
        self.session(host).ping()

    def check_login(self, host: str, credential: Credential, path: str = "") -> bool:
        """Check that a registry takes this credential, for the repositories below a path if there is one.

        It returns whether the registry asked for one; else it takes any.

        Raises:
            AccessError: it does not.
            RegistryError: there is none.
            BlockedRegistryError, RegistriesConfError: see `repository`.
        """
        rule = self._rule(f"{host}/{path}" if path else host)
        return self._open(self._host(host, rule, host), "", credential).ping()

    def close(self) -> None:
        """Drop what was begun and not ended, and close all connections."""
        with self._guard:
            repositories = list(self._repositories.values())
        for repository in repositories:
            repository.close()
        with self._making:
            senders = list(self._senders.values())
        for sender in senders:
            sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rule(self, place: Reference | str) -> RegistryRule | None:
        """What the files of other tools say of a reference, or of `HOST` or `HOST/PATH`."""
        environ, home = self.options.environ, self.options.home
        with self._guard:
            if self._rules is None:
                files = find_conf_files(environ, home)
                if any(files):
                    from wasm2oci.registry.registries_conf import read_rules

                self._rules = read_rules(files) if any(files) else ()
            if self._rules:
                from wasm2oci.registry.registries_conf import find_rule

                rule = find_rule(self._rules, place)
                if rule is not None:
                    return rule
            host = place.partition("/")[0] if isinstance(place, str) else place.host
            if host not in self._host_rules:
                path = find_hosts_file(host, environ, home)
                if path is not None:
                    from wasm2oci.registry.hosts_toml import host_rule

                self._host_rules[host] = None if path is None else host_rule(path, host)
            return self._host_rules[host]

    def _repository(self, host: _Host, name: str, *, writes: bool, apart: bool) -> Repository:
        shown, namespace = name, find_flavour(host.name).namespace
        if namespace is not None and "/" not in name:
            name = f"{namespace}/{name}"
        session = self._session(host, name)
        if apart:
            return Repository(session, name, writes=writes, shown=shown)
        with self._guard:
            key = (host, name, writes)
            if key not in self._repositories:
                self._repositories[key] = Repository(session, name, writes=writes, shown=shown)
            return self._repositories[key]

    def _session(self, host: _Host, name: str) -> Session:
        with self._guard:
            key = (host, name)
            if key not in self._sessions:
                self._sessions[key] = self._open(host, name, self.options.credential if host.own else None)
            return self._sessions[key]

    def _make_sender(self, tls: TlsSettings) -> Sender:
        options = self.options
        return HttpTransport(
            tls,
            options.environ,
            connect_timeout=min(options.connect_timeout, options.read_timeout),
            read_timeout=options.read_timeout,
            waiting=lambda name: self._warn(f"still waiting for {name}"),
            home_folder=options.home,
        )

    def _sender_of(self, host: _Host) -> Sender:
        with self._making:
            insecure, files = host.settings.insecure, host.settings.files
            key = insecure, host.own, files
            if key not in self._senders:
                tls = self.options.tls._replace(host_files=files.authorities)
                tls = tls._replace(insecure=True) if insecure else tls
                if not host.own or tls.cert_file is None:
                    tls = tls._replace(cert_file=files.cert_file, key_file=files.key_file)
                self._senders[key] = self._given_sender or self._make_sender(tls)
            return self._senders[key]

    def _open(self, host: _Host, name: str, credential: Credential | None) -> Session:
        options, sender, found_out = self.options, self._sender_of(host), self._found_out

        def make_auth(origin: Origin) -> TokenAuth:
            # Most registries on this machine never ask for credentials; then neither of these is imported.
            from wasm2oci.registry.auth import TokenAuth
            from wasm2oci.registry.credentials import CredentialChain

            chain = CredentialChain(options.environ, options.home, credential, options.registry_config, self._warn)
            return TokenAuth(
                origin,
                lambda: chain.lookup(host.name, name),
                clock=options.clock,
                host=host.name,
                tried=lambda: chain.tried,
                warn=self._warn,
                addresses=sender.addresses,
                learned=None if found_out is None else partial(found_out.note_challenge, origin),
                root=host.settings.root,
            )

        return Session(
            host.name,
            lambda: self._origin(host),
            make_auth,
            sender,
            World(options.sleep, options.random, options.now, options.log, self._warn, options.clock),
            policy=options.retry if host.last else options.retry._replace(after_silence=False),
            user_agent=options.user_agent,
            headers={**dict(host.settings.headers), **(options.headers if host.own else {})},
            root=host.settings.root,
            found_out=found_out,
        )

    def _warn(self, text: str) -> None:
        with self._guard:
            fresh = text not in self._told
            self._told.add(text)
        if fresh and self.options.warn is not None:
            self.options.warn(text)


def _find_origin(host: str, settings: HostSettings, options: ConnectOptions, sender: Sender) -> Origin:
    """Where a registry is: see the module. `sender` asks it, where that has to be found out.

    Raises:
        ExchangeError: it is this machine, and nothing answers.
    """
    address = find_flavour(host).address
    if address is not None:
        return Origin.at("https", address)
    if options.plain_http:
        return Origin.at("http", host)
    plain, secure = Origin.at("http", host), Origin.at("https", host)
    if settings.https:
        return secure
    if settings.insecure:
        return secure if _speaks_tls(secure, sender) else plain
    if not is_loopback(host) or _means_tls(options, secure):
        return secure
    try:
        answer = sender.send(request_for(PING, plain), home=plain)
        said = answer.read_truncated(4096)
        wants_tls = answer.status == 400 and _WANTS_TLS.search(said) is not None
    except ConnectionLostError:
        wants_tls = _speaks_tls(secure, sender)
    return secure if wants_tls else plain


def _means_tls(options: ConnectOptions, origin: Origin) -> bool:
    tls = options.tls
    if "ca_file" in options.for_all:
        tls = tls._replace(ca_file=None)
    if "insecure" in options.for_all:
        tls = tls._replace(insecure=False)
    return tls.at(origin, options.environ, options.home).says_something


def _speaks_tls(origin: Origin, sender: Sender) -> bool:
    # A TLS server closes a plain http connection; so does a faulty registry. The handshake shows which one it is.
    try:
        sender.send(request_for(PING, origin), home=origin).drain()
    except TlsError as error:
        return error.spoken
    except ExchangeError:
        return False
    return True
