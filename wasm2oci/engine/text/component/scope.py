"""Scopes: components and the types of components, instances and modules, each with its index spaces.

What is written in short is written out where it is met: a reference to an outer scope becomes an outer alias, a
reference to an instance's export an alias of that, a type that is written where an index is expected a type of its own.
All of these come before the item that needs them. Spec: component model, Explainer.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasm2oci.engine.syntax.sorts import EXPORTED_BY_CORE, SORT_NAMES, SORTS, sort_bytes
from wasm2oci.engine.text.cursor import identifier_of
from wasm2oci.engine.text.encode import name, section, sized, uleb, vector
from wasm2oci.engine.text.spaces import IndexSpace

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor, Mark

__all__ = ["ALIAS", "ComponentScope", "DeclarationScope", "Reference", "Scope", "component_names"]

ALIAS: Final = 6
_DECLARATIONS: Final = {3: b"\0", 7: b"\1", ALIAS: b"\2", 10: b"\3", 11: b"\4"}
"""Sections of a component, and how the same is declared in a type."""
_OUTER: Final = frozenset({"type", "component", "core module", "core type"})
"""What an outer alias may refer to."""


class Reference(NamedTuple):
    """A reference that was read and not looked up yet.

    Attributes:
        sort: of what.
        atom: an identifier or a number; of an instance where there are `exports`.
        exports: names of exports, each in the instance before it.
        mark: where it is.
    """

    sort: str
    atom: str
    exports: tuple[str, ...]
    mark: Mark


class Scope:
    """A scope.

    Args:
        parent: the one around it, or None.
        id_: its identifier, for outer aliases.
    """

    sees_outer = True
    """Whether an identifier of an outer scope is known here without an alias."""

    def __init__(self, parent: Scope | None, id_: str | None = None) -> None:
        self.parent = parent
        self.id = id_
        self.spaces = {sort: IndexSpace(sort) for sort in SORTS}

    def emit(self, section_: int, item: bytes) -> None:
        """Adds an item."""
        raise AssertionError((section_, item))

    def declare(self, cursor: Cursor, sort: str, named: tuple[str | None, str | None] = (None, None)) -> int:
        """Gives the next thing of a sort its index, identifier and name."""
        space = self.spaces[sort]
        id_, text = named
        if id_ is not None:
            if id_ in space.ids:
                raise cursor.error_before(f"duplicate identifier: {sort} {id_} is defined already")
            space.ids[id_] = space.count
        if text is not None:
            space.names.append((space.count, text))
        space.count += 1
        return space.count - 1

    # --- references ---------------------------------------------------------------------------------------------

    def resolve(self, cursor: Cursor, reference: Reference) -> int:
        """The index that a reference means here; what it takes to refer to it is added before."""
        sort = reference.sort
        if not reference.exports:
            return self._index(cursor, sort, reference)
        if sort in {"core type", "core instance"}:
            raise cursor.error_at(
                reference.mark,
                "core instances cannot export this kind of item, so an export name cannot be used to refer to it",
            )
        core = sort in EXPORTED_BY_CORE
        instance = self._index(cursor, "core instance" if core else "instance", reference)
        target = b"\1" if core else b"\0"
        for export in reference.exports[:-1]:
            self.emit(ALIAS, sort_bytes("instance") + target + uleb(instance) + name(export))
            instance = self.declare(cursor, "instance")
        self.emit(ALIAS, sort_bytes(sort) + target + uleb(instance) + name(reference.exports[-1]))
        return self.declare(cursor, sort)

    def _index(self, cursor: Cursor, sort: str, reference: Reference) -> int:
        atom = reference.atom
        if atom[:1] != "$":
            return int(atom)
        id_ = identifier_of(atom)
        index = self.spaces[sort].ids.get(id_)
        if index is not None:
            return index
        depth, scope = 1, self.parent if self.sees_outer else None
        while scope is not None:
            index = scope.spaces[sort].ids.get(id_)
            if index is not None:
                if sort not in _OUTER:
                    raise cursor.error_at(reference.mark, f"outer {sort} {id_} cannot be referred to from here")
                self.emit(ALIAS, sort_bytes(sort) + b"\2" + uleb(depth) + uleb(index))
                return self.declare(cursor, sort)
            depth, scope = depth + 1, scope.parent
        raise cursor.error_at(reference.mark, f"unknown {sort}: failed to find name {id_}")

    def outer(self, cursor: Cursor) -> tuple[int, Scope | None]:
        """Reads which outer scope is meant: how far out it is, and the scope, None where there is none so far out."""
        mark, atom = cursor.mark(), cursor.peek()
        scope: Scope | None = self
        depth = 0
        if atom[:1] != "$":
            count = cursor.unsigned()
            while depth < count and scope is not None:
                depth, scope = depth + 1, scope.parent
            return count, scope
        cursor.next()
        wanted = identifier_of(atom)
        while scope is not None and scope.id != wanted:
            depth, scope = depth + 1, scope.parent
        if scope is None:
            raise cursor.error_at(mark, f"outer component {wanted} not found")
        return depth, scope


class ComponentScope(Scope):
    """A component that is being assembled."""

    def __init__(self, parent: Scope | None, id_: str | None = None) -> None:
        super().__init__(parent, id_)
        self._out: list[bytes] = []
        self._section = -1
        self._items: list[bytes] = []

    def emit(self, section_: int, item: bytes) -> None:
        """Adds an item; those of one section that follow each other share it."""
        if section_ != self._section:
            self._flush()
            self._section = section_
        self._items.append(item)

    def emit_section(self, section_: int, contents: bytes) -> None:
        """Adds a section whole: a module, a component, a custom section, a start."""
        self._flush()
        self._out.append(section(section_, contents))

    def _flush(self) -> None:
        if self._items:
            self._out.append(section(self._section, vector(self._items)))
        self._items = []
        self._section = -1

    def sections(self) -> bytes:
        """Everything that was added."""
        self._flush()
        return b"".join(self._out)


class DeclarationScope(Scope):
    """The type of a component or an instance that is being assembled."""

    def __init__(self, parent: Scope, id_: str | None = None) -> None:
        super().__init__(parent, id_)
        self._declarations: list[bytes] = []

    def emit(self, section_: int, item: bytes) -> None:
        """Adds a declaration."""
        self._declarations.append(_DECLARATIONS[section_] + item)

    def encoded(self) -> bytes:
        """All declarations."""
        return vector(self._declarations)


def component_names(scope: Scope, own: str | None) -> bytes:
    """The contents of the component-name section; empty where nothing has a name."""
    out = b"" if own is None else b"\0" + sized(name(own))
    for sort in SORT_NAMES:
        names = scope.spaces[sort].names
        if names:
            out += b"\1" + sized(sort_bytes(sort) + vector([uleb(index) + name(text) for index, text in names]))
    return out
