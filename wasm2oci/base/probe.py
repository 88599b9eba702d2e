"""What a path leads to, asked without an exception.

`Path.exists` and its like raise for a name that is too long or lies behind a closed folder. Here such a name leads to
nothing, as one that is not there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["exists", "is_file", "is_folder"]


def exists(path: str | Path) -> bool:
    """Whether the path leads to anything."""
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_file(path: str | Path) -> bool:
    """Whether the path leads to a regular file."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_folder(path: str | Path) -> bool:
    """Whether the path leads to a folder."""
    return os.path.isdir(path)  # noqa: PTH112 - see above
