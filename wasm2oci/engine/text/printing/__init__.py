"""Binary to text: `print_text`."""

from __future__ import annotations

from wasm2oci.engine.text.printing.printer import print_text

__all__ = ["print_text"]
