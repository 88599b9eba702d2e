"""Header fields and trailers. Spec: wasi:http/types, `fields`; RFC 9110, 5."""

from __future__ import annotations

from typing import Any, Final

from wasm2oci.base import http1

__all__ = ["FIELDS_MAX", "FORBIDDEN", "HeaderError", "HttpFields"]

FIELDS_MAX: Final = 128 * 1024
"""Bytes of all fields of one message; names and values, and 32 for each."""
_EACH: Final = 32
FORBIDDEN: Final = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    }
)
"""What belongs to the connection, and so to the host: a guest neither sets nor sees these."""


class HeaderError(Exception):
    """A field cannot be set.

    Args:
        case: of `header-error`.
    """

    def __init__(self, case: str) -> None:
        super().__init__(case)
        self.case = case


def _size(name: str, value: bytes) -> int:
    return len(name) + len(value) + _EACH


class HttpFields:
    """HttpFields, in their order; names are the same in any case of letters.

    Args:
        entries: names and values.
        mutable: whether they may be changed.
    """

    resource = "fields"

    def __init__(self, entries: list[tuple[str, bytes]] | None = None, *, mutable: bool = True) -> None:
        self._entries = entries or []
        self._size = sum(_size(name, value) for name, value in self._entries)
        self._mutable = mutable

    @classmethod
    def from_list(cls, entries: list[tuple[str, bytes]]) -> HttpFields:
        """`from-list`.

        Raises:
            HeaderError: one of them cannot be set.
        """
        fields = cls()
        for name, value in entries:
            fields.append(name, value)
        return fields

    def shared(self) -> HttpFields:
        """The same fields, not to be changed: those of a message."""
        view = HttpFields(mutable=False)
        view._entries = self._entries
        view._size = self._size
        return view

    def frozen(self) -> HttpFields:
        """These fields, which became those of a message."""
        self._mutable = False
        return self

    def get(self, name: str) -> list[bytes]:
        """`get`."""
        wanted = name.lower()
        return [value for other, value in self._entries if other.lower() == wanted]

    def has(self, name: str) -> bool:
        """`has`."""
        return bool(self.get(name))

    def set(self, name: str, values: list[bytes]) -> None:
        """`set`.

        Raises:
            HeaderError: it cannot be.
        """
        self._check(name, *values)
        self._without(name)
        for value in values:
            self._add(name, value)

    def delete(self, name: str) -> None:
        """`delete`.

        Raises:
            HeaderError: it cannot be.
        """
        self._check(name)
        self._without(name)

    def append(self, name: str, value: bytes) -> None:
        """`append`.

        Raises:
            HeaderError: it cannot be.
        """
        self._check(name, value)
        self._add(name, value)

    def entries(self) -> list[tuple[str, bytes]]:
        """`entries`."""
        return list(self._entries)

    def clone(self) -> HttpFields:
        """`clone`."""
        return HttpFields(self.entries())

    @property
    def content_length(self) -> int | None:
        """The number of the one `content-length`, or None; where it is malformed, None as well."""
        values = self.get("content-length")
        return int(values[0]) if len(values) == 1 and values[0].isdigit() and len(values[0]) < 19 else None

    @property
    def contradicts(self) -> bool:
        """Whether there is a `content-length` that cannot be read, or several."""
        return self.has("content-length") and self.content_length is None

    def _check(self, name: str, *values: bytes) -> None:
        if not self._mutable:
            raise HeaderError("immutable")
        if not http1.is_field_name(name.encode()) or not all(map(http1.is_field_value, values)):
            raise HeaderError("invalid-syntax")
        if name.lower() in FORBIDDEN:
            raise HeaderError("forbidden")

    def _add(self, name: str, value: bytes) -> None:
        self._size += _size(name, value)
        if self._size > FIELDS_MAX:
            raise MemoryError
        self._entries.append((name, value))

    def _without(self, name: str) -> None:
        wanted = name.lower()
        self._entries[:] = [entry for entry in self._entries if entry[0].lower() != wanted]
        self._size = sum(_size(other, value) for other, value in self._entries)


def changing(call: Any) -> Any:
    """A worker that changes fields: nothing, or a `header-error`."""

    def wrapped(*values: Any) -> Any:
        try:
            return "ok", call(*values)
        except HeaderError as error:
            return "error", (error.case, None)

    return wrapped
