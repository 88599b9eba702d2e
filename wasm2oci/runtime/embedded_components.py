"""Running a component on the embedded engine, with our WASI 0.2: as a command (`wasi:cli/run`), or one function."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from wasm2oci.engine.binary import decode_component
from wasm2oci.engine.component.store import LoadedComponent
from wasm2oci.engine.syntax.values import ValueType, holds_handles
from wasm2oci.errors import UsageError
from wasm2oci.runtime.component_host import call, instantiated
from wasm2oci.runtime.embedded import engine_for, guarded, held_calls
from wasm2oci.runtime.preflight import listed, run_interface
from wasm2oci.runtime.request import EntryError, GuestSetupError
from wasm2oci.runtime.wave import format_wave, parse_arguments, parse_call, split_call
from wasm2oci.wasi import Interrupt, ProcExit

if TYPE_CHECKING:
    from wasm2oci.engine.component.functions import ComponentFunction
    from wasm2oci.engine.component.instance import ComponentInstance
    from wasm2oci.runtime.request import RunOutcome, RunRequest

__all__ = ["run_component"]


def run_component(request: RunRequest, why: str) -> RunOutcome:
    """Run a component's `wasi:cli/run`, or the function that is asked for.

    Raises:
        ModuleError: it is malformed or invalid.
        EntryError: it exports no such interface or function.
        UsageError: the values of an invoked function do not fit.
        ComponentUnsupportedError: it uses what is not run here.
        GuestSetupError: it imports what is not offered.
    """
    if request.timings:
        raise GuestSetupError("--timings is for core modules, and this is a component")
    if request.listeners:
        raise GuestSetupError("a component is given no listening sockets")
    names = [export.name for export in decode_component(request.module).exports]
    entry = run_interface(names) if request.invoke is None else ""
    with Interrupt() as interrupt:
        return guarded(request, why, interrupt, lambda: _call(request, entry, interrupt))


def _call(request: RunRequest, entry: str, interrupt: Interrupt) -> tuple[str, ...]:
    limits = request.limits
    with contextlib.ExitStack() as held:
        held.enter_context(held_calls(limits))
        component = LoadedComponent(engine_for(request), request.module)
        held.callback(component.save)  # in a child process nothing comes after this
        instance = held.enter_context(instantiated(component, request, interrupt)).instance
        function, values = _entry(request, instance, entry)
        result = call(function, *values)
        if request.invoke is not None:
            return () if function.type.result is None else (format_wave(result, function.type.result),)
        if result[0] == "error":
            raise ProcExit(1)
    return ()


def _entry(request: RunRequest, instance: ComponentInstance, interface: str) -> tuple[ComponentFunction, list[Any]]:
    """The function to call, and its arguments."""
    if request.invoke is None:
        exported = instance.exports[interface][1].get("run")
        if exported is None or exported[0] != "func":
            raise EntryError(f"the component's {interface} has no function 'run'")
        return exported[1], []
    name, arguments = split_call(request.invoke)
    found = _functions(instance)
    if name not in found:
        raise EntryError(
            f"the component exports no function {name!r}", hint=f"it exports {listed(list(found)) or 'none'}"
        )
    function = found[name]
    for type_ in (*function.type.params, function.type.result):
        if isinstance(type_, ValueType) and holds_handles(type_):
            raise GuestSetupError(f"{name!r} takes or returns resources, which cannot be written on a command line")
    if arguments is None:
        return function, parse_arguments(name, function.type, request.values)
    if request.values:
        raise UsageError(f"values are given in {request.invoke!r} and after it", hint="give them in one place")
    return function, parse_call(name, function.type, arguments)


def _functions(instance: ComponentInstance) -> dict[str, ComponentFunction]:
    """The functions that can be called, by name.

    Those of interfaces are `INTERFACE#NAME`, and also `NAME` where that is the name of one function only.
    """
    own = {name: item for name, (sort, item) in instance.exports.items() if sort == "func"}
    inner = {
        f"{interface}#{name}": item
        for interface, (kind, exports) in instance.exports.items()
        if kind == "instance"
        for name, (sort, item) in exports.items()
        if sort == "func"
    }
    short = Counter(name.rpartition("#")[2] for name in inner)
    alone = {name.rpartition("#")[2]: item for name, item in inner.items() if short[name.rpartition("#")[2]] == 1}
    return {**alone, **inner, **own}
