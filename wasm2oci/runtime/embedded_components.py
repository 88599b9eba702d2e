"""Running a component on the embedded engine, with our WASI 0.2: as a command (`wasi:cli/run`), or one function."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from wasm2oci.engine.binary import decode_component
from wasm2oci.engine.component.store import LoadedComponent
from wasm2oci.runtime.component_function import find_function, find_run
from wasm2oci.runtime.component_host import call, exported, instantiated
from wasm2oci.runtime.embedded import engine_for, guarded, held_calls
from wasm2oci.runtime.preflight import run_interface
from wasm2oci.runtime.wave import format_wave
from wasm2oci.wasi.endings import ProcExit
from wasm2oci.wasi.waiting import Interrupt

if TYPE_CHECKING:
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
    if request.invoke is None:
        run_interface([export.name for export in decode_component(request.module).exports])  # before all is decoded
    with Interrupt() as interrupt:
        return guarded(request, why, interrupt, lambda: _call(request, interrupt))


def _call(request: RunRequest, interrupt: Interrupt) -> tuple[str, ...]:
    with contextlib.ExitStack() as held:
        held.enter_context(held_calls(request.limits))
        component = LoadedComponent(engine_for(request), request.module)
        held.callback(component.save)  # in a child process nothing comes after this
        if request.invoke is None:
            wanted = find_run(component.type)
        else:
            wanted = find_function(component.type, request.invoke, request.values)
        instance = held.enter_context(instantiated(component, request, interrupt)).instance
        result = call(exported(instance, wanted.path), *wanted.values)
    if request.invoke is not None:
        return () if wanted.type.result is None else (format_wave(result, wanted.type.result),)
    if result[0] == "error":
        raise ProcExit(1)
    return ()
