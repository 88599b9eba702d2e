"""Modules and components made of custom sections, and wasmsign2's signature section: bytes for tests of `signing`."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "MODULE",
    "component",
    "custom",
    "dependencies",
    "module",
    "producers",
    "section",
    "sign_module",
    "uleb",
    "vector",
]

MODULE = b"\0asm\1\0\0\0"
_COMPONENT = b"\0asm\x0d\0\1\0"


def uleb(value: int) -> bytes:
    """LEB128 of a number that is not negative."""
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def vector(data: bytes) -> bytes:
    """A length, and the bytes."""
    return uleb(len(data)) + data


def section(number: int, body: bytes) -> bytes:
    return bytes([number]) + vector(body)


def custom(name: str, body: bytes) -> bytes:
    return section(0, vector(name.encode()) + body)


def module(*sections: bytes) -> bytes:
    return MODULE + b"".join(sections)


def component(*sections: bytes) -> bytes:
    return _COMPONENT + b"".join(sections)


def producers(**fields: dict[str, str]) -> bytes:
    body = uleb(len(fields))
    for field, values in fields.items():
        body += vector(field.encode()) + uleb(len(values))
        body += b"".join(vector(name.encode()) + vector(version.encode()) for name, version in values.items())
    return custom("producers", body)


def dependencies(*packages: dict[str, Any]) -> bytes:
    return custom(".dep-v0", zlib.compress(json.dumps({"packages": packages}).encode()))


def sign_module(data: bytes, keys: Sequence[Ed25519PrivateKey], *, delimiters: bool = False) -> bytes:
    """A module with wasmsign2's signature section in front of its other sections.

    Args:
        data: a module or component.
        keys: each signs the same hashes.
        delimiters: whether what follows the preamble is taken as two parts, with the hash of the first one as well.
    """
    body = data[8:]
    hashes = [hashlib.sha256(body).digest()]
    if delimiters:
        first = custom("first part", b"x") + custom("signature_delimiter", bytes(16))
        body = first + body
        hashes = [hashlib.sha256(first).digest(), hashlib.sha256(body).digest()]
    message = b"wasmsig\x01\x01\x01" + b"".join(hashes)
    signatures = [vector(vector(b"") + b"\x01" + vector(key.sign(message))) for key in keys]
    one = uleb(len(hashes)) + b"".join(hashes) + uleb(len(signatures)) + b"".join(signatures)
    return data[:8] + custom("signature", b"\x01\x01\x01" + uleb(1) + vector(one)) + body
