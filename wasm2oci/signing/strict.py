"""Readers for signature documents, which come from registries and are hostile.

A document that two readers could read differently is refused: repeated JSON keys, base64 with foreign characters, with
missing padding, or with stray bits at its end.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from wasm2oci.errors import IntegrityError, InvalidInputError
from wasm2oci.oci.wire import load_object

__all__ = [
    "DOCUMENT_MAX",
    "MalformedSignatureError",
    "SignatureRefusedError",
    "base64_bytes",
    "base64url_bytes",
    "json_object",
    "list_field",
    "object_field",
    "text_field",
]

DOCUMENT_MAX: Final = 4 * 1024 * 1024
"""Bytes of one signature document: a payload, an envelope, a bundle."""


class SignatureRefusedError(IntegrityError):
    """A signature does not count: wrong key, other artifact, wrong identity, expired certificate, and so on."""


class MalformedSignatureError(SignatureRefusedError):
    """A signature document is damaged, too large, or can be read in two ways."""


def json_object(raw: bytes, what: str) -> dict[str, Any]:
    """Reads one JSON object.

    Args:
        raw: the bytes.
        what: what they are, for the message.

    Raises:
        MalformedSignatureError: more than `DOCUMENT_MAX` bytes, not JSON, a repeated key, or not an object.
    """
    if len(raw) > DOCUMENT_MAX:
        raise MalformedSignatureError(f"{what} is {len(raw):,} bytes; the limit is {DOCUMENT_MAX:,}")
    try:
        return load_object(raw, what)
    except InvalidInputError as error:
        raise MalformedSignatureError(error.message) from error


def base64_bytes(text: object, what: str) -> bytes:
    """Decodes standard base64 in its canonical form.

    Raises:
        MalformedSignatureError: not text, or not canonical base64 (truncated, foreign characters, stray bits).
    """
    if not isinstance(text, str):
        raise MalformedSignatureError(f"{what} is not text in base64")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedSignatureError(f"{what} is not valid base64: it is truncated or damaged") from error
    if base64.b64encode(data).decode() != text:
        raise MalformedSignatureError(f"{what} is not valid base64: it has stray bits at its end")
    return data


def base64url_bytes(text: object, what: str) -> bytes:
    """Decodes base64url without padding, as JSON Web Signatures have it.

    Raises:
        MalformedSignatureError: not text, or not canonical base64url.

    Spec: RFC 7515, section 2.
    """
    if not isinstance(text, str) or "=" in text or "+" in text or "/" in text:
        raise MalformedSignatureError(f"{what} is not text in base64url without padding")
    return base64_bytes(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), what)


def text_field(value: dict[str, Any], key: str, what: str) -> str:
    """A field that must be text.

    Raises:
        MalformedSignatureError: it is absent or something else.
    """
    found = value.get(key)
    if not isinstance(found, str):
        raise MalformedSignatureError(f"{what} has no {key}")
    return found


def object_field(value: dict[str, Any], key: str, what: str) -> dict[str, Any]:
    """A field that must be an object.

    Raises:
        MalformedSignatureError: it is absent or something else.
    """
    found = value.get(key)
    if not isinstance(found, dict):
        raise MalformedSignatureError(f"{what} has no {key}")
    return found


def list_field(value: dict[str, Any], key: str, what: str) -> list[Any]:
    """A field that is a list, or absent (an empty list then).

    Raises:
        MalformedSignatureError: it is something else.
    """
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MalformedSignatureError(f"{key} of {what} is not a list")
    return found
