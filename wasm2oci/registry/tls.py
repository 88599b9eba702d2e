"""TLS contexts for registries: whom to trust, and which certificate to show; built when the first is needed."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from wasm2oci.base.authorities import client_context
from wasm2oci.base.files import local_errors
from wasm2oci.errors import InvalidInputError, LocalIOError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wasm2oci.registry.options import TlsSettings

__all__ = ["CertificateFileError", "UnreadableCertificateError", "build_context"]


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
    context = client_context(environ)
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for path in filter(None, (settings.ca_file, *settings.host_files)):
        _load(path, "certificates of authorities", context.load_verify_locations)
    if client_certificate and settings.cert_file is not None:
        certificate, key = settings.cert_file, settings.key_file or settings.cert_file
        _readable(key)
        _load(certificate, "a certificate and its key", lambda path: context.load_cert_chain(path, key, _no_password))
    return context


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
