"""Syncing a large file while it is written, so that its last byte is not followed by a wait for all of them."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Thread
from typing import Final

__all__ = ["STEP", "Syncer"]

STEP: Final = 32 << 20
"""Bytes after which a file is synced again; so at most two of these wait for the disk."""


class Syncer:
    """Syncs an open file as it grows: on one thread after the other, and what is left in the end.

    Args:
        descriptor: of the file. It stays open until `finish` or `join` has returned.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun_at = 0
        self._thread: Thread | None = None
        self._failure: OSError | None = None

    def grown(self, written: int) -> None:
        """Begin to sync the file if it has grown by a step.

        Args:
            written: bytes that it has.

        Raises:
            OSError: the sync before failed.
        """
        if written - self._begun_at < STEP:
            return
        self._wait()
        self._begun_at = written
        thread = Thread(target=self._sync, daemon=True)
        with suppress(RuntimeError):  # no thread can be started: all is synced in the end
            thread.start()
            self._thread = thread

    def finish(self) -> None:
        """Sync all of the file. Raises `OSError` where this or an earlier sync failed: each is reported only once."""
        self._wait()
        os.fsync(self._descriptor)

    def join(self) -> None:
        """Wait for the sync that runs, whatever comes of it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _wait(self) -> None:
        self.join()
        if self._failure is not None:
            raise self._failure

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._failure = error
