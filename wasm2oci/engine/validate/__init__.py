"""Validation (core specification, chapter 3).

validate_module(module, allowed)   types, segments, every body; raises, or says what the module uses
"""

from __future__ import annotations

from wasm2oci.engine.validate.module import ModuleValidator, ValidatedModule, validate_module

__all__ = ["ModuleValidator", "ValidatedModule", "validate_module"]
