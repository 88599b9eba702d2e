"""References to things, and names of imports and exports. Spec: component model, Explainer.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasm2oci.engine.syntax.sorts import CORE, NAME_ATTRIBUTES, SORTS
from wasm2oci.engine.text.component.scope import Reference
from wasm2oci.engine.text.encode import name, vector

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["extern_name", "item", "item_sort", "reference"]


def extern_name(cursor: Cursor) -> bytes:
    """The name of an import or export, with its attributes."""
    if cursor.open("interface"):
        text = cursor.name()
        cursor.close()
        return b"\0" + name(text)
    text = cursor.name()
    attributes = []
    for code, keyword in enumerate(NAME_ATTRIBUTES):
        if cursor.open(keyword):
            attributes.append(bytes([code]) + name(cursor.name()))
            cursor.close()
    return b"\2" + name(text) + vector(attributes) if attributes else b"\0" + name(text)


def reference(cursor: Cursor, sort: str, *, chained: bool = True, parenthesised: bool = False) -> Reference:
    """A reference to a thing of a sort: an index, and with `chained` names of exports after it.

    With `parenthesised` it may also stand in parentheses, with its sort: `(func $i "f")`.
    """
    if parenthesised and cursor.peek() == "(":
        written = item_sort(cursor, core=sort.startswith("core "))
        if written != sort:
            raise cursor.error_before(f"unexpected token, expected {sort}")
        found = reference(cursor, sort)
        cursor.close()
        return found
    mark = cursor.mark()
    if not cursor.at_index():
        raise cursor.error(f"unexpected token, expected a {sort} index")
    atom = cursor.peek()
    if atom[:1] == "$":
        cursor.next()
    else:
        atom = str(cursor.unsigned())
    exports = []
    while chained and cursor.peek()[:1] == '"':
        exports.append(cursor.name())
    return Reference(sort, atom, tuple(exports), mark)


def item_sort(cursor: Cursor, *, core: bool = False) -> str:
    """Passes a parenthesis and a sort: `(core func`; with `core` that word may be left out."""
    if cursor.peek() != "(":
        raise cursor.error("unexpected token, expected an item in parentheses")
    cursor.next()
    if cursor.accept("core"):
        core = True
    keyword = cursor.peek()
    sort = f"core {keyword}" if core else keyword
    if sort not in SORTS or (core and keyword not in CORE):
        raise cursor.error("unexpected token, expected a sort")
    cursor.next()
    return sort


def item(cursor: Cursor, *, core: bool = False) -> Reference:
    """A reference in parentheses with its sort: `(func $f)`, `(core memory $i "mem")`."""
    sort = item_sort(cursor, core=core)
    found = reference(cursor, sort)
    cursor.close()
    return found
