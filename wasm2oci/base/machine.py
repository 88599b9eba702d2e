"""What the embedded engine needs of the processor."""

from __future__ import annotations

import sys

from wasm2oci.errors import UnsupportedError

__all__ = ["check_processor"]


def check_processor() -> None:
    """See that memory and floating-point arithmetic are here as WebAssembly has them. Spec: core, numerics (4.3).

    32-bit programs for x86 often compute in the 80 bits of the x87 and round twice.

    Raises:
        UnsupportedError: big-endian, or sums are rounded twice.
    """
    if sys.byteorder != "little":
        raise UnsupportedError("the embedded engine needs a little-endian processor")
    if _rounds_twice(9007199254740994.0, 0.99999):
        raise UnsupportedError(
            "this Python rounds floating-point numbers twice (32-bit x86): the engine would be wrong"
        )


def _rounds_twice(odd: float, less_than_half: float) -> bool:
    """Whether `odd`, whose last bit is set, grows by less than half of that bit."""
    return odd + less_than_half != odd
