"""Limits on what a peer may make us read, and the one JSON reader for bytes from outside.

Everything a registry says is hostile until checked, so every read names its bound.
"""

from __future__ import annotations

import json
import re
from typing import Any

from wasm2oci.errors import InvalidInputError

__all__ = [
    "ARTIFACT_MAX",
    "BLOB_MAX",
    "CONFIG_MAX",
    "ERROR_BODY_MAX",
    "GRAPH_BYTES_MAX",
    "GRAPH_NODES_MAX",
    "LISTING_BYTES_MAX",
    "LISTING_ENTRIES_MAX",
    "LISTING_SECONDS_MAX",
    "MANIFEST_MAX",
    "MODULE_MAX",
    "NESTING_MAX",
    "PAGES_MAX",
    "TOKEN_BODY_MAX",
    "VALUES_MAX",
    "MalformedJsonError",
    "load_object",
]

MANIFEST_MAX = 4 * 1024 * 1024
"""Bytes of a manifest or index; the distribution-spec asks registries to take at least this."""
CONFIG_MAX = 4 * 1024 * 1024
"""Bytes of a config blob that is read into memory."""
ERROR_BODY_MAX = 64 * 1024
"""Bytes of an error response that are read for its message."""
TOKEN_BODY_MAX = 128 * 1024
"""Bytes of a token server's answer."""
MODULE_MAX = 512 * 1024 * 1024
"""Bytes of a module that is read into memory, to be run or looked into."""
BLOB_MAX = 1 << 43
"""Bytes a descriptor may claim (8 TiB): above it, arithmetic elsewhere is not worth trusting."""
ARTIFACT_MAX = 64 << 30
"""Bytes of an artifact that are copied or verified unless more are asked for: its registry decides on its size."""
PAGES_MAX = 10_000
"""Pages followed by `Link` before a listing is called endless."""
LISTING_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all pages of a listing."""
LISTING_SECONDS_MAX = 900.0
"""Seconds for all pages of a listing."""
LISTING_ENTRIES_MAX = 500_000
"""Entries of all pages of a listing."""
NESTING_MAX = 64
"""Depth of an artifact graph (index in index, referrer of referrer)."""
GRAPH_NODES_MAX = 20_000
"""Manifests and blobs of one artifact graph: one 4 MiB index can name that many, and each costs requests."""
GRAPH_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of all manifests of one artifact graph together, which a copy holds in memory."""


VALUES_MAX = 400_000
"""Values of one JSON document, about: a manifest of 4 MiB that is made of descriptors has a third of that, while one
that is made of empty lists takes seconds to read, and a hundred times its size in memory."""


_SURROGATE = re.compile(rb"\\u[Dd][89A-Fa-f]")


class MalformedJsonError(InvalidInputError):
    """Bytes that should be a JSON object are not."""


def load_object(raw: bytes, what: str, *, values: int = VALUES_MAX, lenient: bool = False) -> dict[str, Any]:
    """Read one JSON object from bytes that came from outside.

    Args:
        raw: the bytes, already bounded in size by their reader.
        what: what they are, for the message ("manifest", "config").
        values: how many values it may have, about.
        lenient: take what Go's reader takes: bytes that are no UTF-8 (replaced) and repeated keys (the last counts).

    Raises:
        MalformedJsonError: not UTF-8, not JSON, a duplicated key, half of a surrogate pair, too deep, too many values,
            or not an object.
    """
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > values:
        raise MalformedJsonError(f"{what} has more than {values:,} values")
    try:
        text = raw.decode("utf-8", "replace" if lenient else "strict")
        value = json.loads(text, object_pairs_hook=None if lenient else _unique, parse_constant=_no_constant)
        if _SURROGATE.search(raw) is not None:
            _check_text(value)
    except RecursionError as error:
        raise MalformedJsonError(f"{what} is nested too deeply") from error
    except ValueError as error:
        # Python refuses numbers of thousands of digits, and says so in words about Python.
        reason = "a number is too long" if "integer string conversion" in str(error) else error
        raise MalformedJsonError(f"{what} is not valid JSON: {reason}") from error
    if not isinstance(value, dict):
        raise MalformedJsonError(f"{what} is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers of a document with a repeated key can see two different documents.
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} is repeated")
            seen.add(key)
    return result


def _check_text(value: object) -> None:
    # Half of a surrogate pair is no character: such text could be neither printed nor written again as UTF-8.
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a surrogate pair") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
