"""How much a guest may take: an embedder's ceilings over what the module itself declares."""

import sys
from dataclasses import dataclass

from wasm2oci.errors import UnsupportedError

__all__ = ["ARRAY_CEILING", "CALLS", "MEMORY32_CEILING", "ResourceLimitError", "ResourceLimits", "allow_calls"]

MEMORY32_CEILING = 1 << 31
"""Bytes no memory addressed by i32 exceeds: so generated code knows an address in range to have no sign bit."""

ARRAY_CEILING = 1 << 27
"""Elements no array exceeds: one Python list item each, so a gigabyte."""

CALLS = 16_000
"""Calls a guest may have open at once before "call stack exhausted", unless more are allowed."""

_HOST_CALLS = 400
"""Python's own limit counts the host's frames too."""


def allow_calls(count: int) -> None:
    """Let a guest have so many calls open at once; frames of generated code take no C stack. For the whole process."""
    sys.setrecursionlimit(max(count, 1) + _HOST_CALLS)


class ResourceLimitError(UnsupportedError):
    """The module needs more, from the start, than it is allowed to take."""


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """Ceilings for one instance. Growing beyond one fails as the specification allows (-1), starting beyond one raises.

    Args:
        memory_bytes: for each memory of the instance; 2 GiB unless told, and never more where it is addressed by i32.
        table_elements: for each table of the instance.
    """

    memory_bytes: int = 1 << 31
    table_elements: int = 10_000_000
