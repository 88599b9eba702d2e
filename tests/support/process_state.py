"""What this process holds: descriptors, and a port that stays closed. For tests that run beside others' threads."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["closed_port", "descriptors", "open_below"]


def descriptors() -> set[tuple[int, str]]:
    """Number and target of each open descriptor (Linux).

    A difference of two sets names what was opened in between. Numbers alone say less: garbage of other tests that is
    collected in between closes some.
    """
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add((int(entry.name), os.readlink(entry)))  # noqa: PTH115 - the target need not be a path
    return found


def open_below(folder: Path) -> list[str]:
    """What is open below a folder, files that have no name any more among it."""
    return sorted(target for _, target in descriptors() if target.startswith(f"{folder.resolve()}/"))


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of the loopback that refuses connections while the block lasts.

    It is bound, so that no other process gets it, and nothing listens at it.
    """
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port
