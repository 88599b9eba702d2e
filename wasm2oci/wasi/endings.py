"""How a guest ends other than by returning: raised in a call, caught by the caller that started the guest.

Neither is an `Exception`, so that nothing in between, an engine above all, catches it.
"""

from __future__ import annotations

__all__ = ["Interrupted", "ProcExit"]


class ProcExit(BaseException):
    """The guest called `proc_exit`.

    Args:
        code: 32 bits, unsigned.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Interrupted(BaseException):
    """The run was broken off from outside."""
