"""Docker's and podman's credential files: read leniently, written carefully.

    {"auths": {KEY: {"auth" | "username"+"password" | "identitytoken" | "registrytoken"}},
     "credHelpers": {HOST: HELPER}, "credsStore": HELPER, ...}

A KEY is a host, a host with a path (podman; the longest that fits counts), or a URL, of which only the host counts.
Docker Hub goes by `https://index.docker.io/v1/`. Files are read as docker's own client reads them, which is as Go
reads JSON and base64: member names in any case, base64 with line ends in it, a user name in any encoding. Reading
never fails an operation: a file that cannot be used is reported, and passed over. Writing keeps every key that is not
ours, the target of a symbolic link, and mode 0600.

`HttpHeaders` is not read: docker's client sends those headers to its daemon, not to registries, so what is
there was not meant for one.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wasm2oci.base.files import make_folder, replace_file
from wasm2oci.base.folders import FolderLock
from wasm2oci.base.reading import read_found
from wasm2oci.errors import InvalidInputError, LocalIOError, NotFoundError
from wasm2oci.registry.flavours import find_flavour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "AuthFile",
    "ConfigFileError",
    "UnusableConfigError",
    "auth_keys",
    "decode_entry",
    "parse_auth_file",
    "read_auth_file",
    "update_auth_file",
]

_LINE_ENDS: Final = re.compile(r"[\r\n]")
_FILE_MAX: Final = 4 * 1024 * 1024


class ConfigFileError(LocalIOError):
    """A credential file cannot be read or written."""


class UnusableConfigError(InvalidInputError):
    """A credential file is not JSON, or does not have the structure of a credential file."""


class AuthFile(NamedTuple):
    """What one credential file says.

    Args:
        source: where it was read, for messages.
        auths: entries by key, as they stand.
        helpers: credential helper by host.
        store: the helper for every other host, or None.
    """

    source: str
    auths: Mapping[str, Mapping[str, Any]]
    helpers: Mapping[str, str]
    store: str | None

    @property
    def hosts(self) -> frozenset[str]:
        """The registries that it has something for, by the names that people write."""
        keys = (*self.auths, *self.helpers)
        found = (_host_of(key) or ("" if "://" in key else key.partition("/")[0]) for key in keys)
        return frozenset(_names(host)[0] for host in found if host and "*" not in host)

    def helper_for(self, host: str) -> tuple[str, str] | None:
        """The helper that keeps this host's credentials, and the server name to ask it for; or None.

        A host goes before a pattern (`*.dkr.ecr.*.amazonaws.com`), which fits any host it matches (docker/cli#2928).
        """
        for key in auth_keys(host, ""):
            if key in self.helpers:
                return self.helpers[key], key
        for pattern, helper in self.helpers.items():
            if "*" in pattern and fnmatchcase(host, pattern):
                return helper, host
        return (self.store, find_flavour(host).key or host) if self.store else None

    def entry_for(self, host: str, repository: str) -> Mapping[str, Any] | None:
        """The entry of the most specific key that fits, if it holds anything."""
        return next((self.auths[key] for key in self.keys_for(host, repository) if self.auths[key]), None)

    def keys_for(self, host: str, repository: str) -> list[str]:
        """The keys of this file that name a repository, one of its namespaces or its registry, most specific first."""
        exact = [key for key in auth_keys(host, repository) if key in self.auths]
        names = _names(host)
        return exact + [key for key in self.auths if _host_of(key) in names and key not in exact]


def auth_keys(host: str, repository: str) -> list[str]:
    """The keys that name a repository, one of its namespaces, or its registry; most specific first."""
    parts = repository.split("/") if repository else []
    key, names = find_flavour(host).key, _names(host)
    keys = ["/".join((names[0], *parts[:count])) for count in range(len(parts), 0, -1)]
    return [*keys, *(() if key is None else (key,)), *names]


def _names(host: str) -> tuple[str, ...]:
    # The hosts that are this registry; where there are several, the first is the one that people write.
    flavour = find_flavour(host)
    return (host,) if flavour.address is None else flavour.hosts


def _host_of(key: str) -> str | None:
    """The host of a key that is a URL, or a host with a slash behind it; None for a host with a path."""
    scheme, separator, rest = key.rpartition("://")
    host, _, path = rest.partition("/")
    if separator and scheme.lower() not in {"http", "https"}:
        return None
    return host.lower() if separator or not path else None


def parse_auth_file(text: str | bytes, source: str, *, legacy: bool = False) -> AuthFile:
    """Read a credential file.

    Args:
        text: its content.
        source: where it comes from, for messages.
        legacy: it is a `.dockercfg`, whose top level is what `auths` is elsewhere.

    Raises:
        UnusableConfigError: not JSON, or not an object.
    """
    value = _load(text, source)
    store = _member(value, "credsStore")
    auths = value if legacy else _member(value, "auths")
    return AuthFile(
        source=source,
        auths={key: entry for key, entry in _dict(auths).items() if isinstance(entry, dict)},
        helpers={} if legacy else _strings(_member(value, "credHelpers")),
        store=store if isinstance(store, str) and store and not legacy else None,
    )


def _first_value(text: str | bytes) -> Any:
    """The JSON value that a file begins with: docker's client reads no further than its end."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    return json.JSONDecoder().raw_decode(text.lstrip())[0]


def _load(text: str | bytes, source: str, *, hint: str | None = None) -> dict[str, Any]:
    try:
        value = _first_value(text)
    except (ValueError, RecursionError) as error:
        raise UnusableConfigError(f"{source} is not JSON", hint=hint) from error
    if not isinstance(value, dict):
        raise UnusableConfigError(f"{source} is not a JSON object", hint=hint)
    return value


def read_auth_file(path: Path, *, legacy: bool = False) -> AuthFile | None:
    """Read a credential file; None when there is none.

    Raises:
        ConfigFileError: it is there and cannot be read.
        UnusableConfigError: it is not JSON, or not an object.
    """
    data = _read(path)
    if data is None or not data.strip():  # an empty file holds nothing, which is fine
        return None
    return parse_auth_file(data, str(path), legacy=legacy)


def _read(path: Path) -> bytes | None:
    """All bytes of a credential file; None when there is none."""
    try:
        return read_found(path, _FILE_MAX, UnusableConfigError)
    except NotFoundError:
        return None
    except LocalIOError as error:
        raise ConfigFileError(f"credentials cannot be read: {error.message}") from error


def decode_entry(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """User name, password, identity token and registry token of an entry; empty where it has none.

    Raises:
        UnusableConfigError: `auth` is not base64 of `user:password`.
    """
    username, password = _text(entry, "username"), _text(entry, "password")
    auth = _LINE_ENDS.sub("", _text(entry, "auth"))
    if auth:  # goes before a name and a password beside it, as it does for docker
        try:
            username, password = _decode_auth(auth)
        except UnusableConfigError:
            if not (username and password):
                raise
    return username, password, _text(entry, "identitytoken"), _text(entry, "registrytoken")


def _decode_auth(auth: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(auth, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise UnusableConfigError("an auth entry is not base64") from error
    username, colon, password = decoded.partition(":")
    if not colon:
        raise UnusableConfigError("an auth entry lacks its colon")
    return username, password.strip("\0")


def update_auth_file(path: Path, change: Mapping[str, Mapping[str, Any] | None], *, legacy: bool = False) -> None:
    """Set or (with None) remove entries of `auths` (of the top level in a `.dockercfg`); everything else stays.

    The file appears whole or not at all, mode 0600; a folder that is made for it has mode 0700.

    Raises:
        ConfigFileError: it cannot be read or written.
        UnusableConfigError: what is there is not JSON; it is left alone.
    """
    target = Path(os.path.realpath(path))
    with _locked(target.parent):
        _change(target, path, change, legacy=legacy)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Others who write credential files there wait, so that of several at once none writes over what another wrote."""
    try:
        make_folder(folder, 0o700)
        lock = FolderLock(folder)
    except (OSError, LocalIOError):  # without locks, or without permission, which writing will tell
        yield
        return
    with lock:
        yield


def _change(target: Path, path: Path, change: Mapping[str, Mapping[str, Any] | None], *, legacy: bool) -> None:
    data = _read(target) or b""
    value = _load(data, str(path), hint="repair or remove it first") if data.strip() else {}
    # Docker's client reads `Auths` too, and `auths` beside it: what is removed must not stay in either.
    names = [name for name in value if name.lower() == "auths"]
    places = [value] if legacy else [_dict(value.get(name)) for name in names]
    written = value if legacy else dict(_dict(_member(value, "auths")))
    for key, entry in change.items():
        if entry is None:
            for place in (*places, written):
                place.pop(key, None)
        else:
            written[key] = dict(entry)
    if not legacy:
        value["auths" if "auths" in value or not names else names[0]] = written
    _replace(target, (json.dumps(value, indent="\t") + "\n").encode())


def _replace(target: Path, data: bytes) -> None:
    try:
        make_folder(target.parent, 0o700)
        replace_file(target, [data], 0o600)
    except (LocalIOError, NotFoundError) as error:
        raise ConfigFileError(f"cannot write {error.message}", hint=error.hint) from error


def _member(value: Mapping[str, Any], name: str) -> object:
    """A member by its name, in any case."""
    return value[name] if name in value else next((value[key] for key in value if key.lower() == name.lower()), None)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> Mapping[str, str]:
    return {key: text for key, text in _dict(value).items() if isinstance(text, str) and text}


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = _member(entry, key)
    return value if isinstance(value, str) else ""
