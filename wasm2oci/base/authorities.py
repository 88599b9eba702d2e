"""A TLS client's context with the authorities that this machine trusts.

They are those of OpenSSL, of `SSL_CERT_FILE`, and of `SSL_CERT_DIR`: one or more folders with a colon (`os.pathsep`)
between them; those of certifi where there are none. OpenSSL finds only files that `c_rehash` named in such a folder,
and takes no certificate of a file in which one is broken; Go's tools read every file and pass over what is broken, and
so does this client (ggcr#1246).
"""

from __future__ import annotations

import os
import re
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["client_context"]

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----")
_FILE_MAX: Final = 1024 * 1024
"""Bytes of a file of authorities; the usual bundle of all public ones has a quarter of that."""


def client_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """A context that verifies servers; `environ` is for `SSL_CERT_FILE` and `SSL_CERT_DIR`. It takes about 20 ms."""
    context = ssl.create_default_context()
    # Python 3.13 turned this on by itself; private authorities often lack the extensions that it asks for, and other
    # clients take them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if environ.get("SSL_CERT_DIR"):
        for folder in filter(None, environ["SSL_CERT_DIR"].split(os.pathsep)):
            with suppress(OSError):  # as where the system looks: what is not there holds nothing
                for path in sorted(Path(folder).iterdir()):
                    _load_each(context, path)
    elif not environ.get("SSL_CERT_FILE") and not _system_has_authorities():
        import certifi  # noqa: PLC0415 - few machines need it

        context.load_verify_locations(certifi.where())
    if environ.get("SSL_CERT_FILE") and not context.cert_store_stats()["x509_ca"]:
        _load_each(context, Path(environ["SSL_CERT_FILE"]))  # OpenSSL takes none of a file with a broken one
    return context


def _load_each(context: ssl.SSLContext, path: Path) -> None:
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= _FILE_MAX:
            for certificate in _CERTIFICATE.findall(path.read_bytes().decode("latin-1")):
                with suppress(ssl.SSLError, ValueError):  # one that is broken hides no other
                    context.load_verify_locations(cadata=certificate)


def _system_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    files: tuple[str | None, str | None] = (paths.cafile, paths.capath)  # each None where it does not exist
    return files[0] is not None or (files[1] is not None and any(Path(files[1]).iterdir()))
