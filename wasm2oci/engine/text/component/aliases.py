"""Aliases, from text to binary. Spec: component model, Explainer.md, alias definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.engine.syntax.sorts import sort_bytes
from wasm2oci.engine.text.component.references import reference
from wasm2oci.engine.text.component.scope import ALIAS
from wasm2oci.engine.text.cursor import identifier_of
from wasm2oci.engine.text.encode import name, uleb

if TYPE_CHECKING:
    from wasm2oci.engine.text.component.scope import Scope
    from wasm2oci.engine.text.cursor import Cursor, Mark

__all__ = ["Alias", "Outer", "outer_alias", "read_alias"]

_EXPORT, _CORE_EXPORT, _OUTER = b"\0", b"\1", b"\2"


class Alias(NamedTuple):
    """What an alias of an instance's export is of.

    Attributes:
        core: whether the instance is a core one.
        instance: its index.
        export: the name of the export.
    """

    core: bool
    instance: int
    export: str

    def write(self, scope: Scope, cursor: Cursor, sort: str, identity: tuple[str | None, str | None]) -> None:
        """Adds an alias of a sort."""
        target = (_CORE_EXPORT if self.core else _EXPORT) + uleb(self.instance) + name(self.export)
        scope.emit(ALIAS, sort_bytes(sort) + target)
        scope.declare(cursor, sort, identity)


class Outer(NamedTuple):
    """What an outer alias is of.

    Attributes:
        depth: how far out the scope is.
        scope: the scope, or None where there is none so far out.
        atom: an identifier in it, or a number.
        mark: where that is.
    """

    depth: int
    scope: Scope | None
    atom: str
    mark: Mark

    def number(self, cursor: Cursor, sort: str) -> int:
        """The index that is meant."""
        if self.atom[:1] != "$":
            return int(self.atom)
        id_ = identifier_of(self.atom)
        index = None if self.scope is None else self.scope.spaces[sort].ids.get(id_)
        if index is None:
            raise cursor.error_at(self.mark, f"unknown {sort}: failed to find name {id_}")
        return index

    def write(self, scope: Scope, cursor: Cursor, sort: str, identity: tuple[str | None, str | None]) -> None:
        """Adds an alias of a sort."""
        scope.emit(ALIAS, sort_bytes(sort) + _OUTER + uleb(self.depth) + uleb(self.number(cursor, sort)))
        scope.declare(cursor, sort, identity)


def read_alias(scope: Scope, cursor: Cursor) -> Alias | Outer:
    """What an alias is of, after its keyword and up to the item that it makes."""
    core = cursor.accept("core")
    if core or cursor.peek() == "export":
        cursor.expect("export")
        found = reference(cursor, "core instance" if core else "instance", chained=False)
        return Alias(core, scope.resolve(cursor, found), cursor.name())
    cursor.expect("outer")
    return outer_alias(scope, cursor)


def outer_alias(scope: Scope, cursor: Cursor) -> Outer:
    """What an outer alias is of, after `outer`."""
    depth, outer = scope.outer(cursor)
    mark = cursor.mark()
    atom = cursor.next() if cursor.peek()[:1] == "$" else str(cursor.unsigned())
    return Outer(depth, outer, atom, mark)
