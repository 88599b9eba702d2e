"""One error tree, and the exit code each branch of it ends in.

Categories live here; concrete errors live beside the code that raises them, as subclasses:

    Wasm2OciError
      UsageError          2   the command line is wrong
      InvalidInputError   3   a reference, digest, option value or module is malformed or invalid
      NotFoundError       4   a tag, manifest, blob, file or export is not there
      AccessError         5   unauthorized or denied
      IntegrityError      6   digest, size or signature mismatch; policy not met
      RegistryError       7   the registry or the network: response, time-out, protocol violation
      UnsupportedError    8   not supported by this tool, this registry or this system
      LocalIOError        9   disk full, permission, unwritable output

Only `cli.app.main` turns an error into an exit. Anything that is not a `Wasm2OciError` is a bug of ours (exit 1).
"""

# No `from __future__ import annotations`: `NamedTuple` would compile each annotation, at every start (`base.records`).
from enum import IntEnum, StrEnum
from typing import ClassVar, NamedTuple

__all__ = [
    "AccessError",
    "ExitCode",
    "IntegrityError",
    "InvalidInputError",
    "LocalIOError",
    "NotFoundError",
    "RegistryError",
    "Remedy",
    "RemedyKind",
    "UnsupportedError",
    "UsageError",
    "Wasm2OciError",
]


class ExitCode(IntEnum):
    """What the process says when it ends. 0 to 9 are the tool's, 124 and up are about a guest that was run."""

    OK = 0
    BUG = 1
    USAGE = 2
    INVALID = 3
    NOT_FOUND = 4
    ACCESS = 5
    INTEGRITY = 6
    REGISTRY = 7
    UNSUPPORTED = 8
    LOCAL_IO = 9
    TIMED_OUT = 124
    TOOL_FAILED = 125
    INTERRUPTED = 130
    TRAP = 134
    OUT_OF_MEMORY = 137


class RemedyKind(StrEnum):
    """What a caller may do about an error: an option to give, an operation to call. The terminal words it as a hint."""

    ADD_FEATURE = "add-feature"
    ALLOW_FETCH = "allow-fetch"
    ALLOW_OVERWRITE = "allow-overwrite"
    CHOOSE_PLATFORM = "choose-platform"
    DROP_SCHEME = "drop-scheme"
    FORCE_PULL = "force-pull"
    FORCE_PUSH = "force-push"
    GIVE_CERTIFICATE = "give-certificate"
    GIVE_CREDENTIALS = "give-credentials"
    GIVE_DESTINATION_CREDENTIALS = "give-destination-credentials"
    GIVE_OUTPUT = "give-output"
    GIVE_PASSWORD = "give-password"  # noqa: S105 - the name of a remedy
    GIVE_TITLE = "give-title"
    GIVE_USERNAME = "give-username"
    IMPORT_KEY = "import-key"
    INSPECT = "inspect"
    INSTALL = "install"
    INVOKE = "invoke"
    LISTEN_ELSEWHERE = "listen-elsewhere"
    LIST_TAGS = "list-tags"
    LOG_IN = "log-in"
    MAKE_KEY = "make-key"
    NAME_SIGNER = "name-signer"
    PRINT = "print"
    PROTECT_SERVER = "protect-server"
    RAISE_MEMORY = "raise-memory"
    RAISE_SIZE = "raise-size"
    SHOW_PUBLIC_KEY = "show-public-key"
    START_REGISTRY = "start-registry"
    TRAP_MISSING = "trap-missing"
    TRUST_CERTIFICATE = "trust-certificate"
    USE_EMBEDDED = "use-embedded"
    USE_PLAIN_HTTP = "use-plain-http"
    USE_WASMTIME = "use-wasmtime"


class Remedy(NamedTuple):
    """What a caller may do about an error.

    Args:
        kind: see there.
        value: what the kind is about: a host, a name, a digest; empty when it is about nothing in particular.
    """

    kind: RemedyKind
    value: str = ""


class Wasm2OciError(Exception):
    """Anything that went wrong and is not a bug of ours.

    Args:
        message: one line in the words of the input; never a secret, never a query string.
        hint: what to do next, as a sentence without options or commands of the terminal, or None.
        remedy: what to do next, as data: what the terminal does by an option or a command; None for nothing.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.remedy = remedy
        self.side: str | None = None
        """Which side of a copy failed, "source" or "destination"; None outside of a copy."""

    @property
    def detail(self) -> str | None:
        """Lines that show what the message talks about (a reference and a caret, a backtrace), or None."""
        return None


class UsageError(Wasm2OciError):
    """The command line is wrong."""

    exit_code = ExitCode.USAGE


class InvalidInputError(Wasm2OciError):
    """An input is malformed or invalid."""

    exit_code = ExitCode.INVALID


class NotFoundError(Wasm2OciError):
    """A tag, manifest, blob, file or export is not there."""

    exit_code = ExitCode.NOT_FOUND


class AccessError(Wasm2OciError):
    """The registry requires credentials, or rejects those that were sent."""

    exit_code = ExitCode.ACCESS


class IntegrityError(Wasm2OciError):
    """Bytes do not match their digest, size or signature, or a policy is not met."""

    exit_code = ExitCode.INTEGRITY


class RegistryError(Wasm2OciError):
    """The registry or the network failed."""

    exit_code = ExitCode.REGISTRY


class UnsupportedError(Wasm2OciError):
    """This tool, this registry or this system does not support the request."""

    exit_code = ExitCode.UNSUPPORTED


class LocalIOError(Wasm2OciError):
    """The local machine refused: disk full, permission denied, unwritable output."""

    exit_code = ExitCode.LOCAL_IO
