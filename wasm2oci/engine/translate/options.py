"""What generated code is asked to be able to do; part of the code cache's key."""

from dataclasses import dataclass

__all__ = ["Options"]


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
