"""What a path leads to.

`Path.exists` and its like raise for a name that is too long or lies behind a closed folder, in some versions of Python.
Where the answer only chooses words, such a name leads to nothing, as one that is not there. Where a file that is not
there asks for nothing (a policy, a configuration), `has_file` fails where it cannot be seen whether there is one.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import LocalIOError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["exists", "has_file", "is_file", "is_folder"]

_HINT: Final = "let this user read its folder, or set HOME to another one"


def exists(path: str | Path) -> bool:
    """Whether the path leads to anything."""
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_file(path: str | Path) -> bool:
    """Whether the path leads to a regular file."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_folder(path: str | Path) -> bool:
    """Whether the path leads to a folder."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def has_file(path: Path) -> bool:
    """Whether there is a regular file of this name; False only when there is nothing of this name.

    Raises:
        LocalIOError: there is something else, or it cannot be seen: a folder on the way is closed, or a link leads
            nowhere.
    """
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - see above
    except NotADirectoryError:  # such as HOME=/dev/null
        return False
    except FileNotFoundError:
        there = next((up for up in (path, *path.parents) if os.path.lexists(up)), None)
        if there is not None and not exists(there):
            raise LocalIOError(f"{there} is a symbolic link that leads nowhere") from None
        return False
    except OSError as error:
        raise LocalIOError(f"cannot see whether there is {path}: {error.strerror}", hint=_HINT) from error
    if not regular:
        raise LocalIOError(f"{path} is not a regular file")
    return True
