"""Sorts of things in a component, and attributes of names: their numbers. Spec: component model, Binary.md."""

from __future__ import annotations

from typing import Final

__all__ = ["CORE", "EXPORTED_BY_CORE", "NAME_ATTRIBUTES", "SORTS", "SORT_NAMES", "sort_bytes", "sort_of"]

CORE: Final = {
    "func": 0x00,
    "table": 0x01,
    "memory": 0x02,
    "global": 0x03,
    "tag": 0x04,
    "type": 0x10,
    "module": 0x11,
    "instance": 0x12,
}
"""Sorts of core things by keyword."""

_OWN: Final = {"func": 0x01, "value": 0x02, "type": 0x03, "component": 0x04, "instance": 0x05}

SORTS: Final = {
    **{f"core {keyword}": bytes([0, number]) for keyword, number in CORE.items()},
    **{keyword: bytes([number]) for keyword, number in _OWN.items()},
}
"""Every sort, `core func` or `func`, and its bytes."""

EXPORTED_BY_CORE: Final = frozenset({"core func", "core table", "core memory", "core global", "core tag"})
"""What a core instance exports; all else is exported by instances of components."""

SORT_NAMES: Final = (
    "core func",
    "core table",
    "core memory",
    "core tag",
    "core global",
    "core type",
    "core module",
    "core instance",
    "func",
    "value",
    "type",
    "component",
    "instance",
)
"""The order of sorts in the component-name section."""

NAME_ATTRIBUTES: Final = ("implements", "versionsuffix", "external-id")
"""What may stand beside the name of an import or export, by code."""


def sort_bytes(sort: str) -> bytes:
    """A sort in binary."""
    return SORTS[sort]


def sort_of(encoded: bytes) -> str | None:
    """The sort that one or two bytes encode."""
    return _BY_BYTES.get(encoded)


_BY_BYTES: Final = {encoded: sort for sort, encoded in SORTS.items()}
