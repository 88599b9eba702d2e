"""What the host offers to components, and whether a component means the same by it.

The host's functions have types as text, in the words of WIT and without names of types but those of resources:
`(self: borrow<input-stream>, len: u64) -> result<list<u8>, variant{closed}>`. What a component declares for its import
is written in the same way, and has to be the same text: nothing that a component says of a host's function is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from wasm2oci.engine.syntax.values import cases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wasm2oci.engine.component.handles import ResourceType
    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.types import Function

__all__ = ["Host", "HostCall", "HostItem", "signature"]


class HostCall(NamedTuple):
    """A function of the host.

    Attributes:
        signature: its type as text.
        call: takes component values, and gives one, or None where there is no result.
    """

    signature: str
    call: Callable[..., Any]


HostItem = "HostCall | ResourceType"
"""What an interface of the host has by name."""


class Host(Protocol):
    """The interfaces of a host."""

    def interface(self, name: str) -> Mapping[str, HostCall | ResourceType] | None:
        """The items of an interface, or None where the host has none of that name."""


def signature(function: Function) -> str:
    """The type of a function as text."""
    params = [f"{label}: {_text(type_)}" for label, type_ in zip(function.labels, function.params, strict=True)]
    result = "" if function.result is None else f" -> {_text(function.result)}"
    return f"({', '.join(params)}){result}"


def _text(type_: Val | None) -> str:
    if type_ is None:
        return "_"
    if isinstance(type_, str):
        return type_
    kind = type_.kind
    if kind in {"own", "borrow"}:
        return f"{kind}<{type_.types[0].name}>"
    if kind == "record":
        fields = [f"{label}: {_text(field)}" for label, field in zip(type_.labels, type_.types, strict=True)]
        return f"record{{{', '.join(fields)}}}"
    if kind == "variant":
        cases = [label if case is None else f"{label}({_text(case)})" for label, case in cases_of(type_) or ()]
        return f"variant{{{', '.join(cases)}}}"
    if kind in {"enum", "flags"}:
        return f"{kind}{{{', '.join(type_.labels)}}}"
    if not type_.types:
        return kind
    inner = ", ".join(map(_text, type_.types))
    return f"{kind}<{inner}>" if type_.length is None else f"{kind}<{inner}, {type_.length}>"
