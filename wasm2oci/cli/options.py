"""Options that many commands share, as groups: named tuples whose fields are options.

A command asks for a group by annotating a parameter with its class; `wasm2oci.cli.loader.expand` turns the fields into
options under the group's title, and hands the command one value. `Annotated[Connection, Prefix("from")]` gives the same
options as `--from-...` (for `copy`, which talks to two registries).
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, NamedTuple

from wasm2oci.cli.declare import Argument, Option, option_group
from wasm2oci.errors import UsageError

if TYPE_CHECKING:
    from wasm2oci.operations.environment import Access

__all__ = ["Connection", "Format", "ModuleOption", "PlatformOption", "ReferenceArgument", "Reporting", "read_password"]

_PASSWORD_MAX = 1 << 20


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


ReferenceArgument = Annotated[
    str,
    Argument("REF", "HOST/NAME:TAG, HOST/NAME@DIGEST or oci-layout:DIR:TAG."),
]


ModuleOption = Annotated[
    str | None,
    Option.of("--module", metavar="NAME", help="Which one, if there are several: title, path, digest."),
]
PlatformOption = Annotated[str | None, Option.of("--platform", metavar="OS/ARCH", help="Which entry of an index.")]


@option_group("Output options")
class Reporting(NamedTuple):
    """How results and progress are shown."""

    format: Annotated[Format, Option.of("--format", help="How to print the result.")] = Format.TEXT
    quiet: Annotated[bool, Option.of("--quiet", "-q", help="Only print what a script needs; no progress.")] = False
    verbose: Annotated[bool, Option.of("--verbose", "-v", help="Say more about what is done, and why.")] = False
    no_progress: Annotated[bool, Option.of("--no-progress", help="No progress bars on a terminal.")] = False


@option_group("Connection options")
class Connection(NamedTuple):
    """How registries are reached, and as whom."""

    plain_http: Annotated[
        bool, Option.of("--plain-http", help="Use http, not https (loopback hosts are tried with both).")
    ] = False
    insecure: Annotated[bool, Option.of("--insecure", help="Do not check the registry's certificate.")] = False
    ca_file: Annotated[
        Path | None, Option.of("--ca-file", metavar="FILE", help="Trust the certificates in this file as well.")
    ] = None
    cert_file: Annotated[
        Path | None, Option.of("--cert-file", metavar="FILE", help="Client certificate to show the registry.")
    ] = None
    key_file: Annotated[Path | None, Option.of("--key-file", metavar="FILE", help="Key of the client certificate.")] = (
        None
    )
    username: Annotated[
        str | None, Option.of("--username", "-u", metavar="NAME", help="User name; overrides kept credentials.")
    ] = None
    password: Annotated[
        str | None,
        Option.of("--password", "-p", metavar="TEXT", help="Password (others can see it: use --password-stdin)."),
    ] = None
    password_stdin: Annotated[bool, Option.of("--password-stdin", help="Read the password from standard input.")] = (
        False
    )
    identity_token: Annotated[
        bool, Option.of("--identity-token", help="The password is an identity (refresh) token.")
    ] = False
    registry_config: Annotated[
        Path | None, Option.of("--registry-config", metavar="FILE", help="Credentials file to use (config.json).")
    ] = None

    def access(self, stdin: BinaryIO) -> "Access":
        """The same as plain data for operations.

        Raises:
            UsageError: options contradict each other, or standard input holds no password.
        """
        from wasm2oci.operations.environment import Access

        password = self.password
        if self.password_stdin:
            if password is not None:
                raise UsageError("--password and --password-stdin exclude each other")
            password = read_password(stdin)
        if password is not None and self.username is None and not self.identity_token:
            raise UsageError("a password needs a user name", hint="add -u NAME")
        if self.identity_token and password is None:
            raise UsageError("an identity token is needed", hint="add --password-stdin and pipe the token in")
        if self.username is not None and password is None:
            raise UsageError("a user name needs a password", hint="add --password-stdin and pipe the password in")
        if self.key_file is not None and self.cert_file is None:
            raise UsageError("--key-file needs --cert-file")
        return Access(
            plain_http=self.plain_http,
            insecure=self.insecure,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            username=self.username,
            password=password,
            identity_token=self.identity_token,
            credentials_file=self.registry_config,
        )


def read_password(stdin: BinaryIO) -> str:
    """The password on standard input: everything, without the line end that `echo` adds.

    Raises:
        UsageError: nothing is there, or it is not text.
    """
    raw = stdin.read(_PASSWORD_MAX)
    try:
        password = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError("the password on standard input is not UTF-8 text") from error
    if not password:
        raise UsageError("standard input holds no password", hint="for example: printenv TOKEN | wasm2oci login ...")
    return password
