"""Choosing and driving an engine: RunRequest to RunOutcome.

request    what is asked, and what came of it
preflight  looking at a module before any engine gets it
choose     which engine, and `run`
embedded, wasmtime, components   the engines; supervise: time limits and Ctrl-C around them
values     typed values as text
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.lazy import lazily

if TYPE_CHECKING:
    from wasm2oci.runtime.choose import run
    from wasm2oci.runtime.request import (
        DEFAULT_MAX_MEMORY,
        DEFAULT_MAX_STACK,
        Ending,
        EngineChoice,
        EntryError,
        FunctionTime,
        GuestSetupError,
        RunLimits,
        RunOutcome,
        RunRequest,
        StackFrame,
        TrapReport,
    )

__all__ = [
    "DEFAULT_MAX_MEMORY",
    "DEFAULT_MAX_STACK",
    "Ending",
    "EngineChoice",
    "EntryError",
    "FunctionTime",
    "GuestSetupError",
    "RunLimits",
    "RunOutcome",
    "RunRequest",
    "StackFrame",
    "TrapReport",
    "run",
]

if not TYPE_CHECKING:  # a type checker would take any name for one of the package
    __getattr__ = lazily(
        __name__,
        {
            "choose": ("run",),
            "request": (
                "DEFAULT_MAX_MEMORY",
                "DEFAULT_MAX_STACK",
                "Ending",
                "EngineChoice",
                "EntryError",
                "GuestSetupError",
                "RunLimits",
                "FunctionTime",
                "RunOutcome",
                "RunRequest",
                "StackFrame",
                "TrapReport",
            ),
        },
    )
