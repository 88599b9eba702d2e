"""Certificates for single hosts, in the folders of containers' tools and of docker.

    FOLDER/HOST[:PORT]/*.crt             authorities to trust for this host, besides all others
    FOLDER/HOST[:PORT]/NAME.cert, .key   a certificate to show to this host, and its key

The first folder that has one for the host counts: `certs.d` of `containers`, `docker` and `containerd` in the user's
configuration folder, then of those in `/etc`. One that this user may not list counts as empty. Certificates that
options name go before those to show. `WASM2OCI_CERTS_D=off` does without these folders; another value is the only one.

Format: containers-certs.d(5); docker's documentation, Verify repository client with certificates. `rule_files`
finds the folders; what containerd keeps there besides is read by `hosts_toml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.base.folders import list_files
from wasm2oci.base.probe import has_file
from wasm2oci.registry.tls import CertificateFileError

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.registry.options import TlsSettings

__all__ = ["with_host_certificates"]

_KINDS: Final = {".crt", ".cert", ".key"}


def with_host_certificates(settings: TlsSettings, folder: Path) -> TlsSettings:
    """These settings, and what the folder of a host has for it.

    Raises:
        CertificateFileError: a certificate to show has no key, or a key no certificate.
        LocalIOError: one of them is no regular file.
    """
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
