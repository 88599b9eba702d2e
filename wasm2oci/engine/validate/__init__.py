"""Validation (core specification, chapter 3).

validate_module(module, allowed)   types, segments, every body; raises, or says what the module uses
"""

from wasm2oci.engine.validate.module import Validated, validate_module

__all__ = ["Validated", "validate_module"]
