"""WebAssembly text to binary, for those who hand modules to `run`."""

from wasm2oci.engine.text import assemble

__all__ = ["assemble"]
