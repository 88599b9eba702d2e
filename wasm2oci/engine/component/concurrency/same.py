"""Whether two types of values are the same one, where instances wrote them down separately."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasm2oci.engine.syntax.values import Val

__all__ = ["same_type"]


def same_type(one: Val | None, other: Val | None) -> bool:
    """Whether they are alike, down to resource types, which are the same or not."""
    if one is other:
        return True
    if one is None or other is None or isinstance(one, str) or isinstance(other, str):
        return _primitive(one) == _primitive(other) is not None
    if (one.kind, one.labels, one.length, len(one.types)) != (other.kind, other.labels, other.length, len(other.types)):
        return False
    if one.kind in {"own", "borrow"}:
        return one.types[0] is other.types[0]
    return all(map(same_type, one.types, other.types))


def _primitive(type_: Val | None) -> str | None:
    """The name of a primitive type, which may be given another name."""
    if type_ is None or isinstance(type_, str):
        return type_
    return None if type_.types or type_.labels else type_.kind
