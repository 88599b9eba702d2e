"""What opening an encrypted PKCS#8 file costs: its own parameters say how often a hash is run, and how much memory.

    EncryptedPrivateKeyInfo ::= SEQUENCE { algorithm, OCTET STRING }
    parameters              ::= ... SEQUENCE { salt OCTET STRING, INTEGER ... } ...

After the salt, PBKDF2 and the older schemes have a count of iterations; scrypt has N, r and p.

Spec: RFC 5958, section 3; RFC 7468, sections 2 and 11; RFC 8018, appendix A; RFC 7914, section 7.
"""

from __future__ import annotations

import base64
import binascii
import re
from math import prod
from typing import TYPE_CHECKING, Final

from wasm2oci.signing.der import INTEGER, OCTETS, SEQUENCE, InvalidDerError, elements

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COST_MAX", "KeyTooCostlyError", "MalformedKeyFileError", "check_cost"]

COST_MAX: Final = 5_000_000
"""Iterations, or N * r * p of scrypt: some seconds of work, and at most 640 MB of memory."""
_DEPTH_MAX: Final = 8
_BEGIN: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_PEM: Final = re.compile(_BEGIN + rb"([A-Za-z0-9+/=\s]*)-----END")


class MalformedKeyFileError(Exception):
    """An encrypted PKCS#8 file holds something beside base64, such as headers. Never leaves `signing`."""


class KeyTooCostlyError(Exception):
    """Opening the key would take more work than `COST_MAX`. Never leaves `signing`."""


def check_cost(pem: bytes) -> None:
    """Sees that an encrypted PKCS#8 file in PEM can be opened in seconds; what is no such file passes.

    Raises:
        KeyTooCostlyError: it cannot.
        MalformedKeyFileError: it has headers, which the format does not permit (RFC 7468, section 2) and readers skip.
    """
    found = _PEM.findall(pem)
    if len(found) != pem.count(_BEGIN):
        raise MalformedKeyFileError
    for text in found:
        try:
            parts = elements(base64.b64decode(text))
            costs = [cost for part in parts for cost in _costs(part.content, 0)]
        except (InvalidDerError, binascii.Error):
            continue  # damaged: the reader of the key reports it
        if any(not 0 < cost <= COST_MAX for cost in costs):
            raise KeyTooCostlyError


def _costs(sequence: bytes, depth: int) -> Iterator[int]:
    """The product of the numbers after each salt; a length of the key, which may follow them, is not one of them."""
    parts = elements(sequence)
    numbers = []
    if parts and parts[0].tag == OCTETS:
        for part in parts[1:]:
            if part.tag != INTEGER:
                break
            numbers.append(part.number)
    if numbers:
        yield prod(numbers[: 3 if len(numbers) > 2 else 1])
    for part in parts:
        if part.tag == SEQUENCE and depth < _DEPTH_MAX:
            yield from _costs(part.content, depth + 1)
