"""What messages that come in and messages that go out share, and how results without much in them look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from wasm2oci.wasi.preview2.bell import Bell
    from wasm2oci.wasi.preview2.http.fields import HttpFields
    from wasm2oci.wasi.preview2.pipes import Pipe

__all__ = ["ERROR", "NONE", "HttpMessage", "Later", "optional", "taken", "worked"]

NONE: Final = ("none", None)
ERROR: Final = ("error", None)
T = TypeVar("T")


def optional(value: Any) -> tuple[str, Any]:
    """An `option`."""
    return NONE if value is None else ("some", value)


def worked(done: object) -> tuple[str, None]:
    """A `result` without values."""
    return "ok" if done else "error", None


def taken(value: Any) -> tuple[str, Any]:
    """A `result` of what can be had once: an error when it is gone."""
    return ERROR if value is None else ("ok", value)


class Later(Generic[T]):
    """A value that another thread sets once.

    Args:
        bells: of the threads that wait for it.
    """

    def __init__(self, *bells: Bell) -> None:
        self._bells = bells
        self.value: T | None = None

    def watch(self, pipe: Pipe) -> None:
        """Let a pipe wake the same threads."""
        for bell in self._bells:
            pipe.watch(bell)

    def give(self, value: T) -> None:
        """Set the value; a second one is ignored."""
        if self.value is None:
            self.value = value
            for bell in self._bells:
                bell.ring()


class HttpMessage:
    """What a message and its body share.

    Args:
        fields: its header fields.
    """

    def __init__(self, fields: HttpFields) -> None:
        self.fields = fields.frozen()

    def headers(self) -> HttpFields:
        """`headers`."""
        return self.fields.shared()
