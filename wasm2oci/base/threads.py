"""Starting threads with a stack of a size."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["start_with_stack"]

_starting: Final = threading.Lock()


def start_with_stack(thread: threading.Thread, size: int) -> None:
    """Start a thread whose stack has so many bytes.

    Raises:
        RuntimeError: no thread is to be had.
    """
    with _starting:  # the size is the process's, and counts for the threads that start while it is set
        before = threading.stack_size(size)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
