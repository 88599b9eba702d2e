"""JSON as bytes, in the two forms that published artifacts have: their digests depend on every one of them.

`go_json`         keys as given, and what Go's encoder escapes: what wasm-to-oci wrote
`canonical_json`  keys sorted, nothing escaped that need not be: what wkg and oci-wasm write
`compact_json`    keys as given, nothing escaped that need not be: their configs
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["canonical_json", "compact_json", "go_json"]

_GO_ESCAPES: Final = {
    "&": r"\u0026",
    "<": r"\u003c",
    ">": r"\u003e",
    "\u2028": r"\u2028",
    "\u2029": r"\u2029",
    r"\b": r"\u0008",
    r"\f": r"\u000c",
}
_GO_SPECIAL: Final = re.compile(r"\\.|[&<>\u2028\u2029]")


def compact_json(value: Mapping[str, object]) -> bytes:
    """This object without spaces, its keys as given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def canonical_json(value: Mapping[str, object]) -> bytes:
    """This object without spaces, its keys sorted at every level."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def go_json(value: Mapping[str, object]) -> bytes:
    """This object as Go's encoding/json wrote it in 2021: `&`, `<`, `>` and two line separators escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # These characters occur in strings only, and an escape is matched as a pair: the text can be changed as a whole.
    return _GO_SPECIAL.sub(lambda match: _GO_ESCAPES.get(match[0], match[0]), text).encode()
