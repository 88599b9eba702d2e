"""A line for each call of WASI 0.2 and 0.3, as strace writes them: interface, name, values, result, time."""

from __future__ import annotations

import time
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.wasi.kinds import show_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["traced"]

_SHOWN: Final = 64
_DEPTH: Final = 4


def traced(name: str, call: Callable[..., Any], write: Callable[[str], object]) -> Callable[..., Any]:
    """A function that also writes a line for each call.

    Args:
        name: interface and function: `wasi:io/streams#[method]output-stream.write`.
        call: what does the work.
        write: gets each line, its end included.
    """

    def line(values: tuple[Any, ...], result: str, start: int) -> None:
        elapsed = (time.perf_counter_ns() - start) / 1e9
        shown = ", ".join([_show(value, 0) for value in values])
        write(f"{name}({shown}){' = ' if result else ''}{result} <{elapsed:.6f}>\n")

    def later(steps: Generator[Any, Any, Any], values: tuple[Any, ...], start: int) -> Generator[Any, Any, Any]:
        result = "?"
        try:
            got = yield from steps
            result = "" if got is None else _show(got, 0)
            return got
        finally:
            line(values, result, start)

    def wrapped(*values: Any) -> Any:
        start, result = time.perf_counter_ns(), "?"
        try:
            got = call(*values)
            if isinstance(got, GeneratorType):  # a function of WASI 0.3 that is not over at once
                return later(got, values, start)
            result = "" if got is None else _show(got, 0)
        except BaseException:
            line(values, result, start)
            raise
        line(values, result, start)
        return got

    return wrapped


def _show(value: Any, depth: int) -> str:
    """A component value, cut where it is long."""
    if isinstance(value, bytes):
        return show_bytes(value)
    if isinstance(value, str):
        return show_bytes(value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "_"
    if isinstance(value, int | float):
        return str(value)
    if depth >= _DEPTH:
        return "..."
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(value)) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{label}: {_show(one, depth + 1)}" for label, one in value.items()]) + "}"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and not depth:
        return value[0] if value[1] is None else f"{value[0]}({_show(value[1], depth + 1)})"
    if isinstance(value, list | tuple):
        shown = [_show(one, depth + 1) for one in value[:_SHOWN]] + (["..."] if len(value) > _SHOWN else [])
        brackets = "[]" if isinstance(value, list) else "()"
        return f"{brackets[0]}{', '.join(shown)}{brackets[1]}"
    return getattr(value, "resource", "handle")
