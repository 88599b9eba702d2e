"""Keeping and forgetting credentials: what `login` and `logout` do once a registry took them."""

from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.errors import LocalIOError, Wasm2OciError
from wasm2oci.oci.http import encode_basic
from wasm2oci.registry.credentials import (
    TOKEN_USER,
    Basic,
    CredentialChain,
    IdentityToken,
    credential_files,
    docker_config_path,
)
from wasm2oci.registry.docker_config import (
    read_auth_file,
    update_auth_file,
)
from wasm2oci.registry.flavours import find_flavour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["IncompleteLogoutError", "Stored", "erase_credential", "store_credential"]


class IncompleteLogoutError(LocalIOError):
    """A credential file or helper could not be asked or changed, so it may still keep credentials."""


class Stored(NamedTuple):
    """Where a credential went.

    Args:
        where: a file's path or a helper's name.
        plaintext: whether it lies there readable.
        hidden_by: a source that is asked earlier and holds another credential for this registry; None: the next
            command uses what was stored.
    """

    where: str
    plaintext: bool
    hidden_by: str | None = None


def store_credential(
    host: str,
    credential: Basic | IdentityToken,
    environ: "Mapping[str, str]",
    home: "Path",
    registry_config: "Path | None" = None,
) -> Stored:
    """Keep a registry's credential: with the configured helper, else in the credential file.

    The file is `registry_config`, else the first of those looked into that has an entry or a helper for the registry,
    so that the old credential is replaced; else `REGISTRY_AUTH_FILE`, else docker's own.

    Raises:
        Wasm2OciError: the helper failed, or the file could not be read or written.
    """
    stored = _store(_writable(host, environ, home, registry_config), host, credential, environ)
    found = CredentialChain(environ, home, registry_config=registry_config).lookup(host)
    return stored if found == credential else stored._replace(hidden_by=found.source)


def _store(path: "Path", host: str, credential: Basic | IdentityToken, environ: "Mapping[str, str]") -> Stored:
    file = read_auth_file(path)
    key = find_flavour(host).key or host
    helper = file.helper_for(host) if file is not None else None
    if helper is not None:
        from wasm2oci.registry.helpers import store_with_helper

        name, server = helper
        username = credential.username if isinstance(credential, Basic) else TOKEN_USER
        secret = credential.password if isinstance(credential, Basic) else credential.token
        store_with_helper(name, server, username, secret, environ)
        update_auth_file(path, {key: {}})  # as docker does: the key stays visible, the secret is elsewhere
        return Stored(f"docker-credential-{name}", plaintext=False)
    entry: dict[str, Any]
    if isinstance(credential, Basic):
        entry = {"auth": encode_basic(credential.username, credential.password)}
    else:
        entry = {"auth": encode_basic(TOKEN_USER, ""), "identitytoken": credential.token}
    update_auth_file(path, {key: entry})
    return Stored(str(path), plaintext=True)


def erase_credential(
    host: str,
    environ: "Mapping[str, str]",
    home: "Path",
    registry_config: "Path | None" = None,
) -> list[str]:
    """Remove a registry's credentials from every file and helper where `CredentialChain` looks for them.

    Returns:
        The files and helpers that had any; empty if none had.

    Raises:
        IncompleteLogoutError: a file or a helper failed. All others were still dealt with; the message names both.
    """
    erased: list[str] = []
    failures: list[Wasm2OciError] = []
    for path, legacy in credential_files(environ, home, registry_config):
        try:
            file = read_auth_file(path, legacy=legacy)
        except Wasm2OciError as error:
            failures.append(error)
            continue
        if file is None:
            continue
        helper = file.helper_for(host)
        if helper is not None:
            from wasm2oci.registry.helpers import erase_with_helper

            try:
                if erase_with_helper(*helper, environ):
                    erased.append(f"docker-credential-{helper[0]}")
            except Wasm2OciError as error:
                failures.append(error)
        keys = file.keys_for(host, "")
        if keys:
            try:
                update_auth_file(path, dict.fromkeys(keys), legacy=legacy)
            except Wasm2OciError as error:
                failures.append(error)
                continue
            if any(file.auths[key] for key in keys):
                erased.append(str(path))
    if failures:
        reasons = "; ".join(dict.fromkeys(error.message for error in failures))
        removed = f" (removed from {', '.join(erased)})" if erased else ""
        raise IncompleteLogoutError(
            f"credentials for {host} may still be kept: {reasons}{removed}", hint=failures[0].hint
        ) from failures[0]
    return erased


def _writable(host: str, environ: "Mapping[str, str]", home: "Path", registry_config: "Path | None") -> "Path":
    files = credential_files(environ, home, registry_config)
    for path, legacy in files:
        if legacy:  # docker's own file goes before it
            break
        try:
            file = read_auth_file(path)
        except Wasm2OciError:  # the search for credentials passes it over too
            continue
        if file is not None and (file.helper_for(host) is not None or file.entry_for(host, "")):
            return path
    return files[0][0] if registry_config or environ.get("REGISTRY_AUTH_FILE") else docker_config_path(environ, home)
