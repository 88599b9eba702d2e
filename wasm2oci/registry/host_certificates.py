"""Certificates for single hosts, in the folders of containers' tools and of docker.

    FOLDER/HOST[:PORT]/*.crt             authorities to trust for this host, besides all others
    FOLDER/HOST[:PORT]/NAME.cert, .key   a certificate to show to this host, and its key

The first folder that has one for the host counts: `certs.d` of `containers`, `docker` and `containerd` in the user's
configuration folder, then of those in `/etc`. One that this user may not list counts as empty. Certificates that
options name go before those to show. `WASM2OCI_CERTS_D=off` does without these folders; another value is the only one.

Format: containers-certs.d(5); docker's documentation, Verify repository client with certificates. What containerd keeps
there besides is read by `hosts_toml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.folders import list_files
from wasm2oci.base.homes import config_home, names_none
from wasm2oci.base.probe import has_file, is_folder
from wasm2oci.registry.tls import CertificateFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.registry.tls import TlsSettings
    from wasm2oci.registry.urls import Origin

__all__ = ["host_folders", "with_host_certificates"]

_OWN: Final = "WASM2OCI_CERTS_D"
_SYSTEM: Final = Path("/etc")
_TOOLS: Final = ("containers", "docker", "containerd")
_KINDS: Final = {".crt", ".cert", ".key"}


def with_host_certificates(
    settings: TlsSettings, origin: Origin, environ: Mapping[str, str], home: Path
) -> TlsSettings:
    """These settings, and what the folders have for an origin.

    Raises:
        CertificateFileError: a certificate to show has no key, or a key no certificate.
        LocalIOError: one of them is no regular file.
    """
    folder = _folder(origin, environ, home)
    if folder is None:
        return settings
    files = sorted(path for path in list_files(folder, "*") if path.suffix in _KINDS and has_file(path))
    settings = settings._replace(host_files=(*settings.host_files, *(path for path in files if path.suffix == ".crt")))
    shown = [path for path in files if path.suffix == ".cert"]
    for path in files:
        other = {".cert": ".key", ".key": ".cert"}.get(path.suffix)
        if other is not None and path.with_suffix(other) not in files:
            raise CertificateFileError(f"{path} needs {path.with_suffix(other).name} beside it")
    if shown and settings.cert_file is None:
        settings = settings._replace(cert_file=shown[0], key_file=shown[0].with_suffix(".key"))
    return settings


def host_folders(environ: Mapping[str, str], home: Path) -> list[Path]:
    """The folders that have a folder for each host, in the order in which they count."""
    own = environ.get(_OWN)
    if own is not None:
        return [] if names_none(own) else [Path(own)]
    return [root / tool / "certs.d" for root in (config_home(environ, home), _SYSTEM) for tool in _TOOLS]


def _folder(origin: Origin, environ: Mapping[str, str], home: Path) -> Path | None:
    names = dict.fromkeys((origin.authority, f"{origin.host}:{origin.port}"))
    folders = host_folders(environ, home)
    return next((path for folder in folders for name in names if is_folder(path := folder / name)), None)
