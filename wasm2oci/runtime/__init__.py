"""Choosing and driving an engine: RunRequest to RunOutcome.

request    what is asked, and what came of it
boundary   looking at a module before any engine gets it
choose     which engine, and `run`
embedded, wasmtime, components   the engines; supervise: time limits and Ctrl-C around them
values     typed values as text; text: WebAssembly text to binary
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wasm2oci.runtime.choose import run
    from wasm2oci.runtime.request import (
        DEFAULT_MAX_MEMORY,
        Ending,
        EngineChoice,
        EntryError,
        GuestSetupError,
        Limits,
        ProfileRow,
        RunOutcome,
        RunRequest,
        StackFrame,
        TrapReport,
    )
    from wasm2oci.runtime.text import assemble

__all__ = [
    "DEFAULT_MAX_MEMORY",
    "Ending",
    "EngineChoice",
    "EntryError",
    "GuestSetupError",
    "Limits",
    "ProfileRow",
    "RunOutcome",
    "RunRequest",
    "StackFrame",
    "TrapReport",
    "assemble",
    "run",
]

_HOMES: Final = {
    "run": "choose",
    "DEFAULT_MAX_MEMORY": "request",
    "Ending": "request",
    "EngineChoice": "request",
    "EntryError": "request",
    "GuestSetupError": "request",
    "Limits": "request",
    "ProfileRow": "request",
    "RunOutcome": "request",
    "RunRequest": "request",
    "StackFrame": "request",
    "TrapReport": "request",
    "assemble": "text",
}


def __getattr__(name: str) -> Any:
    """What is imported from here, loaded with its module when it is first asked for: start-up is a feature."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
