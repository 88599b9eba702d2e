"""Progress of a transfer: quiet lines, or bars when a person watches a transfer that takes time.

The bars come late: only a transfer that is still running after half a second is worth loading rich for. Short ones, and
all that do not run on a terminal, get one line for each part when it is done.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wasm2oci.base.text import printable
from wasm2oci.cli.output import size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from wasm2oci.cli.output import Output
    from wasm2oci.client import Descriptor, Outcome, Progress

__all__ = ["transfer"]

_PATIENCE: Final = 0.5
"""Seconds before bars appear."""
_LARGE: Final = 8 << 20
"""Bytes from which a line says that a transfer begins."""
_LABEL: Final = 80
"""Characters of a title that are shown."""
_SMALL: Final = 64 << 10
"""Bytes up to which content gets no bar."""


@contextmanager
def transfer(
    output: Output, done: str, doing: str, *, existed: str = "Exists", clock: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """A progress that shows a copy.

    Args:
        output: where it is shown.
        done: the past participle for what was moved ("Uploaded").
        doing: the same while it runs ("Uploading").
        existed: the same for content that was there already.
        clock: seconds, monotonic.
    """
    if output.quiet:
        from wasm2oci.client import SILENT

        yield SILENT
        return
    watcher = _Watcher(output, {"copied": done, "existed": existed, "mounted": "Mounted"}, doing, clock)
    try:
        yield watcher
    finally:
        watcher.close()


class _Watcher:
    """Writes a line for each part when it is done; draws bars when it takes long and standard error is a terminal."""

    def __init__(self, output: Output, names: dict[str, str], doing: str, clock: Callable[[], float]) -> None:
        self._output = output
        self._names = names
        self._width = max(len(name) for kind, name in names.items() if kind != "mounted")
        self._doing = doing
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._plan: dict[str, tuple[Descriptor, int]] = {}
        self._announced: set[str] = set()
        self._bars: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def planned(self, descriptor: Descriptor) -> None:
        """Remember it; nothing is shown before something moves."""
        with self._lock:
            self._plan.setdefault(str(descriptor.digest), (descriptor, 0))

    def advanced(self, descriptor: Descriptor, size: int) -> None:
        """Count; draw if it is time to."""
        key = str(descriptor.digest)
        with self._lock:
            moved = self._plan.get(key, (descriptor, 0))[1] + size
            self._plan[key] = (descriptor, moved)
            if self._output.interactive:
                self._draw(key)
            elif descriptor.size >= _LARGE and key not in self._announced:
                self._announced.add(key)
                self._output.line(f"{self._doing} {_label(descriptor)} ({size_text(descriptor.size)})")

    def restarted(self, descriptor: Descriptor) -> None:
        """Count from zero again."""
        key = str(descriptor.digest)
        with self._lock:
            self._plan[key] = (descriptor, 0)
            if self._bars is not None and key in self._tasks:
                self._bars.update(self._tasks[key], completed=0)

    def finished(self, descriptor: Descriptor, outcome: Outcome) -> None:
        """Write a line for it, above the bars if there are any."""
        key = str(descriptor.digest)
        text = f"{self._names[outcome.value]:{self._width}} {_label(descriptor)} ({size_text(descriptor.size)})"
        with self._lock:
            if self._bars is not None:
                if key in self._tasks:
                    self._bars.remove_task(self._tasks.pop(key))
                self._bars.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
            else:
                self._output.line(text)

    def close(self) -> None:
        """Take the bars away."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()

    def _draw(self, key: str) -> None:
        if self._plan[key][0].size < _SMALL:
            return
        if self._bars is None:
            if self._clock() - self._began < _PATIENCE:
                return
            self._bars = _start_bars(self._output)
        descriptor, moved = self._plan[key]
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(_label(descriptor), total=descriptor.size)
        self._bars.update(self._tasks[key], completed=moved)


def _start_bars(output: Output) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(file=output.stderr, no_color=not output.color, highlight=False),
        transient=True,
        expand=True,
    )
    bars.start()
    return bars


_PARTS: Final = ("config", "empty")
"""What media types say of a part that is no layer."""


def _label(descriptor: Descriptor) -> str:
    # What people know it by: the title's last part, else what kind of thing it is.
    title = (descriptor.title or "").rsplit("/", 1)[-1]
    if not title:
        kind = descriptor.media_type
        title = (
            "manifest" if descriptor.is_manifest else next((each for each in _PARTS if f".{each}." in kind), "layer")
        )
    return f"{descriptor.digest.short} {printable(title, _LABEL)}"
