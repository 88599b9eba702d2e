"""Proof that a function's tree does what its instructions say."""

from __future__ import annotations

from wasm2oci.engine.translate.check.tokens import ControlFlowError
from wasm2oci.engine.translate.check.walk import check

__all__ = ["ControlFlowError", "check"]
