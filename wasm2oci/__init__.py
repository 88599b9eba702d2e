"""wasm2oci: WebAssembly modules in OCI registries, verified and run.

`Client` is the library's front door (docs/api.md); the command line is built on it. Three cores, one table each:
`oci.endpoints.ENDPOINTS`, `packager.profiles.PROFILES` and `engine.syntax.opcodes.OPCODES`. Imports point down: see
docs/architecture.md. Nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.base.lazy import lazily
from wasm2oci.version import __version__

if TYPE_CHECKING:
    from wasm2oci.client import Client, ConnectOptions, Descriptor, Digest, Preopen
    from wasm2oci.errors import Wasm2OciError

__all__ = ["Client", "ConnectOptions", "Descriptor", "Digest", "Preopen", "Wasm2OciError", "__version__"]

__getattr__ = lazily(
    __name__,
    {"client": ("Client", "ConnectOptions", "Descriptor", "Digest", "Preopen"), "errors": ("Wasm2OciError",)},
)
