"""The version of wasm2oci: said once, here."""

__version__ = "0.1.0"
