"""Content digests.

Spec: image-spec, descriptor.md, Digests; the registered algorithms sha256 and sha512.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from wasm2oci.base.values import Value
from wasm2oci.errors import InvalidInputError

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterable

__all__ = ["ALGORITHMS", "Digest", "Hasher", "InvalidDigestError"]

ALGORITHMS: Final[dict[str, int]] = {"sha256": 64, "sha512": 128}
"""Registered algorithm -> length of its lowercase hex encoding."""

_HEX: Final = re.compile(r"[0-9a-f]+\Z")


class InvalidDigestError(InvalidInputError):
    """Text that should be a digest is not: `sha256:` and 64, or `sha512:` and 128, lowercase hex digits."""


class Digest(Value):
    """An algorithm and an encoded hash; always valid once constructed, so safe in a URL and in a path.

    Raises:
        InvalidDigestError: the algorithm is not registered, or the encoding is not its lowercase hex.
    """

    __slots__ = ("algorithm", "encoded")
    algorithm: str
    encoded: str

    def __init__(self, algorithm: str, encoded: str) -> None:
        length = ALGORITHMS.get(algorithm)
        if length is None:
            raise InvalidDigestError(
                f"digest algorithm {algorithm.rpartition('@')[2][:80]!r} is not supported",
                hint="use sha256:<64 hex> or sha512:<128 hex>",
            )
        if len(encoded) != length or _HEX.match(encoded) is None:
            shown = encoded.rpartition("@")[2][:80]
            raise InvalidDigestError(f"{algorithm} digest is not {length} lowercase hex digits: {shown!r}")
        self._set(algorithm=algorithm, encoded=encoded)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `algorithm:encoded`.

        Raises:
            InvalidDigestError: see the class.
        """
        algorithm, colon, encoded = text.partition(":")
        if not colon:
            # Without what is before an `@`, which may be a password.
            shown = text.rpartition("@")[2][:80]
            raise InvalidDigestError(f"not a digest: {shown!r}", hint="a digest looks like sha256:<64 hex digits>")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Self:
        """The digest of these bytes."""
        return cls(algorithm, _hash(algorithm, data).hexdigest())

    @property
    def short(self) -> str:
        """The first 12 hex digits, for people."""
        return self.encoded[:12]

    def hasher(self) -> Hasher:
        """A running hash in this digest's algorithm."""
        return Hasher(self.algorithm)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"

    def __lt__(self, other: Digest) -> bool:
        return (self.algorithm, self.encoded) < (other.algorithm, other.encoded)


class Hasher:
    """A running hash that ends in a `Digest`, and counts what it was fed."""

    __slots__ = ("_hash", "algorithm", "size", "update_raw")

    def __init__(self, algorithm: str = "sha256") -> None:
        if algorithm not in ALGORITHMS:
            raise InvalidDigestError(f"digest algorithm {algorithm!r} is not supported")
        self.algorithm = algorithm
        self.size = 0
        self._hash = _hash(algorithm)
        self.update_raw = self._hash.update

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        self.size += len(data)
        self.update_raw(data)

    def consume(self, chunks: Iterable[bytes]) -> Hasher:
        """Add every chunk; returns itself."""
        for chunk in chunks:
            self.update(chunk)
        return self

    def digest(self) -> Digest:
        """The digest of all that was added so far."""
        return Digest(self.algorithm, self._hash.hexdigest())


def _hash(algorithm: str, data: bytes | bytearray | memoryview = b"") -> hashlib._Hash:
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, and a pull connects before it hashes

    return hashlib.new(algorithm, data, usedforsecurity=True)
