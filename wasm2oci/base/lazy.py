"""Packages whose names are imported when they are first used, so that importing the package costs nothing."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazily"]


def lazily(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that offers names of its modules.

    Args:
        package: its `__name__`.
        homes: modules below the package, and the names that each is asked for.
    """

    def load(name: str) -> Any:
        for home, names in homes.items():
            if name in names:
                try:
                    value = getattr(import_module(f"{package}.{home}"), name)
                except AttributeError as error:
                    # As an AttributeError it would read as if the package did not offer the name.
                    raise ImportError(f"{package}.{home} cannot be imported: {error}", name=package) from error
                setattr(sys.modules[package], name, value)
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
