"""Where time goes in a guest on the embedded engine, function by function.

Each guest function is a Python function named `f<index>` in a file named `<wasm ...>`, so Python's own profiler counts
them; everything else (translation, WASI, helpers) is summed up by kind.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.runtime.request import FunctionTime, readable_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["timed"]

_GUEST: Final = re.compile(r"f(\d+)")


@contextlib.contextmanager
def timed(rows: list[FunctionTime], names: Mapping[int, str] | None) -> Iterator[None]:
    """Profile the body into `rows`, the most expensive first; nothing when `names` is None.

    Args:
        rows: filled at the end, however it comes.
        names: the guest's functions.
    """
    if names is None:
        yield
        return
    import cProfile  # noqa: PLC0415 - only where timings are wanted

    profiler = cProfile.Profile()
    profiler.enable()
    try:
        yield
    finally:
        profiler.disable()
        rows.extend(_rows(profiler.getstats(), names))


def _rows(entries: list[Any], names: Mapping[int, str]) -> list[FunctionTime]:
    found: dict[str, list[float]] = {}
    for entry in entries:
        name = _name(entry.code, names)
        row = found.setdefault(name, [0, 0.0, 0.0])
        row[0] += entry.callcount
        row[1] += entry.inlinetime
        row[2] = row[2] + entry.totaltime if name[0] != "(" else row[1]
    rows = [FunctionTime(name, int(calls), own, total) for name, (calls, own, total) in found.items()]
    return sorted(rows, key=lambda row: row.own_s, reverse=True)


def _name(code: Any, names: Mapping[int, str]) -> str:
    if isinstance(code, str):
        return "(host)"
    if code.co_filename.startswith("<wasm"):
        match = _GUEST.match(code.co_name)
        if match is not None:
            index = int(match[1])
            return readable_name(names[index]) if index in names else f"function {index}"
    if "/wasi/" in code.co_filename:
        return "(WASI)"
    if "/translate/" in code.co_filename or "/binary/" in code.co_filename:
        return "(translation)"
    return "(host)"
