"""Core types within components: functions, recursion groups, types of modules. Spec: component model, Binary.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.engine.text.component.aliases import outer_alias
from wasm2oci.engine.text.component.references import reference
from wasm2oci.engine.text.component.scope import Scope
from wasm2oci.engine.text.cursor import identifier_of
from wasm2oci.engine.text.encode import name, uleb, vector
from wasm2oci.engine.text.spaces import IndexSpace, named
from wasm2oci.engine.text.types import Types

if TYPE_CHECKING:
    from wasm2oci.engine.text.cursor import Cursor
    from wasm2oci.engine.text.types import Signature

__all__ = ["core_type", "module_type"]

CORE_TYPE: Final = 3
_MODULE: Final = b"\x50"
_KINDS: Final = ("func", "table", "memory", "global", "tag")


class _ScopeSpace(IndexSpace):
    """The core types of a scope, outer ones included."""

    def __init__(self, scope: Scope, own: str | None) -> None:
        super().__init__("core type")
        self._scope = scope
        self._own = own  # the identifier of the type that is read

    def index(self, cursor: Cursor) -> int:
        """Reads the index of a core type."""
        found = reference(cursor, "core type", chained=False)
        space = self._scope.spaces["core type"]
        if self._own is not None and found.atom[:1] == "$" and identifier_of(found.atom) == self._own not in space.ids:
            return space.count
        return self._scope.resolve(cursor, found)


class _ScopeTypes(Types):
    """Reads core types that may refer to others of a scope."""

    def __init__(self, scope: Scope, own: str | None = None) -> None:
        super().__init__()
        self.space = _ScopeSpace(scope, own)

    def taken(self) -> bytes:
        """What was defined last."""
        return self.groups.pop()


def core_type(scope: Scope, cursor: Cursor) -> None:
    """`(core type $t ...)` or `(core rec ...)`, whole."""
    cursor.open("core")
    if cursor.accept("rec"):
        types = _ScopeTypes(scope)
        start = cursor.pos
        while cursor.open("type"):  # members may refer to later ones
            scope.declare(cursor, "core type", named(cursor))
            cursor.left = []
            cursor.skip()
        cursor.pos = start
        types.define_group(cursor)
        scope.emit(CORE_TYPE, types.taken())
        return
    cursor.expect("type")
    identity = named(cursor)
    if cursor.open("module"):
        encoded = module_type(scope, cursor)
        cursor.close()
        cursor.close()
    else:
        types = _ScopeTypes(scope, identity[0])
        types.define(cursor)
        encoded = types.taken()
        if encoded[:1] == _MODULE:  # an open type: the byte of a module's type comes before it
            encoded = b"\0" + encoded
    scope.emit(CORE_TYPE, encoded)
    scope.declare(cursor, "core type", identity)


class _ModuleScope(Scope):
    """The type of a module that is being assembled."""

    sees_outer = False

    def __init__(self, parent: Scope) -> None:
        super().__init__(parent)
        self.declarations: list[bytes] = []
        self.known: dict[
            Signature, int
        ] = {}  # function types that were defined, not those that stand where they are used

    def emit(self, section_: int, item: bytes) -> None:
        """Adds a declaration: a type or an alias."""
        self.declarations.append((b"\1" if section_ == CORE_TYPE else b"\2") + item)

    def alias_type(self, cursor: Cursor, depth: int, index: int, identity: tuple[str | None, str | None]) -> int:
        """Adds an outer alias of a core type."""
        self.declarations.append(b"\2\x10\1" + uleb(depth) + uleb(index))
        return self.declare(cursor, "core type", identity)


def module_type(scope: Scope, cursor: Cursor) -> bytes:
    """The type of a core module, after its keyword and up to its closing parenthesis."""
    inner = _ModuleScope(scope)
    types = _ScopeTypes(inner)
    while cursor.peek() == "(":
        if cursor.open("type"):
            identity = named(cursor)
            types = _ScopeTypes(inner, identity[0])
            types.define(cursor)
            inner.emit(CORE_TYPE, types.taken())
            index = inner.declare(cursor, "core type", identity)
            for signature in types.defined:
                inner.known.setdefault(signature, index)
            continue
        if cursor.open("rec"):
            start = cursor.pos
            while cursor.open("type"):
                inner.declare(cursor, "core type", named(cursor))
                cursor.left = []
                cursor.skip()
            cursor.pos = start
            types.define_group(cursor)
            inner.emit(CORE_TYPE, types.taken())
            continue
        if cursor.open("alias"):
            _alias(inner, cursor)
        elif cursor.open("import"):
            module, text = cursor.name(), cursor.name()
            inner.declarations.append(b"\0" + name(module) + name(text) + _extern(inner, types, cursor))
        elif cursor.open("export"):
            text = cursor.name()
            inner.declarations.append(b"\3" + name(text) + _extern(inner, types, cursor))
        else:
            raise cursor.error("unexpected token, expected a declaration of a module")
        cursor.close()
    return _MODULE + vector(inner.declarations)


def _alias(inner: _ModuleScope, cursor: Cursor) -> None:
    cursor.expect("outer")
    alias = outer_alias(inner, cursor)
    number = alias.number(cursor, "core type")
    if not cursor.open("type"):
        cursor.open("core")
        cursor.expect("type")
    identity = named(cursor)
    cursor.close()
    inner.alias_type(cursor, alias.depth, number, identity)


def _extern(inner: _ModuleScope, types: _ScopeTypes, cursor: Cursor) -> bytes:
    """The type of an import or export of a module."""
    kind = cursor.open(*_KINDS)
    if not kind:
        raise cursor.error("unexpected token, expected func, table, memory, global or tag")
    named(cursor)
    code = bytes([_KINDS.index(kind)])
    if kind in {"func", "tag"}:
        if kind == "tag":
            code += b"\0"
        code += uleb(_function(inner, types, cursor))
    elif kind == "table":
        code += types.table(cursor)
    elif kind == "memory":
        code += types.limits(cursor)
    else:
        code += types.global_(cursor)
    cursor.close()
    return code


def _function(inner: _ModuleScope, types: _ScopeTypes, cursor: Cursor) -> int:
    """A function type, referred to or written in full; gives its index."""
    if cursor.open("type"):
        index = types.space.index(cursor)
        cursor.close()
        types.signature(cursor)
        return index
    signature, _ = types.signature(cursor)
    known = inner.known.get(signature)
    if known is not None:
        return known
    inner.emit(CORE_TYPE, b"\x60" + vector(signature[0]) + vector(signature[1]))
    return inner.declare(cursor, "core type")
