"""wasm2oci: WebAssembly modules in OCI registries, verified and run.

`Client` is the library's front door (docs/api.md); the command line is built on it. Three cores, one table each:
`oci.endpoints.ENDPOINTS`, `packager.profiles.PROFILES` and `engine.syntax.opcodes.OPCODES`. Imports point down: see
docs/architecture.md. Importing the package imports nothing else, not even `typing`.
"""

from wasm2oci.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm2oci.client import Client, ConnectOptions, Descriptor, Digest, Preopen
    from wasm2oci.errors import Wasm2OciError

__all__ = ["Client", "ConnectOptions", "Descriptor", "Digest", "Preopen", "Wasm2OciError", "__version__"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see above

    value = getattr(import_module("wasm2oci.errors" if name == "Wasm2OciError" else "wasm2oci.client"), name)
    globals()[name] = value
    return value
