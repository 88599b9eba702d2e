"""Login and logout: check credentials with the registry, keep them where other tools find them, forget them."""

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.errors import NotFoundError, Remedy, RemedyKind, UsageError
from wasm2oci.operations.names import check_host

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Environment

__all__ = ["LoggedIn", "LoggedOut", "NotLoggedInError", "login", "logout"]


class NotLoggedInError(NotFoundError):
    """There are no credentials to forget."""


class LoggedIn(NamedTuple):
    """Credentials were right, and are kept now; `hidden_by` names a source that goes before and holds others."""

    registry: str
    stored: str
    plaintext: bool
    hidden_by: str | None = None


class LoggedOut(NamedTuple):
    """Credentials were removed from these places."""

    registry: str
    removed: tuple[str, ...]


def login(host: str, environment: "Environment") -> LoggedIn:
    """Check the credentials in `environment.options` with the registry, then keep them.

    Raises:
        InvalidReferenceError: it is not a registry host.
        AccessError: the registry refuses them; nothing was kept.
        RegistryError: the registry cannot be asked.
        LocalIOError: they cannot be kept.
        UsageError: there are none.
    """
    from wasm2oci.registry.credentials import Anonymous

    host = check_host(host)
    credential = environment.options.credential
    if credential is None or isinstance(credential, Anonymous):
        raise UsageError("login needs a user name and a password", remedy=Remedy(RemedyKind.GIVE_CREDENTIALS))
    from wasm2oci.registry.login import store_credential

    with environment.places() as places:
        places.connector.check_login(host, credential)
    stored = store_credential(
        host,
        credential,
        environment.variables,
        environment.home,
        registry_config=environment.options.registry_config,
    )
    return LoggedIn(host, *stored)


def logout(host: str, environment: "Environment") -> LoggedOut:
    """Forget the credentials of a registry.

    Raises:
        InvalidReferenceError: it is not a registry host.
        NotLoggedInError: there were none.
        IncompleteLogoutError: a file or a helper failed, and may still keep them.
    """
    from wasm2oci.registry.login import erase_credential

    host = check_host(host)
    where = erase_credential(
        host, environment.variables, environment.home, registry_config=environment.options.registry_config
    )
    if not where:
        raise NotLoggedInError(f"no credentials for {host} are kept")
    return LoggedOut(host, tuple(where))
