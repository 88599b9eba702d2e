"""TOML of files that may hold anything."""

from __future__ import annotations

import tomllib
from typing import Any

__all__ = ["load_toml"]


def load_toml(raw: bytes) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ValueError: it is not UTF-8, not TOML, nested too deeply, or has a number of thousands of digits.
    """
    try:
        return tomllib.loads(raw.decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
