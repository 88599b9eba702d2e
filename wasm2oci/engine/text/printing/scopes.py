"""Scopes of a component that is printed: how many things of each sort there are so far, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.binary.component_names import read_sort
from wasm2oci.engine.binary.reader import Reader
from wasm2oci.engine.errors import MalformedError
from wasm2oci.engine.syntax import limits
from wasm2oci.engine.syntax.sorts import SORTS
from wasm2oci.engine.text.printing.identifiers import Identifiers
from wasm2oci.engine.text.printing.types import Composite, TypePrinter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PrintScope", "read_names"]


class PrintScope:
    """A component, or the type of one.

    Args:
        names: of things by sort and index.

    Attributes:
        core_types: prints the core types of this scope, and knows how many there are.
    """

    def __init__(self, names: Mapping[str, Mapping[int, str]]) -> None:
        self._counts = dict.fromkeys(SORTS, 0)
        self._identifiers = {
            sort: Identifiers(sort.replace(" ", "-"), names.get(sort, {}), limits.MAX_TYPES) for sort in SORTS
        }
        self.core_types = TypePrinter(self._identifiers["core type"], {}, {})

    def declare(self, sort: str, own: str | None = None) -> str:
        """The next thing of a sort: its identifier and its index as a comment, a blank after each.

        Args:
            sort: the sort.
            own: what it calls itself, for one that has no name here.
        """
        index = self._counts[sort]
        if own is not None:
            self._identifiers[sort].adopt(index, own)
        self._counts[sort] += 1
        if sort == "core type":
            self.core_types.composites.append(Composite())
        return self._identifiers[sort].declare(index)

    def declare_core_types(self) -> None:
        """Counts core types that `core_types` has read."""
        self._counts["core type"] = len(self.core_types.composites)

    def use(self, sort: str, index: int) -> str:
        """How a thing is referred to; what does not exist yet, by its index."""
        return self._identifiers[sort].use(index) if index < self._counts[sort] else str(index)


def read_names(data: bytes, start: int, end: int) -> tuple[str | None, dict[str, dict[int, str]]]:
    """What a component-name section says, as far as it is well-formed: the component's name, and the others."""
    own: str | None = None
    names: dict[str, dict[int, str]] = {}
    reader = Reader(data, start, end)
    try:
        while reader.pos < end:
            id_ = reader.byte()
            size = reader.u32()
            inner = Reader(data, reader.pos, min(reader.pos + size, end))
            reader.pos = inner.end
            if id_ == 0:
                own = inner.name()
            elif id_ == 1:
                found = names.setdefault(read_sort(inner), {})
                for _ in range(inner.count(limits.MAX_FUNCTIONS, "names", 2)):
                    index = inner.u32()
                    found[index] = inner.name()
    except MalformedError:
        pass
    return own, names
