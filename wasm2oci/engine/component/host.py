"""What the host offers to components, and whether a component means the same by it.

The host's functions have types as text, in the words of WIT and without names of types but those of resources:
`(self: borrow<input-stream>, len: u64) -> result<list<u8>, variant{closed}>`. What a component declares for its import
is written in the same way, and has to be the same text: nothing that a component says of a host's function is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from wasm2oci.engine.syntax.values import cases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wasm2oci.engine.component.handles import ResourceType
    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.types import Function

__all__ = ["Host", "HostCall", "HostItem", "signature"]

_LONGEST: Final = 20_000
"""Labels and types, in characters, up to which a type is written."""


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

    def wait(self, waits: Sequence[Any], *, block: bool) -> Sequence[int]:
        """The places of what is ready, of what functions of the host gave to be waited for.

        Args:
            waits: at least one.
            block: whether to wait until one is.
        """


def signature(function: Function) -> str:
    """The type of a function as text; of one that is much longer than any of a host, the beginning of it."""
    return _Writer().function(function)


class _Writer:
    """Writes one type: what a component declares may repeat a long name a million times."""

    def __init__(self) -> None:
        self._left = _LONGEST

    def function(self, function: Function) -> str:
        params = self._named(zip(function.labels, function.params, strict=True))
        result = "" if function.result is None else f" -> {self._text(function.result)}"
        return f"{'async ' if function.is_async else ''}({params}){result}"

    def _named(self, fields: Iterable[tuple[str, Val]]) -> str:
        return ", ".join([f"{self._label(label)}: {self._text(field)}" for label, field in fields])

    def _label(self, label: str) -> str:
        self._left -= len(label)
        return label if self._left >= 0 else "..."

    def _text(self, type_: Val | None) -> str:
        self._left -= 1
        if self._left < 0:
            return "..."
        if type_ is None:
            return "_"
        if isinstance(type_, str):
            return type_
        kind = type_.kind
        if kind in {"own", "borrow"}:
            return f"{kind}<{type_.types[0].name}>"
        if kind == "record":
            return f"record{{{self._named(zip(type_.labels, type_.types, strict=True))}}}"
        if kind == "variant":
            cases = [
                self._label(label) if case is None else f"{self._label(label)}({self._text(case)})"
                for label, case in cases_of(type_) or ()
            ]
            return f"variant{{{', '.join(cases)}}}"
        if kind in {"enum", "flags"}:
            return f"{kind}{{{', '.join(map(self._label, type_.labels))}}}"
        if not type_.types:
            return kind
        inner = ", ".join(map(self._text, type_.types))
        return f"{kind}<{inner}>" if type_.length is None else f"{kind}<{inner}, {type_.length}>"
