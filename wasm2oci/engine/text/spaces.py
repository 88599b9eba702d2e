"""Index spaces and the names of what is in them. Spec: core, text format, contexts (6.1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.text.cursor import identifier_of

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["IndexSpace", "named"]


class IndexSpace:
    """What is numbered together, and the identifiers by which it can be referred to.

    Args:
        what: the sort of things: `func`, `local`, ... for messages.

    Attributes:
        count: how many there are.
        names: what the name section says of them: indices and names.
    """

    __slots__ = ("count", "ids", "names", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0
        self.ids: dict[str, int] = {}
        self.names: list[tuple[int, str]] = []

    def add(self, cursor: Cursor) -> int:
        """Reads the optional identifier and name of one more thing; gives its index."""
        id_, name = named(cursor)
        if id_ is not None:
            if id_ in self.ids:
                raise cursor.error_before(f"duplicate identifier: {self.what} {id_} is defined already")
            self.ids[id_] = self.count
        if name is not None:
            self.names.append((self.count, name))
        self.count += 1
        return self.count - 1

    def index(self, cursor: Cursor) -> int:
        """Reads an index: a number, or the identifier of one of these."""
        atom = cursor.peek()
        if atom[:1] != "$":
            if not cursor.at_index():
                raise cursor.error(f"unexpected token, expected a {self.what} index")
            return cursor.unsigned()
        cursor.next()
        index = self.ids.get(identifier_of(atom))
        if index is None:
            raise cursor.error_before(f"unknown {self.what} {identifier_of(atom)}")
        return index


def named(cursor: Cursor) -> tuple[str | None, str | None]:
    """Reads an optional identifier and an optional `@name` annotation.

    Returns:
        The identifier, and the name for the name section: what the annotation says, else the identifier.
    """
    id_ = cursor.identifier()
    name = None if id_ is None else id_[1:]
    if cursor.open("(@name"):
        name = cursor.name()
        cursor.close()
    return id_, name
