"""The version of wasm2oci: said once, here."""

__all__ = ["__version__"]

__version__ = "0.1.0"
