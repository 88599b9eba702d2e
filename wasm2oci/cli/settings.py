"""What sets an option when the command line does not: a variable of the environment, else the configuration file.

    the command line     --plain-http
    a variable           WASM2OCI_PLAIN_HTTP=1
    the file             plain-http = true
    the default

An option names its key (`Option(setting=...)`); the variable follows from the key. The file is TOML, belongs to the
user, and is never looked for in the folder of a project: files of a project must not decide which
certificates are trusted. Passwords are not settings; they are kept where `login` keeps them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.homes import config_folder, home_folder
from wasm2oci.base.probe import has_file
from wasm2oci.base.reading import read_found, read_named
from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "KEYS",
    "OTHER_VARIABLES",
    "TOOL_KEYS",
    "Found",
    "InvalidSettingError",
    "Settings",
    "load_settings",
    "switch",
    "variable_of",
]

_PREFIX: Final = "WASM2OCI_"
_FILE_MAX: Final = 1 << 20
"""Bytes of the file that are read."""
_SWITCH: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}

KEYS: Final = (
    "plain-http",
    "insecure",
    "ca-file",
    "cert-file",
    "key-file",
    "anonymous",
    "registry-config",
    "header",
    "timeout",
    "connect-timeout",
    "retries",
    "format",
    "quiet",
    "verbose",
    "no-progress",
    "trusted-root",
    "platform",
    "push.profile",
    "push.author",
    "push.annotate-from",
    "signature-format",
    "copy.concurrency",
    "run.engine",
    "run.pull",
    "run.max-memory",
    "run.timeout",
    "serve.listen",
    "serve.root",
)
"""The keys of options, in the order in which they are shown. `push.profile` is `profile` in the table `[push]`."""

TOOL_KEYS: Final = {
    "cache": "The folder of the cache.",
    "policy": "A policy file, instead of the user's and the project's.",
}
"""Keys that belong to no option: the library reads their variables."""

OTHER_VARIABLES: Final = {
    "WASM2OCI_CONFIG": "The configuration file; empty for none.",
    "WASM2OCI_REGISTRY": "The registry that the next two are for.",
    "WASM2OCI_REGISTRY_USER": "User name for that registry.",
    "WASM2OCI_REGISTRY_PASSWORD": "Password for that registry.",
    "WASM2OCI_REGISTRIES_CONF": "A registries.conf instead of containers' own; empty or `off` for none.",
    "CONTAINERS_REGISTRIES_CONF": "The registries.conf of containers' tools.",
    "WASM2OCI_CERTS_D": "The only folder of settings for single hosts (docs/registries.md); empty or `off` for none.",
    "DOCKER_AUTH_CONFIG": "The content of a credential file.",
    "REGISTRY_AUTH_FILE": "The credential file of podman, skopeo and others.",
    "DOCKER_CONFIG": "The folder of docker's config.json.",
    "XDG_RUNTIME_DIR": "Where podman's containers/auth.json is looked for first.",
    "XDG_CONFIG_HOME": "The folder of wasm2oci/config.toml, wasm2oci/policy.toml and containers/auth.json (~/.config).",
    "XDG_CACHE_HOME": "The folder of the cache wasm2oci (~/.cache).",
    "HOME": "The home folder.",
    "HTTPS_PROXY": "Proxy for https; also in small letters, as the next three.",
    "HTTP_PROXY": "Proxy for http (only https_proxy and http_proxy in small letters are asked in a CGI program).",
    "ALL_PROXY": "Proxy for both.",
    "NO_PROXY": "Hosts that are asked without a proxy.",
    "SSL_CERT_FILE": "PEM file of authorities to trust, instead of the system's.",
    "SSL_CERT_DIR": "Folder of such files.",
    "SOURCE_DATE_EPOCH": "The date that push writes, in seconds since 1970.",
    "COSIGN_PASSWORD": "Password of a private key.",
    "SIGSTORE_ID_TOKEN": "Who signs without a key; else what GitHub Actions and other CI give.",
    "NO_COLOR": "No colours, whatever its value.",
    "TERM": "dumb: no colours and no progress bars.",
    "COLUMNS": "Width of the terminal, instead of what the terminal reports.",
}
"""The other variables that are read."""


class InvalidSettingError(InvalidInputError):
    """The configuration file, or a variable that sets an option, is malformed."""


class Found(NamedTuple):
    """A value that was found.

    Args:
        value: text of a variable; or what the file has: text, a number, true or false, or a list of texts.
        origin: the variable's name or the file's path, for messages.
        folder: of the file, which relative paths in it start from; None for a variable.
    """

    value: Any
    origin: str
    folder: Path | None


class Settings(NamedTuple):
    """The variables and the file.

    Args:
        variables: of the environment.
        file: where the configuration file is; None when there is to be none.
        values: what it holds, by key; `None` when it is not there.
    """

    variables: Mapping[str, str]
    file: Path | None = None
    values: Mapping[str, Any] | None = None

    def find(self, key: str) -> Found | None:
        """What sets this key: its variable, unless that is empty, else the file."""
        name = variable_of(key)
        if self.variables.get(name):
            return Found(self.variables[name], name, None)
        if self.file is not None and self.values is not None and key in self.values:
            return Found(self.values[key], f"{self.file}: {key}", self.file.parent)
        return None

    def with_tool_keys(self) -> Mapping[str, str]:
        """The variables, with those that the file sets for the library.

        Raises:
            InvalidSettingError: a value is not text, or empty.
        """
        added = {}
        for key in TOOL_KEYS if self.values else ():
            found = self.find(key)
            if found is not None and found.folder is not None:
                added[variable_of(key)] = str(self.path(found))
        return {**self.variables, **added} if added else self.variables

    def path(self, found: Found) -> Path:
        """A value as a path: `~/` is the home folder, and a relative path in the file starts where the file is.

        Raises:
            InvalidSettingError: it is not text, or empty.
        """
        if not isinstance(found.value, str):
            raise InvalidSettingError(f"{found.origin}: {found.value!r} is not a path")
        if not found.value:
            raise InvalidSettingError(f"{found.origin} is empty")
        if found.folder is None:
            return Path(found.value)
        if found.value.startswith("~/"):
            return home_folder(self.variables) / found.value[2:]
        return found.folder / found.value

    def unknown(self) -> list[str]:
        """Keys of the file that set nothing, each as a sentence."""
        known = (*KEYS, *TOOL_KEYS)
        return [
            f"{self.file}: there is no setting {key!r}{_similar(key, known)}"
            for key in self.values or ()
            if key not in known
        ]


def variable_of(key: str) -> str:
    """The variable of a key: `push.profile` is `WASM2OCI_PUSH_PROFILE`."""
    return _PREFIX + key.replace(".", "_").replace("-", "_").upper()


def load_settings(variables: Mapping[str, str]) -> Settings:
    """Read the configuration file, if there is one.

    It is the one that `WASM2OCI_CONFIG` names, else `config.toml` in our configuration folder.

    Raises:
        FileNotThereError: the file that the variable names is not there.
        InvalidSettingError: it is not TOML.
        LocalIOError: it cannot be read, or it cannot be seen whether there is one.
    """
    named = variables.get(f"{_PREFIX}CONFIG")
    if named == "":
        return Settings(variables)
    path = Path(named) if named else config_folder(variables, home_folder(variables)) / "config.toml"
    if not named and not has_file(path):
        return Settings(variables, path)
    raw = (read_named if named else read_found)(path, _FILE_MAX, InvalidSettingError)
    from wasm2oci.base.toml import load_toml

    try:
        tables = load_toml(raw)
    except ValueError as error:
        raise InvalidSettingError(f"{path} is not TOML: {error}") from error
    values: dict[str, Any] = {}
    for key, value in tables.items():
        values.update(
            {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
        )
    return Settings(variables, path, values)


def switch(text: str) -> bool | None:
    """What a word says about an option that is on or off; None when it says neither."""
    return _SWITCH.get(text.strip().lower())


def _similar(key: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(key, known, n=1, cutoff=0.7)
    return f" (did you mean {found[0]}?)" if found else ""
