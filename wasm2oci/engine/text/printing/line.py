"""A line of printed text."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Line"]


class Line(NamedTuple):
    """A line of text.

    Attributes:
        depth: how far it is indented.
        text: the line.
        offset: where in the binary it comes from, or None.
    """

    depth: int
    text: str
    offset: int | None = None
