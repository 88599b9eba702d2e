"""Options that many commands share.

A command that has a parameter `output: Output` gets the output options, and one with `client: Client` the
connection options: `cli.app` makes the values from them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.cli.declare import Argument, Group, Option
from wasm2oci.client import ConnectOptions, RetryPolicy, SignatureFormat, TrustOptions, parse_header

__all__ = [
    "DESTINATION",
    "FILE_GROUP",
    "PLATFORM",
    "POLICY",
    "REGISTRY_CONFIG",
    "TRUSTED_ROOT",
    "VERIFY_GROUP",
    "YES",
    "AnnotationOption",
    "ConnectGroup",
    "Format",
    "HostArgument",
    "KeylessOption",
    "ModuleOption",
    "PlatformOption",
    "ReferenceArgument",
    "Reporting",
    "ReportingGroup",
    "SignKeyOption",
    "SignatureFormatOption",
    "SubjectArgument",
    "TrustConfigOption",
    "TrustGroup",
]


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


class Reporting(NamedTuple):
    """How results and progress are shown."""

    format: Format = Format.TEXT
    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False


ReferenceArgument = Annotated[
    str, Argument("REF", "HOST/NAME:TAG, HOST/NAME@DIGEST, oci-layout:DIR:TAG or oci-archive:FILE:TAG.")
]
SubjectArgument = Annotated[
    str,
    Argument("REF|FILE", "HOST/NAME:TAG, ...@DIGEST, oci-layout:DIR:TAG, a file, or - (standard input).", dash=True),
]
HostArgument = Annotated[str, Argument("HOST", "The registry: ghcr.io, HOST:PORT; or HOST/PATH in it.")]

ModuleOption = Annotated[
    str | None, Option("--module", metavar="NAME", help="Which module, if there are several: title, path or digest.")
]
PLATFORM = Option("--platform", metavar="OS/ARCH", help="Entry of an index to use.", setting="platform")
PlatformOption = Annotated[str | None, PLATFORM]

AnnotationOption = Annotated[
    list[str] | None, Option("--annotation", "-a", metavar="KEY=VALUE", help="Annotate the manifest; repeatable.")
]
YES = Option("--yes", "-y", help="Do not ask.")

REGISTRY_CONFIG = Option(
    "--registry-config", metavar="FILE", help="Credentials file to use (config.json).", setting="registry-config"
)

ReportingGroup = Annotated[
    Reporting,
    Group(
        "Output options",
        format=Option("--format", help="How to print the result.", setting="format"),
        quiet=Option("--quiet", "-q", help="Print one line for scripts, and no progress.", setting="quiet"),
        verbose=Option("--verbose", "-v", help="Print more about what is done.", setting="verbose"),
        no_progress=Option("--no-progress", help="No progress bars on a terminal.", setting="no-progress"),
    ),
]


def _headers(texts: list[str]) -> dict[str, str]:
    return dict(map(parse_header, texts))


def _retries(number: int) -> RetryPolicy:
    return RetryPolicy(tries=number + 1)


def _seconds(key: str, text: str, default: float) -> Option:
    return Option(
        f"--{key}", metavar="SECONDS", help=text, minimum=1, setting=key, kind=int, make=float, default=f"{default:g}"
    )


_DEFAULTS: Final = ConnectOptions()
_CONNECT: Final[dict[str, Option | tuple[Option, ...]]] = {
    "plain_http": Option(
        "--plain-http", help="Use http, not https (loopback hosts are tried with both).", setting="plain-http"
    ),
    "insecure": Option(
        "--insecure", help="Do not check the registry's certificate.", setting="insecure", for_all="for_all"
    ),
    "ca_file": Option(
        "--ca-file",
        metavar="FILE",
        help="Trust the certificates in this file as well.",
        setting="ca-file",
        for_all="for_all",
    ),
    "cert_file": Option(
        "--cert-file", metavar="FILE", help="Client certificate to show the registry.", setting="cert-file"
    ),
    "key_file": Option(
        "--key-file", metavar="FILE", help="Key of the client certificate.", setting="key-file", unless=("cert_file",)
    ),
    "username": Option("--username", "-u", metavar="NAME", help="User name; overrides stored credentials."),
    "password": (
        Option("--password", "-p", metavar="TEXT", help="Password (others can see it: use --password-stdin)."),
        Option("--password-stdin", help="Read the password from standard input.", from_stdin=True),
    ),
    "identity_token": Option("--identity-token", help="The password is an identity (refresh) token."),
    "anonymous": Option(
        "--anonymous",
        help="Use no credentials, not even stored ones.",
        setting="anonymous",
        unless=("username", "password"),
    ),
    "registry_config": REGISTRY_CONFIG,
    "headers": Option(
        "--header",
        "-H",
        metavar="NAME:VALUE",
        help="Header field to send to the registry only; repeatable.",
        setting="header",
        kind=list[str],
        make=_headers,
    ),
    "read_timeout": _seconds(
        "timeout", "Give up after so long without data from the registry.", _DEFAULTS.read_timeout
    ),
    "connect_timeout": _seconds("connect-timeout", "Give up connecting after so long.", _DEFAULTS.connect_timeout),
    "retry": Option(
        "--retries",
        metavar="N",
        help="Retries of a request after a temporary failure.",
        minimum=0,
        setting="retries",
        kind=int,
        make=_retries,
        default=str(_DEFAULTS.retry.tries - 1),
    ),
}

_IDENTITY: Final[dict[str, Any]] = {
    "identity": Option(
        "--certificate-identity", metavar="NAME", help="Require this identity (keyless): the whole subject."
    ),
    "identity_regexp": Option(
        "--certificate-identity-regexp",
        metavar="REGEXP",
        help="Require an identity that matches this pattern as a whole.",
    ),
    "issuer": Option("--certificate-oidc-issuer", metavar="URL", help="Require this issuer of the identity."),
    "issuer_regexp": Option(
        "--certificate-oidc-issuer-regexp",
        metavar="REGEXP",
        help="Require an issuer that matches this pattern as a whole.",
    ),
}
POLICY = Option("--policy", metavar="FILE", help="Policy file, instead of the user's and the project's.")
TRUSTED_ROOT = Option(
    "--trusted-root", metavar="FILE", help="Use this trusted_root.json of Sigstore.", setting="trusted-root"
)
_KEY: Final = Option("--key", "-k", metavar="KEY", help="Require a signature by this public key: FILE or env://NAME.")

TrustGroup = Annotated[
    TrustOptions,
    Group(
        "Signature options",
        key=Option("--verify-key", metavar="KEY", help="Require a signature by this public key."),
        **_IDENTITY,
        annotations=Option(
            "--verify-annotation", metavar="KEY=VALUE", help="Require this annotation in the signature."
        ),
        policy=POLICY,
        trusted_root=TRUSTED_ROOT,
    ),
]
VERIFY_GROUP = Group(
    "Signature options",
    key=_KEY,
    **_IDENTITY,
    annotations=Option("--annotation", "-a", metavar="KEY=VALUE", help="Require this annotation in the signature."),
    type=Option("--type", metavar="TYPE", help="Require an attestation of this type instead of a signature."),
    policy=POLICY,
    trusted_root=TRUSTED_ROOT,
)
"""The same options where signatures are what the command is about."""
FILE_GROUP = Group(
    "Signature options",
    key=_KEY,
    **_IDENTITY,
    type=Option("--type", metavar="TYPE", help="Require a statement of this type instead of a signature."),
    trusted_root=TRUSTED_ROOT,
)
"""The same for a file, to which no policy applies."""

SignKeyOption = Annotated[
    str | None, Option("--key", "-k", metavar="KEY", help="Private key that signs: FILE or env://NAME.")
]
KeylessOption = Annotated[
    bool, Option("--keyless", help="Sign with the identity of this CI job, which is published in a log.")
]
TrustConfigOption = Annotated[
    Path | None,
    Option("--trust-config", metavar="FILE", help="Sigstore instance for --keyless (a ClientTrustConfig file)."),
]
SignatureFormatOption = Annotated[
    SignatureFormat,
    Option(
        "--signature-format",
        help="bundle is for current tools, legacy for cosign 1 and 2, kwctl.",
        setting="signature-format",
    ),
]

ConnectGroup = Annotated[ConnectOptions, Group("Connection options", **_CONNECT)]
DESTINATION = Group("Connection options", "to", **_CONNECT)
"""The same options as `--to-...`, for the destination of a copy."""
