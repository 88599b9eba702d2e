"""Keeping and forgetting credentials: what `login` and `logout` do once a registry took them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import LocalIOError, Wasm2OciError
from wasm2oci.oci.http import encode_basic
from wasm2oci.registry.credentials import (
    TOKEN_USER,
    Basic,
    CredentialChain,
    credential_files,
    docker_config_path,
    podman_config_path,
)
from wasm2oci.registry.docker_config import (
    auth_keys,
    decode_entry,
    read_auth_file,
    update_auth_file,
)
from wasm2oci.registry.flavours import find_flavour

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wasm2oci.registry.credentials import (
        Credential,
        IdentityToken,
    )

__all__ = [
    "IncompleteLogoutError",
    "Stored",
    "erase_credential",
    "find_credential",
    "list_credentials",
    "store_credential",
]


class IncompleteLogoutError(LocalIOError):
    """A credential file or helper failed, so it may still store credentials."""


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
    environ: Mapping[str, str],
    home: Path,
    registry_config: Path | None = None,
    *,
    path: str = "",
    warn: Callable[[str], None] | None = None,
) -> Stored:
    """Keep a registry's credential: with the configured helper, else in the credential file.

    The file is `registry_config`, else the first of those looked into that has an entry or a helper for the registry,
    so that the old credential is replaced; else `REGISTRY_AUTH_FILE`, else docker's own.

    With a path the credential is for the repositories below it. It goes into podman's file: helpers know hosts only,
    and docker's own client would take it for the whole registry. `warn` is called when a helper takes long.

    Raises:
        Wasm2OciError: the helper failed, or the file could not be read or written.
    """
    if path:
        files = credential_files(environ, home, registry_config)
        own = registry_config or environ.get("REGISTRY_AUTH_FILE")
        stored = _write(files[0][0] if own else podman_config_path(environ, home), auth_keys(host, path)[0], credential)
    else:
        stored = _store(_writable(host, environ, home, registry_config), host, credential, environ, warn)
    found = CredentialChain(environ, home, registry_config=registry_config).lookup(host, path)
    return stored if found == credential else stored._replace(hidden_by=found.source)


def _store(
    path: Path,
    host: str,
    credential: Basic | IdentityToken,
    environ: Mapping[str, str],
    warn: Callable[[str], None] | None,
) -> Stored:
    file = read_auth_file(path)
    key = find_flavour(host).key or host
    helper = file.helper_for(host) if file is not None else None
    if helper is not None:
        from wasm2oci.registry.helpers import store_with_helper

        name, server = helper
        username = credential.username if isinstance(credential, Basic) else TOKEN_USER
        secret = credential.password if isinstance(credential, Basic) else credential.token
        store_with_helper(name, server, username, secret, environ, warn=warn)
        update_auth_file(path, {key: {}})  # as docker does: the key stays visible, the secret is elsewhere
        return Stored(f"docker-credential-{name}", plaintext=False)
    return _write(path, key, credential)


def _write(path: Path, key: str, credential: Basic | IdentityToken) -> Stored:
    entry: dict[str, Any]
    if isinstance(credential, Basic):
        entry = {"auth": encode_basic(credential.username, credential.password)}
    else:
        entry = {"auth": encode_basic(TOKEN_USER, ""), "identitytoken": credential.token}
    update_auth_file(path, {key: entry})
    return Stored(str(path), plaintext=True)


def erase_credential(
    host: str,
    environ: Mapping[str, str],
    home: Path,
    registry_config: Path | None = None,
    *,
    path: str = "",
    warn: Callable[[str], None] | None = None,
) -> list[str]:
    """Remove a registry's credentials from every file and helper where `CredentialChain` looks for them.

    With a path, only those that are for exactly this path. `warn` is called when a helper takes long.

    Returns:
        The files and helpers that had any; empty if none had.

    Raises:
        IncompleteLogoutError: a file or a helper failed. All others were still dealt with; the message names both.
    """
    erased: list[str] = []
    failures: list[Wasm2OciError] = []
    for file_path, legacy in credential_files(environ, home, registry_config):
        try:
            file = read_auth_file(file_path, legacy=legacy)
        except Wasm2OciError as error:
            failures.append(error)
            continue
        if file is None:
            continue
        helper = None if path else file.helper_for(host)
        if helper is not None:
            from wasm2oci.registry.helpers import erase_with_helper

            try:
                if erase_with_helper(*helper, environ, warn):
                    erased.append(f"docker-credential-{helper[0]}")
            except Wasm2OciError as error:
                failures.append(error)
        keys = [key for key in auth_keys(host, path)[:1] if key in file.auths] if path else file.keys_for(host, "")
        if keys:
            try:
                update_auth_file(file_path, dict.fromkeys(keys), legacy=legacy)
            except Wasm2OciError as error:
                failures.append(error)
                continue
            if any(file.auths[key] for key in keys):
                erased.append(str(file_path))
    if failures:
        reasons = "; ".join(dict.fromkeys(error.message for error in failures))
        removed = f" (removed from {', '.join(erased)})" if erased else ""
        raise IncompleteLogoutError(
            f"credentials for {host} may still be stored: {reasons}{removed}", hint=failures[0].hint
        ) from failures[0]
    return erased


def find_credential(
    host: str,
    path: str,
    environ: Mapping[str, str],
    home: Path,
    *,
    registry_config: Path | None,
    warn: Callable[[str], None] | None,
) -> Credential:
    """The credential that is used for the repositories below a path of a registry; `warn`: see `CredentialChain`."""
    return CredentialChain(environ, home, registry_config=registry_config, warn=warn).lookup(host, path)


def list_credentials(
    environ: Mapping[str, str], home: Path, registry_config: Path | None = None
) -> list[tuple[str, str | None, str]]:
    """Key, user name and source of each entry of the credential files, and of each host that has a helper.

    A file that cannot be used is passed over, as the search for credentials does.
    """
    found: list[tuple[str, str | None, str]] = []
    for path, legacy in credential_files(environ, home, registry_config):
        try:
            file = read_auth_file(path, legacy=legacy)
        except Wasm2OciError:
            continue
        if file is None:
            continue
        found += [(host, None, f"docker-credential-{name}") for host, name in file.helpers.items()]
        for key, entry in file.auths.items():
            if not entry and key in file.helpers:
                continue
            source = str(path) if entry or file.store is None else f"docker-credential-{file.store}"
            try:
                user = decode_entry(entry)[0] if entry else ""
            except Wasm2OciError:
                continue
            found.append((key, user if user and user != TOKEN_USER else None, source))
    return found


def _writable(host: str, environ: Mapping[str, str], home: Path, registry_config: Path | None) -> Path:
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
