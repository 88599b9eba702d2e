"""How WASI 0.2 names errors, types of files and advice. Spec: wasi:filesystem/types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.abi import Advice, Errno, FileType, WasiError, errno_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ADVICE", "error_code", "filesystem", "type_case"]

_CODES: Final = {
    Errno.ACCES: "access",
    Errno.AGAIN: "would-block",
    Errno.ALREADY: "already",
    Errno.BADF: "bad-descriptor",
    Errno.BUSY: "busy",
    Errno.DEADLK: "deadlock",
    Errno.DQUOT: "quota",
    Errno.EXIST: "exist",
    Errno.FBIG: "file-too-large",
    Errno.ILSEQ: "illegal-byte-sequence",
    Errno.INPROGRESS: "in-progress",
    Errno.INTR: "interrupted",
    Errno.INVAL: "invalid",
    Errno.ISDIR: "is-directory",
    Errno.LOOP: "loop",
    Errno.MLINK: "too-many-links",
    Errno.MSGSIZE: "message-size",
    Errno.NAMETOOLONG: "name-too-long",
    Errno.NODEV: "no-device",
    Errno.NOENT: "no-entry",
    Errno.NOLCK: "no-lock",
    Errno.NOMEM: "insufficient-memory",
    Errno.NOSPC: "insufficient-space",
    Errno.NOTDIR: "not-directory",
    Errno.NOTEMPTY: "not-empty",
    Errno.NOTRECOVERABLE: "not-recoverable",
    Errno.NOTSUP: "unsupported",
    Errno.NOTTY: "no-tty",
    Errno.NXIO: "no-such-device",
    Errno.OVERFLOW: "overflow",
    Errno.PERM: "not-permitted",
    Errno.PIPE: "pipe",
    Errno.ROFS: "read-only",
    Errno.SPIPE: "invalid-seek",
    Errno.TXTBSY: "text-file-busy",
    Errno.XDEV: "cross-device",
}
_TYPES: Final = {
    FileType.BLOCK_DEVICE: "block-device",
    FileType.CHARACTER_DEVICE: "character-device",
    FileType.DIRECTORY: "directory",
    FileType.REGULAR_FILE: "regular-file",
    FileType.SOCKET_STREAM: "socket",
    FileType.SOCKET_DGRAM: "socket",
    FileType.SYMBOLIC_LINK: "symbolic-link",
}
ADVICE: Final = {
    "normal": Advice.NORMAL,
    "sequential": Advice.SEQUENTIAL,
    "random": Advice.RANDOM,
    "will-need": Advice.WILLNEED,
    "dont-need": Advice.DONTNEED,
    "no-reuse": Advice.NOREUSE,
}


def error_code(errno: Errno) -> str:
    """How wasi:filesystem calls an error."""
    return _CODES.get(errno, "io")


def type_case(type_: FileType) -> tuple[str, None]:
    """A type of file as a `descriptor-type`."""
    return _TYPES.get(type_, "unknown"), None


def filesystem(call: Callable[..., Any]) -> Callable[..., Any]:
    """A worker of the file system: what it gives is `ok`, what goes wrong is an `error-code`."""

    def wrapped(*values: Any) -> Any:
        try:
            return "ok", call(*values)
        except WasiError as error:
            return "error", (error_code(error.errno), None)
        except OSError as error:
            return "error", (error_code(errno_of(error)), None)

    return wrapped
