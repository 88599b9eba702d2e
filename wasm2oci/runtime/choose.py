"""Choosing an engine and running a guest on it.

what                            auto takes
a component                     wasmtime; without it, UnsupportedError
a profile is wanted             embedded
wasmtime is not installed       embedded
vectors or GC at the border     embedded (wasmtime's binding would end the process)
wasmtime refuses the module     embedded, if that takes it; else wasmtime's reason
anything else                   wasmtime
"""

import importlib.util
from dataclasses import replace

from wasm2oci.engine.errors import ModuleError
from wasm2oci.errors import UnsupportedError
from wasm2oci.runtime.boundary import Boundary, TypeUnsupportedError, look
from wasm2oci.runtime.request import EngineChoice, RunOutcome, RunRequest

__all__ = ["EngineMissingError", "EngineUnsuitedError", "run", "wasmtime_installed"]


class EngineMissingError(UnsupportedError):
    """The engine asked for is not installed."""


class EngineUnsuitedError(UnsupportedError):
    """The engine asked for cannot do this."""


_INSTALL = "pip install 'wasm2oci[wasmtime]'"


def wasmtime_installed() -> bool:
    """Whether wasmtime's Python binding can be imported."""
    return importlib.util.find_spec("wasmtime") is not None


def run(request: RunRequest) -> RunOutcome:
    """Run a guest to its end.

    Raises:
        ModuleError: the module is malformed or invalid.
        EntryError: there is nothing to call in it.
        GuestSetupError: it could not be started, or the tool failed around it.
        UnsupportedError: the engine asked for is missing, or cannot run it.
        UsageError: the values of an invoked function do not fit.
    """
    boundary = look(request)
    if boundary.module is None:
        return _run_component(request)
    outcome = _run_module(request, boundary)
    return outcome if outcome.trap is None else replace(outcome, trap=boundary.named(outcome.trap))


def _run_module(request: RunRequest, boundary: Boundary) -> RunOutcome:
    engine, why = _choose(request, boundary)
    if engine is EngineChoice.EMBEDDED:
        return _run_embedded(request, boundary, why)
    from wasm2oci.runtime.wasmtime import WasmtimeRefusedError, run_module  # noqa: PLC0415 - slow to import

    try:
        return run_module(request, boundary, why)
    except WasmtimeRefusedError as refusal:
        if request.engine is EngineChoice.WASMTIME:
            raise
        try:
            return _run_embedded(request, boundary, "wasmtime does not take the module")
        except ModuleError:
            raise refusal from None


def _choose(request: RunRequest, boundary: Boundary) -> tuple[EngineChoice, str]:
    if request.engine is EngineChoice.EMBEDDED:
        return EngineChoice.EMBEDDED, "asked for"
    unsafe = boundary.unsafe_for_wasmtime
    installed = wasmtime_installed()
    if request.engine is EngineChoice.WASMTIME:
        if not installed:
            raise EngineMissingError("wasmtime is not installed", hint=f"{_INSTALL}, or --engine embedded")
        if request.profile:
            raise EngineUnsuitedError("a profile is only made on the embedded engine", hint="--engine embedded")
        if unsafe is not None:
            raise TypeUnsupportedError(
                f"{unsafe}, which wasmtime's Python binding cannot pass", hint="--engine embedded can"
            )
        return EngineChoice.WASMTIME, "asked for"
    if request.profile:
        return EngineChoice.EMBEDDED, "a profile is wanted"
    if not installed:
        return EngineChoice.EMBEDDED, "wasmtime is not installed"
    if unsafe is not None:
        return EngineChoice.EMBEDDED, unsafe
    return EngineChoice.WASMTIME, "installed, and can run the module"


def _run_embedded(request: RunRequest, boundary: Boundary, why: str) -> RunOutcome:
    from wasm2oci.runtime.embedded import run_module  # noqa: PLC0415 - not needed on wasmtime

    return run_module(request, boundary, why)


def _run_component(request: RunRequest) -> RunOutcome:
    if request.engine is EngineChoice.EMBEDDED or request.profile:
        raise EngineUnsuitedError(
            "this is a component, and the embedded engine runs core modules",
            hint="run it with --engine wasmtime, or take the core module it was made from",
        )
    if not wasmtime_installed():
        raise EngineMissingError(
            "this is a component, and only wasmtime, which is not installed, runs components", hint=_INSTALL
        )
    from wasm2oci.runtime.components import run_component  # noqa: PLC0415 - slow to import

    return run_component(request, "only wasmtime runs components")
