"""What a copy tells about itself while it works."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from wasm2oci.oci.descriptor import Descriptor

__all__ = ["SILENT", "Outcome", "Progress", "Silent"]


class Outcome(StrEnum):
    """How content got to be in the destination."""

    COPIED = "copied"
    EXISTED = "existed"
    MOUNTED = "mounted"


class Progress(Protocol):
    """Watches a copy. Called from several threads at once; what it raises ends the copy."""

    def planned(self, descriptor: Descriptor) -> None:
        """This content belongs to the copy: called once for each, before anything moves."""
        ...

    def advanced(self, descriptor: Descriptor, size: int) -> None:
        """`size` more bytes of it went over."""
        ...

    def restarted(self, descriptor: Descriptor) -> None:
        """Its transfer starts again from the first byte."""
        ...

    def finished(self, descriptor: Descriptor, outcome: Outcome) -> None:
        """It is in the destination."""
        ...


class Silent:
    """A progress that shows nothing."""

    def planned(self, descriptor: Descriptor) -> None:
        """Nothing."""

    def advanced(self, descriptor: Descriptor, size: int) -> None:
        """Nothing."""

    def restarted(self, descriptor: Descriptor) -> None:
        """Nothing."""

    def finished(self, descriptor: Descriptor, outcome: Outcome) -> None:
        """Nothing."""


SILENT: Final = Silent()
