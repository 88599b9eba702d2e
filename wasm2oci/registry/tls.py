"""TLS contexts: the system's authorities, one's own, or none; built when the first https connection is.

The system's authorities are those of OpenSSL, of `SSL_CERT_FILE`, and of `SSL_CERT_DIR`: one or more folders with a
colon (`os.pathsep`) between them. OpenSSL finds only files that `c_rehash` named in such a folder, and takes no
certificate of a file in which one is broken; Go's tools read every file and pass over what is broken, and so does this
client (ggcr#1246).
"""

from __future__ import annotations

import os
import re
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasm2oci.base.files import local_errors
from wasm2oci.errors import InvalidInputError, LocalIOError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.registry.options import TlsSettings

__all__ = ["CertificateFileError", "UnreadableCertificateError", "build_context"]


_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----")
_AUTHORITIES_MAX: Final = 1024 * 1024
"""Bytes of a file of authorities in a folder; the usual bundle of all public ones has a quarter of that."""


class CertificateFileError(InvalidInputError):
    """A certificate or key file is not in PEM form, or the other one of the two is missing."""


class UnreadableCertificateError(LocalIOError):
    """A certificate or key file cannot be read."""


def build_context(
    settings: TlsSettings, *, client_certificate: bool, environ: Mapping[str, str] = os.environ
) -> ssl.SSLContext:
    """A context for connections.

    Args:
        settings: what to trust and show.
        environ: for `SSL_CERT_FILE` and `SSL_CERT_DIR`.
        client_certificate: whether this is for the origin that may see the client's certificate.

    Raises:
        CertificateFileError: a file does not hold what it should.
        UnreadableCertificateError: a file cannot be read.
    """
    context = ssl.create_default_context()
    # Python 3.13 turned this on by itself; private authorities often lack the extensions that it asks for, and other
    # registry clients take them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif environ.get("SSL_CERT_DIR"):
        _load_folders(context, environ["SSL_CERT_DIR"])
    elif not environ.get("SSL_CERT_FILE") and not _system_has_authorities():
        import certifi

        context.load_verify_locations(certifi.where())
    if not settings.insecure and environ.get("SSL_CERT_FILE") and not context.cert_store_stats()["x509_ca"]:
        _load_each(context, Path(environ["SSL_CERT_FILE"]))  # OpenSSL takes none of a file with a broken one
    for path in filter(None, (settings.ca_file, *settings.host_files)):
        _load(path, "certificates of authorities", context.load_verify_locations)
    if client_certificate and settings.cert_file is not None:
        certificate, key = settings.cert_file, settings.key_file or settings.cert_file
        _readable(key)
        _load(certificate, "a certificate and its key", lambda path: context.load_cert_chain(path, key, _no_password))
    return context


def _load_folders(context: ssl.SSLContext, folders: str) -> None:
    for folder in filter(None, folders.split(os.pathsep)):
        with suppress(OSError):  # as where the system looks: what is not there holds nothing
            for path in sorted(Path(folder).iterdir()):
                _load_each(context, path)


def _load_each(context: ssl.SSLContext, path: Path) -> None:
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= _AUTHORITIES_MAX:
            for certificate in _CERTIFICATE.findall(path.read_bytes().decode("latin-1")):
                with suppress(ssl.SSLError, ValueError):  # one that is broken hides no other
                    context.load_verify_locations(cadata=certificate)


def _system_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    files: tuple[str | None, str | None] = (paths.cafile, paths.capath)  # each None where it does not exist
    return files[0] is not None or (files[1] is not None and any(Path(files[1]).iterdir()))


def _readable(path: Path) -> None:
    with local_errors(path):
        try:
            path.open("rb").close()
        except OSError as error:
            raise UnreadableCertificateError(f"cannot read {path}: {error.strerror}") from error


def _load(path: Path, what: str, load: Callable[[Path], object]) -> None:
    _readable(path)
    try:
        load(path)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise CertificateFileError(f"{path} does not hold {what} in PEM form") from error


def _no_password() -> str:
    # Without this, OpenSSL would stop and ask on the terminal.
    return ""
