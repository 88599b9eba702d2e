"""Instances and their arguments, from text to binary. Spec: component model, Explainer.md, instance definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.sorts import sort_bytes
from wasm2oci.engine.text.component.references import extern_name, item, reference
from wasm2oci.engine.text.encode import name, uleb, vector
from wasm2oci.engine.text.spaces import named

if TYPE_CHECKING:
    from wasm2oci.engine.text.component.scope import Reference, Scope
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["core_instance", "instance"]

CORE_INSTANCE, INSTANCE = 2, 5
_CORE_INSTANCE_SORT: Final = b"\x12"

Identity = tuple[str | None, str | None]
_NO_NAME: Final = (None, None)


def core_instance(scope: Scope, cursor: Cursor) -> None:
    """`(core instance $i ...)` after `instance`, up to its closing parenthesis."""
    identity = named(cursor)
    if not cursor.open("instantiate"):
        _core_bundle(scope, cursor, identity)
        return
    module = reference(cursor, "core module", parenthesised=True)
    arguments: list[tuple[str, int | Reference]] = []
    while cursor.open("with"):
        text = cursor.name()
        if not cursor.open("instance"):
            raise cursor.error("unexpected token, expected instance")
        if cursor.at_index():
            arguments.append((text, reference(cursor, "core instance")))
        else:
            arguments.append((text, _core_bundle(scope, cursor, _NO_NAME)))
        cursor.close()
        cursor.close()
    cursor.close()
    encoded = b"\0" + uleb(scope.resolve(cursor, module))
    encoded += vector([name(text) + _CORE_INSTANCE_SORT + _index(scope, cursor, found) for text, found in arguments])
    scope.emit(CORE_INSTANCE, encoded)
    scope.declare(cursor, "core instance", identity)


def _core_bundle(scope: Scope, cursor: Cursor, identity: Identity) -> int:
    """A core instance of exports; gives its index."""
    found: list[tuple[str, Reference]] = []
    while cursor.open("export"):
        text = cursor.name()
        found.append((text, item(cursor, core=True)))
        cursor.close()
    encoded = [name(text) + sort_bytes(ref.sort)[1:] + _index(scope, cursor, ref) for text, ref in found]
    scope.emit(CORE_INSTANCE, b"\1" + vector(encoded))
    return scope.declare(cursor, "core instance", identity)


def instance(scope: Scope, cursor: Cursor, identity: Identity) -> int:
    """What an instance is made of, up to its closing parenthesis; gives its index."""
    if not cursor.open("instantiate"):
        return _bundle(scope, cursor, identity)
    component = reference(cursor, "component", parenthesised=True)
    arguments: list[tuple[str, str, int | Reference]] = []
    while cursor.open("with"):
        text = cursor.name()
        if _at_bundle(cursor):
            cursor.open("instance")
            arguments.append((text, "instance", _bundle(scope, cursor, _NO_NAME)))
            cursor.close()
        else:
            found = item(cursor)
            arguments.append((text, found.sort, found))
        cursor.close()
    cursor.close()
    encoded = b"\0" + uleb(scope.resolve(cursor, component))
    encoded += vector([name(text) + sort_bytes(sort) + _index(scope, cursor, each) for text, sort, each in arguments])
    scope.emit(INSTANCE, encoded)
    return scope.declare(cursor, "instance", identity)


def _at_bundle(cursor: Cursor) -> bool:
    """Whether `(instance ...)` comes next with exports or nothing in it, and not with an index."""
    pos = cursor.pos
    bundle = bool(cursor.open("instance")) and cursor.peek() in {"(", ")"}
    cursor.pos, cursor.left = pos, []
    return bundle


def _bundle(scope: Scope, cursor: Cursor, identity: Identity) -> int:
    """An instance of exports; gives its index."""
    found: list[tuple[bytes, Reference]] = []
    while cursor.open("export"):
        text = extern_name(cursor)
        found.append((text, item(cursor)))
        cursor.close()
    encoded = [text + sort_bytes(ref.sort) + _index(scope, cursor, ref) for text, ref in found]
    scope.emit(INSTANCE, b"\1" + vector(encoded))
    return scope.declare(cursor, "instance", identity)


def _index(scope: Scope, cursor: Cursor, found: int | Reference) -> bytes:
    """An index in binary; a reference is looked up now."""
    return uleb(found if isinstance(found, int) else scope.resolve(cursor, found))
