"""The version of wasm2oci, in its only place."""

__all__ = ["__version__"]

__version__ = "0.1.0"
