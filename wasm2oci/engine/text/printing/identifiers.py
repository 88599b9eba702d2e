"""Names from the name section as identifiers of the text format.

Names may be anything and need not differ; identifiers must differ. A name that cannot be one unchanged is kept in an
annotation: `(func $"#func7 main" (@name "main") ...)`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.text.patterns import ID

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Identifier", "Identifiers", "identifier", "quoted"]

LONGEST: Final = 1_000
"""Characters of an identifier: every use repeats it, so a longer name is left to its annotation."""

_PLAIN: Final = re.compile(f"[{ID}]+")


class Identifier(NamedTuple):
    """How a thing is called.

    Attributes:
        id: as it is written, `$` included.
        name: its name, where that is not what `id` says; else None.
    """

    id: str
    name: str | None

    @property
    def declared(self) -> str:
        """What is written where the thing is defined, with a blank after it."""
        return f"{self.id} " if self.name is None else f"{self.id} (@name {quoted(self.name)}) "


class Identifiers:
    """The identifiers of one index space.

    Args:
        sort: of what: `func`, `local`, ...
        names: by index.
        count: how many things there are; a name of none of them is left out.
    """

    __slots__ = ("_by_index", "_sort", "_used")

    def __init__(self, sort: str, names: Mapping[int, str], count: int) -> None:
        self._sort = sort
        self._by_index: dict[int, Identifier] = {}
        self._used = set[str]()
        for index, name in names.items():
            if index < count:
                self.add(index, name)

    def add(self, index: int, name: str) -> None:
        """Gives the thing with this index a name."""
        id_ = name
        if not name or len(name) > LONGEST or name in self._used:
            id_ = f"#{self._sort}{index} {name}" if name and len(name) <= LONGEST else f"#{self._sort}{index}"
            while id_ in self._used:
                id_ += "'"
        self._used.add(id_)
        self._by_index[index] = Identifier(identifier(id_), None if id_ == name else name)

    def adopt(self, index: int, name: str) -> None:
        """Gives the thing with this index a name, unless it has one, or the name is another's."""
        if index not in self._by_index and name not in self._used:
            self.add(index, name)

    def use(self, index: int) -> str:
        """How the thing with this index is referred to: its identifier, else the index."""
        known = self._by_index.get(index)
        return str(index) if known is None else known.id

    def declare(self, index: int) -> str:
        """What is written where the thing is defined: identifier, name and index (a comment), a blank after each."""
        return f"{self.name(index)}(;{index};) "

    def name(self, index: int) -> str:
        """The same without the index."""
        known = self._by_index.get(index)
        return "" if known is None else known.declared


def identifier(name: str) -> str:
    """A name as an identifier, quoted where it has to be."""
    return f"${name}" if _PLAIN.fullmatch(name) else f"${quoted(name)}"


def quoted(text: str) -> str:
    """A text as a string literal; what is not printable is escaped."""
    return '"' + "".join([_shown(char) for char in text]) + '"'


def _shown(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char == " " or char.isprintable() else f"\\u{{{ord(char):x}}}"
