"""A task on a thread of its own; the caller waits for it where the result is needed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pending"]

T = TypeVar("T")
_GRACE: Final = 2.0
"""Seconds for which `end` waits."""


class Pending(Generic[T]):
    """A task that is running."""

    def __init__(self, run: Callable[[], T]) -> None:
        self._run = run
        self.begin()

    def begin(self) -> None:
        """Begin; again, when it failed before."""
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._results.append(self._run())
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`, whatever it is
            self._error = error

    def end(self) -> None:
        """Wait until it ends, whatever its result, but not for long: a silent registry must not delay the end."""
        self._thread.join(_GRACE)

    def wait(self) -> T:
        """The result; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
