"""Login and logout: check credentials with the registry, keep them where other tools find them, forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.errors import AccessError, NotFoundError, Remedy, RemedyKind, UsageError
from wasm2oci.oci.reference import InvalidReferenceError
from wasm2oci.operations.names import split_host

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Environment
    from wasm2oci.registry.credentials import Credential

__all__ = [
    "KnownCredential",
    "LoggedIn",
    "LoggedOut",
    "NotLoggedInError",
    "UsedCredential",
    "known_credentials",
    "login",
    "logout",
    "whoami",
]

_NARROWER_MAX: Final = 16
"""Paths whose credentials are looked up after a login: each time files are read, or a helper is asked."""


class NotLoggedInError(NotFoundError):
    """No credentials are stored."""


class LoggedIn(NamedTuple):
    """The credentials are stored now; a registry that asked for some took them.

    Attributes:
        registry: the host, or a host with a path.
        stored: where they are.
        plaintext: whether they are not encrypted there.
        hidden_by: a source that goes before and holds others; null for none.
        narrower: paths below it that credentials of their own are stored for, which go before these; not all of many.
        checked: whether the registry asked for credentials.
    """

    registry: str
    stored: str
    plaintext: bool
    hidden_by: str | None = None
    narrower: tuple[str, ...] = ()
    checked: bool = True


class LoggedOut(NamedTuple):
    """Credentials were removed from these places."""

    registry: str
    removed: tuple[str, ...]


class KnownCredential(NamedTuple):
    """A registry that credentials are stored for.

    Attributes:
        registry: the host, or a host with a path.
        user: the user name; null where a credential helper keeps it, or for a token.
        source: the file or the credential helper.
    """

    registry: str
    user: str | None
    source: str


class UsedCredential(NamedTuple):
    """The credential that is used at a registry.

    Attributes:
        registry: as it was given.
        kind: `anonymous`, `password`, `identity-token` or `registry-token`.
        user: the user name; null where there is none.
        source: where the credential comes from; null for none.
        accepted: whether the registry takes it.
    """

    registry: str
    kind: str
    user: str | None
    source: str | None
    accepted: bool


def login(registry: str, environment: Environment) -> LoggedIn:
    """Check the credentials in `environment.options` with the registry, then keep them."""
    from wasm2oci.registry.credentials import Anonymous

    host, path = split_host(registry)
    credential = environment.options.credential
    if credential is None or isinstance(credential, Anonymous):
        raise UsageError("login needs a user name and a password", remedy=Remedy(RemedyKind.GIVE_CREDENTIALS))
    from wasm2oci.registry.login import store_credential

    with environment.places() as places:
        checked = places.connector.check_login(host, credential, path)
    stored = store_credential(
        host,
        credential,
        environment.variables,
        environment.home,
        registry_config=environment.options.registry_config,
        path=path,
        warn=environment.warn,
    )
    name = _joined(host, path)
    narrower = () if stored.hidden_by is not None else _narrower(host, path, credential, environment)
    return LoggedIn(name, *stored, narrower=narrower, checked=checked)


def logout(registry: str, environment: Environment) -> LoggedOut:
    """Forget the credentials of a registry, or (`HOST/PATH`) those for a path alone."""
    from wasm2oci.registry.login import erase_credential

    host, path = split_host(registry)
    where = erase_credential(
        host,
        environment.variables,
        environment.home,
        registry_config=environment.options.registry_config,
        path=path,
        warn=environment.warn,
    )
    if not where:
        raise NotLoggedInError(f"no credentials for {_joined(host, path)} are stored")
    return LoggedOut(_joined(host, path), tuple(where))


def whoami(registry: str, environment: Environment) -> UsedCredential:
    """Which credential is used at a registry, and whether it is taken there."""
    from wasm2oci.registry.credentials import Anonymous, Basic, IdentityToken
    from wasm2oci.registry.login import find_credential
    from wasm2oci.registry.registries_conf import BlockedRegistryError

    host, path = split_host(registry)
    options = environment.options
    credential: Credential = options.credential or find_credential(
        host,
        path,
        environment.variables,
        environment.home,
        registry_config=options.registry_config,
        warn=environment.warn,
    )
    try:
        with environment.places() as places:
            places.connector.check_login(host, credential, path)
        accepted = True
    except BlockedRegistryError:
        raise
    except AccessError:
        accepted = False
    kind, user = "registry-token", None
    if isinstance(credential, Anonymous):
        return UsedCredential(_joined(host, path), "anonymous", None, None, accepted)
    if isinstance(credential, Basic):
        kind, user = "password", credential.username
    elif isinstance(credential, IdentityToken):
        kind = "identity-token"
    return UsedCredential(_joined(host, path), kind, user, credential.source, accepted)


def known_credentials(environment: Environment) -> tuple[KnownCredential, ...]:
    """The registries that credential files have an entry or a helper for; no helper is asked, and nothing is sent."""
    from wasm2oci.registry.login import list_credentials

    listed = list_credentials(environment.variables, environment.home, environment.options.registry_config)
    return tuple(KnownCredential(*one) for one in listed)


def _narrower(host: str, path: str, credential: Credential, environment: Environment) -> tuple[str, ...]:
    """Paths below this one that have another credential, of the first `_NARROWER_MAX`."""
    from wasm2oci.registry.login import find_credential

    above = f"{_joined(host, path)}/"
    keys = {one.registry for one in known_credentials(environment) if one.registry.startswith(above)}
    return tuple(
        key
        for key in sorted(filter(_names_repositories, keys))[:_NARROWER_MAX]
        if credential
        != find_credential(
            host,
            key.removeprefix(f"{host}/"),
            environment.variables,
            environment.home,
            registry_config=environment.options.registry_config,
            warn=environment.warn,
        )
    )


def _names_repositories(key: str) -> bool:
    """Whether a key is `HOST/PATH` as repositories are named: another one is used for none."""
    try:
        return _joined(*split_host(key)) == key
    except InvalidReferenceError:
        return False


def _joined(host: str, path: str) -> str:
    return f"{host}/{path}" if path else host
