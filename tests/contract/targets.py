"""Every implementation of `Target`, one row each; what the rows have in common is proved by `test_target`."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from wasm2oci.content.layout import OciLayout
from wasm2oci.content.memory import MemoryTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wasm2oci.content.target import Target

__all__ = ["TARGETS"]


@contextmanager
def _memory(folder: "Path") -> "Iterator[Target]":
    yield MemoryTarget()


@contextmanager
def _layout(folder: "Path") -> "Iterator[Target]":
    yield OciLayout.create(folder / "layout")


TARGETS: "dict[str, Callable[[Path], AbstractContextManager[Target]]]" = {
    "memory": _memory,
    "layout": _layout,
}
