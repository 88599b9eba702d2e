"""What generated code is asked to be able to do; part of the code cache's key; and how memories are named in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["VIEW_NAMES", "Options"]

VIEW_NAMES: Final = {
    "B": "data",
    "H": "u16",
    "I": "u32",
    "Q": "u64",
    "b": "i8",
    "h": "i16",
    "i": "i32",
    "F": "f32",
    "D": "f64",
}
"""First letter of a name in generated code -> attribute of a memory; the rest of the name is the memory's index."""


@dataclass(frozen=True, slots=True)
class Options:
    """Translation options.

    Args:
        fuel: count instructions, and trap when what was granted is used up. A basic block is paid for when it is
            entered, so the same run always stops at the same place.
        poll: look at a flag at every function's and loop's start, so that another thread can stop the guest.
    """

    fuel: bool = False
    poll: bool = False

    @property
    def key(self) -> str:
        """A short text that differs where the code differs."""
        return f"{'f' if self.fuel else ''}{'p' if self.poll else ''}"
