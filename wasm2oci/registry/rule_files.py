"""Where the tools of containers, docker and containerd keep what they say about registries, and what that comes to.

Nothing is read here: `registries_conf`, `hosts_toml` and `host_certificates` read what is found, and are imported only
if there is something.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import local_errors
from wasm2oci.base.homes import config_home, names_none
from wasm2oci.base.probe import has_file, is_file, is_folder
from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import LocalIOError, NotFoundError
from wasm2oci.oci.endpoints import API_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wasm2oci.registry.urls import Origin

__all__ = [
    "OWN_CONF",
    "ConfFiles",
    "Fields",
    "HostFiles",
    "HostSettings",
    "conf_errors",
    "find_conf_files",
    "find_host_folder",
    "find_hosts_file",
]

OWN_CONF: Final = "WASM2OCI_REGISTRIES_CONF"
_CONF_OF_CONTAINERS: Final = "CONTAINERS_REGISTRIES_CONF"
_OWN_FOLDER: Final = "WASM2OCI_CERTS_D"
_SYSTEM: Final = Path("/etc")
_CONF: Final = "registries.conf"
_TOOLS: Final = ("containers", "docker", "containerd")
_HOSTS: Final = "hosts.toml"
_DEFAULT: Final = "_default"


Fields = tuple[tuple[str, str], ...]
"""Header fields, each with its value."""


class HostFiles(NamedTuple):
    """Files for TLS with one host.

    Args:
        authorities: PEM files of those to trust there besides all others.
        cert_file: of the certificate to show there, or None.
        key_file: of its key; None when that lies in `cert_file`.
    """

    authorities: tuple[Path, ...] = ()
    cert_file: Path | None = None
    key_file: Path | None = None


class HostSettings(NamedTuple):
    """How a host is asked.

    Args:
        insecure: whether plain http, and TLS with any certificate, will do.
        https: whether an address says https: then `insecure` is about certificates alone, and plain http will not do.
        files: for TLS.
        headers: header fields.
        root: how paths begin.
    """

    insecure: bool = False
    https: bool = False
    files: HostFiles = HostFiles()
    headers: Fields = ()
    root: str = API_ROOT


class ConfFiles(NamedTuple):
    """The `registries.conf` and its drop-ins: the one that a variable names, which may be missing, and those found."""

    named: Path | None
    found: tuple[Path, ...]


def find_conf_files(environ: Mapping[str, str], home: Path) -> ConfFiles:
    """See `registries_conf`.

    Raises:
        LocalIOError: it cannot be seen whether there is a file, or it is no regular file.
    """
    own = environ.get(OWN_CONF)
    if own is not None and names_none(own):
        return ConfFiles(None, ())
    user, system = config_home(environ, home) / "containers", _SYSTEM / "containers"
    named = own or environ.get(_CONF_OF_CONTAINERS)
    with conf_errors():
        found = [path for path in (user / _CONF, system / _CONF) if not named and has_file(path)][:1]
        found += [path for folder in (system, user) for path in _drop_ins(folder / f"{_CONF}.d")]
    return ConfFiles(Path(named) if named else None, tuple(found))


def _drop_ins(folder: Path) -> list[Path]:
    with local_errors(folder):
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == ".conf")
        except (FileNotFoundError, NotADirectoryError):
            return []


@contextmanager
def conf_errors() -> Iterator[None]:
    """Say of a `registries.conf` that cannot be read how to do without it."""
    try:
        yield
    except (LocalIOError, NotFoundError) as error:
        raise LocalIOError(error.message, hint=f"set {OWN_CONF}=off to ignore it") from error


def _host_folders(environ: Mapping[str, str], home: Path) -> list[Path]:
    """The folders that have a folder for each host, in the order in which they count."""
    own = environ.get(_OWN_FOLDER)
    if own is not None:
        return [] if names_none(own) else [Path(own)]
    return [root / tool / "certs.d" for root in (config_home(environ, home), _SYSTEM) for tool in _TOOLS]


def find_host_folder(origin: Origin, environ: Mapping[str, str], home: Path) -> Path | None:
    """The folder of certificates for a host; None: there is none."""
    names = dict.fromkeys((origin.authority, f"{origin.host}:{origin.port}"))
    folders = _host_folders(environ, home)
    return next((path for folder in folders for name in names if is_folder(path := folder / name)), None)


def find_hosts_file(host: str, environ: Mapping[str, str], home: Path) -> Path | None:
    """The `hosts.toml` for a host, with or without a port; None: there is none."""
    name, colon, port = host.rpartition(":")
    names = (host, f"{name}_{port}_", _DEFAULT) if colon else (host, _DEFAULT)
    files = (folder / one / _HOSTS for one in names for folder in _host_folders(environ, home))
    return next((file for file in files if is_file(file)), None)
