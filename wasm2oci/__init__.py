"""wasm2oci: WebAssembly modules in OCI registries, verified and run.

Three cores, one table each: `oci.endpoints.ENDPOINTS`, `packager.profiles.PROFILES` and
`engine.syntax.opcodes.OPCODES`. Imports point down: see docs/architecture.md.
"""

from wasm2oci.version import __version__

__all__ = ["__version__"]
