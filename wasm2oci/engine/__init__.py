"""The embedded WebAssembly engine: knows no OCI, HTTP or terminal.

What embedders need is imported from here, and loaded only when it is first asked for:

    from wasm2oci.engine import Engine, HostFunction, Linker, Module

See `embed` for how these go together, and docs/engine.md for how the engine works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.lazy import lazily

if TYPE_CHECKING:
    from wasm2oci.engine.embed import Engine, ExportNotFoundError, ExportType, ImportType, Instance, Linker, Module
    from wasm2oci.engine.errors import (
        FeatureError,
        InvalidModuleError,
        MalformedError,
        ModuleError,
        UnlinkableError,
    )
    from wasm2oci.engine.host import Caller, HostFunction, new_global, new_memory, new_table, new_tag
    from wasm2oci.engine.preview1 import GuestDirectoryError, Preopen, ProcExit, WasiHost
    from wasm2oci.engine.runtime.function import Function, Global, Tag
    from wasm2oci.engine.runtime.limits import ResourceLimitError, ResourceLimits
    from wasm2oci.engine.runtime.memory import Memory
    from wasm2oci.engine.runtime.table import Table
    from wasm2oci.engine.runtime.trap import Frame, Trap, TrapKind, WasmException
    from wasm2oci.engine.runtime.values import ValueTypeError
    from wasm2oci.engine.syntax.features import WASM_1, WASM_2, WASM_3, Feature

__all__ = [
    "WASM_1",
    "WASM_2",
    "WASM_3",
    "Caller",
    "Engine",
    "ExportNotFoundError",
    "ExportType",
    "Feature",
    "FeatureError",
    "Frame",
    "Function",
    "Global",
    "GuestDirectoryError",
    "HostFunction",
    "ImportType",
    "Instance",
    "InvalidModuleError",
    "Linker",
    "MalformedError",
    "Memory",
    "Module",
    "ModuleError",
    "Preopen",
    "ProcExit",
    "ResourceLimitError",
    "ResourceLimits",
    "Table",
    "Tag",
    "Trap",
    "TrapKind",
    "UnlinkableError",
    "ValueTypeError",
    "WasiHost",
    "WasmException",
    "new_global",
    "new_memory",
    "new_table",
    "new_tag",
]

if not TYPE_CHECKING:  # a type checker would take any name for one of the package
    __getattr__ = lazily(
        __name__,
        {
            "embed": ("Engine", "ExportNotFoundError", "ExportType", "ImportType", "Instance", "Linker", "Module"),
            "errors": ("FeatureError", "InvalidModuleError", "MalformedError", "ModuleError", "UnlinkableError"),
            "host": ("Caller", "HostFunction", "new_global", "new_memory", "new_table", "new_tag"),
            "preview1": ("GuestDirectoryError", "Preopen", "ProcExit", "WasiHost"),
            "runtime.function": ("Function", "Global", "Tag"),
            "runtime.limits": ("ResourceLimitError", "ResourceLimits"),
            "runtime.memory": ("Memory",),
            "runtime.table": ("Table",),
            "runtime.trap": ("Frame", "Trap", "TrapKind", "WasmException"),
            "runtime.values": ("ValueTypeError",),
            "syntax.features": ("WASM_1", "WASM_2", "WASM_3", "Feature"),
        },
    )
