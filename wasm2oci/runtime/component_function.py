"""The function of a component that is called, by the component's type, before anything of it runs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from wasm2oci.engine.syntax.values import ValueType, holds_handles
from wasm2oci.engine.validate.component.types import Function, Instance
from wasm2oci.errors import UsageError
from wasm2oci.runtime.preflight import listed, run_interface
from wasm2oci.runtime.request import EntryError, GuestSetupError
from wasm2oci.runtime.wave import parse_arguments, parse_call, split_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.engine.syntax.values import Val
    from wasm2oci.engine.validate.component.types import Component

__all__ = ["CalledFunction", "find_function", "find_run"]


class CalledFunction(NamedTuple):
    """What is called.

    Attributes:
        path: the name of the interface, where it is in one, and that of the function.
        type: its type.
        values: its arguments, as the embedded engine takes them.
    """

    path: tuple[str, ...]
    type: Function
    values: list[Any]


def find_run(component: Component) -> CalledFunction:
    """The function that starts a command.

    Raises:
        EntryError: it exports none.
    """
    interface = run_interface(list(component.exports))
    instance = component.exports[interface].type
    found = instance.exports.get("run") if isinstance(instance, Instance) else None
    if (
        found is None
        or not isinstance(found.type, Function)
        or found.type.params
        or not _is_plain_result(found.type.result)
    ):
        raise EntryError(f"the component's {interface} has no function 'run' that takes nothing and returns a result")
    return CalledFunction((interface, "run"), found.type, [])


def _is_plain_result(type_: Val | None) -> bool:
    return isinstance(type_, ValueType) and type_.kind == "result" and type_.types == (None, None)


def find_function(component: Component, invoked: str, texts: Sequence[str]) -> CalledFunction:
    """What is called, with its arguments.

    Args:
        component: the type of the component.
        invoked: `NAME`, `INTERFACE#NAME`, or either with its arguments in brackets.
        texts: the arguments one by one, where they are not in brackets.

    Raises:
        EntryError: it exports no such function.
        UsageError: the values do not fit.
        GuestSetupError: the function takes or returns resources or streams.
    """
    name, arguments = split_call(invoked)
    found = _functions(component)
    if name not in found:
        raise EntryError(
            f"the component exports no function {name!r}", hint=f"it exports {listed(list(found)) or 'none'}"
        )
    path, type_ = found[name]
    if any(map(holds_handles, type_.values())):
        raise GuestSetupError(
            f"{name!r} takes or returns resources or streams, which cannot be written on a command line"
        )
    if arguments is None:
        return CalledFunction(path, type_, parse_arguments(name, type_, texts))
    if texts:
        raise UsageError(f"values are given in {invoked!r} and after it", hint="give them in one place")
    return CalledFunction(path, type_, parse_call(name, type_, arguments))


def _functions(component: Component) -> dict[str, tuple[tuple[str, ...], Function]]:
    """The functions that can be called, by name.

    Those of interfaces are `INTERFACE#NAME`, and also `NAME` where that is the name of one function only.
    """
    own: dict[str, tuple[tuple[str, ...], Function]] = {}
    inner: dict[str, tuple[tuple[str, ...], Function]] = {}
    for name, entity in component.exports.items():
        if isinstance(entity.type, Function):
            own[name] = (name,), entity.type
        elif isinstance(entity.type, Instance):
            for label, item in entity.type.exports.items():
                if isinstance(item.type, Function):
                    inner[f"{name}#{label}"] = (name, label), item.type
    short = Counter(path[-1] for path, _ in inner.values())
    alone = {path[-1]: (path, type_) for path, type_ in inner.values() if short[path[-1]] == 1}
    return {**alone, **inner, **own}
