"""The one set of options by which registries are reached: for the command line, the library and this package."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping  # noqa: TC003 - the command line reads the types of the fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.base.text import one_line
from wasm2oci.errors import InvalidInputError, Remedy, RemedyKind, UsageError
from wasm2oci.registry.retry import RetryPolicy
from wasm2oci.version import __version__

if TYPE_CHECKING:
    from wasm2oci.registry.credentials import Anonymous, Basic, IdentityToken
    from wasm2oci.registry.urls import Origin

__all__ = ["ConnectOptions", "InvalidHeaderError", "RetryPolicy", "TlsSettings", "parse_header"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}\Z")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}\Z")


def _random() -> float:
    # Python's module `random` takes longer to import than all waits that need it are worth.
    return int.from_bytes(os.urandom(4), "big") / (1 << 32)


class InvalidHeaderError(InvalidInputError):
    """A text is not a header field."""


def parse_header(text: str) -> tuple[str, str]:
    """Read `NAME: VALUE`. Spec: RFC 9110, section 5 (field names are tokens; a value is one line).

    Raises:
        InvalidHeaderError: it is something else; the message does not show the value, which may be a secret.
    """
    name, colon, value = text.partition(":")
    if not colon or _TOKEN.match(name) is None or _VALUE.match(value.strip()) is None:
        shown = f": {one_line(name.split(maxsplit=1)[0], 60)!r}" if colon and name.strip() else ""
        raise InvalidHeaderError(f"not a header field{shown}", hint="write it as 'NAME: VALUE'")
    return name, value.strip()


class TlsSettings(NamedTuple):
    """What TLS is to trust and to show.

    Args:
        insecure: take any certificate.
        ca_file: PEM file of authorities to trust besides the system's.
        cert_file: PEM file of the certificate to show, or None.
        key_file: PEM file of its key; None when it lies in `cert_file`.
        host_files: PEM files of authorities to trust for this host only, besides all others.
    """

    insecure: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    host_files: tuple[Path, ...] = ()

    @property
    def says_something(self) -> bool:
        """Whether anything was set: then TLS is meant."""
        return self.insecure or self.ca_file is not None or self.cert_file is not None or bool(self.host_files)

    def at(self, origin: Origin, environ: Mapping[str, str], home: Path) -> TlsSettings:
        """These settings, with the certificates that the user or the system keeps for one host.

        Raises:
            CertificateFileError, LocalIOError: see `with_host_certificates`.
        """
        from wasm2oci.registry.rule_files import find_host_folder

        folder = find_host_folder(origin, environ, home)
        if folder is None:
            return self
        from wasm2oci.registry.host_certificates import with_host_certificates

        return with_host_certificates(self, folder)


class ConnectOptions(NamedTuple):
    """How registries are reached, with which credentials, and what the caller provides. Times are in seconds.

    Args:
        plain_http: ask over http.
        insecure: take any certificate, of the registry and of its token server.
        ca_file: PEM file of authorities to trust besides the system's.
        cert_file: PEM file of a certificate to show to the registry, and to no other server.
        key_file: PEM file of its key, when that is not in `cert_file`.
        for_all: which of `insecure` and `ca_file` are meant for all registries: those do not say that one on this
            machine speaks TLS.
        username: with `password`, used instead of kept credentials.
        password: of that user, or the identity token.
        identity_token: `password` is an identity (refresh) token.
        anonymous: use no credentials, not even those that are kept.
        registry_config: the only credential file to look into, or None.
        headers: custom headers, for the registry itself only.
        retry: how often, how patiently.
        connect_timeout: until a connection is made.
        read_timeout: between two pieces of an answer.
        user_agent: what requests name as their sender.
        cache: folder where what was found out about registries is kept, or None.
        environ: environment variables: proxies, credential files, tokens.
        home: the user's home folder.
        sleep: waits.
        clock: grows steadily.
        now: since 1970.
        random: from 0 to 1.
        log: takes the lines of the debug log, which hold no secrets; None when they are not wanted.
        warn: takes sentences for the user, each once.
    """

    plain_http: bool = False
    insecure: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password: str | None = None
    identity_token: bool = False
    anonymous: bool = False
    registry_config: Path | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    retry: RetryPolicy = RetryPolicy()
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    user_agent: str = f"wasm2oci/{__version__}"
    cache: Path | None = None
    environ: Mapping[str, str] = MappingProxyType({})
    home: Path = Path("/")
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    random: Callable[[], float] = _random
    log: Callable[[str], None] | None = None
    warn: Callable[[str], None] | None = None
    for_all: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Without variables, headers, user name and password: there are secrets in them."""
        return f"ConnectOptions(plain_http={self.plain_http}, insecure={self.insecure}, ...)"

    @property
    def tls(self) -> TlsSettings:
        """The part that is about TLS."""
        return TlsSettings(self.insecure, self.ca_file, self.cert_file, self.key_file)

    @property
    def credential(self) -> Anonymous | Basic | IdentityToken | None:
        """The credential that is in these options, if there is one."""
        if self.anonymous:
            from wasm2oci.registry.credentials import Anonymous

            return Anonymous()
        if self.password is None:
            return None
        from wasm2oci.registry.credentials import Basic, IdentityToken

        if self.identity_token:
            return IdentityToken(self.password)
        return Basic(self.username or "", self.password)

    def check(self) -> None:
        """See that the options agree.

        Raises:
            UsageError: a part of a credential or of a client certificate is missing.
        """
        if self.anonymous and (self.username is not None or self.password is not None):
            raise UsageError("anonymous access uses no credentials, but some were given")
        if self.identity_token and self.password is None:
            raise UsageError("an identity token is needed", remedy=Remedy(RemedyKind.GIVE_PASSWORD))
        if self.password is not None and self.username is None and not self.identity_token:
            raise UsageError("a password needs a user name", remedy=Remedy(RemedyKind.GIVE_USERNAME))
        if self.username is not None and self.password is None:
            raise UsageError("a user name needs a password", remedy=Remedy(RemedyKind.GIVE_PASSWORD))
        if self.key_file is not None and self.cert_file is None:
            raise UsageError(
                "the key of a client certificate needs the certificate", remedy=Remedy(RemedyKind.GIVE_CERTIFICATE)
            )
