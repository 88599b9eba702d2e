"""Who is known: one user with one password, or a file of users as Apache's `htpasswd -B` writes it.

Only bcrypt is taken from such a file: the other forms it may hold are too fast to be safe.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
from typing import TYPE_CHECKING, Final

from wasm2oci.base.reading import read_named
from wasm2oci.errors import InvalidInputError
from wasm2oci.server.fairness import Peer, Turns

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HtpasswdError", "HtpasswdFile", "OneUser"]

_HASH: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}\Z")
_COSTS: Final = range(4, 18)
"""What bcrypt defines, up to some 10 seconds for one password."""
_SIGNIFICANT: Final = 72
"""Bytes of a password that bcrypt looks at."""
_REMEMBERED: Final = 1024
_FILE_MAX: Final = 1 << 20
_SALTED: Final = "CwTycUXWue0Thq9StjUM0uJ8.6rCNYBTyGtdsvkMVH3kWcHdYs8sW"
"""Salt and hash of nothing in particular, to compare with where only the time it takes matters."""


class HtpasswdError(InvalidInputError):
    """The file does not contain users and bcrypt hashes."""


class OneUser:
    """One user, one password, both in memory."""

    def __init__(self, user: str, password: str) -> None:
        # Hashes, so that not even a length shows in the time that a comparison takes.
        self._user, self._password = _hashed(user), _hashed(password)

    def check(self, user: str, password: str, peer: str = "") -> bool:
        """Whether both are right; takes the same time whichever is wrong."""
        del peer
        same_user = hmac.compare_digest(_hashed(user), self._user)
        return hmac.compare_digest(_hashed(password), self._password) and same_user


class HtpasswdFile:
    """Users of an htpasswd file, read once.

    What was right is remembered (as a keyed hash, in memory) since bcrypt is slow on purpose and a push is dozens of
    requests. What was wrong is computed each time, in turn (`Turns`): by address, by user, and connections that gave a
    wrong password before come last; one more is checked at a time where it is none of theirs. A check takes the same
    time for every name, known or not: that of the highest cost in the file.

    Args:
        path: lines of `user:hash`; empty lines and those beginning with `#` say nothing.

    Raises:
        HtpasswdError: a line is something else, the file is larger than 1 MiB, or it names no user.
        NotFoundError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        lines = read_named(path, _FILE_MAX, HtpasswdError).decode("utf-8", "replace").splitlines()
        self._hashes = dict(_entry(path, number, line) for number, line in _meaningful(lines))
        if not self._hashes:
            raise HtpasswdError(f"{path} names no user", hint=f"htpasswd -B {path} NAME adds one")
        self._cost = max(cost for cost, _ in self._hashes.values())
        import bcrypt  # noqa: PLC0415 - compiled code, and only for this kind of file

        self._checkpw = bcrypt.checkpw
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._failed: dict[str, None] = {}
        self._lock = threading.Lock()
        # A processor is left for those who are known.
        self.turns = Turns(max(1, (os.cpu_count() or 2) - 1), waiting=128, spare=1)

    def check(self, user: str, password: str, peer: str = "") -> bool:
        """Whether this is the user's password.

        Args:
            user: any text.
            password: any text.
            peer: `ADDRESS:PORT` of the connection, which the turns are shared by.

        Raises:
            ProblemError: too many wait for their turn.
        """
        proof = hmac.digest(self._key, f"{user}\0{password}".encode(), hashlib.sha256)
        with self._lock:
            if proof in self._right:
                return True
            again = peer in self._failed
        # bcrypt looks at 72 bytes, and stops at a NUL.
        secret = password.encode()[:_SIGNIFICANT]
        if b"\0" in secret:
            return False
        with self.turns.turn(Peer(Peer.of(peer).address, user), late=again):
            right = self._compare(user, secret)
        with self._lock:
            if right:
                _remember(self._right, proof)
            else:
                self._failed.pop(peer, None)
                self._failed[peer] = None
                if len(self._failed) > _REMEMBERED:
                    del self._failed[next(iter(self._failed))]
        return right

    def _compare(self, user: str, secret: bytes) -> bool:
        # bcrypt of cost n takes 2 ** n rounds. So a hash of a lower cost than the highest is followed by those between:
        # 2 ** n + 2 ** n + 2 ** (n + 1) + ... is 2 ** highest, whichever name it is.
        cost, hashed = self._hashes.get(user) or (self._cost, _dummy(self._cost))
        right = self._checkpw(secret, hashed)
        for more in range(cost, self._cost):
            self._checkpw(secret, _dummy(more))
        return right and user in self._hashes


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _remember(proofs: set[bytes], proof: bytes) -> None:
    if len(proofs) >= _REMEMBERED:
        proofs.clear()
    proofs.add(proof)


def _dummy(cost: int) -> bytes:
    return f"$2b${cost:02}${_SALTED}".encode()


def _meaningful(lines: list[str]) -> list[tuple[int, str]]:
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]


def _entry(path: Path, number: int, line: str) -> tuple[str, tuple[int, bytes]]:
    user, colon, hashed = line.partition(":")
    if not colon or not user:
        raise HtpasswdError(f"line {number} of {path} is not user:hash")
    match = _HASH.match(hashed)
    if match is None:
        raise HtpasswdError(
            f"line {number} of {path}: the password of {user!r} is not hashed by bcrypt",
            hint=f"htpasswd -B {path} {user} sets it again",
        )
    cost = int(match.group(1))
    if cost not in _COSTS:
        raise HtpasswdError(
            f"line {number} of {path}: a bcrypt cost of {cost} is not from {_COSTS[0]} to {_COSTS[-1]}",
            hint=f"htpasswd -B -C 10 {path} {user} sets it again",
        )
    return user, (cost, hashed.encode("ascii"))
