"""Custom sections as annotations. Spec: core, custom sections and annotations (A.4); the custom annotation's syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text.encode import name, section, vector

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["Customs"]

_SECTIONS: Final = (
    "type",
    "import",
    "func",
    "table",
    "memory",
    "tag",
    "global",
    "export",
    "start",
    "elem",
    "code",
    "data",
    "datacount",
)
_PRODUCERS: Final = ("language", "sdk", "processed-by")


class Customs:
    """The custom sections of one module, and where each goes."""

    def __init__(self) -> None:
        self._placed: dict[str, list[bytes]] = {}  # contents of sections

    def contents(self) -> list[bytes]:
        """The contents of all sections, names included."""
        return [each for placed in self._placed.values() for each in placed]

    def at(self, place: str) -> list[bytes]:
        """The sections for a place: `before first`, `after last`, `before code`, `after code`, ..."""
        return [section(0, contents) for contents in self._placed.get(place, [])]

    def read(self, cursor: Cursor) -> None:
        """Reads `@custom` after its head, up to its closing parenthesis."""
        if cursor.peek()[:1] != '"':
            raise cursor.error("@custom annotation: missing section name")
        title = cursor.name()
        place = "after last"
        order = cursor.open("before", "after")
        if order:
            target = cursor.next()
            if target not in _SECTIONS and target != ("first" if order == "before" else "last"):
                raise cursor.error_before("@custom annotation: malformed section kind")
            place = f"{order} {target}"
            cursor.close()
        elif cursor.peek() == "(":
            raise cursor.error("@custom annotation: malformed placement")
        data = cursor.strings()
        if cursor.peek() != ")":
            raise cursor.error("@custom annotation: unexpected token")
        self._add(place, name(title) + data)

    def read_producers(self, cursor: Cursor) -> None:
        """Reads `@producers` after its head, up to its closing parenthesis."""
        fields: dict[str, list[bytes]] = {}
        while field := cursor.open(*_PRODUCERS):
            fields.setdefault(field, []).append(name(cursor.name()) + name(cursor.name()))
            cursor.close()
        contents = vector([name(field) + vector(values) for field, values in fields.items()])
        self._add("after last", name("producers") + contents)

    def _add(self, place: str, contents: bytes) -> None:
        self._placed.setdefault(place, []).append(contents)
