"""Who is known: one user with one password, or a file of users as Apache's `htpasswd -B` writes it.

Only bcrypt is taken from such a file: the other forms it may hold are too fast to be safe.
"""

import hashlib
import hmac
import secrets
import threading
from typing import TYPE_CHECKING, Final

from wasm2oci.content.files import local_errors
from wasm2oci.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HtpasswdError", "HtpasswdFile", "OneUser"]

_PREFIXES: Final = ("$2y$", "$2b$", "$2a$")
_SIGNIFICANT: Final = 72
"""Bytes of a password that bcrypt looks at."""
_REMEMBERED: Final = 1024
_FILE_MAX: Final = 1 << 20
_NOBODY: Final = b"$2b$10$CwTycUXWue0Thq9StjUM0uJ8.6rCNYBTyGtdsvkMVH3kWcHdYs8sW"
"""A hash to compare with for users that do not exist, so that their answer takes as long."""


class HtpasswdError(InvalidInputError):
    """The file is not one of users and bcrypt hashes."""


class OneUser:
    """One user, one password, both in memory."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user.encode(), password.encode()

    def check(self, user: str, password: str) -> bool:
        """Whether both are right; takes the same time whichever is wrong."""
        same_user = hmac.compare_digest(user.encode(), self._user)
        return hmac.compare_digest(password.encode(), self._password) and same_user


class HtpasswdFile:
    """Users of an htpasswd file, read once.

    What was right is remembered (as a keyed hash, in memory) since bcrypt is slow on purpose and a push is dozens of
    requests; what was wrong is computed each time, two at once at most.

    Args:
        path: lines of `user:hash`; empty lines and those beginning with `#` say nothing.

    Raises:
        HtpasswdError: a line is something else, or nobody is in it.
        NotFoundError: there is no such file.
    """

    def __init__(self, path: "Path") -> None:
        with local_errors(path):
            lines = path.read_text(encoding="utf-8", errors="replace")[:_FILE_MAX].splitlines()
        self._hashes = dict(_entry(path, number, line) for number, line in _meaningful(lines))
        if not self._hashes:
            raise HtpasswdError(f"{path} names no user", hint=f"htpasswd -B {path} NAME adds one")
        import bcrypt  # noqa: PLC0415 - compiled code, and only for this kind of file

        self._checkpw = bcrypt.checkpw
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(2)

    def check(self, user: str, password: str) -> bool:
        """Whether this is the user's password."""
        proof = hmac.digest(self._key, f"{user}\0{password}".encode(), hashlib.sha256)
        with self._lock:
            if proof in self._right:
                return True
        found = self._hashes.get(user)
        # bcrypt looks at 72 bytes, and stops at a NUL.
        secret = password.encode()[:_SIGNIFICANT]
        if b"\0" in secret:
            return False
        with self._slots:
            right = self._checkpw(secret, found or _NOBODY)
        if not right or found is None:
            return False
        with self._lock:
            if len(self._right) >= _REMEMBERED:
                self._right.clear()
            self._right.add(proof)
        return True


def _meaningful(lines: list[str]) -> list[tuple[int, str]]:
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]


def _entry(path: "Path", number: int, line: str) -> tuple[str, bytes]:
    user, colon, hashed = line.partition(":")
    if not colon or not user:
        raise HtpasswdError(f"line {number} of {path} is not user:hash")
    if not hashed.startswith(_PREFIXES) or len(hashed) != 60:
        raise HtpasswdError(
            f"line {number} of {path}: the password of {user!r} is not hashed by bcrypt",
            hint=f"htpasswd -B {path} {user} sets it anew",
        )
    return user, hashed.encode("ascii", "replace")
