"""Credentials: what they are, and where they are looked for.

The first source that knows the registry counts:

1. what the command line gave;
2. `--registry-config FILE`, which then is the only source;
3. `WASM2OCI_REGISTRY_USER` and `WASM2OCI_REGISTRY_PASSWORD`, for the registry that `WASM2OCI_REGISTRY` names;
4. `DOCKER_AUTH_CONFIG`, a file's content in the environment;
5. `REGISTRY_AUTH_FILE`, or podman's `$XDG_RUNTIME_DIR/containers/auth.json` and `~/.config/containers/auth.json`;
6. docker's `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, then `~/.dockercfg`;
7. for `ghcr.io`, `GITHUB_TOKEN` (user `GITHUB_ACTOR`);
8. none of these: anonymous.

A password in the environment has to say which registry it is for: a copy speaks with two, and a name on a command line
may lead to any.

In each file a credential helper goes before an entry. Nothing that is wrong with a source stops the search: it is
reported once and remembered in `tried`, so that an error can say what was looked at. Nothing is read before it is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.homes import config_home
from wasm2oci.base.text import one_line
from wasm2oci.errors import Wasm2OciError
from wasm2oci.registry.docker_config import decode_entry, parse_auth_file, read_auth_file
from wasm2oci.registry.flavours import find_flavour, same_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wasm2oci.registry.docker_config import AuthFile

__all__ = [
    "Anonymous",
    "Basic",
    "Credential",
    "CredentialChain",
    "IdentityToken",
    "RegistryToken",
    "credential_files",
    "docker_config_path",
    "podman_config_path",
]

VARIABLE: Final = "WASM2OCI_REGISTRY"
TOKEN_USER: Final = "<token>"  # noqa: S105 - the user name by which helpers mark an identity token


_GIVEN: Final = "the command line"


class _Sourced:
    """A credential that remembers where it was found."""

    __slots__ = ()
    source: str

    @property
    def ambient(self) -> bool:
        """Whether it was found lying about, rather than given for this very use."""
        return self.source != _GIVEN and not isinstance(self, Anonymous)


@dataclass(frozen=True, slots=True)
class Anonymous(_Sourced):
    """No credentials: the request has no `Authorization` field."""

    source: str = "nowhere"


@dataclass(frozen=True, slots=True)
class Basic(_Sourced):
    """A user name and a password, or a token used as one."""

    username: str
    password: str = field(repr=False)
    source: str = field(default=_GIVEN, compare=False)


@dataclass(frozen=True, slots=True)
class IdentityToken(_Sourced):
    """A refresh token, good for the token server's OAuth2 only."""

    token: str = field(repr=False)
    source: str = field(default=_GIVEN, compare=False)


@dataclass(frozen=True, slots=True)
class RegistryToken(_Sourced):
    """A bearer token that the registry takes as it is."""

    token: str = field(repr=False)
    source: str = field(default=_GIVEN, compare=False)


Credential = Anonymous | Basic | IdentityToken | RegistryToken


def docker_config_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where docker keeps its configuration."""
    folder = environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else home / ".docker") / "config.json"


def podman_config_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where podman and skopeo keep credentials that outlive a session."""
    return config_home(environ, home) / "containers" / "auth.json"


def credential_files(environ: Mapping[str, str], home: Path, registry_config: Path | None) -> list[tuple[Path, bool]]:
    """The credential files in the order in which they are read, and whether each is a legacy `.dockercfg`."""
    if registry_config is not None:
        return [(registry_config, False)]
    named = environ.get("REGISTRY_AUTH_FILE")
    files = [Path(named)] if named else []
    if not named:
        runtime = environ.get("XDG_RUNTIME_DIR")
        if runtime:
            files.append(Path(runtime) / "containers" / "auth.json")
        files.append(podman_config_path(environ, home))
    files.append(docker_config_path(environ, home))
    return [*((path, False) for path in files), (home / ".dockercfg", True)]


class CredentialChain:
    """The search for one registry's credentials.

    Args:
        environ: the environment variables.
        home: the user's home folder.
        override: what the command line gave, or None.
        registry_config: the only file to look into, or None.
        warn: takes one sentence about a source that could not be used.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: Path,
        override: Credential | None = None,
        registry_config: Path | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._environ = environ
        self._home = home
        self._override = override
        self._registry_config = registry_config
        self._warn = warn or (lambda _: None)
        self.tried: list[str] = []

    def lookup(self, host: str, repository: str = "") -> Credential:
        """The credential for a repository of this registry; `Anonymous` when no source has one."""
        self.tried = []
        if self._override is not None:
            return self._override
        own = self._from_variables(host)
        if own is not None:
            return own
        for file in self._files():
            found = self._from_file(file, host, repository)
            if found is not None:
                return found
        variables = find_flavour(host).token_variable
        if variables is not None and self._registry_config is None:
            token, user = variables
            self.tried.append(token)
            secret = _secret(self._environ, token)
            if secret:
                return Basic(self._environ.get(user) or "unset", secret, token)
        return Anonymous()

    def hosts(self) -> frozenset[str]:
        """The registries that any of the credential files has something for."""
        return frozenset().union(*(file.hosts for file in self._files()))

    def _from_variables(self, host: str) -> Credential | None:
        password = _secret(self._environ, f"{VARIABLE}_PASSWORD")
        if self._registry_config is not None or not password:
            return None
        registry = _host(self._environ.get(VARIABLE, ""))
        if not registry:
            self.tried.append(f"{VARIABLE}_PASSWORD (unusable)")
            self._warn(f"{VARIABLE}_PASSWORD is not used: {VARIABLE} does not say which registry it is for")
            return None
        if not same_registry(registry, host):
            self.tried.append(f"{VARIABLE}_PASSWORD (for {one_line(registry, 100)})")
            return None
        self.tried.append(f"{VARIABLE}_PASSWORD")
        return _credential(self._environ.get(f"{VARIABLE}_USER", ""), password, "", "", f"{VARIABLE}_PASSWORD")

    def _files(self) -> Iterator[AuthFile]:
        variable = self._environ.get("DOCKER_AUTH_CONFIG") if self._registry_config is None else None
        if variable:
            self.tried.append("DOCKER_AUTH_CONFIG")
            try:
                yield parse_auth_file(variable, "DOCKER_AUTH_CONFIG")
            except Wasm2OciError as error:
                self._warn(error.message)
        for path, legacy in credential_files(self._environ, self._home, self._registry_config):
            try:
                file = read_auth_file(path, legacy=legacy)
            except Wasm2OciError as error:
                self.tried.append(f"{path} (unusable)")
                self._warn(error.message)
                continue
            if file is not None:
                self.tried.append(str(path))
                yield file
            elif path == self._registry_config:
                self.tried.append(f"{path} (not there)")

    def _from_file(self, file: AuthFile, host: str, repository: str) -> Credential | None:
        helper = file.helper_for(host)
        if helper is not None:
            from wasm2oci.registry.helpers import get_from_helper

            self.tried.append(f"docker-credential-{helper[0]}")
            try:
                found = get_from_helper(*helper, self._environ, self._warn)
            except Wasm2OciError as error:
                self._warn(error.message)
            else:
                if found is not None:
                    source = f"docker-credential-{helper[0]}"
                    return _credential(found[0], found[1], "", "", source)
        entry = file.entry_for(host, repository)
        if entry is None:
            return None
        try:
            return _credential(*decode_entry(entry), file.source)
        except Wasm2OciError as error:
            self._warn(f"{file.source}: {error.message}")
            return None


def _secret(environ: Mapping[str, str], name: str) -> str:
    # Without the line end that `echo` adds when a secret of a CI is made.
    return environ.get(name, "").removesuffix("\n").removesuffix("\r")


def _host(text: str) -> str:
    # The host of a registry as it is written in a CI: also as an address, or with the path of a project. A user's name
    # and password before it are left out, since the host is shown in messages.
    host = text.strip().lower().rpartition("@")[2]
    return host.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _credential(username: str, password: str, identity: str, registry: str, source: str) -> Credential | None:
    if registry:
        return RegistryToken(registry, source)
    if identity:
        return IdentityToken(identity, source)
    if username == TOKEN_USER:
        return IdentityToken(password, source)
    return Basic(username, password, source) if username or password else None
