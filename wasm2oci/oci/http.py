"""HTTP values that a registry and its clients share: header fields, ranges, Basic credentials."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Headers", "basic_credentials", "encode_basic", "parse_chunk_range", "parse_content_range", "whole_number"]

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)\Z")
_CHUNK_RANGE: Final = re.compile(r"(?:bytes[ =])?([0-9]{1,15})-([0-9]{1,15})(?:/(?:[0-9]{1,15}|\*))?\Z")
_CREDENTIALS_MAX: Final = 4096


class Headers:
    """Header fields in the order they came; names compare without case. Immutable."""

    __slots__ = ("_values", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def get(self, name: str) -> str | None:
        """The first value of this field, or None."""
        values = self._values.get(name.lower())
        return values[0] if values else None

    def combined(self, name: str) -> str | None:
        """All values of this field with commas between them, or None. Spec: RFC 9110, 5.2."""
        values = self._values.get(name.lower())
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        """Every value of this field, one for each line it came in."""
        return list(self._values.get(name.lower(), ()))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    @property
    def content_length(self) -> int | None:
        """`Content-Length`, or None when it is absent or not a number."""
        return whole_number(self.get("content-length"))


def whole_number(text: str | None) -> int | None:
    """The number that a field holds, from 0 to below 10^19; None when it is absent or anything else."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def parse_content_range(text: str | None) -> tuple[int, int, int | None] | None:
    """First byte, last byte and whole size (None if unknown) of a response's `Content-Range`.

    None when it is malformed. Spec: RFC 9110, 14.4.
    """
    match = _CONTENT_RANGE.match(text or "")
    if match is None or int(match[2]) < int(match[1]):
        return None
    return int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3])


def parse_chunk_range(text: str | None) -> tuple[int, int] | None:
    """First and last byte of the `Content-Range` of a chunk: `0-9`, or as in a response. None when it is malformed.

    Spec: distribution-spec, Pushing a blob in chunks.
    """
    match = _CHUNK_RANGE.match(text or "")
    return None if match is None or int(match[2]) < int(match[1]) else (int(match[1]), int(match[2]))


def encode_basic(username: str, password: str) -> str:
    """`user:password` in base64, as the Basic scheme and credential files have it; bytes that are not UTF-8 stay.

    Spec: RFC 7617.
    """
    return base64.b64encode(f"{username}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")


def basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """User and password of a Basic `Authorization` field, or None when it is anything else. Spec: RFC 7617."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _CREDENTIALS_MAX:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        return None
    return (user, password) if colon and user else None
