"""Two opinions on a module: this engine's and wasmtime's, with the same features allowed."""

import wasmtime

from wasm2oci.engine.binary import decode_module
from wasm2oci.engine.errors import ModuleError
from wasm2oci.engine.syntax.features import WASM_3
from wasm2oci.engine.validate import validate_module

__all__ = ["Oracle"]


class Oracle:
    """Validates with both, for WebAssembly 3.0 and nothing else."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.wasm_threads = False
        config.wasm_wide_arithmetic = False
        config.wasm_gc = True
        config.wasm_exceptions = True
        self._engine = wasmtime.Engine(config)

    def ours(self, data: bytes) -> ModuleError | None:
        """What this engine says is wrong; anything but its own errors escapes."""
        try:
            validate_module(decode_module(data), WASM_3)
        except ModuleError as error:
            return error
        return None

    def theirs(self, data: bytes) -> str | None:
        """What wasmtime says is wrong."""
        try:
            wasmtime.Module.validate(self._engine, data)
        except wasmtime.WasmtimeError as error:
            return str(error)
        return None
