"""Components, from text to binary. Spec: component model, Explainer.md and Binary.md."""

from __future__ import annotations

from wasm2oci.engine.text.component.fields import component_fields

__all__ = ["component_fields"]
