"""Types of components, from text to binary. Spec: component model, Explainer.md, type definitions; Binary.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.syntax.sorts import sort_bytes
from wasm2oci.engine.text.component.aliases import read_alias
from wasm2oci.engine.text.component.coretypes import core_type, module_type
from wasm2oci.engine.text.component.references import extern_name, item_sort, reference
from wasm2oci.engine.text.component.scope import DeclarationScope
from wasm2oci.engine.text.component.values import ValueTypes
from wasm2oci.engine.text.encode import name, uleb, vector
from wasm2oci.engine.text.spaces import named
from wasm2oci.engine.text.types import Types

if TYPE_CHECKING:
    from wasm2oci.engine.text.component.values import Value
    from wasm2oci.engine.text.cursor import Cursor

__all__ = ["TypeReader"]

CORE_TYPE, IMPORT, EXPORT = 3, 10, 11
_FUNC, _ASYNC_FUNC, _COMPONENT, _INSTANCE, _RESOURCE = b"\x40", b"\x43", b"\x41", b"\x42", b"\x3f"
_SIGNATURES: Final = ("func", "component", "instance", "value", "type")


class TypeReader(ValueTypes):
    """Reads types of every sort into a scope."""

    # --- definitions --------------------------------------------------------------------------------------------

    def definition(self, id_: str | None = None) -> bytes:
        """What `(type $t ...)` defines, in binary; `id_` is `$t`."""
        cursor = self.cursor
        if cursor.open("func"):
            encoded = self.function()
        elif cursor.open("component"):
            encoded = _COMPONENT + self.declarations(id_, imports=True)
        elif cursor.open("instance"):
            encoded = _INSTANCE + self.declarations(id_, imports=False)
        elif cursor.open("resource"):
            encoded = self._resource()
        else:
            return self.defined()
        cursor.close()
        return encoded

    def _resource(self) -> bytes:
        cursor = self.cursor
        if not cursor.open("rep"):
            raise cursor.error("unexpected token, expected rep")
        rep = Types().value(cursor)
        cursor.close()
        destructor = b"\0"
        if cursor.open("dtor"):
            found = reference(cursor, "core func", parenthesised=True)
            destructor = b"\1" + uleb(self.scope.resolve(cursor, found))
            cursor.close()
        return _RESOURCE + rep + destructor

    def function(self) -> bytes:
        """A function type after its keyword, up to its closing parenthesis."""
        cursor = self.cursor
        head = _ASYNC_FUNC if cursor.accept("async") else _FUNC
        params: list[tuple[str, Value]] = []
        while cursor.open("param"):
            params.append((cursor.name(), self.value()))
            cursor.close()
        result: Value | None = None
        if cursor.open("result"):
            result = self.value()
            cursor.close()
        encoded = vector([name(label) + self.finish(type_) for label, type_ in params])
        return head + encoded + (b"\1\0" if result is None else b"\0" + self.finish(result))

    def declarations(self, id_: str | None = None, *, imports: bool) -> bytes:
        """The declarations of a component's or an instance's type, up to a closing parenthesis."""
        cursor = self.cursor
        scope = DeclarationScope(self.scope, id_)
        inner = TypeReader(scope, cursor, self._depth + 1)
        while cursor.peek() == "(":
            if cursor.open("type"):
                inner.type_field()
            elif cursor.head_at(cursor.pos) == "core":
                inner.core_type_field()
                continue
            elif cursor.open("alias"):
                inner.alias()
            elif imports and cursor.open("import"):
                inner.extern(IMPORT)
            elif cursor.open("export"):
                inner.extern(EXPORT)
            else:
                raise cursor.error("unexpected token, expected a declaration")
            cursor.close()
        return scope.encoded()

    def type_field(self) -> int:
        """`(type $t ...)` after its keyword, up to its closing parenthesis; gives its index."""
        identity = named(self.cursor)
        return self.define(self.definition(identity[0]), identity)

    def core_type_field(self) -> None:
        """`(core type $t ...)` or `(core rec ...)`, whole."""
        core_type(self.scope, self.cursor)

    def alias(self) -> None:
        """`(alias ...)` after its keyword, up to its closing parenthesis."""
        cursor = self.cursor
        alias = read_alias(self.scope, cursor)
        sort = item_sort(cursor)
        identity = named(cursor)
        cursor.close()
        alias.write(self.scope, cursor, sort, identity)

    def extern(self, section: int) -> None:
        """An import or export in a type, after its keyword and up to its closing parenthesis."""
        cursor = self.cursor
        outer = named(cursor) if section == EXPORT and cursor.peek()[:1] == "$" else (None, None)
        text = extern_name(cursor)
        sort, encoded, inner = self.signature()
        self.scope.emit(section, text + encoded)
        self.scope.declare(cursor, sort, outer if outer != (None, None) else inner)

    # --- signatures ---------------------------------------------------------------------------------------------

    def signature(self) -> tuple[str, bytes, tuple[str | None, str | None]]:
        """The sort and type of an import or export: `(func $f (param "x" u32))`.

        Returns:
            The sort, the type in binary, and identifier and name.
        """
        cursor = self.cursor
        if cursor.open("core"):
            if not cursor.accept("module"):
                raise cursor.error("unexpected token, expected module")
            sort = "core module"
        else:
            sort = cursor.open(*_SIGNATURES)
            if not sort:
                raise cursor.error("unexpected token, expected func, instance, component, core module, value or type")
        identity = named(cursor)
        encoded = self.type_of(sort)
        cursor.close()
        return sort, encoded, identity

    def type_of(self, sort: str) -> bytes:
        """The type of a thing of a sort, in short (`(type $t)`) or in full, with the sort before it."""
        cursor = self.cursor
        head = sort_bytes(sort)
        if sort == "value":
            if cursor.open("type"):
                found = reference(cursor, "type")
                cursor.close()
                return head + self.finish(found)
            return head + self.finish(self.value())
        if sort == "type":
            if cursor.open("sub"):
                cursor.expect("resource")
                cursor.close()
                return head + b"\1"
            if not cursor.open("eq"):
                raise cursor.error("unexpected token, expected eq or sub")
            index = self.scope.resolve(cursor, reference(cursor, "type"))
            cursor.close()
            return head + b"\0" + uleb(index)
        return head + uleb(self.use(sort))

    def use(self, sort: str) -> int:
        """The index of the type of a function, instance, component or core module."""
        cursor = self.cursor
        space = "core type" if sort == "core module" else "type"
        if at_type_use(cursor):
            cursor.open("type")
            found = reference(cursor, space)
            cursor.close()
            return self.scope.resolve(cursor, found)
        if sort == "func":
            return self.define(self.function())
        if sort == "core module":
            self.scope.emit(CORE_TYPE, module_type(self.scope, cursor))
            return self.scope.declare(cursor, "core type")
        head = _COMPONENT if sort == "component" else _INSTANCE
        return self.define(head + self.declarations(imports=sort == "component"))


def at_type_use(cursor: Cursor) -> bool:
    """Whether `(type $t)` comes next, and not the definition of a type."""
    pos, left = cursor.pos, list(cursor.left)
    use = False
    if cursor.open("type") and cursor.at_index():
        reference(cursor, "type")
        use = cursor.peek() == ")"
    cursor.pos, cursor.left = pos, left
    return use
